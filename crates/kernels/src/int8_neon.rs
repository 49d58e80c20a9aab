//! NEON: products with codes and activations of 8 bits, four registers for each 16 outputs.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::coded::{Codes, Factors, SPAN_TILES, Scales, TILE_COLUMNS};
use crate::columns::Columns;
use crate::int8::{Block, Job, Stored};
use crate::lanes::{LANES, Lanes};
use crate::neon_codes::{
    Decoder, EIGHT, Eights, FIVE, FOUR, READY, READY_BYTES, READY_SIX, SIX, bytes_of, has_halves,
};
use std::arch::{aarch64::*, asm, is_aarch64_feature_detected};
use std::ops::Range;

/// Tokens that share codes in registers: with 8 outputs, 8 registers of whole numbers and 8 of
/// sums, beside the codes and the activations.
const TOKENS: usize = 4;
/// Lanes of a register.
const WIDTH: usize = 4;
/// Outputs computed together.
const OUTPUTS: usize = 2 * WIDTH;
/// Tiles that are decoded before many tokens use them, which then stay in the nearest cache.
const PANEL_TILES: usize = 4 * SPAN_TILES;
/// Tokens that use them before they are decoded again.
const PANEL_TOKENS: usize = 256;

/// Decoded codes and their factors, and sums of tokens: made at first use.
#[derive(Clone, Default)]
pub(crate) struct BytePanel {
    codes: Vec<[u8; READY_BYTES]>,
    /// For each tile, or for each half of one.
    scale: Vec<Lanes>,
    least: Vec<Lanes>,
    sums: Vec<Lanes>,
}

/// All terms of the job's outputs.
pub(crate) fn multiply(job: &Job, out: &mut Columns, panel: &mut BytePanel) {
    // SAFETY: the instruction was asked for just here, and every such processor has vectors.
    unsafe {
        match is_aarch64_feature_detected!("dotprod") {
            true => by_codes::<true>(job, out, panel),
            false => by_codes::<false>(job, out, panel),
        }
    }
}

/// # Safety
/// If `DOT`, the processor has the dot product.
#[target_feature(enable = "neon")]
unsafe fn by_codes<const DOT: bool>(job: &Job, out: &mut Columns, panel: &mut BytePanel) {
    // SAFETY: the caller's promise is passed on; the kind is that of the codes.
    unsafe {
        match job.w.layout.codes {
            Codes::Four(_) => by_tokens::<FOUR, READY, DOT>(job, out, panel),
            Codes::Five(_) => by_tokens::<FIVE, READY, DOT>(job, out, panel),
            Codes::Six => by_tokens::<SIX, READY_SIX, DOT>(job, out, panel),
            Codes::Eight => by_tokens::<EIGHT, READY, DOT>(job, out, panel),
        }
    }
}

/// # Safety
/// As [`by_codes`]; `KIND` is that of the codes, and `DONE` what it becomes.
#[target_feature(enable = "neon")]
unsafe fn by_tokens<const KIND: usize, const DONE: usize, const DOT: bool>(
    job: &Job,
    out: &mut Columns,
    panel: &mut BytePanel,
) {
    let tokens = job.inputs.tokens();
    // SAFETY: the caller's promise is passed on.
    unsafe {
        if tokens <= TOKENS {
            let mut sums = [[0.0; LANES]; TOKENS];
            few::<KIND, DOT>(job, &mut sums[..tokens]);
            return put(job, 0, &sums[..tokens], out);
        }
        panel.reach();
        for first in (0..tokens).step_by(PANEL_TOKENS) {
            let band = first..(first + PANEL_TOKENS).min(tokens);
            many::<KIND, DONE, DOT>(job, band.clone(), panel);
            put(job, first, &panel.sums[..band.len()], out);
        }
    }
}

fn put(job: &Job, first: usize, sums: &[Lanes], out: &mut Columns) {
    for (token, sums) in sums.iter().enumerate() {
        let out = out.of_row(first + token, job.columns.clone());
        out.copy_from_slice(&sums[..job.columns.len()]);
    }
}

/// Tokens that read the codes as they are stored.
///
/// # Safety
/// As [`by_tokens`].
#[target_feature(enable = "neon")]
unsafe fn few<const KIND: usize, const DOT: bool>(job: &Job, sums: &mut [Lanes]) {
    let mut factors = Factors::NONE;
    for Stored { from, tiles, scales, codes } in job.spans() {
        read(&mut factors, job.w.layout.scales, scales, tiles);
        let (scale, least) = (&factors.scale, &factors.least);
        let piece = Piece { codes, scale, least, tiles: from..from + tiles };
        // SAFETY: the caller's promise is passed on.
        unsafe { piece.add::<KIND, DOT>(job, 0, sums) };
    }
}

/// Reads the factors of a span.
#[target_feature(enable = "neon")]
fn read(factors: &mut Factors, scales: Scales, stored: &[u8], tiles: usize) {
    let rows = stored.as_chunks::<LANES>().0;
    match scales {
        Scales::Half => {
            for (out, rows) in factors.scale.iter_mut().zip(rows.as_chunks::<2>().0) {
                *out = singles(rows);
            }
        }
        Scales::HalfAndLeast => {
            for (tile, rows) in rows.as_chunks::<4>().0.iter().enumerate() {
                factors.scale[tile] = singles(&[rows[0], rows[1]]);
                factors.least[tile] = singles(&[rows[2], rows[3]]);
            }
        }
        _ => factors.read(scales, stored, tiles),
    }
}

/// 16 half-precision numbers, exactly.
#[inline]
#[target_feature(enable = "neon")]
fn singles(stored: &[[u8; LANES]; 2]) -> Lanes {
    let mut out = [0.0; LANES];
    for quad in 0..LANES / WIDTH {
        // SAFETY: 8 bytes of 32 are read, 4 floats of 16 written.
        unsafe {
            let halves = vld1_u8(stored.as_flattened().as_ptr().add(2 * WIDTH * quad));
            let values = vcvt_f32_f16(vreinterpret_f16_u8(halves));
            vst1q_f32(out.as_mut_ptr().add(WIDTH * quad), values);
        }
    }
    out
}

/// Tokens enough to decode the codes for them first.
///
/// # Safety
/// As [`by_tokens`]; the panel has its sizes.
#[target_feature(enable = "neon")]
unsafe fn many<const KIND: usize, const DONE: usize, const DOT: bool>(
    job: &Job,
    tokens: Range<usize>,
    panel: &mut BytePanel,
) {
    panel.sums[..tokens.len()].fill([0.0; LANES]);
    for from in (0..job.w.tiles()).step_by(PANEL_TILES) {
        let tiles = from..(from + PANEL_TILES).min(job.w.tiles());
        // SAFETY: the caller's promise is passed on.
        unsafe { panel.decode::<KIND>(job, tiles.clone()) };
        let BytePanel { codes, scale, least, sums } = panel;
        let codes = codes[..tiles.len()].as_flattened();
        let piece = Piece { codes, scale, least, tiles };
        for (group, sums) in sums[..tokens.len()].chunks_mut(TOKENS).enumerate() {
            // SAFETY: as above.
            unsafe { piece.add::<DONE, DOT>(job, tokens.start + group * TOKENS, sums) };
        }
    }
}

impl BytePanel {
    fn reach(&mut self) {
        if self.sums.is_empty() {
            self.codes.resize(PANEL_TILES, [0; READY_BYTES]);
            self.scale.resize(2 * PANEL_TILES, [0.0; LANES]);
            self.least.resize(PANEL_TILES, [0.0; LANES]);
            self.sums.resize(PANEL_TOKENS, [0.0; LANES]);
        }
    }

    /// Decodes these tiles, which begin with a span.
    ///
    /// # Safety
    /// `KIND` is that of the codes.
    #[target_feature(enable = "neon")]
    unsafe fn decode<const KIND: usize>(&mut self, job: &Job, tiles: Range<usize>) {
        let decoder = Decoder::of(job.w.layout.codes);
        let parts = 1 + usize::from(has_halves(KIND));
        let mut factors = Factors::NONE;
        let spans =
            job.spans().skip(tiles.start / SPAN_TILES).take(tiles.len().div_ceil(SPAN_TILES));
        for Stored { from, tiles: count, scales, codes } in spans {
            read(&mut factors, job.w.layout.scales, scales, count);
            let at = from - tiles.start;
            let scale = &mut self.scale[parts * at..][..parts * count];
            scale.copy_from_slice(&factors.scale[..parts * count]);
            if job.w.layout.scales.has_least() {
                self.least[at..][..count].copy_from_slice(&factors.least[..count]);
            }
            let codes = codes.chunks_exact(bytes_of(KIND));
            for (codes, out) in codes.zip(&mut self.codes[at..]) {
                // SAFETY: a tile of this kind is read, and one that is ready written.
                unsafe { decode_tile::<KIND>(&decoder, codes.as_ptr(), out) };
            }
        }
    }
}

/// # Safety
/// `codes` are those of a tile of this kind.
#[target_feature(enable = "neon")]
unsafe fn decode_tile<const KIND: usize>(
    decoder: &Decoder,
    codes: *const u8,
    out: &mut [u8; READY_BYTES],
) {
    for q in 0..4 {
        for first in [0, OUTPUTS] {
            // SAFETY: the caller's promise; q and the rows are as `eights` wants them, and the
            // words 2q and 2q + 1 of them lie in the tile.
            unsafe {
                let eights = decoder.eights::<KIND>(codes, q, first);
                for (quad, eights) in eights.into_iter().enumerate() {
                    let out = out.as_mut_ptr().add(128 * q + 4 * first + 16 * quad).cast();
                    vst1q_s8(out, eights[0]);
                    vst1q_s8(out.add(64), eights[1]);
                }
            }
        }
    }
}

/// Consecutive tiles of a strip, with their factors.
struct Piece<'a> {
    codes: &'a [u8],
    /// For each tile, or for each half of one.
    scale: &'a [Lanes],
    least: &'a [Lanes],
    /// Which tiles of the strip.
    tiles: Range<usize>,
}

impl Piece<'_> {
    /// Adds the terms of as many tokens as there are sums, from `first` on: up to [`TOKENS`].
    ///
    /// # Safety
    /// If `DOT`, the processor has the dot product.
    #[target_feature(enable = "neon")]
    unsafe fn add<const KIND: usize, const DOT: bool>(
        &self,
        job: &Job,
        first: usize,
        sums: &mut [Lanes],
    ) {
        // SAFETY: the caller's promise is passed on.
        unsafe {
            match sums.len() {
                1 => self.add_of::<KIND, DOT, 1>(job, first, sums),
                2 => self.add_of::<KIND, DOT, 2>(job, first, sums),
                3 => self.add_of::<KIND, DOT, 3>(job, first, sums),
                _ => self.add_of::<KIND, DOT, TOKENS>(job, first, sums),
            }
        }
    }

    /// # Safety
    /// As [`Piece::add`].
    #[target_feature(enable = "neon")]
    unsafe fn add_of<const KIND: usize, const DOT: bool, const T: usize>(
        &self,
        job: &Job,
        first: usize,
        sums: &mut [Lanes],
    ) {
        let (from, count) = (self.tiles.start, self.tiles.len());
        let (numbers, blocks) = (from * TILE_COLUMNS, count * TILE_COLUMNS);
        let tokens: [usize; T] = std::array::from_fn(|token| first + token);
        let numbers = tokens.map(|token| job.inputs.numbers(token)[numbers..][..blocks].as_ptr());
        let blocks = tokens.map(|token| job.inputs.blocks(token)[from..][..count].as_ptr());
        let parts = 1 + usize::from(has_halves(KIND));
        assert!(self.codes.len() >= count * bytes_of(KIND), "codes of the tiles");
        assert!(self.scale.len() >= parts * count && self.least.len() >= count, "their factors");
        assert!(sums.len() == T, "a sum for each token");
        let decoder = Decoder::of(job.w.layout.codes);
        let has_least = job.w.layout.scales.has_least();
        for half in [0, OUTPUTS] {
            // SAFETY: the lines above bound what is read of each tile below `count`: its codes,
            // factors, numbers and blocks; half a strip has 8 outputs, in two registers.
            unsafe {
                let mut group = Group::<T>::of(&numbers, &blocks, sums, half);
                for tile in 0..count {
                    let codes = self.codes.as_ptr().add(tile * bytes_of(KIND));
                    let scale = self.scale.as_ptr().add(parts * tile).cast::<f32>().add(half);
                    group.add_tile::<KIND, DOT>(&decoder, (codes, half), scale);
                    if has_least {
                        group.add_least(self.least.as_ptr().add(tile).cast::<f32>().add(half));
                    }
                    group.next();
                }
                group.put(sums, half);
            }
        }
    }
}

/// Half the outputs of a strip for some tokens.
struct Group<const T: usize> {
    /// Of each token, from the tile on that comes next.
    numbers: [*const i8; T],
    blocks: [*const Block; T],
    sums: [[float32x4_t; 2]; T],
}

impl<const T: usize> Group<T> {
    /// # Safety
    /// The sums have the outputs `half..half + 8`.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn of(
        numbers: &[*const i8; T],
        blocks: &[*const Block; T],
        sums: &[Lanes],
        half: usize,
    ) -> Group<T> {
        let mut group =
            Group { numbers: *numbers, blocks: *blocks, sums: [[vdupq_n_f32(0.0); 2]; T] };
        for (own, sums) in group.sums.iter_mut().zip(sums) {
            // SAFETY: the caller's promise.
            let quad = |quad| unsafe { vld1q_f32(sums.as_ptr().add(half + WIDTH * quad)) };
            *own = [quad(0), quad(1)];
        }
        group
    }

    /// # Safety
    /// As [`Group::of`].
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn put(&self, sums: &mut [Lanes], half: usize) {
        for (own, sums) in self.sums.iter().zip(sums) {
            for (quad, own) in own.iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { vst1q_f32(sums.as_mut_ptr().add(half + WIDTH * quad), *own) };
            }
        }
    }

    #[inline]
    fn next(&mut self) {
        self.numbers = self.numbers.map(|numbers| numbers.wrapping_add(TILE_COLUMNS));
        self.blocks = self.blocks.map(|block| block.wrapping_add(1));
    }

    /// Adds the products with the codes of the next tile, of 8 rows from that named on.
    ///
    /// # Safety
    /// There is such a tile of this kind, and its scales; if `DOT`, the dot product.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn add_tile<const KIND: usize, const DOT: bool>(
        &mut self,
        decoder: &Decoder,
        (codes, row): (*const u8, usize),
        scale: *const f32,
    ) {
        // SAFETY: the caller's promise is passed on; a tile has 32 numbers.
        unsafe {
            let mut whole = [[vdupq_n_s32(0); 2]; T];
            for part in 0..2 {
                let x = self.numbers.map(|numbers| vld1q_s8(numbers.add(part * LANES)));
                let eights = decoder.eights::<KIND>(codes, 2 * part, row);
                add_eights::<DOT, 0, 1, T>(&mut whole, &eights, &x);
                let eights = decoder.eights::<KIND>(codes, 2 * part + 1, row);
                add_eights::<DOT, 2, 3, T>(&mut whole, &eights, &x);
                if has_halves(KIND) {
                    self.close(&whole, scale.add(part * LANES));
                    whole = [[vdupq_n_s32(0); 2]; T];
                }
            }
            if !has_halves(KIND) {
                self.close(&whole, scale);
            }
        }
    }

    /// Adds sums of whole numbers, scaled.
    ///
    /// # Safety
    /// There are 8 scales, and a block for each token.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn close(&mut self, whole: &[[int32x4_t; 2]; T], scale: *const f32) {
        // SAFETY: the caller's promise.
        let scale = [0, WIDTH].map(|at| unsafe { vld1q_f32(scale.add(at)) });
        for ((sums, whole), block) in self.sums.iter_mut().zip(whole).zip(self.blocks) {
            // SAFETY: the caller's promise.
            let by = unsafe { (*block).scale };
            for ((sum, whole), scale) in sums.iter_mut().zip(whole).zip(scale) {
                *sum = vfmaq_f32(*sum, scale, vmulq_n_f32(vcvtq_f32_s32(*whole), by));
            }
        }
    }

    /// # Safety
    /// There are 8 least values, and a block for each token.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn add_least(&mut self, least: *const f32) {
        // SAFETY: the caller's promise.
        let least = [0, WIDTH].map(|at| unsafe { vld1q_f32(least.add(at)) });
        for (sums, block) in self.sums.iter_mut().zip(self.blocks) {
            // SAFETY: the caller's promise.
            let of_x = unsafe { (*block).sum };
            for (sum, least) in sums.iter_mut().zip(least) {
                *sum = vfmaq_n_f32(*sum, least, of_x);
            }
        }
    }
}

/// Adds the products of 8 columns of 8 rows with each token's numbers, words `FIRST` and `SECOND`
/// of x.
///
/// # Safety
/// If `DOT`, the processor has the dot product.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_eights<const DOT: bool, const FIRST: i32, const SECOND: i32, const T: usize>(
    whole: &mut [[int32x4_t; 2]; T],
    eights: &[Eights; 2],
    x: &[int8x16_t; T],
) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        add_fours::<DOT, FIRST, T>(whole, [eights[0][0], eights[1][0]], x);
        add_fours::<DOT, SECOND, T>(whole, [eights[0][1], eights[1][1]], x);
    }
}

/// Those of 4 columns.
///
/// # Safety
/// As [`add_eights`].
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_fours<const DOT: bool, const AT: i32, const T: usize>(
    whole: &mut [[int32x4_t; 2]; T],
    fours: [int8x16_t; 2],
    x: &[int8x16_t; T],
) {
    for (whole, x) in whole.iter_mut().zip(x) {
        for (whole, codes) in whole.iter_mut().zip(fours) {
            *whole = match DOT {
                // SAFETY: the caller's promise.
                true => unsafe { dot::<AT>(*whole, codes, *x) },
                false => add_products::<AT>(*whole, codes, *x),
            };
        }
    }
}

/// The four products of each row's codes with word `AT` of x are added to its sum. (The intrinsics
/// for it are not stable.)
///
/// # Safety
/// The processor has the dot product.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn dot<const AT: i32>(whole: int32x4_t, codes: int8x16_t, x: int8x16_t) -> int32x4_t {
    let mut sum = whole;
    // SAFETY: registers only, and the caller's promise.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {codes:v}.16b, {x:v}.4b[{at}]",
            sum = inout(vreg) sum,
            codes = in(vreg) codes,
            x = in(vreg) x,
            at = const AT,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// The same without that instruction: products of 16 bits, which with numbers of at most 127 in
/// magnitude leave room for the sum of two of them.
#[inline]
#[target_feature(enable = "neon")]
fn add_products<const AT: i32>(whole: int32x4_t, codes: int8x16_t, x: int8x16_t) -> int32x4_t {
    let x = vreinterpretq_s8_s32(vdupq_laneq_s32::<AT>(vreinterpretq_s32_s8(x)));
    let products = vmull_s8(vget_low_s8(codes), vget_low_s8(x));
    vpadalq_s16(whole, vpaddq_s16(products, vmull_high_s8(codes, x)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::{Coded, Layout};
    use crate::int8::{Int8Inputs, Int8Piece, linear_int8};
    use crate::isa::Isa;
    use crate::matrix::Matrix;
    use crate::reference::assert_same_bits;
    use crate::samples::{self, Values};
    use crate::scratch::Scratch;

    fn product_by<const DOT: bool>(inputs: &Int8Inputs, w: &Coded) -> Vec<f32> {
        let mut found = vec![f32::NAN; inputs.tokens() * w.rows];
        let job = Job { inputs, w, strip: 0, columns: 0..w.rows };
        let mut out = Columns::of(&mut found, w.rows);
        // SAFETY: the dot product is only asked for where it is there.
        unsafe { by_codes::<DOT>(&job, &mut out, &mut BytePanel::default()) };
        found
    }

    /// More columns and tokens than a panel has; and the way that this processor would not go.
    #[test]
    fn both_ways_have_the_bits_of_portable_code() {
        let formats = samples::formats().into_iter();
        for format in formats.filter(|format| Layout::of(*format).is_some()) {
            let columns = (2 * PANEL_TILES + 3) * TILE_COLUMNS;
            let (rows, columns) = (13, columns.next_multiple_of(format.block_len()));
            let stored = samples::weights(format, rows, columns, Values::Plain, 1);
            let w = Matrix::new(format, rows, columns, &stored).unwrap();
            let mut bytes = vec![0; Coded::size(format, rows, columns).unwrap()];
            Coded::pack(Isa::detect(), &w, &mut bytes);
            let w = Coded::new(format, rows, columns, &bytes);
            for tokens in [1, 2, 3, 4, 5, PANEL_TOKENS + 7] {
                let x = samples::floats(tokens * columns, Values::Plain, 2);
                let mut inputs = Int8Inputs::default();
                inputs.pieces(Isa::Scalar, &x, columns).into_iter().for_each(Int8Piece::pack);
                let mut expected = vec![f32::NAN; tokens * rows];
                let mut out = Columns::of(&mut expected, rows);
                linear_int8(&inputs, &w, 0..rows, &mut out, &mut Scratch::new());
                let name = format!("{format:?} {tokens}");
                assert_same_bits(&product_by::<false>(&inputs, &w), &expected, &name);
                if is_aarch64_feature_detected!("dotprod") {
                    assert_same_bits(&product_by::<true>(&inputs, &w), &expected, &name);
                }
            }
        }
    }
}
