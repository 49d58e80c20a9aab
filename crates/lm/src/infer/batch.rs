//! A ragged batch: rows of several sequences, and the logits that come back.

use super::cache::Cache;
use crate::error::{Error, Result};
use crate::spec::Pooling;
use std::ops::Range;

/// One row: a token at the end of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    token: u32,
    slot: usize,
    position: usize,
    segment: u32,
    wanted: bool,
}

/// What rows are for, which decides how they are multiplied with quantised weights
/// (`docs/numerics.md`, "Which product is used").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// Text that is given: with weights that are rounded, fast for many rows.
    #[default]
    Prompt,
    /// Text that is being written: with the codes and scales of the weights, fast for few.
    Answer,
}

/// Rows of one or more sequences, to be run together. The rows of a sequence follow each other
/// and continue it without a gap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    rows: Vec<Row>,
    role: Role,
}

impl Batch {
    /// An empty batch, of prompts.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// An empty batch of rows for `role`.
    pub fn of(role: Role) -> Batch {
        Batch { rows: Vec::new(), role }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// Adds a row whose logits are not wanted: `token` at `position` of the sequence in `slot`.
    pub fn push(&mut self, slot: usize, position: usize, token: u32) {
        self.push_of_segment(slot, position, token, 0);
    }

    /// [`Batch::push`] of a token that belongs to `segment` (0: the first text, 1: the second).
    pub fn push_of_segment(&mut self, slot: usize, position: usize, token: u32, segment: u32) {
        self.rows.push(Row { token, slot, position, segment, wanted: false });
    }

    /// Asks for the logits of the row added last.
    pub fn want_last(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            row.wanted = true;
        }
    }

    /// Asks for the rows that stand for their sequences, and no others.
    pub(super) fn want(&mut self, pooling: Pooling) {
        self.rows.iter_mut().for_each(|row| row.wanted = pooling == Pooling::Mean);
        let sequences: Vec<Range<usize>> = self.sequences().collect();
        for rows in sequences {
            match pooling {
                Pooling::First => self.rows[rows.start].wanted = true,
                Pooling::Last => self.rows[rows.end - 1].wanted = true,
                Pooling::Mean => {}
            }
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = u32> {
        self.rows.iter().map(|row| row.token)
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = u32> {
        self.rows.iter().map(|row| row.segment)
    }

    /// The rows of each sequence, in the order of the batch.
    pub(super) fn sequences(&self) -> impl Iterator<Item = Range<usize>> {
        let mut start = 0;
        self.rows.chunk_by(|a, b| a.slot == b.slot).map(move |rows| {
            start += rows.len();
            start - rows.len()..start
        })
    }

    /// The same in pieces of at most `most` rows.
    pub(super) fn runs(&self, most: usize) -> impl Iterator<Item = Range<usize>> {
        self.sequences().flat_map(move |rows| {
            rows.clone().step_by(most).map(move |start| start..(start + most).min(rows.end))
        })
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().map(|row| row.position)
    }

    /// The token of a row.
    pub(super) fn token(&self, row: usize) -> u32 {
        self.rows[row].token
    }

    /// Slot and position of a row.
    pub(super) fn place(&self, row: usize) -> (usize, usize) {
        (self.rows[row].slot, self.rows[row].position)
    }

    /// Slots and positions of all rows.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        self.rows.iter().map(|row| (row.slot, row.position))
    }

    /// The rows whose logits are wanted.
    pub(super) fn wanted(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().enumerate().filter(|(_, row)| row.wanted).map(|(index, _)| index)
    }

    /// One past the largest position.
    pub(super) fn end(&self) -> usize {
        self.positions().max().map_or(0, |position| position + 1)
    }

    /// Whether every row's segment is one of `segments`.
    pub(super) fn check_segments(&self, segments: usize) -> Result<()> {
        match self.rows.iter().find(|row| row.segment as usize >= segments) {
            Some(row) => Err(Error::Batch(format!("there are {segments} segments ({row:?})"))),
            None => Ok(()),
        }
    }

    /// Whether every row has a token of the vocabulary and continues its sequence.
    pub(super) fn check(&self, vocabulary: usize, cache: &Cache) -> Result<()> {
        let mut lengths: Vec<usize> = (0..cache.slots()).map(|slot| cache.length(slot)).collect();
        for row in &self.rows {
            let bad = |what: String| Err(Error::Batch(format!("{what} ({row:?})")));
            if row.token as usize >= vocabulary {
                return bad(format!("the vocabulary has {vocabulary} tokens"));
            }
            if row.position >= cache.context_tokens() {
                return bad(format!("a sequence holds {} tokens", cache.context_tokens()));
            }
            match lengths.get_mut(row.slot) {
                None => return bad(format!("there are {} slots", cache.slots())),
                Some(length) if row.position != *length => {
                    return bad(format!("the sequence goes on at position {length}"));
                }
                Some(length) => *length += 1,
            }
        }
        Ok(())
    }
}

/// Vectors `[count, width]`: hidden states of rows, or one vector for each sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    width: usize,
    values: Vec<f32>,
}

impl Vectors {
    pub(super) fn new(width: usize, values: Vec<f32>) -> Vectors {
        Vectors { width, values }
    }

    /// Each vector, in the order of the batch.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }

    /// All values, vector after vector.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}

/// Logits `[wanted rows, vocabulary]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    vocabulary: usize,
    values: Vec<f32>,
}

impl Logits {
    pub(super) fn new(vocabulary: usize, values: Vec<f32>) -> Logits {
        Logits { vocabulary, values }
    }

    /// The logits of each wanted row, in the order of the batch.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.vocabulary)
    }

    /// The logits of the last wanted row.
    pub fn last(&self) -> Option<&[f32]> {
        self.rows().last()
    }

    /// All values, row after row.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}
