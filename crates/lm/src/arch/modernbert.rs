//! ModernBERT: rotary positions, windows in two of three layers, norms before, a gated GELU.

use super::encoders::{self, ENCODER_NAMES, Head, divided, expect, scale};
use super::{Architecture, Known, PLAIN, Place, Settings, encoder_place, layers, rope};
use crate::error::Result;
use crate::spec::{
    Activation, EncoderBiases, EncoderNorm, EncoderSpec, HeadActivation, HeadSpec, NormPlace,
    Pooling, Positions, RopeSpec,
};
use crate::weight::Part;

pub(super) const ARCHITECTURE: Architecture<EncoderSpec> = Architecture {
    model_types: &["modernbert"],
    config,
    huggingface_place,
    ignored: &["head.", "decoder."],
    ..ENCODER_NAMES
};

/// Thetas of layers that see everything, and of those with a window.
const THETAS: [f64; 2] = [160_000.0, 10_000.0];

fn config(settings: &Settings) -> Result<EncoderSpec> {
    settings.refuse(["quantization_config", "num_key_value_heads"], PLAIN)?;
    expect(settings, "hidden_activation", "gelu")?;
    expect(settings, "position_embedding_type", "absolute")?;
    let (width, heads) = (settings.size("hidden_size")?, settings.size("num_attention_heads")?);
    let head_dim = divided(settings, width, heads)?;
    let layers = settings.size("num_hidden_layers")?;
    let context_length = settings.size_if_any("max_position_embeddings")?.unwrap_or(8192);
    // Half of it lies on each side.
    let window = settings.size_if_any("local_attention")?.unwrap_or(128) / 2;
    let every = settings.size_if_any("global_attn_every_n_layers")?.unwrap_or(3).max(1);
    let pattern = layers::pattern(settings, layers, Some(window), |layer| layer % every != 0)?;
    let rope = |kind| rope_of(settings, kind, head_dim, context_length);
    Ok(EncoderSpec {
        architecture: "modernbert",
        vocabulary: settings.size("vocab_size")?,
        width,
        layers,
        windows: pattern.iter().map(|layer| layer.window).collect(),
        heads,
        head_dim,
        feed_forward: settings.size("intermediate_size")?,
        activation: Activation::GeluGated,
        positions: Positions::Rotary { rope: rope(0)?, window_rope: rope(1)? },
        segments: None,
        norm: EncoderNorm {
            place: NormPlace::Before,
            epsilon: settings.float_if_any("norm_eps")?.unwrap_or(1e-5) as f32,
            bias: settings.truth("norm_bias")?,
        },
        biases: EncoderBiases {
            attention: settings.truth("attention_bias")?,
            feed_forward: settings.truth("mlp_bias")?,
        },
        attention_scale: scale(head_dim),
        context_length,
        head: head(settings)?,
    })
}

/// Rope stands by kind of layer in `rope_parameters` (transformers 5), or in two thetas.
fn rope_of(settings: &Settings, kind: usize, head_dim: usize, context: usize) -> Result<RopeSpec> {
    settings.refuse(["rope_scaling"], PLAIN)?;
    let names = ["full_attention", "sliding_attention"];
    let own = match settings.object("rope_parameters")? {
        Some(both) => both.object(names[kind])?,
        None => None,
    };
    let key = ["global_rope_theta", "local_rope_theta"][kind];
    let theta = settings.float_if_any(key)?.unwrap_or(THETAS[kind]);
    let rope = rope::from_object(settings, own, theta, head_dim, context)?;
    rope::refuse_partial(settings, &rope, head_dim)?;
    Ok(rope)
}

fn head(settings: &Settings) -> Result<Option<HeadSpec>> {
    let Head::Scores = encoders::head(settings, "ModernBert")? else { return Ok(None) };
    expect(settings, "classifier_activation", "gelu")?;
    let pooling = match settings.text_if_any("classifier_pooling")?.unwrap_or("cls") {
        "cls" => Pooling::First,
        "mean" => Pooling::Mean,
        other => {
            let what = format!("`{other}` (`classifier_pooling`)");
            return Err(settings.unsupported(what, "`cls` and `mean` are"));
        }
    };
    Ok(Some(HeadSpec {
        pooling,
        activation: HeadActivation::Gelu,
        dense_bias: settings.truth("classifier_bias")?,
        norm: true,
        labels: encoders::labels(settings)?,
    }))
}

fn huggingface_place(known: Known<EncoderSpec>, part: Part) -> Place {
    let root = encoder_place::root(known, "model.", "embeddings.tok_embeddings.weight");
    let attended = known.spec.heads * known.spec.head_dim;
    let inner = known.spec.feed_forward;
    let own = |name: &str| Place::tensor(format!("{root}{name}"));
    let layer = |name: &str| own(&format!("layers.{{l}}.{name}"));
    let third = |name: &str, nth: usize| layer(name).starting_at(nth * attended, 3 * attended);
    match part {
        Part::TokenEmbedding => own("embeddings.tok_embeddings.weight"),
        Part::EmbeddingNorm => own("embeddings.norm.weight"),
        Part::EmbeddingNormBias => own("embeddings.norm.bias"),
        Part::OutputNorm => own("final_norm.weight"),
        Part::OutputNormBias => own("final_norm.bias"),
        Part::AttentionNorm => layer("attn_norm.weight"),
        Part::AttentionNormBias => layer("attn_norm.bias"),
        Part::Query => third("attn.Wqkv.weight", 0),
        Part::QueryBias => third("attn.Wqkv.bias", 0),
        Part::Key => third("attn.Wqkv.weight", 1),
        Part::KeyBias => third("attn.Wqkv.bias", 1),
        Part::Value => third("attn.Wqkv.weight", 2),
        Part::ValueBias => third("attn.Wqkv.bias", 2),
        Part::AttentionOutput => layer("attn.Wo.weight"),
        Part::AttentionOutputBias => layer("attn.Wo.bias"),
        Part::FeedForwardNorm => layer("mlp_norm.weight"),
        Part::FeedForwardNormBias => layer("mlp_norm.bias"),
        Part::Gate => layer("mlp.Wi.weight").starting_at(0, 2 * inner),
        Part::GateBias => layer("mlp.Wi.bias").starting_at(0, 2 * inner),
        Part::Up => layer("mlp.Wi.weight").starting_at(inner, 2 * inner),
        Part::UpBias => layer("mlp.Wi.bias").starting_at(inner, 2 * inner),
        Part::Down => layer("mlp.Wo.weight"),
        Part::DownBias => layer("mlp.Wo.bias"),
        Part::HeadDense => Place::tensor("head.dense.weight"),
        Part::HeadDenseBias => Place::tensor("head.dense.bias"),
        Part::HeadNorm => Place::tensor("head.norm.weight"),
        Part::HeadNormBias => Place::tensor("head.norm.bias"),
        Part::HeadOutput => Place::tensor("classifier.weight"),
        Part::HeadOutputBias => Place::tensor("classifier.bias"),
        other => Place::tensor(format!("{other:?}")),
    }
}
