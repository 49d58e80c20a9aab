//! The prompt that a model gets: the instruction, the numbered evidence, the question.
//!
//! Evidence is data. It is fenced by a line that cannot occur inside it, and its own text can
//! neither end the fence nor look like a citation number of ours.

use allod_corpus::Language;
use allod_engine::Message;
use allod_retrieval::Evidence;

use crate::wording::wording;

/// The version of this template: changes whenever a prompt would change.
pub const TEMPLATE: &str = "allod-grounded-1";

const FENCE: &str = "-----";

/// The messages that ask a model to answer `question` from `evidence`.
#[must_use]
pub fn grounded(question: &str, language: Language, evidence: &[Evidence]) -> Vec<Message> {
    let words = wording(language);
    let mut user = format!("{}:\n", words.documents);
    for (number, item) in evidence.iter().enumerate() {
        user.push_str(&document(number + 1, item));
    }
    user.push_str(&format!("{FENCE}\n{}: {}\n", words.question, unfence(question)));
    vec![
        Message { role: "system".into(), content: words.instruction.into() },
        Message { role: "user".into(), content: user },
    ]
}

fn document(number: usize, item: &Evidence) -> String {
    let heading = [item.title.as_str(), item.place.as_str()].join(" ");
    format!("{FENCE}\n[{number}] {}\n{}\n", unfence(heading.trim()), unfence(&item.text))
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
    fn the_fence_cannot_be_hidden_behind_itself() {
        assert!(!unfence("----------").lines().any(|line| line.starts_with(FENCE)));
    }
}
