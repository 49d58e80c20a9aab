//! XLM-RoBERTa and RoBERTa: BERT whose positions start after the padding token's.

use super::encoders::{self, ENCODER_NAMES};
use super::{Architecture, Known, Place, Settings, encoder_place};
use crate::error::Result;
use crate::spec::{EncoderSpec, Positions};
use crate::weight::Part;

pub(super) const ARCHITECTURE: Architecture<EncoderSpec> = Architecture {
    model_types: &["xlm-roberta", "roberta"],
    gguf_alias: Some("bert"),
    config,
    huggingface_place,
    ignored: &[
        "roberta.embeddings.position_ids",
        "embeddings.position_ids",
        "roberta.pooler.",
        "pooler.",
        "lm_head.",
    ],
    ..ENCODER_NAMES
};

fn config(settings: &Settings) -> Result<EncoderSpec> {
    let names = match settings.text("model_type")? {
        "roberta" => ("roberta", "Roberta"),
        _ => ("xlm-roberta", "XLMRoberta"),
    };
    encoders::bert_like(settings, names, unused(settings)?)
}

/// The first token has the position after the padding token's id.
fn unused(settings: &Settings) -> Result<usize> {
    Ok(settings.size_if_any("pad_token_id")?.unwrap_or(1) + 1)
}

fn huggingface_place(known: Known<EncoderSpec>, part: Part) -> Place {
    let root = encoder_place::root(known, "roberta.", "embeddings.word_embeddings.weight");
    match part {
        Part::HeadDense => Place::tensor("classifier.dense.weight"),
        Part::HeadDenseBias => Place::tensor("classifier.dense.bias"),
        Part::HeadOutput => Place::tensor("classifier.out_proj.weight"),
        Part::HeadOutputBias => Place::tensor("classifier.out_proj.bias"),
        Part::PositionEmbedding => {
            let unused = match known.spec.positions {
                Positions::Learned { unused } => unused,
                Positions::Rotary { .. } => 0,
            };
            let table = unused + known.spec.context_length;
            encoder_place::bert(known, root, part).starting_at(unused, table)
        }
        _ => encoder_place::bert(known, root, part),
    }
}
