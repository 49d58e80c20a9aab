//! Columns: parts a page into regions that are read one after the other.

use super::line::Segment;
use super::sheet::Area;

/// Beyond so many segments a page is no text page, and columns are not looked for.
const MAX_SEGMENTS: usize = 2000;
const MAX_DEPTH: usize = 12;

/// A strip that more lines cross is no gutter.
const MAX_WALLS: usize = 60;

/// How many places for a gutter are tried.
const MAX_CANDIDATES: usize = 24;

/// A column has at least so many lines, with so many letters each on average, and so many heights
/// of the font in width.
const MIN_LINES: usize = 3;
const MIN_LETTERS: usize = 12;
const MIN_WIDTH: f32 = 8.0;

/// The regions of a page in reading order.
pub(super) fn regions(segments: Vec<Segment>) -> Vec<Vec<Segment>> {
    let mut found = Vec::new();
    cut(segments, 0, &mut found);
    found
}

fn cut(segments: Vec<Segment>, depth: usize, found: &mut Vec<Vec<Segment>>) {
    if segments.is_empty() {
        return;
    }
    let gutter = match depth < MAX_DEPTH && segments.len() <= MAX_SEGMENTS {
        true => gutter(&segments),
        false => None,
    };
    let Some(gutter) = gutter else { return found.push(segments) };
    let mut parts = [const { Vec::new() }; 4];
    for segment in segments {
        let part = match () {
            _ if segment.y < gutter.top => 0,
            _ if segment.y > gutter.bottom => 3,
            _ if segment.area.x0 < gutter.x => 1,
            _ => 2,
        };
        parts[part].push(segment);
    }
    parts.into_iter().for_each(|part| cut(part, depth + 1, found));
}

/// A strip without text between two columns.
struct Gutter {
    x: f32,
    top: f32,
    bottom: f32,
    lines: usize,
}

fn gutter(segments: &[Segment]) -> Option<Gutter> {
    let found = candidates(segments).into_iter().filter_map(|x| best_run(segments, x));
    found.max_by_key(|gutter| gutter.lines)
}

/// Where a gutter may stand: the middles of gaps that several lines share.
fn candidates(segments: &[Segment]) -> Vec<f32> {
    let mut votes = std::collections::BTreeMap::<i32, usize>::new();
    for left in segments {
        let beside = segments.iter().filter(|right| {
            right.area.x0 > left.area.x1
                && right.area.y0 < left.area.y1
                && left.area.y0 < right.area.y1
        });
        let Some(next) = beside.map(|right| right.area.x0).min_by(f32::total_cmp) else { continue };
        // The gap's right end is sharp where text is ragged on the right.
        let x = next - 0.35 * left.size;
        *votes.entry((x / 3.0) as i32).or_default() += 1;
    }
    let mut votes: Vec<(i32, usize)> = votes.into_iter().collect();
    votes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    votes.truncate(MAX_CANDIDATES);
    let sharp = votes.iter().map(|(slot, _)| *slot as f32 * 3.0 + 1.5);
    sharp.collect()
}

/// The longest part of the page that the strip at `x` parts into two columns.
fn best_run(segments: &[Segment], x: f32) -> Option<Gutter> {
    let crosses = |segment: &&Segment| segment.area.x0 < x - 0.5 && segment.area.x1 > x + 0.5;
    let mut walls: Vec<f32> = segments.iter().filter(crosses).map(|segment| segment.y).collect();
    if walls.len() > MAX_WALLS {
        return None;
    }
    walls.sort_by(f32::total_cmp);
    let tops = std::iter::once(f32::MIN).chain(walls.iter().copied());
    let bottoms = walls.iter().copied().chain(std::iter::once(f32::MAX));
    let runs = tops.zip(bottoms).filter(|(top, bottom)| bottom > top);
    runs.filter_map(|(top, bottom)| run(segments, x, top, bottom)).max_by_key(|run| run.lines)
}

fn run(segments: &[Segment], x: f32, top: f32, bottom: f32) -> Option<Gutter> {
    let inside: Vec<&Segment> =
        segments.iter().filter(|segment| segment.y > top && segment.y < bottom).collect();
    let (left, right): (Vec<&Segment>, Vec<&Segment>) =
        inside.into_iter().partition(|segment| segment.area.x0 < x);
    let lines = [column_lines(&left)?, column_lines(&right)?];
    let edge = |side: &[&Segment]| Area::all(side.iter().map(|segment| segment.area));
    let (left, right) = (edge(&left), edge(&right));
    let share = left.width().min(right.width()) / left.width().max(right.width());
    // Columns stand side by side; one above the other needs no gutter.
    let shared = left.y1.min(right.y1) - left.y0.max(right.y0);
    let is_beside = shared > 0.3 * left.height().min(right.height());
    let is_gutter = share > 0.3 && is_beside;
    is_gutter.then(|| Gutter {
        x,
        top: left.y0.min(right.y0),
        bottom: left.y1.max(right.y1),
        lines: lines[0].min(lines[1]),
    })
}

/// How many lines a side has, if it reads like a column of text.
fn column_lines(side: &[&Segment]) -> Option<usize> {
    let size = side.iter().map(|segment| segment.size).fold(0.0, f32::max);
    let mut feet: Vec<f32> = side.iter().map(|segment| segment.y).collect();
    feet.sort_by(f32::total_cmp);
    feet.dedup_by(|a, b| (*a - *b).abs() < 0.3 * size);
    let letters: usize = side.iter().map(|segment| segment.letters()).sum();
    let width = Area::all(side.iter().map(|segment| segment.area)).width();
    let typical = side.iter().map(|s| s.size * s.letters() as f32).sum::<f32>() / letters as f32;
    // Rows of cells are a table.
    let reads = feet.len() >= MIN_LINES
        && side.len() * 2 <= feet.len() * 3
        && letters >= MIN_LETTERS * feet.len()
        && width >= MIN_WIDTH * typical;
    reads.then_some(feet.len())
}
