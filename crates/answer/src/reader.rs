//! The models that read and do not write: one turns texts into vectors, one scores documents
//! beside a query. What they give is no answer, so the policy decides nothing here; that they ran,
//! for whom and on what, is recorded like everything else.

use std::path::Path;
use std::time::Instant;

use allod_engine::{EmbedTexts, Encodes, LoadEncoder, RankTexts};
use allod_ledger::receipt::{Model, Outcome, RequestKind, Timings};
use allod_lm::{EmbedOptions, FileList, Isa, digest_bytes};
use serde_json::{Value, json};

use crate::ask::{Caller, Embed, Rerank};
use crate::case::millis;
use crate::desk::Desk;
use crate::error::Error;
use crate::generator::locate;
use crate::record::{self, Keeper, append, blank, new_id};
use crate::reply::{ReceiptRef, Tokens};

/// A model that reads: `dyn` [`EmbedTexts`] or [`RankTexts`], in this process or in a cell.
pub struct Reader<M: ?Sized> {
    identity: Model,
    model: Box<M>,
}

/// A model that turns texts into vectors.
pub type EmbedReader = Reader<dyn EmbedTexts>;
/// A model that scores documents.
pub type RankReader = Reader<dyn RankTexts>;

/// Vectors of texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// A vector for each text.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read.
    pub tokens: Tokens,
    /// The receipt; durable before this exists.
    pub receipt: ReceiptRef,
}

/// Scores of documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Reranked {
    /// A score for each document: higher is better.
    pub scores: Vec<f32>,
    /// Tokens read.
    pub tokens: Tokens,
    /// The receipt; durable before this exists.
    pub receipt: ReceiptRef,
}

impl<M: Encodes + ?Sized> Reader<M> {
    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// All files of the model's folder; none for a model of one file.
    pub(crate) fn files(&self) -> Option<&FileList> {
        self.model.files()
    }

    /// How often what runs the model had to be started again.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.model.restarts()
    }
}

impl EmbedReader {
    /// Opens a model that turns texts into vectors; a path or a name in the registry.
    pub(crate) fn embedder(
        models: &Path,
        given: &Path,
        (loader, threads): (&dyn LoadEncoder, Option<usize>),
    ) -> Result<EmbedReader, Error> {
        let model = loader.load_embedder(&locate(models, given)?, options(threads))?;
        Ok(Reader { identity: identity(given, model.as_ref()), model })
    }

    /// Elements of a vector.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.model.profile().outputs
    }
}

impl RankReader {
    /// Opens a model that scores pairs of texts; a path or a name in the registry.
    pub(crate) fn reranker(
        models: &Path,
        given: &Path,
        (loader, threads): (&dyn LoadEncoder, Option<usize>),
    ) -> Result<RankReader, Error> {
        let path = locate(models, given)?;
        let model = loader.load_ranker(&path, options(threads))?;
        let scores = model.profile().outputs;
        if scores != 1 {
            let what = format!(
                "{} gives {scores} scores for a pair of texts; to rank documents it must give one",
                path.display(),
            );
            return Err(Error::NoModel(what));
        }
        Ok(Reader { identity: identity(given, model.as_ref()), model })
    }
}

impl Desk {
    /// Turns texts into vectors.
    ///
    /// # Errors
    /// [`Error::NoModel`] when there is no model for it, [`Error::Limit`] when a text is empty or
    /// longer than the model reads, or when no receipt could be written.
    pub fn embed(&self, asked: &Embed) -> Result<Embedded, Error> {
        let reader = self.embedder.as_ref().ok_or_else(|| {
            Error::NoModel("no model for vectors is loaded: start with --embedder MODEL".into())
        })?;
        let opened = Instant::now();
        let (vectors, tokens) = reader.vectors(asked)?;
        let tokens = Tokens { prompt: tokens as u64, completion: 0 };
        let prompt = json!({"texts": asked.texts, "purpose": format!("{:?}", asked.purpose)});
        let bytes: Vec<u8> = vectors.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
        let answer = json!({"vectors": digest_bytes(&bytes)});
        let reading = Reading { kind: RequestKind::Embed, prompt, answer, tokens, opened };
        let receipt = self.record_reading(&asked.caller, &reader.identity, reading)?;
        Ok(Embedded { vectors, tokens, receipt })
    }

    /// Scores documents beside a query. Pairs that are longer than the model reads are cut.
    ///
    /// # Errors
    /// [`Error::NoModel`] when there is no model for it, or when no receipt could be written.
    pub fn rerank(&self, asked: &Rerank) -> Result<Reranked, Error> {
        let reader = self.reranker.as_ref().ok_or_else(|| {
            Error::NoModel("no model for ranking is loaded: start with --reranker MODEL".into())
        })?;
        let opened = Instant::now();
        let (scores, tokens) = reader.scores(asked)?;
        let tokens = Tokens { prompt: tokens as u64, completion: 0 };
        let prompt = json!({"query": asked.query, "documents": asked.documents});
        let answer = json!({"scores": scores});
        let reading = Reading { kind: RequestKind::Rerank, prompt, answer, tokens, opened };
        let receipt = self.record_reading(&asked.caller, &reader.identity, reading)?;
        Ok(Reranked { scores, tokens, receipt })
    }

    fn record_reading(
        &self,
        caller: &Caller,
        model: &Model,
        reading: Reading,
    ) -> Result<ReceiptRef, Error> {
        let keeper = Keeper { desk: self, caller };
        let (prompt, answer) = (reading.prompt.to_string(), reading.answer.to_string());
        let (words, rows) = keeper.words(&prompt, Some(&answer), None)?;
        let mut receipt = blank(&self.policy, words);
        receipt.request = record::request(&new_id(), reading.kind, caller);
        receipt.model = Some(model.clone());
        receipt.outcome = Outcome::Answered;
        receipt.tokens = record::tokens(reading.tokens);
        let total = millis(reading.opened);
        receipt.timings_ms = Timings { retrieval: 0, generation: total, total };
        append(self, rows, receipt)
    }
}

/// What one reading was, for its receipt.
struct Reading {
    kind: RequestKind,
    prompt: Value,
    answer: Value,
    tokens: Tokens,
    opened: Instant,
}

impl EmbedReader {
    /// The vectors, and how many tokens were read for them.
    fn vectors(&self, asked: &Embed) -> Result<(Vec<Vec<f32>>, usize), Error> {
        let texts: Vec<&str> = asked.texts.iter().map(String::as_str).collect();
        let most = self.model.profile().max_tokens;
        let counts = self.model.text_tokens(asked.purpose, &texts)?;
        for (at, (text, count)) in texts.iter().zip(&counts).enumerate() {
            if text.is_empty() || *count == 0 {
                return Err(Error::Limit(format!("text {at} is empty")));
            }
            if *count > most {
                let what = format!("text {at} has {count} tokens; the model reads {most}");
                return Err(Error::Limit(what));
            }
        }
        let tokens = counts.iter().fold(0, |sum: usize, count| sum.saturating_add(*count));
        Ok((self.model.embed(asked.purpose, &texts)?, tokens))
    }
}

impl RankReader {
    /// The scores, and how many tokens were read for them.
    fn scores(&self, asked: &Rerank) -> Result<(Vec<f32>, usize), Error> {
        let documents: Vec<&str> = asked.documents.iter().map(String::as_str).collect();
        let counts = self.model.pair_tokens(&asked.query, &documents)?;
        let tokens = counts.iter().fold(0, |sum: usize, count| sum.saturating_add(*count));
        Ok((self.model.scores(&asked.query, &documents)?, tokens))
    }
}

pub(crate) fn options(threads: Option<usize>) -> EmbedOptions {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.filter(|threads| *threads > 0).unwrap_or_else(cores);
    EmbedOptions { threads, isa: Isa::detect() }
}

/// The model goes by the name that it was given by: a name in the registry, or that of the file or
/// folder.
fn identity(given: &Path, model: &(impl Encodes + ?Sized)) -> Model {
    let name = if given.extension().is_some_and(|extension| extension == "gguf") {
        given.file_stem()
    } else {
        given.file_name()
    };
    Model {
        name: name.unwrap_or(given.as_os_str()).to_string_lossy().into_owned(),
        digest: Some(model.digest().to_owned()),
        tokenizer: Some(model.profile().tokenizer.clone()),
        template: None,
        files: model.files().map(|list| list.digest().to_owned()),
        prompt: None,
        adapter: None,
    }
}
