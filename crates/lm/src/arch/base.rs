//! What the settings of most decoders have in common.

use super::{PLAIN, Settings, layers, rope};
use crate::error::Result;
use crate::spec::{
    Activation, Biases, DecoderSpec, ExpertSpec, LayerSpec, Norms, RopeScaling, Scales,
};
use allod_kernels::{RopePairing, Weighting};

/// Settings that make a model something else than plain. An architecture names those it reads.
const SPECIAL_CONFIG: &[&str] = &[
    "attention_chunk_size",
    "attention_multiplier",
    "attn_logit_softcapping",
    "clip_qkv",
    "embedding_multiplier",
    "final_logit_softcapping",
    "kv_lora_rank",
    "logits_scaling",
    "n_shared_experts",
    "no_rope_layers",
    "num_experts",
    "num_local_experts",
    "output_vocab_size",
    "post_norm",
    "query_pre_attn_scalar",
    "residual_multiplier",
    "shared_expert_intermediate_size",
    "shared_intermediate_size",
    "sliding_window",
    "use_bidirectional_attention",
];
/// A plain decoder as config.json describes it. `reads` names the special settings that the
/// architecture reads itself; `activation` is what it calls its non-linearity.
pub(super) fn from_config(
    settings: &Settings,
    architecture: &'static str,
    activation: (&str, Activation),
    reads: &[&str],
) -> Result<DecoderSpec> {
    settings.refuse(SPECIAL_CONFIG.iter().filter(|key| !reads.contains(key)), PLAIN)?;
    if !reads.contains(&"quantization_config") {
        refuse_own_packing(settings)?;
    }
    check_activation(settings, activation.0)?;
    let (width, heads) = (settings.size("hidden_size")?, settings.size("num_attention_heads")?);
    let head_dim = settings.size_if_any("head_dim")?.unwrap_or(width / heads.max(1));
    let context_length = settings.size_if_any("max_position_embeddings")?.unwrap_or(2048);
    let rope = rope::from_config(settings, head_dim, context_length)?;
    if !reads.contains(&"partial_rotary_factor") {
        rope::refuse_partial(settings, &rope, head_dim)?;
    }
    let attention_bias = settings.truth("attention_bias")?;
    let biases = Biases {
        query_key_value: attention_bias,
        attention_output: attention_bias,
        feed_forward: settings.truth("mlp_bias")?,
        experts: false,
    };
    let count = settings.size("num_hidden_layers")?;
    let vocabulary = settings.size("vocab_size")?;
    // Architectures with windows say themselves which layers have them.
    let window = if reads.contains(&"sliding_window") { layers::window(settings)? } else { None };
    Ok(DecoderSpec {
        vocabulary,
        outputs: vocabulary,
        layers: count,
        pattern: layers::pattern(settings, count, window, |_| false)?,
        kv_heads: settings.size_if_any("num_key_value_heads")?.unwrap_or(heads),
        feed_forward: settings.size("intermediate_size")?,
        norm_epsilon: settings.float("rms_norm_eps")? as f32,
        rope,
        biases,
        tied: settings.truth("tie_word_embeddings")?,
        context_length,
        ..plain(architecture, activation.1, width, heads, head_dim)
    })
}

/// A plain decoder without what settings say.
pub(super) fn plain(
    architecture: &'static str,
    activation: Activation,
    width: usize,
    heads: usize,
    head_dim: usize,
) -> DecoderSpec {
    let scaling = RopeScaling::None;
    let (theta, pairing) = (10_000.0, RopePairing::Half);
    DecoderSpec {
        architecture,
        vocabulary: 1,
        outputs: 1,
        width,
        layers: 1,
        pattern: vec![LayerSpec::PLAIN],
        heads,
        kv_heads: heads,
        head_dim,
        feed_forward: 1,
        activation,
        experts: None,
        norms: Norms::default(),
        norm_epsilon: 1e-6,
        attention_scale: (1.0 / (head_dim as f64).sqrt()) as f32,
        attention_cap: None,
        sinks: false,
        query_key_value_limit: None,
        rope: crate::spec::RopeSpec { theta, dimensions: head_dim, pairing, scaling },
        window_rope: None,
        biases: Biases::default(),
        scales: Scales::default(),
        output_cap: None,
        tied: false,
        context_length: 1,
    }
}

/// Refuses a packing that only some architectures have. Others do not change what is computed: the
/// loader sees to them.
fn refuse_own_packing(settings: &Settings) -> Result<()> {
    let packing = settings.object("quantization_config")?;
    match packing.map(|packing| packing.text_if_any("quant_method")).transpose()?.flatten() {
        Some("mxfp4") => {
            Err(settings.unsupported("the packing `mxfp4` (`quantization_config`)", PLAIN))
        }
        _ => Ok(()),
    }
}

fn check_activation(settings: &Settings, expected: &str) -> Result<()> {
    for key in ["hidden_activation", "hidden_act"] {
        match settings.text_if_any(key)? {
            Some(found) if found == expected => return Ok(()),
            Some(found) => {
                let what = format!("the activation `{found}` (`{key}`)");
                let known = format!("models of this architecture use `{expected}`");
                return Err(settings.unsupported(what, &known));
            }
            None => {}
        }
    }
    Ok(())
}

/// Makes every layer a choice of experts, as config.json describes them.
pub(super) fn add_experts(
    settings: &Settings,
    spec: &mut DecoderSpec,
    feed_forward: usize,
    weighting: Weighting,
) -> Result<()> {
    let count = match settings.size_if_any("num_experts")? {
        Some(count) => count,
        None => settings.size("num_local_experts")?,
    };
    let used = settings.size("num_experts_per_tok")?;
    spec.experts = Some(ExpertSpec { count, used, feed_forward, weighting });
    spec.pattern.iter_mut().for_each(|layer| layer.sparse = true);
    Ok(())
}
