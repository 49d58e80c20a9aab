//! Tables: each row becomes a line that can be understood alone.

use crate::BlockKind;
use crate::clean::tidy;
use crate::raw::Raw;

/// A header longer than this is cut where it is repeated in each row.
const MAX_HEADER_BYTES: usize = 120;

/// A longer text is more than a figure with its unit.
const MAX_FIGURE_BYTES: usize = 40;

/// Naming the columns may make a table this many times longer, beyond a free allowance.
const MAX_GROWTH: usize = 8;
const FREE_GROWTH_BYTES: usize = 64 << 10;

/// The rows of a table as blocks: "Header: cell; Header: cell", or "cell | cell" without a header.
pub(crate) fn rows(header: &[String], rows: &[Vec<String>]) -> Vec<Raw> {
    let header: Vec<String> = header.iter().map(|cell| column_name(cell)).collect();
    let plain_bytes: usize = rows.iter().flatten().map(|cell| cell.len() + 3).sum();
    let named_bytes: usize = rows.iter().map(|row| named_length(&header, row)).sum();
    let has_names = header.iter().any(|name| !name.is_empty());
    let is_named = has_names && is_affordable(plain_bytes, named_bytes);
    let write = |row: &Vec<String>| match is_named {
        true => named(&header, row),
        false => joined(row),
    };
    let mut found: Vec<Raw> = Vec::with_capacity(rows.len());
    if rows.is_empty() || !is_named {
        found.push(Raw::new(BlockKind::TableRow, joined(&header)));
    }
    found.extend(rows.iter().map(|row| Raw::new(BlockKind::TableRow, write(row))));
    found.retain(|raw| !raw.text.is_empty());
    found
}

/// Whether rows may carry their columns' names: not if a small table became a large text.
pub(crate) fn is_affordable(plain_bytes: usize, named_bytes: usize) -> bool {
    named_bytes <= FREE_GROWTH_BYTES + MAX_GROWTH * plain_bytes
}

/// A column's name or a term as it is repeated: one line, without its colon, not long.
pub(crate) fn column_name(cell: &str) -> String {
    let cell = tidy(cell).replace('\n', " ");
    let cell = cell.trim_end_matches([':', ' ']);
    if cell.len() <= MAX_HEADER_BYTES {
        return cell.to_owned();
    }
    format!("{}…", &cell[..cell.floor_char_boundary(MAX_HEADER_BYTES)])
}

/// A year, which names a column of figures.
pub(crate) fn is_year(cell: &str) -> bool {
    let cell = cell.trim();
    let is_number = cell.len() == 4 && cell.bytes().all(|byte| byte.is_ascii_digit());
    is_number && (cell.starts_with("19") || cell.starts_with("20"))
}

/// Whether texts are figures of one kind: mostly short, with digits, and the same sign or word, or
/// none, before and behind them.
pub(crate) fn are_of_one_kind(values: &[String]) -> bool {
    let kind = |value: &String| {
        let mut words = value.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        let is_short =
            value.len() <= MAX_FIGURE_BYTES && value.contains(|c: char| c.is_ascii_digit());
        is_short.then(|| words.next().map(str::to_lowercase))
    };
    let kinds: Vec<Option<String>> = values.iter().filter_map(kind).collect();
    let most = kinds.iter().map(|kind| kinds.iter().filter(|other| *other == kind).count()).max();
    values.len() > 1 && most.is_some_and(|most| most * 3 > values.len() * 2)
}

fn named_length(header: &[String], row: &[String]) -> usize {
    let names = row.iter().zip(header).filter(|(cell, _)| !cell.is_empty());
    names.map(|(cell, name)| cell.len() + name.len() + 4).sum()
}

fn named(header: &[String], row: &[String]) -> String {
    let mut line = String::new();
    for (index, cell) in row.iter().enumerate() {
        let cell = one_line(cell);
        if cell.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push_str("; ");
        }
        if let Some(name) = header.get(index).filter(|name| !name.is_empty()) {
            line.push_str(name);
            line.push_str(": ");
        }
        line.push_str(&cell);
    }
    line
}

fn joined(row: &[String]) -> String {
    let cells: Vec<String> = row.iter().map(|cell| one_line(cell)).collect();
    let mut line = String::new();
    for cell in cells.iter().filter(|cell| !cell.is_empty()) {
        // "Name:" names what stands beside it.
        match line.is_empty() {
            true => {}
            false if line.ends_with(':') => line.push(' '),
            false => line.push_str(" | "),
        }
        line.push_str(cell);
    }
    line
}

fn one_line(cell: &str) -> String {
    tidy(cell).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(header: &[&str], cells: &[&[&str]]) -> Vec<String> {
        let own = |row: &[&str]| row.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let table: Vec<Vec<String>> = cells.iter().map(|row| own(row)).collect();
        rows(&own(header), &table).into_iter().map(|raw| raw.text).collect()
    }

    #[test]
    fn rows_carry_their_header() {
        let found = texts(&["Leistung", "Gebühr:"], &[&["Auszug", "CHF 20"], &["Kopie", ""]]);
        assert_eq!(found, ["Leistung: Auszug; Gebühr: CHF 20", "Leistung: Kopie"]);
        assert_eq!(texts(&["", "2026"], &[&["Bus", "5"]]), ["Bus; 2026: 5"]);
    }

    #[test]
    fn without_a_header_cells_stand_side_by_side() {
        assert_eq!(texts(&[], &[&["a", "b"], &["", ""]]), ["a | b"]);
        assert_eq!(texts(&["a", "b"], &[]), ["a | b"]);
        assert_eq!(texts(&[], &[&["Name:", "Ann", "Age:", "5"]]), ["Name: Ann | Age: 5"]);
    }

    #[test]
    fn figures_of_one_kind_are_told_from_facts() {
        let are = |values: &[&str]| {
            are_of_one_kind(&values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>())
        };
        assert!(
            are(&["CHF 2", "CHF 3.50", "CHF 20 pro Jahr"]) && are(&["12", "13.5", "free", "9"])
        );
        assert!(!are(&["041 555 17 17", "Montag, 8 Uhr", "schriftlich, 14 Tage vorher"]));
        assert!(!are(&["5"]) && !are(&[]));
    }

    #[test]
    fn a_long_header_does_not_multiply() {
        let header = "x".repeat(100);
        let cells: Vec<&[&str]> = vec![&["y"]; 10_000];
        let total: usize = texts(&[&header], &cells).iter().map(String::len).sum();
        assert!(total < 100_000, "{total}");
    }
}
