//! The table of words behind the built-in search vectors, trained from nothing but texts.

mod articles;
mod contrast;
mod documents;
mod parallel;
mod random;
mod sample;
mod vocabulary;
mod weights;
mod words;
mod works;

use crate::error::{Error, Result};
use allod_kernels::Isa;
use allod_lm::{Bag, Lexicon, TableFacts, digest_bytes, write_table};
use allod_privacy::Shield;
use contrast::Contrast;
use documents::{FileFacts, Files, read};
use sample::{Batch, Sampler, Shape};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use weights::Weights;
use words::{Count, Reader};
use works::Works;

/// What the file states beside the digests: who must be named where the table goes.
const ATTRIBUTION: &str = "Acts of the European Union: © European Union, 1998-2026, \
    https://eur-lex.europa.eu, reuse under Commission Decision 2011/833/EU, compilation \
    lex-corpus-eu-eurlex by Soufien Hajji (CC BY 4.0). Novels: European Literary Text Collection \
    (ELTeC), COST Action CA16204, texts in the public domain, encoding CC BY 4.0. Swiss and German \
    federal law, Romansh law: official texts in the public domain.";

/// The settings of a run. Equal settings and equal data give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableRecipe {
    /// Elements of a row; a multiple of 16.
    pub dimension: usize,
    /// Words with a row of their own.
    pub words: usize,
    /// Pieces of words with a row.
    pub pieces: usize,
    /// Steps of training.
    pub steps: usize,
    /// Pairs in a step; a multiple of 64.
    pub pairs: usize,
    /// Pairs from one act at most.
    pub group: usize,
    /// Words of a passage at most, its title apart.
    pub passage_words: usize,
    /// The rate of the first step; it falls to a twentieth in a straight line.
    pub rate: f32,
    /// What cosines are multiplied with before the softmax.
    pub scale: f32,
    /// The share of all words at which a word begins with 0.7 of the length of a rare one.
    pub common: f32,
    /// Where the random numbers start.
    pub seed: u64,
}

impl Default for TableRecipe {
    fn default() -> TableRecipe {
        TableRecipe {
            dimension: 256,
            words: 30_000,
            pieces: 14_000,
            steps: 6_000,
            pairs: 512,
            group: 16,
            passage_words: 100,
            rate: 0.1,
            scale: 20.0,
            common: 3e-4,
            seed: 7,
        }
    }
}

/// Where the training data lie.
#[derive(Debug, Clone, Default)]
pub struct TrainingData {
    /// Folders with `de|fr|it|en.train.jsonl` and with `GT.de` and `GT.rm`.
    pub folders: Vec<PathBuf>,
    /// JSON lines whose `sr` names acts that are not trained on.
    pub held_out: Vec<PathBuf>,
    /// Hides personal data in the texts, as the policy's `privacy.training` says.
    pub shield: Option<Shield>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Mean loss of a pair in the last step, in nats.
    pub loss: f32,
}

/// What a run ends in.
pub struct TrainedTable {
    /// The table's file.
    pub bytes: Vec<u8>,
    /// What it says of itself.
    pub facts: TableFacts,
}

/// Trains a table and writes it down; `told` hears of every step.
///
/// The same data and recipe give the same bytes on every machine and with any number of threads.
///
/// # Errors
/// What is missing or wrong in the data.
pub fn train_table(
    recipe: &TableRecipe,
    data: &TrainingData,
    threads: usize,
    mut told: impl FnMut(Progress) + Send,
) -> Result<TrainedTable> {
    let held_out = held_out(&data.held_out)?;
    let mut files = Files::read(&data.folders)?;
    if let Some(shield) = &data.shield {
        files.hide(shield);
    }
    let facts = std::mem::take(&mut files.facts);
    let reader = Reader::of(Works::of(files, &held_out));
    if reader.acts.is_empty() {
        return Err(Error::Data("no act with two articles is left".to_string()));
    }
    let entries = vocabulary::vocabulary(&reader.words.counts, recipe.words, recipe.pieces);
    let lexicon = Lexicon::new(entries.clone()).expect("the entries of a vocabulary differ");
    let rows: Vec<Bag> =
        reader.words.counts.iter().map(|(word, _)| lexicon.rows_of(word)).collect();
    let lengths = lengths(&reader.words.counts, &rows, entries.len(), recipe.common);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Threads { threads, what: error.to_string() })?;
    let weights = pool.install(|| {
        let mut weights = Weights::random(&lengths, recipe.dimension, recipe.seed);
        let mut sampler = Sampler::new(&reader, rows, recipe.shape(), recipe.seed ^ 1);
        for step in 0..recipe.steps {
            let loss = train_step(&mut weights, &sampler.batch(), recipe, recipe.rate_at(step));
            told(Progress { step: step + 1, loss });
        }
        weights
    });
    let facts = TableFacts {
        name: "allod-embed-1".to_string(),
        dimension: recipe.dimension,
        entries: entries.len(),
        recipe: serde_json::to_value(recipe).expect("a recipe is plain numbers"),
        data: described(&facts, &held_out),
    };
    let bytes = write_table(&facts, &entries, &weights.rows)?;
    Ok(TrainedTable { bytes, facts })
}

impl TableRecipe {
    fn shape(&self) -> Shape {
        let TableRecipe { pairs, group, passage_words, .. } = *self;
        Shape { pairs, group, passage_words }
    }

    fn rate_at(&self, step: usize) -> f32 {
        self.rate * (1.0 - step as f32 / self.steps as f32).max(0.05)
    }
}

/// One step; returns the mean loss of a pair before it.
fn train_step(weights: &mut Weights, batch: &Batch, recipe: &TableRecipe, rate: f32) -> f32 {
    let bags: Vec<Bag> = batch.bags.concat();
    let pooled = weights.pool(&bags);
    let (queries, passages) = pooled.vectors.split_at(pooled.vectors.len() / 2);
    let contrast = Contrast {
        isa: Isa::detect(),
        dimension: recipe.dimension,
        scale: recipe.scale,
        keys: &batch.keys,
    };
    let (loss, slopes) = contrast.loss(queries, passages);
    let slopes = weights.slopes(&bags, &pooled, &slopes);
    weights.step(&slopes, rate);
    loss
}

/// The length each row begins with: the rarer, the longer, as in smooth inverse frequency
/// (Arora, Liang and Ma 2017).
fn lengths(counts: &[Count], rows: &[Bag], entries: usize, common: f32) -> Vec<f32> {
    let mut uses = vec![1.0f64; entries];
    let mut total = 0.0;
    for ((_, counts), rows) in counts.iter().zip(rows) {
        let count = f64::from(counts.iter().sum::<u32>());
        total += count;
        rows.iter().for_each(|(row, factor)| uses[*row as usize] += count * f64::from(*factor));
    }
    let common = f64::from(common);
    uses.iter().map(|uses| (common / (common + uses / total)).sqrt() as f32).collect()
}

/// The numbers of acts that are not trained on.
fn held_out(paths: &[PathBuf]) -> Result<BTreeSet<String>> {
    let mut numbers = BTreeSet::new();
    for path in paths {
        for (at, line) in read(path)?.lines().enumerate() {
            numbers.insert(act_number(path, at, line)?);
        }
    }
    Ok(numbers)
}

fn act_number(path: &Path, at: usize, line: &str) -> Result<String> {
    let wrong = |what: String| Error::Line { file: path.to_path_buf(), line: at + 1, what };
    let line: Value = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
    let number = line["sr"].as_str().ok_or_else(|| wrong("it has no text `sr`".to_string()))?;
    Ok(number.to_string())
}

fn described(files: &BTreeMap<String, FileFacts>, held_out: &BTreeSet<String>) -> Value {
    let numbers: Vec<&str> = held_out.iter().map(String::as_str).collect();
    json!({
        "files": files,
        "held_out_acts": numbers.len(),
        "held_out_digest": digest_bytes(numbers.join("\n").as_bytes()),
        "attribution": ATTRIBUTION,
    })
}

#[cfg(test)]
mod tests;
