//! Mixtral: Mistral with experts. Its GGUF files say that they are `llama`.

use super::place::in_layer;
use super::{Architecture, Known, NAMES, Place, Settings, base, layers, place, rope};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec};
use crate::weight::Part;
use allod_kernels::{RopePairing, Weighting};

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["mixtral"],
    gguf_alias: Some("llama"),
    gguf_pairing: RopePairing::Interleaved,
    config,
    gguf_keys: |spec, keys| keys.note_window(spec),
    huggingface_place,
    class: "MixtralForCausalLM",
    config_values: |spec, values| {
        values.remove("num_experts");
        let count = spec.experts.as_ref().map(|experts| experts.count);
        values.insert("num_local_experts".into(), count.into());
    },
    ..NAMES
};

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let activation = ("silu", Activation::SiluGated);
    let reads = ["sliding_window", "num_local_experts", "num_experts"];
    rope::demand_theta(settings)?;
    let mut spec = base::from_config(settings, "mixtral", activation, &reads)?;
    spec.pattern = layers::pattern(settings, spec.layers, layers::window(settings)?, |_| true)?;
    let feed_forward = spec.feed_forward;
    base::add_experts(settings, &mut spec, feed_forward, Weighting::SoftmaxNormalised)?;
    Ok(spec)
}

fn huggingface_place(known: Known, part: Part) -> Place {
    if known.has("model.layers.0.mlp.gate.weight") {
        return place::huggingface_experts(known, part);
    }
    match part {
        Part::Router => in_layer("block_sparse_moe.gate.weight"),
        Part::ExpertGate => in_layer("block_sparse_moe.experts.{e}.w1.weight"),
        Part::ExpertUp => in_layer("block_sparse_moe.experts.{e}.w3.weight"),
        Part::ExpertDown => in_layer("block_sparse_moe.experts.{e}.w2.weight"),
        _ => place::huggingface(known, part),
    }
}
