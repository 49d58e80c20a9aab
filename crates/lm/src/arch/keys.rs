//! What the keys of most decoders' GGUF files have in common.

use super::{PLAIN, Settings, base, rope};
use crate::error::Result;
use crate::spec::{Activation, Biases, DecoderSpec, ExpertSpec};
use allod_kernels::{RopePairing, Weighting};
use allod_weights::TensorFile;

/// Keys, after the architecture's prefix, that make a model something else than plain. An
/// architecture names those it reads.
const SPECIAL_GGUF: &[&str] = &[
    "attention.clamp_kqv",
    "attention.scale",
    "attention.sliding_window",
    "attn_logit_softcapping",
    "embedding_scale",
    "expert_count",
    "expert_shared_count",
    "expert_shared_feed_forward_length",
    "final_logit_softcapping",
    "logit_scale",
    "residual_scale",
];

/// A plain decoder as a GGUF file describes it under `prefix`. `reads` names the special keys that
/// the architecture reads itself.
pub(super) fn from_gguf(
    settings: &Settings,
    file: &TensorFile,
    (architecture, prefix): (&'static str, &str),
    (activation, pairing): (Activation, RopePairing),
    reads: &[&str],
) -> Result<DecoderSpec> {
    let key = |name: &str| format!("{prefix}.{name}");
    let special = SPECIAL_GGUF.iter().filter(|name| !reads.contains(name)).map(|name| key(name));
    settings.refuse(special, PLAIN)?;
    let width = settings.size(&key("embedding_length"))?;
    let heads = settings.size(&key("attention.head_count"))?;
    let key_length = settings.size_if_any(&key("attention.key_length"))?;
    let head_dim = key_length.unwrap_or(width / heads.max(1));
    if settings.size_if_any(&key("attention.value_length"))?.unwrap_or(head_dim) != head_dim {
        return Err(settings.unsupported("values of another length than keys", PLAIN));
    }
    let has = |name: &str| file.tensor(name).is_some();
    let rows = |name: &str| file.tensor(name).and_then(|tensor| tensor.shape.first().copied());
    let vocabulary = rows("token_embd.weight").unwrap_or(1);
    Ok(DecoderSpec {
        vocabulary,
        outputs: rows("output.weight").unwrap_or(vocabulary),
        layers: settings.size(&key("block_count"))?,
        kv_heads: settings.size_if_any(&key("attention.head_count_kv"))?.unwrap_or(heads),
        feed_forward: settings.size(&key("feed_forward_length"))?,
        norm_epsilon: settings.float(&key("attention.layer_norm_rms_epsilon"))? as f32,
        rope: rope::from_gguf(settings, prefix, file, head_dim, pairing)?,
        biases: Biases {
            query_key_value: has("blk.0.attn_q.bias"),
            attention_output: has("blk.0.attn_output.bias"),
            feed_forward: has("blk.0.ffn_up.bias"),
            experts: has("blk.0.ffn_up_exps.bias"),
        },
        tied: !has("output.weight"),
        context_length: settings.size(&key("context_length"))?,
        ..base::plain(architecture, activation, width, heads, head_dim)
    })
}

/// Makes every layer a choice of experts, as a GGUF file describes them.
pub(super) fn add_experts(
    settings: &Settings,
    prefix: &str,
    spec: &mut DecoderSpec,
    weighting: Weighting,
) -> Result<()> {
    let key = |name: &str| format!("{prefix}.{name}");
    let own = settings.size_if_any(&key("expert_feed_forward_length"))?;
    spec.experts = Some(ExpertSpec {
        count: settings.size(&key("expert_count"))?,
        used: settings.size(&key("expert_used_count"))?,
        feed_forward: own.unwrap_or(spec.feed_forward),
        weighting,
    });
    spec.pattern.iter_mut().for_each(|layer| layer.sparse = true);
    Ok(())
}
