//! Where a checkpoint holds a weight.

use super::Known;
use crate::weight::Part;

/// Where a checkpoint holds a weight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    /// Name of the tensor or key; `{l}` stands for the layer, `{e}` for the expert. Experts whose
    /// name has no `{e}` lie in one tensor, outermost.
    pub name: String,
    /// What holds it.
    pub holder: Holder,
    /// Which rows of the tensor are the weight's; all of them if none.
    pub rows: Option<Rows>,
    /// Whether the tensor is `[inputs, outputs]`.
    pub turned: bool,
    /// What has to be added to every value.
    pub plus: f32,
    /// Whether a single number is written without a dimension.
    pub scalar: bool,
}

/// What holds a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A tensor.
    Tensor,
    /// A key of the metadata: a number for each layer, or one for all.
    Key,
    /// Two tensors, `…_blocks` with pairs of 4-bit floats and `…_scales` with powers of two.
    BlocksAndScales,
}

/// The rows `first, first + step, …` of `of` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    pub first: usize,
    pub step: usize,
    pub of: usize,
}

impl Place {
    /// The whole of a tensor.
    pub fn tensor(name: impl Into<String>) -> Place {
        let (holder, rows) = (Holder::Tensor, None);
        Place { name: name.into(), holder, rows, turned: false, plus: 0.0, scalar: false }
    }

    /// A number for each layer, under a key of the metadata.
    pub fn key(name: &str) -> Place {
        Place { holder: Holder::Key, ..Place::tensor(name) }
    }

    /// Rows of a tensor of `of` rows, from `first` on.
    pub fn starting_at(self, first: usize, of: usize) -> Place {
        Place { rows: Some(Rows { first, step: 1, of }), ..self }
    }

    /// Every other row of a tensor of `of` rows, from `first` on.
    pub fn every_other(self, first: usize, of: usize) -> Place {
        Place { rows: Some(Rows { first, step: 2, of }), ..self }
    }

    /// The name for a layer and an expert.
    pub fn name(&self, layer: usize, expert: usize) -> String {
        self.name.replace("{l}", &layer.to_string()).replace("{e}", &expert.to_string())
    }
}

/// How Hugging Face's Llama and most that follow it name their tensors.
pub(super) fn huggingface(known: Known, part: Part) -> Place {
    let name = match part {
        Part::TokenEmbedding => return Place::tensor("model.embed_tokens.weight"),
        Part::OutputNorm => return Place::tensor("model.norm.weight"),
        Part::Output => return Place::tensor("lm_head.weight"),
        Part::AttentionNorm => "input_layernorm.weight",
        Part::Query => "self_attn.q_proj.weight",
        Part::QueryBias => "self_attn.q_proj.bias",
        Part::QueryNorm => "self_attn.q_norm.weight",
        Part::Key => "self_attn.k_proj.weight",
        Part::KeyBias => "self_attn.k_proj.bias",
        Part::KeyNorm => "self_attn.k_norm.weight",
        Part::Value => "self_attn.v_proj.weight",
        Part::ValueBias => "self_attn.v_proj.bias",
        Part::Sinks => "self_attn.sinks",
        Part::AttentionOutput => "self_attn.o_proj.weight",
        Part::AttentionOutputBias => "self_attn.o_proj.bias",
        Part::PostAttentionNorm => "post_attention_layernorm.weight",
        Part::FeedForwardNorm if known.spec.norms.after => "pre_feedforward_layernorm.weight",
        Part::FeedForwardNorm => "post_attention_layernorm.weight",
        Part::Gate => "mlp.gate_proj.weight",
        Part::GateBias => "mlp.gate_proj.bias",
        Part::Up => "mlp.up_proj.weight",
        Part::UpBias => "mlp.up_proj.bias",
        Part::XieluPositive => "mlp.act_fn.alpha_p",
        Part::XieluNegative => "mlp.act_fn.alpha_n",
        Part::XieluBeta => return scalar("mlp.act_fn.beta"),
        Part::XieluEpsilon => return scalar("mlp.act_fn.eps"),
        Part::Down => "mlp.down_proj.weight",
        Part::DownBias => "mlp.down_proj.bias",
        Part::Router => "mlp.gate.weight",
        Part::RouterBias => "mlp.gate.bias",
        Part::ExpertGate => "mlp.experts.{e}.gate_proj.weight",
        Part::ExpertGateBias => "mlp.experts.{e}.gate_proj.bias",
        Part::ExpertUp => "mlp.experts.{e}.up_proj.weight",
        Part::ExpertUpBias => "mlp.experts.{e}.up_proj.bias",
        Part::ExpertDown => "mlp.experts.{e}.down_proj.weight",
        Part::ExpertDownBias => "mlp.experts.{e}.down_proj.bias",
        Part::PostFeedForwardNorm => "post_feedforward_layernorm.weight",
        // Decoders have no other part.
        other => return Place::tensor(format!("{other:?}")),
    };
    in_layer(name)
}

/// A tensor of a layer, in safetensors.
pub(super) fn in_layer(name: &str) -> Place {
    Place::tensor(format!("model.layers.{{l}}.{name}"))
}

fn scalar(name: &str) -> Place {
    Place { scalar: true, ..in_layer(name) }
}

/// As [`huggingface`], with experts in one tensor each for gate and up together and for down where
/// the file has them so.
pub(super) fn huggingface_experts(known: Known, part: Part) -> Place {
    let sparse = (0..known.spec.layers).find(|layer| known.spec.layer(*layer).sparse);
    let fused = format!("model.layers.{}.mlp.experts.gate_up_proj", sparse.unwrap_or(0));
    let inner = known.spec.experts.as_ref().map_or(0, |experts| experts.feed_forward);
    let gate_up = || in_layer("mlp.experts.gate_up_proj");
    match part {
        _ if !known.has(&fused) => huggingface(known, part),
        Part::ExpertGate => gate_up().starting_at(0, 2 * inner),
        Part::ExpertUp => gate_up().starting_at(inner, 2 * inner),
        Part::ExpertDown => in_layer("mlp.experts.down_proj"),
        _ => huggingface(known, part),
    }
}

/// How GGUF names tensors, whatever the architecture.
pub(super) fn gguf(_: Known, part: Part) -> Place {
    let name = match part {
        Part::TokenEmbedding => return Place::tensor("token_embd.weight"),
        Part::OutputNorm => return Place::tensor("output_norm.weight"),
        Part::Output => return Place::tensor("output.weight"),
        Part::XieluPositive => return Place::key("xielu.alpha_p"),
        Part::XieluNegative => return Place::key("xielu.alpha_n"),
        Part::XieluBeta => return Place::key("xielu.beta"),
        Part::XieluEpsilon => return Place::key("xielu.eps"),
        Part::AttentionNorm => "attn_norm.weight",
        Part::Query => "attn_q.weight",
        Part::QueryBias => "attn_q.bias",
        Part::QueryNorm => "attn_q_norm.weight",
        Part::Key => "attn_k.weight",
        Part::KeyBias => "attn_k.bias",
        Part::KeyNorm => "attn_k_norm.weight",
        Part::Value => "attn_v.weight",
        Part::ValueBias => "attn_v.bias",
        Part::Sinks => "attn_sinks.weight",
        Part::AttentionOutput => "attn_output.weight",
        Part::AttentionOutputBias => "attn_output.bias",
        Part::PostAttentionNorm => "post_attention_norm.weight",
        Part::FeedForwardNorm => "ffn_norm.weight",
        Part::Gate => "ffn_gate.weight",
        Part::GateBias => "ffn_gate.bias",
        Part::Up => "ffn_up.weight",
        Part::UpBias => "ffn_up.bias",
        Part::Down => "ffn_down.weight",
        Part::DownBias => "ffn_down.bias",
        Part::Router => "ffn_gate_inp.weight",
        Part::RouterBias => "ffn_gate_inp.bias",
        Part::ExpertGate => "ffn_gate_exps.weight",
        Part::ExpertGateBias => "ffn_gate_exps.bias",
        Part::ExpertUp => "ffn_up_exps.weight",
        Part::ExpertUpBias => "ffn_up_exps.bias",
        Part::ExpertDown => "ffn_down_exps.weight",
        Part::ExpertDownBias => "ffn_down_exps.bias",
        Part::PostFeedForwardNorm => "post_ffw_norm.weight",
        // Decoders have no other part.
        other => return Place::tensor(format!("{other:?}")),
    };
    Place::tensor(format!("blk.{{l}}.{name}"))
}
