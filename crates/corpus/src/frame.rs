//! Tables while they are read: cells, spans, headers, and whether it is a table at all.

use std::collections::HashSet;

use crate::BlockKind;
use crate::label::marker;
use crate::raw::Raw;
use crate::table;

const MAX_COLUMNS: usize = 100;
const MAX_ROW_SPAN: usize = 100;
const MAX_HEADER_ROWS: usize = 4;
/// A longer text is not repeated in the rows that a cell spans.
const MAX_CARRIED_BYTES: usize = 120;
/// A cell over so many columns of a row says the same of each of them.
const MAX_SHARED_COLUMNS: usize = 4;
/// A longer text names no column.
const MAX_NAME_BYTES: usize = 60;

#[derive(Default)]
struct Cell {
    blocks: Vec<Raw>,
    is_header: bool,
    columns: usize,
    rows: usize,
}

/// A table being read.
#[derive(Default)]
pub(crate) struct Frame {
    rows: Vec<Vec<Cell>>,
    in_cell: bool,
    /// Blocks outside of cells: the caption.
    outside: Vec<Raw>,
}

impl Frame {
    pub(crate) fn open_row(&mut self) {
        self.in_cell = false;
        self.rows.push(Vec::new());
    }

    pub(crate) fn open_cell(&mut self, columns: usize, rows: usize) {
        if self.rows.is_empty() {
            self.rows.push(Vec::new());
        }
        let (columns, rows) = (columns.clamp(1, MAX_COLUMNS), rows.clamp(1, MAX_ROW_SPAN));
        let row = self.rows.last_mut().expect("a row was just opened");
        row.push(Cell { columns, rows, ..Cell::default() });
        self.in_cell = true;
    }

    pub(crate) fn close_cell(&mut self, is_header: bool) {
        self.in_cell = false;
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut()) {
            cell.is_header = is_header;
        }
    }

    /// Where a block goes that is found now.
    pub(crate) fn open_cell_blocks(&mut self) -> Option<&mut Vec<Raw>> {
        let cell = match self.in_cell {
            true => self.rows.last_mut().and_then(|row| row.last_mut()),
            false => None,
        };
        Some(cell.map_or(&mut self.outside, |cell| &mut cell.blocks))
    }

    /// The table's blocks.
    pub(crate) fn finish(self) -> Vec<Raw> {
        let mut found = self.outside;
        if is_layout(&self.rows) {
            found.extend(self.rows.into_iter().flat_map(layout_row));
            return found;
        }
        let mut rows: Vec<Vec<Cell>> = self.rows;
        rows.retain(|row| !row.is_empty());
        let captions = rows.iter().take_while(|row| is_over_all(row)).count();
        if captions < rows.len() {
            found.extend(rows.drain(..captions).flatten().flat_map(|cell| cell.blocks));
        }
        let headers = rows.iter().take(MAX_HEADER_ROWS).take_while(|row| is_header(row)).count();
        let headers = if headers == rows.len() { headers.min(1) } else { headers };
        let is_said = rows.iter().flatten().any(|cell| cell.is_header);
        let headers = if is_said { headers } else { usize::from(names_columns(&rows)) };
        let headers = headers + usize::from(headers == 1 && has_groups(&rows));
        rows[..headers].iter_mut().flatten().for_each(|cell| cell.is_header = true);
        let is_bare: Vec<bool> = rows.iter().map(|row| is_over_all(row)).skip(headers).collect();
        let mut grid = grid(&rows);
        let header = joined_header(grid.drain(..headers).collect());
        if grid.is_empty() {
            found.extend(table::rows(&header, &grid));
        }
        let mut from = 0;
        for bare in is_bare.chunk_by(|above, below| above == below) {
            let rows = &grid[from..from + bare.len()];
            found.extend(table::rows(if bare[0] { &[] } else { &header }, rows));
            from += bare.len();
        }
        found
    }
}

/// One cell over several columns: a title over a table, or a heading between its rows.
fn is_over_all(row: &[Cell]) -> bool {
    matches!(row, [cell] if cell.columns > 1 && cell.rows == 1)
}

/// The names of the columns; a row of groups stands before the names below it.
fn joined_header(rows: Vec<Vec<String>>) -> Vec<String> {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let name = |column: usize| {
        let mut parts: Vec<&str> =
            rows.iter().filter_map(|row| row.get(column)).map(|text| text.trim()).collect();
        parts.retain(|part| !part.is_empty());
        parts.dedup();
        parts.join(", ")
    };
    (0..width).map(name).collect()
}

/// Whether the first row reads as names where the file does not say what it is: bold over what is
/// not, or three or more short names over rows; two over figures.
fn names_columns(rows: &[Vec<Cell>]) -> bool {
    let Some((first, below)) = rows.split_first().filter(|(_, below)| !below.is_empty()) else {
        return false;
    };
    let is_bold = |cell: &Cell| {
        let mut blocks = cell.blocks.iter();
        !cell.blocks.is_empty() && blocks.all(|raw| raw.lead >= raw.text.trim_end().len())
    };
    let alike = below.iter().filter(|row| row.len() == first.len()).count();
    if first.len() < 2 || alike * 2 < below.len() || !first.iter().all(is_name) {
        return false;
    }
    let mut seen = HashSet::new();
    let are_distinct = first.iter().all(|cell| seen.insert(cell_text(&cell.blocks)));
    let last = |row: &Vec<Cell>| row.last().map(|cell| cell_text(&cell.blocks));
    let values: Vec<String> = below.iter().filter_map(last).collect();
    let is_figure = |value: &String| value.contains(|c: char| c.is_ascii_digit());
    let are_figures = values.iter().all(is_figure) && table::are_of_one_kind(&values);
    let is_set_off = first.iter().all(is_bold) && !below.iter().all(|row| row.iter().all(is_bold));
    let reads = below.len() > 1 && (first.len() > 2 || are_figures);
    are_distinct && (is_set_off || reads)
}

/// A short text without figures and not the beginning or end of a sentence; a year may be one.
fn is_name(cell: &Cell) -> bool {
    let text = cell_text(&cell.blocks);
    let is_text = text.len() <= MAX_NAME_BYTES
        && text.contains(char::is_alphabetic)
        && !text.ends_with(['.', ':', ';'])
        && !text.contains(|c: char| c.is_ascii_digit());
    is_text || table::is_year(&text)
}

/// Whether the first row, a header, groups the columns that the second one names.
fn has_groups(rows: &[Vec<Cell>]) -> bool {
    let [groups, names, below, ..] = rows else { return false };
    let has_group = groups.len() > 1 && groups.iter().any(|cell| cell.columns > 1);
    let has_figure = |cell: &Cell| cell_text(&cell.blocks).contains(|c: char| c.is_ascii_digit());
    let reaches_down = groups.iter().any(|cell| cell.rows == 2);
    let is_of_names = names.len() > 1 && names.iter().all(is_name);
    has_group && is_of_names && (reaches_down || below.iter().any(has_figure))
}

fn is_header(row: &[Cell]) -> bool {
    // The corner above row names is often a plain cell.
    row.len() > 1 && row.iter().skip(1).all(|cell| cell.is_header)
        || row.iter().all(|cell| cell.is_header)
}

/// Whether a table only arranges a page: headings or several long blocks in a cell, or a list
/// written as marker and text.
fn is_layout(rows: &[Vec<Cell>]) -> bool {
    let mut cells = rows.iter().flatten();
    let has_header = rows.iter().flatten().any(|cell| cell.is_header);
    let arranges = |cell: &Cell| {
        let is_heading = |raw: &Raw| matches!(raw.kind, BlockKind::Heading { .. });
        let bytes: usize = cell.blocks.iter().map(|raw| raw.text.len()).sum();
        cell.blocks.iter().any(is_heading) || (cell.blocks.len() > 1 && bytes > 600)
    };
    let names_columns = rows.first().is_some_and(|row| row.len() > 1 && is_header(row));
    if !names_columns && cells.any(arranges) {
        return true;
    }
    if !has_header && rows.iter().all(|row| row.len() <= 1) {
        return true;
    }
    let is_point = |row: &Vec<Cell>| match row.as_slice() {
        [first, second] => is_marker(first) && !second.blocks.is_empty(),
        _ => false,
    };
    !has_header && !rows.is_empty() && rows.iter().filter(|row| !row.is_empty()).all(is_point)
}

fn is_marker(cell: &Cell) -> bool {
    match cell.blocks.as_slice() {
        [] => true,
        [raw] => {
            let text = raw.text.trim();
            text.len() <= 8 && (text == "—" || marker(&format!("{text} x")).is_some())
        }
        _ => false,
    }
}

/// A row of a table that only arranges: marker and text become a list item.
fn layout_row(mut row: Vec<Cell>) -> Vec<Raw> {
    if row.len() == 2 && is_marker(&row[0]) && !row[0].blocks.is_empty() {
        let first = row.remove(0);
        if let Some(raw) = row[0].blocks.first_mut() {
            let text = format!("{} {}", first.blocks[0].text.trim(), raw.text.trim_start());
            *raw = Raw::new(BlockKind::ListItem, text);
        }
    }
    row.into_iter().flat_map(|cell| cell.blocks).collect()
}

/// Cells in their columns; a cell that spans rows or a few columns is repeated.
fn grid(rows: &[Vec<Cell>]) -> Vec<Vec<String>> {
    let blocks = rows.iter().flatten().flat_map(|cell| &cell.blocks);
    let bytes: usize = blocks.map(|raw| raw.text.len()).sum();
    let mut carry = Carry { waiting: Vec::new(), budget_bytes: (4 << 10) + 8 * bytes };
    rows.iter().map(|row| carry.place(row)).collect()
}

/// What cells above give to the columns below them.
struct Carry {
    /// Per column: for how many more rows, and what.
    waiting: Vec<(usize, String)>,
    /// What may still be repeated, so that a small file does not become a large text.
    budget_bytes: usize,
}

impl Carry {
    fn place(&mut self, row: &[Cell]) -> Vec<String> {
        let mut line = Vec::new();
        let repeats = is_header(row);
        for cell in row {
            self.fill(&mut line);
            let is_shared = row.len() > 1 && cell.columns <= MAX_SHARED_COLUMNS;
            self.add(&mut line, cell, repeats || is_shared);
        }
        self.fill(&mut line);
        line
    }

    /// Columns that a cell above still covers.
    fn fill(&mut self, line: &mut Vec<String>) {
        while let Some((left, text)) = self.waiting.get_mut(line.len()).filter(|(n, _)| *n > 0) {
            *left -= 1;
            let cost = text.len() + size_of::<String>();
            line.push(text.clone());
            match self.budget_bytes.checked_sub(cost) {
                Some(rest) => self.budget_bytes = rest,
                None => self.waiting.clear(),
            }
        }
    }

    fn add(&mut self, line: &mut Vec<String>, cell: &Cell, repeats: bool) {
        let text = cell_text(&cell.blocks);
        let short = if text.len() <= MAX_CARRIED_BYTES { text.clone() } else { String::new() };
        let column = line.len();
        let cost = cell.columns * (short.len() + 2 * size_of::<(usize, String)>());
        let is_affordable = cost <= self.budget_bytes;
        let columns = if is_affordable { cell.columns } else { 1 };
        line.push(text);
        for _ in 1..columns {
            line.push(if repeats { short.clone() } else { String::new() });
        }
        if columns > 1 {
            self.budget_bytes -= cost;
        }
        if cell.rows > 1 && is_affordable && column + columns <= MAX_COLUMNS {
            self.waiting.resize(self.waiting.len().max(column + columns), (0, String::new()));
            for (offset, slot) in self.waiting[column..column + columns].iter_mut().enumerate() {
                let kept = if offset == 0 || repeats { short.clone() } else { String::new() };
                *slot = (cell.rows - 1, kept);
            }
        }
    }
}

/// The blocks of a cell in one line; rows of a table in it are kept apart.
fn cell_text(blocks: &[Raw]) -> String {
    let mut text = String::new();
    for raw in blocks {
        if !text.is_empty() {
            let is_row = raw.kind == BlockKind::TableRow;
            text.push_str(if is_row { "; " } else { " " });
        }
        text.push_str(raw.text.trim());
    }
    text
}
