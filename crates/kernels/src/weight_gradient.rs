//! The gradient of a matrix product with respect to its weights.

use crate::chains::Chains;
use crate::isa::Isa;
use crate::lanes::LANES;
use crate::panel::{BAND_TOKENS, PANEL_COLUMNS, PANEL_ROWS};
use crate::scratch::Scratch;
use std::ops::Range;

/// Rows of weights whose factors are turned together.
const BAND_ROWS: usize = BAND_TOKENS;
/// Tokens turned together; a whole number of chains.
const BLOCK_TOKENS: usize = PANEL_COLUMNS;
/// Length of the buffer for turned factors.
pub(crate) const TURNED: usize = BAND_ROWS * BLOCK_TOKENS;

/// `dw[r - rows.start][c] += sum over t of dy[t][r] * x[t][c]`: what [`crate::linear`] passes back
/// to the `rows` of its weights.
///
/// `dy`: `[tokens, all_rows]`; `x`: `[tokens, columns]`; `out`: `[rows.len(), columns]`. The sum
/// over t goes on from what `out` holds, in the canonical order of [`crate::linear`]: so tokens in
/// pieces of whole 32 give the same bits as all at once, and so do rows in pieces.
///
/// # Panics
/// When the slices, `rows` and the shapes do not fit together.
#[allow(clippy::too_many_arguments)] // two inputs with their widths, the place, the result
pub fn linear_weight_gradient(
    isa: Isa,
    dy: &[f32],
    all_rows: usize,
    x: &[f32],
    columns: usize,
    rows: Range<usize>,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    assert!(rows.start <= rows.end && rows.end <= all_rows, "rows {rows:?} of {all_rows}");
    assert_eq!(out.len(), rows.len() * columns, "out is [rows, columns]");
    if out.is_empty() {
        return;
    }
    let tokens = dy.len() / all_rows;
    assert_eq!(dy.len(), tokens * all_rows, "dy is [tokens, all rows]");
    assert_eq!(x.len(), tokens * columns, "x is [tokens, columns]");
    for (band, out) in out.chunks_mut(BAND_ROWS * columns).enumerate() {
        let first = rows.start + band * BAND_ROWS;
        for token in (0..tokens).step_by(BLOCK_TOKENS) {
            let len = BLOCK_TOKENS.min(tokens - token);
            let (turned, panel, sums) = scratch.weight_gradient();
            turn(&dy[token * all_rows + first..], all_rows, len, out.len() / columns, turned);
            let x = &x[token * columns..][..len * columns];
            add_block(isa, turned, x, columns, panel, sums, out);
        }
    }
}

/// `turned[r][t] = dy[t][r]` for `tokens` and `rows` from the first ones of `dy` on.
fn turn(dy: &[f32], all_rows: usize, tokens: usize, rows: usize, turned: &mut [f32]) {
    for (token, dy) in dy.chunks(all_rows).take(tokens).enumerate() {
        let places = turned[token..].iter_mut().step_by(BLOCK_TOKENS);
        places.zip(&dy[..rows]).for_each(|(place, value)| *place = *value);
    }
}

/// Adds the products of up to 256 tokens to `out`, `[rows, columns]`.
fn add_block(
    isa: Isa,
    turned: &[f32],
    x: &[f32],
    columns: usize,
    panel: &mut [f32],
    sums: &mut [f32],
    out: &mut [f32],
) {
    for first in (0..columns).step_by(PANEL_ROWS) {
        let len = PANEL_ROWS.min(columns - first);
        for (panel, x) in panel.chunks_exact_mut(PANEL_ROWS).zip(x.chunks_exact(columns)) {
            panel[..len].copy_from_slice(&x[first..first + len]);
        }
        let rows = out.chunks_exact(columns).zip(sums.chunks_exact_mut(PANEL_ROWS));
        rows.for_each(|(out, sums)| sums[..len].copy_from_slice(&out[first..first + len]));
        Chains {
            x: turned,
            x_stride: BLOCK_TOKENS,
            tokens: out.len() / columns,
            panel,
            step_stride: PANEL_ROWS,
            half_stride: LANES,
            halves: len.div_ceil(LANES),
            steps: 0..x.len() / columns,
            sums,
            sums_stride: PANEL_ROWS,
        }
        .run(isa);
        let rows = out.chunks_exact_mut(columns).zip(sums.chunks_exact(PANEL_ROWS));
        rows.for_each(|(out, sums)| out[first..first + len].copy_from_slice(&sums[..len]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{self, assert_same_bits};
    use crate::samples::{self, Values};
    use proptest::prelude::*;

    /// The gradient of `rows`, added to `start`.
    fn gradient(
        isa: Isa,
        [dy, x]: [&[f32]; 2],
        [all_rows, columns]: [usize; 2],
        rows: Range<usize>,
        start: &[f32],
    ) -> Vec<f32> {
        let mut out = start.to_vec();
        let mut scratch = Scratch::new();
        linear_weight_gradient(isa, dy, all_rows, x, columns, rows, &mut out, &mut scratch);
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(120))]

        #[test]
        fn every_isa_gives_the_bits_of_the_reference(
            shape in (1usize..140, 1usize..100), tokens in 0usize..600, values in samples::values(),
            ends in (0.0..1.0, 0.0..1.0), seed: u64,
        ) {
            let shape = [shape.0, shape.1];
            let dy = samples::floats(tokens * shape[0], values, seed);
            let x = samples::floats(tokens * shape[1], values, seed ^ 1);
            let mut ends = [ends.0, ends.1].map(|part: f64| (part * shape[0] as f64) as usize);
            ends.sort();
            let rows = ends[0]..ends[1];
            let start = samples::floats(rows.len() * shape[1], Values::Plain, seed ^ 2);
            let expected =
                reference::linear_weight_gradient([&dy, &x], shape, rows.clone(), &start);
            for isa in Isa::available() {
                let found = gradient(isa, [&dy, &x], shape, rows.clone(), &start);
                assert_same_bits(&found, &expected, isa.name());
            }
        }
    }

    #[test]
    fn tokens_and_rows_in_pieces_give_the_same_bits() {
        let (shape, tokens) = ([90, 40], 500);
        let dy = samples::floats(tokens * shape[0], Values::Plain, 5);
        let x = samples::floats(tokens * shape[1], Values::Plain, 6);
        let isa = Isa::detect();
        let whole = gradient(isa, [&dy, &x], shape, 0..90, &[0.0; 90 * 40]);
        let cut = 96; // whole chains
        let (dys, xs) = (dy.split_at(cut * shape[0]), x.split_at(cut * shape[1]));
        let mut pieces = Vec::new();
        for rows in [0..17, 17..90] {
            let start = vec![0.0; rows.len() * shape[1]];
            let first = gradient(isa, [dys.0, xs.0], shape, rows.clone(), &start);
            pieces.extend(gradient(isa, [dys.1, xs.1], shape, rows, &first));
        }
        assert_same_bits(&pieces, &whole, "pieces");
    }

    #[test]
    #[should_panic(expected = "rows 0..3 of 2")]
    fn rows_outside_the_weights_are_refused() {
        gradient(Isa::detect(), [&[1.0; 2], &[1.0; 4]], [2, 4], 0..3, &[0.0; 12]);
    }
}
