//! Tables drawn with signs: grids (`+---+`) and rows between lines of `=`.

use std::collections::BTreeSet;

use super::Reader;
use crate::Unreadable;
use crate::frame::Frame;

/// Grids are searched for their cells; larger ones stay text.
const MAX_AREA: usize = 400_000;
const MAX_STEPS: usize = 20_000_000;

/// A cell of a grid: the rows and columns of its corners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Corners {
    top: usize,
    left: usize,
    bottom: usize,
    right: usize,
}

impl Reader {
    /// Reads a table; says how many lines it took.
    pub(super) fn table(
        &mut self,
        lines: &[String],
        number: usize,
    ) -> Result<Option<usize>, Unreadable> {
        if super::is_grid(&lines[0]) {
            let taken = lines.iter().take_while(|line| line.starts_with(['+', '|'])).count();
            return Ok(match self.grid(&lines[..taken], number)? {
                true => Some(taken),
                false => None,
            });
        }
        match columns(&lines[0]) {
            Some(columns) => self.simple(lines, &columns, number),
            None => Ok(None),
        }
    }

    fn grid(&mut self, lines: &[String], number: usize) -> Result<bool, Unreadable> {
        let Some(mut grid) = Grid::new(lines) else { return Ok(false) };
        let Some(cells) = grid.cells() else { return Ok(false) };
        let tops: BTreeSet<usize> = cells.iter().map(|cell| cell.top).collect();
        let lefts: BTreeSet<usize> = cells.iter().map(|cell| cell.left).collect();
        let mut frame = Frame::default();
        for top in &tops {
            frame.open_row();
            for cell in cells.iter().filter(|cell| cell.top == *top) {
                let rows = tops.range(cell.top..cell.bottom).count();
                let columns = lefts.range(cell.left..cell.right).count();
                self.cell(&mut frame, &grid.text(cell), number, (columns, rows))?;
                frame.close_cell(grid.header.is_some_and(|header| cell.bottom <= header));
            }
        }
        self.found.extend(frame.finish());
        Ok(true)
    }

    /// A table between lines of `=`; a first column that is blank goes on with the row above.
    fn simple(
        &mut self,
        lines: &[String],
        columns: &[usize],
        number: usize,
    ) -> Result<Option<usize>, Unreadable> {
        let border = |line: &&String| self::columns(line).is_some();
        let borders: Vec<usize> =
            (0..lines.len()).filter(|at| border(&&lines[*at])).take(3).collect();
        let is_blank_after =
            |at: usize| lines.get(at + 1).is_none_or(|line| line.trim().is_empty());
        let (header, end) = match borders.as_slice() {
            [_, end] => (0, *end),
            [_, second, _] if is_blank_after(*second) => (0, *second),
            [_, second, end] => (*second, *end),
            _ => return Ok(None),
        };
        let mut frame = Frame::default();
        let mut row: Vec<Vec<String>> = Vec::new();
        for (at, line) in lines.iter().enumerate().take(end).skip(1) {
            let is_rule =
                line.chars().all(|c| matches!(c, '=' | '-' | ' ')) && !line.trim().is_empty();
            let cells = cut(line, columns);
            let begins = cells.first().is_some_and(|cell| !cell.is_empty());
            if is_rule || begins {
                self.row(&mut frame, &mut row, number, at <= header)?;
            }
            if is_rule {
                continue;
            }
            row.resize(columns.len(), Vec::new());
            for (cell, text) in row.iter_mut().zip(cells) {
                cell.push(text);
            }
        }
        self.row(&mut frame, &mut row, number, end <= header)?;
        self.found.extend(frame.finish());
        Ok(Some(end + 1))
    }

    fn row(
        &mut self,
        frame: &mut Frame,
        row: &mut Vec<Vec<String>>,
        number: usize,
        is_header: bool,
    ) -> Result<(), Unreadable> {
        if row.is_empty() {
            return Ok(());
        }
        frame.open_row();
        for cell in std::mem::take(row) {
            self.cell(frame, &cell, number, (1, 1))?;
            frame.close_cell(is_header);
        }
        Ok(())
    }
}

/// The columns where the runs of `=` begin; at least two of them.
fn columns(line: &str) -> Option<Vec<usize>> {
    if !line.starts_with("==") || !line.bytes().all(|byte| matches!(byte, b'=' | b' ')) {
        return None;
    }
    let bytes = line.as_bytes();
    let begins = |at: &usize| bytes[*at] == b'=' && (*at == 0 || bytes[*at - 1] == b' ');
    let found: Vec<usize> = (0..bytes.len()).filter(begins).collect();
    (found.len() > 1).then_some(found)
}

/// A line cut at the columns.
fn cut(line: &str, columns: &[usize]) -> Vec<String> {
    let characters: Vec<char> = line.chars().collect();
    let ends = columns.iter().skip(1).copied().chain([characters.len()]);
    let cell = |(from, to): (&usize, usize)| {
        let from = (*from).min(characters.len());
        let text: String = characters[from..to.clamp(from, characters.len())].iter().collect();
        text.trim().to_owned()
    };
    columns.iter().zip(ends).map(cell).collect()
}

/// A grid as characters.
struct Grid {
    lines: Vec<Vec<char>>,
    /// The line between header and body.
    header: Option<usize>,
    steps: usize,
}

impl Grid {
    fn new(lines: &[String]) -> Option<Grid> {
        let width = lines.iter().map(|line| line.chars().count()).max()?;
        if width * lines.len() > MAX_AREA {
            return None;
        }
        let padded = |line: &String| -> Vec<char> {
            let blanks = std::iter::repeat(' ');
            line.chars().chain(blanks).take(width).collect()
        };
        let mut grid: Vec<Vec<char>> = lines.iter().map(padded).collect();
        let is_header = |line: &Vec<char>| {
            line.contains(&'=') && line.iter().all(|c| matches!(c, '+' | '=' | ' '))
        };
        let header = grid.iter().position(is_header);
        for line in grid.iter_mut().filter(|line| is_header(line)) {
            line.iter_mut().filter(|c| **c == '=').for_each(|c| *c = '-');
        }
        Some(Grid { lines: grid, header, steps: 0 })
    }

    /// The cells, from corner to corner; `None` if the lines do not close.
    fn cells(&mut self) -> Option<Vec<Corners>> {
        let (height, width) = (self.lines.len(), self.lines.first()?.len());
        let mut done = vec![0; width];
        let mut corners = BTreeSet::from([(0, 0)]);
        let mut cells = Vec::new();
        while let Some((top, left)) = corners.pop_first() {
            if top + 1 >= height || left + 1 >= width || top < done[left] {
                continue;
            }
            let Some(cell) = self.scan(top, left) else { continue };
            done[left..cell.right].fill(cell.bottom);
            corners.extend([(top, cell.right), (cell.bottom, left)]);
            cells.push(cell);
        }
        cells.sort_unstable();
        (!cells.is_empty() && self.steps < MAX_STEPS).then_some(cells)
    }

    fn at(&mut self, line: usize, column: usize) -> char {
        self.steps += 1;
        self.lines[line][column]
    }

    /// The smallest cell with this corner at its top left.
    fn scan(&mut self, top: usize, left: usize) -> Option<Corners> {
        if self.at(top, left) != '+' {
            return None;
        }
        for right in left + 1..self.lines[top].len() {
            match self.at(top, right) {
                '+' => {
                    if let Some(bottom) = self.scan_down(top, left, right) {
                        return Some(Corners { top, left, bottom, right });
                    }
                }
                '-' => {}
                _ => return None,
            }
            if self.steps > MAX_STEPS {
                return None;
            }
        }
        None
    }

    fn scan_down(&mut self, top: usize, left: usize, right: usize) -> Option<usize> {
        for bottom in top + 1..self.lines.len() {
            match self.at(bottom, right) {
                '+' if self.closes(top, left, bottom, right) => return Some(bottom),
                '+' | '|' => {}
                _ => return None,
            }
            if self.steps > MAX_STEPS {
                return None;
            }
        }
        None
    }

    fn closes(&mut self, top: usize, left: usize, bottom: usize, right: usize) -> bool {
        (left + 1..right).all(|column| matches!(self.at(bottom, column), '-' | '+'))
            && self.at(bottom, left) == '+'
            && (top + 1..bottom).all(|line| matches!(self.at(line, left), '|' | '+'))
    }

    fn text(&self, cell: &Corners) -> Vec<String> {
        let lines = self.lines[cell.top + 1..cell.bottom].iter();
        let text = |line: &Vec<char>| {
            let text: String = line[cell.left + 1..cell.right].iter().collect();
            text.trim_end().to_owned()
        };
        super::dedented(&lines.map(text).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use crate::raw::assemble;

    fn texts(text: &str) -> Vec<String> {
        let raws = super::super::read(text).unwrap().raws;
        assemble(raws).0.split("\n\n").map(str::to_owned).collect()
    }

    #[test]
    fn grids_with_merged_cells() {
        let text = "\
+-------+-------+------+
| Ware  | Preis        |
|       +-------+------+
|       | 2025  | 2026 |
+=======+=======+======+
| Salz  | 3     | *4*  |
+-------+-------+------+
| Öl    | 9     | - a  |
|       |       | - b  |
+-------+-------+------+
";
        let expected = [
            "Ware: Salz; Preis, 2025: 3; Preis, 2026: 4",
            "Ware: Öl; Preis, 2025: 9; Preis, 2026: - a - b",
        ];
        assert_eq!(texts(text), expected);
    }

    #[test]
    fn simple_tables() {
        let text = "=====  ======\nWare   Preis\n=====  ======\nSalz   3\nÖl     9\n       netto\n\
            =====  ======\n\nAfter.\n";
        assert_eq!(texts(text), ["Ware: Salz; Preis: 3", "Ware: Öl; Preis: 9 netto", "After."]);
        let text = "===  ===\nMo   8\nDi   9\n===  ===\n\nAfter.\n";
        assert_eq!(texts(text), ["Mo | 8", "Di | 9", "After."]);
    }

    #[test]
    fn tables_as_lists_and_as_csv() {
        let text = ".. list-table:: Preise\n   :header-rows: 1\n\n   * - Ware\n     - Preis\n   * \
            - Salz\n     - 3\n";
        assert_eq!(texts(text), ["Preise", "Ware: Salz; Preis: 3"]);
        let text =
            ".. csv-table:: Preise\n   :header: \"Ware\", \"Preis\"\n\n   \"Salz, fein\", 3\n";
        assert_eq!(texts(text), ["Preise", "Ware: Salz, fein; Preis: 3"]);
    }
}
