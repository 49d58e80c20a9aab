//! BERT: learned positions, two segments, norms after each half.

use super::encoders::{self, ENCODER_NAMES};
use super::{Architecture, Known, Place, Settings, encoder_place, encoder_values};
use crate::error::Result;
use crate::spec::EncoderSpec;
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
    class: "BertModel",
    config_values: encoder_values::bert,
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

/// Converters cut the positions that no token has off the table, so that XLM-RoBERTa's files look
/// the same.
fn gguf(settings: &Settings, file: &TensorFile) -> Result<EncoderSpec> {
    encoders::from_gguf(settings, file, ("bert", "bert"))
}
