//! The question's words one by one beside a sentence: which are strange to it, and whether another
//! word stands in their place.

use allod_corpus::Language;
use allod_retrieval::analysis::{Word, is_stop_word, is_weak_word};

use super::asked::Asked;
use crate::support::quantity::{Value, quantities};

/// Letters that words of one family share, and the share of the longer one.
const FAMILY_LETTERS: usize = 5;
const FAMILY_SHARE: f64 = 0.7;
/// Words of `which company of the town` at most.
const TYPE_WORDS: usize = 4;

/// What kind of word of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Says nothing of the subject: not counted.
    Small,
    /// Names the kind of thing asked for: need not stand in the answer.
    Type,
    Name,
    Number,
    Plain,
}

/// The words of a question that a sentence lacks, by kind, and what stands in their place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Slots {
    pub(super) strange_names: f64,
    pub(super) strange_numbers: f64,
    pub(super) strange_plain: f64,
    pub(super) strange_types: f64,
    /// Whether a name or number has another word in its place: 1 on one side, 2 between both.
    pub(super) replaced_name: f64,
    /// The same of another word.
    pub(super) replaced_plain: f64,
    /// The same of a word of the type.
    pub(super) replaced_type: f64,
    /// All of these added up.
    pub(super) replaced_sum: f64,
    /// Words that tell and stand in the sentence as they stand in the question.
    pub(super) same_form: f64,
    /// Words that tell and stand there in another form.
    pub(super) other_form: f64,
    /// Neighbours of the question that are neighbours in the sentence, as a share of all.
    pub(super) kept_pairs: f64,
    /// Neighbours that tell which both stand in the sentence, but apart or turned round.
    pub(super) broken_pairs: f64,
    /// Share of the words that tell (but those of the type) that the sentence has.
    pub(super) familiar: f64,
}

/// The kinds of a question's words.
pub(super) fn kinds(text: &str, words: &[Word], asked: Asked, language: Language) -> Vec<Kind> {
    let numbers = quantities(text, language);
    let of_type = type_words(words, asked, language);
    let kind = |(at, word): (usize, &Word)| {
        let number = numbers
            .iter()
            .any(|q| word.range.contains(&q.start()) && matches!(q.value, Value::Number { .. }));
        let roman = at > 0 && words[at - 1].capital && is_roman(&text[word.range.clone()]);
        if word.is_number() || number || roman {
            Kind::Number
        } else if of_type.contains(&at) {
            Kind::Type
        } else if is_stop_word(&word.folded, language) || word.folded.len() < 2 {
            Kind::Small
        } else if word.capital && at > 0 {
            Kind::Name
        } else if is_weak_word(&word.folded, language) {
            Kind::Small
        } else {
            Kind::Plain
        }
    };
    words.iter().enumerate().map(kind).collect()
}

/// `which company`, `how many different sorts`: up to the next small word.
fn type_words(words: &[Word], asked: Asked, language: Language) -> std::ops::Range<usize> {
    let asks = matches!(asked, Asked::Which | Asked::What | Asked::HowMany | Asked::When);
    let asking = |word: &Word| Asked::of(std::slice::from_ref(word), language) != Asked::Other;
    let Some(at) = words.iter().position(asking).filter(|_| asks) else { return 0..0 };
    let rest = words[at + 1..].iter().take(TYPE_WORDS);
    let many = usize::from(asked == Asked::HowMany);
    let more = rest.skip(many).take_while(|word| !is_stop_word(&word.folded, language)).count();
    at + 1..at + 1 + many.min(words.len() - at - 1) + more
}

fn is_roman(text: &str) -> bool {
    !text.is_empty() && text.len() < 5 && text.chars().all(|c| matches!(c, 'I' | 'V' | 'X'))
}

/// Holds a question's words against a sentence's.
pub(super) fn slots(question: &[Word], kinds: &[Kind], sentence: &[Word], of: Language) -> Slots {
    let places: Vec<Vec<usize>> = question.iter().map(|word| standing(word, sentence)).collect();
    let mut slots = Slots::default();
    let (mut tell, mut known) = (0_u32, 0_u32);
    for (at, kind) in kinds.iter().enumerate().filter(|(_, kind)| **kind != Kind::Small) {
        let strange = places[at].is_empty();
        if *kind != Kind::Type {
            tell += 1;
            known += u32::from(!strange);
        }
        if !strange {
            let same =
                places[at].iter().any(|place| sentence[*place].folded == question[at].folded);
            slots.same_form += f64::from(same);
            slots.other_form += f64::from(!same);
            continue;
        }
        let replaced = replaced(at, &places, sentence, of);
        slots.replaced_sum += replaced;
        match kind {
            Kind::Name => slots.strange_names += 1.0,
            Kind::Number => slots.strange_numbers += 1.0,
            Kind::Plain => slots.strange_plain += 1.0,
            Kind::Type => slots.strange_types += 1.0,
            Kind::Small => {}
        }
        match kind {
            Kind::Name | Kind::Number => slots.replaced_name = replaced.max(slots.replaced_name),
            Kind::Plain => slots.replaced_plain = replaced.max(slots.replaced_plain),
            Kind::Type => slots.replaced_type = replaced.max(slots.replaced_type),
            Kind::Small => {}
        }
    }
    slots.familiar = if tell == 0 { 0.5 } else { f64::from(known) / f64::from(tell) };
    pairs(&mut slots, kinds, &places);
    slots
}

/// Where in a sentence a word stands, in whatever form.
pub(super) fn standing(word: &Word, sentence: &[Word]) -> Vec<usize> {
    let same = |other: &Word| word.stem == other.stem || family(&word.folded, &other.folded);
    (0..sentence.len()).filter(|at| same(&sentence[*at])).collect()
}

fn family(one: &str, other: &str) -> bool {
    let common = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    common >= FAMILY_LETTERS && common as f64 >= FAMILY_SHARE * one.len().max(other.len()) as f64
}

/// Whether beside a neighbour of the missing word the sentence has a word that tells and is none of
/// the question's: 2 if between both neighbours.
fn replaced(at: usize, places: &[Vec<usize>], sentence: &[Word], language: Language) -> f64 {
    let own = |place: usize| places.iter().any(|places| places.contains(&place));
    let other = |place: usize| {
        sentence.get(place).is_some_and(|word| !is_stop_word(&word.folded, language)) && !own(place)
    };
    let empty = Vec::new();
    let before = at.checked_sub(1).map_or(&empty, |before| &places[before]);
    let after = places.get(at + 1).unwrap_or(&empty);
    let left = before.iter().any(|place| other(place + 1));
    let right = after.iter().any(|place| place.checked_sub(1).is_some_and(other));
    let between = before.iter().any(|place| other(place + 1) && after.contains(&(place + 2)));
    if between { 2.0 } else { f64::from(left || right) }
}

fn pairs(slots: &mut Slots, kinds: &[Kind], places: &[Vec<usize>]) {
    let follows = |a: usize, b: usize, reach: usize| {
        places[a].iter().any(|one| places[b].iter().any(|two| two > one && two - one <= reach))
    };
    let neighbours = places.len().saturating_sub(1);
    let kept = (0..neighbours).filter(|at| follows(*at, at + 1, 1)).count();
    slots.kept_pairs = kept as f64 / neighbours.max(1) as f64;
    let telling: Vec<usize> = (0..kinds.len()).filter(|at| kinds[*at] != Kind::Small).collect();
    let both = telling.windows(2).filter(|p| !places[p[0]].is_empty() && !places[p[1]].is_empty());
    let broken = both.filter(|p| !follows(p[0], p[1], p[1] - p[0] + 1)).count();
    slots.broken_pairs = broken as f64;
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_retrieval::analysis::words;

    fn held(question: &str, sentence: &str, language: Language) -> Slots {
        let plain = words(question, language);
        let asked = Asked::of(&plain, language);
        let kinds = kinds(question, &plain, asked, language);
        slots(&plain, &kinds, &words(sentence, language), language)
    }

    #[test]
    fn another_name_or_number_in_the_place_is_seen() {
        use Language::{De, En};
        let said = "The old hall on King Street was built in 1902.";
        let same = held("When was the hall on King Street built?", said, En);
        assert_eq!((same.strange_names, same.replaced_name, same.familiar), (0.0, 0.0, 1.0));
        let other = held("When was the hall on Queen Street built?", said, En);
        assert_eq!((other.strange_names, other.replaced_name), (1.0, 2.0));
        assert_eq!((same.replaced_sum, other.replaced_sum), (0.0, 2.0));
        let number = held("Wer wohnt in Haus 14?", "In Haus 15 wohnt Frau Meier.", De);
        assert_eq!((number.strange_numbers, number.replaced_name), (1.0, 1.0));
        let roman = held("Who saw Henry V land?", "Henry IV saw him land.", En);
        assert_eq!(roman.strange_numbers, 1.0);
    }

    #[test]
    fn the_kind_of_thing_need_not_be_named() {
        let slots = held("What colour is the hall?", "The hall is red.", Language::En);
        assert_eq!((slots.strange_types, slots.strange_plain, slots.familiar), (1.0, 0.0, 1.0));
    }

    #[test]
    fn who_did_what_to_whom_shows_in_the_order() {
        let said = "Duke William conquered England.";
        let same = held("When did Duke William conquer England?", said, Language::En);
        let turned = held("When did England conquer Duke William?", said, Language::En);
        assert_eq!((same.same_form, same.other_form), (3.0, 1.0));
        assert!(turned.broken_pairs > same.broken_pairs, "{turned:?} {same:?}");
    }
}
