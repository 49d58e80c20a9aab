//! The beginning of a prompt: what of it was computed before, to be handed out and taken back by
//! whoever keeps pages for longer than the program runs.

use crate::error::{Error, Result};
use crate::prefixes::{PrefixKey, Prefixes};
use allod_lm::{PAGE_TOKENS, Page, PageShape};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Tokens, and for whom and with what they are computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Who asks.
    pub tenant: String,
    /// The digest of the adapter, if there is one.
    pub adapter: Option<String>,
    /// All tokens of the prompt.
    pub tokens: Vec<u32>,
}

/// A beginning, and how much of it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// The prompt.
    pub beginning: Beginning,
    /// Pages of it, from the first on, that are in memory.
    pub known: usize,
}

impl Beginning {
    /// The tokens that pages are kept of: whole pages, and not the last token, whose scores are
    /// needed.
    pub fn paged_tokens(&self) -> &[u32] {
        let shared = self.tokens.len().saturating_sub(1);
        &self.tokens[..shared / PAGE_TOKENS * PAGE_TOKENS]
    }

    /// Pages that can be kept of it.
    pub fn pages(&self) -> usize {
        self.paged_tokens().len() / PAGE_TOKENS
    }

    fn key(&self) -> PrefixKey {
        let adapter = self.adapter.as_deref().map(Into::into);
        PrefixKey { tenant: self.tenant.as_str().into(), adapter }
    }

    /// How many of its pages are known, from the first on.
    pub(crate) fn known(&self, prefixes: &Prefixes) -> usize {
        prefixes.known(&self.key(), self.paged_tokens()) / PAGE_TOKENS
    }

    /// One of its pages, if it and all before it are known.
    pub(crate) fn page(&self, prefixes: &Prefixes, number: usize) -> Option<Page> {
        let end = number.checked_add(1)?.checked_mul(PAGE_TOKENS)?;
        prefixes.page(&self.key(), self.paged_tokens().get(..end)?)
    }

    /// Keeps pages of it from number `first` on, where all before it are known.
    ///
    /// # Errors
    /// If they are no pages of this model.
    pub(crate) fn put(
        &self,
        prefixes: &Mutex<Prefixes>,
        shape: &PageShape,
        (first, stored): (usize, &[Vec<u8>]),
    ) -> Result<()> {
        let read = |bytes: &Vec<u8>| shape.read(bytes);
        let pages: Option<Vec<Page>> = stored.iter().map(read).collect();
        let pages = pages.ok_or_else(|| unfit("it is of another length or form"))?;
        let end = first.saturating_add(pages.len()).saturating_mul(PAGE_TOKENS);
        let tokens = self.paged_tokens().get(..end);
        let tokens = tokens.ok_or_else(|| unfit("the prompt has no such place"))?;
        let mut prefixes = prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        // What was forgotten meanwhile cannot be gone on from.
        if self.known(&prefixes) >= first {
            let page = |range: Range<usize>| pages[range.start / PAGE_TOKENS - first].clone();
            prefixes.keep(&self.key(), tokens, page);
        }
        Ok(())
    }
}

fn unfit(why: &str) -> Error {
    Error::Unfit { what: format!("a page of keys and values does not fit the model: {why}") }
}
