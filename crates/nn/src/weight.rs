//! Weights as operations see them: trained or frozen.

use crate::parameters::{ParameterId, Parameters};
use allod_kernels::Matrix;
use std::ops::Range;

/// A matrix of weights `[outputs, inputs]`; those of several experts stand one after the other.
#[derive(Debug, Clone, Copy)]
pub enum Weight<'a> {
    /// A parameter: it gets a gradient.
    Trained(ParameterId),
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
    /// All of it, or its rows.
    pub(crate) fn matrix(self, parameters: &'a Parameters) -> Matrix<'a> {
        match self {
            Weight::Frozen(matrix) => matrix,
            Weight::Trained(id) => {
                let parameter = parameters.get(id);
                Matrix::of_floats(parameter.rows(), parameter.columns(), &parameter.values)
            }
        }
    }

    pub(crate) fn all(self, parameters: &'a Parameters) -> WeightRows<'a> {
        WeightRows { weight: self, rows: 0..self.matrix(parameters).rows }
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
        let rows = self.matrix(parameters).rows;
        assert!(rows.is_multiple_of(count), "{rows} rows of weights for {count} experts");
        let share = rows / count;
        WeightRows { weight: self, rows: index * share..(index + 1) * share }
    }
}

impl<'a> WeightRows<'a> {
    pub fn matrix(&self, parameters: &'a Parameters) -> Matrix<'a> {
        let whole = self.weight.matrix(parameters);
        let row_bytes = whole.row_bytes();
        let bytes = &whole.bytes[self.rows.start * row_bytes..self.rows.end * row_bytes];
        Matrix { rows: self.rows.len(), bytes, ..whole }
    }

    /// The parameter behind it.
    pub fn trained(&self) -> Option<ParameterId> {
        match self.weight {
            Weight::Trained(id) => Some(id),
            Weight::Frozen(_) => None,
        }
    }
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
