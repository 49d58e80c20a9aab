//! Architectures: which settings and tensor names a checkpoint has, turned into a spec.
//!
//! One file per architecture, data and names only. Adding one is adding its file and a line in
//! [`ARCHITECTURES`].

mod allod_moe;
mod apertus;
mod base;
mod bert;
mod config_values;
mod encoder_place;
mod encoders;
mod gemma2;
mod gemma3;
mod gguf_keys;
mod gpt_oss;
mod granite;
mod keys;
mod layers;
mod llama;
mod mistral;
mod mixtral;
mod modernbert;
mod olmoe;
mod phi3;
mod place;
mod qwen2;
mod qwen3;
mod qwen3_moe;
mod rope;
mod settings;
mod smollm3;
mod xlm_roberta;

use crate::error::{Error, Result};
use crate::spec::{DecoderSpec, EncoderSpec, ModelSpec};
use crate::weight::Part;
use allod_kernels::RopePairing;
use allod_weights::TensorFile;
use config_values::Values;
pub(crate) use gguf_keys::GgufKeys;
pub(crate) use place::{Holder, Known, Place};
use serde_json::{Map, Value};
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

/// Where the text model's tensors start in checkpoints that hold more than text, or nothing but the
/// layers.
const ROOTS: [&str; 3] = ["model.language_model.", "language_model.model.", ""];

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

    /// What a GGUF file of such a model says about it: keys, and tensors that are no weights.
    ///
    /// # Errors
    /// If GGUF has no words for it.
    pub fn gguf_settings(&self, spec: &DecoderSpec) -> Result<GgufKeys> {
        let unsupported = |what: String| Error::Unsupported {
            file: spec.architecture.into(),
            what,
            supported: "a folder with config.json is".to_string(),
        };
        let name = self.gguf_name();
        let name = name.ok_or_else(|| unsupported("this architecture in GGUF".to_string()))?;
        let mut keys = GgufKeys::new(spec, name).map_err(unsupported)?;
        (self.gguf_keys)(spec, &mut keys);
        Ok(keys)
    }

    /// What config.json says about such a model; none where the architecture has no folders.
    fn config_of(&self, spec: &DecoderSpec) -> Option<Values> {
        let mut values = config_values::of(spec, self.model_types.first()?);
        if !self.class.is_empty() {
            values.insert("architectures".into(), vec![self.class].into());
        }
        (self.config_values)(spec, &mut values);
        Some(values)
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

/// A tensor's or module's name in safetensors as it is in a checkpoint of text alone.
pub(crate) fn plain_name(name: &str) -> String {
    let bare = name.starts_with("layers.") || name.starts_with("embed_tokens");
    let inner = |root: &&&str| if root.is_empty() { bare } else { name.starts_with(**root) };
    let root = ROOTS.iter().find(inner);
    root.map_or_else(|| name.to_string(), |root| format!("model.{}", &name[root.len()..]))
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

/// Reads the spec that config.json describes.
pub(crate) fn from_config(settings: &Settings) -> Result<(&'static Architecture, DecoderSpec)> {
    let name = settings.text("model_type")?;
    let known = |architecture: &Architecture| architecture.model_types;
    let architecture = find(settings, ARCHITECTURES, "model_type", name, known)?;
    check(settings, (architecture.config)(settings)?).map(|spec| (architecture, spec))
}

/// Reads the spec of the encoder that config.json describes.
pub(crate) fn encoder_from_config(
    settings: &Settings,
) -> Result<(&'static Architecture<EncoderSpec>, EncoderSpec)> {
    let name = settings.text("model_type")?;
    let known = |architecture: &Architecture<EncoderSpec>| architecture.model_types;
    let architecture = find(settings, ENCODERS, "model_type", name, known)?;
    let spec = (architecture.config)(settings)?;
    sound(settings, spec.fault()).map(|()| (architecture, spec))
}

/// Reads the spec of the encoder that a GGUF file's keys describe.
pub(crate) fn encoder_from_gguf(
    settings: &Settings,
    file: &TensorFile,
) -> Result<(&'static Architecture<EncoderSpec>, EncoderSpec)> {
    let name = settings.text("general.architecture")?;
    let known = |architecture: &Architecture<EncoderSpec>| architecture.gguf_names;
    let architecture = find(settings, ENCODERS, "general.architecture", name, known)?;
    let spec = (architecture.gguf)(settings, file)?;
    sound(settings, spec.fault()).map(|()| (architecture, spec))
}

/// Reads the spec that a GGUF file's keys describe.
pub(crate) fn from_gguf(
    settings: &Settings,
    file: &TensorFile,
) -> Result<(&'static Architecture, DecoderSpec)> {
    let name = settings.text("general.architecture")?;
    let known = |architecture: &Architecture| architecture.gguf_names;
    let architecture = find(settings, ARCHITECTURES, "general.architecture", name, known)?;
    check(settings, (architecture.gguf)(settings, file)?).map(|spec| (architecture, spec))
}

/// The architecture of a spec that one of them gave.
pub(crate) fn named(name: &str) -> Option<&'static Architecture> {
    let called = |architecture: &&Architecture| {
        architecture.model_types.contains(&name) || architecture.gguf_names.contains(&name)
    };
    ARCHITECTURES.iter().find(called)
}

/// The architectures whose folders can hold what a spec describes, with their config.json: its own,
/// or those whose GGUF files bear its name.
pub(crate) fn configs(
    spec: &DecoderSpec,
) -> impl Iterator<Item = (&'static Architecture, Map<String, Value>)> {
    let own = named(spec.architecture);
    let name = own.and_then(Architecture::gguf_name);
    let kin = move |other: &&Architecture| other.gguf_alias.is_some() && other.gguf_alias == name;
    let candidates = own.into_iter().chain(ARCHITECTURES.iter().filter(kin));
    candidates.filter_map(|candidate| Some((candidate, candidate.config_of(spec)?)))
}

/// Whether the architecture that `key` names is an encoder's.
pub(crate) fn names_encoder(settings: &Settings, key: &str) -> Result<bool> {
    let name = settings.text(key)?;
    let called = |architecture: &Architecture<EncoderSpec>| {
        architecture.model_types.contains(&name) || architecture.gguf_names.contains(&name)
    };
    Ok(ENCODERS.iter().any(called))
}

fn find<S>(
    settings: &Settings,
    all: &'static [Architecture<S>],
    key: &str,
    name: &str,
    known: fn(&Architecture<S>) -> &'static [&'static str],
) -> Result<&'static Architecture<S>> {
    let found = all.iter().find(|architecture| known(architecture).contains(&name));
    found.ok_or_else(|| {
        let all: Vec<&str> = all.iter().flat_map(known).copied().collect();
        let supported = format!("supported: {}", all.join(", "));
        let what = format!("the architecture `{name}` (`{key}`)");
        Error::Unsupported { file: settings.file().to_path_buf(), what, supported }
    })
}

fn check(settings: &Settings, spec: DecoderSpec) -> Result<DecoderSpec> {
    sound(settings, spec.fault()).map(|()| spec)
}

fn sound(settings: &Settings, fault: Option<String>) -> Result<()> {
    match fault {
        Some(what) => {
            Err(settings.bad("the settings as a whole", format!("are impossible: {what}")))
        }
        None => Ok(()),
    }
}
