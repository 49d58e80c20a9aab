//! AVX2: codes times activations of 8 bits, two registers for each 16 outputs.
//!
//! The instruction multiplies numbers without a sign with such that have one, and adds two
//! products in 16 bits. Codes of up to 6 bits are raised by an offset, and sums begin with what
//! that adds too much; of others the sign goes to the activation.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::coded::{Codes, Factors, SPAN_TILES, TILE_COLUMNS, prefetch};
use crate::coded_avx2::{EIGHT, FIVE, FOUR, NAMED, SIX, in_a_row, read};
use crate::columns::Columns;
use crate::int8::{Decoded, FEW_TOKENS, Job, Panel, Places, Stored, for_groups};
use crate::lanes::{LANES, Lanes};
use std::arch::x86_64::*;

/// Outputs of a register.
const WIDTH: usize = 8;

/// All outputs of a job.
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn multiply(job: &Job, out: &mut Columns, panel: &mut Panel) {
    // SAFETY: the caller's promise is passed on; the kind is that of the codes.
    unsafe {
        match job.w.layout.codes {
            Codes::Four(values) if in_a_row(values) => by_tokens::<FOUR>(job, out, panel),
            Codes::Four(_) => by_tokens::<NAMED>(job, out, panel),
            Codes::Five(_) => by_tokens::<FIVE>(job, out, panel),
            Codes::Six => by_tokens::<SIX>(job, out, panel),
            Codes::Eight => by_tokens::<EIGHT>(job, out, panel),
        }
    }
}

/// # Safety
/// As [`multiply`]; `KIND` is that of the codes.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn by_tokens<const KIND: usize>(job: &Job, out: &mut Columns, panel: &mut Panel) {
    let (decoder, tokens) = (Decoder::of(job.w.layout.codes), job.inputs.tokens());
    // SAFETY: the caller's promise is passed on; there are as many tokens.
    unsafe {
        if tokens <= FEW_TOKENS {
            return few::<KIND>(job, decoder, out);
        }
        let tiles = panel.reach(job.w.tiles());
        decode::<KIND>(job, decoder, tiles);
        for_groups!(tokens, [4, 2, 1], |first, T| {
            let x = job.inputs.places::<T>(first);
            for half in 0..2 {
                let all = group::<KIND, T>(job, decoder, (tiles, half), &x);
                put(job, (first, half), all, out);
            }
        });
    }
}

/// How codes become bytes.
#[derive(Clone, Copy)]
struct Decoder {
    /// The values that 4 bits name.
    names: __m256i,
    /// By how many bits a sum of activations is shifted to be multiplied with the offset.
    shift: __m256i,
}

impl Decoder {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn of(codes: Codes) -> Decoder {
        let (mut names, mut offset) = ([0_i8; 16], 0);
        match codes {
            Codes::Four(values) if in_a_row(values) => offset = values[0].unsigned_abs(),
            Codes::Four(values) => names = *values,
            Codes::Five(least) => offset = least.unsigned_abs(),
            Codes::Six => offset = 32,
            Codes::Eight => {}
        }
        // All bits are shifted out where there is no offset.
        let shift = if offset == 0 { 32 } else { offset.ilog2() as i32 };
        // SAFETY: an array of 16 bytes is read.
        let names = unsafe { _mm_loadu_si128(names.as_ptr().cast()) };
        let names = _mm256_broadcastsi128_si256(names);
        Decoder { names, shift: _mm256_set1_epi32(shift) }
    }

    /// The codes of columns 8q to 8q + 7 of 8 rows of a tile, as the numbers of activations lie.
    ///
    /// # Safety
    /// There is a tile of codes of this kind, and a half 0 or 1.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn pair<const KIND: usize>(
        self,
        tile: *const u8,
        q: usize,
        half: usize,
    ) -> [__m256i; 2] {
        // SAFETY: `Codes` says how many bytes a tile has.
        unsafe {
            if KIND == EIGHT {
                return turned(tile.add(8 * LANES * q + WIDTH * half));
            }
            let tile = tile.add(4 * WIDTH * half);
            let words = _mm256_loadu_si256(tile.add(64 * q).cast());
            let low = _mm256_set1_epi8(15);
            let four = [words, _mm256_srli_epi32::<4>(words)].map(|w| _mm256_and_si256(w, low));
            match KIND {
                NAMED => four.map(|four| _mm256_shuffle_epi8(self.names, four)),
                FIVE => {
                    let tops = _mm256_loadu_si256(tile.add(256).cast());
                    let tops = right(tops, 4 * q);
                    let tops = [tops, _mm256_srli_epi32::<1>(tops)];
                    std::array::from_fn(|half| with::<10>(four[half], tops[half], 0x10))
                }
                SIX => {
                    let tops = _mm256_loadu_si256(tile.add(256 + 64 * (q / 2)).cast());
                    let tops = right(tops, 8 * (q % 2));
                    let tops = [tops, _mm256_srli_epi32::<2>(tops)];
                    std::array::from_fn(|half| with::<8>(four[half], tops[half], 0x30))
                }
                _ => four,
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn right(words: __m256i, bits: usize) -> __m256i {
    _mm256_srlv_epi32(words, _mm256_set1_epi32(bits as i32))
}

/// Upper bits joined to codes: those of even bytes are shifted by 4, of odd ones by `ODD`, and in
/// both are then the bits of `mask`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn with<const ODD: i32>(codes: __m256i, tops: __m256i, mask: i32) -> __m256i {
    let even = _mm256_set1_epi32(mask * 0x0001_0001);
    let odd = _mm256_set1_epi32(mask * 0x0100_0100);
    let even = _mm256_and_si256(_mm256_slli_epi32::<4>(tops), even);
    let odd = _mm256_and_si256(_mm256_slli_epi32::<ODD>(tops), odd);
    _mm256_or_si256(codes, _mm256_or_si256(even, odd))
}

/// 8 bytes of each of 8 columns become words of four columns.
///
/// # Safety
/// There are 8 bytes at every sixteenth place.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn turned(bytes: *const u8) -> [__m256i; 2] {
    // SAFETY: the caller's promise.
    let column = |c: usize| unsafe { _mm_loadl_epi64(bytes.add(LANES * c).cast()) };
    let words = |first: usize| {
        let even = _mm_unpacklo_epi8(column(first), column(first + 4));
        let odd = _mm_unpacklo_epi8(column(first + 1), column(first + 5));
        _mm256_set_m128i(_mm_unpackhi_epi16(even, odd), _mm_unpacklo_epi16(even, odd))
    };
    [words(0), words(2)]
}

/// Four numbers of a token, from column `at` on, in each word.
///
/// # Safety
/// There are such a token and four columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn four<const T: usize>(x: &Places<T>, token: usize, at: usize) -> __m256i {
    // SAFETY: the caller's promise.
    _mm256_set1_epi32(unsafe { x.numbers[token].add(at).cast::<i32>().read_unaligned() })
}

/// Products of codes and numbers, two and two added.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn times<const KIND: usize>(codes: __m256i, numbers: __m256i) -> __m256i {
    match KIND {
        NAMED | EIGHT => {
            let numbers = _mm256_sign_epi8(numbers, codes);
            _mm256_maddubs_epi16(_mm256_abs_epi8(codes), numbers)
        }
        _ => _mm256_maddubs_epi16(codes, numbers),
    }
}

/// Groups of 8 columns whose products are added in 16 bits: the largest sums are 15 · 127 · 16,
/// 31 · 127 · 8 and 63 · 127 · 4; none of codes of 8 bits.
const fn groups(kind: usize) -> usize {
    match kind {
        FOUR => 4,
        FIVE => 2,
        _ => 1,
    }
}

/// Adds tile `$place` to the sums `$all` of 8 outputs: `$pair` gives the codes of 8 columns,
/// `$scale` and `$least` its factors. A closure would not be compiled into its caller.
macro_rules! add_tile {
    ($kind:expr, $x:expr, $all:expr, $place:expr, $decoder:expr, $has_least:expr,
     |$q:ident| $pair:expr, |$part:ident| $scale:expr, $least:expr) => {{
        let (parts, ones) = (if $kind == SIX { 2 } else { 1 }, _mm256_set1_epi16(1));
        for part in 0..parts {
            let mut whole = [_mm256_setzero_si256(); T];
            for token in 0..T {
                let less = (*$x.blocks[token].add($place)).less_of(part, parts);
                whole[token] = _mm256_sllv_epi32(_mm256_set1_epi32(less), $decoder.shift);
            }
            let (from, to) = (4 / parts * part, 4 / parts * (part + 1));
            for start in (from..to).step_by(const { groups($kind) }) {
                let mut halves = [_mm256_setzero_si256(); T];
                for $q in start..start + const { groups($kind) } {
                    let [first, second] = $pair;
                    let at = TILE_COLUMNS * $place + 8 * $q;
                    for token in 0..T {
                        let first = times::<{ $kind }>(first, four(&$x, token, at));
                        let second = times::<{ $kind }>(second, four(&$x, token, at + 4));
                        if matches!($kind, NAMED | EIGHT) {
                            let first = _mm256_madd_epi16(first, ones);
                            let second = _mm256_madd_epi16(second, ones);
                            let both = _mm256_add_epi32(first, second);
                            whole[token] = _mm256_add_epi32(whole[token], both);
                        } else {
                            let both = _mm256_add_epi16(first, second);
                            halves[token] = _mm256_add_epi16(halves[token], both);
                        }
                    }
                }
                if !matches!($kind, NAMED | EIGHT) {
                    for token in 0..T {
                        let sums = _mm256_madd_epi16(halves[token], ones);
                        whole[token] = _mm256_add_epi32(whole[token], sums);
                    }
                }
            }
            let $part = part;
            let scale = $scale;
            for token in 0..T {
                let by = _mm256_set1_ps((*$x.blocks[token].add($place)).scale);
                let scaled = _mm256_mul_ps(by, _mm256_cvtepi32_ps(whole[token]));
                $all[token] = _mm256_fmadd_ps(scale, scaled, $all[token]);
            }
        }
        if $has_least {
            let least = $least;
            for token in 0..T {
                let sum = _mm256_set1_ps((*$x.blocks[token].add($place)).sum);
                $all[token] = _mm256_fmadd_ps(least, sum, $all[token]);
            }
        }
    }};
}

/// 8 of 16 factors.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn half_of(lanes: &Lanes, half: usize) -> __m256 {
    let eight = &lanes.as_chunks::<WIDTH>().0[half];
    // SAFETY: 8 floats are read.
    unsafe { _mm256_loadu_ps(eight.as_ptr()) }
}

/// Up to [`FEW_TOKENS`]; codes are decoded on their way into the sums, for each group of tokens
/// anew while those of a span are in the first cache.
///
/// # Safety
/// As [`by_tokens`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn few<const KIND: usize>(job: &Job, decoder: Decoder, out: &mut Columns) {
    let mut factors = Factors::NONE;
    let mut sums = [[_mm256_setzero_ps(); FEW_TOKENS]; 2];
    for Stored { from, tiles, scales, codes } in job.spans() {
        prefetch(scales);
        read(&mut factors, job.w.layout.scales, scales, tiles);
        let span = Span { codes, factors: &factors, from };
        for_groups!(job.inputs.tokens(), [4, 2, 1], |first, T| {
            let x = job.inputs.places::<T>(first);
            for (half, sums) in sums.iter_mut().enumerate() {
                let all = sums[first..].first_chunk_mut::<T>().expect("no more than few tokens");
                // SAFETY: the caller's promise is passed on.
                unsafe { span.add::<KIND, T>(job, decoder, (&x, first + half), half, all) };
            }
        });
    }
    for (half, sums) in sums.iter().enumerate() {
        for (token, sum) in sums[..job.inputs.tokens()].iter().enumerate() {
            put(job, (token, half), [*sum], out);
        }
    }
}

/// Some tiles that follow each other.
struct Span<'a> {
    codes: &'a [u8],
    factors: &'a Factors,
    /// The first of them.
    from: usize,
}

impl Span<'_> {
    /// Adds them to the sums of half the outputs; the first to do so asks for what follows.
    ///
    /// # Safety
    /// As [`by_tokens`].
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn add<const KIND: usize, const T: usize>(
        &self,
        job: &Job,
        decoder: Decoder,
        (x, turn): (&Places<T>, usize),
        half: usize,
        sums: &mut [__m256; T],
    ) {
        let layout = job.w.layout;
        let (has_least, parts) = (layout.scales.has_least(), if KIND == SIX { 2 } else { 1 });
        let mut all = *sums;
        for (tile, codes) in self.codes.chunks_exact(layout.codes.bytes()).enumerate() {
            if turn == 0 {
                prefetch(codes);
            }
            let (codes, place) = (codes.as_ptr(), self.from + tile);
            // SAFETY: a tile of codes is read, and of each token what belongs to its columns.
            unsafe {
                add_tile!(
                    KIND,
                    x,
                    all,
                    place,
                    decoder,
                    has_least,
                    |q| decoder.pair::<KIND>(codes, q, half),
                    |part| half_of(&self.factors.scale[parts * tile + part], half),
                    half_of(&self.factors.least[tile], half)
                );
            }
        }
        *sums = all;
    }
}

/// Writes the sums of 8 outputs, for tokens from `first` on.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn put<const T: usize>(
    job: &Job,
    (first, half): (usize, usize),
    all: [__m256; T],
    out: &mut Columns,
) {
    let end = job.columns.len().min(WIDTH * (half + 1));
    let Some(count) = end.checked_sub(WIDTH * half) else { return };
    for (token, sums) in all.into_iter().enumerate() {
        let mut values = [0.0; WIDTH];
        // SAFETY: 8 floats are written.
        unsafe { _mm256_storeu_ps(values.as_mut_ptr(), sums) };
        let start = job.columns.start + WIDTH * half;
        out.of_row(first + token, start..start + count).copy_from_slice(&values[..count]);
    }
}

/// Decodes the strip of a job; the words of a tile are those of 8 rows, then of the others.
///
/// # Safety
/// As [`by_tokens`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn decode<const KIND: usize>(job: &Job, decoder: Decoder, tiles: &mut [Decoded]) {
    let (layout, parts) = (job.w.layout, if KIND == SIX { 2 } else { 1 });
    let mut factors = Factors::NONE;
    for (Stored { scales, codes, .. }, tiles) in job.spans().zip(tiles.chunks_mut(SPAN_TILES)) {
        read(&mut factors, layout.scales, scales, tiles.len());
        let codes = codes.chunks_exact(layout.codes.bytes());
        for (place, (codes, tile)) in codes.zip(tiles).enumerate() {
            prefetch(codes);
            tile.take(&factors, place, parts);
            for (q, words) in tile.words.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                for half in 0..2 {
                    // SAFETY: a tile of codes is read; half of each of two words is written.
                    unsafe {
                        let pair = decoder.pair::<KIND>(codes.as_ptr(), q, half);
                        for (codes, words) in pair.into_iter().zip(&mut *words) {
                            let half = words.0.as_chunks_mut::<WIDTH>().0[half].as_mut_ptr();
                            _mm256_store_si256(half.cast(), codes);
                        }
                    }
                }
            }
        }
    }
}

/// The sums of `T` tokens over half the outputs of a decoded strip.
///
/// # Safety
/// As [`by_tokens`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn group<const KIND: usize, const T: usize>(
    job: &Job,
    decoder: Decoder,
    (tiles, half): (&[Decoded], usize),
    x: &Places<T>,
) -> [__m256; T] {
    let (has_least, mut all) = (job.w.layout.scales.has_least(), [_mm256_setzero_ps(); T]);
    for (place, tile) in tiles.iter().enumerate() {
        // SAFETY: words of a tile are read, and of each token what belongs to its columns.
        unsafe {
            add_tile!(
                KIND,
                x,
                all,
                place,
                decoder,
                has_least,
                |q| [0, 1].map(|word| {
                    let words = &tile.words[2 * q + word].0.as_chunks::<WIDTH>().0[half];
                    _mm256_load_si256(words.as_ptr().cast())
                }),
                |part| half_of(&tile.scale[part], half),
                half_of(&tile.least, half)
            );
        }
    }
    all
}
