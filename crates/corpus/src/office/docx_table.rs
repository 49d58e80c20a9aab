//! Tables of Word: rows, merged cells, and which row is the header.

use super::docx::{Reader, has};
use crate::frame::Frame;
use crate::raw::Raw;
use crate::table;
use crate::xml::Element;

/// Fill colours that do not set a cell off.
const NO_FILLS: [&str; 3] = ["auto", "FFFFFF", "ffffff"];

struct Row {
    cells: Vec<Cell>,
    is_header: bool,
}

struct Cell {
    column: usize,
    columns: usize,
    merge: Merge,
    blocks: Vec<Raw>,
    /// Bold or filled.
    stands_out: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merge {
    Alone,
    Begins,
    Continues,
}

/// The rows of a table as blocks.
pub(super) fn read<'a>(reader: &mut Reader<'a>, table: Element<'a>) -> Vec<Raw> {
    let mut rows = Vec::new();
    collect(reader, table, &mut rows);
    rows.retain(|row| row.cells.iter().any(|cell| cell.merge != Merge::Continues));
    let headers = header_rows(reader, table, &rows);
    let spans: Vec<Vec<usize>> = (0..rows.len()).map(|at| row_spans(&rows, at)).collect();
    let mut frame = Frame::default();
    for (index, (row, spans)) in rows.into_iter().zip(spans).enumerate() {
        frame.open_row();
        let mut column = 0;
        for (cell, span) in row.cells.into_iter().zip(spans) {
            if cell.merge != Merge::Continues {
                if cell.column > column && index == 0 {
                    frame.open_cell(cell.column - column, 1);
                    frame.close_cell(headers.contains(&index));
                }
                frame.open_cell(cell.columns, span);
                frame
                    .open_cell_blocks()
                    .into_iter()
                    .for_each(|blocks| blocks.extend_from_slice(&cell.blocks));
                frame.close_cell(headers.contains(&index));
            }
            column = cell.column + cell.columns;
        }
    }
    frame.finish()
}

/// Rows, also those in controls; deleted and hidden ones are gone.
fn collect<'a>(reader: &mut Reader<'a>, parent: Element<'a>, rows: &mut Vec<Row>) {
    for child in parent.children() {
        match child.name() {
            "tr" => {
                let properties = child.child("trPr");
                if has(properties, "hidden") || properties.is_some_and(|p| p.child("del").is_some())
                {
                    continue;
                }
                let before =
                    properties.and_then(|p| p.child("gridBefore")).and_then(|b| b.number("val"));
                let mut row = Row { cells: Vec::new(), is_header: has(properties, "tblHeader") };
                cells(reader, child, before.unwrap_or(0), &mut row.cells);
                rows.push(row);
            }
            "sdt" => child.child("sdtContent").into_iter().for_each(|c| collect(reader, c, rows)),
            "customXml" | "ins" | "moveTo" => collect(reader, child, rows),
            _ => {}
        }
    }
}

fn cells<'a>(
    reader: &mut Reader<'a>,
    parent: Element<'a>,
    before: usize,
    cells_found: &mut Vec<Cell>,
) {
    for child in parent.children() {
        let column = cells_found.last().map_or(before.min(64), |cell| cell.column + cell.columns);
        match child.name() {
            "tc" => cells_found.push(cell(reader, child, column)),
            "sdt" => {
                child
                    .child("sdtContent")
                    .into_iter()
                    .for_each(|c| cells(reader, c, column, cells_found));
            }
            "customXml" => cells(reader, child, column, cells_found),
            _ => {}
        }
    }
}

fn cell<'a>(reader: &mut Reader<'a>, element: Element<'a>, column: usize) -> Cell {
    let properties = element.child("tcPr");
    let columns = properties.and_then(|p| p.child("gridSpan")).and_then(|span| span.number("val"));
    let merge = match properties.and_then(|p| p.child("vMerge")) {
        None => Merge::Alone,
        Some(merge) if merge.attribute("val") == Some("restart") => Merge::Begins,
        Some(_) => Merge::Continues,
    };
    let fill = properties.and_then(|p| p.child("shd")).and_then(|shade| shade.attribute("fill"));
    let is_filled = fill.is_some_and(|fill| !NO_FILLS.contains(&fill));
    let is_deleted = properties.is_some_and(|p| p.child("cellDel").is_some());
    let blocks = if is_deleted { Vec::new() } else { reader.apart(element) };
    let is_bold =
        !blocks.is_empty() && blocks.iter().all(|raw| raw.lead >= raw.text.trim_end().len());
    let columns: usize = columns.unwrap_or(1).clamp(1, 64);
    Cell { column, columns, merge, blocks, stands_out: is_bold || is_filled }
}

/// For each cell of a row, how many rows it spans.
fn row_spans(rows: &[Row], at: usize) -> Vec<usize> {
    let span = |cell: &Cell| {
        let goes_on = |row: &&Row| {
            row.cells.iter().any(|c| c.column == cell.column && c.merge == Merge::Continues)
        };
        match cell.merge {
            Merge::Begins => 1 + rows[at + 1..].iter().take(1000).take_while(goes_on).count(),
            _ => 1,
        }
    };
    rows[at].cells.iter().map(span).collect()
}

/// The rows that name the columns: those that Word repeats on each page, else one that is set off,
/// else a first row of words over at least three columns.
fn header_rows(reader: &Reader, table: Element, rows: &[Row]) -> Vec<usize> {
    let said = rows.iter().take_while(|row| row.is_header).count();
    if said > 0 && said < rows.len() {
        return (0..said).collect();
    }
    let Some(first) = rows.iter().position(|row| row.cells.len() > 1) else { return Vec::new() };
    let (row, below) = (&rows[first], &rows[first + 1..]);
    let filled = |row: &Row| row.cells.iter().filter(|cell| !cell.blocks.is_empty()).count();
    let is_set_off = |row: &Row| {
        let mut cells = row.cells.iter().filter(|cell| !cell.blocks.is_empty());
        filled(row) > 1 && cells.all(|cell| cell.stands_out)
    };
    if below.is_empty() {
        return Vec::new();
    }
    let is_header = is_set_off(row) && !below.iter().all(is_set_off)
        || filled(row) > 1 && style_sets_off(reader, table)
        || reads_like_names(row, below);
    if !is_header {
        return Vec::new();
    }
    // A row of groups has the names of their columns below it.
    let spans = row.cells.iter().any(|cell| cell.columns > 1 || cell.merge == Merge::Begins);
    let is_second = spans
        && below.len() > 1
        && is_set_off(&below[0])
        && !is_set_off(&below[1])
        && is_set_off(row);
    if is_second { vec![first, first + 1] } else { vec![first] }
}

fn style_sets_off(reader: &Reader, table: Element) -> bool {
    let properties = table.child("tblPr");
    let style = properties.and_then(|p| p.child("tblStyle")).and_then(|s| s.attribute("val"));
    let look = properties.and_then(|p| p.child("tblLook"));
    let by_bits = look
        .and_then(|look| look.attribute("val"))
        .and_then(|bits| u32::from_str_radix(bits, 16).ok());
    let is_on = match look.and_then(|look| look.attribute("firstRow")) {
        Some(value) => matches!(value, "1" | "true" | "on"),
        None => by_bits.is_some_and(|bits| bits & 0x20 != 0),
    };
    is_on && style.is_some_and(|style| reader.styles.sets_first_row_off(style))
}

fn reads_like_names(row: &Row, below: &[Row]) -> bool {
    let text = |cell: &Cell| {
        let texts: Vec<&str> = cell.blocks.iter().map(|raw| raw.text.trim()).collect();
        texts.join(" ")
    };
    let mut seen = std::collections::HashSet::new();
    let is_name = |cell: &Cell| {
        let text = text(cell);
        text.len() <= 60
            && text.contains(char::is_alphabetic)
            && !text.ends_with(['.', ':', ';'])
            && !text.contains(|c: char| c.is_ascii_digit())
            && seen.insert(text)
    };
    // Two columns may be names and values; with figures of one kind below, the first names them.
    let values: Vec<String> = below
        .iter()
        .filter_map(|row| row.cells.last())
        .map(text)
        .filter(|t| !t.is_empty())
        .collect();
    let is_wide = row.cells.len() > 2 || row.cells.len() == 2 && table::are_of_one_kind(&values);
    is_wide && below.len() > 1 && row.cells.iter().all(is_name)
}
