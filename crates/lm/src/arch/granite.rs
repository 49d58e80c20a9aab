//! Granite 3: Llama with constants on the residual stream.

use super::{Architecture, GgufKeys, NAMES, Settings, Values, base, keys};
use crate::error::Result;
use crate::spec::{Activation, DecoderSpec, Scales};
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["granite"],
    gguf_names: &["granite"],
    gguf_pairing: RopePairing::Interleaved,
    gguf_keys,
    config,
    gguf,
    class: "GraniteForCausalLM",
    config_values,
    ..NAMES
};

/// Embedding, residual, logits (a divisor), attention.
const CONFIG: [&str; 4] =
    ["embedding_multiplier", "residual_multiplier", "logits_scaling", "attention_multiplier"];
const GGUF: [&str; 4] = ["embedding_scale", "residual_scale", "logit_scale", "attention.scale"];

fn config(settings: &Settings) -> Result<DecoderSpec> {
    let activation = ("silu", Activation::SiluGated);
    let mut spec = base::from_config(settings, "granite", activation, &CONFIG)?;
    let factor = |key: &str| Ok(settings.float_if_any(key)?.unwrap_or(1.0));
    set(&mut spec, CONFIG.map(factor))?;
    Ok(spec)
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    let form = (Activation::SiluGated, ARCHITECTURE.gguf_pairing);
    let mut spec = keys::from_gguf(settings, file, ("granite", "granite"), form, &GGUF)?;
    let plain = f64::from(spec.attention_scale);
    let factor = |key: &str| {
        let default = if key == GGUF[3] { plain } else { 1.0 };
        Ok(settings.float_if_any(&format!("granite.{key}"))?.unwrap_or(default))
    };
    set(&mut spec, GGUF.map(factor))?;
    Ok(spec)
}

/// All four are said, 1 or not.
fn gguf_keys(spec: &DecoderSpec, keys: &mut GgufKeys) {
    let Scales { embedding, residual, logits } = spec.scales;
    let factors = [embedding, residual, 1.0 / logits, spec.attention_scale];
    GGUF.into_iter().zip(factors).for_each(|(key, factor)| keys.put(key, factor));
}

fn config_values(spec: &DecoderSpec, values: &mut Values) {
    let Scales { embedding, residual, logits } = spec.scales;
    let factors = [embedding, residual, 1.0 / logits, spec.attention_scale];
    for (key, factor) in CONFIG.into_iter().zip(factors) {
        values.insert(key.to_string(), factor.into());
    }
}

fn set(spec: &mut DecoderSpec, factors: [Result<f64>; 4]) -> Result<()> {
    let [embedding, residual, logits, attention] = factors;
    spec.scales = Scales {
        embedding: embedding? as f32,
        residual: residual? as f32,
        logits: (1.0 / logits?) as f32,
    };
    spec.attention_scale = attention? as f32;
    Ok(())
}
