//! The gradient of a matrix product with respect to its input.

use crate::chains::Chains;
use crate::format::decode_row;
use crate::isa::Isa;
use crate::lanes::LANES;
use crate::matrix::Matrix;
use crate::panel::{BAND_TOKENS, PANEL_COLUMNS, PANEL_ROWS};
use crate::scratch::Scratch;
use std::ops::Range;

/// Weights that the panel of [`Scratch`] holds: some rows of some columns.
const PANEL: usize = PANEL_ROWS * PANEL_COLUMNS;

/// `dx[t][c - columns.start] = sum over r of dy[t][r] * w[r][c]`: what [`crate::linear`] with `w`
/// passes back to the `columns` of its input.
///
/// `dy`: `[tokens, w.rows]`, any number of tokens; `out`: `[tokens, columns.len()]`. The sum over r
/// is in the canonical order of [`crate::linear`], so an element has the same bits whichever tokens
/// and columns are computed with it.
///
/// # Panics
/// When `dy`, `columns`, `out` or the bytes of `w` do not fit together.
pub fn linear_input_gradient(
    isa: Isa,
    dy: &[f32],
    w: &Matrix,
    columns: Range<usize>,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    w.check(&(0..w.rows));
    assert!(columns.start <= columns.end && columns.end <= w.columns, "columns {columns:?}");
    assert!(w.rows > 0 || dy.is_empty(), "dy must be empty when there are no rows");
    let tokens = dy.len().checked_div(w.rows).unwrap_or(0);
    assert_eq!(dy.len(), tokens * w.rows, "dy is [tokens, rows]");
    assert_eq!(out.len(), tokens * columns.len(), "out is [tokens, columns]");
    out.fill(0.0);
    let width = PANEL_ROWS.max(w.format.block_len());
    for band in (0..tokens).step_by(BAND_TOKENS) {
        let band = band..(band + BAND_TOKENS).min(tokens);
        let dy = &dy[band.start * w.rows..band.end * w.rows];
        let out = &mut out[band.start * columns.len()..band.end * columns.len()];
        let first = columns.start / w.format.block_len() * w.format.block_len();
        for from in (first..columns.end).step_by(width) {
            for row in (0..w.rows).step_by(PANEL / width) {
                let rows = row..(row + PANEL / width).min(w.rows);
                let piece = Piece { rows, from, width };
                let (panel, sums) = scratch.linear();
                piece.decode(w, panel);
                piece.add(isa, dy, w.rows, panel, &columns, sums, out);
            }
        }
    }
}

/// Some rows of `width` columns, from column `from` on. The rows start at a multiple of 32.
struct Piece {
    rows: Range<usize>,
    from: usize,
    width: usize,
}

impl Piece {
    /// `panel[r - rows.start][c - from] = w[r][c]`; what lies beyond the matrix stays as it is.
    fn decode(&self, w: &Matrix, panel: &mut [f32]) {
        let len = self.width.min(w.columns - self.from);
        let (block_len, block_bytes) = (w.format.block_len(), w.format.block_bytes());
        let (offset, size) = (self.from / block_len * block_bytes, len / block_len * block_bytes);
        for (row, values) in self.rows.clone().zip(panel.chunks_exact_mut(self.width)) {
            decode_row(w.format, &w.row(row)[offset..offset + size], &mut values[..len]);
        }
    }

    /// Adds the products of the piece to those of `columns` that it has.
    #[allow(clippy::too_many_arguments)] // two inputs, their strides, the place, the result
    fn add(
        &self,
        isa: Isa,
        dy: &[f32],
        all_rows: usize,
        panel: &[f32],
        columns: &Range<usize>,
        sums: &mut [f32],
        out: &mut [f32],
    ) {
        let tokens = dy.len() / all_rows;
        let end = columns.end.min(self.from + self.width);
        for first in (columns.start.max(self.from)..end).step_by(PANEL_ROWS) {
            // Near the end of the panel fewer whole lanes are left; the last lanes of the panel
            // are then computed instead, and those not asked for are dropped.
            let lane = (first - self.from).min(self.width - PANEL_ROWS);
            let skip = first - self.from - lane;
            let len = (end - first).min(PANEL_ROWS - skip);
            let at = first - columns.start;
            let rows = out.chunks_exact_mut(columns.len()).zip(sums.chunks_exact_mut(PANEL_ROWS));
            rows.for_each(|(out, sums)| {
                sums[skip..skip + len].copy_from_slice(&out[at..at + len]);
            });
            Chains {
                x: &dy[self.rows.start..],
                x_stride: all_rows,
                tokens,
                panel: &panel[lane..],
                step_stride: self.width,
                half_stride: LANES,
                halves: (skip + len).div_ceil(LANES),
                steps: 0..self.rows.len(),
                sums,
                sums_stride: PANEL_ROWS,
            }
            .run(isa);
            let rows = out.chunks_exact_mut(columns.len()).zip(sums.chunks_exact(PANEL_ROWS));
            rows.for_each(|(out, sums)| {
                out[at..at + len].copy_from_slice(&sums[skip..skip + len]);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::reference::{self, assert_same_bits};
    use crate::samples::{self, Values};
    use proptest::prelude::*;

    fn gradient(isa: Isa, dy: &[f32], w: &Matrix, columns: Range<usize>) -> Vec<f32> {
        let mut out = vec![f32::NAN; dy.len() / w.rows * columns.len()];
        linear_input_gradient(isa, dy, w, columns, &mut out, &mut Scratch::new());
        out
    }

    fn formats() -> impl Strategy<Value = Format> {
        proptest::sample::select(samples::formats())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(120))]

        #[test]
        fn every_isa_gives_the_bits_of_the_reference(
            format in formats(), rows in 1usize..300, columns in 1usize..300, tokens in 1usize..11,
            ends in (0.0..1.0, 0.0..1.0), values in samples::values(), seed: u64,
        ) {
            let columns = columns.next_multiple_of(format.block_len());
            let bytes = samples::weights(format, rows, columns, values, seed);
            let w = Matrix::new(format, rows, columns, &bytes).unwrap();
            let dy = samples::floats(tokens * rows, values, seed + 1);
            let mut ends = [ends.0, ends.1].map(|part: f64| (part * columns as f64) as usize);
            ends.sort();
            let expected = reference::linear_input_gradient(&dy, &w, ends[0]..ends[1]);
            for isa in Isa::available() {
                assert_same_bits(&gradient(isa, &dy, &w, ends[0]..ends[1]), &expected, isa.name());
            }
        }
    }

    #[test]
    fn columns_in_pieces_and_tokens_alone_give_the_same_bits() {
        for format in [Format::F32, Format::Q4_K] {
            let (rows, columns, tokens) = (333, 512, 70);
            let bytes = samples::weights(format, rows, columns, Values::Plain, 3);
            let w = Matrix::new(format, rows, columns, &bytes).unwrap();
            let dy = samples::floats(tokens * rows, Values::Plain, 4);
            let isa = Isa::detect();
            let whole = gradient(isa, &dy, &w, 0..columns);
            for token in [0, 63, 69] {
                let dy = &dy[token * rows..][..rows];
                let mut alone = gradient(isa, dy, &w, 0..77);
                alone.extend(gradient(isa, dy, &w, 77..columns));
                assert_same_bits(&alone, &whole[token * columns..][..columns], "a token alone");
            }
        }
    }

    #[test]
    fn nothing_to_do_is_fine() {
        let w = Matrix::new(Format::F32, 3, 4, &[0; 48]).unwrap();
        assert!(gradient(Isa::detect(), &[], &w, 0..3).is_empty());
        assert!(gradient(Isa::detect(), &[1.0; 3], &w, 2..2).is_empty());
    }

    #[test]
    #[should_panic(expected = "columns 0..5")]
    fn columns_outside_the_matrix_are_refused() {
        let w = Matrix::new(Format::F32, 3, 4, &[0; 48]).unwrap();
        gradient(Isa::detect(), &[1.0; 3], &w, 0..5);
    }
}
