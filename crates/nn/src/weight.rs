//! Weights as operations see them: trained or frozen.

use crate::parameters::{ParameterId, Parameters};
use crate::tensor::Tensor;
use allod_kernels::{Format, Matrix};
use std::ops::Range;
use std::sync::Arc;

/// A matrix of weights `[outputs, inputs]`; those of several experts stand one after the other.
#[derive(Debug, Clone, Copy)]
pub enum Weight<'a> {
    /// A parameter: it gets a gradient.
    Trained(ParameterId),
    /// A parameter whose values are rounded to what a format can hold, as if it had been stored
    /// so. The gradient goes straight through to the master (arXiv 1308.3432).
    Rounded(ParameterId, Format),
    /// Weights in any format, quantised ones too: they get none.
    Frozen(Matrix<'a>),
}

/// A vector of weights: a bias, the factors of a norm, sinks.
#[derive(Debug, Clone, Copy)]
pub enum Vector<'a> {
    /// A parameter: it gets a gradient.
    Trained(ParameterId),
    /// Values that get none.
    Frozen(&'a [f32]),
}

/// Some rows of a weight.
#[derive(Debug, Clone)]
pub(crate) struct WeightRows<'a> {
    pub weight: Weight<'a>,
    pub rows: Range<usize>,
}

/// Some values of a vector.
#[derive(Debug, Clone)]
pub(crate) struct VectorPart<'a> {
    pub vector: Vector<'a>,
    pub range: Range<usize>,
}

impl<'a> Weight<'a> {
    /// Outputs and inputs.
    pub(crate) fn shape(self, parameters: &Parameters) -> [usize; 2] {
        match self {
            Weight::Frozen(matrix) => [matrix.rows, matrix.columns],
            Weight::Trained(id) | Weight::Rounded(id, _) => {
                let parameter = parameters.get(id);
                [parameter.rows(), parameter.columns()]
            }
        }
    }

    /// The parameter behind it.
    pub(crate) fn trained(self) -> Option<ParameterId> {
        match self {
            Weight::Trained(id) | Weight::Rounded(id, _) => Some(id),
            Weight::Frozen(_) => None,
        }
    }

    pub(crate) fn all(self, parameters: &'a Parameters) -> WeightRows<'a> {
        WeightRows { weight: self, rows: 0..self.shape(parameters)[0] }
    }

    /// The rows of one of several matrices that stand one after the other.
    ///
    /// # Panics
    /// When the rows do not share out evenly.
    pub(crate) fn share(
        self,
        parameters: &'a Parameters,
        index: usize,
        count: usize,
    ) -> WeightRows<'a> {
        let [rows, _] = self.shape(parameters);
        assert!(rows.is_multiple_of(count), "{rows} rows of weights for {count} experts");
        let share = rows / count;
        WeightRows { weight: self, rows: index * share..(index + 1) * share }
    }
}

/// A weight as products take it.
pub(crate) enum Stored<'a> {
    AsIs(Matrix<'a>),
    Rounded(Arc<Tensor>, Range<usize>),
}

impl Stored<'_> {
    pub fn matrix(&self) -> Matrix<'_> {
        match self {
            Stored::AsIs(matrix) => *matrix,
            Stored::Rounded(all, rows) => {
                let values = &all.values[rows.start * all.width..rows.end * all.width];
                Matrix::of_floats(rows.len(), all.width, values)
            }
        }
    }
}

/// Some rows of a matrix.
pub(crate) fn rows_of<'a>(whole: Matrix<'a>, rows: &Range<usize>) -> Matrix<'a> {
    let row_bytes = whole.row_bytes();
    let bytes = &whole.bytes[rows.start * row_bytes..rows.end * row_bytes];
    Matrix { rows: rows.len(), bytes, ..whole }
}

impl<'a> Vector<'a> {
    pub(crate) fn values(self, parameters: &'a Parameters) -> &'a [f32] {
        match self {
            Vector::Trained(id) => &parameters.get(id).values,
            Vector::Frozen(values) => values,
        }
    }

    pub(crate) fn all(self, parameters: &'a Parameters) -> VectorPart<'a> {
        VectorPart { vector: self, range: 0..self.values(parameters).len() }
    }

    /// One of several vectors that stand one after the other.
    ///
    /// # Panics
    /// When the values do not share out evenly.
    pub(crate) fn share(
        self,
        parameters: &'a Parameters,
        index: usize,
        count: usize,
    ) -> VectorPart<'a> {
        let length = self.values(parameters).len();
        assert!(length.is_multiple_of(count), "{length} values for {count} experts");
        let share = length / count;
        VectorPart { vector: self, range: index * share..(index + 1) * share }
    }

    /// The parameter behind it.
    pub(crate) fn trained(self) -> Option<ParameterId> {
        match self {
            Vector::Trained(id) => Some(id),
            Vector::Frozen(_) => None,
        }
    }
}

impl<'a> VectorPart<'a> {
    pub fn values(&self, parameters: &'a Parameters) -> &'a [f32] {
        &self.vector.values(parameters)[self.range.clone()]
    }
}
