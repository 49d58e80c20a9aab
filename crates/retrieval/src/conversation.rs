//! Questions that lean on the one before: `Und für Hunde?`, `How much does it cost?`.
//!
//! What such a question leaves out is taken from the question before, by rule and not by a model,
//! so that the same conversation always asks the same thing.

use crate::analysis::{Word, is_stop_word, is_weak_word, words};
use allod_corpus::Language;

/// A question with so many words of its own stands alone, unless it points back.
const OWN_WORDS: usize = 3;
/// No more questions are gone back over.
const QUESTIONS: usize = 4;

/// The last question with what it leaves out; the question itself where it leaves nothing out.
///
/// `questions` are those of one person in one conversation, oldest first.
#[must_use]
pub fn resolve(questions: &[&str]) -> String {
    let recent = &questions[questions.len().saturating_sub(QUESTIONS)..];
    let mut whole = String::new();
    for question in recent {
        whole = joined(&whole, question);
    }
    whole
}

fn joined(before: &str, question: &str) -> String {
    let language = Language::detect(question);
    let language = if language == Language::Other { Language::detect(before) } else { language };
    let own = words(question, language);
    if before.is_empty() || !leans(&own, question, language) {
        return question.trim().to_owned();
    }
    let earlier = words(before, language);
    let replaced = replaced(&own, &earlier, language);
    let says = |word: &Word| own.iter().any(|other| other.stem == word.stem);
    // The Italian `da` is a preposition and a weak verb.
    let weak = |folded: &str| is_weak_word(folded, language) && !is_stop_word(folded, language);
    let asks = own.iter().any(|word| weak(&word.folded));
    // `60 litres` stands in the place of `35 litres`, `zone B` in that of `zone A`.
    let sorts = [Word::is_number, is_letter];
    let mut whole = question.trim().to_owned();
    for (at, word) in earlier.iter().enumerate() {
        let empty = is_stop_word(&word.folded, language) || word.folded.contains('_');
        let weak = asks && is_weak_word(&word.folded, language);
        let other = sorts.iter().any(|sort| sort(word) && own.iter().any(sort));
        if !empty && !weak && !other && !says(word) && !replaced.contains(&at) {
            whole.push(' ');
            whole.push_str(&before[word.range.clone()]);
        }
    }
    whole
}

/// Whether a question goes on from another one: `Und für Firmen?`. What it says itself, then, is
/// what it asks of.
#[must_use]
pub fn goes_on(question: &str) -> bool {
    begins_with(&words(question, Language::detect(question)), question)
}

/// Whether the first word goes on from something. `Où` and `È` are other words than `ou` and `e`.
fn begins_with(own: &[Word], question: &str) -> bool {
    own.first().is_some_and(|word| {
        let plain = question[word.range.clone()].to_lowercase() == word.folded;
        plain && listed(GOES_ON, &word.folded)
    })
}

/// A single capital letter, which names something.
fn is_letter(word: &Word) -> bool {
    word.capital && word.folded.len() == 1 && !word.is_number()
}

/// Whether a question needs the one before: it goes on from it, points back, or says very little.
fn leans(own: &[Word], question: &str, language: Language) -> bool {
    let tells = |word: &&Word| {
        let folded = &word.folded;
        !is_stop_word(folded, language) && !is_weak_word(folded, language) && folded.len() > 1
    };
    let telling = own.iter().filter(tells).count();
    let named = own.iter().any(|word| word.folded.starts_with("art_"));
    let goes_on = begins_with(own, question);
    // `Sie` is the person who is asked, `sie` is what was spoken of.
    let she = |word: &Word| word.folded == "sie" && !word.capital;
    let points = own.iter().any(|word| listed(POINTS_BACK, &word.folded) || she(word));
    telling < OWN_WORDS && !named && (goes_on || points || telling == 0)
}

/// The words of the earlier question that this one puts others in place of: what stands after the
/// same preposition (`für Katzen` where the question says `für Hunde`).
fn replaced(own: &[Word], earlier: &[Word], language: Language) -> Vec<usize> {
    let prepositions = own.iter().filter(|word| listed(PREPOSITIONS, &word.folded));
    let mut replaced = Vec::new();
    for preposition in prepositions {
        let Some(at) = earlier.iter().rposition(|word| word.folded == preposition.folded) else {
            continue;
        };
        let after = earlier.iter().enumerate().skip(at + 1);
        let object = after.skip_while(|(_, word)| is_stop_word(&word.folded, language));
        replaced.extend(object.map(|(at, _)| at).next());
    }
    replaced
}

fn listed(list: &str, folded: &str) -> bool {
    list.split_whitespace().any(|word| word == folded)
}

/// Words that a question begins with that goes on from the last; folded.
const GOES_ON: &str = "und auch oder aber sonst et ou mais aussi sinon e ed o oppure anche invece \
    ma and or but also otherwise u ni era";
/// Words that stand for something said before and never stand before a noun; folded.
const POINTS_BACK: &str = "er ihn ihm ihnen dafur davon damit dazu daran darauf dort deren dessen \
    cela ca ceci celui celle ceux leur esso essa essi cio it its they them he she";
/// Words before what may be exchanged; folded.
const PREPOSITIONS: &str = "fur in im am an bei mit ohne uber von vom zu zum zur nach pour a au \
    aux en dans avec sans sur chez per con senza su di del della al alla for at on with without \
    about of cun senza davart";

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn what_a_question_leaves_out_comes_from_the_one_before() {
        for (before, question, expected) in [
            ("Was kostet ein Hund?", "Und eine Katze?", "Und eine Katze? kostet Hund"),
            (
                "Was kostet die Bewilligung für Katzen?",
                "Und für Hunde?",
                "Und für Hunde? kostet Bewilligung",
            ),
            (
                "Wann ist die Bibliothek geöffnet?",
                "Und was kostet sie?",
                "Und was kostet sie? Bibliothek geöffnet",
            ),
            (
                "Quanto costa il sacco da 35 litri?",
                "E quello da 60 litri?",
                "E quello da 60 litri? costa sacco",
            ),
            ("When is the pool open?", "And on Sundays?", "And on Sundays? pool open"),
        ] {
            assert_eq!(resolve(&[before, question]), expected);
        }
    }

    #[test]
    fn a_question_that_stands_alone_stays_as_it_is() {
        for question in [
            "Wann wird das Sperrgut in Pradaval abgeholt?",
            "Wann wird das Sperrgut abgeholt?",
            "Quand la piscine est-elle ouverte ?",
            "Können Sie mir eine Bewilligung geben?",
            "Où est la piscine ?",
            "Was sagt Art. 12 Abs. 3 DSG?",
            "How do I register a new dog with the municipality?",
        ] {
            assert_eq!(resolve(&["Was kostet ein Hund?", question]), question);
        }
        assert_eq!(resolve(&["Und?"]), "Und?");
        assert_eq!(resolve(&[]), "");
    }

    #[test]
    fn what_was_taken_over_is_taken_over_again() {
        let whole = resolve(&["Was kostet ein Hund?", "Und eine Katze?", "Und ein Fisch?"]);
        assert!(whole.starts_with("Und ein Fisch?") && whole.contains("kostet"), "{whole}");
    }
}
