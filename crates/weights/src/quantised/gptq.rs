//! GPTQ as AutoGPTQ and GPTQModel write it.
//!
//! `qweight` `[in · bits / 32, out]`, numbers running down; `qzeros` `[groups, out · bits / 32]`,
//! running along; `scales` `[groups, out]`; `g_idx` `[in]`, the group of each input. Weight =
//! (q − z) · s in the type of the scales (GPTQModel 7.7.0, `nn_modules/qlinear/__init__.py`,
//! `pack_original` and `dequantize_weight`). Format `gptq` stores z − 1, `gptq_v2` stores z.

use super::awq::group_size;
use super::codes::Codes;
use super::modules::{Module, words};
use super::packed::{Groups, Packed};
use super::pattern::{EXPRESSIONS, Pattern};
use super::scales::{Element, Scales};
use super::settings::Settings;
use super::zeros::{Less, Zeros, has_largest};
use crate::error::Result;
use crate::tensor::Tensor;
use allod_kernels::Grouped;

/// What the settings say.
#[derive(Debug)]
pub(super) struct Gptq {
    usual: Layer,
    /// Settings of their own for modules that match, the first that does.
    special: Vec<(Pattern, Layer)>,
    less: Less,
    /// Whether zero points were written by a program that takes one off whole words.
    exact_zeros: bool,
}

/// Settings of a module.
#[derive(Debug, Clone, Copy)]
struct Layer {
    bits: u32,
    /// Columns that share a scale; none for all.
    group_size: Option<usize>,
    symmetric: bool,
    /// Whether the order of inputs was changed, so that only `g_idx` knows their groups.
    reordered: bool,
}

impl Gptq {
    /// Reads the settings.
    pub fn read(settings: &Settings) -> Result<Gptq> {
        let layout = settings.text(&["checkpoint_format", "format"])?;
        let less = match layout.as_deref() {
            None | Some("gptq") => Less::One,
            Some("gptq_v2") => Less::Nothing,
            Some(_) => {
                let key = settings.keys().find(|key| *key == "checkpoint_format");
                return Err(settings.refuse(key.unwrap_or("format"), "gptq and gptq_v2 are"));
            }
        };
        settings.refuse_any(&["is_marlin_format", "rotation", "planar"], "files without it are")?;
        if settings.text(&["pack_dtype"])?.is_some_and(|word| !word.ends_with("int32")) {
            return Err(settings.refuse("pack_dtype", "int32 is"));
        }
        let usual = Layer { bits: 0, group_size: None, symmetric: true, reordered: false };
        let group_size = group_size(settings, &["group_size"])?;
        let usual = Layer { group_size, ..usual }.read(settings)?;
        if usual.bits == 0 {
            return Err(settings.bad("bits", "is missing"));
        }
        let special = match settings.object("dynamic")? {
            Some(dynamic) => read_special(&dynamic, usual)?,
            None => Vec::new(),
        };
        let exact_zeros = written_by_gptqmodel(settings)?;
        Ok(Gptq { usual, special, less, exact_zeros })
    }

    /// The matrix of a module, if it was quantised.
    pub fn packed<'a>(&self, module: Module<'a>) -> Result<Option<Packed<'a>>> {
        if module.find("qweight").is_none() {
            return Ok(None);
        }
        let mut layer = self.usual;
        for (pattern, special) in &self.special {
            if pattern.matches(&module.name)? {
                layer = *special;
                break;
            }
        }
        let (bits, rows, columns) = (layer.bits, module.rows, module.columns);
        let length = layer.group_size.unwrap_or(columns).min(columns);
        let count = columns.div_ceil(length);
        let codes = module.shaped("qweight", &["I32"], &[words(columns, bits), rows as u128])?;
        let zeros = module.shaped("qzeros", &["I32"], &[count as u128, words(rows, bits)])?;
        let types = ["F16", "BF16", "F32"];
        let scales = module.shaped("scales", &types, &[count as u128, rows as u128])?;
        let kind = module.scale_type(&scales)?;
        if self.less == Less::One
            && !(layer.symmetric || self.exact_zeros)
            && has_largest(zeros.bytes, rows, bits)
        {
            let what = format!("`{}` holds a zero point one below zero: the file", zeros.name);
            let known = "was written by a program that damages such numbers; use format gptq_v2";
            return Err(module.fault(format!("{what} {known}")));
        }
        let mut tensors = vec![codes.name, zeros.name, scales.name];
        let groups = layer.groups(&module, length, count, &mut tensors)?;
        Ok(Some(Packed {
            rows,
            columns,
            kind: if bits <= 4 { Grouped::Int4(kind) } else { Grouped::Int8(kind) },
            codes: Codes::Down { words: codes.bytes, bits },
            scales: Scales {
                element: Element::Number(kind),
                bytes: scales.bytes,
                rows_each: 1,
                row_stride: 1,
                group_stride: rows,
            },
            zeros: Zeros::Across { words: zeros.bytes, bits, less: self.less },
            groups,
            tensors,
        }))
    }
}

impl Layer {
    /// These settings, changed where `settings` say something else.
    fn read(self, settings: &Settings) -> Result<Layer> {
        let bits = match settings.integer(&["bits"])? {
            Some(bits @ (2 | 3 | 4 | 8)) => bits as u32,
            Some(_) => return Err(settings.refuse("bits", "2, 3, 4 and 8 are")),
            None => self.bits,
        };
        let group_size = match settings.integer(&["group_size"])? {
            Some(_) => group_size(settings, &["group_size"])?,
            None => self.group_size,
        };
        Ok(Layer {
            bits,
            group_size,
            symmetric: settings.truth("sym")?.unwrap_or(self.symmetric),
            reordered: settings.truth("desc_act")?.unwrap_or(self.reordered),
        })
    }

    /// The groups of a module's columns: `length` in a row, unless `g_idx` says otherwise.
    fn groups<'a>(
        &self,
        module: &Module<'a>,
        length: usize,
        count: usize,
        tensors: &mut Vec<&'a str>,
    ) -> Result<Groups> {
        if module.find("g_idx").is_none() && !self.reordered {
            return Ok(Groups::Every(length));
        }
        let index = module.shaped("g_idx", &["I32"], &[module.columns as u128])?;
        tensors.push(index.name);
        let listed = indices(module, &index, count)?;
        let plain = listed.iter().enumerate().all(|(column, group)| *group == column / length);
        Ok(if plain { Groups::Every(length) } else { Groups::Listed(listed) })
    }
}

/// The groups that an index names, each below `count`.
pub(super) fn indices(module: &Module, index: &Tensor, count: usize) -> Result<Vec<usize>> {
    let size = if index.data_type.to_string() == "I64" { 8 } else { 4 };
    let number = |bytes: &[u8]| -> i64 {
        let mut wide = [if bytes[size - 1] > 127 { 255 } else { 0 }; 8];
        wide[..size].copy_from_slice(bytes);
        i64::from_le_bytes(wide)
    };
    let group = |bytes: &[u8]| {
        let found = number(bytes);
        usize::try_from(found).ok().filter(|group| *group < count).ok_or_else(|| {
            module.fault(format!("`{}` holds {found}, not a number below {count}", index.name))
        })
    };
    index.bytes.chunks_exact(size).map(group).collect()
}

/// Settings for some modules: `+:pattern` or `pattern` with settings, `-:pattern` for those that
/// were not quantised (whose tensors say so themselves).
fn read_special(dynamic: &Settings, usual: Layer) -> Result<Vec<(Pattern, Layer)>> {
    let mut special = Vec::new();
    if dynamic.keys().count() > EXPRESSIONS {
        return Err(dynamic.whole(&format!("has more than {EXPRESSIONS} expressions")));
    }
    for key in dynamic.keys().filter(|key| !key.starts_with("-:")) {
        let pattern = key.strip_prefix("+:").unwrap_or(key);
        let pattern = Pattern::regular(pattern).map_err(|error| dynamic.bad(key, &error))?;
        if let Some(settings) = dynamic.object(key)? {
            special.push((pattern, usual.read(&settings)?));
        }
    }
    Ok(special)
}

/// Whether the file's maker is GPTQModel, which takes one off whole words since version 0.9.
fn written_by_gptqmodel(settings: &Settings) -> Result<bool> {
    let Some(meta) = settings.object("meta")? else { return Ok(false) };
    let is = |text: &str| text.to_lowercase().starts_with("gptqmodel:");
    match meta.text(&["quantizer"]) {
        Ok(name) => Ok(name.is_some_and(|name| is(&name))),
        Err(_) => Ok(meta.texts("quantizer")?.is_some_and(|names| names.into_iter().any(is))),
    }
}
