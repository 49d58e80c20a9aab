//! The matrix product with quantised weights and activations of 8 bits: sums of whole numbers,
//! then scales. How models are served where there is no tile unit.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

mod inputs;
#[cfg(target_arch = "x86_64")]
mod panel;

use crate::coded::{Coded, Factors, Layout, SPAN_TILES, TILE_COLUMNS, values};
use crate::columns::Columns;
use crate::isa::{Isa, on_isa};
use crate::lanes::{LANES, Lanes};
use crate::scratch::Scratch;
#[cfg(target_arch = "x86_64")]
pub(crate) use inputs::Places;
pub(crate) use inputs::{Block, ORDER};
pub use inputs::{Int8Inputs, Int8Piece};
#[cfg(target_arch = "x86_64")]
pub(crate) use panel::{Decoded, Panel};
use std::ops::Range;

/// Most tokens for which codes are decoded as often as there are groups of tokens.
#[cfg(target_arch = "x86_64")]
pub(crate) const FEW_TOKENS: usize = 32;

/// Does something for groups of tokens of the sizes named, largest first: `$first` is the first
/// token of a group of `$size`.
#[cfg(target_arch = "x86_64")]
macro_rules! for_groups {
    ($tokens:expr, [$($count:expr),*], |$first:ident, $size:ident| $work:block) => {{
        let (tokens, mut next) = ($tokens, 0);
        while next < tokens {
            let $first = next;
            $(if tokens - next >= $count {
                const $size: usize = $count;
                $work
                next += $size;
                continue;
            })*
        }
    }};
}
#[cfg(target_arch = "x86_64")]
pub(crate) use for_groups;

/// The products of 16 outputs with all tokens.
pub(crate) struct Job<'a> {
    pub inputs: &'a Int8Inputs,
    pub w: &'a Coded<'a>,
    /// The strip of outputs.
    pub strip: usize,
    /// Which of the result's columns they are; fewer than 16 at its end.
    pub columns: Range<usize>,
}

impl<'a> Job<'a> {
    /// The spans of the strip.
    #[inline(always)]
    pub fn spans(&self) -> impl Iterator<Item = Stored<'a>> + use<'a> {
        let (w, strip) = (self.w, self.strip);
        (0..w.tiles()).step_by(SPAN_TILES).map(move |from| {
            let tiles = SPAN_TILES.min(w.tiles() - from);
            let scales = w.layout.scales.bytes(tiles);
            let (scales, codes) = w.span(strip, from * TILE_COLUMNS).split_at(scales);
            Stored { from, tiles, scales, codes }
        })
    }
}

/// A span as it is packed.
pub(crate) struct Stored<'a> {
    /// Its first tile, ...
    pub from: usize,
    /// ... and how many it has.
    pub tiles: usize,
    pub scales: &'a [u8],
    pub codes: &'a [u8],
}

/// `out[t][r - rows.start] = sum over k of w[r][k] * x[t][k]` for the outputs `rows` of `w`, summed
/// as `docs/numerics.md` says ("Products of 8 bits"): codes times activations of 8 bits, then
/// scales.
///
/// An output has the same bits whichever rows and tokens are computed with it, and on every
/// processor.
///
/// # Panics
/// When the inputs, `rows` or `out` do not fit together, or `rows` does not start at a multiple of
/// 16.
pub fn linear_int8(
    inputs: &Int8Inputs,
    w: &Coded,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    w.check(&rows);
    if inputs.tokens() == 0 || rows.is_empty() {
        return;
    }
    assert_eq!(inputs.columns(), w.columns, "columns of the activations");
    assert_eq!([out.rows(), out.len()], [inputs.tokens(), rows.len()], "out is [tokens, rows]");
    for first in rows.clone().step_by(LANES) {
        let columns = first - rows.start..(first + LANES).min(rows.end) - rows.start;
        multiply_on(inputs.isa(), &Job { inputs, w, strip: first / LANES, columns }, out, scratch);
    }
}

fn multiply_on(isa: Isa, job: &Job, out: &mut Columns, scratch: &mut Scratch) {
    match isa.checked() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if crate::int8_avx512::is_available() => {
            // SAFETY: both saw the instructions.
            unsafe { crate::int8_avx512::multiply(job, out, &mut scratch.panel_of_codes) }
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx2 => {
            // SAFETY: `checked` saw the instructions; AVX-512 has those of AVX2 too.
            unsafe { crate::int8_avx2::multiply(job, out, &mut scratch.panel_of_codes) }
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => crate::int8_neon::multiply(job, out, &mut scratch.bytes),
        isa => on_isa!(isa, multiply(job: &Job, out: &mut Columns)),
    }
}

/// All terms of the outputs of a strip.
#[inline(always)]
fn multiply(job: &Job, out: &mut Columns) {
    let mut sums = vec![[0.0; LANES]; job.inputs.tokens()];
    let layout = job.w.layout;
    let mut factors = Factors::NONE;
    for Stored { from, tiles, scales, codes } in job.spans() {
        factors.read(layout.scales, scales, tiles);
        for (tile, codes) in codes.chunks_exact(layout.codes.bytes()).enumerate() {
            let (place, mut of_codes) = (from + tile, [[0.0; LANES]; TILE_COLUMNS]);
            values(layout.codes, codes, &mut of_codes);
            for (token, sums) in sums.iter_mut().enumerate() {
                let numbers = &job.inputs.numbers(token)[place * TILE_COLUMNS..][..TILE_COLUMNS];
                let block = &job.inputs.blocks(token)[place];
                add_tile(layout, &of_codes, (&factors, tile), (numbers, block), sums);
            }
        }
    }
    for (token, sums) in sums.iter().enumerate() {
        out.of_row(token, job.columns.clone()).copy_from_slice(&sums[..job.columns.len()]);
    }
}

/// Adds the products of a token with the codes of a tile, number `tile` of its span.
#[inline(always)]
fn add_tile(
    layout: Layout,
    codes: &[Lanes; TILE_COLUMNS],
    (factors, tile): (&Factors, usize),
    (numbers, block): (&[i8], &Block),
    sums: &mut Lanes,
) {
    let len = layout.codes.scale_len();
    let per_tile = TILE_COLUMNS / len;
    for part in 0..per_tile {
        let mut whole = [0; LANES];
        for place in part * len..(part + 1) * len {
            let column = place / 8 * 8 + ORDER[place % 8];
            for (whole, code) in whole.iter_mut().zip(&codes[column]) {
                *whole += *code as i32 * i32::from(numbers[place]);
            }
        }
        let scale = &factors.scale[tile * per_tile + part];
        for lane in 0..LANES {
            sums[lane] = scale[lane].mul_add(block.scale * whole[lane] as f32, sums[lane]);
        }
    }
    if layout.scales.has_least() {
        for (sum, least) in sums.iter_mut().zip(&factors.least[tile]) {
            *sum = least.mul_add(block.sum, *sum);
        }
    }
}

#[cfg(test)]
mod tests;
