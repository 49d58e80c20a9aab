//! Llama 1 to 3.x and what shares its architecture (SmolLM2, TinyLlama, …).

use super::{Architecture, PLAIN, Settings, rope};
use crate::error::Result;
use crate::spec::{Activation, Biases, DecoderSpec};
use crate::weight::Part;
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture =
    Architecture { model_types: &["llama"], gguf_names: &["llama"], config, gguf, names, ignored };

/// Settings of relatives that compute something else.
const FOREIGN_CONFIG: &[&str] = &[
    "quantization_config",
    "sliding_window",
    "layer_types",
    "num_local_experts",
    "no_rope_layers",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "embedding_multiplier",
    "residual_multiplier",
    "attention_multiplier",
    "logits_scaling",
];
const FOREIGN_GGUF: &[&str] = &[
    "llama.expert_count",
    "llama.attention.sliding_window",
    "llama.attention.scale",
    "llama.attn_logit_softcapping",
    "llama.final_logit_softcapping",
    "llama.logit_scale",
    "llama.embedding_scale",
    "llama.residual_scale",
];

fn config(settings: &Settings) -> Result<DecoderSpec> {
    settings.refuse(FOREIGN_CONFIG, PLAIN)?;
    let activation = settings.text_if_any("hidden_act")?.unwrap_or("silu");
    if activation != "silu" {
        let what = format!("the activation `{activation}` (`hidden_act`)");
        return Err(settings.unsupported(what, "Llama models use `silu`"));
    }
    let (width, heads) = (settings.size("hidden_size")?, settings.size("num_attention_heads")?);
    let head_dim = settings.size_if_any("head_dim")?.unwrap_or(width / heads.max(1));
    let attention_bias = settings.truth("attention_bias")?;
    let biases = Biases {
        query_key_value: attention_bias,
        attention_output: attention_bias,
        feed_forward: settings.truth("mlp_bias")?,
    };
    Ok(DecoderSpec {
        architecture: "llama",
        vocabulary: settings.size("vocab_size")?,
        width,
        layers: settings.size("num_hidden_layers")?,
        heads,
        kv_heads: settings.size_if_any("num_key_value_heads")?.unwrap_or(heads),
        head_dim,
        feed_forward: settings.size("intermediate_size")?,
        activation: Activation::SiluGated,
        norm_epsilon: settings.float_if_any("rms_norm_eps")?.unwrap_or(1e-6) as f32,
        attention_scale: attention_scale(head_dim),
        rope: rope::from_config(settings, head_dim)?,
        biases,
        tied: settings.truth("tie_word_embeddings")?,
        context_length: settings.size_if_any("max_position_embeddings")?.unwrap_or(2048),
    })
}

fn attention_scale(head_dim: usize) -> f32 {
    (1.0 / (head_dim as f64).sqrt()) as f32
}

fn gguf(settings: &Settings, file: &TensorFile) -> Result<DecoderSpec> {
    settings.refuse(FOREIGN_GGUF, PLAIN)?;
    let width = settings.size("llama.embedding_length")?;
    let heads = settings.size("llama.attention.head_count")?;
    let key_length = settings.size_if_any("llama.attention.key_length")?;
    let head_dim = key_length.unwrap_or(width / heads.max(1));
    if settings.size_if_any("llama.attention.value_length")?.unwrap_or(head_dim) != head_dim {
        return Err(settings.unsupported("values of another length than keys", PLAIN));
    }
    let vocabulary =
        file.tensor("token_embd.weight").and_then(|tensor| tensor.shape.first().copied());
    let has = |name: &str| file.tensor(name).is_some();
    Ok(DecoderSpec {
        architecture: "llama",
        vocabulary: vocabulary.unwrap_or(1),
        width,
        layers: settings.size("llama.block_count")?,
        heads,
        kv_heads: settings.size_if_any("llama.attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        feed_forward: settings.size("llama.feed_forward_length")?,
        activation: Activation::SiluGated,
        norm_epsilon: settings.float("llama.attention.layer_norm_rms_epsilon")? as f32,
        attention_scale: attention_scale(head_dim),
        rope: rope::from_gguf(settings, "llama", file, head_dim, RopePairing::Interleaved)?,
        biases: Biases {
            query_key_value: has("blk.0.attn_q.bias"),
            attention_output: has("blk.0.attn_output.bias"),
            feed_forward: has("blk.0.ffn_gate.bias"),
        },
        tied: !has("output.weight"),
        context_length: settings.size("llama.context_length")?,
    })
}

/// Names in safetensors and in GGUF.
fn names(part: Part) -> (&'static str, &'static str) {
    match part {
        Part::TokenEmbedding => ("model.embed_tokens", "token_embd"),
        Part::OutputNorm => ("model.norm", "output_norm"),
        Part::Output => ("lm_head", "output"),
        Part::AttentionNorm => ("input_layernorm", "attn_norm"),
        Part::Query | Part::QueryBias => ("self_attn.q_proj", "attn_q"),
        Part::Key | Part::KeyBias => ("self_attn.k_proj", "attn_k"),
        Part::Value | Part::ValueBias => ("self_attn.v_proj", "attn_v"),
        Part::AttentionOutput | Part::AttentionOutputBias => ("self_attn.o_proj", "attn_output"),
        Part::FeedForwardNorm => ("post_attention_layernorm", "ffn_norm"),
        Part::Gate | Part::GateBias => ("mlp.gate_proj", "ffn_gate"),
        Part::Up | Part::UpBias => ("mlp.up_proj", "ffn_up"),
        Part::Down | Part::DownBias => ("mlp.down_proj", "ffn_down"),
    }
}

/// Old checkpoints carry rope's frequencies, and tied ones sometimes the head twice.
fn ignored(name: &str, spec: &DecoderSpec) -> bool {
    name == "rope_freqs.weight"
        || name.ends_with(".rotary_emb.inv_freq")
        || (spec.tied && name == "lm_head.weight")
}
