//! A sheet of cells: where its tables begin, which row names the columns, and its rows as blocks
//! that can be understood alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::clean::tidy;
use crate::raw::Raw;
use crate::table;
use crate::{BlockKind, Unreadable};

/// A header is looked for in so many rows at the top of a table.
const HEADER_ROWS: usize = 12;
/// So many rows are looked at to tell a header from what it names.
const SAMPLE_ROWS: usize = 200;
/// A cell over so many columns of a row says the same of each of them.
const MAX_SHARED_COLUMNS: u32 = 4;
/// A longer text names no column.
const MAX_NAME_BYTES: usize = 160;
/// What all cells of a workbook may come to, and what each costs beside its text.
const MAX_CELL_BYTES: usize = 256 << 20;
const CELL_BYTES: usize = 32;

/// A cell with something in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    pub column: u32,
    /// As it is shown.
    pub text: String,
    pub look: Look,
    /// How many columns it spans.
    pub columns: u32,
}

/// Columns that are not shown.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    /// First and last of each run, in order, apart from one another.
    runs: Vec<(u32, u32)>,
}

impl Hidden {
    /// Runs of columns, the last one of each included.
    pub(crate) fn of(mut runs: Vec<(u32, u32)>) -> Hidden {
        runs.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (first, last) in runs {
            match merged.last_mut().filter(|before| first <= before.1.saturating_add(1)) {
                Some(before) => before.1 = before.1.max(last),
                None => merged.push((first, last)),
            }
        }
        Hidden { runs: merged }
    }

    pub(crate) fn has(&self, column: u32) -> bool {
        let after = self.runs.partition_point(|(first, _)| *first <= column);
        after.checked_sub(1).is_some_and(|at| column <= self.runs[at].1)
    }
}

/// What the cells of a workbook may come to: many may name one text that stands in the file once,
/// or one may say that it is repeated, so a small file could stand for any amount.
#[derive(Debug)]
pub(crate) struct Budget {
    left_bytes: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { left_bytes: MAX_CELL_BYTES }
    }
}

impl Budget {
    /// Takes a cell that stands so many times from what is left.
    pub(crate) fn take(&mut self, text: &str, times: usize) -> Result<(), Unreadable> {
        let bytes = (text.len() + CELL_BYTES).saturating_mul(times);
        let left = self.left_bytes.checked_sub(bytes);
        self.left_bytes = left.ok_or(Unreadable::Expands { limit: MAX_CELL_BYTES as u64 })?;
        Ok(())
    }
}

/// What a cell looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Look {
    #[default]
    Text,
    Bold,
    /// A number, a date or a truth value.
    Number,
}

/// A row with something in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// Counted from 0.
    pub number: u32,
    /// In the order of their columns.
    pub cells: Vec<Cell>,
}

/// A sheet that was read.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    pub rows: Vec<Row>,
    /// Rows that the file itself calls headers: of tables, filters and frozen panes.
    pub headers: BTreeSet<u32>,
    /// Rows that are not shown; they leave no gap.
    pub hidden: BTreeSet<u32>,
    /// Whether the first row is a header unless something speaks against it, as in CSV.
    pub first_row: FirstRow,
}

/// What the format says about first rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum FirstRow {
    /// Nothing: sheets may begin with anything.
    #[default]
    Anything,
    /// It names the columns by custom.
    Names,
}

/// The names of the columns.
type Names = BTreeMap<u32, String>;

impl Sheet {
    /// The blocks of the sheet.
    pub(crate) fn blocks(mut self) -> Vec<Raw> {
        for row in &mut self.rows {
            row.cells.retain(|cell| !cell.text.trim().is_empty());
        }
        self.rows.retain(|row| !row.cells.is_empty());
        let mut found = Vec::new();
        let mut names = Names::new();
        let touches = |above: &Row, below: &Row| {
            let between = above.number + 1..below.number.max(above.number + 1);
            between.is_empty() || self.hidden.range(between.clone()).count() == between.len()
        };
        for region in self.rows.chunk_by(touches) {
            self.region(region, &mut names, &mut found);
        }
        found
    }

    /// A part of the sheet between blank rows.
    fn region(&self, rows: &[Row], names: &mut Names, found: &mut Vec<Raw>) {
        match self.header(rows) {
            Some(at) => {
                found.extend(rows[..at].iter().map(line));
                *names = columns(rows, at);
                let header: Vec<String> = names.values().cloned().collect();
                if at + 1 == rows.len() {
                    found.extend(table::rows(&header, &[]));
                }
                found.extend(named(&rows[at + 1..], names));
            }
            None if continues(rows, names) => found.extend(named(rows, names)),
            None => found.extend(rows.iter().map(line)),
        }
    }

    /// The row of a region that names its columns.
    fn header(&self, rows: &[Row]) -> Option<usize> {
        let said = rows.iter().position(|row| self.headers.contains(&row.number));
        if let Some(at) = said.filter(|at| rows[*at].cells.len() > 1) {
            return Some(self.below_groups(rows, at));
        }
        let width = rows.iter().take(SAMPLE_ROWS).map(|row| row.cells.len()).max()?;
        if width < 2 {
            return None;
        }
        let is_wide = |row: &Row| {
            let spanned: u32 = row.cells.iter().map(|cell| cell.columns.max(1)).sum();
            row.cells.len() > 1 && (row.cells.len() * 10 >= width * 6 || spanned as usize >= width)
        };
        let top = &rows[..rows.len().min(HEADER_ROWS)];
        let at = top.iter().position(is_wide)?;
        let groups = at.checked_sub(1).map(|above| &rows[above]).filter(|row| is_grouped(row));
        let groups = groups.map(spread).unwrap_or_default();
        if self.is_header(&rows[at], &rows[at + 1..], width, &groups) {
            return Some(self.below_groups(rows, at));
        }
        // Names may repeat under the groups of a first row that names nothing alone.
        (self.below_groups(rows, at) > at).then_some(at + 1)
    }

    /// The row that names the columns of the groups in `at`; `at` itself if it groups none.
    fn below_groups(&self, rows: &[Row], at: usize) -> usize {
        let [groups, names, below @ ..] = &rows[at..] else { return at };
        let is_number = |cell: &Cell| cell.look == Look::Number;
        let is_figure = |cell: &Cell| {
            let digits = cell.text.contains(|c: char| c.is_ascii_digit());
            is_number(cell) || digits && !table::is_year(&cell.text)
        };
        if !is_grouped(groups) || groups.cells.len() < 2 || below.is_empty() {
            return at;
        }
        let spanned = groups.cells.iter().filter(|group| group.columns > 1);
        let under = |group: &Cell| {
            let columns = group.column..group.column.saturating_add(group.columns);
            names.cells.iter().filter(|cell| columns.contains(&cell.column)).count() > 1
        };
        let reaches_down = groups.cells.iter().any(|group| {
            let same = |cell: &Cell| cell.column == group.column && cell.text == group.text;
            group.columns < 2 && names.cells.iter().any(same)
        });
        let is_bold = |row: &Row| row.cells.iter().all(|cell| cell.look == Look::Bold);
        let stands_out = is_bold(groups) && is_bold(names) && !below.iter().all(is_bold);
        let has_figures = below.iter().flat_map(|row| &row.cells).any(is_number);
        let names_all = spanned.into_iter().all(under) && !names.cells.iter().any(is_figure);
        let width = names.cells.len();
        let is_second = names_all
            && (stands_out || reaches_down || has_figures)
            && self.is_header(names, below, width, &spread(groups));
        if is_second { at + 1 } else { at }
    }

    /// Whether a row names the columns; names may be alike under the different `groups` above it.
    fn is_header(&self, row: &Row, below: &[Row], width: usize, groups: &Names) -> bool {
        let below = &below[..below.len().min(SAMPLE_ROWS)];
        let mut texts = BTreeSet::new();
        let is_name = |cell: &Cell| {
            cell.look != Look::Number
                && cell.text.len() <= MAX_NAME_BYTES
                && cell.text.contains(char::is_alphabetic)
        };
        // Years may name columns beside a name, but not where they are what is counted.
        let has_years_below =
            below.iter().flat_map(|row| &row.cells).any(|c| table::is_year(&c.text));
        let may_be_year = row.cells.first().is_some_and(is_name) && !has_years_below;
        let is_name = |cell: &Cell| is_name(cell) || may_be_year && table::is_year(&cell.text);
        let are_names = row
            .cells
            .iter()
            .all(|cell| is_name(cell) && texts.insert((groups.get(&cell.column), &cell.text)));
        if !are_names || below.is_empty() {
            return false;
        }
        let is_bold = |row: &Row| row.cells.iter().all(|cell| cell.look == Look::Bold);
        let stands_out = is_bold(row) && !below.iter().all(is_bold);
        let numbers = row.cells.iter().filter(|name| {
            let in_column = |row: &&Row| row.cells.iter().any(|cell| cell.column == name.column);
            let is_number = |row: &&Row| {
                row.cells.iter().any(|c| c.column == name.column && c.look == Look::Number)
            };
            let filled = below.iter().filter(in_column).count();
            filled > 0 && below.iter().filter(is_number).count() * 2 > filled
        });
        let repeats = row.cells.iter().any(|name| {
            let same = |cell: &Cell| cell.column == name.column && cell.text == name.text;
            below.iter().any(|row| row.cells.iter().any(same))
        });
        stands_out
            || numbers.count() > 0 && !repeats
            || self.first_row == FirstRow::Names && !repeats
            || width > 2 && below.len() > 1 && !repeats
    }
}

/// The names of the columns: the header row's, and before them those of a row of groups above it.
fn columns(rows: &[Row], at: usize) -> Names {
    let mut names: Names = spread(&rows[at]);
    let above = at.checked_sub(1).map(|above| &rows[above]);
    if let Some(groups) = above.filter(|row| row.cells.len() > 1 && is_grouped(row)) {
        let groups = spread(groups);
        for (column, name) in &mut names {
            if let Some(group) = groups.get(column).filter(|group| *group != name) {
                *name = table::column_name(&format!("{group}, {name}"));
            }
        }
    }
    names
}

fn is_grouped(row: &Row) -> bool {
    row.cells.iter().any(|cell| cell.columns > 1)
}

/// A row's texts by column; a cell that spans columns names each of them.
fn spread(row: &Row) -> Names {
    let columns = |cell: &Cell| cell.column..cell.column.saturating_add(cell.columns.clamp(1, 64));
    let named = row.cells.iter().flat_map(|cell| {
        let name = table::column_name(&cell.text);
        columns(cell).map(move |column| (column, name.clone()))
    });
    named.collect()
}

/// Whether rows after a blank one go on with the table above.
fn continues(rows: &[Row], names: &Names) -> bool {
    let fits = |row: &Row| {
        row.cells.len() > 1 && row.cells.iter().all(|cell| names.contains_key(&cell.column))
    };
    let has_number = |row: &Row| row.cells.iter().any(|cell| cell.look == Look::Number);
    names.len() > 2 && rows.iter().all(fits) && rows.iter().any(has_number)
}

/// A row on its own: a line of text, or cells side by side.
fn line(row: &Row) -> Raw {
    let cells: Vec<String> = row.cells.iter().map(|cell| one_line(&cell.text)).collect();
    match cells.as_slice() {
        [only] => Raw::new(BlockKind::Paragraph, only.clone()),
        cells => Raw::new(BlockKind::TableRow, cells.join(" | ")),
    }
}

/// Rows with the names of their columns; without them where they would multiply the text.
fn named(rows: &[Row], names: &Names) -> Vec<Raw> {
    let cells = || rows.iter().flat_map(|row| &row.cells);
    let plain_bytes: usize = cells().map(|cell| cell.text.len() + 3).sum();
    let name_bytes = |cell: &Cell| names.get(&cell.column).map_or(0, |name| name.len() + 4);
    let named_bytes: usize = cells().map(|cell| cell.text.len() + name_bytes(cell)).sum();
    if !table::is_affordable(plain_bytes, named_bytes) {
        return rows.iter().map(line).collect();
    }
    rows.iter().map(|row| named_row(row, names)).collect()
}

fn named_row(row: &Row, names: &Names) -> Raw {
    // One cell over the whole width is a heading between rows.
    if let [only] = row.cells.as_slice()
        && only.columns as usize >= names.len().max(2)
    {
        return line(row);
    }
    let named = |cell: &Cell, column: u32| match names.get(&column) {
        Some(name) if !name.is_empty() => format!("{name}: {}", one_line(&cell.text)),
        _ => one_line(&cell.text),
    };
    let cells = row.cells.iter().flat_map(|cell| {
        let columns = if cell.columns <= MAX_SHARED_COLUMNS { cell.columns.max(1) } else { 1 };
        let last = cell.column.saturating_add(columns - 1);
        let others = names.range(cell.column + 1..=last.max(cell.column + 1));
        let others = others.filter(move |(column, _)| **column <= last).map(|(column, _)| *column);
        std::iter::once(cell.column).chain(others).map(move |column| named(cell, column))
    });
    Raw::new(BlockKind::TableRow, cells.collect::<Vec<_>>().join("; "))
}

fn one_line(text: &str) -> String {
    tidy(text).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of cells between `|`; `*` makes one bold, digits make it a number, an empty row is
    /// blank, `>` lets a cell span to the right.
    fn sheet(rows: &[&str]) -> Sheet {
        let cell = |(column, text): (usize, &str)| {
            let bare = text.trim_matches(['*', '>', ' ']);
            let look = match () {
                _ if text.contains('*') => Look::Bold,
                _ if bare.parse::<f64>().is_ok() => Look::Number,
                _ => Look::Text,
            };
            let columns = 1 + text.matches('>').count() as u32;
            Cell { column: column as u32, text: bare.to_owned(), look, columns }
        };
        let row = |(number, text): (usize, &&str)| Row {
            number: number as u32,
            cells: text.split('|').enumerate().map(cell).collect(),
        };
        Sheet { rows: rows.iter().enumerate().map(row).collect(), ..Sheet::default() }
    }

    fn texts(rows: &[&str]) -> Vec<String> {
        sheet(rows).blocks().into_iter().map(|raw| raw.text).collect()
    }

    #[test]
    fn a_header_below_a_title_names_the_columns() {
        let found = texts(&["Preise 2026", "", "Ware|Menge|Preis", "Salz|2|3.50", "Öl||9"]);
        assert_eq!(
            found,
            ["Preise 2026", "Ware: Salz; Menge: 2; Preis: 3.50", "Ware: Öl; Preis: 9"]
        );
    }

    #[test]
    fn names_and_values_side_by_side_are_no_table() {
        let found = texts(&["Kunde|Muster AG", "Ort|Bern"]);
        assert_eq!(found, ["Kunde | Muster AG", "Ort | Bern"]);
        let found = texts(&["*Name|*Ort", "Muster|Bern"]);
        assert_eq!(found, ["Name: Muster; Ort: Bern"]);
    }

    #[test]
    fn groups_stand_before_their_columns() {
        let found = texts(&["|*2025>||*2026>", "*Konto|*Soll|*Haben|*Soll.|*Haben.", "A|1|2|3|4"]);
        assert_eq!(
            found[1],
            "Konto: A; 2025, Soll: 1; 2025, Haben: 2; 2026, Soll.: 3; 2026, Haben.: 4"
        );
    }

    #[test]
    fn groups_over_names_are_two_rows_of_header() {
        let names = ["Dienst|*Private>||*Firmen>", "Dienst|Normal|Express|Normal|Express"];
        let found = texts(&[names[0], names[1], "Auszug|20|30|40|70"]);
        assert_eq!(
            found[1..],
            ["Dienst: Auszug; Private, Normal: 20; Private, Express: 30; Firmen, Normal: 40; \
              Firmen, Express: 70"]
        );
        // A row of data under a name of two columns stays data.
        let found = texts(&["*Ort|*Zeiten>|", "Bern|Montag|8 Uhr", "Thun|Freitag|9 Uhr"]);
        assert_eq!(found[0], "Ort: Bern; Zeiten: Montag; Zeiten: 8 Uhr");
    }

    #[test]
    fn a_table_goes_on_after_a_blank_row() {
        let found = texts(&["a|b|c", "x|y|1", "z|y|2", "", "u|v|3", "", "Total"]);
        assert_eq!(found[2..], ["a: u; b: v; c: 3", "Total"]);
    }
}
