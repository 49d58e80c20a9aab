//! BERT: learned positions, two segments, norms after each half.

use super::encoders::{self, ENCODER_NAMES, divided, scale};
use super::{Architecture, Known, PLAIN, Place, Settings, encoder_place};
use crate::error::Result;
use crate::spec::{Activation, EncoderBiases, EncoderNorm, EncoderSpec, NormPlace, Positions};
use crate::weight::Part;
use allod_weights::TensorFile;

pub(super) const ARCHITECTURE: Architecture<EncoderSpec> = Architecture {
    model_types: &["bert"],
    gguf_names: &["bert"],
    config: |settings| encoders::bert_like(settings, ("bert", "Bert"), 0),
    gguf,
    huggingface_place,
    ignored: &[
        "bert.embeddings.position_ids",
        "embeddings.position_ids",
        "bert.pooler.",
        "pooler.",
        "cls.",
    ],
    ..ENCODER_NAMES
};

fn huggingface_place(known: Known<EncoderSpec>, part: Part) -> Place {
    match part {
        Part::HeadDense => Place::tensor("bert.pooler.dense.weight"),
        Part::HeadDenseBias => Place::tensor("bert.pooler.dense.bias"),
        Part::HeadOutput => Place::tensor("classifier.weight"),
        Part::HeadOutputBias => Place::tensor("classifier.bias"),
        _ => {
            let root = encoder_place::root(known, "bert.", "embeddings.word_embeddings.weight");
            encoder_place::bert(known, root, part)
        }
    }
}

/// Converters cut the positions that no token has off the table and drop BERT's pooler, so that
/// XLM-RoBERTa's files look the same; heads are not read.
fn gguf(settings: &Settings, file: &TensorFile) -> Result<EncoderSpec> {
    let key = |name: &str| format!("bert.{name}");
    if file.tensor("cls.weight").is_some() || file.tensor("cls.output.weight").is_some() {
        return Err(settings.unsupported("a head for scores in GGUF", "it is in a folder"));
    }
    if settings.truth_if_any(&key("attention.causal"))?.unwrap_or(false) {
        return Err(settings.unsupported("the setting `bert.attention.causal`", PLAIN));
    }
    let rows = |name: &str| file.tensor(name).and_then(|tensor| tensor.shape.first().copied());
    let width = settings.size(&key("embedding_length"))?;
    let heads = settings.size(&key("attention.head_count"))?;
    let head_dim = divided(settings, width, heads)?;
    Ok(EncoderSpec {
        architecture: "bert",
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
        norm: EncoderNorm {
            place: NormPlace::After,
            epsilon: settings.float(&key("attention.layer_norm_epsilon"))? as f32,
            bias: true,
        },
        biases: EncoderBiases { attention: true, feed_forward: true },
        attention_scale: scale(head_dim),
        context_length: rows("position_embd.weight").unwrap_or(1),
        head: None,
    })
}
