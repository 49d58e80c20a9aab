//! Rows of cells with a sign between them: CSV, TSV and their dialects.

use csv::{ReaderBuilder, Trim};

use crate::Unreadable;
use crate::clean::decode;
use crate::found::Found;
use crate::sheet::{Budget, Cell, FirstRow, Look, Row, Sheet};

/// The signs that may stand between cells, the likelier first.
const SIGNS: [u8; 4] = *b",;\t|";

/// How much of a file decides which sign it is.
const PROBE_BYTES: usize = 64 << 10;
const PROBE_ROWS: usize = 100;

/// Reads rows of cells.
pub(crate) fn read(bytes: &[u8]) -> Result<Found, Unreadable> {
    let text = decode(bytes)?;
    let (sign, body) = match declared_sign(&text) {
        Some(declared) => declared,
        None => (likely_sign(&text), text.as_str()),
    };
    let rows = rows(body, sign, &mut Budget::default())?;
    let sheet = Sheet { rows, first_row: FirstRow::Names, ..Sheet::default() };
    Ok(Found::of(sheet.blocks()))
}

/// Excel's first line "sep=;".
fn declared_sign(text: &str) -> Option<(u8, &str)> {
    let (first, rest) = text.split_once('\n')?;
    let sign = first.strip_prefix("sep=").or(first.strip_prefix("SEP="))?;
    (sign.len() == 1).then(|| (sign.as_bytes()[0], rest))
}

/// The sign that gives the most rows the same number of cells.
fn likely_sign(text: &str) -> u8 {
    let probe = &text[..text.floor_char_boundary(PROBE_BYTES.min(text.len()))];
    let score = |sign: &u8| {
        let mut counts = std::collections::BTreeMap::new();
        let rows = rows(probe, *sign, &mut Budget::default()).unwrap_or_default();
        for row in rows.iter().take(PROBE_ROWS) {
            let cells = row.cells.last().map_or(0, |cell| cell.column + 1);
            *counts.entry(cells).or_insert(0_usize) += 1;
        }
        let alike = counts.iter().filter(|(cells, _)| **cells > 1).max_by_key(|(_, n)| **n);
        alike.map_or((0, 0), |(cells, rows)| (*rows, *cells))
    };
    let best = SIGNS.iter().rev().max_by_key(|sign| score(sign));
    best.copied().unwrap_or(b',')
}

fn rows(text: &str, sign: u8, budget: &mut Budget) -> Result<Vec<Row>, Unreadable> {
    let mut reader = ReaderBuilder::new()
        .delimiter(sign)
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let mut rows: Vec<Row> = Vec::new();
    for record in reader.records() {
        // The text is UTF-8 and rows may have any length: nothing else can fail.
        let Ok(record) = record else { break };
        let cell = |(column, text): (usize, &str)| Cell {
            column: column as u32,
            text: text.to_owned(),
            look: if is_number(text) { Look::Number } else { Look::Text },
            columns: 1,
        };
        let texts = record.iter().enumerate().filter(|(_, text)| !text.is_empty());
        let mut cells = Vec::new();
        budget.take("", 1)?;
        for (column, text) in texts {
            budget.take(text, 1)?;
            cells.push(cell((column, text)));
        }
        cells.shrink_to_fit();
        rows.push(Row { number: rows.len() as u32, cells });
    }
    Ok(rows)
}

/// "12", "1'234.50", "12.03.2026", "15 %", "CHF 20".
fn is_number(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    digits > 0 && letters <= 3 && digits + letters + 6 >= text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        read(bytes).unwrap().raws.into_iter().map(|raw| raw.text).collect()
    }

    #[test]
    fn dialects_are_told_apart() {
        let expected = ["Name: Müller, A.; Betrag: 12,50", "Name: Zoë; Betrag: 3,00"];
        assert_eq!(texts("Name;Betrag\nMüller, A.;12,50\nZoë;3,00\n".as_bytes()), expected);
        assert_eq!(
            texts("Name,Betrag\n\"Müller, A.\",\"12,50\"\nZoë,\"3,00\"".as_bytes()),
            expected
        );
        assert_eq!(texts("Name\tBetrag\r\nMüller, A.\t12,50\r\nZoë\t3,00".as_bytes()), expected);
        assert_eq!(texts("sep=|\nName|Betrag\nMüller, A.|12,50\nZoë|3,00".as_bytes()), expected);
    }

    #[test]
    fn encodings_are_told_apart() {
        assert_eq!(texts(b"Ort;Zahl\nZ\xfcrich;5"), ["Ort: Zürich; Zahl: 5"]);
        let wide: Vec<u8> =
            "\u{feff}Ort\tZahl\nZürich\t5".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(texts(&wide), ["Ort: Zürich; Zahl: 5"]);
    }

    #[test]
    fn other_code_pages_are_refused_and_not_misread() {
        // "Jürg;Zürich" in the code page of DOS.
        assert!(matches!(read(b"Name;Ort\nJ\x81rg;Z\x81rich"), Err(Unreadable::NotUtf8 { .. })));
    }

    #[test]
    fn years_name_columns_beside_a_name() {
        assert_eq!(texts(b"Ort;2024;2025\nBern;1;2"), ["Ort: Bern; 2024: 1; 2025: 2"]);
        assert_eq!(texts(b"Jahr;Zahl\n2024;7"), ["Jahr: 2024; Zahl: 7"]);
        assert_eq!(texts(b"a;2024\nb;2025"), ["a | 2024", "b | 2025"]);
    }

    #[test]
    fn without_a_header_cells_stand_side_by_side() {
        assert_eq!(texts(b"1,2\n3,4"), ["1 | 2", "3 | 4"]);
        assert_eq!(texts(b"a \"b,c\nd,\"e\nf\""), ["a \"b: d; c: e f"]);
        assert!(texts(b"").is_empty());
    }
}
