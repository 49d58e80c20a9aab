//! Element types: those that can be computed with, and those that can only be named.

use allod_kernels::Format;
use std::fmt;

/// The element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// A type that the kernels compute with.
    Format(Format),
    /// A known type without a kernel: its name, values per block and bytes per block.
    Other(&'static str, usize, usize),
    /// A type known by name only; its size is not known.
    Named(&'static str),
    /// A ggml type number that is not known.
    Unknown(u32),
}

/// ggml type numbers (`ggml.h`, `enum ggml_type`) with their block geometry.
const GGML: &[(u32, DataType)] = &[
    (0, DataType::Format(Format::F32)),
    (1, DataType::Format(Format::F16)),
    (2, DataType::Format(Format::Q4_0)),
    (3, DataType::Format(Format::Q4_1)),
    (6, DataType::Format(Format::Q5_0)),
    (7, DataType::Format(Format::Q5_1)),
    (8, DataType::Format(Format::Q8_0)),
    (9, DataType::Other("Q8_1", 32, 36)),
    (10, DataType::Format(Format::Q2_K)),
    (11, DataType::Format(Format::Q3_K)),
    (12, DataType::Format(Format::Q4_K)),
    (13, DataType::Format(Format::Q5_K)),
    (14, DataType::Format(Format::Q6_K)),
    (15, DataType::Other("Q8_K", 256, 292)),
    (16, DataType::Other("IQ2_XXS", 256, 66)),
    (17, DataType::Other("IQ2_XS", 256, 74)),
    (18, DataType::Other("IQ3_XXS", 256, 98)),
    (19, DataType::Other("IQ1_S", 256, 50)),
    (20, DataType::Format(Format::IQ4_NL)),
    (21, DataType::Other("IQ3_S", 256, 110)),
    (22, DataType::Other("IQ2_S", 256, 82)),
    (23, DataType::Format(Format::IQ4_XS)),
    (24, DataType::Other("I8", 1, 1)),
    (25, DataType::Other("I16", 1, 2)),
    (26, DataType::Other("I32", 1, 4)),
    (27, DataType::Other("I64", 1, 8)),
    (28, DataType::Other("F64", 1, 8)),
    (29, DataType::Other("IQ1_M", 256, 56)),
    (30, DataType::Format(Format::BF16)),
    (34, DataType::Other("TQ1_0", 256, 54)),
    (35, DataType::Other("TQ2_0", 256, 66)),
    (39, DataType::Format(Format::MXFP4)),
    (40, DataType::Other("NVFP4", 64, 36)),
    (41, DataType::Named("Q1_0")),
    (42, DataType::Named("Q2_0")),
];

/// safetensors `dtype` names.
const SAFETENSORS: &[(&str, DataType)] = &[
    ("F32", DataType::Format(Format::F32)),
    ("F16", DataType::Format(Format::F16)),
    ("BF16", DataType::Format(Format::BF16)),
    ("BOOL", DataType::Other("BOOL", 1, 1)),
    ("U8", DataType::Other("U8", 1, 1)),
    ("I8", DataType::Other("I8", 1, 1)),
    ("F8_E5M2", DataType::Other("F8_E5M2", 1, 1)),
    ("F8_E4M3", DataType::Other("F8_E4M3", 1, 1)),
    ("F8_E8M0", DataType::Other("F8_E8M0", 1, 1)),
    ("U16", DataType::Other("U16", 1, 2)),
    ("I16", DataType::Other("I16", 1, 2)),
    ("U32", DataType::Other("U32", 1, 4)),
    ("I32", DataType::Other("I32", 1, 4)),
    ("U64", DataType::Other("U64", 1, 8)),
    ("I64", DataType::Other("I64", 1, 8)),
    ("F64", DataType::Other("F64", 1, 8)),
    ("C64", DataType::Other("C64", 1, 8)),
    ("F4", DataType::Other("F4", 2, 1)),
    ("F6_E2M3", DataType::Other("F6_E2M3", 4, 3)),
    ("F6_E3M2", DataType::Other("F6_E3M2", 4, 3)),
];

impl DataType {
    pub(crate) fn from_ggml(number: u32) -> DataType {
        let known = GGML.iter().find(|(known, _)| *known == number);
        known.map_or(DataType::Unknown(number), |(_, data_type)| *data_type)
    }

    pub(crate) fn to_ggml(self) -> Option<u32> {
        GGML.iter().find(|(_, known)| *known == self).map(|(number, _)| *number)
    }

    pub(crate) fn from_safetensors(name: &str) -> Option<DataType> {
        SAFETENSORS.iter().find(|(known, _)| *known == name).map(|(_, data_type)| *data_type)
    }

    pub(crate) fn to_safetensors(self) -> Option<&'static str> {
        SAFETENSORS.iter().find(|(_, known)| *known == self).map(|(name, _)| *name)
    }

    /// Values and bytes per block, where they are known.
    pub fn block(self) -> Option<(usize, usize)> {
        match self {
            DataType::Format(format) => Some((format.block_len(), format.block_bytes())),
            DataType::Other(_, values, bytes) => Some((values, bytes)),
            DataType::Named(_) | DataType::Unknown(_) => None,
        }
    }

    /// Bytes of a tensor of `shape` whose innermost dimension is stored in whole blocks. `None`
    /// where the type's size is not known; `Some(Err)` says why the shape cannot be stored.
    pub(crate) fn size(self, shape: &[usize]) -> Option<Result<usize, String>> {
        let (values, bytes) = self.block()?;
        let row = shape.last().copied().unwrap_or(1);
        if row % values != 0 {
            return Some(Err(format!("rows of {row} values are no whole number of {self} blocks")));
        }
        let outer = shape.iter().rev().skip(1);
        let size = outer.fold((row / values).checked_mul(bytes), |size, dimension| {
            size.and_then(|size| size.checked_mul(*dimension))
        });
        Some(size.ok_or_else(|| format!("shape {shape:?} overflows")))
    }
}

/// Refuses a shape whose values cannot be counted, or could not if no dimension were 0.
pub(crate) fn check_countable(shape: &[usize]) -> Result<(), String> {
    let count = |count: usize, dimension: &usize| count.checked_mul((*dimension).max(1));
    match shape.iter().try_fold(1, count) {
        Some(_) => Ok(()),
        None => Err(format!("has shape {shape:?}, more values than can be counted")),
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataType::Format(format) => out.write_str(format.name()),
            DataType::Other(name, ..) | DataType::Named(name) => out.write_str(name),
            DataType::Unknown(number) => write!(out, "ggml type {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_blocks() {
        let q8 = DataType::from_ggml(8);
        assert_eq!(q8.size(&[3, 64]), Some(Ok(3 * 2 * 34)));
        assert!(q8.size(&[3, 33]).unwrap().unwrap_err().contains("Q8_0"));
        assert!(DataType::from_ggml(0).size(&[usize::MAX, 2]).unwrap().is_err());
        assert_eq!(DataType::from_ggml(0).size(&[]), Some(Ok(4)));
        assert_eq!(DataType::from_ggml(99).size(&[1]), None);
        assert!(check_countable(&[usize::MAX, 0, 1]).is_ok());
        assert!(check_countable(&[1 << 40, 1 << 40, 0]).is_err());
        assert_eq!(DataType::from_ggml(99).to_string(), "ggml type 99");
        assert_eq!(DataType::from_ggml(14).size(&[3, 512]), Some(Ok(3 * 2 * 210)));
    }

    #[test]
    fn every_format_has_one_ggml_number() {
        for format in Format::ALL {
            let number = DataType::Format(format).to_ggml().unwrap();
            assert_eq!(DataType::from_ggml(number), DataType::Format(format));
        }
    }
}
