//! Gemma 2: norms before and after, bounded scores and logits, a window in every other layer.

use super::{
    Architecture, GgufKeys, Known, NAMES, Place, Settings, Values, base, keys, layers, place,
};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec};
use crate::weight::Part;
use allod_kernels::RopePairing;
use allod_weights::TensorFile;
use serde_json::Value;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["gemma2"],
    gguf_names: &["gemma2"],
    gguf_keys,
    config,
    gguf,
    huggingface_place,
    class: "Gemma2ForCausalLM",
    config_values,
    ..NAMES
};

/// Special settings that all Gemma models read.
const READS: [&str; 4] = [
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "query_pre_attn_scalar",
    "sliding_window",
];

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let mut spec = plain(settings, "gemma2")?;
    let window = layers::window(settings)?;
    spec.pattern = layers::pattern(settings, spec.layers, window, |layer| layer % 2 == 0)?;
    Ok(spec)
}

/// What Gemma 2 and 3 have in common.
pub(super) fn plain(settings: &Settings, name: &'static str) -> Result<DecoderSpec> {
    let activation = ("gelu_pytorch_tanh", Activation::GeluTanhGated);
    // Its own layer types are read by the caller.
    let mut spec = base::from_config(settings, name, activation, &READS)?;
    let scalar = settings.float_if_any("query_pre_attn_scalar")?.unwrap_or(256.0);
    let cap = |key: &str| -> Result<Option<f32>> {
        Ok(settings.float_if_any(key)?.map(|cap| cap as f32))
    };
    spec.attention_scale = (1.0 / scalar.sqrt()) as f32;
    spec.attention_cap = cap("attn_logit_softcapping")?;
    spec.output_cap = cap("final_logit_softcapping")?;
    (spec.norms.after, spec.norms.around_one) = (true, true);
    spec.scales.embedding = embedding_scale(settings, spec.width)?;
    spec.tied = settings.truth_if_any("tie_word_embeddings")?.unwrap_or(true);
    Ok(spec)
}

/// The root of the width, in the type of the weights.
fn embedding_scale(settings: &Settings, width: usize) -> Result<f32> {
    let exact = (width as f64).sqrt() as f32;
    let kind = match settings.text_if_any("dtype")? {
        Some(kind) => Some(kind),
        None => settings.text_if_any("torch_dtype")?,
    };
    let bits = exact.to_bits();
    let even = bits >> 16 & 1;
    Ok(match kind {
        Some("bfloat16") => f32::from_bits((bits + 0x7fff + even) & 0xffff_0000),
        _ => exact,
    })
}

/// What both say: the activation under its own name, the scale of scores by what it comes from, a
/// type where it has rounded the embedding's scale.
pub(super) fn config_values(spec: &DecoderSpec, values: &mut Values) {
    let activation = values.remove("hidden_act");
    values.insert("hidden_activation".into(), activation.into());
    let scalar = 1.0 / f64::from(spec.attention_scale).powi(2);
    // A whole number wherever one gives the scale: transformers asks for it.
    let whole = scalar.round();
    let scalar = match (1.0 / whole.sqrt()) as f32 == spec.attention_scale {
        true => Value::from(whole as u64),
        false => Value::from(scalar),
    };
    values.insert("query_pre_attn_scalar".into(), scalar);
    values.remove("embedding_multiplier");
    if spec.scales.embedding != (spec.width as f64).sqrt() as f32 {
        values.insert("dtype".into(), "bfloat16".into());
    }
}

/// Norms are stored as differences from 1; GGUF holds them whole.
pub(super) fn huggingface_place(known: Known, part: Part) -> Place {
    let place = place::huggingface(known, part);
    if part.is_norm() { Place { plus: 1.0, ..place } } else { place }
}

/// The embedding's scale is implied where it is the root of the width, unrounded.
pub(super) fn gguf_keys(spec: &DecoderSpec, keys: &mut GgufKeys) {
    if spec.scales.embedding == (spec.width as f64).sqrt() as f32 {
        keys.imply("embedding_scale");
    }
}

/// The embedding's scale, as a GGUF file says or implies it.
pub(super) fn gguf_embedding_scale(settings: &Settings, key: &str, width: usize) -> Result<f32> {
    Ok(settings.float_if_any(key)?.unwrap_or((width as f64).sqrt()) as f32)
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let reads = [
        "attn_logit_softcapping",
        "final_logit_softcapping",
        "attention.sliding_window",
        "attention.scale",
        "embedding_scale",
    ];
    let form = (Activation::GeluTanhGated, RopePairing::Half);
    let mut spec = keys::from_gguf(settings, file, ("gemma2", "gemma2"), form, &reads)?;
    let cap = |key: &str| -> Result<Option<f32>> {
        Ok(settings.float_if_any(key)?.map(|cap| cap as f32))
    };
    spec.attention_cap = cap("gemma2.attn_logit_softcapping")?.or(Some(50.0));
    spec.output_cap = cap("gemma2.final_logit_softcapping")?.or(Some(30.0));
    (spec.norms.after, spec.norms.around_one) = (true, true);
    spec.scales.embedding = gguf_embedding_scale(settings, "gemma2.embedding_scale", spec.width)?;
    if let Some(scale) = settings.float_if_any("gemma2.attention.scale")? {
        spec.attention_scale = scale as f32;
    } else if spec.layers == 46 {
        // The 27B model, known by its depth, divides by the width of a head's share.
        spec.attention_scale = (1.0 / ((spec.width / spec.heads.max(1)) as f64).sqrt()) as f32;
    }
    let window = settings.size_if_any("gemma2.attention.sliding_window")?.unwrap_or(4096);
    let slides = |layer: usize| layer.is_multiple_of(2);
    spec.pattern = layers::gguf_pattern(settings, "gemma2", spec.layers, Some(window), slides)?;
    Ok(spec)
}
