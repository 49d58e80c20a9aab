//! `allod eval citations`: claims of which it is known whether the cited text bears them out, and
//! how well the check tells.
//!
//! Cases are made from acts and documents by altering sentences in one thing, or saying them again
//! in other words; others are written by hand and never used for fitting.

mod altered;
mod forms;
mod hand;
mod kept;
mod outside;
mod random;
mod rules;
mod scores;
mod set;
mod source;
mod turned;

use std::path::Path;

use allod_corpus::Language;
use serde::{Deserialize, Serialize};

use crate::Error;

pub use hand::{written_by_hand, written_for_fitting};
pub use scores::{Counts, Report, mistakes, report};

/// A claim, what it cites, and whether that bears it out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The language of both.
    pub language: Language,
    /// The act or document.
    #[serde(default)]
    pub document: String,
    /// How it was made: a kind of alteration, or of saying it again.
    #[serde(default)]
    pub kind: String,
    /// Whether the cited text bears the claim out.
    pub supported: bool,
    /// The claim, one sentence.
    pub claim: String,
    /// The cited text.
    pub cited: String,
}

/// Which half of the documents: the check is fitted on one and reported on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// For fitting weights and choosing words.
    Fitted,
    /// For reporting.
    Reported,
}

/// Makes cases from the documents under `folders`, at most `most` of each kind and language. The
/// same documents and seed give the same cases.
///
/// # Errors
/// When a folder cannot be read.
pub fn make_cases(
    folders: &[&Path],
    half: Half,
    most: usize,
    seed: u64,
) -> std::io::Result<Vec<Case>> {
    let mut passages = Vec::new();
    for folder in folders {
        let found = source::passages(folder)?;
        passages.extend(found.into_iter().filter(|p| half_of(&p.document) == half));
    }
    Ok(set::make(&passages, most, seed))
}

/// Reads cases, one JSON object a line; empty lines are skipped.
///
/// # Errors
/// [`Error::Line`] with the first line that is no case.
pub fn read_cases(text: &str) -> Result<Vec<Case>, Error> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(at, line)| {
        serde_json::from_str(line).map_err(|source| Error::Line { line: at + 1, source })
    };
    lines.map(read).collect()
}

/// The half that a document belongs to: by its name, so that translations go together.
fn half_of(document: &str) -> Half {
    let parts: Vec<&str> = document.rsplit('/').collect();
    let dated = |part: &str| part.starts_with("20") && part.contains("--");
    let numbered = |part: &&&str| part.contains(|c: char| c.is_ascii_digit()) && !dated(part);
    let name = match parts[0] {
        "index.md" => parts.get(1).copied(),
        "en.html" | "fr.html" => parts.iter().find(numbered).copied(),
        last => Some(last),
    };
    match random::hash(name.unwrap_or(document)) % 2 {
        0 => Half::Fitted,
        _ => Half::Reported,
    }
}
