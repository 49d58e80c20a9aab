//! Apertus 2509, v1.1 and the text path of 1.5: xIELU without a gate, norms of query and key heads.

use super::place::in_layer;
use super::{Architecture, Known, NAMES, Place, Settings, base, keys, place, rope};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec, QueryKeyNorm};
use crate::weight::Part;
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["apertus", "apertus1p5", "apertus1p5_text"],
    gguf_names: &["apertus"],
    gguf_output: true,
    config,
    gguf,
    huggingface_place,
    ignored: &["model.vision_tokenizer.", "model.audio_tokenizer."],
    class: "ApertusForCausalLM",
    ..NAMES
};

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let text = settings.object("text_config")?;
    let settings = text.as_ref().unwrap_or(settings);
    let reads = ["output_vocab_size"];
    rope::demand_theta(settings)?;
    let mut spec = base::from_config(settings, "apertus", ("xielu", Activation::Xielu), &reads)?;
    spec.norms.query_key = Some(QueryKeyNorm::Head);
    // The head of 1.5 predicts text alone: fewer rows than there are embeddings.
    spec.outputs = settings.size_if_any("output_vocab_size")?.unwrap_or(spec.vocabulary);
    Ok(spec)
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let form = (Activation::Xielu, RopePairing::Half);
    let mut spec = keys::from_gguf(settings, file, ("apertus", "apertus"), form, &[])?;
    spec.norms.query_key = Some(QueryKeyNorm::Head);
    Ok(spec)
}

fn huggingface_place(known: Known, part: Part) -> Place {
    match part {
        Part::AttentionNorm => in_layer("attention_layernorm.weight"),
        Part::FeedForwardNorm => in_layer("feedforward_layernorm.weight"),
        _ => place::huggingface(known, part),
    }
}
