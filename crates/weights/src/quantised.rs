//! Checkpoints of Hugging Face's kind whose matrices were quantised: small numbers, scales and zero
//! points stand in tensors of their own, and `quantization_config` in config.json says how.
//!
//! | method | what is read |
//! |---|---|
//! | `awq` | AutoAWQ's `gemm` layout: 4 bits with zero points |
//! | `gptq` | 2, 3, 4 and 8 bits, formats `gptq` (v1) and `gptq_v2`, symmetric or not, `desc_act` |
//! | `compressed-tensors` | the forms below, and `mixed-precision` of them |
//!
//! The forms are `pack-quantized`, `int-quantized`, `float-quantized`, `naive-quantized`,
//! `mxfp4-pack-quantized` and `nvfp4-pack-quantized`.
//!
//! A weight is what the library that wrote the file makes of it, to the last bit: its product
//! rounded to the type of its scale (see [`Grouped`](allod_kernels::Grouped)). What a checkpoint
//! says about *activations* is not followed: they are computed in single precision.

mod awq;
mod bits;
mod codes;
mod compressed;
mod gptq;
mod modules;
mod packed;
mod pattern;
mod scales;
mod settings;
mod zeros;

use crate::error::{Error, Result};
use crate::file::TensorFile;
use modules::Module;
pub use packed::Packed;
use serde_json::{Map, Value};
use settings::Settings;
use std::path::Path;

/// Where a model's settings say how it was quantised.
const KEY: &str = "quantization_config";
/// Files that older versions of the libraries wrote instead, with the method they stand for.
const OLD_FILES: [(&str, &str); 2] =
    [("quantize_config.json", "gptq"), ("quant_config.json", "awq")];
/// The methods that are read, for messages.
const METHODS: &str = "awq, gptq and compressed-tensors are";

/// How the matrices of a checkpoint were quantised.
#[derive(Debug)]
pub struct Quantisation {
    method: Method,
}

#[derive(Debug)]
enum Method {
    Awq(awq::Awq),
    Gptq(gptq::Gptq),
    Compressed(compressed::Compressed),
}

impl Quantisation {
    /// What the settings `config` of the model in `folder` say; none for a model that was not
    /// quantised, or whose packing is the architecture's own (`mxfp4`).
    ///
    /// # Errors
    /// A method, format, width or option that is not read, by name.
    pub fn read(folder: &Path, config: &Map<String, Value>) -> Result<Option<Quantisation>> {
        let path = folder.join("config.json");
        if let Some(old) = config.get("compression_config").filter(|value| !value.is_null()) {
            let what =
                format!("the setting `compression_config` ({} bytes)", old.to_string().len());
            return Err(unsupported(&path, &what, "`quantization_config` is"));
        }
        match config.get(KEY) {
            None | Some(Value::Null) => Quantisation::read_old(folder),
            Some(Value::Object(map)) => {
                Quantisation::of(&Settings::new(&path, KEY, map), settings::method(map))
            }
            Some(_) => Err(Settings::new(&path, "", config).bad(KEY, "is not an object")),
        }
    }

    fn read_old(folder: &Path) -> Result<Option<Quantisation>> {
        for (name, method) in OLD_FILES {
            let path = folder.join(name);
            if path.is_file() {
                let map = settings::read_object(&path)?;
                return Quantisation::of(&Settings::new(&path, "", &map), Some(method));
            }
        }
        Ok(None)
    }

    fn of(settings: &Settings, method: Option<&str>) -> Result<Option<Quantisation>> {
        let method = match method.map(str::to_lowercase).as_deref() {
            Some("awq") => Method::Awq(awq::Awq::read(settings)?),
            Some("gptq") => Method::Gptq(gptq::Gptq::read(settings)?),
            Some("compressed-tensors") => {
                Method::Compressed(compressed::Compressed::read(settings)?)
            }
            Some("mxfp4") => return Ok(None),
            Some(name @ ("bitsandbytes" | "bnb")) => {
                let what = format!("the quantisation `{name}` (NF4, FP4 and LLM.int8)");
                let advice = "load the model in transformers, call `dequantize()` and save it \
                              again, or convert the original to GGUF";
                return Err(unsupported(settings.file(), &what, advice));
            }
            Some(other) => {
                let what = format!("the quantisation `{other}` (`{KEY}.quant_method`)");
                return Err(unsupported(settings.file(), &what, METHODS));
            }
            None => return Err(settings.bad("quant_method", "is missing")),
        };
        Ok(Some(Quantisation { method }))
    }

    /// The matrix of `[rows, columns]` that would be called `name` if it were not quantised, or
    /// none if it lies in the file as it is.
    ///
    /// # Errors
    /// Tensors that are missing, of another type or shape, or that hold numbers out of range.
    pub fn packed<'a>(
        &self,
        file: &'a TensorFile,
        name: &str,
        (rows, columns): (usize, usize),
    ) -> Result<Option<Packed<'a>>> {
        let Some(module) = Module::of(file, name, rows, columns) else { return Ok(None) };
        match &self.method {
            Method::Awq(awq) => awq.packed(module),
            Method::Gptq(gptq) => gptq.packed(module),
            Method::Compressed(compressed) => compressed.packed(module),
        }
    }

    /// Whether the tensor `name` belongs to no weight but changes nothing: older GPTQ files have a
    /// bias of zeros beside every matrix.
    pub fn is_idle(&self, file: &TensorFile, name: &str) -> bool {
        let Method::Gptq(_) = self.method else { return false };
        let quantised = |base: &str| file.tensor(&format!("{base}.qweight")).is_some();
        let zero = |byte: &u8| *byte == 0;
        name.strip_suffix(".bias").is_some_and(quantised)
            && file.tensor(name).is_some_and(|bias| bias.bytes.iter().all(zero))
    }
}

fn unsupported(file: &Path, what: &str, supported: &str) -> Error {
    Error::Unsupported {
        file: file.to_path_buf(),
        what: format!("{what} is not supported; {supported}"),
    }
}
