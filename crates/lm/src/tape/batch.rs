//! What a training step reads: documents, and what their tokens should be followed by.

use crate::error::{Error, Result};
use std::ops::Range;

/// Documents, one after the other without padding. A token sees only those before it in its own
/// document, and positions begin anew with each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents {
    tokens: Vec<u32>,
    /// By token.
    segments: Vec<u32>,
    /// By document.
    lengths: Vec<usize>,
    /// By token; none where nothing is to be learnt.
    targets: Vec<Option<u32>>,
    /// Rows whose logits are computed, in order.
    wanted: Vec<usize>,
}

impl Documents {
    /// None yet.
    pub fn new() -> Documents {
        Documents::default()
    }

    /// Adds a document of which each token is to be predicted from those before it.
    pub fn push_text(&mut self, tokens: &[u32]) {
        let next = tokens.iter().skip(1).map(|token| Some(*token)).chain([None]);
        let places = tokens.iter().zip(next);
        self.push(places.map(|(token, target)| (*token, target)));
    }

    /// Adds a document of tokens, each with what it should be followed by, if that counts.
    pub fn push(&mut self, tokens: impl IntoIterator<Item = (u32, Option<u32>)>) {
        let before = self.tokens.len();
        for (token, target) in tokens {
            if target.is_some() {
                self.wanted.push(self.tokens.len());
            }
            self.tokens.push(token);
            self.targets.push(target);
        }
        self.segments.resize(self.tokens.len(), 0);
        self.lengths.push(self.tokens.len() - before);
    }

    /// Adds a document of tokens, each with the segment that it belongs to (0: the first text, 1:
    /// the second).
    pub fn push_segments(&mut self, tokens: impl IntoIterator<Item = (u32, u32)>) {
        let (tokens, segments): (Vec<u32>, Vec<u32>) = tokens.into_iter().unzip();
        self.push(tokens.into_iter().map(|token| (token, None)));
        let from = self.segments.len() - segments.len();
        self.segments[from..].copy_from_slice(&segments);
    }

    /// The same documents with nothing to be learnt: every row is wanted.
    pub fn wanting_all(&self) -> Documents {
        self.wanting((0..self.tokens.len()).collect())
    }

    /// The same documents with nothing to be learnt: of each the first row is wanted.
    pub fn wanting_first(&self) -> Documents {
        self.wanting(self.ranges().map(|range| range.start).collect())
    }

    /// The same documents with nothing to be learnt: of each the last row is wanted.
    pub fn wanting_last(&self) -> Documents {
        self.wanting(self.ranges().map(|range| range.end - 1).collect())
    }

    fn wanting(&self, wanted: Vec<usize>) -> Documents {
        Documents { wanted, targets: vec![None; self.tokens.len()], ..self.clone() }
    }

    /// The rows of each document that has any.
    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let mut end = 0;
        self.lengths.iter().filter(|length| **length > 0).map(move |length| {
            end += length;
            end - length..end
        })
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(super) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    pub(super) fn segments(&self) -> &[u32] {
        &self.segments
    }

    pub(super) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    pub(super) fn wanted(&self) -> &[usize] {
        &self.wanted
    }

    /// What the wanted rows should predict.
    pub(super) fn targets(&self) -> Vec<Option<u32>> {
        self.wanted.iter().map(|row| self.targets[*row]).collect()
    }

    /// Whether the tokens are of the vocabulary, the segments among those that there are and the
    /// documents not too long.
    pub(super) fn check(&self, vocabulary: usize, segments: usize, context: usize) -> Result<()> {
        let bad = |what: String| Err(Error::Batch(what));
        if let Some(token) = self.tokens.iter().find(|token| **token as usize >= vocabulary) {
            return bad(format!("token {token}: the vocabulary has {vocabulary} tokens"));
        }
        if let Some(segment) = self.segments.iter().find(|one| **one as usize >= segments) {
            return bad(format!("segment {segment}: there are {segments}"));
        }
        if let Some(length) = self.lengths.iter().find(|length| **length > context) {
            return bad(format!("a document of {length} tokens: {context} were planned"));
        }
        Ok(())
    }

    /// Whether the targets can be predicted, and there are any.
    pub(super) fn check_targets(&self, outputs: usize) -> Result<()> {
        let mut targets = self.targets.iter().flatten().peekable();
        if targets.peek().is_none() {
            return Err(Error::Batch("there is nothing to be learnt from it".to_string()));
        }
        match targets.find(|token| **token as usize >= outputs) {
            Some(token) => {
                Err(Error::Batch(format!("target {token}: {outputs} tokens can be predicted")))
            }
            None => Ok(()),
        }
    }
}
