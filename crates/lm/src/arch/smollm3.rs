//! SmolLM3: Llama whose every fourth layer does not rotate.

use super::{Architecture, NAMES, Settings, base, keys, layers, rope};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec, LayerSpec};
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["smollm3"],
    gguf_names: &["smollm3"],
    gguf_pairing: RopePairing::Interleaved,
    config,
    gguf,
    class: "SmolLM3ForCausalLM",
    config_values: |spec, values| {
        let rotates = |layer| u8::from(spec.layer(layer).rotary);
        values.insert("no_rope_layers".into(), (0..spec.layers).map(rotates).collect());
    },
    ..NAMES
};

/// Which layers do not rotate, where nothing else is said: every fourth.
const INTERVAL: usize = 4;

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let activation = ("silu", Activation::SiluGated);
    let reads = ["no_rope_layers", "sliding_window"];
    rope::demand_theta(settings)?;
    let mut spec = base::from_config(settings, "smollm3", activation, &reads)?;
    // Off in the class, and left out of config.json where it is as usual.
    spec.tied = settings.truth_if_any("tie_word_embeddings")?.unwrap_or(true);
    let rotary = rotary(settings, spec.layers)?;
    let rotates = |layer: usize| rotary[layer % rotary.len()];
    let used = settings.truth("use_sliding_window")?;
    let window = layers::window(settings)?.filter(|_| used);
    let given = layers::pattern(settings, spec.layers, window, |layer| !rotates(layer))?;
    spec.pattern = layers::each(settings, spec.layers, |layer| LayerSpec {
        rotary: rotates(layer),
        ..given[layer % given.len()]
    })?;
    Ok(spec)
}

/// `no_rope_layers` says 1 where a layer rotates.
fn rotary(settings: &Settings, layers: usize) -> Result<Vec<bool>> {
    let interval = settings.size_if_any("no_rope_layer_interval")?.unwrap_or(INTERVAL);
    match settings.floats_if_any("no_rope_layers")? {
        Some(list) if !list.is_empty() => match list.len() == layers {
            true => Ok(list.iter().map(|rotates| *rotates != 0.0).collect()),
            false => {
                let what = format!("has {} entries for {layers} layers", list.len());
                Err(settings.bad("no_rope_layers", what))
            }
        },
        _ => Ok((1..=interval.clamp(1, 1024)).map(|layer| layer != interval).collect()),
    }
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let form = (Activation::SiluGated, ARCHITECTURE.gguf_pairing);
    let mut spec = keys::from_gguf(settings, file, ("smollm3", "smollm3"), form, &[])?;
    spec.pattern = layers::each(settings, spec.layers, |layer| LayerSpec {
        rotary: !(layer + 1).is_multiple_of(INTERVAL),
        ..LayerSpec::PLAIN
    })?;
    Ok(spec)
}
