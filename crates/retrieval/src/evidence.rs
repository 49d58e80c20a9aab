//! What a search asks and what it finds.

use crate::beside::Beside;
use crate::clearance::Clearance;
use crate::confidence::Signals;
use crate::filter::Filter;
use crate::folding::Duplicate;
use crate::question::Question;
use crate::suspicion::{Attempt, clear_line, masked};
use allod_corpus::{ByteRange, Language};
use jiff::civil::Date;
use serde::Serialize;
use std::sync::Arc;

/// A search.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The question or key words.
    pub text: &'a str,
    /// Its language; `None` to detect it.
    pub language: Option<Language>,
    /// What the caller may read.
    pub clearance: &'a Clearance,
    /// Only what is in force on this day.
    pub on: Date,
    /// At most so many passages.
    pub limit: usize,
    /// What the search is narrowed to.
    pub filter: Option<&'a Filter>,
}

/// A passage that bears on the question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// Path of the document.
    pub path: String,
    /// Its title.
    pub title: String,
    /// Digest of the document version.
    pub digest: String,
    /// Where the passage stands in the canonical text.
    pub range: ByteRange,
    /// The passage, byte for byte.
    pub text: String,
    /// Its place in the document's own words (`Art. 12 Abs. 3`), or empty.
    pub place: String,
    /// The headings above it.
    pub heading_path: Vec<String>,
    /// The sentence that introduces it, where that stands in an earlier passage.
    pub introduction: Option<String>,
    /// Its language.
    pub language: Language,
    /// Rank score; comparable within one search only.
    pub score: f64,
    /// Share of the question's weight that the passage and its headings match, 0 to 1.
    pub coverage: f64,
    /// The question's words that are matched here.
    pub matched_terms: Vec<String>,
    /// First day in force.
    pub valid_from: Option<Date>,
    /// Last day in force.
    pub valid_until: Option<Date>,
    /// Access label; `None` = public.
    pub label: Option<String>,
    /// Whether some of the text speaks to a language model instead of to a reader. It is shown to a
    /// person who searches, but is never quoted and never given to a model.
    pub suspicious: bool,
    /// Where in the text that is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Whether the question names this very place (`§ 5 UrhG`).
    pub named: bool,
    /// Why it is there, if it was not found but stands beside what is quoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// Passages of other copies of the document that say the same.
    pub copies: Vec<Duplicate>,
    /// The question as it was searched, to score sentences by.
    #[serde(skip)]
    pub question: Arc<Question>,
}

impl Evidence {
    /// The same, with blanks in the place of what speaks to a model.
    #[must_use]
    pub fn cleared(self) -> Evidence {
        match self.attempts.is_empty() {
            true => self,
            false => Evidence { text: masked(&self.text, &self.attempts), ..self },
        }
    }

    /// The longest stretch that does not speak to a model, in the canonical text.
    #[must_use]
    pub fn clear_range(&self) -> ByteRange {
        let mut starts = vec![0];
        starts.extend(self.attempts.iter().map(|attempt| attempt.range.end));
        let ends = self.attempts.iter().map(|attempt| attempt.range.start);
        let ends = ends.chain([self.text.len()]);
        let stretch = |(from, to): (usize, usize)| {
            let text = &self.text[from..to];
            let from = from + (text.len() - text.trim_start().len());
            ByteRange::new(from, from + text.trim().len())
        };
        let stretches = starts.into_iter().zip(ends).map(stretch);
        let longest = stretches.max_by_key(|range| range.end - range.start);
        longest.map_or(self.range, |inside| {
            ByteRange::new(self.range.start + inside.start, self.range.start + inside.end)
        })
    }

    /// What stands above the passage and holds for it: its place, title, headings, introduction and
    /// the name of its file.
    #[must_use]
    pub fn above(&self) -> String {
        let headings = self.heading_path.iter().chain(&self.introduction);
        above(&self.path, [&self.place, &self.title].into_iter().chain(headings))
    }
}

/// Lines that stand above a passage, the last names of its path among them: an act is often known
/// by an abbreviation that is only there (`u/urhg/index.md`).
pub(crate) fn above<'a>(path: &str, lines: impl Iterator<Item = &'a String>) -> String {
    let mut above = String::new();
    for line in lines {
        above.push_str(line);
        above.push('\n');
    }
    let name = file_name(path);
    above.push_str(&clear_line(name, Language::detect(name)));
    above
}

/// The name of a document's file without its ending, or of its folder where all files are called
/// the same.
pub(crate) fn file_name(path: &str) -> &str {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let name = file.split_once('.').map_or(file, |(name, _)| name);
    match name.to_ascii_lowercase().as_str() {
        "index" | "readme" => folder.rsplit('/').next().unwrap_or(""),
        _ => name,
    }
}

/// What was searched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Searched {
    /// Documents that the caller may read.
    pub documents: usize,
    /// Passages of those documents.
    pub passages: usize,
    /// Compartments that were opened.
    pub compartments: Vec<String>,
    /// The words that were looked for.
    pub terms: Vec<String>,
    /// The day on which it had to be in force.
    pub on: Date,
    /// The language that the question was taken to be in.
    pub language: Language,
}

/// The passages that bear on a question, best first, and how sure we are that they answer it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvidenceSet {
    /// Best first.
    pub evidence: Vec<Evidence>,
    /// How likely the best passages hold the answer, 0 to 1; about 0.5 where refusing begins to
    /// pay.
    pub confidence: f64,
    /// What the confidence was judged by.
    pub signals: Signals,
    /// What was searched.
    pub searched: Searched,
}

impl EvidenceSet {
    /// The same, with blanks in the place of what speaks to a model: what answers are made from.
    #[must_use]
    pub fn cleared(self) -> EvidenceSet {
        let evidence = self.evidence.into_iter().map(Evidence::cleared).collect();
        EvidenceSet { evidence, ..self }
    }
}
