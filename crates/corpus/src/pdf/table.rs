//! Tables: cells between drawn lines, or in columns that several lines share.

use super::line::Segment;
use super::sheet::{Area, Rule};
use crate::Language;
use crate::clean::tidy;
use crate::label::{MarkerKind, article, marker};

/// Rules that are so close, in points, meet or stand on one line.
pub(super) const NEAR: f32 = 2.5;

/// More rules are a drawing.
pub(super) const MAX_RULES: usize = 4000;

/// A row may stand so far, in heights of its font, below the one before.
const MAX_ROW_GAP: f32 = 3.0;

/// A table as it was found on a page.
#[derive(Debug)]
pub(super) struct Table {
    pub area: Area,
    /// Empty if no row names the columns.
    pub header: Vec<String>,
    pub rows: Vec<Row>,
}

/// One row: a text per column.
#[derive(Debug)]
pub(super) struct Row {
    pub cells: Vec<String>,
    pub area: Area,
    is_bold: bool,
}

impl Table {
    /// The table with its first row as header, if that names the columns.
    pub(super) fn new(area: Area, mut rows: Vec<Row>, has_header_rule: bool) -> Table {
        rows.retain(|row| row.cells.iter().any(|cell| !cell.is_empty()));
        let header = match rows.len() > 1 && (has_header_rule || names_columns(&rows)) {
            true => rows.remove(0).cells,
            false => Vec::new(),
        };
        Table { area, header, rows }
    }
}

fn names_columns(rows: &[Row]) -> bool {
    let (first, rest) = (&rows[0], &rows[1..]);
    let columns = first.cells.len();
    let filled = first.cells.iter().filter(|cell| !cell.is_empty()).count();
    let has_amount = first.cells.iter().any(|cell| is_amount(cell));
    if filled + 1 < columns || filled == 0 || has_amount {
        return false;
    }
    let is_set_off =
        first.is_bold && rest.iter().filter(|row| row.is_bold).count() * 2 <= rest.len();
    let amounts_below = (1..columns).any(|column| {
        let below = rest.iter().filter_map(|row| row.cells.get(column));
        let below: Vec<&String> = below.filter(|cell| !cell.is_empty()).collect();
        below.len() > 1 && below.iter().all(|cell| is_amount(cell))
    });
    let is_form = columns == 2 && first.cells[0].ends_with(':');
    !is_form && (is_set_off || amounts_below || columns > 2)
}

/// A number with what stands around it: "CHF 1'200.–", "12 %", "3,5".
fn is_amount(cell: &str) -> bool {
    let digits = cell.chars().filter(char::is_ascii_digit).count();
    let letters = cell.chars().filter(|c| c.is_alphabetic()).count();
    digits > 0 && letters <= digits.max(3)
}

/// Finds tables between drawn lines; their text leaves `segments`.
pub(super) fn ruled(segments: &mut Vec<Segment>, rules: &[Rule]) -> Vec<Table> {
    if rules.len() < 4 || rules.len() > MAX_RULES {
        return Vec::new();
    }
    let mut found = Vec::new();
    for grid in grids(rules) {
        let (inside, outside): (Vec<Segment>, Vec<Segment>) =
            std::mem::take(segments).into_iter().partition(|segment| {
                let middle = (segment.area.x0 + segment.area.x1) / 2.0;
                grid.area.holds(middle, segment.y - 0.3 * segment.size)
            });
        match grid.table(&inside) {
            Some(table) => {
                found.push(table);
                *segments = outside;
            }
            None => *segments = inside.into_iter().chain(outside).collect(),
        }
    }
    found
}

/// Drawn lines that hang together.
struct Grid {
    area: Area,
    /// Where columns and rows end, from left to right and from top to bottom.
    columns: Vec<f32>,
    rows: Vec<f32>,
    /// The lines between columns: where each stands, from top to bottom.
    uprights: Vec<Area>,
}

fn grids(rules: &[Rule]) -> Vec<Grid> {
    let mut groups: Vec<(Area, Vec<Rule>)> = Vec::new();
    for rule in rules {
        let wide = grown(rule.area);
        let (mut met, apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(area, members)| {
            area.meets(wide) && members.iter().any(|member| member.area.meets(wide))
        });
        groups = apart;
        let mut members = vec![*rule];
        members.extend(met.drain(..).flat_map(|(_, members)| members));
        let area = Area::all(members.iter().map(|member| member.area));
        groups.push((area, members));
    }
    groups.sort_by(|a, b| a.0.y0.total_cmp(&b.0.y0));
    let grids = groups.into_iter().map(|(area, members)| {
        let across = members.iter().filter(|rule| rule.is_across()).map(|rule| rule.area.y0);
        let down = members.iter().filter(|rule| !rule.is_across()).map(|rule| rule.area.x0);
        Grid {
            area: grown(area),
            columns: distinct(down.collect()),
            rows: distinct(across.collect()),
            uprights: members.iter().filter(|r| !r.is_across()).map(|r| r.area).collect(),
        }
    });
    // A box around a text has two sides and no column between them.
    grids.filter(|grid| grid.columns.len() >= 3 && grid.rows.len() >= 2).collect()
}

fn grown(area: Area) -> Area {
    Area { x0: area.x0 - NEAR, y0: area.y0 - NEAR, x1: area.x1 + NEAR, y1: area.y1 + NEAR }
}

fn distinct(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_by(f32::total_cmp);
    values.dedup_by(|a, b| (*a - *b).abs() < 2.0 * NEAR);
    values
}

impl Grid {
    fn table(&self, segments: &[Segment]) -> Option<Table> {
        let pieces: Vec<Segment> = segments.iter().flat_map(|s| self.split(s)).collect();
        let columns = self.columns.len() - 1;
        let mut rows: Vec<Vec<Vec<Segment>>> =
            (1..self.rows.len()).map(|_| vec![Vec::new(); columns]).collect();
        for piece in pieces {
            let foot = piece.y - 0.3 * piece.size;
            let row = interval(&self.rows, foot)?;
            let column = interval(&self.columns, piece.area.x0 + 0.3 * piece.size).unwrap_or(0);
            rows[row][column].push(piece);
        }
        if let Some(header) = self.header_of_groups(&rows) {
            let below = rows.split_off(2);
            let mut rows: Vec<Row> = below.into_iter().flat_map(band_rows).collect();
            rows.retain(|row| row.cells.iter().any(|cell| !cell.is_empty()));
            return Some(Table { area: self.area, header, rows });
        }
        let rows: Vec<Row> = rows.into_iter().flat_map(band_rows).collect();
        let filled =
            rows.iter().filter(|row| row.cells.iter().filter(|c| !c.is_empty()).count() > 1);
        let is_table = rows.len() > 1 && filled.count() * 2 >= rows.len();
        is_table.then(|| Table::new(self.area, rows, false))
    }

    /// The names of the columns, where the first row groups those that the second one names: a line
    /// between columns is missing in the first row and there in the second.
    fn header_of_groups(&self, bands: &[Vec<Vec<Segment>>]) -> Option<Vec<String>> {
        let [groups, names, below @ ..] = bands else { return None };
        let names: Vec<String> = names.iter().map(|cell| cell_text(cell)).collect();
        let mut header = Vec::new();
        let (mut has_group, mut reaches_down) = (false, false);
        for span in self.spans() {
            let cells: Vec<Segment> = groups[span.clone()].iter().flatten().cloned().collect();
            let group = cell_text(&cells);
            let is_group = span.len() > 1 && !group.is_empty();
            let named = span.clone().all(|at| !names[at].is_empty() && !is_amount(&names[at]));
            if is_group && !named || is_amount(&group) {
                return None;
            }
            has_group |= is_group;
            reaches_down |= span.len() == 1 && !group.is_empty() && names[span.start].is_empty();
            header.extend(span.map(|at| match (group.is_empty(), names[at].is_empty()) {
                (false, false) => format!("{group}, {}", names[at]),
                (false, true) => group.clone(),
                (true, _) => names[at].clone(),
            }));
        }
        let figures = below.iter().flatten().any(|cell| is_amount(&cell_text(cell)));
        let is_header = has_group && !below.is_empty() && (reaches_down || figures);
        (is_header && header.iter().filter(|name| name.is_empty()).count() < 2).then_some(header)
    }

    /// The columns of the first row that no line parts.
    fn spans(&self) -> Vec<std::ops::Range<usize>> {
        let middle = (self.rows[0] + self.rows[1]) / 2.0;
        let parted = |x: f32| {
            self.uprights.iter().any(|line| {
                (line.x0 - x).abs() < 2.0 * NEAR && line.y0 <= middle && middle <= line.y1
            })
        };
        let mut spans: Vec<std::ops::Range<usize>> = Vec::new();
        for column in 0..self.columns.len() - 1 {
            match spans.last_mut().filter(|_| !parted(self.columns[column])) {
                Some(span) => span.end = column + 1,
                None => spans.push(column..column + 1),
            }
        }
        spans
    }

    /// A segment cut where a column ends.
    fn split(&self, segment: &Segment) -> Vec<Segment> {
        let mut parts: Vec<Vec<super::line::Word>> = Vec::new();
        let mut column = usize::MAX;
        for word in &segment.words {
            let here = interval(&self.columns, (word.x0 + word.x1) / 2.0).unwrap_or(0);
            let crosses = self.columns.iter().any(|x| word.x0 < x - 1.0 && word.x1 > x + 1.0);
            if here != column && !crosses || parts.is_empty() {
                parts.push(Vec::new());
            }
            column = here;
            parts.last_mut().expect("just pushed").push(word.clone());
        }
        parts.into_iter().map(Segment::new).collect()
    }
}

/// Between which two of the sorted ends a place lies.
fn interval(ends: &[f32], at: f32) -> Option<usize> {
    let index = ends.partition_point(|end| *end <= at);
    (index > 0).then(|| (index - 1).min(ends.len().saturating_sub(2)))
}

/// The rows of a band between two lines: one, or one a line if all columns have the same lines.
fn band_rows(cells: Vec<Vec<Segment>>) -> Vec<Row> {
    let lines: Vec<usize> =
        cells.iter().filter(|cell| !cell.is_empty()).map(|cell| feet(cell).len()).collect();
    let count = lines.first().copied().unwrap_or(0);
    let is_even = lines.len() > 1 && count > 2 && lines.iter().all(|lines| *lines == count);
    if !is_even {
        return vec![row(cells)];
    }
    let heights = feet(&cells.iter().flatten().cloned().collect::<Vec<_>>());
    let on_line = |height: f32| {
        let cell = |cell: &Vec<Segment>| {
            let on = cell.iter().filter(|s| (s.y - height).abs() < 0.4 * s.size);
            on.cloned().collect::<Vec<Segment>>()
        };
        row(cells.iter().map(cell).collect())
    };
    heights.into_iter().map(on_line).collect()
}

fn feet(segments: &[Segment]) -> Vec<f32> {
    let mut feet: Vec<f32> = segments.iter().map(|segment| segment.y).collect();
    let size = segments.first().map_or(1.0, |segment| segment.size);
    feet.sort_by(f32::total_cmp);
    feet.dedup_by(|a, b| (*a - *b).abs() < 0.4 * size);
    feet
}

pub(super) fn row(cells: Vec<Vec<Segment>>) -> Row {
    let area = Area::all(cells.iter().flatten().map(|segment| segment.area));
    let mut segments = cells.iter().flatten();
    let is_bold = cells.iter().any(|cell| !cell.is_empty()) && segments.all(|s| s.is_bold);
    Row { cells: cells.into_iter().map(|cell| cell_text(&cell)).collect(), area, is_bold }
}

fn cell_text(segments: &[Segment]) -> String {
    let mut segments: Vec<&Segment> = segments.iter().collect();
    segments.sort_by(|a, b| {
        let same = (a.y - b.y).abs() < 0.4 * a.size;
        if same { a.area.x0.total_cmp(&b.area.x0) } else { a.y.total_cmp(&b.y) }
    });
    let mut text = String::new();
    for segment in segments {
        let part = tidy(&segment.reading(&[]));
        let divides = text.ends_with('-')
            && text[..text.len() - 1].ends_with(char::is_lowercase)
            && part.starts_with(char::is_lowercase);
        match divides {
            true => drop(text.pop()),
            false if !text.is_empty() => text.push(' '),
            false => {}
        }
        text.push_str(&part);
    }
    text
}

/// A line of a region: its segments from left to right.
pub(super) type Line = Vec<Segment>;

/// Parts of a region's lines.
pub(super) enum Part {
    Lines(Vec<Line>),
    Table(Table),
}

/// Finds tables among the lines of a region by columns that they share.
pub(super) fn aligned(lines: Vec<Line>, rules: &[Rule]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = lines;
    let mut plain: Vec<Line> = Vec::new();
    while !rest.is_empty() {
        let length = run_length(&rest);
        match length > 0 {
            true => {
                let after = rest.split_off(length);
                let run = std::mem::replace(&mut rest, after);
                match aligned_table(&run, rules) {
                    Some(table) => {
                        if !plain.is_empty() {
                            parts.push(Part::Lines(std::mem::take(&mut plain)));
                        }
                        parts.push(Part::Table(table));
                    }
                    None => plain.extend(run),
                }
            }
            false => {
                let count = rest.iter().take_while(|line| line.len() < 2).count().max(1);
                let after = rest.split_off(count);
                plain.extend(std::mem::replace(&mut rest, after));
            }
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Lines(plain));
    }
    parts
}

/// How many lines from the first on can be rows of one table.
fn run_length(lines: &[Line]) -> usize {
    if lines[0].len() < 2 {
        return 0;
    }
    let mut length = 1;
    for pair in lines.windows(2) {
        let (above, line) = (&pair[0], &pair[1]);
        let size = above[0].size.max(line[0].size);
        let is_close = line[0].y - above[0].y <= MAX_ROW_GAP * size;
        // A cell with a second line: it stands under a cell that is not the first.
        let left = lines[..length].iter().map(|row| row[0].area.x0).fold(f32::MAX, f32::min);
        let continues = line.len() == 1
            && line[0].y - above[0].y <= 1.5 * size
            && line[0].area.x0 > left + 2.0 * size;
        if !is_close || line.len() < 2 && !continues {
            break;
        }
        length += 1;
    }
    length
}

fn aligned_table(lines: &[Line], rules: &[Rule]) -> Option<Table> {
    let full = lines.iter().filter(|line| line.len() > 1).count();
    if full < 3 && !(full == 2 && lines[0].len() > 2) {
        return None;
    }
    let columns = columns(lines);
    if columns.len() < 2 || is_list(lines, &columns) {
        return None;
    }
    let mut rows: Vec<Vec<Vec<Segment>>> = Vec::new();
    for line in lines {
        let mut cells = vec![Vec::new(); columns.len()];
        for segment in line {
            let column = columns.partition_point(|(start, _)| *start <= segment.area.x0 + 0.1);
            cells[column.saturating_sub(1)].push(segment.clone());
        }
        let continues = cells[0].is_empty()
            && rows.last().is_some_and(|row: &Vec<Vec<Segment>>| {
                let foot = row.iter().flatten().map(|s| s.y).fold(f32::MIN, f32::max);
                line[0].y - foot < 1.45 * line[0].size
            });
        match rows.last_mut().filter(|_| continues) {
            Some(row) => row.iter_mut().zip(cells).for_each(|(cell, more)| cell.extend(more)),
            None => rows.push(cells),
        }
    }
    let rows: Vec<Row> = rows.into_iter().map(row).collect();
    if rows.len() < 2 || is_prose(&rows) {
        return None;
    }
    let area = Area::all(rows.iter().map(|row| row.area));
    let is_ruled = has_header_rule(&rows, rules);
    Some(Table::new(area, rows, is_ruled))
}

/// Where columns begin and end: stretches across the page that some segment covers.
pub(super) fn columns(lines: &[Line]) -> Vec<(f32, f32)> {
    let mut spans: Vec<(f32, f32)> =
        lines.iter().flatten().map(|segment| (segment.area.x0, segment.area.x1)).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut columns: Vec<(f32, f32)> = Vec::new();
    for (start, end) in spans {
        match columns.last_mut() {
            Some(last) if start < last.1 + 1.0 => last.1 = last.1.max(end),
            _ => columns.push((start, end)),
        }
    }
    columns
}

/// Lists, articles and contents are set in two columns but are no tables.
fn is_list(lines: &[Line], columns: &[(f32, f32)]) -> bool {
    let full: Vec<&Line> = lines.iter().filter(|line| line.len() > 1).collect();
    let firsts = full.iter().map(|line| line[0].text());
    let is_label = |text: &String| {
        let probe = format!("{text} x");
        let is_item = marker(&probe).is_some_and(|item| item.kind != MarkerKind::Paragraph);
        is_item
            || article(text, Language::En).is_some()
            || text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    };
    let labels = firsts.filter(is_label).count();
    let is_labelled = labels * 2 > full.len() && columns.len() == 2;
    is_labelled || is_contents(&full)
}

/// A table of contents: each line ends in a page number, none smaller than the one before.
fn is_contents(lines: &[&Line]) -> bool {
    let numbers: Vec<u32> = lines
        .iter()
        .filter_map(|line| line.last()?.text().trim_matches(['.', ' ']).parse().ok())
        .collect();
    let dotted = lines
        .iter()
        .filter(|line| line.iter().any(|s| s.text().contains(". . ") || s.text().contains("....")));
    let grows = numbers.windows(2).all(|pair| pair[0] <= pair[1]);
    let has_words = lines.iter().all(|line| {
        line[..line.len() - 1].iter().any(|part| part.text().contains(char::is_alphabetic))
    });
    dotted.count() * 2 > lines.len()
        || numbers.len() == lines.len() && numbers.len() >= 4 && grows && has_words
}

/// Lines of text with wide blanks are no table.
pub(super) fn is_prose(rows: &[Row]) -> bool {
    let cells: Vec<&String> =
        rows.iter().flat_map(|row| &row.cells).filter(|cell| !cell.is_empty()).collect();
    let letters: usize = cells.iter().map(|cell| cell.chars().count()).sum();
    let filled = rows.iter().filter(|row| row.cells.iter().filter(|c| !c.is_empty()).count() > 1);
    letters > 160 * cells.len() || filled.count() * 2 < rows.len()
}

/// Whether a line is drawn under the first row and under no other but the last.
fn has_header_rule(rows: &[Row], rules: &[Rule]) -> bool {
    let left = rows.iter().map(|row| row.area.x0).fold(f32::MAX, f32::min);
    let right = rows.iter().map(|row| row.area.x1).fold(f32::MIN, f32::max);
    let is_under = |pair: &[Row]| {
        rules.iter().any(|rule| {
            let y = rule.area.y0;
            rule.is_across()
                && rule.area.width() > 0.5 * (right - left)
                && rule.area.x0 < left + 0.5 * (right - left)
                && y > (pair[0].area.y0 + pair[0].area.y1) / 2.0
                && y < (pair[1].area.y0 + pair[1].area.y1) / 2.0
        })
    };
    let under: Vec<bool> = rows.windows(2).map(is_under).collect();
    under.first() == Some(&true) && under[1..].iter().filter(|is| **is).count() * 3 <= under.len()
}
