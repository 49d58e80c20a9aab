//! One sheet of a workbook: its cells as they are shown.

use std::collections::{BTreeSet, HashMap};

use super::number_format::{Epoch, NumberFormat};
use super::xlsx::{is_on, rich_text};
use crate::Unreadable;
use crate::sheet::{self, Budget, Cell, Hidden, Row, Sheet};
use crate::xml::Element;

/// Sheets of Excel have no more.
const MAX_ROWS: u32 = 1 << 20;
const MAX_COLUMNS: u32 = 1 << 14;

/// A text longer than this is not repeated in the rows that a merged cell spans.
const MAX_REPEATED_BYTES: usize = 120;
/// How many rows of merged cells are looked at in all.
const MAX_MERGE_STEPS: usize = 20_000_000;
/// What merged cells may add to a sheet.
const MAX_REPEATED_CELLS: usize = 100_000;

/// How the cells of a workbook look, by the number that they name.
pub(crate) struct Styles {
    pub looks: Vec<Look>,
    pub epoch: Epoch,
}

/// How a cell looks.
pub(crate) struct Look {
    pub format: NumberFormat,
    pub is_bold: bool,
}

/// An area "B2:D9", counted from 0, the last row and column included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub first_row: u32,
    pub first_column: u32,
    pub last_row: u32,
    pub last_column: u32,
}

/// Reads a sheet's cells; hidden rows and columns are not shown and not read.
pub(crate) fn read(
    root: Element,
    texts: &[String],
    styles: &Styles,
    headers: BTreeSet<u32>,
    budget: &mut Budget,
) -> Result<Sheet, Unreadable> {
    let mut sheet = Sheet { headers, ..Sheet::default() };
    sheet.headers.extend(said_headers(root));
    let hidden = hidden_columns(root);
    let reader = Reader { texts, styles };
    let rows = root.child("sheetData").into_iter().flat_map(Element::children);
    for (index, row) in rows.enumerate() {
        let written: Option<u32> = row.number("r");
        let number = written.map_or(index as u32, |number| number.saturating_sub(1));
        if number >= MAX_ROWS {
            break;
        }
        if row.attribute("hidden").is_some_and(is_on) {
            sheet.hidden.insert(number);
            continue;
        }
        let cells = reader.cells(row, &hidden, budget)?;
        sheet.rows.push(Row { number, cells });
    }
    sheet.rows.sort_by_key(|row| row.number);
    merge(&mut sheet, root);
    Ok(sheet)
}

/// Rows that a filter or a frozen pane marks as headers.
fn said_headers(root: Element) -> Vec<u32> {
    let mut found = Vec::new();
    let filter = root.child("autoFilter").and_then(|filter| filter.attribute("ref")).and_then(area);
    found.extend(filter.map(|area| area.first_row));
    let panes = root.descendants().take_while(|e| !e.is("sheetData")).filter(|e| e.is("pane"));
    for pane in
        panes.filter(|pane| pane.attribute("state").is_some_and(|s| s.starts_with("frozen")))
    {
        let rows: Option<f64> = pane.number("ySplit");
        found.extend(rows.filter(|rows| (1.0..100.0).contains(rows)).map(|rows| rows as u32 - 1));
    }
    found
}

fn hidden_columns(root: Element) -> Hidden {
    let columns = root.child("cols").into_iter().flat_map(Element::children);
    let runs = columns
        .filter(|column| column.attribute("hidden").is_some_and(is_on))
        .filter_map(|column| column.number("min").zip(column.number("max")))
        .map(|(min, max): (u32, u32)| (min.saturating_sub(1), max.saturating_sub(1)));
    Hidden::of(runs.collect())
}

struct Reader<'a> {
    texts: &'a [String],
    styles: &'a Styles,
}

impl Reader<'_> {
    fn cells(
        &self,
        row: Element,
        hidden: &Hidden,
        budget: &mut Budget,
    ) -> Result<Vec<Cell>, Unreadable> {
        let mut cells: Vec<Cell> = Vec::new();
        let mut next = 0;
        for cell in row.children().filter(|cell| cell.is("c")) {
            let column = cell.attribute("r").and_then(place).map_or(next, |(_, column)| column);
            next = column.saturating_add(1);
            if hidden.has(column) || column >= MAX_COLUMNS {
                continue;
            }
            if let Some((text, look)) = self.shown(cell).filter(|(text, _)| !text.trim().is_empty())
            {
                budget.take(&text, 1)?;
                cells.push(Cell { column, text, look, columns: 1 });
            }
        }
        cells.sort_by_key(|cell| cell.column);
        Ok(cells)
    }

    /// A cell's text and look.
    fn shown(&self, cell: Element) -> Option<(String, sheet::Look)> {
        let style: usize = cell.number("s").unwrap_or(0);
        let style = self.styles.looks.get(style);
        let is_bold = style.is_some_and(|look| look.is_bold);
        let look = if is_bold { sheet::Look::Bold } else { sheet::Look::Text };
        let hides_texts = style.is_some_and(|look| look.format.hides_texts);
        let value = || cell.child("v").map(Element::text);
        match cell.attribute("t").unwrap_or("n") {
            "s" | "inlineStr" | "str" if hides_texts => None,
            "s" => {
                let index: usize = value()?.trim().parse().ok()?;
                Some((self.texts.get(index)?.clone(), look))
            }
            "inlineStr" => Some((rich_text(cell.child("is")?), look)),
            "str" | "e" => Some((value()?, look)),
            "b" => {
                let text = if is_on(value()?.trim()) { "TRUE" } else { "FALSE" };
                Some((text.to_owned(), sheet::Look::Number))
            }
            "d" => Some((value()?, sheet::Look::Number)),
            _ => {
                let number = value()?;
                let text = match (number.trim().parse(), style) {
                    (Ok(number), Some(look)) => look.format.show(number, self.styles.epoch),
                    (Ok(number), None) => NumberFormat::built_in(0).show(number, self.styles.epoch),
                    _ => number,
                };
                Some((text, sheet::Look::Number))
            }
        }
    }
}

/// Marks what merged cells span, and repeats in the rows below what stands in the first.
fn merge(sheet: &mut Sheet, root: Element) {
    let merged = root.child("mergeCells").into_iter().flat_map(Element::children);
    let areas: Vec<Area> =
        merged.filter_map(|merge| merge.attribute("ref").and_then(area)).collect();
    let rows: HashMap<u32, usize> =
        sheet.rows.iter().enumerate().map(|(index, row)| (row.number, index)).collect();
    let mut left = MAX_REPEATED_CELLS;
    let mut steps = 0;
    for area in areas {
        if steps > MAX_MERGE_STEPS {
            break;
        }
        let Some(row) = rows.get(&area.first_row) else { continue };
        let cells = &mut sheet.rows[*row].cells;
        let Ok(at) = cells.binary_search_by_key(&area.first_column, |cell| cell.column) else {
            continue;
        };
        cells[at].columns = area.last_column - area.first_column + 1;
        let repeated = cells[at].clone();
        if repeated.text.len() > MAX_REPEATED_BYTES {
            continue;
        }
        for number in area.first_row + 1..=area.last_row.min(area.first_row + 1000) {
            steps += 1;
            let Some(row) = rows.get(&number).filter(|_| left > 0) else { continue };
            let cells = &mut sheet.rows[*row].cells;
            // Only where the row says something itself.
            if let (false, Err(at)) = (
                cells.is_empty(),
                cells.binary_search_by_key(&area.first_column, |cell| cell.column),
            ) {
                cells.insert(at, repeated.clone());
                left -= 1;
            }
        }
    }
}

/// "B7" as row and column, counted from 0.
fn place(name: &str) -> Option<(u32, u32)> {
    let name = name.trim_start_matches('$');
    let letters = name.bytes().take_while(u8::is_ascii_alphabetic).count();
    if letters == 0 || letters > 3 {
        return None;
    }
    let add = |sum: u32, byte: u8| sum * 26 + u32::from(byte.to_ascii_uppercase() - b'A') + 1;
    let column = name.bytes().take(letters).fold(0, add);
    let row: u32 = name[letters..].trim_start_matches('$').parse().ok()?;
    Some((row.checked_sub(1)?, column - 1))
}

/// "B2:D9", or one cell.
pub(crate) fn area(name: &str) -> Option<Area> {
    let (first, last) = name.split_once(':').unwrap_or((name, name));
    let ((first_row, first_column), (last_row, last_column)) = (place(first)?, place(last)?);
    let is_ordered = first_row <= last_row && first_column <= last_column;
    is_ordered.then_some(Area { first_row, first_column, last_row, last_column })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_areas() {
        assert_eq!(place("A1"), Some((0, 0)));
        assert_eq!(place("$XFD$1048576"), Some((1_048_575, 16_383)));
        for wrong in ["", "A", "1", "A0", "ABCD1", "A99999999999"] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
        assert_eq!(area("B2:D9").map(|area| area.last_column), Some(3));
        assert_eq!(area("D9:B2"), None);
    }
}
