//! A checkpoint into another container or another format, tensor by tensor.
//!
//! The names come from the tables in `arch/` that loading uses; what is written is opened and
//! compared with the source before it takes the target's place, so a model that the container
//! cannot express is refused and never approximated.

mod check;
mod folder;
mod format;
mod gguf;
mod kind;
mod layout;
mod stream;

use crate::checkpoint::holds_encoder;
use crate::error::{Error, Result};
use crate::spec::{DecoderSpec, EncoderSpec};
use allod_kernels::Format;
use kind::Kind;
use std::path::Path;

/// What kind of file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// One GGUF file with settings, vocabulary and template.
    Gguf,
    /// A folder with config.json, model.safetensors and the vocabulary's files.
    Safetensors,
}

/// What is wanted of a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvertOptions {
    /// What kind of file is written.
    pub container: Container,
    /// How matrices are stored: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0 or Q5_1 (safetensors: the
    /// first three); as the source stores them if none. Some matrices get another format, the same
    /// as llama.cpp's quantiser gives them, see [`Format`].
    pub format: Option<Format>,
}

/// What a conversion did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertReport {
    /// Tensors written.
    pub tensors: usize,
    /// Bytes of their elements.
    pub bytes: u64,
    /// What a reader of the target should know: where other programs will compute something else.
    pub notes: Vec<String>,
}

/// Converts the decoder or encoder at `source`, a GGUF file or a folder in Hugging Face's layout,
/// into `target`.
///
/// Which matrices get which format follows llama.cpp's quantiser: norms, biases and routers stay
/// F32; in block formats other than Q8_0 the output matrix (or the embedding that serves as one)
/// is Q6_K; of models with eight experts keys and values are Q8_0; rows that are no whole blocks
/// become Q8_0, else F16. Tensors pass through a few megabytes of memory, whatever their size.
///
/// # Errors
/// A source that cannot be loaded; a model, format or value that the target cannot hold, by name; a
/// target that cannot be written. A file or folder that was at `target` before is then unchanged.
pub fn convert(source: &Path, target: &Path, options: ConvertOptions) -> Result<ConvertReport> {
    if let Some(format) = options.format.filter(|format| !format.is_encodable()) {
        let mut none = [];
        allod_kernels::encode_row(format, &[], &mut none).map_err(|error| Error::Convert {
            file: target.to_path_buf(),
            what: error.to_string(),
        })?;
    }
    match holds_encoder(source)? {
        true => write::<EncoderSpec>(source, target, options),
        false => write::<DecoderSpec>(source, target, options),
    }
}

fn write<S: Kind>(source: &Path, target: &Path, options: ConvertOptions) -> Result<ConvertReport> {
    let checkpoint = S::open(source)?;
    match options.container {
        Container::Gguf => gguf::write(source, &checkpoint, target, options.format),
        Container::Safetensors => folder::write(source, &checkpoint, target, options.format),
    }
}
