//! Where encoders' checkpoints hold their weights.

use super::{Known, Place};
use crate::spec::{EncoderSpec, NormPlace};
use crate::weight::Part;

/// How Hugging Face's BERT and RoBERTa name their tensors, `root` being what stands before all but
/// the head's. Old files call a norm's factors gamma and its bias beta.
pub(super) fn bert(known: Known<EncoderSpec>, root: &str, part: Part) -> Place {
    let name = match part {
        Part::TokenEmbedding => "embeddings.word_embeddings.weight",
        Part::PositionEmbedding => "embeddings.position_embeddings.weight",
        Part::SegmentEmbedding => "embeddings.token_type_embeddings.weight",
        Part::EmbeddingNorm => "embeddings.LayerNorm.weight",
        Part::EmbeddingNormBias => "embeddings.LayerNorm.bias",
        Part::Query => "encoder.layer.{l}.attention.self.query.weight",
        Part::QueryBias => "encoder.layer.{l}.attention.self.query.bias",
        Part::Key => "encoder.layer.{l}.attention.self.key.weight",
        Part::KeyBias => "encoder.layer.{l}.attention.self.key.bias",
        Part::Value => "encoder.layer.{l}.attention.self.value.weight",
        Part::ValueBias => "encoder.layer.{l}.attention.self.value.bias",
        Part::AttentionOutput => "encoder.layer.{l}.attention.output.dense.weight",
        Part::AttentionOutputBias => "encoder.layer.{l}.attention.output.dense.bias",
        Part::AttentionNorm => "encoder.layer.{l}.attention.output.LayerNorm.weight",
        Part::AttentionNormBias => "encoder.layer.{l}.attention.output.LayerNorm.bias",
        Part::Up => "encoder.layer.{l}.intermediate.dense.weight",
        Part::UpBias => "encoder.layer.{l}.intermediate.dense.bias",
        Part::Down => "encoder.layer.{l}.output.dense.weight",
        Part::DownBias => "encoder.layer.{l}.output.dense.bias",
        Part::FeedForwardNorm => "encoder.layer.{l}.output.LayerNorm.weight",
        Part::FeedForwardNormBias => "encoder.layer.{l}.output.LayerNorm.bias",
        other => return Place::tensor(format!("{other:?}")),
    };
    let old = known.has(&format!("{root}embeddings.LayerNorm.gamma"));
    let mut name = format!("{root}{name}");
    if old {
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma");
        name = name.replace("LayerNorm.bias", "LayerNorm.beta");
    }
    Place::tensor(name)
}

/// `root` if the token embedding stands under it, else nothing.
pub(super) fn root(known: Known<EncoderSpec>, root: &'static str, embedding: &str) -> &'static str {
    if known.has(&format!("{root}{embedding}")) { root } else { "" }
}

/// How GGUF names the tensors of encoders.
pub(super) fn gguf(known: Known<EncoderSpec>, part: Part) -> Place {
    let after = known.spec.norm.place == NormPlace::After;
    let name = match part {
        Part::TokenEmbedding => return Place::tensor("token_embd.weight"),
        Part::PositionEmbedding => return Place::tensor("position_embd.weight"),
        Part::SegmentEmbedding => return Place::tensor("token_types.weight"),
        Part::EmbeddingNorm => return Place::tensor("token_embd_norm.weight"),
        Part::EmbeddingNormBias => return Place::tensor("token_embd_norm.bias"),
        Part::OutputNorm => return Place::tensor("output_norm.weight"),
        Part::OutputNormBias => return Place::tensor("output_norm.bias"),
        Part::Query => "attn_q.weight",
        Part::QueryBias => "attn_q.bias",
        Part::Key => "attn_k.weight",
        Part::KeyBias => "attn_k.bias",
        Part::Value => "attn_v.weight",
        Part::ValueBias => "attn_v.bias",
        Part::AttentionOutput => "attn_output.weight",
        Part::AttentionOutputBias => "attn_output.bias",
        Part::AttentionNorm if after => "attn_output_norm.weight",
        Part::AttentionNormBias if after => "attn_output_norm.bias",
        Part::AttentionNorm => "attn_norm.weight",
        Part::AttentionNormBias => "attn_norm.bias",
        Part::Gate => "ffn_gate.weight",
        Part::GateBias => "ffn_gate.bias",
        Part::Up => "ffn_up.weight",
        Part::UpBias => "ffn_up.bias",
        Part::Down => "ffn_down.weight",
        Part::DownBias => "ffn_down.bias",
        Part::FeedForwardNorm if after => "layer_output_norm.weight",
        Part::FeedForwardNormBias if after => "layer_output_norm.bias",
        Part::FeedForwardNorm => "ffn_norm.weight",
        Part::FeedForwardNormBias => "ffn_norm.bias",
        Part::HeadDense => return Place::tensor("cls.weight"),
        Part::HeadDenseBias => return Place::tensor("cls.bias"),
        Part::HeadNorm => return Place::tensor("cls.norm.weight"),
        Part::HeadNormBias => return Place::tensor("cls.norm.bias"),
        Part::HeadOutput => return Place::tensor("cls.output.weight"),
        Part::HeadOutputBias => return Place::tensor("cls.output.bias"),
        other => return Place::tensor(format!("{other:?}")),
    };
    Place::tensor(format!("blk.{{l}}.{name}"))
}
