//! What a question shows by its words alone.
//!
//! Patterns of five languages are searched in every question, whatever its language is said to
//! be: a wrong language must not hide a signal. The patterns are data (`words/`), one file per
//! language. They are a first, lexical look that a person can read and argue about; what they
//! miss is still caught by confidence and by the check of the answer. Whether a question takes
//! several steps, a classifier says beside them ([`Complexity`]).

mod complexity;
mod lexicon;
mod pattern;
mod places;
mod tokens;
mod words;

use crate::facts::RequestFacts;
use crate::policy::Policy;
pub use complexity::{Complexity, ComplexityExample, train_complexity};
use lexicon::Reading;
use pattern::Pattern;
use tokens::Tokens;
use words::Kind;

/// A question with this many question marks asks for a combined answer.
const PARTS_MIN: usize = 3;
/// Longer than any ordinary question: a case that is told.
const STORY_WORDS_MIN: usize = 120;

/// The facts of a question that do not depend on the policy.
pub fn classify(question: &str, language: &str) -> RequestFacts {
    classified(question, language, &Reading::of(question))
}

fn classified(question: &str, language: &str, reading: &Reading) -> RequestFacts {
    let mut complex_reasoning = reading.found(Kind::ComplexReasoning);
    let complexity = Complexity::built_in().score_of(question, reading, complex_reasoning.len());
    complex_reasoning.extend(structure(question, &reading.tokens));
    RequestFacts {
        question_chars: u32::try_from(question.chars().count()).unwrap_or(u32::MAX),
        language: language.to_owned(),
        complex_reasoning,
        complexity: Some(complexity),
        regulated_decision: reading.found(Kind::RegulatedDecision),
        adverse_action: reading.found(Kind::AdverseAction),
        policy_question: !reading.found(Kind::PolicyQuestion).is_empty(),
        user_wants_person: !reading.found(Kind::UserRequest).is_empty(),
        matched_rules: Vec::new(),
        work: None,
    }
}

/// All facts of a question: [`classify`], and which of the policy's own rules find their words.
pub fn observe(policy: &Policy, question: &str, language: &str) -> RequestFacts {
    let reading = Reading::of(question);
    let finds = |text: &String| phrase(text).is_some_and(|found| found.is_in(&reading.tokens));
    let matched = policy
        .rules
        .iter()
        .filter(|rule| rule.when.contains_any.iter().any(finds))
        .map(|rule| rule.id.clone())
        .collect();
    RequestFacts { matched_rules: matched, ..classified(question, language, &reading) }
}

/// Patterns by which an answer announces an act against a person ("your application is
/// rejected"), as a rule about such acts does not.
pub fn adverse_in_answer(answer: &str) -> Vec<String> {
    Reading::of(answer).found(Kind::AdverseAnswer)
}

/// The words of a text, without case and accents.
pub(crate) fn words(text: &str) -> Tokens {
    Tokens::of(text)
}

/// A phrase of a policy's own rule as a pattern; `None` if it holds nothing to look for.
pub(crate) fn phrase(text: &str) -> Option<Pattern> {
    Pattern::phrase(text)
}

/// Signals in the form rather than the words.
fn structure(question: &str, tokens: &Tokens) -> Vec<String> {
    let parts = question.bytes().filter(|byte| *byte == b'?').count();
    let parts = parts + question.matches('？').count();
    let several = (parts >= PARTS_MIN).then(|| "structure: several questions".to_owned());
    let story = (tokens.len() >= STORY_WORDS_MIN).then(|| "structure: long story".to_owned());
    several.into_iter().chain(story).collect()
}

#[cfg(test)]
mod tests;
