//! Llama 1 to 3.x and what shares its architecture (SmolLM2, TinyLlama, …). In GGUF also Mistral
//! and Mixtral.

use super::{Architecture, NAMES, Settings, base, keys, layers};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec};
use allod_kernels::{RopePairing, Weighting};
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["llama"],
    gguf_names: &["llama"],
    // The converter reorders rows of q and k, so that neighbours form a pair.
    gguf_pairing: RopePairing::Interleaved,
    config,
    gguf,
    gguf_keys: |spec, keys| keys.note_window(spec),
    class: "LlamaForCausalLM",
    ..NAMES
};

fn config(settings: &Settings) -> Result<DecoderSpec> {
    base::from_config(settings, "llama", ("silu", Activation::SiluGated), &[])
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let form = (Activation::SiluGated, ARCHITECTURE.gguf_pairing);
    let reads = ["expert_count", "attention.sliding_window"];
    let mut spec = keys::from_gguf(settings, file, ("llama", "llama"), form, &reads)?;
    let window = settings.size_if_any("llama.attention.sliding_window")?;
    let window = window.filter(|window| *window > 0);
    spec.pattern = layers::gguf_pattern(settings, "llama", spec.layers, window, |_| true)?;
    if settings.size_if_any("llama.expert_count")?.unwrap_or(0) > 0 {
        keys::add_experts(settings, "llama", &mut spec, Weighting::SoftmaxNormalised)?;
    }
    Ok(spec)
}
