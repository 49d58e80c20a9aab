//! Phi-3, Phi-3.5, Phi-4 and Phi-4-mini: Llama with fused projections, partial rotation, LongRoPE.

use super::place::in_layer;
use super::{Architecture, Known, NAMES, Place, Settings, base, keys, layers, place};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec};
use crate::weight::Part;
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["phi3"],
    gguf_names: &["phi3"],
    config,
    gguf_keys: |spec, keys| keys.note_window(spec),
    gguf,
    huggingface_place,
    gguf_place,
    class: "Phi3ForCausalLM",
    ..NAMES
};

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let activation = ("silu", Activation::SiluGated);
    let reads = ["sliding_window", "partial_rotary_factor"];
    let mut spec = base::from_config(settings, "phi3", activation, &reads)?;
    spec.pattern = layers::pattern(settings, spec.layers, layers::window(settings)?, |_| true)?;
    Ok(spec)
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let form = (Activation::SiluGated, RopePairing::Half);
    let reads = ["attention.sliding_window"];
    let mut spec = keys::from_gguf(settings, file, ("phi3", "phi3"), form, &reads)?;
    let window = settings.size_if_any("phi3.attention.sliding_window")?;
    let window = window.filter(|window| *window > 0);
    spec.pattern = layers::gguf_pattern(settings, "phi3", spec.layers, window, |_| true)?;
    Ok(spec)
}

fn huggingface_place(known: Known, part: Part) -> Place {
    let (attention, gate_up) =
        (in_layer("self_attn.qkv_proj.weight"), in_layer("mlp.gate_up_proj.weight"));
    fused(known, part, attention, gate_up).unwrap_or_else(|| place::huggingface(known, part))
}

fn gguf_place(known: Known, part: Part) -> Place {
    let (attention, gate_up) =
        (Place::tensor("blk.{l}.attn_qkv.weight"), Place::tensor("blk.{l}.ffn_up.weight"));
    fused(known, part, attention, gate_up).unwrap_or_else(|| place::gguf(known, part))
}

/// Queries, keys and values are one tensor, gate and up another.
fn fused(known: Known, part: Part, attention: Place, gate_up: Place) -> Option<Place> {
    let spec = known.spec;
    let (queries, keys) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
    let (all, inner) = (queries + 2 * keys, spec.feed_forward);
    match part {
        Part::Query => Some(attention.starting_at(0, all)),
        Part::Key => Some(attention.starting_at(queries, all)),
        Part::Value => Some(attention.starting_at(queries + keys, all)),
        Part::Gate => Some(gate_up.starting_at(0, 2 * inner)),
        Part::Up => Some(gate_up.starting_at(inner, 2 * inner)),
        _ => None,
    }
}
