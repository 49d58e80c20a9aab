//! Architectures: which settings and tensor names a checkpoint has, turned into a spec.
//!
//! One file per architecture, data and names only. Adding one is adding its file and a line in
//! [`ARCHITECTURES`].

mod allod_moe;
mod apertus;
mod base;
mod bert;
mod config_values;
mod described;
mod encoder_place;
mod encoder_values;
mod encoders;
mod find;
mod gemma2;
mod gemma3;
mod gguf_keys;
mod gpt_oss;
mod granite;
mod keys;
mod known;
mod layers;
mod llama;
mod mistral;
mod mixtral;
mod modernbert;
mod olmoe;
mod phi3;
mod place;
mod published;
mod qwen2;
mod qwen3;
mod qwen3_moe;
mod root;
mod rope;
mod settings;
mod smollm3;
mod xlm_roberta;

use crate::error::Result;
use crate::spec::{DecoderSpec, EncoderSpec, ModelSpec};
use crate::weight::Part;
use allod_kernels::RopePairing;
use allod_weights::TensorFile;
use config_values::Values;
pub(crate) use described::Described;
pub(crate) use find::{configs, from_config, from_gguf, is_encoder, named, names_encoder};
pub(crate) use gguf_keys::{GgufKeys, order as gguf_order};
pub(crate) use known::Known;
pub(crate) use place::{Holder, Place};
pub(crate) use published::published;
pub(crate) use root::plain_name;
pub(crate) use settings::Settings;

/// One architecture: its names in the two kinds of checkpoint, and how each is read.
#[derive(Debug)]
pub(crate) struct Architecture<S = DecoderSpec> {
    /// `model_type` in config.json.
    model_types: &'static [&'static str],
    /// `general.architecture` in GGUF.
    gguf_names: &'static [&'static str],
    /// The same for a model whose GGUF files say that they are of another architecture.
    gguf_alias: Option<&'static str>,
    /// How its GGUF files pair the rows of queries and keys for rotation. Where neighbours are a
    /// pair, the rows of each head stand in another order than in safetensors.
    pub(crate) gguf_pairing: RopePairing,
    /// From the settings of config.json.
    config: fn(&Settings) -> Result<S>,
    /// From the keys of a GGUF file, and its tensors where the keys leave something open.
    gguf: fn(&Settings, &TensorFile) -> Result<S>,
    /// Where a part is in safetensors.
    huggingface_place: fn(Known<S>, Part) -> Place,
    /// Where a part is in GGUF.
    gguf_place: fn(Known<S>, Part) -> Place,
    /// What its GGUF files say otherwise than those of most.
    gguf_keys: fn(&S, &mut GgufKeys),
    /// The name of its class, as `architectures` in config.json has it.
    class: &'static str,
    /// What its config.json says otherwise than those of most.
    config_values: fn(&S, &mut Values),
    /// Whether its GGUF files hold an output matrix even where it is the embedding: llama.cpp asks
    /// for it.
    pub(crate) gguf_output: bool,
    /// Tensors that are no weight and may be there, beside those that every architecture
    /// may have: starts of their names.
    ignored: &'static [&'static str],
}

/// The plain names, for architectures to start from.
const NAMES: Architecture = Architecture {
    model_types: &[],
    gguf_names: &[],
    gguf_alias: None,
    gguf_pairing: RopePairing::Half,
    config: |settings| Err(settings.unsupported("this architecture in config.json", "GGUF is")),
    gguf: |settings, _| Err(settings.unsupported("this architecture in GGUF", "a folder is")),
    huggingface_place: place::huggingface,
    gguf_place: place::gguf,
    gguf_keys: |_, _| {},
    class: "",
    config_values: |_, _| {},
    gguf_output: false,
    ignored: &[],
};

impl Architecture {
    /// Where a weight is in safetensors.
    pub fn huggingface_place(&self, known: Known, part: Part) -> Place {
        let place = (self.huggingface_place)(known, part);
        Place { name: root::name_in(known, place.name), ..place }
    }
}

impl Architecture<EncoderSpec> {
    /// Where a weight is in safetensors.
    pub fn encoder_place(&self, known: Known<EncoderSpec>, part: Part) -> Place {
        (self.huggingface_place)(known, part)
    }
}

impl<S: ModelSpec> Architecture<S> {
    /// Where a weight is in GGUF.
    pub fn gguf_place(&self, known: Known<S>, part: Part) -> Place {
        (self.gguf_place)(known, part)
    }

    /// What `general.architecture` is in GGUF files of such a model; none if they are not known.
    pub fn gguf_name(&self) -> Option<&'static str> {
        self.gguf_names.first().copied().or(self.gguf_alias)
    }

    /// Whether `general.architecture` may be `name` in what belongs to such a model.
    pub fn is_gguf_name(&self, name: &str) -> bool {
        self.gguf_names.contains(&name) || self.gguf_alias == Some(name)
    }

    /// Whether a tensor that is no weight may be there. Old checkpoints carry rope's frequencies,
    /// and tied ones sometimes the head twice.
    pub fn ignores(&self, name: &str, spec: &S) -> bool {
        name == "rope_freqs.weight"
            || name.starts_with("rope_factors_")
            || name.ends_with(".rotary_emb.inv_freq")
            || (spec.tied() && name == "lm_head.weight")
            || self.ignored.iter().any(|start| name.starts_with(start))
    }
}

/// What an error says about settings that make a model something else than its name says.
const PLAIN: &str = "models of this architecture without it are";

const ENCODERS: &[Architecture<EncoderSpec>] =
    &[bert::ARCHITECTURE, modernbert::ARCHITECTURE, xlm_roberta::ARCHITECTURE];

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
