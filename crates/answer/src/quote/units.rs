//! What can be quoted as a whole: a sentence, a table row, a list item.

use allod_corpus::{ByteRange, Language, sentences};

/// A longer list item is taken sentence by sentence.
const LONGEST_ITEM_BYTES: usize = 400;

/// A sentence, a row or an item.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    /// Where it stands in the passage.
    pub(super) range: ByteRange,
    /// The unit that introduces it (`… sind:`), for an item of a list.
    pub(super) introduction: Option<usize>,
}

impl Unit {
    pub(super) fn text<'a>(&self, passage: &'a str) -> &'a str {
        &passage[self.range.start..self.range.end]
    }
}

/// The units of a passage, in order.
pub(super) fn units(passage: &str, language: Language) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut introduction = None;
    for line in lines(passage) {
        let text = &passage[line.start..line.end];
        let item = is_item(text);
        if is_row(text) || (item && text.len() <= LONGEST_ITEM_BYTES) {
            units.push(Unit { range: line, introduction });
            continue;
        }
        if !item {
            introduction = None;
        }
        let inside = sentences(passage, line, language);
        units.extend(inside.into_iter().map(|range| Unit { range, introduction }));
        if text.ends_with(':') && !units.is_empty() {
            introduction = Some(units.len() - 1);
        }
    }
    units
}

/// The lines that are not empty, trimmed.
fn lines(passage: &str) -> Vec<ByteRange> {
    let mut lines = Vec::new();
    let mut at = 0;
    for line in passage.split_inclusive('\n') {
        let start = at + (line.len() - line.trim_start().len());
        let end = at + line.trim_end().len();
        if start < end {
            lines.push(ByteRange { start, end });
        }
        at += line.len();
    }
    lines
}

/// A table row: cells with their headers, or cells in a line.
pub(super) fn is_row(line: &str) -> bool {
    let cells = line.split("; ").filter(|cell| cell.contains(": ")).count();
    line.contains(" | ") || cells >= 2 || (cells == 1 && !line.ends_with(['.', '!', '?', ':']))
}

/// A list item: a dash, or a letter or number with a point or bracket.
fn is_item(line: &str) -> bool {
    if line.starts_with(['-', '–', '•', '*']) {
        return true;
    }
    let marker = line.split_whitespace().next().unwrap_or_default();
    let bare = marker.trim_start_matches('(').trim_end_matches(['.', ')']);
    let short = bare.len() == 1 || (bare.len() <= 2 && bare.bytes().all(|b| b.is_ascii_digit()));
    short && bare.len() < marker.len() && bare.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_items_stay_whole_and_know_their_introduction() {
        let passage =
            "Die Gebühren sind:\n- Hund: CHF 120\n- Zweithund: CHF 180\n\nAnmeldung bis Ende März.";
        let units = units(passage, Language::De);
        let texts: Vec<&str> = units.iter().map(|u| u.text(passage)).collect();
        assert_eq!(
            texts,
            [
                "Die Gebühren sind:",
                "- Hund: CHF 120",
                "- Zweithund: CHF 180",
                "Anmeldung bis Ende März."
            ]
        );
        assert_eq!(units[2].introduction, Some(0));
        assert_eq!(units[3].introduction, None);
    }

    #[test]
    fn markers_are_told_from_sentences() {
        for item in ["a. Kinder", "b) enfants", "12. Hunde", "(3) x", "- y", "• z"] {
            assert!(is_item(item), "{item}");
        }
        for sentence in ["Die Taxe", "2026 gilt", "3 Hunde sind erlaubt", "A b"] {
            assert!(!is_item(sentence), "{sentence}");
        }
        assert!(is_row("Gebinde: Sack 35 Liter; Gebühr: CHF 2.40") && is_row("Sack | CHF 2"));
        assert!(!is_row("Es gilt: wer kommt, der kommt."));
    }
}
