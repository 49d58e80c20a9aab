//! What is said about a model where it is written: the other way round from reading.

use super::config_values::Values;
use super::{
    ARCHITECTURES, Architecture, ENCODERS, GgufKeys, Known, Place, config_values, encoder_values,
};
use crate::error::{Error, Result};
use crate::spec::{DecoderSpec, EncoderSpec, ModelSpec};
use crate::weight::Part;
use serde_json::Value;

/// A kind of model that architectures describe.
pub(crate) trait Described: ModelSpec + Clone + 'static {
    /// Every architecture of the kind.
    fn architectures() -> &'static [Architecture<Self>];

    /// Where a weight is in safetensors.
    fn place(architecture: &Architecture<Self>, known: Known<Self>, part: Part) -> Place;

    /// What GGUF says about such a model under `prefix`; or what it cannot say.
    fn keys(&self, prefix: &'static str) -> std::result::Result<GgufKeys, String>;

    /// What config.json says about it.
    fn values(&self, model_type: &str) -> Values;
}

impl Described for DecoderSpec {
    fn architectures() -> &'static [Architecture] {
        ARCHITECTURES
    }

    fn place(architecture: &Architecture, known: Known, part: Part) -> Place {
        architecture.huggingface_place(known, part)
    }

    fn keys(&self, prefix: &'static str) -> std::result::Result<GgufKeys, String> {
        GgufKeys::new(self, prefix)
    }

    fn values(&self, model_type: &str) -> Values {
        config_values::of(self, model_type)
    }
}

impl Described for EncoderSpec {
    fn architectures() -> &'static [Architecture<EncoderSpec>] {
        ENCODERS
    }

    fn place(architecture: &Architecture<Self>, known: Known<Self>, part: Part) -> Place {
        architecture.encoder_place(known, part)
    }

    fn keys(&self, prefix: &'static str) -> std::result::Result<GgufKeys, String> {
        encoder_values::keys(self, prefix)
    }

    fn values(&self, model_type: &str) -> Values {
        encoder_values::config(self, model_type)
    }
}

impl<S: Described> Architecture<S> {
    /// What a GGUF file of such a model says about it: keys, and tensors that are no weights.
    ///
    /// # Errors
    /// If GGUF has no words for it.
    pub fn gguf_settings(&self, spec: &S) -> Result<GgufKeys> {
        let unsupported = |what: String| Error::Unsupported {
            file: spec.architecture().into(),
            what,
            supported: "a folder with config.json is".to_string(),
        };
        let name = self.gguf_name();
        let name = name.ok_or_else(|| unsupported("this architecture in GGUF".to_string()))?;
        let mut keys = spec.keys(name).map_err(unsupported)?;
        (self.gguf_keys)(spec, &mut keys);
        Ok(keys)
    }

    /// What config.json says about such a model; none where the architecture has no folders.
    pub(super) fn config_of(&self, spec: &S) -> Option<Values> {
        let mut values = spec.values(self.model_types.first()?);
        // Several classes of transformers have one of their own otherwise, beyond a small
        // vocabulary.
        values.insert("pad_token_id".into(), Value::Null);
        if !self.class.is_empty() {
            values.insert("architectures".into(), vec![self.class].into());
        }
        (self.config_values)(spec, &mut values);
        Some(values)
    }
}
