//! Dates, and which of them are someone's birth.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::context::Surroundings;
use crate::finding::{Finding, How};
use crate::fold::Folded;
use crate::kind::Kind;
use crate::token::{Token, TokenClass};

const BIRTH: &[&str] = &[
    "born",
    "birth",
    "dob",
    "d.o.b",
    "geboren",
    "geb.",
    "geb ",
    "geburt",
    "né le",
    "né à",
    "né en",
    "né(e)",
    "née",
    "naissance",
    "nato il",
    "nata il",
    "nato a",
    "nata a",
    "nato/a",
    "nato nel",
    "nata nel",
    "nascita",
    "naschì",
    "naschid",
    "naschientscha",
    "nasch",
    "* ",
    "(*",
    "jahrgang",
    "gebdat",
    "dateofbirth",
    "dateborn",
    "datenaissance",
    "datanascita",
    "datadinascita",
];

/// Words that say it right after a date: `am 3.4.1970 geboren`.
const BORN: &[&str] = &["geboren", "zur welt", "geb.", "né ", "née ", "nasch"];

/// Names of months in the five languages, whole and their first three letters.
const MONTHS: &str = "january february march april june july august september october \
    november december januar jänner februar märz maerz juni juli \
    oktober dezember janvier février mars avril mai juin juillet \
    août septembre octobre novembre décembre gennaio febbraio marzo aprile \
    maggio giugno luglio agosto settembre ottobre dicembre schaner favrer \
    avrigl matg zercladur fanadur avust settember may jan feb \
    mar mär apr jun jul aug sep okt oct \
    nov dez dec gen mag giu lug ago set \
    ott dic déc fév fev avr aoû jui jän \
    zer avu fan";

static MONTH_NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| MONTHS.split_whitespace().collect());

/// Whether a word is the name of a month; so that `Mark` is none.
fn is_month(word: &str) -> bool {
    MONTH_NAMES.contains(word)
}

/// Finds dates by their tokens.
pub(crate) fn find(text: &Folded, tokens: &[Token]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let Some(count) = numeric(text, &tokens[index..]).or_else(|| worded(&tokens[index..]))
        else {
            index += 1;
            continue;
        };
        let (start, end) = (tokens[index].start, tokens[index + count - 1].end);
        let beside = Surroundings::of(text, start, end);
        let birth = beside.before(BIRTH) || beside.goes_on(BORN);
        let (kind, score) = match birth {
            true => (Kind::DateOfBirth, 0.9),
            false => (Kind::Date, 0.6),
        };
        let how = if birth { How::Context } else { How::Pattern };
        found.push(Finding { range: text.bytes(start..end), kind, score, how });
        index += count;
    }
    found
}

fn number(token: &Token) -> Option<u32> {
    let is_number = token.class == TokenClass::Number && token.word.len() <= 4;
    is_number.then(|| token.word.parse().ok()).flatten()
}

fn is_year(token: &Token) -> bool {
    number(token).is_some_and(|year| (1850..=2150).contains(&year))
        || token.word.len() == 2 && number(token).is_some()
}

/// `12.10.1970`, `1970-10-12`, `10/12/70`, each with a time of day after it or not.
fn numeric(text: &Folded, tokens: &[Token]) -> Option<usize> {
    let [first, mark, second, again, third, ..] = tokens else { return None };
    if first.class != TokenClass::Number {
        return None;
    }
    let same = mark.word == again.word && matches!(mark.word, "." | "/" | "-");
    let near = third.end - first.start <= 14;
    if !same || !near || text.before(first.start).is_ascii_digit() {
        return None;
    }
    let (a, b, _) = (number(first)?, number(second)?, number(third)?);
    let day_first = (1..=31).contains(&a) && (1..=31).contains(&b) && is_year(third);
    let sound = day_first && a.min(b) <= 12
        || first.word.len() == 4 && is_year(first) && b <= 12 && number(third)? <= 31;
    sound.then(|| 5 + time(&tokens[5..]))
}

/// Tokens of a time of day.
fn time(tokens: &[Token]) -> usize {
    let colons = |at: usize| tokens.get(at).is_some_and(|token| token.word == ":");
    let numbers = |at: usize| tokens.get(at).is_some_and(|token| number(token).is_some());
    match (numbers(0) && colons(1) && numbers(2), colons(3) && numbers(4)) {
        (true, true) => 5,
        (true, false) => 3,
        _ => 0,
    }
}

/// `12. Oktober 1970`, `1er mars 2001`, `October 12, 1970`.
fn worded(tokens: &[Token]) -> Option<usize> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word);
    let day = |at: usize| {
        let digits = word(at).bytes().take_while(u8::is_ascii_digit).count();
        digits <= 2 && word(at)[..digits].parse().is_ok_and(|day: u32| (1..=31).contains(&day))
    };
    let year =
        |at: usize| tokens.get(at).is_some_and(|token| token.word.len() == 4 && is_year(token));
    let skip = |at: usize, words: &[&str]| at + usize::from(words.contains(&word(at)));
    if day(0) {
        let month = skip(skip(1, &[".", "°", "º"]), &["de", "di", "da", "d", "of"]);
        let month = skip(month, &["'", "of"]);
        if is_month(word(month)) {
            let after = skip(skip(month + 1, &["."]), &["da", "dal", "del", ",", "di"]);
            return Some(if year(after) { after + 1 } else { month + 1 });
        }
    }
    if day(1) && is_month(word(0)) {
        let after = skip(2, &[","]);
        return Some(if year(after) { after + 1 } else { 2 });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Words;

    fn found(text: &str) -> Vec<(&str, Kind)> {
        let folded = Folded::new(text);
        let words = Words::of(&folded);
        let all = find(&folded, &words.tokens());
        all.into_iter().map(|one| (&text[one.range], one.kind)).collect()
    }

    #[test]
    fn a_birth_is_told_by_words_on_either_side() {
        for (text, date) in [
            ("Sie wurde am 6.3.1976 geboren.", "6.3.1976"),
            ("Kaspar Ott (*17.07.1931), ledig", "17.07.1931"),
            ("née Aubry le 4 mars 1961", "4 mars 1961"),
            ("né à Vevey le 4.3.1961", "4.3.1961"),
            ("data di nascita 1° ottobre 1965", "1° ottobre 1965"),
            ("\"dateOfBirth\":\"1961-03-04\"", "1961-03-04"),
        ] {
            assert_eq!(found(text), [(date, Kind::DateOfBirth)], "{text}");
        }
        let later = "Die Sitzung war am 6.3.2019. Geborene Redner sprachen.";
        assert_eq!(found(later), [("6.3.2019", Kind::Date)]);
    }
}
