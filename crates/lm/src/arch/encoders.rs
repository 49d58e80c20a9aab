//! What the settings and names of encoders have in common.

use super::{Architecture, PLAIN, Place, Settings, encoder_place};
use crate::error::Result;
use crate::spec::{
    Activation, EncoderBiases, EncoderNorm, EncoderSpec, HeadActivation, HeadSpec, NormPlace,
    Pooling, Positions,
};
use allod_kernels::RopePairing;
use allod_weights::TensorFile;

/// The plain names, for encoders to start from.
pub(super) const ENCODER_NAMES: Architecture<EncoderSpec> = Architecture {
    model_types: &[],
    gguf_names: &[],
    gguf_alias: None,
    gguf_pairing: RopePairing::Half,
    config: |settings| Err(settings.unsupported("this architecture in config.json", "GGUF is")),
    gguf: |settings, _| Err(settings.unsupported("this architecture in GGUF", "a folder is")),
    huggingface_place: |_, part| Place::tensor(format!("{part:?}")),
    gguf_place: encoder_place::gguf,
    gguf_keys: |_, _| {},
    class: "",
    config_values: |_, _| {},
    gguf_output: false,
    ignored: &[],
};

/// Settings that make an encoder something else than plain.
const SPECIAL: [&str; 6] = [
    "is_decoder",
    "add_cross_attention",
    "quantization_config",
    "embedding_size",
    "sparse_attention",
    "num_key_value_heads",
];

/// Where a BERT-like model's settings say what its head is.
pub(super) enum Head {
    /// None: hidden states, or a head that is left aside.
    None,
    /// Scores of a sequence.
    Scores,
}

/// The head that the class in `architectures` has: `PREFIXForSequenceClassification` or none.
pub(super) fn head(settings: &Settings, prefix: &str) -> Result<Head> {
    let classes = settings.texts_if_any("architectures")?.unwrap_or_default();
    let Some(class) = classes.first() else { return Ok(Head::None) };
    match class.strip_prefix(prefix) {
        Some("Model" | "ForMaskedLM" | "ForPreTraining") => Ok(Head::None),
        Some("ForSequenceClassification") => Ok(Head::Scores),
        _ => {
            let known = format!("`{prefix}Model` and `{prefix}ForSequenceClassification` are");
            Err(settings.unsupported(format!("the class `{class}`"), &known))
        }
    }
}

/// How many scores the head gives: the length of `id2label`, else `num_labels`, else two.
pub(super) fn labels(settings: &Settings) -> Result<usize> {
    match settings.object("id2label")? {
        Some(names) => Ok((0_usize..).take_while(|label| names.has(&label.to_string())).count()),
        None => Ok(settings.size_if_any("num_labels")?.unwrap_or(2)),
    }
}

/// A BERT-like encoder as config.json describes it, `prefix` being that of its classes and `unused`
/// the positions at the start of its table that no token has.
pub(super) fn bert_like(
    settings: &Settings,
    (architecture, prefix): (&'static str, &str),
    unused: usize,
) -> Result<EncoderSpec> {
    settings.refuse(SPECIAL, PLAIN)?;
    expect(settings, "hidden_act", "gelu")?;
    expect(settings, "position_embedding_type", "absolute")?;
    let (width, heads) = (settings.size("hidden_size")?, settings.size("num_attention_heads")?);
    let head_dim = divided(settings, width, heads)?;
    let table = settings.size("max_position_embeddings")?;
    let head = match head(settings, prefix)? {
        Head::None => None,
        Head::Scores => Some(HeadSpec {
            pooling: Pooling::First,
            activation: HeadActivation::Tanh,
            dense_bias: true,
            norm: false,
            labels: labels(settings)?,
        }),
    };
    Ok(EncoderSpec {
        architecture,
        vocabulary: settings.size("vocab_size")?,
        width,
        layers: settings.size("num_hidden_layers")?,
        windows: vec![None],
        heads,
        head_dim,
        feed_forward: settings.size("intermediate_size")?,
        activation: Activation::Gelu,
        positions: Positions::Learned { unused },
        segments: Some(settings.size_if_any("type_vocab_size")?.unwrap_or(2)),
        norm: EncoderNorm {
            place: NormPlace::After,
            epsilon: settings.float_if_any("layer_norm_eps")?.unwrap_or(1e-12) as f32,
            bias: true,
        },
        biases: EncoderBiases { attention: true, feed_forward: true },
        attention_scale: scale(head_dim),
        context_length: table.saturating_sub(unused),
        head,
    })
}

/// A BERT-like encoder as a GGUF file describes it under `prefix`. Heads are not read: files differ
/// in what they hold of them.
pub(super) fn from_gguf(
    settings: &Settings,
    file: &TensorFile,
    (architecture, prefix): (&'static str, &str),
) -> Result<EncoderSpec> {
    let key = |name: &str| format!("{prefix}.{name}");
    if file.tensors().any(|tensor| tensor.name.starts_with("cls")) {
        return Err(settings.unsupported("a head for scores in GGUF", "it is in a folder"));
    }
    if settings.truth(&key("attention.causal"))? {
        let what = format!("the setting `{}`", key("attention.causal"));
        return Err(settings.unsupported(what, PLAIN));
    }
    let rows = |name: &str| file.tensor(name).and_then(|tensor| tensor.shape.first().copied());
    let width = settings.size(&key("embedding_length"))?;
    let heads = settings.size(&key("attention.head_count"))?;
    let head_dim = divided(settings, width, heads)?;
    let epsilon = settings.float(&key("attention.layer_norm_epsilon"))? as f32;
    Ok(EncoderSpec {
        architecture,
        vocabulary: rows("token_embd.weight").unwrap_or(1),
        width,
        layers: settings.size(&key("block_count"))?,
        windows: vec![None],
        heads,
        head_dim,
        feed_forward: settings.size(&key("feed_forward_length"))?,
        activation: Activation::Gelu,
        positions: Positions::Learned { unused: 0 },
        segments: rows("token_types.weight"),
        norm: EncoderNorm { place: NormPlace::After, epsilon, bias: true },
        biases: EncoderBiases { attention: true, feed_forward: true },
        attention_scale: scale(head_dim),
        context_length: rows("position_embd.weight").unwrap_or(1),
        head: None,
    })
}

/// Refuses a setting that is there and says something else.
pub(super) fn expect(settings: &Settings, key: &str, expected: &str) -> Result<()> {
    match settings.text_if_any(key)? {
        Some(found) if found != expected => {
            let known = format!("models of this architecture use `{expected}`");
            Err(settings.unsupported(format!("`{found}` (`{key}`)"), &known))
        }
        _ => Ok(()),
    }
}

/// Elements of a head.
pub(super) fn divided(settings: &Settings, width: usize, heads: usize) -> Result<usize> {
    match heads > 0 && width.is_multiple_of(heads) {
        true => Ok(width / heads),
        false => Err(settings
            .bad("num_attention_heads", format!("is {heads}, which does not divide {width}"))),
    }
}

/// One over the root of a head's length.
pub(super) fn scale(head_dim: usize) -> f32 {
    (1.0 / (head_dim as f64).sqrt()) as f32
}
