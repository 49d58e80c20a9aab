//! The prompt that a model gets: the instruction, the numbered evidence, the question.
//!
//! Evidence is data. It is fenced by a line that cannot occur inside it: the line has a mark that
//! nobody can know who does not know the question and all other evidence, and a line of a text
//! that begins like a fence loses its beginning. A text can also not look like a citation number of
//! ours; and where a chat template has marks, the template's own guard keeps texts from them.
//!
//! The mark is derived, not drawn, so that a replay gives the same prompt.

use allod_corpus::{Digest, Language};
use allod_engine::Message;
use allod_retrieval::{Evidence, attempts, masked};

use crate::wording::wording;

/// The version of this template: changes whenever a prompt would change.
pub const TEMPLATE: &str = "allod-grounded-2";

const FENCE: &str = "-----";

/// The messages that ask a model to answer `question` from `evidence`.
#[must_use]
pub fn grounded(question: &str, language: Language, evidence: &[Evidence]) -> Vec<Message> {
    let words = wording(language);
    let fence = fence(question, evidence);
    let mut user = format!("{}:\n", words.documents);
    for (number, item) in evidence.iter().enumerate() {
        user.push_str(&fence);
        user.push_str(&document(number + 1, item));
    }
    user.push_str(&format!("{fence}{}: {}\n", words.question, unfence(question)));
    vec![
        Message { role: "system".into(), content: words.instruction.into() },
        Message { role: "user".into(), content: user },
    ]
}

/// The line between two documents, with this request's mark.
fn fence(question: &str, evidence: &[Evidence]) -> String {
    let texts = evidence.iter().map(|item| item.text.as_str());
    let all: Vec<&str> = std::iter::once(question).chain(texts).collect();
    let digest = Digest::of(all.join("\n").as_bytes()).0;
    let mark: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{FENCE} {mark}\n")
}

fn document(number: usize, item: &Evidence) -> String {
    let heading = [item.title.as_str(), item.place.as_str()].join(" ");
    // A heading can speak to a model as well as a text can; of the text that is gone already.
    let heading = masked(&heading, &attempts(&heading, item.language));
    format!("[{number}] {}\n{}\n", unfence(heading.trim()), unfence(&squeezed(item)))
}

/// The text without the blanks that stand for what was taken out.
fn squeezed(item: &Evidence) -> String {
    if item.attempts.is_empty() {
        return item.text.clone();
    }
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines = item.text.lines().map(line).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Takes from a text from outside what could be mistaken for our own marks: fences and citation
/// numbers.
fn unfence(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for line in text.lines() {
        if !safe.is_empty() {
            safe.push('\n');
        }
        safe.push_str(if line.starts_with(FENCE) { line.trim_start_matches('-') } else { line });
    }
    safe.replace('[', "(").replace(']', ")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_forge_marks() {
        let safe = unfence("a [1] b\n-----\n[2] c");
        assert!(!safe.contains('[') && !safe.lines().any(|line| line.starts_with(FENCE)));
    }

    #[test]
    fn the_mark_depends_on_what_a_documents_author_does_not_know() {
        let one = fence("Was kostet es?", &[]);
        assert_eq!(one, fence("Was kostet es?", &[]));
        assert_ne!(one, fence("Wann ist offen?", &[]));
        let mark = one.trim_end().strip_prefix(FENCE).unwrap().trim();
        assert!(mark.len() == 16 && mark.chars().all(|c| c.is_ascii_hexdigit()));
    }

    #[test]
    fn the_fence_cannot_be_hidden_behind_itself() {
        assert!(!unfence("----------").lines().any(|line| line.starts_with(FENCE)));
    }
}
