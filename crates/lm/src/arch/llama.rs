//! Llama 1 to 3.x and what shares its architecture (SmolLM2, TinyLlama, …). In GGUF also Mistral
//! and Mixtral.

use super::{Architecture, NAMES, Settings, base, keys};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec};
use allod_kernels::{RopePairing, Weighting};
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture =
    Architecture { model_types: &["llama"], gguf_names: &["llama"], config, gguf, ..NAMES };

fn config(settings: &Settings) -> Result<DecoderSpec> {
    base::from_config(settings, "llama", ("silu", Activation::SiluGated), &[])
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    // The converter reorders rows of q and k, so that neighbours form a pair.
    let form = (Activation::SiluGated, RopePairing::Interleaved);
    let mut spec = keys::from_gguf(settings, file, ("llama", "llama"), form, &["expert_count"])?;
    if settings.size_if_any("llama.expert_count")?.unwrap_or(0) > 0 {
        keys::add_experts(settings, "llama", &mut spec, Weighting::SoftmaxNormalised)?;
    }
    Ok(spec)
}
