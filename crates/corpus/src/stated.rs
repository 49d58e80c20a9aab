//! What a text states about its own validity: its first and last day, and which work it is a
//! state of.
//!
//! Only sentences whose subject is the act itself count ("This Act enters into force on …"), never
//! those about one of its articles or about another act.

use jiff::civil::{Date, date};

use crate::front::Front;
use crate::raw::Raw;

/// A consolidated act of the Union says which state it is in one of its first blocks.
const FIRST_BLOCKS: usize = 6;
/// Sentences that state validity are short.
const MAX_SENTENCE_BYTES: usize = 400;
const MIN_SENTENCE_BYTES: usize = 8;
/// So much of a sentence tells whether it is about the act.
const PROBE_BYTES: usize = 48;
/// So far after the words of a beginning or an end its date stands.
const MAX_GAP_BYTES: usize = 12;

/// How an act speaks of itself.
const SELF: &[&str] = &[
    "dieses gesetz",
    "diese verordnung",
    "dieses reglement",
    "dieser beschluss",
    "diese satzung",
    "diese weisung",
    "diese richtlinie",
    "dieses merkblatt",
    "diese vereinbarung",
    "la présente loi",
    "la présente ordonnance",
    "le présent règlement",
    "le présent arrêté",
    "le présent décret",
    "la présente directive",
    "la présente convention",
    "la presente legge",
    "la presente ordinanza",
    "il presente regolamento",
    "il presente decreto",
    "la presente direttiva",
    "la presente convenzione",
    "questa lescha",
    "quest'ordinaziun",
    "questa ordinaziun",
    "quest reglament",
    "this act",
    "this regulation",
    "this ordinance",
    "this directive",
    "this policy",
    "this agreement",
    "this law",
    "these regulations",
];

/// Words before the first day.
const BEGINS: &[&str] = &[
    "tritt am",
    "tritt per",
    "entre en vigueur le",
    "entra in vigore il",
    "entra en vigur il",
    "entra en vigur ils",
    "enters into force on",
    "shall enter into force on",
    "comes into force on",
    "shall come into force on",
    "comes into effect on",
    "takes effect on",
    "is effective from",
    "is effective as of",
];
/// Words before the last day.
const ENDS: &[&str] = &[
    "gilt bis",
    "gilt bis zum",
    "gilt längstens bis zum",
    "a effet jusqu'au",
    "est valable jusqu'au",
    "est applicable jusqu'au",
    "ha effetto sino al",
    "è valida sino al",
    "è valido sino al",
    "vala fin ils",
    "vala fin il",
    "remains in force until",
    "is valid until",
    "applies until",
    "expires on",
];
/// A line of its own that states the first day.
const BEGIN_LABELS: &[&str] = &[
    "datum des inkrafttretens",
    "inkrafttreten",
    "in kraft getreten am",
    "in kraft seit",
    "date de l'entrée en vigueur",
    "entrée en vigueur",
    "data dell'entrata in vigore",
    "entrata in vigore",
    "entrada en vigur",
    "effective date",
    "entry into force",
];

/// The names of months by the languages; abbreviations are their beginnings.
const MONTHS: [&[&str]; 12] = [
    &["januar", "jänner", "janvier", "gennaio", "schaner", "january"],
    &["februar", "février", "febbraio", "favrer", "february"],
    &["märz", "mars", "marzo", "march"],
    &["april", "avril", "aprile", "avrigl"],
    &["mai", "maggio", "matg", "may"],
    &["juni", "juin", "giugno", "zercladur", "june"],
    &["juli", "juillet", "luglio", "fanadur", "july"],
    &["august", "août", "agosto", "avust"],
    &["september", "septembre", "settembre"],
    &["oktober", "octobre", "ottobre", "october"],
    &["november", "novembre"],
    &["dezember", "décembre", "dicembre", "december"],
];

/// What the blocks of a document state.
pub(crate) fn stated(raws: &[Raw]) -> Front {
    let mut found = Front::default();
    for raw in raws.iter().take(FIRST_BLOCKS) {
        if let Some((work, from)) = consolidated(&raw.text) {
            return Front { work: Some(work), valid_from: Some(from), ..Front::default() };
        }
    }
    for raw in raws {
        let mut start = 0;
        for piece in raw.text.split_inclusive(['.', '\n', ';']) {
            if piece.len() >= MIN_SENTENCE_BYTES && speaks_of_itself(piece, start) {
                let (begin, end) = statement(&raw.text, start);
                found.valid_from = earliest(found.valid_from, begin);
                found.valid_until = found.valid_until.max(end);
            }
            start += piece.len();
        }
    }
    found
}

/// Whether a sentence begins like one about the act; only then it is looked at further.
fn speaks_of_itself(piece: &str, start: usize) -> bool {
    let head = bare(&piece[..piece.floor_char_boundary(PROBE_BYTES.min(piece.len()))]);
    let begins =
        |names: &[&str]| names.iter().any(|name| head.starts_with(name) || name.starts_with(&head));
    head.len() > 3 && (begins(SELF) || start == 0 && begins(BEGIN_LABELS))
}

/// The text in small letters, without the number of its paragraph.
fn bare(text: &str) -> String {
    let is_number =
        |c: char| c.is_ascii_digit() || matches!(c, ' ' | '(' | ')' | '.' | '\u{a0}' | '\n');
    text.trim_start_matches(is_number).to_lowercase().replace('’', "'")
}

fn earliest(one: Option<Date>, other: Option<Date>) -> Option<Date> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// "02024R1689 — EN — 27.07.2026 — 001.001": the work and the first day of this state.
fn consolidated(text: &str) -> Option<(String, Date)> {
    let mut parts = text.split('—').map(str::trim);
    let celex = parts.next()?;
    let number = celex.strip_prefix('0')?;
    let is_celex = (8..=12).contains(&number.len())
        && number.bytes().take(4).all(|byte| byte.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let language = parts.next()?;
    if !is_celex || language.len() != 2 {
        return None;
    }
    let day = parse_date(parts.next()?)?;
    Some((format!("celex:3{number}"), day))
}

/// What the sentence that begins here states: a first and a last day.
fn statement(text: &str, start: usize) -> (Option<Date>, Option<Date>) {
    let rest = &text[start..];
    let sentence = &rest[..rest.floor_char_boundary(MAX_SENTENCE_BYTES.min(rest.len()))];
    let lower = bare(sentence);
    if start == 0
        && let Some(day) = labelled(&lower)
    {
        return (Some(day), None);
    }
    let Some(after) = SELF.iter().find_map(|name| lower.strip_prefix(name)) else {
        return (None, None);
    };
    let first = after_words(after, BEGINS, MAX_GAP_BYTES).filter(|_| !ends_force(after));
    let last = after_words(after, ENDS, MAX_GAP_BYTES).or_else(|| {
        // "tritt am 31. Dezember 2027 ausser Kraft": the day before is the last one.
        let day = after_words(after, BEGINS, MAX_GAP_BYTES).filter(|_| ends_force(after));
        day.and_then(|day| day.yesterday().ok())
    });
    (first, last)
}

fn ends_force(sentence: &str) -> bool {
    let end = sentence.floor_char_boundary(80.min(sentence.len()));
    ["ausser kraft", "außer kraft"].iter().any(|words| sentence[..end].contains(words))
}

/// "Inkrafttreten: 1. Januar 2026".
fn labelled(line: &str) -> Option<Date> {
    let rest = BEGIN_LABELS.iter().find_map(|label| line.strip_prefix(label))?;
    let rest = rest.trim_start().trim_start_matches(':').trim_start();
    parse_date(rest)
}

/// The date right after one of these words.
fn after_words(sentence: &str, words: &[&str], gap: usize) -> Option<Date> {
    words.iter().find_map(|word| {
        let rest = sentence[sentence.find(word)? + word.len()..].trim_start();
        let digit = rest.find(|c: char| c.is_ascii_digit()).filter(|at| *at <= gap)?;
        parse_date(rest).or_else(|| parse_date(&rest[digit..]))
    })
}

/// A date at the start of a text: "1. Januar 2026", "1er janvier 2026", "1° luglio 1993",
/// "27.07.2026", "2026-01-31", "1 January 2026", "January 1, 2026", "1. da schaner 2026".
fn parse_date(text: &str) -> Option<Date> {
    if let Some(day) = text.get(..10).and_then(|iso| iso.parse().ok()) {
        return Some(day);
    }
    let mut words = text
        .split(|c: char| !(c.is_alphanumeric()))
        .filter(|word| !word.is_empty() && !matches!(*word, "da" | "d" | "de" | "of"));
    let (first, second, third) = (words.next()?, words.next()?, words.next()?);
    let number = |word: &str| {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        word[..digits].parse::<i8>().ok()
    };
    let month = |word: &str| month(word).or_else(|| number(word).filter(|n| (1..=12).contains(n)));
    let is_named = self::month(first).is_some();
    let (day, month) = match is_named {
        true => (number(second)?, month(first)?),
        false => (number(first)?, month(second)?),
    };
    let year: i16 = third.parse().ok().filter(|year| (1800..2200).contains(year))?;
    Date::new(year, month, day).ok().filter(|found| *found > date(1800, 1, 1))
}

fn month(word: &str) -> Option<i8> {
    let lower = word.to_lowercase();
    let is_name =
        |name: &&&str| name.starts_with(&lower) && (lower.chars().count() >= 3 || **name == lower);
    let at = MONTHS.iter().position(|names| names.iter().any(|name| is_name(&name)))?;
    i8::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlockKind;

    fn of(text: &str) -> (Option<Date>, Option<Date>) {
        let found = stated(&[Raw::new(BlockKind::Paragraph, text)]);
        (found.valid_from, found.valid_until)
    }

    #[test]
    fn acts_state_when_they_begin_and_end() {
        let day = date(2026, 7, 1);
        for text in [
            "Dieses Gesetz tritt am 1. Juli 2026 in Kraft.",
            "2 Diese Verordnung tritt am 1. Juli 2026 in Kraft.",
            "Text. La présente loi entre en vigueur le 1er juillet 2026.",
            "La presente legge entra in vigore il 1° luglio 2026.",
            "Questa lescha entra en vigur il 1. da fanadur 2026.",
            "This Regulation shall enter into force on 1 July 2026.",
            "This policy takes effect on July 1, 2026.",
            "Inkrafttreten: 01.07.2026",
            "Datum des Inkrafttretens: 1. Juli 2026 BRB vom 14. Juni 2025",
        ] {
            assert_eq!(of(text), (Some(day), None), "{text}");
        }
        let end = Some(date(2027, 12, 31));
        assert_eq!(of("Diese Verordnung gilt bis zum 31. Dezember 2027."), (None, end));
        assert_eq!(of("Dieses Gesetz tritt am 1. Januar 2028 ausser Kraft."), (None, end));
    }

    #[test]
    fn what_is_said_of_others_is_no_statement() {
        for text in [
            "Artikel 5 tritt am 1. Juli 2026 in Kraft.",
            "Fassung gemäss Ziff. I, in Kraft seit 1. Jan. 2008.",
            "Das Gesetz vom 1. Juli 2026 gilt nicht.",
            "This Regulation shall apply from 2 August 2026.",
            "This Regulation shall enter into force on the twentieth day after 1 July 2026.",
        ] {
            assert_eq!(of(text), (None, None), "{text}");
        }
    }

    #[test]
    fn a_consolidated_act_names_its_state() {
        let raw = Raw::new(BlockKind::Paragraph, "02024R1689 — EN — 27.07.2026 — 001.001");
        let found = stated(&[raw]);
        assert_eq!(found.work.as_deref(), Some("celex:32024R1689"));
        assert_eq!(found.valid_from, Some(date(2026, 7, 27)));
    }
}
