//! More or less than a sentence: a list with its introduction, and the cell of a row that answers.

use allod_corpus::{ByteRange, Language};
use allod_retrieval::analysis::words;

use super::expected::Expected;
use super::units::Unit;

/// A longer list is quoted by the items that answer, not whole.
const LONGEST_LIST_BYTES: usize = 1500;

/// The list that a sentence introduces, with the sentence; `None` if it introduces none.
pub(super) fn list(units: &[Unit], introduction: ByteRange) -> Option<ByteRange> {
    let at = units.iter().position(|unit| unit.range == introduction)?;
    let items = units[at + 1..].iter().take_while(|unit| unit.introduction == Some(at));
    let end = items.last()?.range.end;
    (end - introduction.start <= LONGEST_LIST_BYTES)
        .then_some(ByteRange { start: introduction.start, end })
}

/// The cell of a row (`Size: 35 litres; Fee: CHF 2.40`) that answers: whose header the question
/// names, that holds the kind of thing asked for, and whose words are not the question's own.
/// `None` if the text is no row or no cell stands out.
pub(super) fn cell(
    text: &str,
    terms: &[(String, f64)],
    expected: Option<&Expected>,
    language: Language,
) -> Option<ByteRange> {
    let cells = cells(text)?;
    let asked = |text: &str| -> f64 {
        let own = words(text, language);
        let named = terms.iter().filter(|(stem, _)| own.iter().any(|word| word.stem == *stem));
        named.map(|(_, weight)| weight).sum()
    };
    let worth = |(header, value): &(ByteRange, ByteRange)| {
        let (header, value) = (&text[header.start..header.end], &text[value.start..value.end]);
        let kind = expected.map_or(0.0, |kind| kind.stands_in(value, language));
        asked(header) + kind - asked(value)
    };
    let mut ranked: Vec<(f64, ByteRange)> = cells.iter().map(|c| (worth(c), c.1)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    match ranked[..] {
        [(best, value), (next, _), ..] if best > 0.0 && best > next => Some(value),
        _ => None,
    }
}

/// Header and value of each cell.
fn cells(text: &str) -> Option<Vec<(ByteRange, ByteRange)>> {
    let mut cells = Vec::new();
    let mut start = 0;
    for part in text.split("; ") {
        let colon = part.find(": ")?;
        let header = ByteRange { start, end: start + colon };
        let end = start + part.trim_end_matches(['.', ';']).len();
        cells.push((header, ByteRange { start: (start + colon + 2).min(end), end }));
        start += part.len() + 2;
    }
    (cells.len() > 1).then_some(cells)
}

#[cfg(test)]
mod tests {
    use super::super::units::units;
    use super::*;
    use Language::De;

    #[test]
    fn the_cell_that_is_asked_for_is_found() {
        let row = "Gebinde: Sack 35 Liter; Gebühr: CHF 2.40; Abgabe: Werkhof";
        let found = |question: &str, terms: &[&str]| {
            let stems = terms.iter().flat_map(|term| words(term, De)).map(|word| (word.stem, 1.0));
            let stems: Vec<(String, f64)> = stems.collect();
            let cell = cell(row, &stems, Expected::of(question, De).as_ref(), De);
            cell.map(|range| &row[range.start..range.end])
        };
        assert_eq!(found("Was kostet ein Sack zu 35 Litern?", &["Sack", "35"]), Some("CHF 2.40"));
        assert_eq!(found("Welche Abgabe für den Sack?", &["Abgabe", "Sack"]), Some("Werkhof"));
        assert_eq!(found("Sack", &["Sack"]), None);
        assert_eq!(cell("Es gilt: wer kommt, kommt.", &[], None, De), None);
    }

    #[test]
    fn a_list_goes_with_its_introduction() {
        let text = "Mitzubringen sind:\n- ein Ausweis;\n- ein Foto.\n\nOffen am Montag.";
        let all = units(text, De);
        let range = list(&all, all[0].range).unwrap();
        assert_eq!(
            &text[range.start..range.end],
            "Mitzubringen sind:\n- ein Ausweis;\n- ein Foto."
        );
        assert_eq!(list(&all, all[1].range), None);
        assert_eq!(list(&all, all[3].range), None);
    }
}
