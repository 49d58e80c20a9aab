//! OLMoE: norms over whole query and key projections, experts in every layer.

use super::{Architecture, NAMES, Settings, base, keys, place};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec, QueryKeyNorm};
use allod_kernels::{RopePairing, Weighting};
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["olmoe"],
    gguf_names: &["olmoe"],
    gguf_output: true,
    config,
    gguf,
    huggingface_place: place::huggingface_experts,
    gguf_keys: |spec, keys| {
        if spec.kv_heads != spec.heads {
            let what = "llama.cpp loads OLMoE only with as many key heads as heads";
            keys.notes.push(what.to_string());
        }
    },
    class: "OlmoeForCausalLM",
    config_values: |spec, values| {
        let weighting = spec.experts.as_ref().map(|experts| experts.weighting);
        let normalised = weighting == Some(Weighting::SoftmaxNormalised);
        values.insert("norm_topk_prob".into(), normalised.into());
    },
    ..NAMES
};

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let activation = ("silu", Activation::SiluGated);
    let reads = ["clip_qkv", "num_experts", "num_local_experts"];
    let mut spec = base::from_config(settings, "olmoe", activation, &reads)?;
    spec.norms.query_key = Some(QueryKeyNorm::Projection);
    spec.query_key_value_limit = settings.float_if_any("clip_qkv")?.map(|limit| limit as f32);
    let weighting = match settings.truth("norm_topk_prob")? {
        true => Weighting::SoftmaxNormalised,
        false => Weighting::Softmax,
    };
    let feed_forward = spec.feed_forward;
    base::add_experts(settings, &mut spec, feed_forward, weighting)?;
    Ok(spec)
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let reads = ["expert_count", "attention.clamp_kqv"];
    let form = (Activation::SiluGated, RopePairing::Half);
    let mut spec = keys::from_gguf(settings, file, ("olmoe", "olmoe"), form, &reads)?;
    spec.norms.query_key = Some(QueryKeyNorm::Projection);
    let limit = settings.float_if_any("olmoe.attention.clamp_kqv")?;
    spec.query_key_value_limit = limit.map(|limit| limit as f32);
    keys::add_experts(settings, "olmoe", &mut spec, Weighting::Softmax)?;
    Ok(spec)
}
