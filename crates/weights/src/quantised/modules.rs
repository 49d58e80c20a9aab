//! The tensors of one quantised module, looked up and checked.

use crate::data_type::DataType;
use crate::error::{Error, Result};
use crate::file::TensorFile;
use crate::tensor::Tensor;
use allod_kernels::{Format, Scale};

/// One matrix of the model by the name of its module, and the shape that it must have.
#[derive(Debug, Clone)]
pub(super) struct Module<'a> {
    file: &'a TensorFile,
    /// Name without the last part, `weight`.
    pub name: String,
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
}

impl<'a> Module<'a> {
    /// The module whose weight is called `weight`; none if that is no name of a weight.
    pub fn of(
        file: &'a TensorFile,
        weight: &str,
        rows: usize,
        columns: usize,
    ) -> Option<Module<'a>> {
        let name = weight.strip_suffix(".weight")?.to_string();
        (rows > 0 && columns > 0).then_some(Module { file, name, rows, columns })
    }

    /// The tensor called `part`, if there is one.
    pub fn find(&self, part: &str) -> Option<Tensor<'a>> {
        self.file.tensor(&format!("{}.{part}", self.name))
    }

    /// The tensor called `part`.
    pub fn tensor(&self, part: &str) -> Result<Tensor<'a>> {
        self.find(part)
            .ok_or_else(|| self.fault(format!("the tensor `{}.{part}` is missing", self.name)))
    }

    /// The tensor called `part`, of `shape` and one of `types`.
    pub fn shaped(&self, part: &str, types: &[&str], shape: &[u128]) -> Result<Tensor<'a>> {
        let tensor = self.tensor(part)?;
        self.check(&tensor, types, &[shape])?;
        Ok(tensor)
    }

    /// Whether `tensor` has one of `types` and of `shapes`.
    pub fn check(&self, tensor: &Tensor, types: &[&str], shapes: &[&[u128]]) -> Result<()> {
        let (name, found) = (tensor.name, tensor.data_type.to_string());
        if !types.contains(&found.as_str()) {
            let types = types.join(" or ");
            return Err(self.fault(format!("the tensor `{name}` has type {found}, not {types}")));
        }
        let same =
            |shape: &&&[u128]| tensor.shape.iter().map(|d| *d as u128).eq(shape.iter().copied());
        if shapes.iter().any(|shape| same(&shape)) {
            return Ok(());
        }
        let shapes: Vec<String> = shapes.iter().map(|shape| format!("{shape:?}")).collect();
        let (found, shapes) = (tensor.shape, shapes.join(" or "));
        Err(self.fault(format!("the tensor `{name}` has shape {found:?}, not {shapes}")))
    }

    /// The type of a tensor of scales.
    pub fn scale_type(&self, tensor: &Tensor) -> Result<Scale> {
        match tensor.data_type {
            DataType::Format(Format::F32) => Ok(Scale::F32),
            DataType::Format(Format::F16) => Ok(Scale::F16),
            DataType::Format(Format::BF16) => Ok(Scale::BF16),
            other => {
                let what = format!("the scales `{}` have type {other}", tensor.name);
                Err(self.fault(format!("{what}, not F32, F16 or BF16")))
            }
        }
    }

    /// An error about this module's tensors.
    pub fn fault(&self, what: String) -> Error {
        let file = self.file.paths().next().unwrap_or(std::path::Path::new("")).to_path_buf();
        Error::Quantised { file, what }
    }
}

/// How many words of 32 bits hold `count` numbers of `bits` bits, one after the other.
pub(super) fn words(count: usize, bits: u32) -> u128 {
    (count as u128 * u128::from(bits)).div_ceil(32)
}
