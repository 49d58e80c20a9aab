//! Values in rows.

/// Values `[rows, width]`, row after row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensor {
    /// Number of rows.
    pub rows: usize,
    /// Values of a row.
    pub width: usize,
    /// `rows * width` values.
    pub values: Vec<f32>,
}

impl Tensor {
    /// A tensor of the given values.
    ///
    /// # Panics
    /// When there are not `rows * width` of them.
    pub fn new(rows: usize, width: usize, values: Vec<f32>) -> Tensor {
        assert_eq!(Some(values.len()), rows.checked_mul(width), "values of [{rows}, {width}]");
        Tensor { rows, width, values }
    }

    /// A single number, `[1, 1]`.
    pub fn scalar(value: f32) -> Tensor {
        Tensor::new(1, 1, vec![value])
    }

    /// One row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// The number in a tensor of one.
    ///
    /// # Panics
    /// When there are more or none.
    pub fn item(&self) -> f32 {
        assert_eq!(self.values.len(), 1, "a single number, not [{}, {}]", self.rows, self.width);
        self.values[0]
    }
}
