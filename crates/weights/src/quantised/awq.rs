//! AWQ as AutoAWQ writes it.
//!
//! `qweight` `[in, out / 8]`, `qzeros` `[in / g, out / 8]`, `scales` `[in / g, out]` in F16; weight
//! = (q − z) · s in half precision (AutoAWQ 0.2.9, `awq/modules/linear/gemm.py`,
//! `awq/utils/packing_utils.py`, `dequantize_gemm`).

use super::codes::Codes;
use super::modules::Module;
use super::packed::{Groups, Packed};
use super::scales::{Element, Scales};
use super::settings::Settings;
use super::zeros::Zeros;
use crate::error::Result;
use allod_kernels::Grouped;

/// What the settings say.
#[derive(Debug)]
pub(super) struct Awq {
    /// Columns that share a scale; none for all.
    group_size: Option<usize>,
}

impl Awq {
    /// Reads the settings.
    pub fn read(settings: &Settings) -> Result<Awq> {
        let four = "4 bits are";
        if settings.integer(&["bits", "w_bit"])?.unwrap_or(4) != 4 {
            return Err(settings.refuse("bits", four));
        }
        for key in ["version", "format", "checkpoint_format"] {
            if settings.text(&[key])?.is_some_and(|layout| layout != "gemm") {
                return Err(settings.refuse(key, "the layout `gemm` is"));
            }
        }
        if settings.text(&["backend"])?.is_some_and(|backend| backend.contains("llm-awq")) {
            return Err(settings.refuse("backend", "the layout `gemm` of AutoAWQ is"));
        }
        if settings.truth("zero_point")? == Some(false) {
            return Err(settings.refuse("zero_point", "zero points are"));
        }
        Ok(Awq { group_size: group_size(settings, &["group_size", "q_group_size"])? })
    }

    /// The matrix of a module, if it was quantised.
    pub fn packed<'a>(&self, module: Module<'a>) -> Result<Option<Packed<'a>>> {
        if module.find("qweight").is_none() {
            return Ok(None);
        }
        let (rows, columns) = (module.rows, module.columns);
        let length = self.group_size.unwrap_or(columns);
        if !rows.is_multiple_of(8) || !columns.is_multiple_of(length) {
            let name = &module.name;
            let what = format!("`{name}` of [{rows}, {columns}] is no whole number of 8 outputs");
            return Err(module.fault(format!("{what} and of groups of {length} inputs")));
        }
        let (packed, groups) = (rows as u128 / 8, (columns / length) as u128);
        let codes = module.shaped("qweight", &["I32"], &[columns as u128, packed])?;
        let zeros = module.shaped("qzeros", &["I32"], &[groups, packed])?;
        let types = ["F16", "BF16", "F32"];
        let scales = module.shaped("scales", &types, &[groups, rows as u128])?;
        let kind = module.scale_type(&scales)?;
        Ok(Some(Packed {
            rows,
            columns,
            kind: Grouped::Int4(kind),
            codes: Codes::Interleaved { words: codes.bytes },
            scales: Scales {
                element: Element::Number(kind),
                bytes: scales.bytes,
                rows_each: 1,
                row_stride: 1,
                group_stride: rows,
            },
            zeros: Zeros::Interleaved { words: zeros.bytes },
            groups: Groups::Every(length),
            tensors: vec![codes.name, zeros.name, scales.name],
        }))
    }
}

/// How many columns share a scale; none for all of them (−1).
pub(super) fn group_size(settings: &Settings, keys: &[&str]) -> Result<Option<usize>> {
    match settings.integer(keys)? {
        None => Ok(Some(128)),
        Some(-1) => Ok(None),
        Some(size) => match usize::try_from(size) {
            Ok(size @ 1..) => Ok(Some(size)),
            _ => Err(settings.bad(keys[0], &format!("is {size}, neither positive nor -1"))),
        },
    }
}
