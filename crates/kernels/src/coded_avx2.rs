//! AVX2: products with codes, two registers for each 16 outputs.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::coded::{Codes, Factors, Job, SPAN_TILES, Scales, TILE_COLUMNS, prefetch};
use crate::lanes::{LANES, Lanes};
use std::arch::x86_64::*;

/// Outputs of a register.
const WIDTH: usize = 8;
/// Tokens that share decoded codes in registers; of more, each group of so many reads them again.
const TOKENS: usize = 3;

/// The kinds of [`Codes`], for code of their own: 4 bits that are numbers in a row, ...
pub(crate) const FOUR: usize = 0;
/// ... 4 bits that name values, ...
pub(crate) const NAMED: usize = 1;
pub(crate) const FIVE: usize = 2;
pub(crate) const SIX: usize = 3;
pub(crate) const EIGHT: usize = 4;

/// Bytes of the codes of a tile.
pub(crate) const fn bytes_of(kind: usize) -> usize {
    match kind {
        FOUR | NAMED => Codes::Four(&[0; 16]).bytes(),
        FIVE => Codes::Five(0).bytes(),
        SIX => Codes::Six.bytes(),
        _ => Codes::Eight.bytes(),
    }
}

/// `sums[token] = all terms of the job's outputs`.
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn multiply(job: &Job, factors: &mut Factors, sums: &mut [Lanes]) {
    assert!(sums.len() == job.tokens.len(), "a sum for each token");
    // SAFETY: the caller's promise is passed on; the kind is that of the codes.
    unsafe {
        match job.w.layout.codes {
            Codes::Four(values) if in_a_row(values) => by_tokens::<FOUR>(job, factors, sums),
            Codes::Four(_) => by_tokens::<NAMED>(job, factors, sums),
            Codes::Five(_) => by_tokens::<FIVE>(job, factors, sums),
            Codes::Six => by_tokens::<SIX>(job, factors, sums),
            Codes::Eight => by_tokens::<EIGHT>(job, factors, sums),
        }
    }
}

pub(crate) fn in_a_row(values: &[i8; 16]) -> bool {
    i32::from(values[15]) - i32::from(values[0]) == 15
}

/// # Safety
/// As [`multiply`]; `KIND` is that of the codes.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn by_tokens<const KIND: usize>(job: &Job, factors: &mut Factors, sums: &mut [Lanes]) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match sums.len() {
            1 => few::<KIND, 1, 2>(job, factors, sums),
            2 => few::<KIND, 2, 2>(job, factors, sums),
            3 => few::<KIND, 3, 1>(job, factors, sums),
            4 => few::<KIND, 4, 1>(job, factors, sums),
            _ => many::<KIND>(job, factors, sums),
        }
    }
}

/// How codes become values. Codes stay where they are in a word and become the lower bits of
/// 2^23's mantissa: `exponent` and code are a float, 2^23 and the code times 2^shift, which times
/// `factor` less `base` is the value, exactly.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub(crate) struct Decoder {
    /// Of 2^23.
    exponent: __m256i,
    /// Which bits are code and exponent, for each step of two columns.
    mask: [__m256i; 4],
    factor: [__m256; 4],
    base: [__m256; 4],
    /// The lower bits of each byte.
    nibbles: __m256i,
    /// The values that codes name, plus 128.
    names: __m256i,
    /// What brings upper bits to their places above a nibble: factor and mask.
    spread: [__m256i; 2],
    tops: __m256i,
    top: [__m256i; 2],
}

impl Decoder {
    // Not compiled into its caller, which would then take apart and join these numbers in ways
    // that need more instructions.
    #[inline(never)]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(crate) fn of(codes: Codes) -> Decoder {
        let mut names = [0_u8; 16];
        let (bits, offset, spread, tops, top) = match codes {
            Codes::Four(values) if in_a_row(values) => (4, values[0], [0; 2], 0, [0; 2]),
            Codes::Four(values) => {
                for (name, value) in names.iter_mut().zip(values) {
                    *name = (*value as u8).wrapping_add(128);
                }
                (8, -128, [0; 2], 0, [0; 2])
            }
            // Bits 0 and 2, then 1 and 3, of four to bits 4 and 12.
            Codes::Five(offset) => (8, offset, [0x0410, 0x0208], 0x1010, [0x0f, 0x0f]),
            // Bits 0, 1 and 4, 5, then 2, 3 and 6, 7, of eight to bits 4, 5 and 12, 13.
            Codes::Six => (8, -32, [0x0110, 0x0044], 0x3030, [0x33, 0xcc]),
            Codes::Eight => (8, 0, [0; 2], 0, [0; 2]),
        };
        let shift = |step: usize| if bits == 4 { 4 * step } else { 8 * (step / 2) };
        let factor = [0, 1, 2, 3].map(|step| 1.0 / (1 << shift(step)) as f32);
        // SAFETY: an array of 16 bytes is read.
        let names = unsafe { _mm_loadu_si128(names.as_ptr().cast()) };
        let mask = |step: usize| 0xff00_0000_u32 as i32 | ((1 << bits) - 1) << shift(step);
        Decoder {
            exponent: _mm256_set1_epi32(0x4b00_0000),
            mask: [0, 1, 2, 3].map(|step| _mm256_set1_epi32(mask(step))),
            factor: factor.map(|factor| _mm256_set1_ps(factor)),
            base: factor.map(|f| _mm256_set1_ps(8_388_608.0 * f - f32::from(offset))),
            nibbles: _mm256_set1_epi8(15),
            names: _mm256_broadcastsi128_si256(names),
            spread: spread.map(|spread| _mm256_set1_epi16(spread)),
            tops: _mm256_set1_epi16(tops),
            top: top.map(|top| _mm256_set1_epi16(top)),
        }
    }

    /// The codes of 8 columns, q, of 8 rows, with exponents: `[step % 2][column % 2]`.
    ///
    /// # Safety
    /// `tile` are the codes of a tile of this kind, from the 8 rows on.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(crate) unsafe fn words<const KIND: usize>(
        &self,
        tile: *const u8,
        q: usize,
    ) -> [[__m256i; 2]; 2] {
        if KIND == EIGHT {
            return [[self.exponent; 2]; 2];
        }
        // SAFETY: `Codes` says where the words of 16 rows are.
        unsafe {
            let word = _mm256_loadu_si256(tile.add(64 * q).cast());
            if KIND == FOUR {
                return [self.halves(word); 2];
            }
            let mut low = _mm256_and_si256(word, self.nibbles);
            let mut high = _mm256_and_si256(_mm256_srli_epi32::<4>(word), self.nibbles);
            if KIND == NAMED {
                low = _mm256_shuffle_epi8(self.names, low);
                high = _mm256_shuffle_epi8(self.names, high);
            } else {
                let (group, shift) = if KIND == FIVE { (0, 4 * q) } else { (q / 2, 8 * (q % 2)) };
                let tops = _mm256_loadu_si256(tile.add(256 + 64 * group).cast());
                let tops = _mm256_srlv_epi32(tops, _mm256_set1_epi32(shift as i32));
                low = _mm256_or_si256(low, self.spread::<KIND>(tops, 0));
                high = _mm256_or_si256(high, self.spread::<KIND>(tops, 1));
            }
            [self.halves(low), self.halves(high)]
        }
    }

    /// The upper bits of codes above the places of nibbles.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn spread<const KIND: usize>(&self, tops: __m256i, parity: usize) -> __m256i {
        let tops = _mm256_and_si256(tops, self.top[parity]);
        _mm256_and_si256(_mm256_mullo_epi16(tops, self.spread[parity]), self.tops)
    }

    /// The lower and the upper 16 bits below exponents.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn halves(&self, word: __m256i) -> [__m256i; 2] {
        const UPPER: i32 = 0xaa;
        let even = _mm256_blend_epi16::<UPPER>(word, self.exponent);
        [even, _mm256_or_si256(_mm256_srli_epi32::<16>(word), self.exponent)]
    }

    /// The values of column `8 * q + 2 * step + odd` of 8 rows.
    ///
    /// # Safety
    /// As [`Decoder::words`], which made `words`.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(crate) unsafe fn column<const KIND: usize>(
        &self,
        (tile, words): (*const u8, &[[__m256i; 2]; 2]),
        (q, step, odd): (usize, usize, usize),
    ) -> __m256 {
        if KIND == EIGHT {
            // SAFETY: a column has 16 bytes, in its place.
            let bytes = unsafe {
                let column = tile.add(LANES * (8 * q + 2 * step + odd));
                _mm_loadl_epi64(column.cast())
            };
            return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
        }
        let code = _mm256_and_si256(words[step % 2][odd], self.mask[step]);
        let code = _mm256_castsi256_ps(code);
        let without_factor = if KIND == FOUR { step == 0 } else { step < 2 };
        if without_factor {
            return _mm256_sub_ps(code, self.base[step]);
        }
        _mm256_fmsub_ps(code, self.factor[step], self.base[step])
    }
}

/// [`Factors::read`] with the processor's own conversions.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn read(factors: &mut Factors, scales: Scales, bytes: &[u8], tiles: usize) {
    let rows = bytes.as_chunks::<LANES>().0;
    match scales {
        Scales::Half => {
            for (out, rows) in factors.scale[..tiles].iter_mut().zip(rows.as_chunks::<2>().0) {
                put(halves(rows), out);
            }
        }
        Scales::HalfAndLeast => {
            for (tile, rows) in rows.as_chunks::<4>().0[..tiles].iter().enumerate() {
                put(halves(&[rows[0], rows[1]]), &mut factors.scale[tile]);
                put(halves(&[rows[2], rows[3]]), &mut factors.least[tile]);
            }
        }
        Scales::Small => {
            let (_, factor) = rows.split_at(4);
            let scale = halves(&[rows[0], rows[1]]);
            let sign = _mm256_set1_ps(-0.0);
            let least = halves(&[rows[2], rows[3]]).map(|least| _mm256_xor_ps(least, sign));
            for (tile, rows) in factor.as_chunks::<2>().0[..tiles].iter().enumerate() {
                put(times(scale, whole(&rows[0])), &mut factors.scale[tile]);
                put(times(least, whole(&rows[1])), &mut factors.least[tile]);
            }
        }
        Scales::Signed | Scales::SignedOf16 => {
            let scale = halves(&[rows[0], rows[1]]);
            let count = if scales == Scales::Signed { tiles } else { 2 * tiles };
            for (out, rows) in factors.scale[..count].iter_mut().zip(&rows[2..]) {
                put(times(scale, signed(rows)), out);
            }
        }
        Scales::Power => factors.read(scales, bytes, tiles),
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn halves(rows: &[[u8; LANES]; 2]) -> [__m256; 2] {
    // SAFETY: 16 bytes are read from each.
    rows.each_ref().map(|row| unsafe { _mm256_cvtph_ps(_mm_loadu_si128(row.as_ptr().cast())) })
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn whole(bytes: &[u8; LANES]) -> [__m256; 2] {
    let (low, high) = split(bytes);
    [_mm256_cvtepu8_epi32(low), _mm256_cvtepu8_epi32(high)].map(|all| _mm256_cvtepi32_ps(all))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn signed(bytes: &[u8; LANES]) -> [__m256; 2] {
    let (low, high) = split(bytes);
    [_mm256_cvtepi8_epi32(low), _mm256_cvtepi8_epi32(high)].map(|all| _mm256_cvtepi32_ps(all))
}

/// 8 bytes each.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn split(bytes: &[u8; LANES]) -> (__m128i, __m128i) {
    // SAFETY: 16 bytes are read.
    let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
    (bytes, _mm_srli_si128::<8>(bytes))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn times(left: [__m256; 2], right: [__m256; 2]) -> [__m256; 2] {
    [_mm256_mul_ps(left[0], right[0]), _mm256_mul_ps(left[1], right[1])]
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn put(values: [__m256; 2], out: &mut Lanes) {
    // SAFETY: 16 floats are written.
    unsafe {
        _mm256_storeu_ps(out.as_mut_ptr(), values[0]);
        _mm256_storeu_ps(out[WIDTH..].as_mut_ptr(), values[1]);
    }
}

/// The strip of a job, tile by tile, with the factors of each.
struct Walk<'a> {
    job: &'a Job<'a>,
    rest: &'a [u8],
    /// What is left of a span.
    codes: &'a [u8],
    factors: &'a mut Factors,
    place: usize,
}

impl<'a> Walk<'a> {
    fn new(job: &'a Job, factors: &'a mut Factors) -> Walk<'a> {
        Walk { job, rest: job.w.strip(job.strip), codes: &[], factors, place: 0 }
    }

    /// The codes of tile `place`; tiles are asked for one after the other.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn tile<const KIND: usize>(&mut self, place: usize) -> *const u8 {
        self.place = place;
        if place.is_multiple_of(SPAN_TILES) {
            let layout = self.job.w.layout;
            let count = SPAN_TILES.min(self.job.w.tiles() - place);
            let (span, rest) = self.rest.split_at(layout.span_bytes(count));
            let (scales, codes) = span.split_at(layout.scales.bytes(count));
            prefetch(scales);
            read(self.factors, layout.scales, scales, count);
            (self.rest, self.codes) = (rest, codes);
        }
        let (codes, rest) = self.codes.split_at(const { bytes_of(KIND) });
        self.codes = rest;
        prefetch(codes);
        codes.as_ptr()
    }

    /// The activations of a token that meet the tile.
    #[inline]
    fn x(&self, token: usize) -> *const f32 {
        self.job.inputs.row(token)[self.place * TILE_COLUMNS..][..TILE_COLUMNS].as_ptr()
    }

    /// The tile's number in its span.
    fn index(&self) -> usize {
        self.place % SPAN_TILES
    }

    /// Adds the terms of the least values of 8 rows for the tokens from `first` on.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn add_least(&self, half: usize, first: usize, sums: &mut [Lanes]) {
        // SAFETY: 8 of 16 floats are read and written.
        unsafe {
            let least = self.factors.least[self.index()][WIDTH * half..].as_ptr();
            let least = _mm256_loadu_ps(least);
            for (token, sum) in sums.iter_mut().enumerate() {
                let token = first + token;
                let of_x = self.job.inputs.sums(token / LANES)[self.place][token % LANES];
                let sum = sum[WIDTH * half..].as_mut_ptr();
                let new = _mm256_fmadd_ps(least, _mm256_set1_ps(of_x), _mm256_loadu_ps(sum));
                _mm256_storeu_ps(sum, new);
            }
        }
    }
}

/// Adds a tile to the sums of the tokens from `$first` on, as many as `$x` has, for `H` halves of 8
/// rows from `$half` on: the chains of 32 (of six-bit codes, twice 16) columns, times their scale.
/// `$begin` makes of a half and `$q` what `$column` finds values in. A closure for these would not
/// be compiled into its caller.
macro_rules! add_tile {
    (
        $kind:expr, $walk:expr, $half:expr, $x:expr, $sums:expr,
        $q:ident, |$start:ident| $begin:expr,
        |$words:ident, $of:ident, $step:ident, $odd:ident| $column:expr
    ) => {{
        let parts = if $kind == SIX { 2 } else { 1 };
        for part in 0..parts {
            let mut even = [[_mm256_setzero_ps(); H]; T];
            let mut odd = even;
            for $q in 4 / parts * part..4 / parts * (part + 1) {
                let mut words = [[[_mm256_setzero_si256(); 2]; 2]; H];
                for (half, words) in words.iter_mut().enumerate() {
                    let $start = $half + half;
                    *words = $begin;
                }
                for $step in 0..4 {
                    for half in 0..H {
                        let $of = $half + half;
                        let $words = &words[half];
                        let $odd = 0;
                        let codes = $column;
                        let $odd = 1;
                        let next = $column;
                        for token in 0..T {
                            let x = $x[token].add(8 * $q + 2 * $step);
                            let (first, second) = (_mm256_set1_ps(*x), _mm256_set1_ps(*x.add(1)));
                            even[token][half] = _mm256_fmadd_ps(codes, first, even[token][half]);
                            odd[token][half] = _mm256_fmadd_ps(next, second, odd[token][half]);
                        }
                    }
                }
            }
            for half in 0..H {
                let of = WIDTH * ($half + half);
                let scale = &$walk.factors.scale[parts * $walk.index() + part][of..];
                let scale = _mm256_loadu_ps(scale.as_ptr());
                for token in 0..T {
                    let sum = _mm256_add_ps(even[token][half], odd[token][half]);
                    let all = $sums[token][of..].as_mut_ptr();
                    _mm256_storeu_ps(all, _mm256_fmadd_ps(scale, sum, _mm256_loadu_ps(all)));
                }
            }
        }
    }};
}

/// `T` tokens and `H` halves of the rows at a time; codes are decoded on their way into the sums.
///
/// # Safety
/// As [`by_tokens`]; there are `T` sums.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn few<const KIND: usize, const T: usize, const H: usize>(
    job: &Job,
    factors: &mut Factors,
    out: &mut [Lanes],
) {
    let decoder = &Decoder::of(job.w.layout.codes);
    let first = job.tokens.start;
    let mut sums = [[0.0; LANES]; T];
    let mut walk = Walk::new(job, factors);
    for place in 0..job.w.tiles() {
        let codes = walk.tile::<KIND>(place);
        let mut x = [std::ptr::null(); T];
        for (token, x) in x.iter_mut().enumerate() {
            *x = walk.x(first + token);
        }
        for half in (0..2).step_by(H) {
            // SAFETY: a tile of codes is read, of each row of activations the 32 at its place.
            unsafe {
                add_tile!(
                    KIND,
                    walk,
                    half,
                    x,
                    sums,
                    q,
                    |of| decoder.words::<KIND>(half_of::<KIND>(codes, of), q),
                    |words, of, step, odd| {
                        let codes = half_of::<KIND>(codes, of);
                        decoder.column::<KIND>((codes, words), (q, step, odd))
                    }
                );
            }
        }
        if job.w.layout.scales.has_least() {
            walk.add_least(0, first, &mut sums);
            walk.add_least(1, first, &mut sums);
        }
    }
    out.copy_from_slice(&sums);
}

/// The codes of the rows from `8 * half` on.
#[inline(always)]
pub(crate) fn half_of<const KIND: usize>(tile: *const u8, half: usize) -> *const u8 {
    tile.wrapping_add(if KIND == EIGHT { WIDTH } else { 4 * WIDTH } * half)
}

/// Any number of tokens: the codes of a tile are decoded once.
///
/// # Safety
/// As [`by_tokens`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn many<const KIND: usize>(job: &Job, factors: &mut Factors, sums: &mut [Lanes]) {
    let decoder = &Decoder::of(job.w.layout.codes);
    sums.fill([0.0; LANES]);
    let mut panel = [[_mm256_setzero_ps(); 2]; TILE_COLUMNS];
    let mut walk = Walk::new(job, factors);
    for place in 0..job.w.tiles() {
        let codes = walk.tile::<KIND>(place);
        for half in 0..2 {
            let codes = half_of::<KIND>(codes, half);
            for (q, panel) in panel.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                // SAFETY: a tile of codes is read.
                unsafe {
                    let words = decoder.words::<KIND>(codes, q);
                    for (column, panel) in panel.iter_mut().enumerate() {
                        let at = (q, column / 2, column % 2);
                        panel[half] = decoder.column::<KIND>((codes, &words), at);
                    }
                }
            }
        }
        let whole = sums.len() / TOKENS * TOKENS;
        // SAFETY: there are as many tokens and sums.
        unsafe {
            for first in (0..whole).step_by(TOKENS) {
                group::<KIND, TOKENS>(&walk, &panel, first, sums);
            }
            match sums.len() - whole {
                1 => group::<KIND, 1>(&walk, &panel, whole, sums),
                2 => group::<KIND, 2>(&walk, &panel, whole, sums),
                _ => {}
            }
        }
    }
}

/// Tokens `first..first + T` of the job with a decoded tile.
///
/// # Safety
/// As [`multiply`]; there are as many tokens.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn group<const KIND: usize, const T: usize>(
    walk: &Walk,
    panel: &[[__m256; 2]; TILE_COLUMNS],
    first: usize,
    sums: &mut [Lanes],
) {
    const H: usize = 2;
    let start = walk.job.tokens.start + first;
    let sums = &mut sums[first..first + T];
    let mut x = [std::ptr::null(); T];
    for (token, x) in x.iter_mut().enumerate() {
        *x = walk.x(start + token);
    }
    // SAFETY: 32 activations of each row, and whole lanes, are read and written.
    unsafe {
        add_tile!(
            KIND,
            walk,
            0,
            x,
            sums,
            q,
            |_of| [[_mm256_setzero_si256(); 2]; 2],
            |_words, of, step, odd| panel[8 * q + 2 * step + odd][of]
        );
    }
    if walk.job.w.layout.scales.has_least() {
        walk.add_least(0, start, sums);
        walk.add_least(1, start, sums);
    }
}
