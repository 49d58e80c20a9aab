//! A question that names a place: which sentences of the article are meant.

use allod_corpus::{Language, is_amendment};
use allod_retrieval::Evidence;
use allod_retrieval::analysis::{fold, words};

use super::units::Unit;

/// What a sentence of another paragraph or letter counts beside one of the named.
const ELSEWHERE: f64 = 0.4;
/// The same where its paragraph cannot be told.
const UNKNOWN: f64 = 0.8;
/// A note on how a provision came about tells nothing of what it says.
const AMENDMENT: f64 = 0.3;
/// Words before a letter: `lit. b`.
const LETTER_WORDS: &[&str] =
    &["lit", "bst", "buchstabe", "buchst", "let", "lettre", "lett", "lettera", "letter", "point"];
/// How sentences begin that say what is after what the one before says; folded.
const AFTERWARDS: &[&str] = &[
    "danach",
    "anschliessend",
    "nachher",
    "hernach",
    "ensuite",
    "par la suite",
    "apres cela",
    "successivamente",
    "in seguito",
    "dopo di che",
    "suenter quai",
    "thereafter",
    "afterwards",
    "after that",
];
/// They are in so many first bytes.
const AFTERWARDS_BYTES: usize = 24;
/// Beginnings of words in questions about how a provision came about.
const HISTORY: &[&str] = &[
    "fassung", "eingefug", "aufgehob", "geandert", "anderung", "revidier", "teneur", "introdui",
    "abrog", "modifi", "introdot", "amend", "repeal", "revis", "midad", "aboli",
];

/// The paragraph and letter that a question names, and whether it asks how they came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Place {
    paragraphs: Vec<String>,
    letter: Option<String>,
    is_history: bool,
}

impl Place {
    pub(super) fn of(question: &str, language: Language) -> Place {
        let plain = words(question, language);
        let paragraph = |folded: &str| folded.strip_prefix("abs_").map(str::to_owned);
        let paragraphs = plain.iter().filter_map(|word| paragraph(&word.folded)).collect();
        let is_letter = |folded: &str| {
            folded.len() == 1 && folded.starts_with(|c: char| c.is_ascii_lowercase())
        };
        let named = plain.windows(2).find(|pair| {
            LETTER_WORDS.contains(&pair[0].folded.as_str()) && is_letter(&pair[1].folded)
        });
        let bracketed = plain.iter().skip(1).find(|word| {
            let before = question[..word.range.start].trim_end();
            let after = &question[word.range.end..];
            is_letter(&word.folded) && before.ends_with('(') && after.starts_with(')')
        });
        let letter = named.map(|pair| &pair[1]).or(bracketed).map(|word| word.folded.clone());
        let is_history = plain
            .iter()
            .any(|word| HISTORY.iter().any(|beginning| word.folded.starts_with(beginning)));
        Place { paragraphs, letter, is_history }
    }

    /// What each unit of a passage counts, 0 to 1.
    pub(super) fn weights(&self, passage: &Evidence, units: &[Unit]) -> Vec<f64> {
        let standing = words(&passage.place, passage.language);
        let above = standing.iter().find_map(|word| word.folded.strip_prefix("abs_"));
        let mut paragraph: Option<String> = above.map(str::to_owned);
        let mut letter: Option<String> = None;
        let weigh = |unit: &Unit| {
            let text = unit.text(&passage.text);
            if let Some(found) = numbered(text) {
                (paragraph, letter) = (Some(found), None);
            } else if let Some(found) = lettered(text) {
                letter = Some(found);
            }
            let note = if !self.is_history && is_amendment(text) { AMENDMENT } else { 1.0 };
            if !passage.named {
                return note;
            }
            note * self.paragraph_weight(paragraph.as_ref()) * self.letter_weight(letter.as_ref())
        };
        units.iter().map(weigh).collect()
    }

    fn paragraph_weight(&self, paragraph: Option<&String>) -> f64 {
        match paragraph {
            _ if self.paragraphs.is_empty() => 1.0,
            None => UNKNOWN,
            Some(number) if self.paragraphs.contains(number) => 1.0,
            Some(_) => ELSEWHERE,
        }
    }

    fn letter_weight(&self, letter: Option<&String>) -> f64 {
        match (&self.letter, letter) {
            (None, _) => 1.0,
            (Some(wanted), Some(letter)) if wanted == letter => 1.0,
            (Some(_), None) => UNKNOWN,
            (Some(_), Some(_)) => ELSEWHERE,
        }
    }
}

/// How many bytes at the beginning of each unit are the number of its paragraph: `1 Der`, `2 Die`
/// in one passage count nothing, while `3 Hunde` alone does.
pub(super) fn marks(passage: &str, units: &[Unit]) -> Vec<usize> {
    let number = |unit: &Unit| -> Option<u32> { numbered(unit.text(passage))?.parse().ok() };
    let all: Vec<u32> = units.iter().filter_map(number).collect();
    let in_row = |number: u32| all.iter().any(|other| other.abs_diff(number) == 1);
    let mark = |unit: &Unit| {
        let text = unit.text(passage);
        let marked = number(unit).is_some_and(in_row);
        let rest = text.split_once(' ').map(|(_, rest)| rest.trim_start()).filter(|_| marked);
        rest.map_or(0, |rest| text.len() - rest.len())
    };
    units.iter().map(mark).collect()
}

/// Whether a sentence begins with a word that goes on from what the one before says.
pub(super) fn goes_on_from(text: &str) -> bool {
    let bare = text.trim_start_matches(|c: char| c.is_ascii_digit() || " .)(".contains(c));
    let beginning = &bare[..bare.floor_char_boundary(AFTERWARDS_BYTES)];
    let folded = fold(&beginning.to_lowercase());
    AFTERWARDS.iter().any(|word| {
        let rest = folded.strip_prefix(word);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    })
}

/// The number of a paragraph that begins here: `3 In der Regel`, `(3) Wer`, `3. Each`.
fn numbered(text: &str) -> Option<String> {
    let bare = text.trim_start_matches('(');
    let digits = bare.len() - bare.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let addition = &bare[digits..];
    let end = digits + addition.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(addition.len());
    let rest = bare[end..].trim_start_matches(['.', ')']);
    let begins = rest.trim_start().starts_with(|c: char| c.is_uppercase() || "«\"„“".contains(c));
    let short = (1..=3).contains(&digits) && end - digits <= 6;
    (short && begins && rest.starts_with(' ')).then(|| fold(&bare[..end]))
}

/// The letter of an item that begins here: `b. die`, `b) die`, `(b) the`.
fn lettered(text: &str) -> Option<String> {
    let bare = text.trim_start_matches('(');
    let letter = bare.chars().next().filter(char::is_ascii_lowercase)?;
    bare[1..].starts_with(['.', ')']).then(|| letter.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::units::units;
    use super::*;
    use Language::{De, En, Fr};

    #[test]
    fn paragraphs_and_letters_are_told() {
        let place = |text, language| Place::of(text, language);
        let named = place("GDPR Art 30(1)(b)", En);
        assert_eq!((named.paragraphs, named.letter), (vec!["1".into()], Some("b".into())));
        let named = place("Was sagt Art. 4 Abs. 2bis Bst. c DSG?", De);
        assert_eq!((named.paragraphs, named.letter), (vec!["2bis".into()], Some("c".into())));
        assert_eq!(place("Was kostet ein Hund?", De), Place::default());
        for (text, number) in
            [("3 In der Regel", "3"), ("(2) Wer", "2"), ("1. Each", "1"), ("2bis Il", "2bis")]
        {
            assert_eq!(numbered(text).as_deref(), Some(number), "{text}");
        }
        for text in ["3 hunde", "2026 Wahlen", "Der Rat", "a. Der Rat", ""] {
            assert_eq!(numbered(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_of_paragraphs_are_no_figures() {
        let marks_of = |text: &str| marks(text, &units(text, De));
        assert_eq!(marks_of("1 Der Anspruch.\n\n2 Ferien werden bezogen."), [2, 2]);
        assert_eq!(marks_of("3 Hunde sind erlaubt."), [0]);
    }

    #[test]
    fn some_sentences_go_on_from_the_one_before() {
        assert!(goes_on_from("2 Danach beträgt sie drei Monate."));
        assert!(goes_on_from("Ensuite, il est de trois mois."));
        assert!(!goes_on_from("Danachliegende Häuser.") && !goes_on_from("Die Frist beträgt"));
    }

    #[test]
    fn the_named_paragraph_counts_most_and_notes_least() {
        let text = "1 Wer bearbeitet.\n\n2 Er darf:\n\na. dies;\n\nb. das.\n\n\
            Fassung gemäss Ziff. I des BG vom 24. März 2006 (AS 2007 4983).";
        let mut passage = super::super::tests::passage(text, &["Gesetz"], De);
        passage.named = true;
        let units = units(text, De);
        let weights = Place::of("Art. 12 Abs. 2 lit. b", De).weights(&passage, &units);
        assert_eq!(weights, [0.4 * 0.8, 0.8, 0.4, 1.0, 0.3]);
        let history = Place::of("Wann wurde Art. 12 geändert?", De).weights(&passage, &units);
        assert!(history.iter().all(|weight| *weight == 1.0));
        passage.named = false;
        let plain = Place::of("Qui traite ?", Fr).weights(&passage, &units);
        assert_eq!(plain, [1.0, 1.0, 1.0, 1.0, 0.3]);
    }
}
