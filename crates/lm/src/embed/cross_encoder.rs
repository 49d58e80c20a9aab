//! Scores of pairs of texts that a model reads together.

use super::{EmbedOptions, Sequence, in_batches, infer_options, limit, manner::Manner};
use crate::arch::Settings;
use crate::checkpoint::{Checkpoint, read_object};
use crate::error::{Error, Result};
use crate::infer::Infer;
use crate::spec::EncoderSpec;
use crate::tokenizer::{Pair, Tokenizer};
use allod_weights::TensorFile;
use std::path::Path;
use std::sync::Arc;

const JSON_BYTES: u64 = 16 << 20;

/// Reads two texts together and scores them: how well a document answers a query, mostly. Equal
/// pairs have equal bits, whatever else is scored with them.
pub struct CrossEncoder {
    tokenizer: Tokenizer,
    infer: Infer<EncoderSpec>,
    max_tokens: usize,
    squashes: bool,
    segmented: bool,
    labels: usize,
}

impl CrossEncoder {
    /// Loads a folder in Hugging Face's layout whose model is of a class for sequence
    /// classification.
    ///
    /// # Errors
    /// What is missing, damaged or not supported, by name.
    pub fn load(folder: &Path, options: EmbedOptions) -> Result<CrossEncoder> {
        let manner = Manner::of_folder(folder)?;
        let config_path = manner.folder.join("config.json");
        let config = read_object(&config_path, JSON_BYTES)?;
        let settings = Settings::json(&config_path, &config);
        let checkpoint = Checkpoint::open_encoder(&manner.folder)?;
        let spec = checkpoint.spec();
        let labels = match &spec.head {
            Some(head) => head.labels,
            None => {
                let what = "a model without a head for scores";
                let known = "those of a class for sequence classification are";
                return Err(settings.unsupported(what, known));
            }
        };
        let max_tokens = limit(manner.max_tokens, spec.context_length);
        let segmented = spec.segments.is_some() && takes_segments(&manner.folder)?;
        let infer = Infer::new(Arc::new(checkpoint), infer_options(options, max_tokens))?;
        let tokenizer = Tokenizer::from_folder(&manner.folder)?;
        let squashes = squashes(&settings, labels)?;
        Ok(CrossEncoder { tokenizer, infer, max_tokens, squashes, segmented, labels })
    }

    /// How many scores a pair has.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// Tokens that a pair is cut to, the longer text first.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Text to tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The file that holds the weights.
    pub fn file(&self) -> &TensorFile {
        self.infer.checkpoint().file()
    }

    /// The score of each document beside `query`, in their order: between 0 and 1 where the model
    /// squashes it, any number where it does not.
    ///
    /// # Errors
    /// If a text cannot be turned into tokens, or the model gives more than one score.
    pub fn scores(&mut self, query: &str, documents: &[&str]) -> Result<Vec<f32>> {
        if self.labels != 1 {
            let what = format!("the model gives {} scores for a pair, not one", self.labels);
            return Err(Error::Batch(what));
        }
        let pairs: Vec<(&str, &str)> = documents.iter().map(|text| (query, *text)).collect();
        let logits = self.logits(&pairs)?.into_iter().map(|logits| logits[0]);
        Ok(match self.squashes {
            true => logits.map(sigmoid).collect(),
            false => logits.collect(),
        })
    }

    /// The scores of each pair as the model's head gives them.
    ///
    /// # Errors
    /// If a text cannot be turned into tokens.
    pub fn logits(&mut self, pairs: &[(&str, &str)]) -> Result<Vec<Vec<f32>>> {
        let mut sequences = Vec::with_capacity(pairs.len());
        for (first, second) in pairs {
            let Pair { tokens, mut segments } =
                self.tokenizer.encode_pair(first, second, self.max_tokens)?;
            if !self.segmented {
                segments.fill(0);
            }
            sequences.push(Sequence { tokens, segments });
        }
        let infer = &mut self.infer;
        in_batches(&sequences, |batch| infer.scores(batch))
    }
}

/// 1 / (1 + e^-x), in `f64`.
fn sigmoid(x: f32) -> f32 {
    (1.0 / (1.0 + libm::exp(f64::from(-x)))) as f32
}

/// Whether a single score is squashed, as sentence-transformers does it: yes, unless the settings
/// name another function.
fn squashes(settings: &Settings, labels: usize) -> Result<bool> {
    let own = match settings.object("sentence_transformers")? {
        Some(own) => own.text_if_any("activation_fn")?,
        None => None,
    };
    let old = settings.text_if_any("sbert_ce_default_activation_function")?;
    match own.or(old).map(|name| name.rsplit('.').next().unwrap_or_default()) {
        None => Ok(labels == 1),
        Some("Sigmoid") => Ok(true),
        Some("Identity") => Ok(false),
        Some(other) => {
            let what = format!("`{other}` after the scores");
            Err(settings.unsupported(what, "`Sigmoid` and `Identity` are"))
        }
    }
}

/// Whether the model is told which text a token is of: `model_input_names` lists it, or is missing.
fn takes_segments(folder: &Path) -> Result<bool> {
    let path = folder.join("tokenizer_config.json");
    if !path.is_file() {
        return Ok(true);
    }
    let config = read_object(&path, JSON_BYTES)?;
    let names = Settings::json(&path, &config).texts_if_any("model_input_names")?;
    Ok(names.is_none_or(|names| names.contains(&"token_type_ids")))
}
