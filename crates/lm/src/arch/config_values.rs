//! What config.json says about a decoder: the other way round from `base`, under the same names.

use crate::spec::{Activation, DecoderSpec, RopeScaling, RopeSpec};
use serde_json::{Map, Value, json};

/// Values by key.
pub(super) type Values = Map<String, Value>;

/// All that is not as it is usual, under the names that most architectures use.
pub(super) fn of(spec: &DecoderSpec, model_type: &str) -> Values {
    let mut values = sizes(spec, model_type);
    let mut put = |key: &str, value: Option<Value>| {
        value.into_iter().for_each(|value| {
            values.insert(key.to_string(), value);
        });
    };
    put("attn_logit_softcapping", spec.attention_cap.map(Value::from));
    put("final_logit_softcapping", spec.output_cap.map(Value::from));
    put("clip_qkv", spec.query_key_value_limit.map(Value::from));
    put("output_vocab_size", (spec.outputs != spec.vocabulary).then(|| Value::from(spec.outputs)));
    let factor = |factor: f32| (factor != 1.0).then(|| Value::from(factor));
    put("embedding_multiplier", factor(spec.scales.embedding));
    put("residual_multiplier", factor(spec.scales.residual));
    put("logits_scaling", factor(1.0 / spec.scales.logits));
    put("rope_parameters", Some(rope(&spec.rope, spec.head_dim, spec.context_length)));
    experts(spec, &mut values);
    windows(spec, &mut values);
    values
}

fn sizes(spec: &DecoderSpec, model_type: &str) -> Values {
    let activation = match spec.activation {
        Activation::SiluGated | Activation::BoundedSiluGated { .. } => "silu",
        Activation::GeluTanhGated => "gelu_pytorch_tanh",
        Activation::Gelu | Activation::GeluGated => "gelu",
        Activation::Xielu => "xielu",
    };
    let values = json!({
        "model_type": model_type,
        "vocab_size": spec.vocabulary,
        "hidden_size": spec.width,
        "intermediate_size": spec.feed_forward,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.heads,
        "num_key_value_heads": spec.kv_heads,
        "head_dim": spec.head_dim,
        "hidden_act": activation,
        "max_position_embeddings": spec.context_length,
        "rms_norm_eps": spec.norm_epsilon,
        "attention_bias": spec.biases.attention_output,
        "mlp_bias": spec.biases.feed_forward,
        "tie_word_embeddings": spec.tied,
    });
    match values {
        Value::Object(values) => values,
        _ => Values::new(),
    }
}

fn experts(spec: &DecoderSpec, values: &mut Values) {
    let Some(experts) = &spec.experts else { return };
    values.insert("num_experts".into(), experts.count.into());
    values.insert("num_experts_per_tok".into(), experts.used.into());
    let dense: Vec<usize> = (0..spec.layers).filter(|layer| !spec.layer(*layer).sparse).collect();
    if !dense.is_empty() {
        values.insert("mlp_only_layers".into(), dense.into());
    }
}

/// The window, and which layers have it.
fn windows(spec: &DecoderSpec, values: &mut Values) {
    let windows = || (0..spec.layers).map(|layer| spec.layer(layer).window);
    let Some(window) = windows().flatten().next() else { return };
    values.insert("sliding_window".into(), window.into());
    values.insert("use_sliding_window".into(), true.into());
    values.insert("layer_types".into(), windows().map(layer_type).collect());
}

/// What a layer with such a window is called.
pub(super) fn layer_type(window: Option<usize>) -> &'static str {
    match window {
        Some(_) => "sliding_attention",
        None => "full_attention",
    }
}

/// The rotation as `rope_parameters` has it (transformers 5).
pub(super) fn rope(rope: &RopeSpec, head_dim: usize, context_length: usize) -> Value {
    let mut values = match &rope.scaling {
        RopeScaling::None => json!({"rope_type": "default"}),
        RopeScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
        RopeScaling::Dynamic { factor, original_context } => json!({
            "rope_type": "dynamic", "factor": factor,
            "original_max_position_embeddings": *original_context as u64,
        }),
        RopeScaling::Llama3 {
            factor,
            low_frequency_factor: low,
            high_frequency_factor: high,
            original_context,
        } => json!({
            "rope_type": "llama3", "factor": factor, "low_freq_factor": low,
            "high_freq_factor": high, "original_max_position_embeddings": *original_context as u64,
        }),
        RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, .. } => json!({
            "rope_type": "yarn", "factor": factor, "beta_fast": beta_fast, "beta_slow": beta_slow,
            "original_max_position_embeddings": *original_context as u64,
        }),
        RopeScaling::Long { short, long, original_context, magnitude } => {
            divided(short, long, *original_context, *magnitude)
        }
        // No type of its own: the same divisors whatever the length.
        RopeScaling::Divisors(divisors) => divided(divisors, divisors, context_length as f64, 1.0),
    };
    if let RopeScaling::Yarn { whole_pairs, magnitude, .. } = &rope.scaling {
        values["truncate"] = (*whole_pairs).into();
        values["attention_factor"] = (*magnitude).into();
    }
    if rope.dimensions != head_dim {
        // The reader takes the whole part of the product.
        let part = (rope.dimensions as f64 + 0.25) / head_dim as f64;
        values["partial_rotary_factor"] = part.into();
    }
    values["rope_theta"] = rope.theta.into();
    values
}

fn divided(short: &[f32], long: &[f32], original_context: f64, magnitude: f64) -> Value {
    json!({
        "rope_type": "longrope", "short_factor": short, "long_factor": long,
        "original_max_position_embeddings": original_context as u64, "attention_factor": magnitude,
    })
}
