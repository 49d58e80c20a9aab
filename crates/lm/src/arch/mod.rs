//! Architectures: which settings and tensor names a checkpoint has, turned into a spec.
//!
//! One file per architecture, data and names only. Adding one is adding its file and a line in
//! [`ARCHITECTURES`].

mod allod_moe;
mod apertus;
mod base;
mod gemma2;
mod gemma3;
mod gpt_oss;
mod granite;
mod keys;
mod layers;
mod llama;
mod mistral;
mod mixtral;
mod olmoe;
mod phi3;
mod place;
mod qwen2;
mod qwen3;
mod qwen3_moe;
mod rope;
mod settings;
mod smollm3;

use crate::error::{Error, Result};
use crate::spec::DecoderSpec;
use crate::weight::Part;
use allod_weights::TensorFile;
pub(crate) use place::{Holder, Known, Place};
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
    /// Where a part is in safetensors.
    huggingface_place: fn(Known, Part) -> Place,
    /// Where a part is in GGUF.
    gguf_place: fn(Known, Part) -> Place,
    /// Tensors that are no weight and may be there, beside those that every architecture
    /// may have: starts of their names.
    ignored: &'static [&'static str],
}

/// The plain names, for architectures to start from.
const NAMES: Architecture = Architecture {
    model_types: &[],
    gguf_names: &[],
    config: |settings| Err(settings.unsupported("this architecture in config.json", "GGUF is")),
    gguf: |settings, _| Err(settings.unsupported("this architecture in GGUF", "a folder is")),
    huggingface_place: place::huggingface,
    gguf_place: place::gguf,
    ignored: &[],
};

/// Where the text model's tensors start in checkpoints that hold more than text.
const ROOTS: [&str; 2] = ["model.language_model.", "language_model.model."];

impl Architecture {
    /// Where a weight is in safetensors.
    pub fn huggingface_place(&self, known: Known, part: Part) -> Place {
        let mut place = (self.huggingface_place)(known, part);
        let holds = |root: &&str| known.has(&format!("{root}embed_tokens.weight"));
        if let (Some(root), Some(rest)) =
            (ROOTS.iter().find(|root| holds(root)), place.name.strip_prefix("model."))
        {
            place.name = format!("{root}{rest}");
        }
        place
    }

    /// Where a weight is in GGUF.
    pub fn gguf_place(&self, known: Known, part: Part) -> Place {
        (self.gguf_place)(known, part)
    }

    /// Whether a tensor that is no weight may be there. Old checkpoints carry rope's frequencies,
    /// and tied ones sometimes the head twice.
    pub fn ignores(&self, name: &str, spec: &DecoderSpec) -> bool {
        name == "rope_freqs.weight"
            || name.starts_with("rope_factors_")
            || name.ends_with(".rotary_emb.inv_freq")
            || (spec.tied && name == "lm_head.weight")
            || self.ignored.iter().any(|start| name.starts_with(start))
    }
}

/// What an error says about settings that make a model something else than its name says.
const PLAIN: &str = "models of this architecture without it are";

const ARCHITECTURES: &[Architecture] = &[
    allod_moe::ARCHITECTURE,
    apertus::ARCHITECTURE,
    gemma2::ARCHITECTURE,
    gemma3::ARCHITECTURE,
    gpt_oss::ARCHITECTURE,
    granite::ARCHITECTURE,
    llama::ARCHITECTURE,
    mistral::ARCHITECTURE,
    mixtral::ARCHITECTURE,
    olmoe::ARCHITECTURE,
    phi3::ARCHITECTURE,
    qwen2::ARCHITECTURE,
    qwen3::ARCHITECTURE,
    qwen3_moe::ARCHITECTURE,
    smollm3::ARCHITECTURE,
];

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

/// The architecture of a spec that one of them gave.
pub(crate) fn named(name: &str) -> Option<&'static Architecture> {
    let called = |architecture: &&Architecture| {
        architecture.model_types.contains(&name) || architecture.gguf_names.contains(&name)
    };
    ARCHITECTURES.iter().find(called)
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
