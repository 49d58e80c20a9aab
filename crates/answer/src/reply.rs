//! What comes back: the answer, what it rests on, and the receipt that proves it.

use allod_policy::{CalibrationFacts, DisputeFacts, Fired, Outcome};
use allod_retrieval::Beside;
use serde::{Deserialize, Serialize};

use crate::page::PagePlace;
use crate::support::Verdict;

/// How an answer was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Sentences of the documents, word for word.
    Quote,
    /// Written by the built-in engine from the evidence, every sentence checked.
    Generate,
    /// Written by an upstream that the policy names, every sentence checked.
    Upstream,
    /// No answer was made.
    None,
}

impl Mode {
    /// The mode's name as it stands in receipts and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mode::Quote => "quote",
            Mode::Generate => "generate",
            Mode::Upstream => "upstream",
            Mode::None => "none",
        }
    }
}

/// A place in one document version: `canonical_text[start..end]` is `quote`, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Citation {
    /// The document's path as ingested.
    pub path: String,
    /// The document's title.
    pub title: String,
    /// The place in the document's own words, such as `Art. 7 Abs. 2`; may be empty.
    pub place: String,
    /// The digest of the version's canonical text.
    pub digest: String,
    /// First byte of the quote in the canonical text.
    pub start: usize,
    /// The byte after the quote's last.
    pub end: usize,
    /// The cited words.
    pub quote: String,
    /// Where in the canonical text the words stand that answer, where the quote says more: first
    /// byte and the byte after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<(usize, usize)>,
    /// How well the place bears on the question or supports the sentence, 0 to 1.
    pub score: f64,
    /// The passage that the quote stands in: first byte and the byte after its last.
    pub passage: (usize, usize),
    /// The page of the file on which the quote begins, from 1, where the file has pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Where on its pages its lines stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rects: Vec<PagePlace>,
    /// The access label, if the document has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A passage that stands beside what is quoted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BesideQuote {
    /// Why it is shown.
    pub why: Beside,
    /// The passage, as a citation has it.
    #[serde(flatten)]
    pub passage: Citation,
}

/// Whether a sentence is borne out by what it cites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The verdict on the sentence.
    pub verdict: Verdict,
    /// How likely its best citation bears it out, 0 to 1.
    pub score: f64,
    /// Why not, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

/// Where the receipt of an answer stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRef {
    /// Index of the entry in the log, from 0.
    pub index: u64,
    /// The entry's RFC 6962 leaf hash, in lower-case hexadecimal.
    pub leaf: String,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The text for the person who asked: an answer with numbered citations, or what happened
    /// instead.
    pub answer: String,
    /// What the policy decided.
    pub outcome: Outcome,
    /// How the answer was made.
    pub mode: Mode,
    /// How sure we are that the evidence answers the question, 0 to 1.
    pub confidence: f64,
    /// What the calibration says of the answer; `None` where nothing was found to judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<CalibrationFacts>,
    /// The places cited as `[1]`, `[2]` … in `answer`, in that order.
    pub citations: Vec<Citation>,
    /// Passages that are needed to read the first quote; they are not cited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<BesideQuote>,
    /// The check of each sentence that was drafted, those that were cut too; empty when nothing
    /// is answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Places cited that do not agree with one another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputes: Vec<DisputeFacts>,
    /// The language of the answer.
    pub language: String,
    /// The receipt; durable before the reply exists.
    pub receipt: ReceiptRef,
    /// The entry in the review queue, when a person is to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
    /// The rules that fired, with reasons.
    pub rules: Vec<Fired>,
    /// Tokens read and written by the model; both 0 when none ran.
    pub tokens: Tokens,
}

/// Token counts of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Tokens written.
    pub completion: u64,
}
