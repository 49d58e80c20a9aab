//! compressed-tensors: groups of modules, each with a scheme and a format.
//!
//! Written from version 0.20.0: `compressors/*/base.py`, `compressors/pack_quantized/helpers.py`,
//! `compressors/nvfp4/helpers.py`, `compressors/mx_utils.py`,
//! `quantization/lifecycle/forward_helpers.py` (`_dequantize`), `quantization/lifecycle/apply.py`.

use super::codes::Codes;
use super::gptq::indices;
use super::modules::{Module, words};
use super::packed::{Groups, Packed};
use super::pattern::{EXPRESSIONS, Pattern};
use super::scales::{Element, Scales};
use super::settings::Settings;
use super::zeros::Zeros;
use crate::error::Result;
use allod_kernels::{Grouped, Scale};

/// What the settings say.
#[derive(Debug)]
pub(super) struct Compressed {
    /// Modules that were left as they are.
    ignore: Vec<Pattern>,
    /// Which scheme modules have: names, then expressions, then kinds.
    targets: Vec<(Pattern, usize)>,
    schemes: Vec<Scheme>,
}

/// How the matrices of some modules are stored.
#[derive(Debug, Clone, Copy)]
struct Scheme {
    form: Form,
    bits: u32,
    symmetric: bool,
    strategy: Strategy,
}

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Whole numbers in words of 32 bits.
    Pack,
    /// Whole numbers in bytes.
    Bytes,
    /// 8-bit floats.
    Float8,
    /// 8-bit floats; scales are powers of two.
    MxFloat8,
    /// 4-bit floats; scales are powers of two.
    MxFloat4,
    /// 4-bit floats; scales are 8-bit floats over one number.
    NvFloat4,
}

/// Which weights share a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strategy {
    Tensor,
    Channel,
    Group(usize),
    /// Rows and columns.
    Block(usize, usize),
}

/// The formats that are read, for messages.
const FORMATS: &str = "pack-quantized, int-quantized, float-quantized, naive-quantized, \
                       mxfp4-pack-quantized, mxfp8-quantized and nvfp4-pack-quantized are";
/// Tensors that describe activations, which are not rounded here.
const ACTIVATIONS: [&str; 3] = ["input_scale", "input_zero_point", "input_global_scale"];

impl Compressed {
    /// Reads the settings.
    pub fn read(settings: &Settings) -> Result<Compressed> {
        settings.refuse_any(&["kv_cache_scheme", "transform_config"], "files without it are")?;
        if let Some(sparsity) = settings.object("sparsity_config")?
            && sparsity.text(&["format"])?.is_some_and(|format| format != "dense")
        {
            return Err(sparsity.refuse("format", "dense matrices are"));
        }
        let usual = settings.text(&["format"])?;
        let groups = settings.object("config_groups")?;
        let groups = groups.ok_or_else(|| settings.bad("config_groups", "is missing"))?;
        let pattern = |key: &str, text: &str| {
            Pattern::new(text).map_err(|error| settings.bad(key, &format!("`{text}` {error}")))
        };
        let (mut targets, mut schemes) = (Vec::new(), Vec::new());
        for key in groups.keys() {
            let Some(group) = groups.object(key)? else { continue };
            let Some(scheme) = Scheme::read(&group, usual.as_deref())? else { continue };
            let names = group.texts("targets")?;
            let names = names.ok_or_else(|| group.bad("targets", "is missing"))?;
            targets.extend(names.into_iter().map(|name| (name, schemes.len())));
            schemes.push(scheme);
        }
        let ignore = settings.texts("ignore")?.unwrap_or_default();
        let is_expression = |text: &&str| text.starts_with("re:");
        let named = targets.iter().map(|(name, _)| *name).chain(ignore.iter().copied());
        if named.filter(is_expression).count() > EXPRESSIONS {
            return Err(settings.bad("ignore", &format!("has more than {EXPRESSIONS} expressions")));
        }
        // Of two groups with the same target the later counts.
        targets.reverse();
        targets.sort_by_key(|(name, _)| (is_expression(name), *name));
        let targets =
            targets.into_iter().map(|(name, at)| Ok((pattern("config_groups", name)?, at)));
        let ignore = ignore.into_iter().map(|name| pattern("ignore", name));
        let (targets, ignore) = (targets.collect::<Result<_>>()?, ignore.collect::<Result<_>>()?);
        Ok(Compressed { ignore, targets, schemes })
    }

    /// The matrix of a module, if it was quantised.
    pub fn packed<'a>(&self, module: Module<'a>) -> Result<Option<Packed<'a>>> {
        if module.find("weight_packed").or(module.find("weight_scale")).is_none() {
            return Ok(None);
        }
        match self.scheme(&module.name)? {
            Some(scheme) => scheme.packed(&module).map(Some),
            None => {
                let name = &module.name;
                Err(module.fault(format!("`{name}` is quantised, but by the settings it is not")))
            }
        }
    }

    /// The scheme of the module `name`.
    fn scheme(&self, name: &str) -> Result<Option<&Scheme>> {
        let kind = if name.ends_with("embed_tokens") { "Embedding" } else { "Linear" };
        for pattern in &self.ignore {
            if pattern.matches(name)? || pattern.is_kind(kind) {
                return Ok(None);
            }
        }
        for (pattern, scheme) in &self.targets {
            if pattern.matches(name)? {
                return Ok(self.schemes.get(*scheme));
            }
        }
        let by_kind = self.targets.iter().find(|(pattern, _)| pattern.is_kind(kind));
        Ok(by_kind.and_then(|(_, scheme)| self.schemes.get(*scheme)))
    }
}

impl Scheme {
    /// Reads a group's settings; none if its weights are as they were.
    fn read(group: &Settings, usual: Option<&str>) -> Result<Option<Scheme>> {
        group.refuse_any(&["output_activations"], "schemes without it are")?;
        let Some(weights) = group.object("weights")? else { return Ok(None) };
        let own = group.text(&["format"])?;
        let format = own.as_deref().or(usual).unwrap_or("");
        let bits = weights.integer(&["num_bits"])?.unwrap_or(8);
        let kind = weights.text(&["type"])?;
        let form = match (format, kind.as_deref().unwrap_or("int"), bits) {
            ("pack-quantized", "int", 1..=8) => Form::Pack,
            ("int-quantized" | "naive-quantized", "int", 1..=8) => Form::Bytes,
            ("float-quantized" | "naive-quantized", "float", 8) => Form::Float8,
            ("mxfp8-quantized", "float", 8) => Form::MxFloat8,
            ("mxfp4-pack-quantized", "float", 4) => Form::MxFloat4,
            ("nvfp4-pack-quantized", "float", 4) => Form::NvFloat4,
            (_, kind, bits) => {
                let what = format!("the format `{format}` with `{kind}` of {bits} bits");
                return Err(super::unsupported(group.file(), &what, FORMATS));
            }
        };
        if weights.truth("dynamic")? == Some(true) {
            return Err(weights.refuse("dynamic", "weights with scales of their own are"));
        }
        let strategy = Strategy::read(&weights, form)?;
        let symmetric = weights.truth("symmetric")?.unwrap_or(true);
        if !symmetric && !matches!(form, Form::Pack | Form::Bytes) {
            return Err(weights.refuse("symmetric", "floats without zero points are"));
        }
        Ok(Some(Scheme { form, bits: bits as u32, symmetric, strategy }))
    }

    fn packed<'a>(&self, module: &Module<'a>) -> Result<Packed<'a>> {
        let (rows, columns) = (module.rows, module.columns);
        let mut tensors = Vec::new();
        let codes = self.codes(module, &mut tensors)?;
        let groups = self.groups(module, &mut tensors)?;
        let (scales, kind) = self.scales(module, &mut tensors)?;
        let zeros = self.zeros(module, &mut tensors)?;
        tensors.extend(ACTIVATIONS.iter().filter_map(|part| Some(module.find(part)?.name)));
        Ok(Packed { rows, columns, kind, codes, scales, zeros, groups, tensors })
    }

    fn codes<'a>(&self, module: &Module<'a>, tensors: &mut Vec<&'a str>) -> Result<Codes<'a>> {
        let (rows, columns, bits) = (module.rows as u128, module.columns as u128, self.bits);
        let mut tensor = |part: &str, kind: &str, width: u128| {
            let tensor = module.shaped(part, &[kind], &[rows, width])?;
            tensors.push(tensor.name);
            Ok(tensor.bytes)
        };
        match self.form {
            Form::Pack => {
                let words = tensor("weight_packed", "I32", words(module.columns, bits))?;
                self.check_stored_shape(module, tensors)?;
                Ok(Codes::Along { words, bits })
            }
            Form::Bytes => Ok(Codes::Bytes { bytes: tensor("weight", "I8", columns)?, flip: 0x80 }),
            Form::Float8 | Form::MxFloat8 => {
                Ok(Codes::Bytes { bytes: tensor("weight", "F8_E4M3", columns)?, flip: 0 })
            }
            Form::MxFloat4 | Form::NvFloat4 if columns.is_multiple_of(2) => {
                Ok(Codes::Nibbles { bytes: tensor("weight_packed", "U8", columns / 2)? })
            }
            Form::MxFloat4 | Form::NvFloat4 => {
                Err(module.fault(format!("`{}` has {columns} inputs, an odd number", module.name)))
            }
        }
    }

    /// Whether `weight_shape`, where there is one, holds the matrix's shape.
    fn check_stored_shape<'a>(
        &self,
        module: &Module<'a>,
        tensors: &mut Vec<&'a str>,
    ) -> Result<()> {
        if module.find("weight_shape").is_none() {
            return Ok(());
        }
        let shape = module.shaped("weight_shape", &["I64", "I32"], &[2])?;
        tensors.push(shape.name);
        let found = indices(module, &shape, usize::MAX)?;
        if found != [module.rows, module.columns] {
            let (rows, columns) = (module.rows, module.columns);
            let what = format!("`{}` holds {found:?}, not [{rows}, {columns}]", shape.name);
            return Err(module.fault(what));
        }
        Ok(())
    }

    fn groups<'a>(&self, module: &Module<'a>, tensors: &mut Vec<&'a str>) -> Result<Groups> {
        let columns = module.columns;
        let length = match self.strategy {
            Strategy::Tensor | Strategy::Channel => columns,
            Strategy::Block(_, width) => width,
            Strategy::Group(length) if columns.is_multiple_of(length) => length,
            Strategy::Group(length) => {
                let what = format!("`{}` has {columns} inputs, no whole groups", module.name);
                return Err(module.fault(format!("{what} of {length}")));
            }
        };
        if module.find("weight_g_idx").is_none() {
            return Ok(Groups::Every(length));
        }
        let index = module.shaped("weight_g_idx", &["I32", "I64"], &[columns as u128])?;
        tensors.push(index.name);
        // Minus one throughout is how the library says that inputs are in order.
        if index.bytes.iter().all(|byte| *byte == u8::MAX) {
            return Ok(Groups::Every(length));
        }
        let listed = indices(module, &index, columns.div_ceil(length))?;
        let plain = listed.iter().enumerate().all(|(column, group)| *group == column / length);
        Ok(if plain { Groups::Every(length) } else { Groups::Listed(listed) })
    }

    fn scales<'a>(
        &self,
        module: &Module<'a>,
        tensors: &mut Vec<&'a str>,
    ) -> Result<(Scales<'a>, Grouped)> {
        let tensor = module.tensor("weight_scale")?;
        tensors.push(tensor.name);
        let (rows, columns) = (module.rows as u128, module.columns as u128);
        let (types, table): (&[&str], _) = match self.form {
            Form::MxFloat4 | Form::MxFloat8 => (&["U8", "F8_E8M0"], self.strategy),
            Form::NvFloat4 => (&["F8_E4M3"], self.strategy),
            _ => (&["F32", "F16", "BF16"], self.strategy),
        };
        let (rows_each, row_stride, group_stride) = match table {
            Strategy::Tensor => {
                module.check(&tensor, types, &[&[1], &[], &[1, 1]])?;
                (1, 0, 0)
            }
            Strategy::Channel => {
                module.check(&tensor, types, &[&[rows, 1], &[rows]])?;
                (1, 1, 0)
            }
            Strategy::Group(length) => {
                let groups = columns / length as u128;
                module.check(&tensor, types, &[&[rows, groups]])?;
                (1, groups as usize, 1)
            }
            Strategy::Block(height, width) => {
                let groups = columns.div_ceil(width as u128);
                module.check(&tensor, types, &[&[rows.div_ceil(height as u128), groups]])?;
                (height, groups as usize, 1)
            }
        };
        let (element, kind) = match self.form {
            Form::MxFloat4 => (Element::Exponent, Grouped::Float4),
            Form::MxFloat8 => (Element::Exponent, Grouped::Float8(Scale::BF16)),
            Form::NvFloat4 => {
                let whole = module.tensor("weight_global_scale")?;
                module.check(&whole, &["F32"], &[&[1], &[]])?;
                tensors.push(whole.name);
                let whole = f32::from_bits(super::bits::word(whole.bytes, 0));
                (Element::Float8Over(whole), Grouped::Float4)
            }
            Form::Float8 => {
                let scale = module.scale_type(&tensor)?;
                (Element::Number(scale), Grouped::Float8(scale))
            }
            Form::Pack | Form::Bytes => {
                let scale = module.scale_type(&tensor)?;
                let small = self.form == Form::Pack && self.bits <= 4;
                let kind = if small { Grouped::Int4(scale) } else { Grouped::Int8(scale) };
                (Element::Number(scale), kind)
            }
        };
        let bytes = tensor.bytes;
        Ok((Scales { element, bytes, rows_each, row_stride, group_stride }, kind))
    }

    fn zeros<'a>(&self, module: &Module<'a>, tensors: &mut Vec<&'a str>) -> Result<Zeros<'a>> {
        // What 0 is stored as: packed numbers count from the least one, bytes are signed.
        let middle = if self.form == Form::Bytes { 0x80 } else { 1 << (self.bits - 1) };
        let found = module.find("weight_zero_point");
        let Some(tensor) = found else {
            return match self.symmetric {
                true => Ok(Zeros::Same(middle)),
                false => module.tensor("weight_zero_point").map(|_| Zeros::Same(middle)),
            };
        };
        tensors.push(tensor.name);
        if self.symmetric {
            if tensor.bytes.iter().any(|byte| *byte != 0) {
                let what = format!("`{}` is not zero in a symmetric scheme", tensor.name);
                return Err(module.fault(what));
            }
            return Ok(Zeros::Same(middle));
        }
        let (rows, columns) = (module.rows as u128, module.columns as u128);
        let (groups, row_stride, group_stride) = match self.strategy {
            Strategy::Tensor => {
                module.check(&tensor, &["I8"], &[&[1], &[], &[1, 1]])?;
                (1, 0, 0)
            }
            Strategy::Channel => (1, 1, 0),
            Strategy::Group(length) => (columns / length as u128, columns as usize / length, 1),
            Strategy::Block(..) => {
                let what = format!("`{}` gives zero points to blocks", tensor.name);
                return Err(module.fault(what));
            }
        };
        if self.form == Form::Pack && self.strategy != Strategy::Tensor {
            module.check(&tensor, &["I32"], &[&[words(module.rows, self.bits), groups]])?;
            return Ok(Zeros::Down { words: tensor.bytes, bits: self.bits });
        }
        if self.strategy != Strategy::Tensor {
            module.check(&tensor, &["I8"], &[&[rows, groups], &[rows]])?;
        }
        let least = -(1_i16 << (self.bits - 1));
        let fits = |byte: &u8| (least..-least).contains(&i16::from(*byte as i8));
        if !tensor.bytes.iter().all(fits) {
            let what = format!("`{}` holds numbers of more than {} bits", tensor.name, self.bits);
            return Err(module.fault(what));
        }
        Ok(Zeros::Signed { bytes: tensor.bytes, middle, row_stride, group_stride })
    }
}

impl Strategy {
    /// Reads which weights share a scale.
    fn read(weights: &Settings, form: Form) -> Result<Strategy> {
        let size = weights.integer(&["group_size"])?;
        let group = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
        let named = weights.text(&["strategy"])?;
        let strategy = match (named.as_deref(), group) {
            (Some("tensor"), None) => Strategy::Tensor,
            (None, None) if size.is_none() => Strategy::Tensor,
            (Some("channel"), None) | (None, None) if size.is_none_or(|size| size == -1) => {
                Strategy::Channel
            }
            (Some("group" | "tensor_group") | None, Some(group)) => Strategy::Group(group),
            (Some("block"), None) => match weights.sizes("block_structure")?.as_deref() {
                Some([height, width]) => Strategy::Block(*height, *width),
                _ => return Err(weights.bad("block_structure", "is not [rows, columns]")),
            },
            _ => {
                let known = "tensor, channel, group, tensor_group and block are";
                return Err(weights.refuse("strategy", known));
            }
        };
        let fixed = match form {
            Form::MxFloat4 | Form::MxFloat8 => Some(Strategy::Group(32)),
            Form::NvFloat4 => Some(Strategy::Group(16)),
            _ => None,
        };
        match fixed {
            Some(fixed) if fixed != strategy => {
                Err(weights.refuse("group_size", "32 (MX formats) and 16 (NVFP4) are"))
            }
            _ => Ok(strategy),
        }
    }
}
