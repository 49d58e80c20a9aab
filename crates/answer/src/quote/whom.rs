//! For whom or for what a question asks, where that must be met: a fee for residents is no answer
//! to what companies pay.

use allod_corpus::Language;
use allod_retrieval::analysis::{Word, is_stop_word, words};
use allod_retrieval::{Question, goes_on};

use super::expected::Expected;
use crate::support::quantity::unit_of_word;

/// A concept that is matched so well is spoken of.
const SPOKEN_OF: f64 = 0.5;
/// What is spoken of stands so many words behind its preposition at most.
const REACH: usize = 3;
/// Prepositions before those for whom something is; folded.
const FOR: &[&str] = &["fur", "pour", "per", "for"];

/// Of whom a sentence speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// Of those that the question asks for, or it asks for none.
    Them,
    /// It does not say.
    Nobody,
    /// Of others, or not of what a question puts in the place of the last one.
    Others,
}

/// What a question asks for, among others of its sort.
pub(super) struct Whom<'a> {
    question: &'a Question,
    language: Language,
    /// Concepts that a question that goes on from another one puts in their place.
    own: Vec<usize>,
    /// The concept behind `for`, where a sum is asked for.
    one: Option<usize>,
}

impl<'a> Whom<'a> {
    pub(super) fn of(
        text: &str,
        language: Language,
        question: &'a Question,
        expected: Option<&Expected>,
    ) -> Whom<'a> {
        let concept = |word: &Word| {
            question.concepts.iter().position(|concept| {
                concept.word == word.folded && !concept.weak && !word.is_number()
            })
        };
        let clause = text.split_once(['?', '.']).map_or(text, |(first, _)| first);
        let own = match goes_on(text) {
            true => words(clause, language).iter().filter_map(concept).collect(),
            false => Vec::new(),
        };
        let all = words(text, language);
        let sum = matches!(expected, Some(Expected::Amount));
        let one = sum.then(|| beneficiaries(&all, language).find_map(concept)).flatten();
        Whom { question, language, own, one }
    }

    /// Of whom a sentence speaks. `matched` says how well each concept is matched by the sentence
    /// or by what stands above it.
    pub(super) fn spoken_of(&self, text: &str, language: Language, matched: &[f64]) -> Speaks {
        let unmet = |at: &usize| matched.get(*at).is_none_or(|strength| *strength < SPOKEN_OF);
        if self.own.iter().any(unmet) {
            return Speaks::Others;
        }
        if language != self.language || !self.one.as_ref().is_some_and(unmet) {
            return Speaks::Them;
        }
        let sentence = words(text, language);
        let hits = self.question.hits(&sentence, language);
        let asked = |word: &Word| hits.iter().any(|hit| sentence[hit.word].range == word.range);
        match beneficiaries(&sentence, language).any(|word| !asked(word)) {
            true => Speaks::Others,
            false => Speaks::Nobody,
        }
    }
}

/// The words behind `for` that are no number and no time.
fn beneficiaries(words: &[Word], language: Language) -> impl Iterator<Item = &Word> {
    let at = words.iter().enumerate();
    let at = at.filter(|(_, word)| FOR.contains(&word.folded.as_str())).map(|(at, _)| at);
    at.filter_map(move |at| {
        let after = || words.iter().skip(at + 1).take(REACH);
        // `For one day` says how long.
        let counts = |word: &Word| word.is_number() || unit_of_word(&word.folded).is_some();
        let next = after().find(|word| !is_stop_word(&word.folded, language))?;
        (!after().any(counts)).then_some(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{De, En, Fr};

    fn missed(question: &str, text: &str, language: Language) -> bool {
        let plain = Question::plain(question, language);
        let expected = Expected::of(question, language);
        let whom = Whom::of(question, language, &plain, expected.as_ref());
        let matched = plain.strengths(&plain.hits(&words(text, language), language));
        whom.spoken_of(text, language, &matched) == Speaks::Others
    }

    #[test]
    fn a_fee_for_others_answers_nothing() {
        let question = "What is the rent of the hall for companies?";
        assert!(missed(question, "For residents the rent is CHF 120.", En));
        let question = "What does the hall cost for companies?";
        assert!(missed(question, "For residents the hall costs CHF 120.", En));
        assert!(!missed(question, "For companies the hall costs CHF 300.", En));
        assert!(!missed(question, "The hall costs CHF 120 for one day.", En));
        let question = "Was kostet die Parkkarte für Firmen?";
        assert!(missed(question, "Für Privatpersonen kostet die Parkkarte CHF 40.", De));
        assert!(!missed(question, "Die Parkkarte kostet CHF 40.", De));
    }

    #[test]
    fn what_a_question_that_goes_on_says_must_be_met() {
        let question = "Et pour les entreprises ? coûte location salle";
        assert!(missed(question, "La location de la salle coûte 120 francs.", Fr));
        assert!(!missed(question, "Les entreprises paient 300 francs.", Fr));
        assert!(missed("Und Firmen? kostet Saal", "Der Saal kostet CHF 120.", De));
        assert!(!missed("Was kostet der Saal?", "Der Saal kostet CHF 120.", De));
    }
}
