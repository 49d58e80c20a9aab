//! Products with codes by fused multiply-adds; a lane is an output.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use super::Coded;
use super::inputs::CodedInputs;
use super::layout::{SPAN_TILES, TILE_COLUMNS, values};
use super::scales::Factors;
use crate::columns::Columns;
use crate::isa::{Isa, on_isa};
use crate::lanes::{LANES, Lanes};
use crate::scratch::Scratch;
use std::ops::Range;

/// Tokens that use decoded codes before they are decoded again.
pub(crate) const STRIP_TOKENS: usize = 64;

/// The products of 16 outputs with some tokens.
pub(crate) struct Job<'a> {
    pub inputs: &'a CodedInputs,
    pub w: &'a Coded<'a>,
    /// The strip of outputs.
    pub strip: usize,
    /// Up to [`STRIP_TOKENS`], from a multiple of 16 on.
    pub tokens: Range<usize>,
}

/// See [`crate::linear_coded`].
pub(super) fn linear(
    isa: Isa,
    inputs: &CodedInputs,
    w: &Coded,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    #[cfg(target_arch = "x86_64")]
    if isa.checked() == Isa::Avx512 && inputs.tokens() <= crate::coded_avx512::FEW_TOKENS {
        // SAFETY: `checked` saw the instructions.
        return unsafe { crate::coded_avx512::linear(inputs, w, rows, out) };
    }
    let (_, sums) = scratch.linear();
    let sums = &mut sums.as_chunks_mut::<LANES>().0[..STRIP_TOKENS];
    let mut factors = Factors::NONE;
    let factors = &mut factors;
    for first in rows.clone().step_by(LANES) {
        let columns = first - rows.start..(first + LANES).min(rows.end) - rows.start;
        for band in (0..inputs.tokens()).step_by(STRIP_TOKENS) {
            let tokens = band..(band + STRIP_TOKENS).min(inputs.tokens());
            let sums = &mut sums[..tokens.len()];
            let job = &Job { inputs, w, strip: first / LANES, tokens: tokens.clone() };
            match isa.checked() {
                // SAFETY: `checked` saw the instructions.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => unsafe { crate::coded_avx2::multiply(job, factors, sums) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => unsafe { crate::coded_avx512::multiply(job, factors, sums) },
                isa => on_isa!(isa, multiply(job: &Job, factors: &mut Factors, sums: &mut [Lanes])),
            }
            for (token, sums) in tokens.zip(sums) {
                out.of_row(token, columns.clone()).copy_from_slice(&sums[..columns.len()]);
            }
        }
    }
}

/// All terms of the outputs of a strip.
#[inline(always)]
fn multiply(job: &Job, factors: &mut Factors, sums: &mut [Lanes]) {
    let layout = job.w.layout;
    sums.fill([0.0; LANES]);
    let mut codes = [[0.0; LANES]; TILE_COLUMNS];
    let (mut rest, tiles) = (job.w.strip(job.strip), job.w.tiles());
    for from in (0..tiles).step_by(SPAN_TILES) {
        let count = SPAN_TILES.min(tiles - from);
        let (scales, others) = rest.split_at(layout.scales.bytes(count));
        factors.read(layout.scales, scales, count);
        for tile in 0..count {
            let bytes = &others[tile * layout.codes.bytes()..][..layout.codes.bytes()];
            values(layout.codes, bytes, &mut codes);
            add_tile(job, from + tile, &codes, factors, tile, sums);
        }
        rest = &others[count * layout.codes.bytes()..];
    }
}

/// Adds the products with the codes of tile `place`, number `tile` of its span.
#[inline(always)]
fn add_tile(
    job: &Job,
    place: usize,
    codes: &[Lanes; TILE_COLUMNS],
    factors: &Factors,
    tile: usize,
    sums: &mut [Lanes],
) {
    let layout = job.w.layout;
    let len = layout.codes.scale_len();
    let per_tile = TILE_COLUMNS / len;
    for (token, sum) in job.tokens.clone().zip(sums) {
        let x = &job.inputs.row(token)[place * TILE_COLUMNS..][..TILE_COLUMNS];
        for part in 0..per_tile {
            let scale = &factors.scale[tile * per_tile + part];
            let of_codes = chains(&x[part * len..][..len], &codes[part * len..][..len]);
            for ((sum, scale), of_codes) in sum.iter_mut().zip(scale).zip(&of_codes) {
                *sum = scale.mul_add(*of_codes, *sum);
            }
        }
        if layout.scales.has_least() {
            let of_x = job.inputs.sums(token / LANES)[place][token % LANES];
            for (sum, least) in sum.iter_mut().zip(&factors.least[tile]) {
                *sum = least.mul_add(of_x, *sum);
            }
        }
    }
}

/// An even and an odd chain, and their sum.
#[inline(always)]
fn chains(x: &[f32], codes: &[Lanes]) -> Lanes {
    let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
    for (x, codes) in x.as_chunks::<2>().0.iter().zip(codes.as_chunks::<2>().0) {
        for lane in 0..LANES {
            even[lane] = codes[0][lane].mul_add(x[0], even[lane]);
            odd[lane] = codes[1][lane].mul_add(x[1], odd[lane]);
        }
    }
    for lane in 0..LANES {
        even[lane] += odd[lane];
    }
    even
}
