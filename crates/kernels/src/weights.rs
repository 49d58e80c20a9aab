//! The weights of a product, in either of the forms in which they lie in memory.

use crate::coded::{Coded, SPAN_TILES, TILE_COLUMNS};
use crate::format::Format;
use crate::isa::Isa;
use crate::lanes::LANES;
use crate::matrix::Matrix;
use crate::panel::{PANEL_COLUMNS, Stored};
use std::ops::Range;

/// A matrix of weights.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// As a file has them.
    Stored(Matrix<'a>),
    /// As [`Coded::pack`] puts them. Both forms have the same values.
    Coded(Coded<'a>),
}

/// Up to 256 columns of 16 rows.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The first row; the first of all that are wanted and a multiple of 16 more.
    pub first: usize,
    /// Where rows end. Those at and beyond it are computed too, and dropped.
    pub end: usize,
    /// A multiple of 256.
    pub from: usize,
    pub len: usize,
}

const _: () = assert!(PANEL_COLUMNS == SPAN_TILES * TILE_COLUMNS);

impl<'a> Weights<'a> {
    /// Outputs and inputs.
    pub fn shape(&self) -> [usize; 2] {
        match self {
            Weights::Stored(matrix) => [matrix.rows, matrix.columns],
            Weights::Coded(matrix) => [matrix.rows, matrix.columns],
        }
    }

    /// The format that they are from.
    pub fn format(&self) -> Format {
        match self {
            Weights::Stored(matrix) => matrix.format,
            Weights::Coded(matrix) => matrix.format,
        }
    }

    /// Panics unless there are such rows; those of codes start at a multiple of 16.
    pub(crate) fn check(&self, rows: &Range<usize>) {
        match self {
            Weights::Stored(matrix) => matrix.check(rows),
            Weights::Coded(matrix) => matrix.check(rows),
        }
    }

    /// The exact values of a part, `[len, 16]`, a lane being a row.
    pub(crate) fn decode(&self, isa: Isa, part: &Part, panel: &mut [f32]) {
        match self {
            Weights::Stored(matrix) => Weights::stored(matrix, part).decode(isa, panel),
            Weights::Coded(matrix) => {
                let panel = &mut panel.as_chunks_mut::<LANES>().0[..part.len];
                matrix.decode(isa, part.first / LANES, part.from, panel);
            }
        }
    }

    /// A part of what is stored.
    pub(crate) fn stored(matrix: &Matrix<'a>, part: &Part) -> Stored<'a> {
        Stored::new(matrix, part.first, part.end, part.from, part.len)
    }

    /// The exact values of one row.
    pub(crate) fn decode_row(&self, row: usize, out: &mut [f32]) {
        let matrix = match self {
            Weights::Stored(matrix) => return matrix.decode_row(row, out),
            Weights::Coded(matrix) => matrix,
        };
        for (part, out) in out.chunks_mut(PANEL_COLUMNS).enumerate() {
            let mut panel = [[0.0; LANES]; PANEL_COLUMNS];
            let panel = &mut panel[..out.len()];
            matrix.decode(Isa::Scalar, row / LANES, part * PANEL_COLUMNS, panel);
            out.iter_mut().zip(panel).for_each(|(out, lanes)| *out = lanes[row % LANES]);
        }
    }
}
