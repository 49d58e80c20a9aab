//! Numbers of a question that fall in a range of a passage: an income of 65'000 francs under
//! `CHF 55'001 bis 70'000`, 300 persons under `da 101 a 500 persone`.

use crate::analysis::Word;

/// A number with what it counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Amount {
    value: f64,
    unit: String,
}

/// A range of numbers.
struct Range {
    low: f64,
    high: f64,
    unit: String,
}

const MONEY: &[&str] =
    &["chf", "fr", "franken", "francs", "franc", "franchi", "eur", "euro", "euros"];
/// Between the ends of a range.
const TO: &[&str] = &["bis", "a", "to", "fin", "e", "and", "und", "et"];
/// Before a highest number.
const UP_TO: &[&str] =
    &["bis", "hochstens", "unter", "fino", "sotto", "massimo", "jusqu", "moins", "to", "under"];
/// Before a number that is passed.
const ABOVE: &[&str] =
    &["uber", "mehr", "ab", "oltre", "piu", "plus", "des", "partir", "over", "above", "more"];

/// The numbers of a text, each with the word as it was folded.
pub(super) fn amounts(words: &[Word]) -> Vec<(String, Amount)> {
    let amount = |at: usize| {
        let value = number(&words[at])?;
        Some((words[at].folded.clone(), Amount { value, unit: unit(words, at) }))
    };
    (0..words.len()).filter_map(amount).collect()
}

/// The words of a passage that end a range in which the amount falls.
pub(super) fn containing(words: &[Word], amount: &Amount) -> Option<usize> {
    (0..words.len()).find(|&at| {
        range(words, at).is_some_and(|range| {
            let inside = range.low <= amount.value && amount.value <= range.high;
            inside && !amount.unit.is_empty() && range.unit == amount.unit
        })
    })
}

/// The range whose last number stands at `at`.
fn range(words: &[Word], at: usize) -> Option<Range> {
    let last = number(&words[at])?;
    let unit = unit(words, at);
    let near = &words[at.saturating_sub(4)..at];
    let before: Vec<&str> =
        near.iter().rev().map(|w| w.folded.as_str()).filter(|w| !MONEY.contains(w)).collect();
    let first = near.iter().rev().find_map(number).filter(|first| *first < last);
    let has = |list: &[&str], within: usize| before.iter().take(within).any(|w| list.contains(w));
    match first {
        Some(low) if has(TO, 2) => Some(Range { low, high: last, unit }),
        _ if has(UP_TO, 2) => Some(Range { low: 0.0, high: last, unit }),
        _ if has(ABOVE, 2) => Some(Range { low: last, high: f64::INFINITY, unit }),
        _ => None,
    }
}

fn number(word: &Word) -> Option<f64> {
    word.is_number().then(|| word.folded.parse().ok()).flatten()
}

/// `money`, or the stem of the word that follows; empty if there is none.
fn unit(words: &[Word], at: usize) -> String {
    let money = |word: Option<&Word>| word.is_some_and(|w| MONEY.contains(&w.folded.as_str()));
    let before = at.checked_sub(1).and_then(|at| words.get(at));
    let earlier = words[at.saturating_sub(4)..at].iter().any(|w| money(Some(w)));
    let after = words.get(at + 1);
    if money(before) || money(after) {
        return "money".to_owned();
    }
    match after.filter(|word| !word.is_number()) {
        Some(word) if !earlier => word.stem.clone(),
        _ if earlier => "money".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis;
    use allod_corpus::Language::{self, De, It};

    fn falls(question: &str, row: &str, language: Language) -> bool {
        let amounts = amounts(&analysis::words(question, language));
        let words = analysis::words(row, language);
        amounts.iter().any(|(_, amount)| containing(&words, amount).is_some())
    }

    #[test]
    fn a_number_falls_in_the_range_that_holds_it() {
        let income = "wenn wir 65'000 Franken verdienen";
        assert!(falls(income, "Stufe: C; Einkommen: CHF 55'001 bis 70'000; Kita: CHF 58", De));
        assert!(!falls(income, "Stufe: D; Einkommen: CHF 70'001 bis 90'000; Kita: CHF 76", De));
        assert!(falls("300 persone", "Da 101 a 500 persone", It));
        assert!(!falls("300 persone", "Fino a 100 persone", It));
        assert!(falls("800 persone", "Oltre 500 persone", It));
        let flat = "eine Wohnung mit 100 Quadratmetern";
        assert!(falls(flat, "Wohnung über 60 bis 130 Quadratmeter", De));
        assert!(!falls(flat, "bis 130 Franken", De));
    }
}
