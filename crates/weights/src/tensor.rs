//! One tensor of a file.

use crate::data_type::DataType;
use crate::error::{Error, Result};
use allod_kernels::{Format, Matrix, decode_row};
use std::path::Path;

/// A tensor: a name, a shape, and bytes in the map of its file.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    /// The name in the file.
    pub name: &'a str,
    /// Dimensions, outermost first; the last one is contiguous. (GGUF writes them the other way
    /// round; they are turned when read.)
    pub shape: &'a [usize],
    /// The element type.
    pub data_type: DataType,
    /// The elements. Empty where the type's size is not known.
    pub bytes: &'a [u8],
    pub(crate) file: &'a Path,
}

impl<'a> Tensor<'a> {
    /// The format to compute with, or an error that names the type.
    pub fn format(&self) -> Result<Format> {
        match self.data_type {
            DataType::Format(format) => Ok(format),
            other => Err(Error::UnsupportedType {
                file: self.file.to_path_buf(),
                tensor: self.name.to_string(),
                data_type: other.to_string(),
            }),
        }
    }

    /// The tensor as a matrix `[rows, columns]`.
    pub fn matrix(&self) -> Result<Matrix<'a>> {
        let &[rows, columns] = self.shape else {
            return Err(self.shape_error("a matrix has two dimensions"));
        };
        Ok(Matrix { format: self.format()?, rows, columns, bytes: self.bytes })
    }

    /// The values of a tensor with one dimension, decoded.
    pub fn vector(&self) -> Result<Vec<f32>> {
        let &[length] = self.shape else {
            return Err(self.shape_error("a vector has one dimension"));
        };
        let mut values = vec![0.0; length];
        decode_row(self.format()?, self.bytes, &mut values);
        Ok(values)
    }

    fn shape_error(&self, what: &str) -> Error {
        Error::Shape {
            file: self.file.to_path_buf(),
            tensor: self.name.to_string(),
            shape: self.shape.to_vec(),
            what: what.to_string(),
        }
    }
}

/// Where a tensor lies: what a reader finds, before the bytes are borrowed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub name: String,
    pub shape: Vec<usize>,
    pub data_type: DataType,
    /// Bytes of the file that hold the elements, checked to lie within it.
    pub range: std::ops::Range<usize>,
}
