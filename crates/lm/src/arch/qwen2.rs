//! Qwen2 and Qwen2.5: Llama with biases on queries, keys and values.

use super::{Architecture, NAMES, Settings, base, keys, layers};
use crate::error::Result;
use crate::spec::{Activation, Biases, DecoderSpec, LayerSpec};
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["qwen2"],
    gguf_names: &["qwen2"],
    config,
    gguf,
    class: "Qwen2ForCausalLM",
    ..NAMES
};

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let activation = ("silu", Activation::SiluGated);
    let mut spec = base::from_config(settings, "qwen2", activation, &["sliding_window"])?;
    spec.biases = Biases { query_key_value: true, ..Biases::default() };
    spec.pattern = pattern(settings, spec.layers)?;
    Ok(spec)
}

/// Where a window is switched on, the layers from `max_window_layers` on have it.
pub(super) fn pattern(settings: &Settings, layers: usize) -> Result<Vec<LayerSpec>> {
    let used = settings.truth("use_sliding_window")?;
    let window = layers::window(settings)?.filter(|_| used);
    let first = settings.size_if_any("max_window_layers")?.unwrap_or(28);
    layers::pattern(settings, layers, window, |layer| layer >= first)
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let form = (Activation::SiluGated, RopePairing::Half);
    let mut spec = keys::from_gguf(settings, file, ("qwen2", "qwen2"), form, &[])?;
    spec.biases.query_key_value = true;
    Ok(spec)
}
