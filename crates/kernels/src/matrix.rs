//! A weight matrix as it lies in a file.
#![allow(unsafe_code)] // floats in memory are seen as the bytes that a file would have

use crate::format::{Format, decode_row};
use std::ops::Range;

/// What can be wrong with the description of a matrix, or with values to be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The row length is not a whole number of blocks, or the size overflows.
    #[error(
        "a {format} matrix cannot have {rows} rows of {columns} columns: rows are whole blocks of \
         {block_len} weights; check the tensor's shape"
    )]
    Shape {
        /// Name of the format.
        format: &'static str,
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        columns: usize,
        /// Weights per block of the format.
        block_len: usize,
    },
    /// The bytes do not match the shape.
    #[error(
        "a {format} matrix of {rows} x {columns} takes {expected} bytes, but {found} were given; \
         the file is cut short or its shape is wrong"
    )]
    Length {
        /// Name of the format.
        format: &'static str,
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        columns: usize,
        /// Bytes that the shape takes.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// There is no encoder for the format.
    #[error("weights cannot be written as {format}; {} can", crate::encode::encodable_names())]
    NoEncoder {
        /// Name of the format.
        format: &'static str,
    },
    /// A value that the format cannot hold.
    #[error("value {index} of a row, {value}, cannot be held in {format}; take a wider format")]
    Value {
        /// Name of the format.
        format: &'static str,
        /// Its place in the row.
        index: usize,
        /// The value, as text.
        value: String,
    },
}

/// A row-major matrix of weights in its stored format; a row is one output. Borrowed, so it can lie
/// in a memory-mapped file; no alignment is needed.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Storage format of every row.
    pub format: Format,
    /// Number of outputs.
    pub rows: usize,
    /// Number of inputs (the length of a row in weights).
    pub columns: usize,
    /// The rows one after the other, without padding.
    pub bytes: &'a [u8],
}

impl<'a> Matrix<'a> {
    /// A matrix whose bytes match its shape.
    pub fn new(
        format: Format,
        rows: usize,
        columns: usize,
        bytes: &'a [u8],
    ) -> Result<Matrix<'a>, Error> {
        let (name, block_len) = (format.name(), format.block_len());
        let expected = format.row_bytes(columns).and_then(|row| row.checked_mul(rows));
        let Some(expected) = expected else {
            return Err(Error::Shape { format: name, rows, columns, block_len });
        };
        if bytes.len() != expected {
            let found = bytes.len();
            return Err(Error::Length { format: name, rows, columns, expected, found });
        }
        Ok(Matrix { format, rows, columns, bytes })
    }

    /// The matrix of floats that lie in memory, row after row.
    ///
    /// # Panics
    /// When `values` is not `[rows, columns]`.
    pub fn of_floats(rows: usize, columns: usize, values: &'a [f32]) -> Matrix<'a> {
        const { assert!(cfg!(target_endian = "little"), "files and memory agree on bytes") };
        assert_eq!(rows.checked_mul(columns), Some(values.len()), "values are [rows, columns]");
        // SAFETY: the same memory for the same lifetime; every byte of a float is initialised and
        // bytes need no alignment.
        let bytes = unsafe {
            std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values))
        };
        Matrix { format: Format::F32, rows, columns, bytes }
    }

    /// Bytes of one row.
    ///
    /// # Panics
    /// When `columns` is not a whole number of blocks.
    pub fn row_bytes(&self) -> usize {
        self.format.row_bytes(self.columns).expect("columns are whole blocks")
    }

    /// The stored bytes of one row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &'a [u8] {
        let row_bytes = self.row_bytes();
        &self.bytes[row * row_bytes..(row + 1) * row_bytes]
    }

    /// The exact values of one row (an embedding, say); `out` is `[columns]`.
    pub fn decode_row(&self, row: usize, out: &mut [f32]) {
        decode_row(self.format, self.row(row), out);
    }

    /// The weights where they lie, if they are [`Format::F32`] in this processor's byte order and
    /// place.
    #[allow(unsafe_code)] // floats seen as such
    pub fn floats(&self) -> Option<&'a [f32]> {
        if self.format != Format::F32 || cfg!(target_endian = "big") {
            return None;
        }
        // SAFETY: any four bytes are a float, and `align_to` gives only aligned ones.
        let (before, floats, after) = unsafe { self.bytes.align_to::<f32>() };
        (before.is_empty() && after.is_empty()).then_some(floats)
    }

    /// Panics unless `rows` lie in the matrix and its bytes are all there.
    pub(crate) fn check(&self, rows: &Range<usize>) {
        let expected = self.row_bytes().checked_mul(self.rows);
        assert_eq!(expected, Some(self.bytes.len()), "bytes of the matrix");
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_checked() {
        assert!(Matrix::new(Format::Q8_0, 2, 32, &[0; 68]).is_ok());
        let ragged = Matrix::new(Format::Q8_0, 2, 33, &[0; 68]).unwrap_err();
        assert!(matches!(ragged, Error::Shape { columns: 33, block_len: 32, .. }));
        let short = Matrix::new(Format::F32, 2, 2, &[0; 15]).unwrap_err();
        assert!(matches!(short, Error::Length { expected: 16, found: 15, .. }));
        assert!(Matrix::new(Format::F32, usize::MAX, 2, &[]).is_err());
    }

    #[test]
    fn floats_in_memory_are_a_matrix() {
        let matrix = Matrix::of_floats(2, 2, &[1.0, -2.0, 3.5, f32::MIN_POSITIVE]);
        let mut out = [0.0; 2];
        matrix.decode_row(1, &mut out);
        assert_eq!(out, [3.5, f32::MIN_POSITIVE]);
    }

    #[test]
    fn a_row_is_cut_out_and_decoded() {
        let bytes: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|w| w.to_le_bytes()).collect();
        let matrix = Matrix::new(Format::F32, 2, 2, &bytes).unwrap();
        let mut out = [0.0; 2];
        matrix.decode_row(1, &mut out);
        assert_eq!(out, [3.0, 4.0]);
    }
}
