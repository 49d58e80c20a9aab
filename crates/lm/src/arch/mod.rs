//! Architectures: which settings and tensor names a checkpoint has, turned into a spec.
//!
//! One file per architecture, data and names only. Adding one is adding its file and a line in
//! [`ARCHITECTURES`].

mod llama;
mod rope;
mod settings;

use crate::error::{Error, Result};
use crate::spec::DecoderSpec;
use crate::weight::{Part, WeightId};
use allod_weights::TensorFile;
pub(crate) use settings::Settings;

/// One architecture: its names in the two kinds of checkpoint, and how each is read.
pub(crate) struct Architecture {
    /// `model_type` in config.json.
    model_types: &'static [&'static str],
    /// `general.architecture` in GGUF.
    gguf_names: &'static [&'static str],
    /// From the settings of config.json.
    config: fn(&Settings) -> Result<DecoderSpec>,
    /// From the keys of a GGUF file, and its tensors where the keys leave something open.
    gguf: fn(&Settings, &TensorFile) -> Result<DecoderSpec>,
    /// What a part is called in safetensors and in GGUF, without layer and ending.
    names: fn(Part) -> (&'static str, &'static str),
    /// Whether a tensor that is no weight may be ignored.
    pub ignored: fn(&str, &DecoderSpec) -> bool,
}

impl Architecture {
    /// The name of a weight in safetensors.
    pub fn config_name(&self, id: WeightId) -> String {
        let (name, _) = (self.names)(id.part);
        tensor_name("model.layers", name, id)
    }

    /// The name of a weight in GGUF.
    pub fn gguf_name(&self, id: WeightId) -> String {
        let (_, name) = (self.names)(id.part);
        tensor_name("blk", name, id)
    }
}

fn tensor_name(layers: &str, name: &str, id: WeightId) -> String {
    let ending = id.part.suffix();
    match id.part.is_of_layer() {
        true => format!("{layers}.{}.{name}.{ending}", id.layer),
        false => format!("{name}.{ending}"),
    }
}

/// What an error says about settings that make a model something else than its name says.
const PLAIN: &str = "models of this architecture without it are";

const ARCHITECTURES: &[Architecture] = &[llama::ARCHITECTURE];

/// Reads the spec that config.json describes.
pub(crate) fn from_config(settings: &Settings) -> Result<(&'static Architecture, DecoderSpec)> {
    let name = settings.text("model_type")?;
    let known = |architecture: &Architecture| architecture.model_types;
    let architecture = find(settings, "model_type", name, known)?;
    check(settings, (architecture.config)(settings)?).map(|spec| (architecture, spec))
}

/// Reads the spec that a GGUF file's keys describe.
pub(crate) fn from_gguf(
    settings: &Settings,
    file: &TensorFile,
) -> Result<(&'static Architecture, DecoderSpec)> {
    let name = settings.text("general.architecture")?;
    let known = |architecture: &Architecture| architecture.gguf_names;
    let architecture = find(settings, "general.architecture", name, known)?;
    check(settings, (architecture.gguf)(settings, file)?).map(|spec| (architecture, spec))
}

fn find(
    settings: &Settings,
    key: &str,
    name: &str,
    known: fn(&Architecture) -> &'static [&'static str],
) -> Result<&'static Architecture> {
    let found = ARCHITECTURES.iter().find(|architecture| known(architecture).contains(&name));
    found.ok_or_else(|| {
        let all: Vec<&str> = ARCHITECTURES.iter().flat_map(known).copied().collect();
        let supported = format!("supported: {}", all.join(", "));
        let what = format!("the architecture `{name}` (`{key}`)");
        Error::Unsupported { file: settings.file().to_path_buf(), what, supported }
    })
}

fn check(settings: &Settings, spec: DecoderSpec) -> Result<DecoderSpec> {
    match spec.fault() {
        Some(what) => {
            Err(settings.bad("the settings as a whole", format!("are impossible: {what}")))
        }
        None => Ok(spec),
    }
}
