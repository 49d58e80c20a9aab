//! Allod's own mixture of experts: Qwen3's block with any number of experts, any number of them
//! used, any way to weigh them, and windows and plain feed-forwards in any layers.

use super::{
    Architecture, GgufKeys, NAMES, Settings, Values, base, keys, layers, place, qwen3_moe,
};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec, LayerSpec, QueryKeyNorm};
use allod_kernels::{RopePairing, Weighting};
use allod_weights::TensorFile;

const NAME: &str = "allod-moe";

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &[NAME],
    gguf_names: &[NAME],
    gguf_keys,
    config,
    gguf,
    huggingface_place: place::huggingface_experts,
    config_values,
    ..NAMES
};

/// What `expert_weighting` can be; the first is the default.
const WEIGHTINGS: [(&str, Weighting); 3] = [
    ("softmax_normalised", Weighting::SoftmaxNormalised),
    ("softmax", Weighting::Softmax),
    ("softmax_of_chosen", Weighting::SoftmaxOfChosen),
];

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let activation = ("silu", Activation::SiluGated);
    let reads = ["sliding_window", "num_experts", "num_local_experts"];
    let mut spec = base::from_config(settings, NAME, activation, &reads)?;
    spec.norms.query_key = Some(QueryKeyNorm::Head);
    spec.pattern = layers::pattern(settings, spec.layers, layers::window(settings)?, |_| true)?;
    let inner = settings.size("moe_intermediate_size")?;
    base::add_experts(settings, &mut spec, inner, weighting(settings, "expert_weighting")?)?;
    qwen3_moe::leave_dense(settings, &mut spec)?;
    Ok(spec)
}

fn weighting(settings: &Settings, key: &str) -> Result<Weighting> {
    let Some(given) = settings.text_if_any(key)? else { return Ok(WEIGHTINGS[0].1) };
    let found = WEIGHTINGS.iter().find(|(name, _)| *name == given);
    found.map(|(_, weighting)| *weighting).ok_or_else(|| {
        let names = WEIGHTINGS.map(|(name, _)| format!("`{name}`")).join(", ");
        settings.unsupported(format!("the weighting `{given}` (`{key}`)"), &format!("{names} are"))
    })
}

fn gguf_keys(spec: &DecoderSpec, keys: &mut GgufKeys) {
    let used = spec.experts.as_ref().map(|experts| experts.weighting);
    let named = WEIGHTINGS.iter().find(|(_, weighting)| Some(*weighting) == used);
    named.into_iter().for_each(|(name, _)| keys.put("expert_weighting", *name));
}

fn config_values(spec: &DecoderSpec, values: &mut Values) {
    let Some(experts) = &spec.experts else { return };
    let named = WEIGHTINGS.iter().find(|(_, weighting)| *weighting == experts.weighting);
    values.insert("expert_weighting".into(), named.map(|(name, _)| *name).into());
    values.insert("moe_intermediate_size".into(), experts.feed_forward.into());
}

/// A layer without a router has one feed-forward.
fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let form = (Activation::SiluGated, RopePairing::Half);
    let reads = ["expert_count", "attention.sliding_window"];
    let mut spec = keys::from_gguf(settings, file, (NAME, NAME), form, &reads)?;
    spec.norms.query_key = Some(QueryKeyNorm::Head);
    let weighting = weighting(settings, "allod-moe.expert_weighting")?;
    keys::add_experts(settings, NAME, &mut spec, weighting)?;
    let sparse =
        |layer: usize| file.position(&format!("blk.{layer}.ffn_gate_inp.weight")).is_some();
    let window = settings.size_if_any("allod-moe.attention.sliding_window")?;
    let given = layers::gguf_pattern(settings, NAME, spec.layers, window, |_| true)?;
    spec.pattern = layers::each(settings, spec.layers, |layer| LayerSpec {
        sparse: sparse(layer),
        ..given[layer % given.len()]
    })?;
    Ok(spec)
}
