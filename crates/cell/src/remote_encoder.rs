//! A model that reads and is run in a cell, as the rest of the program sees it.

use crate::keeping::{Kept, Wanted, start_first, told};
use crate::message::{Ask, Say, Task};
use crate::remote::{InCell, strange, unfit, weights};
use crate::watch::{Pace, Takes, tokenising};
use allod_engine::{EmbedTexts, EncoderProfile, Encodes, Error, LoadEncoder, RankTexts, Result};
use allod_lm::{EmbedOptions, FileList, Purpose, Use};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Texts that are asked about in one message. Results do not depend on it; how long a cell may be
/// silent does.
const TEXTS_MAX: usize = 64;
/// Numbers that come in one message at most.
const NUMBERS_MAX: usize = 4 << 20;
/// No model has longer vectors.
const OUTPUTS_MAX: usize = 1 << 20;

impl LoadEncoder for InCell {
    fn load_embedder(&self, path: &Path, options: EmbedOptions) -> Result<Box<dyn EmbedTexts>> {
        Ok(Box::new(RemoteEncoder::load(self, path, (Task::Embed, options))?))
    }

    fn load_ranker(&self, path: &Path, options: EmbedOptions) -> Result<Box<dyn RankTexts>> {
        Ok(Box::new(RemoteEncoder::load(self, path, (Task::Rank, options))?))
    }
}

/// A model that reads, in a cell of its own.
struct RemoteEncoder {
    kept: Arc<Kept>,
    profile: EncoderProfile,
    identity: OnceLock<(String, Option<FileList>)>,
}

impl Drop for RemoteEncoder {
    fn drop(&mut self) {
        self.kept.end();
    }
}

impl RemoteEncoder {
    fn load(
        cells: &InCell,
        path: &Path,
        (task, options): (Task, EmbedOptions),
    ) -> Result<RemoteEncoder> {
        let model = std::path::absolute(path).map_err(unfit)?;
        let load = Ask::LoadEncoder { path: told(&model)?, task, options };
        let wanted = Wanted {
            setup: cells.setup.clone(),
            model,
            wanted: Use::Read,
            load,
            more_bytes: 0,
            patience: cells.patience,
        };
        let (kept, profile) = start_first(wanted, |said| match said {
            Say::Reads(profile) if profile.outputs <= OUTPUTS_MAX => {
                let rows = TEXTS_MAX.saturating_mul(profile.max_tokens);
                let pace = Pace::new(profile.parameters, options.isa, rows);
                Some((pace, EncoderProfile::clone(profile)))
            }
            _ => None,
        })?;
        Ok(RemoteEncoder { kept, profile, identity: OnceLock::new() })
    }

    /// Asks about texts, so many at a time that no message becomes too long, and puts together what
    /// comes: for each text one.
    fn ask<T>(
        &self,
        texts: &[&str],
        ask: impl Fn(Vec<String>) -> Ask,
        (takes, read): (impl Fn(usize) -> Duration, impl Fn(Say) -> Option<Vec<T>>),
    ) -> Result<Vec<T>> {
        let most = (NUMBERS_MAX / self.profile.outputs.max(1)).clamp(1, TEXTS_MAX);
        let mut all = Vec::with_capacity(texts.len());
        for piece in texts.chunks(most) {
            let owned = piece.iter().map(|text| (*text).to_owned()).collect();
            let takes = Takes::Turn(takes(piece.iter().map(|text| text.len()).sum()));
            let some = read(self.kept.ask(&ask(owned), takes)?);
            all.extend(some.filter(|some| some.len() == piece.len()).ok_or_else(strange)?);
        }
        Ok(all)
    }

    /// How long texts of so many bytes take to be read. None has more tokens than bytes, but for
    /// what stands around it.
    fn computing(&self, text_bytes: usize) -> Duration {
        let around = TEXTS_MAX.saturating_mul(self.profile.max_tokens.min(64));
        tokenising(text_bytes) + self.kept.rows(text_bytes.saturating_add(around))
    }

    fn is_vector(&self, vector: &[f32]) -> bool {
        vector.len() == self.profile.outputs
    }
}

impl Encodes for RemoteEncoder {
    fn profile(&self) -> &EncoderProfile {
        &self.profile
    }

    fn digest(&self) -> &str {
        &self.identity.get_or_init(|| weights(&self.kept)).0
    }

    fn files(&self) -> Option<&FileList> {
        self.identity.get_or_init(|| weights(&self.kept)).1.as_ref()
    }

    fn restarts(&self) -> u64 {
        self.kept.restarts()
    }
}

fn counts(said: Say) -> Option<Vec<usize>> {
    match said {
        Say::Counts(counts) => Some(counts),
        _ => None,
    }
}

impl EmbedTexts for RemoteEncoder {
    fn text_tokens(&self, purpose: Purpose, texts: &[&str]) -> Result<Vec<usize>> {
        self.ask(texts, |texts| Ask::TextTokens { purpose, texts }, (tokenising, counts))
    }

    fn embed(&self, purpose: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let read = |said| match said {
            Say::Vectors(vectors) if vectors.iter().all(|vector| self.is_vector(vector)) => {
                Some(vectors)
            }
            _ => None,
        };
        let takes = |bytes| self.computing(bytes);
        self.ask(texts, |texts| Ask::Embed { purpose, texts }, (takes, read))
    }
}

impl RankTexts for RemoteEncoder {
    fn pair_tokens(&self, query: &str, documents: &[&str]) -> Result<Vec<usize>> {
        let ask = |documents| Ask::PairTokens { query: query.to_owned(), documents };
        let takes = |bytes| tokenising(bytes + TEXTS_MAX * query.len());
        self.ask(documents, ask, (takes, counts))
    }

    fn scores(&self, query: &str, documents: &[&str]) -> Result<Vec<f32>> {
        // The one that runs here says so in the same words.
        if self.profile.outputs != 1 {
            let what =
                format!("the model gives {} scores for a pair, not one", self.profile.outputs);
            return Err(Error::Model(allod_lm::Error::Batch(what)));
        }
        let ask = |documents| Ask::Score { query: query.to_owned(), documents };
        let read = |said| match said {
            Say::Scores(scores) => Some(scores),
            _ => None,
        };
        let takes = |bytes| self.computing(bytes + TEXTS_MAX * query.len());
        self.ask(documents, ask, (takes, read))
    }
}
