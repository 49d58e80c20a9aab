//! A model that reads, inside its cell: answers one request after the other.

use crate::frame::{self, ASK_BYTES_MAX};
use crate::inside::{Ears, Mouth};
use crate::message::{Ask, Say, Task};
use allod_engine::{EmbedTexts, Encodes, Error, InProcess, LoadEncoder, RankTexts};
use allod_lm::EmbedOptions;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;

/// What is loaded.
pub(crate) enum Loaded {
    Embedder(Box<dyn EmbedTexts>),
    Ranker(Box<dyn RankTexts>),
}

/// Loads a model for a task.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn load(path: &Path, task: Task, options: EmbedOptions) -> Result<Loaded, Error> {
    // Another one cannot have been named before.
    let _ = options.isa.bound();
    match task {
        Task::Embed => InProcess.load_embedder(path, options).map(Loaded::Embedder),
        Task::Rank => InProcess.load_ranker(path, options).map(Loaded::Ranker),
    }
}

/// The life of a model that reads.
pub(crate) fn read(
    mut requests: Ears,
    mouth: &Mouth,
    (number, loaded): (u64, Result<Loaded, Error>),
) -> ExitCode {
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            mouth.say(number, &Say::Failed(error));
            return ExitCode::SUCCESS;
        }
    };
    mouth.say(number, &Say::Reads(Box::new(loaded.about().profile().clone())));
    while let Ok((number, ask)) = frame::read(&mut requests, ASK_BYTES_MAX) {
        let said = catch_unwind(AssertUnwindSafe(|| loaded.answer(ask)));
        let panicked = |_| Err(Error::Run { what: "a part of it panicked".to_owned() });
        mouth.say(number, &said.unwrap_or_else(panicked).unwrap_or_else(Say::Failed));
    }
    ExitCode::SUCCESS
}

impl Loaded {
    fn about(&self) -> &dyn Encodes {
        match self {
            Loaded::Embedder(model) => model.as_ref(),
            Loaded::Ranker(model) => model.as_ref(),
        }
    }

    fn answer(&self, ask: Ask) -> Result<Say, Error> {
        match (self, ask) {
            (Loaded::Embedder(model), Ask::TextTokens { purpose, texts }) => {
                model.text_tokens(purpose, &borrowed(&texts)).map(Say::Counts)
            }
            (Loaded::Embedder(model), Ask::Embed { purpose, texts }) => {
                model.embed(purpose, &borrowed(&texts)).map(Say::Vectors)
            }
            (Loaded::Ranker(model), Ask::PairTokens { query, documents }) => {
                model.pair_tokens(&query, &borrowed(&documents)).map(Say::Counts)
            }
            (Loaded::Ranker(model), Ask::Score { query, documents }) => {
                model.scores(&query, &borrowed(&documents)).map(Say::Scores)
            }
            _ => Ok(Say::Done),
        }
    }
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
