//! The change of one matrix.

use allod_kernels::{Format, Matrix};

/// `scale * B * A`, of a low rank, to be added to a matrix `[outputs, inputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank {
    rank: usize,
    scale: f32,
    inputs: usize,
    outputs: usize,
    /// `[rank, inputs]`, 32-bit floats, little endian: as a matrix product reads them.
    a: Vec<u8>,
    /// `[outputs, rank]`
    b: Vec<u8>,
}

impl LowRank {
    /// A change with the factors `a`, `[rank, inputs]`, and `b`, `[outputs, rank]`, row after row.
    /// For a token embedding, outputs are tokens and inputs the width.
    ///
    /// # Panics
    /// If the rank is 0 or the factors are not whole numbers of rows.
    pub fn new(rank: usize, a: &[f32], b: &[f32], scale: f32) -> LowRank {
        assert!(rank > 0, "a rank is at least 1");
        let rows = a.len().is_multiple_of(rank) && b.len().is_multiple_of(rank);
        assert!(rows, "{} and {} values are no rows of rank {rank}", a.len(), b.len());
        let (inputs, outputs) = (a.len() / rank, b.len() / rank);
        LowRank { rank, scale, inputs, outputs, a: bytes(a), b: bytes(b) }
    }

    /// Rows of A.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// What the product is multiplied with.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// Columns of A.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Rows of B.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// A: `[rank, inputs]`.
    pub fn a(&self) -> Vec<f32> {
        values(&self.a)
    }

    /// B: `[outputs, rank]`.
    pub fn b(&self) -> Vec<f32> {
        values(&self.b)
    }

    /// A, to multiply with.
    pub(crate) fn a_matrix(&self) -> Matrix<'_> {
        Matrix { format: Format::F32, rows: self.rank, columns: self.inputs, bytes: &self.a }
    }

    /// B, to multiply with.
    pub(crate) fn b_matrix(&self) -> Matrix<'_> {
        Matrix { format: Format::F32, rows: self.outputs, columns: self.rank, bytes: &self.b }
    }

    /// The bytes of A turned: `[inputs, rank]`.
    pub(crate) fn a_turned(&self) -> Vec<u8> {
        bytes(&turned(&self.a(), self.inputs))
    }

    /// Whether both multiply the same A with the same scale.
    pub(super) fn shares_a(&self, other: &LowRank) -> bool {
        (self.rank, self.scale, &self.a) == (other.rank, other.scale, &other.a)
    }

    /// Everything in bytes, for a digest.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend((self.rank as u64).to_le_bytes());
        out.extend(self.scale.to_le_bytes());
        out.extend(&self.a);
        out.extend(&self.b);
    }
}

/// Columns as rows: `[width, rows]` of `[rows, width]`.
pub(super) fn turned(values: &[f32], width: usize) -> Vec<f32> {
    (0..width).flat_map(|column| values.iter().skip(column).step_by(width).copied()).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn values(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks();
    values.iter().map(|value| f32::from_le_bytes(*value)).collect()
}
