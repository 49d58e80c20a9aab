//! Text that speaks to a language model instead of to a reader.
//!
//! A document may hold instructions that somebody planted there. They are data: nothing here obeys
//! them, and no tool, route or policy rests on what a document says. They are looked for all the
//! same, sentence by sentence, so that none is quoted as an answer, put before a model, or counts
//! in the ranking, and so that a person sees them. What is found is by patterns of words in German,
//! French, Italian, Romansh and English and by signs of form; an instruction that looks like any
//! other sentence is not found, and has no effect either.

mod address;
mod disguise;
mod encoded;
mod orders;
mod rules;
mod scattered;
mod words;

use allod_corpus::{ByteRange, Language, sentences};
use serde::{Deserialize, Serialize};

use rules::Sentence;

/// What an attempt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptKind {
    /// Sets aside what a model was told.
    SetAside,
    /// Gives a model a role, or forges the marks of a conversation.
    Role,
    /// Wants a tool to be called.
    Tool,
    /// Wants a secret, or what a model was told.
    Secret,
    /// Says what an answer is to be like or to hold.
    Answer,
    /// Sets a task for a writer of texts or programs.
    Task,
    /// Hides words in a code.
    Encoded,
}

impl AttemptKind {
    /// Its name in receipts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            AttemptKind::SetAside => "set_aside",
            AttemptKind::Role => "role",
            AttemptKind::Tool => "tool",
            AttemptKind::Secret => "secret",
            AttemptKind::Answer => "answer",
            AttemptKind::Task => "task",
            AttemptKind::Encoded => "encoded",
        }
    }

    /// Whether what follows in the same paragraph is by the same hand: nobody else says such a
    /// thing in passing.
    fn taints_what_follows(self) -> bool {
        matches!(self, AttemptKind::SetAside | AttemptKind::Role | AttemptKind::Tool)
    }
}

/// A place that speaks to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Where, in the text that was looked at: whole sentences.
    pub range: ByteRange,
    /// What it is about.
    pub kind: AttemptKind,
}

/// The places of a text that speak to a model, in order; they do not overlap.
#[must_use]
pub fn attempts(text: &str, language: Language) -> Vec<Attempt> {
    if !words::may_hold_any(text) {
        return Vec::new();
    }
    let mut found = of_sentences(text, language);
    for attempt in scattered::attempts(text, language) {
        let apart = |one: &Attempt| {
            one.range.end <= attempt.range.start || attempt.range.end <= one.range.start
        };
        if found.iter().all(apart) {
            found.push(attempt);
        }
    }
    found.sort_by_key(|attempt| attempt.range.start);
    found
}

fn of_sentences(text: &str, language: Language) -> Vec<Attempt> {
    let mut found: Vec<Attempt> = Vec::new();
    let whole = ByteRange::new(0, text.len());
    for range in sentences(text, whole, language) {
        let sentence = &text[range.start..range.end];
        let before = found.last().filter(|last| follows(text, last, range));
        // A tainted paragraph stays one, whatever else its sentences attempt.
        let tainted = before.map(|last| last.kind).filter(|kind| kind.taints_what_follows());
        let own = || rules::kind(&Sentence::of(sentence));
        let kind = tainted.or_else(own).or(before.map(|last| last.kind));
        match (kind, found.last_mut()) {
            (Some(kind), Some(last)) if last.kind == kind && follows(text, last, range) => {
                last.range.end = range.end;
            }
            (Some(kind), _) => found.push(Attempt { range, kind }),
            (None, _) => {}
        }
    }
    found
}

/// Whether a sentence stands in the same paragraph as an attempt that taints it, or is what an
/// attempt that ends in a colon speaks of.
fn follows(text: &str, attempt: &Attempt, range: ByteRange) -> bool {
    let said = &text[attempt.range.start..attempt.range.end];
    let gaps = text[attempt.range.end..range.start].matches("\n\n").count();
    let most = if said.ends_with(':') { 1 } else { 0 };
    gaps <= most && (attempt.kind.taints_what_follows() || most == 1)
}

/// What parts a title from what was put beside it.
const PARTS: [&str; 5] = [" – ", " — ", " | ", " - ", ": "];

/// A title, a heading or the name of a file without the parts that speak to a model: a passage is
/// neither found by them nor judged by them.
#[must_use]
pub fn clear_line(line: &str, language: Language) -> String {
    let speaks = |text: &str| !attempts(text, language).is_empty();
    if !speaks(line) {
        return line.to_owned();
    }
    let mut parts: Vec<&str> = vec![line];
    for sign in PARTS {
        parts = parts.into_iter().flat_map(|part| part.split(sign)).collect();
    }
    parts.retain(|part| !speaks(part));
    parts.join(" ").trim().to_owned()
}

/// The text with blanks in the place of what speaks to a model: as long as before, so that places
/// in it stay places in the text.
#[must_use]
pub fn masked(text: &str, attempts: &[Attempt]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for attempt in attempts {
        let range = attempt.range.start..attempt.range.end;
        for byte in bytes[range].iter_mut().filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
    }
    String::from_utf8(bytes).expect("whole sentences are replaced")
}

#[cfg(test)]
mod tests;
