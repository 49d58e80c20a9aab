//! Sentences about another thing than the one asked about: another of the same sort, or the
//! opposite.

use allod_corpus::Language;
use allod_retrieval::Question;
use allod_retrieval::analysis::{Word, is_stop_word, words};

use super::asked::Asked;
use super::opposites::opposed;

/// A concept that is matched so well is spoken of.
const SPOKEN_OF: f64 = 0.5;
/// Words of a span of time or figures, which answers for both of its ends.
const SPANS: &[&str] = &["bis", "to", "until", "till", "jusqu", "a", "al", "alle", "fin", "fino"];

/// What the question asks about.
pub(super) struct Subject<'a> {
    pub(super) question: &'a Question,
    pub(super) words: &'a [Word],
    pub(super) language: Language,
}

impl Subject<'_> {
    /// Whether a sentence speaks of something else. `matched` says how well each concept of the
    /// question is matched by the sentence or by what stands above it.
    pub(super) fn is_missed(&self, text: &str, language: Language, matched: &[f64]) -> bool {
        let sentence = words(text, language);
        let other = self.question.other_things(&sentence, language);
        let unmatched = |at: &usize| matched.get(*at).is_none_or(|strength| *strength < SPOKEN_OF);
        other.iter().any(unmatched) || self.is_opposed(text, &sentence, language)
    }

    /// Whether the sentence has the opposite in the place of a word of the question. One that is
    /// answered by yes or no may be answered by the opposite.
    fn is_opposed(&self, text: &str, sentence: &[Word], language: Language) -> bool {
        let asked = Asked::of(self.words, self.language);
        let spans = is_span(text) || sentence.iter().any(|w| SPANS.contains(&w.folded.as_str()));
        if language != self.language || spans || matches!(asked, Asked::YesNo | Asked::Other) {
            return false;
        }
        let tells = |word: &&Word| !is_stop_word(&word.folded, language);
        let stands = |word: &Word| sentence.iter().any(|other| other.stem == word.stem);
        let turned = |word: &Word| {
            let mut others = sentence.iter().filter(tells);
            others.any(|other| opposed(&word.folded, &other.folded, language))
        };
        self.words.iter().filter(tells).any(|word| !stands(word) && turned(word))
    }
}

/// Whether a text has a span in signs: `9–12`, `08:00-12:00`.
fn is_span(text: &str) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let between = |at: usize| {
        let (before, after) = (text[..at].trim_end(), text[at + 1..].trim_start());
        digit(before.chars().next_back()) && digit(after.chars().next())
    };
    text.contains('–') || text.match_indices('-').any(|(at, _)| between(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{De, En};

    fn missed(question: &str, text: &str, language: Language) -> bool {
        let plain = Question::plain(question, language);
        let asked = words(question, language);
        let subject = Subject { question: &plain, words: &asked, language };
        subject.is_missed(text, language, &[])
    }

    #[test]
    fn the_opposite_answers_only_yes_or_no() {
        assert!(missed("When does the pool close?", "The pool opens at 6:30.", En));
        assert!(!missed("When does the pool close?", "The pool is open from 6 to 9.", En));
        assert!(missed("When does the pool close?", "Opening: from 6:30 on.", En));
        assert!(!missed("When does the pool close?", "Opening: 6:30-9:00.", En));
        assert!(!missed("Wann schliesst das Bad?", "Öffnungszeit: 08:00 - 12:00", De));
        assert!(!missed("Is the pool open on Monday?", "The pool is closed on Monday.", En));
        assert!(!missed("Wann öffnet das Bad?", "Das Bad öffnet um 9 Uhr und schliesst spät.", De));
    }
}
