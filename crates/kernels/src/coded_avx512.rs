//! AVX-512: products with codes, a lane for each of 16 outputs.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::coded::{
    AHEAD_BYTES, Coded, CodedInputs, Codes, Factors, Job, SPAN_TILES, Scales, TILE_COLUMNS,
    prefetch,
};
use crate::columns::Columns;
use crate::lanes::{LANES, Lanes};
use std::arch::x86_64::*;
use std::ops::Range;

/// Tokens whose chains are kept in registers together.
pub(crate) const FEW_TOKENS: usize = 4;

/// The kinds of [`Codes`], for code of their own.
pub(crate) const FOUR: usize = 0;
pub(crate) const FIVE: usize = 1;
pub(crate) const SIX: usize = 2;
pub(crate) const EIGHT: usize = 3;

/// Bytes of the codes of a tile.
pub(crate) const fn bytes_of(kind: usize) -> usize {
    match kind {
        FOUR => Codes::Four(&[0; 16]).bytes(),
        FIVE => Codes::Five(0).bytes(),
        SIX => Codes::Six.bytes(),
        _ => Codes::Eight.bytes(),
    }
}

/// `sums[token] = all terms of the job's outputs`.
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn multiply(job: &Job, factors: &mut Factors, sums: &mut [Lanes]) {
    assert!(sums.len() == job.tokens.len(), "a sum for each token");
    // SAFETY: the caller's promise is passed on; the kind is that of the codes.
    unsafe {
        match job.w.layout.codes {
            Codes::Four(_) => many::<FOUR>(job, factors, sums),
            Codes::Five(_) => many::<FIVE>(job, factors, sums),
            Codes::Six => many::<SIX>(job, factors, sums),
            Codes::Eight => many::<EIGHT>(job, factors, sums),
        }
    }
}

/// The outputs `rows` of at most [`FEW_TOKENS`] tokens, strip after strip in the order of memory.
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn linear(
    inputs: &CodedInputs,
    w: &Coded,
    rows: Range<usize>,
    out: &mut Columns,
) {
    // SAFETY: the caller's promise is passed on; the kind is that of the codes.
    unsafe {
        match w.layout.codes {
            Codes::Four(_) => by_tokens::<FOUR>(inputs, w, rows, out),
            Codes::Five(_) => by_tokens::<FIVE>(inputs, w, rows, out),
            Codes::Six => by_tokens::<SIX>(inputs, w, rows, out),
            Codes::Eight => by_tokens::<EIGHT>(inputs, w, rows, out),
        }
    }
}

/// # Safety
/// As [`linear`]; `KIND` is that of the codes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn by_tokens<const KIND: usize>(
    inputs: &CodedInputs,
    w: &Coded,
    rows: Range<usize>,
    out: &mut Columns,
) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match inputs.tokens() {
            1 => few::<KIND, 1>(inputs, w, rows, out),
            2 => few::<KIND, 2>(inputs, w, rows, out),
            3 => few::<KIND, 3>(inputs, w, rows, out),
            _ => few::<KIND, FEW_TOKENS>(inputs, w, rows, out),
        }
    }
}

/// The values that codes stand for, looked up by their lower and their upper bits.
#[derive(Clone, Copy)]
pub(crate) struct Tables {
    low: __m512,
    high: __m512,
}

impl Tables {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub(crate) fn of(codes: Codes) -> Tables {
        let [mut low, mut high] = [[0.0; LANES]; 2];
        for (index, (low, high)) in low.iter_mut().zip(&mut high).enumerate() {
            let count = index as f32;
            (*low, *high) = match codes {
                Codes::Four(values) => (f32::from(values[index]), 0.0),
                Codes::Five(offset) => {
                    let offset = f32::from(offset);
                    (count + offset, count + 16.0 + offset)
                }
                // Two upper bits; those that follow are another column's.
                Codes::Six => (count, 16.0 * (index % 4) as f32 - 32.0),
                Codes::Eight => (0.0, 0.0),
            };
        }
        // SAFETY: an array of 16 floats is read.
        unsafe {
            Tables { low: _mm512_loadu_ps(low.as_ptr()), high: _mm512_loadu_ps(high.as_ptr()) }
        }
    }

    /// The values of column `8 * q + 2 * (i % 4) + i / 4` of a tile.
    ///
    /// # Safety
    /// There is a tile of codes of this kind.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub(crate) unsafe fn column<const KIND: usize>(
        self,
        tile: *const u8,
        q: usize,
        i: usize,
    ) -> __m512 {
        let (odd, step) = (i / 4, i % 4);
        // SAFETY: `Codes` says how many bytes a tile has, and where those of a column are.
        unsafe {
            if KIND == EIGHT {
                let column = 8 * q + 2 * step + odd;
                let bytes = _mm_loadu_si128(tile.add(LANES * column).cast());
                return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
            }
            let low = right(_mm512_loadu_si512(tile.add(64 * q).cast()), 4 * i);
            match KIND {
                FIVE => {
                    let tops = _mm512_loadu_si512(tile.add(256).cast());
                    let bit = 16 * odd + 4 * q + step;
                    let top = if bit < 4 { left(tops, 4 - bit) } else { right(tops, bit - 4) };
                    // The lower four bits from the one, the fifth from the other.
                    const CHOOSE: i32 = 0xca;
                    let mask = _mm512_set1_epi32(15);
                    let code = _mm512_ternarylogic_epi32::<CHOOSE>(mask, low, top);
                    _mm512_permutex2var_ps(self.low, code, self.high)
                }
                SIX => {
                    let tops = _mm512_loadu_si512(tile.add(256 + 64 * (q / 2)).cast());
                    let top = right(tops, 16 * odd + 2 * (4 * (q % 2) + step));
                    let low = _mm512_permutexvar_ps(low, self.low);
                    _mm512_add_ps(low, _mm512_permutexvar_ps(top, self.high))
                }
                _ => _mm512_permutexvar_ps(low, self.low),
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn right(words: __m512i, bits: usize) -> __m512i {
    _mm512_srlv_epi32(words, _mm512_set1_epi32(bits as i32))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn left(words: __m512i, bits: usize) -> __m512i {
    _mm512_sllv_epi32(words, _mm512_set1_epi32(bits as i32))
}

/// [`Factors::read`] with the processor's own conversions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn read(factors: &mut Factors, scales: Scales, bytes: &[u8], tiles: usize) {
    let rows = bytes.as_chunks::<LANES>().0;
    let zero = _mm512_setzero_ps();
    match scales {
        Scales::Half => {
            for (out, rows) in factors.scale[..tiles].iter_mut().zip(rows.as_chunks::<2>().0) {
                put(halves(rows), out);
            }
        }
        Scales::Small => {
            let (_, factor) = rows.split_at(4);
            let scale = halves(&[rows[0], rows[1]]);
            let least = _mm512_sub_ps(zero, halves(&[rows[2], rows[3]]));
            for (tile, rows) in factor.as_chunks::<2>().0[..tiles].iter().enumerate() {
                put(_mm512_mul_ps(scale, whole(&rows[0])), &mut factors.scale[tile]);
                put(_mm512_mul_ps(least, whole(&rows[1])), &mut factors.least[tile]);
            }
        }
        Scales::Signed | Scales::SignedOf16 => {
            let scale = halves(&[rows[0], rows[1]]);
            let count = if scales == Scales::Signed { tiles } else { 2 * tiles };
            for (out, rows) in factors.scale[..count].iter_mut().zip(&rows[2..]) {
                // SAFETY: 16 bytes are read.
                let bytes = unsafe { _mm_loadu_si128(rows.as_ptr().cast()) };
                let number = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
                put(_mm512_mul_ps(scale, number), out);
            }
        }
        Scales::HalfAndLeast | Scales::Power => factors.read(scales, bytes, tiles),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn halves(rows: &[[u8; LANES]; 2]) -> __m512 {
    // SAFETY: 32 bytes are read.
    unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(rows.as_ptr().cast())) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn whole(bytes: &[u8; LANES]) -> __m512 {
    // SAFETY: 16 bytes are read.
    unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.as_ptr().cast()))) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn put(values: __m512, out: &mut Lanes) {
    // SAFETY: 16 floats are written.
    unsafe { _mm512_storeu_ps(out.as_mut_ptr(), values) }
}

/// The strip of a job, tile by tile, with the factors of each.
struct Walk<'a> {
    job: &'a Job<'a>,
    rest: &'a [u8],
    /// Of the span that the tile is of.
    codes: &'a [u8],
    factors: &'a mut Factors,
    place: usize,
}

impl<'a> Walk<'a> {
    fn new(job: &'a Job, factors: &'a mut Factors) -> Walk<'a> {
        let (rest, codes) = (job.w.strip(job.strip), &[][..]);
        Walk { job, rest, codes, factors, place: 0 }
    }

    /// The codes of tile `place`; tiles are asked for one after the other.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn tile(&mut self, place: usize) -> *const u8 {
        let layout = self.job.w.layout;
        let index = place % SPAN_TILES;
        if index == 0 {
            let count = SPAN_TILES.min(self.job.w.tiles() - place);
            let (span, rest) = self.rest.split_at(layout.span_bytes(count));
            let (scales, codes) = span.split_at(layout.scales.bytes(count));
            prefetch(scales);
            read(self.factors, layout.scales, scales, count);
            (self.rest, self.codes) = (rest, codes);
        }
        let len = layout.codes.bytes();
        let codes = &self.codes[index * len..][..len];
        prefetch(codes);
        self.place = place;
        codes.as_ptr()
    }

    /// The activations of a token that meet the tile.
    #[inline]
    fn x(&self, token: usize) -> *const f32 {
        self.job.inputs.row(token)[self.place * TILE_COLUMNS..][..TILE_COLUMNS].as_ptr()
    }
}

/// The factors of a tile: its number in its span.
struct At<'a> {
    factors: &'a Factors,
    tile: usize,
}

impl At<'_> {
    /// The scale of part `part` of the tile.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn scale(&self, parts: usize, part: usize) -> __m512 {
        let scale = &self.factors.scale[parts * self.tile + part];
        // SAFETY: a row of 16 floats is read.
        unsafe { _mm512_loadu_ps(scale.as_ptr()) }
    }

    /// Adds the least value times the sum of the activations of each token from `first` on, which
    /// are those of tile `place` of a row.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn add_least(&self, inputs: &CodedInputs, place: usize, first: usize, all: &mut [__m512]) {
        // SAFETY: a row of 16 floats is read.
        let least = unsafe { _mm512_loadu_ps(self.factors.least[self.tile].as_ptr()) };
        for (token, all) in all.iter_mut().enumerate() {
            let token = first + token;
            let of_x = inputs.sums(token / LANES)[place][token % LANES];
            *all = _mm512_fmadd_ps(least, _mm512_set1_ps(of_x), *all);
        }
    }
}

/// Adds a tile to the sums `$all` of as many tokens as `$x`: the chains of 32 (of six-bit codes,
/// twice 16) columns, times their scale. A closure for the columns would not be compiled into its
/// caller.
macro_rules! add_tile {
    ($kind:expr, $at:expr, $x:expr, $all:expr, |$q:ident, $i:ident| $column:expr) => {{
        let parts = if $kind == SIX { 2 } else { 1 };
        for part in 0..parts {
            let mut even = [_mm512_setzero_ps(); T];
            let mut odd = even;
            for $q in 4 / parts * part..4 / parts * (part + 1) {
                for step in 0..4 {
                    let $i = step;
                    let codes = $column;
                    let $i = step + 4;
                    let next = $column;
                    for token in 0..T {
                        let x = $x[token].add(8 * $q + 2 * step);
                        even[token] = _mm512_fmadd_ps(codes, _mm512_set1_ps(*x), even[token]);
                        odd[token] = _mm512_fmadd_ps(next, _mm512_set1_ps(*x.add(1)), odd[token]);
                    }
                }
            }
            let scale = $at.scale(parts, part);
            for token in 0..T {
                let sum = _mm512_add_ps(even[token], odd[token]);
                $all[token] = _mm512_fmadd_ps(scale, sum, $all[token]);
            }
        }
    }};
}

/// `T` tokens; codes are decoded on their way into the sums.
///
/// # Safety
/// As [`by_tokens`]; there are `T` tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn few<const KIND: usize, const T: usize>(
    inputs: &CodedInputs,
    w: &Coded,
    rows: Range<usize>,
    out: &mut Columns,
) {
    let tables = Tables::of(w.layout.codes);
    let mut factors = Factors::NONE;
    for first in rows.clone().step_by(LANES) {
        // SAFETY: the caller's promise is passed on.
        let sums = unsafe { strip::<KIND, T>(inputs, w, first / LANES, tables, &mut factors) };
        let count = LANES.min(rows.end - first);
        let mask = u16::MAX >> (LANES - count);
        for (token, sum) in sums.into_iter().enumerate() {
            let place = first - rows.start;
            let out = out.of_row(token, place..place + count);
            // SAFETY: no more than `count` floats are written.
            unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr(), mask, sum) };
        }
    }
}

/// The sums of a strip of outputs, for each of `T` tokens.
///
/// # Safety
/// As [`few`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn strip<const KIND: usize, const T: usize>(
    inputs: &CodedInputs,
    w: &Coded,
    strip: usize,
    tables: Tables,
    factors: &mut Factors,
) -> [__m512; T] {
    let (layout, mut rest, tiles) = (w.layout, w.strip(strip), w.tiles());
    let mut all = [_mm512_setzero_ps(); T];
    let mut x: [*const f32; T] =
        std::array::from_fn(|token| inputs.row(token)[..tiles * TILE_COLUMNS].as_ptr());
    for from in (0..tiles).step_by(SPAN_TILES) {
        let count = SPAN_TILES.min(tiles - from);
        let (span, others) = rest.split_at(layout.span_bytes(count));
        let (scales, codes) = span.split_at(layout.scales.bytes(count));
        rest = others;
        prefetch(scales);
        read(factors, layout.scales, scales, count);
        for (tile, codes) in codes.chunks_exact(const { bytes_of(KIND) }).enumerate() {
            let codes = codes.as_ptr();
            for line in 0..const { bytes_of(KIND) / 64 } {
                let line = codes.wrapping_add(AHEAD_BYTES + 64 * line);
                _mm_prefetch::<_MM_HINT_T0>(line.cast::<i8>());
            }
            let at = At { factors, tile };
            // SAFETY: a tile of codes is read, of each row of activations the 32 at its place.
            unsafe {
                add_tile!(KIND, at, x, all, |q, i| tables.column::<KIND>(codes, q, i));
                x.iter_mut().for_each(|x| *x = x.add(TILE_COLUMNS));
            }
            if layout.scales.has_least() {
                at.add_least(inputs, from + tile, 0, &mut all);
            }
        }
    }
    all
}

/// Any number of tokens: the codes of a tile are decoded once.
///
/// # Safety
/// As [`multiply`]; `KIND` is that of the codes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn many<const KIND: usize>(job: &Job, factors: &mut Factors, sums: &mut [Lanes]) {
    let tables = Tables::of(job.w.layout.codes);
    sums.fill([0.0; LANES]);
    let mut panel = [_mm512_setzero_ps(); TILE_COLUMNS];
    let mut walk = Walk::new(job, factors);
    for place in 0..job.w.tiles() {
        let codes = walk.tile(place);
        for (column, panel) in panel.iter_mut().enumerate() {
            // SAFETY: a tile of codes is read.
            *panel = unsafe { tables.column::<KIND>(codes, column / 8, column % 8) };
        }
        let whole = sums.len() / FEW_TOKENS * FEW_TOKENS;
        for first in (0..whole).step_by(FEW_TOKENS) {
            // SAFETY: there are as many tokens and sums.
            unsafe { group::<KIND, FEW_TOKENS>(&walk, &panel, first, sums) };
        }
        for first in whole..sums.len() {
            // SAFETY: as above.
            unsafe { group::<KIND, 1>(&walk, &panel, first, sums) };
        }
    }
}

/// Tokens `first..first + T` of the job with a decoded tile.
///
/// # Safety
/// As [`multiply`]; there are as many tokens.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn group<const KIND: usize, const T: usize>(
    walk: &Walk,
    panel: &[__m512; TILE_COLUMNS],
    first: usize,
    sums: &mut [Lanes],
) {
    let start = walk.job.tokens.start + first;
    let sums = &mut sums[first..first + T];
    let (mut x, mut all) = ([std::ptr::null(); T], [_mm512_setzero_ps(); T]);
    // SAFETY: 32 activations of each row, and whole lanes, are read and written.
    unsafe {
        for token in 0..T {
            x[token] = walk.x(start + token);
            all[token] = _mm512_loadu_ps(sums[token].as_ptr());
        }
        let at = At { factors: walk.factors, tile: walk.place % SPAN_TILES };
        add_tile!(KIND, at, x, all, |q, i| panel[8 * q + i]);
        if walk.job.w.layout.scales.has_least() {
            at.add_least(walk.job.inputs, walk.place, start, &mut all);
        }
        for token in 0..T {
            _mm512_storeu_ps(sums[token].as_mut_ptr(), all[token]);
        }
    }
}
