//! Mistral: Llama with a window. Its GGUF files say that they are `llama`.

use super::{Architecture, NAMES, Settings, base, layers};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec};
use allod_kernels::RopePairing;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["mistral"],
    gguf_alias: Some("llama"),
    gguf_pairing: RopePairing::Interleaved,
    config,
    gguf_keys: |spec, keys| keys.note_window(spec),
    class: "MistralForCausalLM",
    ..NAMES
};

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let activation = ("silu", Activation::SiluGated);
    let mut spec = base::from_config(settings, "mistral", activation, &["sliding_window"])?;
    spec.pattern = layers::pattern(settings, spec.layers, layers::window(settings)?, |_| true)?;
    Ok(spec)
}
