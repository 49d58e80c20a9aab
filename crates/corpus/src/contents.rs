//! Tables of contents: lines that lead the eye to another place ("Zweck ........ 12") and say
//! nothing themselves.

use crate::{Block, BlockKind, Document};

/// Fewer entries may be a list of prices.
const MIN_ENTRIES: usize = 5;

/// Dots in a row that lead to something.
const MIN_DOTS: usize = 4;

/// What follows the dots is not longer: "Art. 197 Ziff. 12", "Seite 12".
const MAX_TARGET_BYTES: usize = 24;

/// One of this many entries may stand out of order.
const OUT_OF_ORDER: usize = 10;

/// For each block, whether it is an entry of a table of contents: one of several in a row, headings
/// between them left aside, that lead by dots to whole numbers in ascending order.
pub(crate) fn entries(document: &Document) -> Vec<bool> {
    let mut entries = vec![false; document.blocks.len()];
    let mut run = Run::default();
    for (index, block) in document.blocks.iter().enumerate().filter(|(_, block)| !heads(block)) {
        match targets(document.slice(block.range)) {
            Some(targets) => run.take(index, targets),
            None => std::mem::take(&mut run).end(&mut entries),
        }
    }
    run.end(&mut entries);
    entries
}

fn heads(block: &Block) -> bool {
    matches!(block.kind, BlockKind::Title | BlockKind::Heading { .. } | BlockKind::Article { .. })
}

/// Entries that follow each other.
#[derive(Default)]
struct Run {
    blocks: Vec<usize>,
    targets: Vec<u32>,
}

impl Run {
    fn take(&mut self, index: usize, targets: Vec<u32>) {
        self.blocks.push(index);
        self.targets.extend(targets);
    }

    fn end(self, entries: &mut [bool]) {
        let falls = self.targets.windows(2).filter(|pair| pair[0] > pair[1]).count();
        if self.targets.len() >= MIN_ENTRIES && falls * OUT_OF_ORDER <= self.targets.len() {
            self.blocks.into_iter().for_each(|index| entries[index] = true);
        }
    }
}

/// The numbers that the lines of a block lead to; `None` if one of them leads nowhere.
fn targets(text: &str) -> Option<Vec<u32>> {
    let mut targets = Vec::new();
    for line in text.lines() {
        targets.extend(target(line)?);
    }
    Some(targets)
}

/// What a line leads to: a whole number, or words without one.
fn target(line: &str) -> Option<Option<u32>> {
    let dots = |line: &str| -> Option<usize> {
        let mut count = 0;
        for (at, letter) in line.char_indices().rev() {
            match letter {
                '.' => count += 1,
                '…' => count += 3,
                ' ' | '\u{a0}' if count > 0 => {}
                _ if count >= MIN_DOTS => return Some(at + letter.len_utf8()),
                _ => count = 0,
            }
        }
        (count >= MIN_DOTS).then_some(0)
    };
    let led = line[dots(line)?..].trim_start_matches(['.', '…', ' ', '\u{a0}']).trim_end();
    if led.is_empty() || led.len() > MAX_TARGET_BYTES || led.contains([',', '\'', '’']) {
        return None;
    }
    match led.find(|letter: char| letter.is_ascii_digit()) {
        None => Some(None),
        Some(start) => {
            let digits = led[start..].find(|letter: char| !letter.is_ascii_digit());
            let (number, rest) = led[start..].split_at(digits.unwrap_or(led.len() - start));
            // "4.50" is an amount.
            let is_amount =
                rest.starts_with('.') && rest[1..].starts_with(|c: char| c.is_ascii_digit());
            number.parse().ok().filter(|_| !is_amount).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_lead_to_numbers() {
        for (line, expected) in [
            ("Zweck ............ Art. 2", Some(Some(2))),
            ("Landessprachen .............................Art. 4", Some(Some(4))),
            ("Subsidiarität . . . . . . . Art. 5a", Some(Some(5))),
            ("1.2 Scope……12", Some(Some(12))),
            ("............................... Präambel", Some(None)),
            ("Kaffee .......... 4.50", None),
            ("Hundesteuer .......... 1'200", None),
            ("Und so weiter ...", None),
            ("Der Bundesrat besteht aus sieben Mitgliedern.", None),
            ("Warten ........ und dann geht es weiter mit dem Text", None),
            ("", None),
        ] {
            assert_eq!(target(line), expected, "{line:?}");
        }
    }

    fn marked(lines: &[&str]) -> Vec<String> {
        let text = lines.join("\n\n");
        let source = crate::Source { path: "contents.txt", bytes: text.as_bytes(), sidecar: None };
        let document = crate::read(&source).unwrap();
        let entries = entries(&document);
        let blocks = document.blocks.iter().zip(entries).filter(|(_, entry)| *entry);
        blocks.map(|(block, _)| document.slice(block.range).to_owned()).collect()
    }

    #[test]
    fn only_rows_of_entries_in_order_are_contents() {
        let contents = [
            "Zweck ........ 1",
            "Mittel ........ 2",
            "Wege ........ 2",
            "Ziele ........ 7",
            "Ende ........ 9",
        ];
        assert_eq!(marked(&contents), contents);
        let mut text = vec!["Der Rat tagt im Saal."];
        text.extend(contents);
        text.push("Die Sitzung ist offen.");
        assert_eq!(marked(&text), contents);
        assert!(marked(&contents[..4]).is_empty());
        let prices =
            ["Tee ..... 4", "Bier ..... 6", "Saft ..... 3", "Brot ..... 5", "Suppe ..... 2"];
        assert!(marked(&prices).is_empty());
    }
}
