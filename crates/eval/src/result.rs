//! What an instance did with a question, and the counts over all of them.

use allod_answer::{Citation, Outcome, Reply};
use serde::{Deserialize, Serialize};

use crate::question::Question;

/// What became of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Answered, and a cited passage holds a gold place.
    AnsweredCorrectly,
    /// Answered, though no cited passage holds a gold place or nothing may be answered.
    Wrong,
    /// Not answered, rightly.
    RefusedCorrectly,
    /// Not answered, though the documents do answer it.
    RefusedWrongly,
}

/// The counts over a set of questions. The four verdicts add up to `questions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// All questions.
    pub questions: usize,
    /// Those that the documents answer.
    pub answerable: usize,
    /// See [`Verdict::AnsweredCorrectly`].
    pub answered_correctly: usize,
    /// See [`Verdict::Wrong`].
    pub wrong: usize,
    /// See [`Verdict::RefusedCorrectly`].
    pub refused_correctly: usize,
    /// See [`Verdict::RefusedWrongly`].
    pub refused_wrongly: usize,
    /// Of those answered correctly: how many quote the gold words themselves.
    pub citation_exact: usize,
    /// How long the answers took.
    pub seconds: f64,
}

impl Scores {
    /// Counts one more question.
    pub fn count(&mut self, question: &Question, judged: (Verdict, bool)) {
        self.questions += 1;
        self.answerable += usize::from(question.answerable);
        self.citation_exact += usize::from(judged.1);
        match judged.0 {
            Verdict::AnsweredCorrectly => self.answered_correctly += 1,
            Verdict::Wrong => self.wrong += 1,
            Verdict::RefusedCorrectly => self.refused_correctly += 1,
            Verdict::RefusedWrongly => self.refused_wrongly += 1,
        }
    }
}

/// Judges a reply; also says whether a quote holds the gold words themselves.
///
/// `text_of` gives the canonical text of a cited version by its digest.
pub fn judge(
    question: &Question,
    reply: &Reply,
    text_of: &mut dyn FnMut(&str) -> Option<String>,
) -> (Verdict, bool) {
    if reply.outcome != Outcome::Answered {
        let right = !question.answerable;
        return (if right { Verdict::RefusedCorrectly } else { Verdict::RefusedWrongly }, false);
    }
    let mut holds = false;
    let mut exact = false;
    for citation in &reply.citations {
        let text = text_of(&citation.digest).unwrap_or_default();
        for gold in question.gold.iter().filter(|gold| same_document(citation, &gold.path)) {
            let words = spaced(&gold.quote);
            holds |= spaced(slice(&text, citation.passage)).contains(&words);
            exact |= spaced(&citation.quote).contains(&words);
        }
    }
    if holds { (Verdict::AnsweredCorrectly, exact) } else { (Verdict::Wrong, false) }
}

/// Whether the passage of a citation holds one of the question's gold places.
pub(crate) fn holds_gold(
    question: &Question,
    citation: &Citation,
    text_of: &mut dyn FnMut(&str) -> Option<String>,
) -> bool {
    let mut golds = question.gold.iter().filter(|gold| same_document(citation, &gold.path));
    let text = text_of(&citation.digest).unwrap_or_default();
    let passage = spaced(slice(&text, citation.passage));
    golds.any(|gold| passage.contains(&spaced(&gold.quote)))
}

/// Gold paths are given below the ingested folder, citations as ingested.
fn same_document(citation: &Citation, path: &str) -> bool {
    citation.path == path || citation.path.ends_with(&format!("/{path}"))
}

/// Line ends and runs of spaces count as one space: where a line wraps is no part of an answer.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn slice(text: &str, (start, end): (usize, usize)) -> &str {
    text.get(start..end).unwrap_or("")
}
