//! Tables whose rows stand between lines drawn across, with no lines down.

use super::line::Segment;
use super::sheet::{Area, Rule};
use super::table::{MAX_RULES, NEAR, Row, Table, columns, is_prose, row};

/// Fewer lines are an ornament.
const LEAST_LINES: usize = 3;
/// Rows are at most so high, and lines at least so long, in points.
const MAX_HEIGHT: f32 = 160.0;
const LEAST_WIDTH: f32 = 80.0;
/// Names of columns stand so many heights of their font above the first line at most.
const HEADER_HEIGHTS: f32 = 2.2;

/// A line across, of one or more pieces.
#[derive(Debug, Clone, Copy)]
struct Line {
    y: f32,
    x0: f32,
    x1: f32,
}

/// Finds tables between lines across; their text leaves `segments`.
pub(super) fn banded(segments: &mut Vec<Segment>, rules: &[Rule]) -> Vec<Table> {
    if rules.len() < LEAST_LINES || rules.len() > MAX_RULES {
        return Vec::new();
    }
    let mut found = Vec::new();
    for stack in stacks(lines(rules)) {
        let bands = Bands::of(&stack, segments);
        let (inside, outside): (Vec<Segment>, Vec<Segment>) =
            std::mem::take(segments).into_iter().partition(|segment| bands.at(segment).is_some());
        match bands.table(&inside) {
            Some(table) => {
                found.push(table);
                *segments = outside;
            }
            None => *segments = inside.into_iter().chain(outside).collect(),
        }
    }
    found
}

/// The lines across; pieces that touch are one.
fn lines(rules: &[Rule]) -> Vec<Line> {
    let across = rules.iter().filter(|rule| rule.is_across());
    let mut lines: Vec<Line> =
        across.map(|r| Line { y: r.area.y0, x0: r.area.x0, x1: r.area.x1 }).collect();
    lines.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    let mut joined: Vec<Line> = Vec::new();
    for line in lines {
        let touches = |other: &&mut Line| {
            (line.y - other.y).abs() < NEAR
                && line.x0 <= other.x1 + NEAR
                && line.x1 >= other.x0 - NEAR
        };
        match joined.iter_mut().rev().take(8).find(touches) {
            Some(other) => {
                other.x0 = other.x0.min(line.x0);
                other.x1 = other.x1.max(line.x1);
            }
            None => joined.push(line),
        }
    }
    joined.retain(|line| line.x1 - line.x0 >= LEAST_WIDTH);
    joined
}

/// Lines of the same length that stand beneath one another.
fn stacks(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let mut stacks: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        let follows = |stack: &&mut Vec<Line>| {
            let last = stack[stack.len() - 1];
            let alike =
                (last.x0 - line.x0).abs() < 2.0 * NEAR && (last.x1 - line.x1).abs() < 2.0 * NEAR;
            alike && line.y - last.y < MAX_HEIGHT
        };
        match stacks.iter_mut().rev().find(follows) {
            Some(stack) => stack.push(line),
            None => stacks.push(vec![line]),
        }
    }
    stacks.retain(|stack| stack.len() >= LEAST_LINES);
    stacks
}

/// What lies between the lines of a stack, from top to bottom.
struct Bands {
    x0: f32,
    x1: f32,
    /// Where bands begin and end.
    ends: Vec<f32>,
}

impl Bands {
    fn of(stack: &[Line], segments: &[Segment]) -> Bands {
        let (first, mut ends) = (stack[0], stack.iter().map(|line| line.y).collect::<Vec<f32>>());
        let bands = Bands { x0: first.x0 - NEAR, x1: first.x1 + NEAR, ends: Vec::new() };
        let above = segments.iter().filter(|segment| {
            let rise = first.y - segment.y;
            bands.spans(segment) && rise > -0.5 && rise < HEADER_HEIGHTS * segment.size
        });
        let names: Vec<&Segment> = above.collect();
        if names.len() > 1 {
            let top = names.iter().map(|name| name.area.y0).fold(f32::MAX, f32::min);
            ends.insert(0, top - 1.0);
        }
        Bands { ends, ..bands }
    }

    fn spans(&self, segment: &Segment) -> bool {
        segment.area.x0 >= self.x0 && segment.area.x1 <= self.x1
    }

    /// The band that a segment stands in.
    fn at(&self, segment: &Segment) -> Option<usize> {
        let middle = segment.y - 0.3 * segment.size;
        let index = self.ends.partition_point(|end| *end <= middle);
        let is_inside = index > 0 && index < self.ends.len() && self.spans(segment);
        is_inside.then(|| index - 1)
    }

    fn table(&self, inside: &[Segment]) -> Option<Table> {
        let columns = columns(&[inside.to_vec()]);
        if columns.len() < 2 {
            return None;
        }
        let mut bands: Vec<Vec<Vec<Segment>>> =
            vec![vec![Vec::new(); columns.len()]; self.ends.len() - 1];
        for segment in inside {
            let column = columns.partition_point(|(start, _)| *start <= segment.area.x0 + 0.1);
            bands[self.at(segment)?][column.saturating_sub(1)].push(segment.clone());
        }
        // With few lines a band may hold several rows: those have other signs.
        let few = self.ends.len() <= LEAST_LINES + 1;
        if few && bands.iter().any(|cells| heights(&cells[0]) > 1) {
            return None;
        }
        let rows: Vec<Row> = bands.into_iter().map(row).collect();
        let filled = |row: &&Row| row.cells.iter().filter(|cell| !cell.is_empty()).count() > 1;
        let full = rows.iter().filter(filled).count();
        let area = Area::all(inside.iter().map(|segment| segment.area));
        let is_table = full > 1 && full * 3 >= rows.len() * 2 && !is_prose(&rows);
        is_table.then(|| Table::new(area, rows, false))
    }
}

/// On how many lines the segments of a cell stand.
fn heights(cell: &[Segment]) -> usize {
    let mut feet: Vec<i32> = cell.iter().map(|segment| segment.y.round() as i32).collect();
    feet.sort_unstable();
    feet.dedup();
    feet.len()
}
