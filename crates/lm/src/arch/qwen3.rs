//! Qwen3: Llama with norms of each query and key head.

use super::{Architecture, NAMES, Settings, base, keys, qwen2};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec, QueryKeyNorm};
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["qwen3"],
    gguf_names: &["qwen3"],
    config,
    gguf,
    class: "Qwen3ForCausalLM",
    ..NAMES
};

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let activation = ("silu", Activation::SiluGated);
    let mut spec = base::from_config(settings, "qwen3", activation, &["sliding_window"])?;
    spec.norms.query_key = Some(QueryKeyNorm::Head);
    spec.pattern = qwen2::pattern(settings, spec.layers)?;
    Ok(spec)
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let form = (Activation::SiluGated, RopePairing::Half);
    let mut spec = keys::from_gguf(settings, file, ("qwen3", "qwen3"), form, &[])?;
    spec.norms.query_key = Some(QueryKeyNorm::Head);
    Ok(spec)
}
