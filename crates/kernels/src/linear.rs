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
