//! The matrix product with stored weights.

use crate::chains::Chains;
use crate::isa::Isa;
use crate::lanes::LANES;
use crate::matrix::Matrix;
use crate::panel::{BAND_TOKENS, PANEL_COLUMNS, PANEL_ROWS, Stored};
use crate::scratch::Scratch;
use std::ops::Range;

/// `out[t][r - rows.start] = sum over k of w[r][k] * x[t][k]` for the outputs `rows` of `w`.
///
/// `x`: `[tokens, columns]`, any number of tokens; `out`: `[tokens, rows.len()]`. The sum is in the
/// canonical order, so an output has the same bits whichever rows and tokens are computed with it.
///
/// # Panics
/// When `x`, `rows`, `out` or the bytes of `w` do not fit together.
pub fn linear(
    isa: Isa,
    x: &[f32],
    w: &Matrix,
    rows: Range<usize>,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    w.check(&rows);
    assert!(w.columns > 0 || x.is_empty(), "x must be empty when there are no columns");
    let tokens = x.len().checked_div(w.columns).unwrap_or(0);
    assert_eq!(x.len(), tokens * w.columns, "x is [tokens, columns]");
    assert_eq!(out.len(), tokens * rows.len(), "out is [tokens, rows]");
    for first in rows.clone().step_by(PANEL_ROWS) {
        let panel_rows = first..(first + PANEL_ROWS).min(rows.end);
        for band in (0..tokens).step_by(BAND_TOKENS) {
            let band = band..(band + BAND_TOKENS).min(tokens);
            let (panel, sums) = scratch.linear();
            let x = &x[band.start * w.columns..band.end * w.columns];
            sum_band(isa, x, w, &panel_rows, panel, sums);
            for (token, sums) in band.zip(sums.chunks_exact(PANEL_ROWS)) {
                let at = token * rows.len() + panel_rows.start - rows.start;
                out[at..at + panel_rows.len()].copy_from_slice(&sums[..panel_rows.len()]);
            }
        }
    }
}

/// `sums[t][r]` for up to 64 tokens and 32 rows.
fn sum_band(
    isa: Isa,
    x: &[f32],
    w: &Matrix,
    rows: &Range<usize>,
    panel: &mut [f32],
    sums: &mut [f32],
) {
    let tokens = x.len() / w.columns;
    let halves = rows.len().div_ceil(LANES);
    sums[..tokens * PANEL_ROWS].fill(0.0);
    for from in (0..w.columns).step_by(PANEL_COLUMNS) {
        let len = PANEL_COLUMNS.min(w.columns - from);
        for (half, panel) in panel.chunks_exact_mut(PANEL_COLUMNS * LANES).enumerate().take(halves)
        {
            Stored::new(w, rows.start + half * LANES, rows.end, from, len).decode(isa, panel);
        }
        Chains {
            x: &x[from..],
            x_stride: w.columns,
            tokens,
            panel,
            step_stride: LANES,
            half_stride: PANEL_COLUMNS * LANES,
            halves,
            steps: 0..len,
            sums,
            sums_stride: PANEL_ROWS,
        }
        .run(isa);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::reference::{self, assert_same_bits};
    use crate::samples::{self, Values};
    use proptest::prelude::*;

    /// What one call gives.
    fn product(isa: Isa, x: &[f32], w: &Matrix, rows: Range<usize>) -> Vec<f32> {
        let tokens = x.len() / w.columns;
        let mut out = vec![f32::NAN; tokens * rows.len()];
        linear(isa, x, w, rows, &mut out, &mut Scratch::new());
        out
    }

    fn formats() -> impl Strategy<Value = Format> {
        proptest::sample::select(samples::formats())
    }

    /// Columns that the format allows, from `columns` on.
    fn whole_blocks(format: Format, columns: usize) -> usize {
        columns.next_multiple_of(format.block_len())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(250))]

        #[test]
        fn every_isa_gives_the_bits_of_the_reference(
            format in formats(), rows in 1usize..70, columns in 1usize..600, tokens in 1usize..11,
            values in samples::values(), seed: u64,
        ) {
            let columns = whole_blocks(format, columns);
            let bytes = samples::weights(format, rows, columns, values, seed);
            let w = Matrix::new(format, rows, columns, &bytes).unwrap();
            let x = samples::floats(tokens * columns, values, seed + 1);
            let expected = reference::linear(&x, &w, 0..rows);
            for isa in Isa::available() {
                assert_same_bits(&product(isa, &x, &w, 0..rows), &expected, isa.name());
            }
        }

        #[test]
        fn rows_in_pieces_and_tokens_alone_give_the_same_bits(
            format in formats(), cut in 0usize..=75, token in 0usize..70, seed: u64,
        ) {
            let (rows, tokens) = (75, 70); // more than a panel, more than a band
            let columns = whole_blocks(format, 320);
            let bytes = samples::weights(format, rows, columns, Values::Plain, seed);
            let w = Matrix::new(format, rows, columns, &bytes).unwrap();
            let x = samples::floats(tokens * columns, Values::Plain, seed + 1);
            let isa = Isa::detect();
            let whole = product(isa, &x, &w, 0..rows);
            let x = &x[token * columns..][..columns];
            let mut alone = product(isa, x, &w, 0..cut);
            alone.extend(product(isa, x, &w, cut..rows));
            assert_same_bits(&alone, &whole[token * rows..][..rows], "one token, two pieces");
        }
    }

    #[test]
    fn the_result_is_the_product() {
        for format in samples::formats() {
            let (rows, columns) = (40, 1024);
            let bytes = samples::weights(format, rows, columns, Values::Plain, 7);
            let w = Matrix::new(format, rows, columns, &bytes).unwrap();
            let x = samples::floats(columns, Values::Plain, 8);
            let out = product(Isa::detect(), &x, &w, 0..rows);
            let mut weights = vec![0.0; columns];
            for (row, out) in out.iter().enumerate() {
                w.decode_row(row, &mut weights);
                let products = weights.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x));
                let size: f64 = products.clone().map(f64::abs).sum();
                let error = (f64::from(*out) - products.sum::<f64>()).abs();
                assert!(error <= size * 1e-6, "{}: row {row} is off by {error}", format.name());
            }
        }
    }

    #[test]
    fn nothing_to_do_is_fine() {
        let w = Matrix::new(Format::F32, 3, 4, &[0; 48]).unwrap();
        assert!(product(Isa::detect(), &[], &w, 0..3).is_empty());
        assert!(product(Isa::detect(), &[1.0; 4], &w, 2..2).is_empty());
    }

    #[test]
    #[should_panic(expected = "rows 0..4 of 3")]
    fn rows_outside_the_matrix_are_refused() {
        let w = Matrix::new(Format::F32, 3, 4, &[0; 48]).unwrap();
        product(Isa::detect(), &[1.0; 4], &w, 0..4);
    }
}
