//! Gemma 3 (text): as Gemma 2, with norms of query and key heads instead of bounds, and another
//! rotation in layers with a window: five of six.

use super::{
    Architecture, NAMES, PLAIN, Settings, Values, config_values, gemma2, keys, layers, rope,
};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec, QueryKeyNorm, RopeScaling, RopeSpec};
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["gemma3_text"],
    gguf_names: &["gemma3"],
    gguf_keys: gemma2::gguf_keys,
    config,
    gguf,
    huggingface_place: gemma2::huggingface_place,
    class: "Gemma3ForCausalLM",
    config_values,
    ..NAMES
};

/// Every sixth layer sees everything.
const INTERVAL: usize = 6;
/// Bases of the two rotations.
const THETA: f64 = 1_000_000.0;
const WINDOW_THETA: f64 = 10_000.0;

fn config_values(spec: &DecoderSpec, values: &mut Values) {
    gemma2::config_values(spec, values);
    let local = spec.window_rope.as_ref().unwrap_or(&spec.rope);
    let rope = |own| config_values::rope(own, spec.head_dim, spec.context_length);
    let ropes = serde_json::json!({
        "full_attention": rope(&spec.rope),
        "sliding_attention": rope(local),
    });
    values.insert("rope_parameters".into(), ropes);
}

fn config(settings: &Settings) -> Result<DecoderSpec> {
    // Its settings know it, its code passes it over: no published model has it.
    settings.refuse(["attn_logit_softcapping"], PLAIN)?;
    let mut spec = gemma2::plain(settings, "gemma3")?;
    spec.norms.query_key = Some(QueryKeyNorm::Head);
    let interval = match settings.size_if_any("sliding_window_pattern")? {
        Some(interval) => interval,
        None => settings.size_if_any("_sliding_window_pattern")?.unwrap_or(INTERVAL),
    };
    let slides = |layer: usize| !(layer + 1).is_multiple_of(interval.max(1));
    spec.pattern = layers::pattern(settings, spec.layers, layers::window(settings)?, slides)?;
    let (head_dim, context) = (spec.head_dim, spec.context_length);
    let read = |object, theta| rope::from_object(settings, object, theta, head_dim, context);
    let theta = settings.float_if_any("rope_theta")?.unwrap_or(THETA);
    let window_theta = settings.float_if_any("rope_local_base_freq")?.unwrap_or(WINDOW_THETA);
    (spec.rope, spec.window_rope) = match settings.object("rope_parameters")? {
        Some(ropes) if ropes.has("full_attention") => (
            read(ropes.object("full_attention")?, theta)?,
            Some(read(ropes.object("sliding_attention")?, window_theta)?),
        ),
        Some(rope) => (read(Some(rope), theta)?, Some(read(None, window_theta)?)),
        None => (read(settings.object("rope_scaling")?, theta)?, Some(read(None, window_theta)?)),
    };
    Ok(spec)
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let reads = [
        "attention.sliding_window",
        "final_logit_softcapping",
        "attention.scale",
        "embedding_scale",
    ];
    let form = (Activation::GeluTanhGated, RopePairing::Half);
    let mut spec = keys::from_gguf(settings, file, ("gemma3", "gemma3"), form, &reads)?;
    let float = |key: &str| settings.float_if_any(&format!("gemma3.{key}"));
    spec.output_cap = float("final_logit_softcapping")?.map(|cap| cap as f32);
    (spec.norms.after, spec.norms.around_one) = (true, true);
    spec.norms.query_key = Some(QueryKeyNorm::Head);
    spec.scales.embedding =
        gemma2::gguf_embedding_scale(settings, "gemma3.embedding_scale", spec.width)?;
    if let Some(scale) = float("attention.scale")? {
        spec.attention_scale = scale as f32;
    } else if spec.layers == 62 {
        // The 27B model, known by its depth, divides by the width of a head's share.
        spec.attention_scale = (1.0 / ((spec.width / spec.heads.max(1)) as f64).sqrt()) as f32;
    }
    if float("rope.freq_base")?.is_none() {
        spec.rope.theta = THETA;
    }
    let theta = float("rope.freq_base_swa")?.unwrap_or(WINDOW_THETA);
    let dimensions = spec.rope.dimensions;
    let (pairing, scaling) = (RopePairing::Half, RopeScaling::None);
    spec.window_rope = Some(RopeSpec { theta, dimensions, pairing, scaling });
    let window = settings.size("gemma3.attention.sliding_window")?;
    let slides = |layer: usize| !(layer + 1).is_multiple_of(INTERVAL);
    spec.pattern = layers::gguf_pattern(settings, "gemma3", spec.layers, Some(window), slides)?;
    Ok(spec)
}
