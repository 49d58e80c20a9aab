//! Qwen3-MoE: Qwen3 with experts in most layers.

use super::{Architecture, NAMES, Settings, Values, base, keys, layers, place};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec, LayerSpec, QueryKeyNorm};
use allod_kernels::{RopePairing, Weighting};
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["qwen3_moe"],
    gguf_names: &["qwen3moe"],
    gguf_keys: |spec, keys| {
        let weighting = spec.experts.as_ref().map(|experts| experts.weighting);
        keys.put("expert_weights_norm", weighting == Some(Weighting::SoftmaxNormalised));
    },
    config,
    gguf,
    huggingface_place: place::huggingface_experts,
    class: "Qwen3MoeForCausalLM",
    config_values,
    ..NAMES
};

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let activation = ("silu", Activation::SiluGated);
    let reads = ["sliding_window", "num_experts", "num_local_experts"];
    let mut spec = base::from_config(settings, "qwen3_moe", activation, &reads)?;
    spec.norms.query_key = Some(QueryKeyNorm::Head);
    // Switched on, every layer has it: there is no `max_window_layers` here.
    let used = settings.truth("use_sliding_window")?;
    let window = layers::window(settings)?.filter(|_| used);
    spec.pattern = layers::pattern(settings, spec.layers, window, |_| true)?;
    let weighting = match settings.truth("norm_topk_prob")? {
        true => Weighting::SoftmaxNormalised,
        false => Weighting::Softmax,
    };
    let inner = settings.size("moe_intermediate_size")?;
    base::add_experts(settings, &mut spec, inner, weighting)?;
    leave_dense(settings, &mut spec)?;
    Ok(spec)
}

/// Layers named in `mlp_only_layers`, and all but every `decoder_sparse_step`-th, have one
/// feed-forward.
pub(super) fn leave_dense(settings: &Settings, spec: &mut DecoderSpec) -> Result<()> {
    let step = settings.size_if_any("decoder_sparse_step")?.unwrap_or(1).max(1);
    let dense = settings.floats_if_any("mlp_only_layers")?.unwrap_or_default();
    if step == 1 && dense.is_empty() {
        return Ok(());
    }
    let given = spec.pattern.clone();
    spec.pattern = layers::each(settings, spec.layers, |layer| LayerSpec {
        sparse: (layer + 1).is_multiple_of(step) && !dense.contains(&(layer as f64)),
        ..given[layer % given.len()]
    })?;
    Ok(())
}

fn config_values(spec: &DecoderSpec, values: &mut Values) {
    let Some(experts) = &spec.experts else { return };
    let normalised = experts.weighting == Weighting::SoftmaxNormalised;
    values.insert("norm_topk_prob".into(), normalised.into());
    values.insert("moe_intermediate_size".into(), experts.feed_forward.into());
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let (names, form) = (("qwen3_moe", "qwen3moe"), (Activation::SiluGated, RopePairing::Half));
    let mut spec = keys::from_gguf(settings, file, names, form, &["expert_count"])?;
    spec.norms.query_key = Some(QueryKeyNorm::Head);
    // The published models divide by the sum; where a file says otherwise, it says so.
    let plain = settings.truth_if_any("qwen3moe.expert_weights_norm")? == Some(false);
    let weighting = if plain { Weighting::Softmax } else { Weighting::SoftmaxNormalised };
    keys::add_experts(settings, "qwen3moe", &mut spec, weighting)?;
    Ok(spec)
}
