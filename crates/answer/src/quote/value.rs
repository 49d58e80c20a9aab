//! The figure within a sentence that answers, whole: with its currency or unit, a day with its
//! month and year, both ends of a range.

use allod_corpus::{ByteRange, Language};

use super::expected::{Expected, without_marker};
use crate::support::quantity::{Quantity, Value, quantities, unit_of_word};

/// What may stand between the parts of one date.
const IN_DATES: &[&str] =
    &["", ".", ",", "er", "°", "de", "di", "da", "th", "st", "nd", "rd", "of", "/", "-"];
/// What may stand between the ends of a range.
const IN_RANGES: &[&str] =
    &["–", "-", "bis", "to", "until", "à", "a", "al", "alle", "ad", "fin", "and", "und", "et"];
/// What stands before a sum or a time and belongs to it.
const BEFORE: &[&str] = &["CHF", "Fr.", "EUR", "€", "GBP", "£", "USD", "$"];
/// What stands behind a time and belongs to it.
const BEHIND: &[&str] = &["Uhr", "h", "heures", "a.m.", "p.m.", "am", "pm", "%", "‰", "o'clock"];

/// The figure of a sentence that is of the kind asked for: the one that the chosen words hold, else
/// the nearest to them. Without one, the chosen words with the whole of a figure that they cut.
pub(super) fn pointed(
    text: &str,
    language: Language,
    expected: Option<&Expected>,
    chosen: Option<ByteRange>,
) -> Option<ByteRange> {
    let figures = figures(text, language);
    let overlaps = |a: ByteRange, b: ByteRange| a.start < b.end && b.start < a.end;
    let away = |figure: &ByteRange| match chosen {
        Some(near) if overlaps(*figure, near) => 0,
        Some(near) => 1 + figure.start.abs_diff(near.start),
        None => figure.start,
    };
    let asks = |kind: &&Expected| {
        use Expected::{Amount, Duration, Measure, When};
        matches!(kind, Amount | Duration | Measure(_) | When)
    };
    if let Some(kind) = expected.filter(asks) {
        let fits = |f: &&ByteRange| kind.stands_in(&text[f.start..f.end], language) >= 1.0;
        if let Some(best) = figures.iter().filter(fits).min_by_key(|figure| away(figure)) {
            return Some(*best);
        }
    }
    let chosen = chosen?;
    let cut = figures.iter().find(|figure| overlaps(**figure, chosen));
    Some(cut.map_or(chosen, |figure| ByteRange {
        start: chosen.start.min(figure.start),
        end: chosen.end.max(figure.end),
    }))
}

/// The figures of a text, each whole.
fn figures(text: &str, language: Language) -> Vec<ByteRange> {
    let marker = text.len() - without_marker(text, language).len();
    let mut figures: Vec<(ByteRange, bool)> = Vec::new();
    for quantity in quantities(text, language).iter().filter(|q| q.start() >= marker) {
        let start = quantity.start();
        let range = ByteRange { start, end: start + quantity.shown(text).len() };
        let (range, dated) = (with_unit(text, range), is_of_date(quantity));
        match figures.last_mut() {
            Some((last, was_dated)) if goes_on(text, *last, range, *was_dated && dated) => {
                last.end = last.end.max(range.end);
            }
            _ => figures.push((range, dated)),
        }
    }
    figures.into_iter().map(|(range, _)| range).collect()
}

/// A day, a month, a year.
fn is_of_date(quantity: &Quantity) -> bool {
    match quantity.value {
        Value::Name(number) => number <= 12,
        Value::Number { value, unit: None } => {
            let whole = value % 10_000 == 0;
            let value = value / 10_000;
            whole && (value <= 31 || (1000..2200).contains(&value))
        }
        Value::Number { .. } => false,
        Value::Ordinal(_) => true,
    }
}

fn goes_on(text: &str, last: ByteRange, next: ByteRange, are_dates: bool) -> bool {
    if next.start < last.end {
        return true;
    }
    let between = text[last.end..next.start].trim();
    let between = between.strip_prefix('.').filter(|rest| !rest.is_empty()).unwrap_or(between);
    are_dates && IN_DATES.contains(&between.trim()) || IN_RANGES.contains(&between)
}

/// A number with the currency before it or the unit behind it.
fn with_unit(text: &str, range: ByteRange) -> ByteRange {
    let ByteRange { mut start, mut end } = range;
    let before = text[..start].trim_end();
    if let Some(sign) = BEFORE.iter().find(|sign| before.ends_with(**sign)) {
        start = before.len() - sign.len();
    }
    let rest = &text[end..];
    if let Some(dash) = [".–", ".-", ".—"].iter().find(|dash| rest.starts_with(**dash)) {
        end += dash.len();
    }
    let gap = text[end..].len() - text[end..].trim_start_matches([' ', '\u{a0}', '\u{202f}']).len();
    let behind = &text[end + gap..];
    let word = behind.find(|c: char| !c.is_alphanumeric() && c != '€').unwrap_or(behind.len());
    let whole_word = |sign: &&&str| {
        let after = behind.strip_prefix(**sign).map(|rest| rest.chars().next());
        after.is_some_and(|next| next.is_none_or(|c| !c.is_alphanumeric()))
    };
    if let Some(sign) = BEHIND.iter().find(whole_word) {
        end += gap + sign.len();
    } else if word > 0 && unit_of_word(&behind[..word].to_lowercase()).is_some() {
        end += gap + word;
    }
    ByteRange { start, end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{De, En, Fr, It};

    #[test]
    fn figures_are_pointed_at_whole() {
        for (question, text, language, answer) in [
            ("Seit wann gilt sie?", "Sie gilt seit dem 1. Mai 2021.", De, "1. Mai 2021"),
            ("Was kostet der Strom?", "Strom: CHF 4 pro Stunde.", De, "CHF 4"),
            ("Wann ist er?", "Er ist jeden Samstag von 7 bis 12 Uhr.", De, "Samstag"),
            ("When does it open?", "It opens at 6:30 a.m. on weekdays.", En, "6:30 a.m."),
            ("Da quando vale?", "Vale dal 1° luglio 2023.", It, "1° luglio 2023"),
            ("Combien coûte-t-il ?", "Amende : 40 fr. par jour.", Fr, "40 fr"),
            ("Was kostet sie?", "Sie beträgt 300 € pro kWp.", De, "300 €"),
            (
                "How long have I got?",
                "Under Article 55 it is notified within 72 hours.",
                En,
                "72 hours",
            ),
        ] {
            let expected = Expected::of(question, language);
            let found = pointed(text, language, expected.as_ref(), None);
            let found = found.map(|range| &text[range.start..range.end]);
            assert_eq!(found, Some(answer), "{question}");
        }
    }

    #[test]
    fn chosen_words_are_not_cut_within_a_figure() {
        let text = "Die Ordnung vom 3. Juni 1998 gilt von 7 bis 12 Uhr.";
        let at = text.find("Juni").unwrap();
        let chosen = ByteRange { start: at, end: at + 4 };
        let found = pointed(text, De, None, Some(chosen)).unwrap();
        assert_eq!(&text[found.start..found.end], "3. Juni 1998");
        let at = text.find("12").unwrap();
        let chosen = ByteRange { start: at, end: at + 2 };
        let found = pointed(text, De, None, Some(chosen)).unwrap();
        assert_eq!(&text[found.start..found.end], "7 bis 12 Uhr");
        assert_eq!(pointed("Ein Satz.", De, None, None), None);
        // Letters of several bytes right behind a figure.
        let texts = ["8–11 Uhr", "5 jährliche", "1° maggio", "3€.", "2 für", "8 h à 19 h"];
        let shown = texts.map(|text| {
            let range = ByteRange { start: 0, end: 1 };
            let found = pointed(text, De, None, Some(range)).unwrap();
            &text[found.start..found.end]
        });
        assert_eq!(shown, ["8–11 Uhr", "5", "1", "3€", "2", "8 h à 19 h"]);
    }
}
