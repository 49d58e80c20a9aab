//! ModernBERT: rotary positions, windows in two of three layers, norms before, a gated GELU.

use super::encoders::{self, ENCODER_NAMES, Head, divided, expect, scale};
use super::{
    Architecture, Known, PLAIN, Place, Settings, encoder_place, encoder_values, layers, rope,
};
use crate::error::Result;
use crate::spec::{
    Activation, EncoderBiases, EncoderNorm, EncoderSpec, HeadActivation, HeadSpec, NormPlace,
    Pooling, Positions, RopeScaling, RopeSpec,
};
use crate::weight::Part;
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture<EncoderSpec> = Architecture {
    model_types: &["modernbert"],
    gguf_names: &["modern-bert"],
    config,
    gguf,
    huggingface_place,
    gguf_place,
    gguf_keys: encoder_values::modernbert_keys,
    class: "ModernBertModel",
    config_values: encoder_values::modernbert,
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

fn gguf(settings: &Settings, file: &TensorFile) -> Result<EncoderSpec> {
    let key = |name: &str| format!("modern-bert.{name}");
    settings.refuse([key("rope.scaling.type")], PLAIN)?;
    let plain = encoders::from_gguf(settings, file, ("modernbert", "modern-bert"))?;
    let window = settings.size(&key("attention.sliding_window"))? / 2;
    let every = settings.size_if_any(&key("attention.sliding_window_pattern"))?.unwrap_or(3).max(1);
    let pattern = layers::pattern(settings, plain.layers, Some(window), |l| l % every != 0)?;
    let rope = |name: &str, theta: f64| -> Result<RopeSpec> {
        let theta = settings.float_if_any(&key(name))?.unwrap_or(theta);
        let (pairing, scaling) = (RopePairing::Half, RopeScaling::None);
        Ok(RopeSpec { theta, dimensions: plain.head_dim, pairing, scaling })
    };
    let has = |name: &str| file.tensor(name).is_some();
    Ok(EncoderSpec {
        windows: pattern.iter().map(|layer| layer.window).collect(),
        activation: Activation::GeluGated,
        positions: Positions::Rotary {
            rope: rope("rope.freq_base", THETAS[0])?,
            window_rope: rope("rope.freq_base_swa", THETAS[1])?,
        },
        segments: None,
        norm: EncoderNorm { place: NormPlace::Before, bias: has("output_norm.bias"), ..plain.norm },
        biases: EncoderBiases {
            attention: has("blk.0.attn_output.bias"),
            feed_forward: has("blk.0.ffn_up.bias"),
        },
        context_length: settings.size(&key("context_length"))?,
        ..plain
    })
}

/// Query, key and value are one tensor, and so are the feed-forward's gate and other half: the rows
/// of a part, if it is one of them.
fn fused(known: Known<EncoderSpec>, part: Part, names: [&str; 2]) -> Option<Place> {
    let (attended, inner) = (known.spec.heads * known.spec.head_dim, known.spec.feed_forward);
    let (name, kind, nth) = match part {
        Part::Query => (names[0], "weight", 0),
        Part::QueryBias => (names[0], "bias", 0),
        Part::Key => (names[0], "weight", 1),
        Part::KeyBias => (names[0], "bias", 1),
        Part::Value => (names[0], "weight", 2),
        Part::ValueBias => (names[0], "bias", 2),
        Part::Gate => (names[1], "weight", 0),
        Part::GateBias => (names[1], "bias", 0),
        Part::Up => (names[1], "weight", 1),
        Part::UpBias => (names[1], "bias", 1),
        _ => return None,
    };
    let (rows, of) = if name == names[0] { (attended, 3) } else { (inner, 2) };
    Some(Place::tensor(format!("{name}.{kind}")).starting_at(nth * rows, of * rows))
}

fn gguf_place(known: Known<EncoderSpec>, part: Part) -> Place {
    let fused = fused(known, part, ["blk.{l}.attn_qkv", "blk.{l}.ffn_up"]);
    fused.unwrap_or_else(|| encoder_place::gguf(known, part))
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
    let own = |name: &str| Place::tensor(format!("{root}{name}"));
    let layer = |name: &str| own(&format!("layers.{{l}}.{name}"));
    let names = ["attn.Wqkv", "mlp.Wi"].map(|name| format!("{root}layers.{{l}}.{name}"));
    if let Some(place) = fused(known, part, [&names[0], &names[1]]) {
        return place;
    }
    match part {
        Part::TokenEmbedding => own("embeddings.tok_embeddings.weight"),
        Part::EmbeddingNorm => own("embeddings.norm.weight"),
        Part::EmbeddingNormBias => own("embeddings.norm.bias"),
        Part::OutputNorm => own("final_norm.weight"),
        Part::OutputNormBias => own("final_norm.bias"),
        Part::AttentionNorm => layer("attn_norm.weight"),
        Part::AttentionNormBias => layer("attn_norm.bias"),
        Part::AttentionOutput => layer("attn.Wo.weight"),
        Part::AttentionOutputBias => layer("attn.Wo.bias"),
        Part::FeedForwardNorm => layer("mlp_norm.weight"),
        Part::FeedForwardNormBias => layer("mlp_norm.bias"),
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
