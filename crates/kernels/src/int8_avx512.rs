//! AVX-512 VNNI: codes times activations of 8 bits, a lane for each of 16 outputs.
//!
//! The instruction multiplies numbers without a sign with such that have one, so codes are raised
//! by an offset, and sums begin with what that adds too much.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::coded::{Codes, Factors, SPAN_TILES, TILE_COLUMNS, prefetch};
use crate::coded_avx2::{EIGHT, FIVE, FOUR, NAMED, SIX, in_a_row};
use crate::coded_avx512::read;
use crate::columns::Columns;
use crate::int8::{Decoded, FEW_TOKENS, Job, Panel, Places, Stored, for_groups};
use crate::int8_avx2;
use crate::lanes::LANES;
use std::arch::x86_64::*;

/// Whether this processor has the instructions, beside those of `Isa::Avx512`.
pub(crate) fn is_available() -> bool {
    is_x86_feature_detected!("avx512vnni")
}

/// All outputs of a job.
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) unsafe fn multiply(job: &Job, out: &mut Columns, panel: &mut Panel) {
    // SAFETY: the caller's promise is passed on; the kind is that of the codes.
    unsafe {
        match job.w.layout.codes {
            // That waits for memory, and reads more of it with registers of half the width.
            Codes::Eight if job.inputs.tokens() == 1 => int8_avx2::multiply(job, out, panel),
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
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn by_tokens<const KIND: usize>(job: &Job, out: &mut Columns, panel: &mut Panel) {
    let (decoder, tokens) = (Decoder::of(job.w.layout.codes), job.inputs.tokens());
    // SAFETY: the caller's promise is passed on; there are as many tokens.
    unsafe {
        if tokens <= FEW_TOKENS {
            return few::<KIND>(job, decoder, out);
        }
        let tiles = panel.reach(job.w.tiles());
        decode::<KIND>(job, decoder, tiles);
        for_groups!(tokens, [8, 4, 2, 1], |first, T| {
            let x = job.inputs.places::<T>(first);
            let all = group::<KIND, T>(job, decoder, tiles, &x);
            put(job, first, all, out);
        });
    }
}

/// How codes become bytes.
#[derive(Clone, Copy)]
struct Decoder {
    /// The raised codes that 4 bits name.
    names: __m512i,
    /// By how many bits a sum of activations is shifted to be multiplied with the offset.
    shift: __m512i,
}

impl Decoder {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    fn of(codes: Codes) -> Decoder {
        let mut names = [0_u8; 16];
        let offset: u8 = match codes {
            Codes::Four(values) => {
                // The least power of two that leaves no sign.
                let least = values.iter().min().map_or(0, |least| least.unsigned_abs());
                let offset = if least == 0 { 0 } else { least.next_power_of_two() };
                for (name, value) in names.iter_mut().zip(values) {
                    *name = (*value as u8).wrapping_add(offset);
                }
                offset
            }
            Codes::Five(offset) => offset.unsigned_abs(),
            Codes::Six => 32,
            Codes::Eight => 128,
        };
        // All bits are shifted out where there is no offset.
        let shift = if offset == 0 { 32 } else { offset.ilog2() as i32 };
        // SAFETY: an array of 16 bytes is read.
        let names = unsafe { _mm_loadu_si128(names.as_ptr().cast()) };
        Decoder { names: _mm512_broadcast_i32x4(names), shift: _mm512_set1_epi32(shift) }
    }

    /// The raised codes of columns 8q to 8q + 7 of a tile, as the numbers of activations lie.
    ///
    /// # Safety
    /// There is a tile of codes of this kind.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn pair<const KIND: usize>(self, tile: *const u8, q: usize) -> [__m512i; 2] {
        // SAFETY: `Codes` says how many bytes a tile has.
        unsafe {
            if KIND == EIGHT {
                return turned(tile.add(8 * LANES * q));
            }
            let low = _mm512_set1_epi8(15);
            let words = _mm512_loadu_si512(tile.add(64 * q).cast());
            let four = [words, _mm512_srli_epi32::<4>(words)].map(|w| _mm512_and_si512(w, low));
            match KIND {
                NAMED => four.map(|four| _mm512_shuffle_epi8(self.names, four)),
                FIVE => {
                    let tops = _mm512_loadu_si512(tile.add(256).cast());
                    let tops = right(tops, 4 * q);
                    let tops = [tops, _mm512_srli_epi32::<1>(tops)];
                    std::array::from_fn(|half| with::<10>(four[half], tops[half], 0x10))
                }
                SIX => {
                    let tops = _mm512_loadu_si512(tile.add(256 + 64 * (q / 2)).cast());
                    let tops = right(tops, 8 * (q % 2));
                    let tops = [tops, _mm512_srli_epi32::<2>(tops)];
                    std::array::from_fn(|half| with::<8>(four[half], tops[half], 0x30))
                }
                _ => four,
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn right(words: __m512i, bits: usize) -> __m512i {
    _mm512_srlv_epi32(words, _mm512_set1_epi32(bits as i32))
}

/// Upper bits joined to codes: those of even bytes are shifted by 4, of odd ones by `ODD`, and in
/// both are then the bits of `mask`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn with<const ODD: u32>(codes: __m512i, tops: __m512i, mask: i32) -> __m512i {
    /// One of three, or the second where the third is set.
    const OR_MASKED: i32 = 0xf8;
    let even = _mm512_set1_epi32(mask * 0x0001_0001);
    let odd = _mm512_set1_epi32(mask * 0x0100_0100);
    let codes = _mm512_ternarylogic_epi32::<OR_MASKED>(codes, _mm512_slli_epi32::<4>(tops), even);
    _mm512_ternarylogic_epi32::<OR_MASKED>(codes, _mm512_slli_epi32::<ODD>(tops), odd)
}

/// 8 columns of 16 bytes each become words of four columns, 128 being added.
///
/// # Safety
/// There are 128 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn turned(bytes: *const u8) -> [__m512i; 2] {
    // SAFETY: the caller's promise.
    let (first, second) =
        unsafe { (_mm512_loadu_si512(bytes.cast()), _mm512_loadu_si512(bytes.add(64).cast())) };
    // Columns c and c + 4 side by side, of rows 0 to 7 and 8 to 15.
    let upper = _mm512_unpacklo_epi8(first, second);
    let lower = _mm512_unpackhi_epi8(first, second);
    // Columns 0 4 and 2 6, 1 5 and 3 7.
    let even = _mm512_shuffle_i64x2::<0b10_00_10_00>(upper, lower);
    let odd = _mm512_shuffle_i64x2::<0b11_01_11_01>(upper, lower);
    let low = _mm512_unpacklo_epi16(even, odd);
    let high = _mm512_unpackhi_epi16(even, odd);
    let sign = _mm512_set1_epi8(-128);
    let of_first = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    let of_second = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    [of_first, of_second]
        .map(|places| _mm512_xor_si512(_mm512_permutex2var_epi64(low, places, high), sign))
}

/// Adds tile `$place` to the sums `$all`: `$pair` gives the codes of 8 columns, `$scale` and
/// `$least` its factors. A closure would not be compiled into its caller.
macro_rules! add_tile {
    ($kind:expr, $x:expr, $all:expr, $place:expr, $decoder:expr, $has_least:expr,
     |$q:ident| $pair:expr, |$part:ident| $scale:expr, $least:expr) => {{
        let parts = if $kind == SIX { 2 } else { 1 };
        for part in 0..parts {
            let mut whole = [_mm512_setzero_si512(); T];
            for token in 0..T {
                let less = (*$x.blocks[token].add($place)).less_of(part, parts);
                whole[token] = _mm512_sllv_epi32(_mm512_set1_epi32(less), $decoder.shift);
            }
            for $q in 4 / parts * part..4 / parts * (part + 1) {
                let pair = $pair;
                for (half, codes) in pair.into_iter().enumerate() {
                    let at = TILE_COLUMNS * $place + 8 * $q + 4 * half;
                    for token in 0..T {
                        let numbers = $x.numbers[token].add(at).cast::<i32>().read_unaligned();
                        let numbers = _mm512_set1_epi32(numbers);
                        whole[token] = _mm512_dpbusd_epi32(whole[token], codes, numbers);
                    }
                }
            }
            let $part = part;
            let scale = $scale;
            for token in 0..T {
                let by = _mm512_set1_ps((*$x.blocks[token].add($place)).scale);
                let scaled = _mm512_mul_ps(by, _mm512_cvtepi32_ps(whole[token]));
                $all[token] = _mm512_fmadd_ps(scale, scaled, $all[token]);
            }
        }
        if $has_least {
            let least = $least;
            for token in 0..T {
                let sum = _mm512_set1_ps((*$x.blocks[token].add($place)).sum);
                $all[token] = _mm512_fmadd_ps(least, sum, $all[token]);
            }
        }
    }};
}

/// Up to [`FEW_TOKENS`]; codes are decoded on their way into the sums, for each group of tokens
/// anew while those of a span are in the first cache.
///
/// # Safety
/// As [`by_tokens`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn few<const KIND: usize>(job: &Job, decoder: Decoder, out: &mut Columns) {
    let mut factors = Factors::NONE;
    let mut sums = [_mm512_setzero_ps(); FEW_TOKENS];
    for Stored { from, tiles, scales, codes } in job.spans() {
        prefetch(scales);
        read(&mut factors, job.w.layout.scales, scales, tiles);
        let span = Span { codes, factors: &factors, from };
        for_groups!(job.inputs.tokens(), [8, 4, 2, 1], |first, T| {
            let all = sums[first..].first_chunk_mut::<T>().expect("as many as there are tokens");
            // SAFETY: the caller's promise is passed on.
            unsafe { span.add::<KIND, T>(job, decoder, first, all) };
        });
    }
    for (token, sum) in sums[..job.inputs.tokens()].iter().enumerate() {
        put(job, token, [*sum], out);
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
    /// Adds them to the sums of tokens `first..first + T`.
    ///
    /// # Safety
    /// As [`by_tokens`]; there are as many tokens.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn add<const KIND: usize, const T: usize>(
        &self,
        job: &Job,
        decoder: Decoder,
        first: usize,
        sums: &mut [__m512; T],
    ) {
        let layout = job.w.layout;
        let (has_least, parts) = (layout.scales.has_least(), if KIND == SIX { 2 } else { 1 });
        let (x, mut all) = (job.inputs.places::<T>(first), *sums);
        for (tile, codes) in self.codes.chunks_exact(layout.codes.bytes()).enumerate() {
            if first == 0 {
                prefetch(codes);
            }
            let (codes, place) = (codes.as_ptr(), self.from + tile);
            // SAFETY: a tile of codes is read, of each token what belongs to its columns, and rows
            // of 16 factors.
            unsafe {
                add_tile!(
                    KIND,
                    x,
                    all,
                    place,
                    decoder,
                    has_least,
                    |q| decoder.pair::<KIND>(codes, q),
                    |part| _mm512_loadu_ps(self.factors.scale[parts * tile + part].as_ptr()),
                    _mm512_loadu_ps(self.factors.least[tile].as_ptr())
                );
            }
        }
        *sums = all;
    }
}

/// Writes the sums of tokens from `first` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn put<const T: usize>(job: &Job, first: usize, all: [__m512; T], out: &mut Columns) {
    let mask = u16::MAX >> (LANES - job.columns.len());
    for (token, sums) in all.into_iter().enumerate() {
        let out = out.of_row(first + token, job.columns.clone());
        // SAFETY: no more floats are written than there are columns.
        unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr(), mask, sums) };
    }
}

/// Decodes the strip of a job.
///
/// # Safety
/// As [`by_tokens`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
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
                // SAFETY: a tile of codes is read; whole words are written.
                unsafe {
                    let pair = decoder.pair::<KIND>(codes.as_ptr(), q);
                    for (codes, words) in pair.into_iter().zip(words) {
                        _mm512_store_si512(words.0.as_mut_ptr().cast(), codes);
                    }
                }
            }
        }
    }
}

/// The sums of `T` tokens over a decoded strip.
///
/// # Safety
/// As [`by_tokens`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn group<const KIND: usize, const T: usize>(
    job: &Job,
    decoder: Decoder,
    tiles: &[Decoded],
    x: &Places<T>,
) -> [__m512; T] {
    let (has_least, mut all) = (job.w.layout.scales.has_least(), [_mm512_setzero_ps(); T]);
    for (place, tile) in tiles.iter().enumerate() {
        // SAFETY: words of a tile are read, of each token what belongs to its columns, and rows of
        // 16 factors.
        unsafe {
            add_tile!(
                KIND,
                x,
                all,
                place,
                decoder,
                has_least,
                |q| [0, 1]
                    .map(|half| { _mm512_load_si512(tile.words[2 * q + half].0.as_ptr().cast()) }),
                |part| _mm512_loadu_ps(tile.scale[part].as_ptr()),
                _mm512_loadu_ps(tile.least.as_ptr())
            );
        }
    }
    all
}
