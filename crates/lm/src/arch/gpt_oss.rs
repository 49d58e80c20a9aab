//! gpt-oss: sinks, bounded experts with biases, a window in every other layer, YaRN.

use super::place::in_layer;
use super::{Architecture, Holder, Known, NAMES, Place, Settings, base, keys, layers, place, rope};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec, RopeScaling};
use crate::weight::Part;
use allod_kernels::{RopePairing, Weighting};
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["gpt_oss"],
    gguf_names: &["gpt-oss"],
    gguf_output: true,
    config,
    gguf,
    huggingface_place,
    gguf_place,
    class: "GptOssForCausalLM",
    config_values: |spec, values| {
        values.remove("num_experts");
        let count = spec.experts.as_ref().map(|experts| experts.count);
        values.insert("num_local_experts".into(), count.into());
        if let Activation::BoundedSiluGated { alpha, limit } = spec.activation {
            values.insert("swiglu_alpha".into(), alpha.into());
            values.insert("swiglu_limit".into(), limit.into());
        }
    },
    ..NAMES
};

const BOUNDED: Activation = Activation::BoundedSiluGated { alpha: 1.702, limit: 7.0 };

fn config(settings: &Settings) -> Result<DecoderSpec> {
    if let Some(packing) = settings.object("quantization_config")?
        && packing.text_if_any("quant_method")? != Some("mxfp4")
    {
        let what = "the setting `quantization_config` with another method than `mxfp4`";
        return Err(settings.unsupported(what, "`mxfp4` and unpacked weights are"));
    }
    let float = |key: &str, usual: f64| -> Result<f32> {
        Ok(settings.float_if_any(key)?.unwrap_or(usual) as f32)
    };
    let (alpha, limit) = (float("swiglu_alpha", 1.702)?, float("swiglu_limit", 7.0)?);
    let activation = ("silu", Activation::BoundedSiluGated { alpha, limit });
    let reads = ["sliding_window", "num_local_experts", "num_experts", "quantization_config"];
    rope::demand_theta(settings)?;
    let mut spec = base::from_config(settings, "gpt_oss", activation, &reads)?;
    let window = layers::window(settings)?;
    spec.pattern = layers::pattern(settings, spec.layers, window, |layer| layer % 2 == 0)?;
    spec.biases.experts = true;
    spec.sinks = true;
    let feed_forward = spec.feed_forward;
    base::add_experts(settings, &mut spec, feed_forward, Weighting::SoftmaxOfChosen)?;
    Ok(spec)
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let reads = ["attention.sliding_window", "expert_count"];
    let form = (BOUNDED, RopePairing::Half);
    let mut spec = keys::from_gguf(settings, file, ("gpt_oss", "gpt-oss"), form, &reads)?;
    let window = settings.size_if_any("gpt-oss.attention.sliding_window")?;
    let slides = |layer: usize| layer.is_multiple_of(2);
    spec.pattern = layers::gguf_pattern(settings, "gpt-oss", spec.layers, window, slides)?;
    spec.sinks = true;
    // GGUF has no key for it; the model's own ramp is not rounded.
    if let RopeScaling::Yarn { whole_pairs, .. } = &mut spec.rope.scaling {
        *whole_pairs = false;
    }
    keys::add_experts(settings, "gpt-oss", &mut spec, Weighting::SoftmaxOfChosen)?;
    Ok(spec)
}

/// Rows of gate and up alternate. Unpacked experts are `[inputs, outputs]`.
fn huggingface_place(known: Known, part: Part) -> Place {
    let inner = known.spec.experts.as_ref().map_or(0, |experts| experts.feed_forward);
    let packed = known.has("model.layers.0.mlp.experts.down_proj_blocks");
    let matrix = |name: &str| match packed {
        true => Place { holder: Holder::BlocksAndScales, ..in_layer(name) },
        false => Place { turned: true, ..in_layer(name) },
    };
    let bias = || in_layer("mlp.experts.gate_up_proj_bias");
    match part {
        Part::Router => in_layer("mlp.router.weight"),
        Part::RouterBias => in_layer("mlp.router.bias"),
        Part::ExpertGate => matrix("mlp.experts.gate_up_proj").every_other(0, 2 * inner),
        Part::ExpertUp => matrix("mlp.experts.gate_up_proj").every_other(1, 2 * inner),
        Part::ExpertDown => matrix("mlp.experts.down_proj"),
        Part::ExpertGateBias => bias().every_other(0, 2 * inner),
        Part::ExpertUpBias => bias().every_other(1, 2 * inner),
        Part::ExpertDownBias => in_layer("mlp.experts.down_proj_bias"),
        _ => place::huggingface(known, part),
    }
}

fn gguf_place(known: Known, part: Part) -> Place {
    match part {
        Part::FeedForwardNorm => Place::tensor("blk.{l}.post_attention_norm.weight"),
        _ => place::gguf(known, part),
    }
}
