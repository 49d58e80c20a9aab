//! What checkpoints say about an encoder: the other way round from `encoders`.

use super::GgufKeys;
use super::config_values::{self, Values};
use crate::spec::{EncoderSpec, ModelSpec, Positions};
use serde_json::{Value, json};

/// What all encoders' GGUF files say; or what they cannot.
pub(super) fn keys(spec: &EncoderSpec, prefix: &'static str) -> Result<GgufKeys, String> {
    if spec.head.is_some() {
        return Err("a head for scores in GGUF".to_string());
    }
    let mut keys = GgufKeys::plain(prefix);
    for (name, size) in [
        ("vocab_size", spec.vocabulary),
        ("context_length", spec.context_length),
        ("embedding_length", spec.width),
        ("block_count", spec.layers),
        ("feed_forward_length", spec.feed_forward),
        ("attention.head_count", spec.heads),
    ] {
        keys.put(name, size as u32);
    }
    keys.put("attention.causal", false);
    keys.put("attention.layer_norm_epsilon", spec.norm.epsilon);
    if let Some(segments) = spec.segments {
        keys.metadata.insert("tokenizer.ggml.token_type_count", segments as u32);
    }
    Ok(keys)
}

/// What all encoders' config.json say.
pub(super) fn config(spec: &EncoderSpec, model_type: &str) -> Values {
    let unused = match spec.positions {
        Positions::Learned { unused } => unused,
        Positions::Rotary { .. } => 0,
    };
    let values = json!({
        "model_type": model_type,
        "vocab_size": spec.vocabulary,
        "hidden_size": spec.width,
        "intermediate_size": spec.feed_forward,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.heads,
        "max_position_embeddings": unused + spec.context_length,
    });
    match values {
        Value::Object(values) => values,
        _ => Values::new(),
    }
}

/// What BERT's says besides.
pub(super) fn bert(spec: &EncoderSpec, values: &mut Values) {
    values.insert("hidden_act".into(), "gelu".into());
    values.insert("layer_norm_eps".into(), spec.norm.epsilon.into());
    values.insert("type_vocab_size".into(), spec.segments.unwrap_or(0).into());
}

/// What ModernBERT's says besides.
pub(super) fn modernbert(spec: &EncoderSpec, values: &mut Values) {
    let windows = (0..spec.layers).map(|layer| spec.window(layer));
    let window = spec.windows.iter().flatten().next();
    window.into_iter().for_each(|window| {
        values.insert("local_attention".into(), (2 * window).into());
    });
    if let Positions::Rotary { rope, window_rope } = &spec.positions {
        let [full, sliding] = [rope, window_rope]
            .map(|own| config_values::rope(own, spec.head_dim, spec.context_length));
        let both = json!({"full_attention": full, "sliding_attention": sliding});
        values.insert("rope_parameters".into(), both);
    }
    values.insert("layer_types".into(), windows.map(config_values::layer_type).collect());
    values.insert("hidden_activation".into(), "gelu".into());
    values.insert("norm_eps".into(), spec.norm.epsilon.into());
    values.insert("norm_bias".into(), spec.norm.bias.into());
    values.insert("attention_bias".into(), spec.biases.attention.into());
    values.insert("mlp_bias".into(), spec.biases.feed_forward.into());
}

/// What ModernBERT's GGUF files say besides: both rotations and the windows. One layer of so many
/// sees everything, the first of them.
pub(super) fn modernbert_keys(spec: &EncoderSpec, keys: &mut GgufKeys) {
    if let Positions::Rotary { rope, window_rope } = &spec.positions {
        keys.put("rope.freq_base", rope.theta as f32);
        keys.put("rope.freq_base_swa", window_rope.theta as f32);
    }
    let window = spec.windows.iter().flatten().next().copied();
    let all = (1..spec.layers).find(|layer| spec.window(*layer).is_none());
    keys.put("attention.sliding_window", 2 * window.unwrap_or(spec.context_length) as u32);
    keys.put("attention.sliding_window_pattern", all.unwrap_or(spec.layers) as u32);
}
