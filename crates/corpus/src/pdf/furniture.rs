//! Page headers, footers and page numbers: what repeats at the edge of pages is not text.

use std::collections::HashMap;

use super::line::Segment;

/// How much of a page, above and below, can hold headers and footers.
const EDGE: f32 = 0.17;

/// How many lines at an edge are looked at.
const MAX_LINES: usize = 5;

/// A header stands further from the text than lines of it from one another, in heights of a font.
const APART: f32 = 1.45;

/// Feet of lines that differ less, in points, stand at the same height.
const SAME_HEIGHT: f32 = 3.0;

/// A page for this purpose.
pub(super) struct Sides<'s> {
    pub segments: &'s mut Vec<Segment>,
    pub height: f32,
}

/// An edge of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Edge {
    Top,
    Bottom,
}

/// A line at an edge.
struct Line {
    y: f32,
    text: String,
    /// The same for "Page 3 of 9" and "Page 4 of 9".
    key: String,
    is_marked: bool,
    /// A wide gap parts it from the next line inwards.
    is_apart: bool,
}

/// Removes headers and footers. What a header says stays once, on the first page.
pub(super) fn remove(pages: &mut [Sides<'_>]) {
    let edges = [Edge::Top, Edge::Bottom];
    let lines: Vec<[Vec<Line>; 2]> =
        pages.iter().map(|page| edges.map(|edge| edge_lines(page, edge))).collect();
    for (side, edge) in edges.into_iter().enumerate() {
        let counts = repeated(&lines, side);
        for (index, page) in pages.iter_mut().enumerate() {
            let own = &lines[index][side];
            let count = own.iter().take_while(|line| is_furniture(line, &counts, own)).count();
            for line in &own[..count] {
                let says = line.text.chars().filter(|c| c.is_alphabetic()).count() >= 4;
                let is_kept = index == 0 && edge == Edge::Top && says && !is_page_number(&line.key);
                if !is_kept {
                    page.segments.retain(|segment| (segment.y - line.y).abs() > 0.5);
                }
            }
        }
    }
}

/// The lines of an edge, the outermost first.
fn edge_lines(page: &Sides<'_>, edge: Edge) -> Vec<Line> {
    let is_inside = |segment: &&Segment| match edge {
        Edge::Top => segment.y < EDGE * page.height,
        Edge::Bottom => segment.y > (1.0 - EDGE) * page.height,
    };
    let mut segments: Vec<&Segment> = page.segments.iter().filter(is_inside).collect();
    segments.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.area.x0.total_cmp(&b.area.x0)));
    let mut lines: Vec<Line> = Vec::new();
    for segment in segments {
        let is_marked = segment.words.iter().any(|word| word.is_furniture);
        match lines.last_mut() {
            Some(line) if (segment.y - line.y).abs() <= 0.5 => {
                line.text.push(' ');
                line.text.push_str(&segment.text());
                line.is_marked |= is_marked;
            }
            _ => lines.push(Line {
                y: segment.y,
                text: segment.text(),
                key: String::new(),
                is_marked,
                is_apart: true,
            }),
        }
    }
    if edge == Edge::Bottom {
        lines.reverse();
    }
    // A line at the edge of the region looked at has unknown neighbours, and is not apart.
    let distances: Vec<f32> = lines.windows(2).map(|pair| (pair[0].y - pair[1].y).abs()).collect();
    let size = page.segments.iter().map(|segment| segment.size).fold(6.0, f32::max).min(12.0);
    for (line, distance) in lines.iter_mut().zip(distances) {
        line.is_apart = distance > APART * size;
    }
    lines.truncate(MAX_LINES);
    lines.iter_mut().for_each(|line| line.key = key(&line.text));
    lines
}

/// Numbers become signs, so that counting pages does not make a line another one.
fn key(text: &str) -> String {
    let mut key = String::new();
    for word in text.split_whitespace() {
        let is_number = word.chars().any(|c| c.is_ascii_digit()) || is_roman(word);
        if !key.is_empty() {
            key.push(' ');
        }
        match is_number {
            true if word.len() <= 4 => key.push('#'),
            true => key.extend(word.chars().map(|c| if c.is_ascii_digit() { '#' } else { c })),
            false => key.push_str(&word.to_lowercase()),
        }
    }
    key
}

fn is_roman(word: &str) -> bool {
    !word.is_empty() && word.len() <= 7 && word.chars().all(|c| "ivxlcdm".contains(c))
}

/// "3", "- 3 -", "Page 3", "Seite 3 von 9", "3/9".
fn is_page_number(key: &str) -> bool {
    let words = key.split(|c: char| !(c.is_alphanumeric() || c == '#'));
    let mut has_number = false;
    words.filter(|word| !word.is_empty()).all(|word| {
        has_number |= word.contains('#');
        word.contains('#')
            || matches!(
                word,
                "page"
                    | "pages"
                    | "seite"
                    | "pagina"
                    | "pagine"
                    | "p"
                    | "s"
                    | "pag"
                    | "of"
                    | "von"
                    | "de"
                    | "di"
                    | "da"
                    | "sur"
                    | "su"
                    | "folio"
            )
    }) && has_number
}

/// Lines at the same height with the same text on several pages.
struct Counts {
    pages: usize,
    by_key: HashMap<String, Vec<(f32, usize)>>,
    /// How many pages have a short outermost line at this height.
    by_height: HashMap<i32, usize>,
}

fn repeated(lines: &[[Vec<Line>; 2]], side: usize) -> Counts {
    let mut counts =
        Counts { pages: lines.len(), by_key: HashMap::new(), by_height: HashMap::new() };
    for page in lines {
        for line in &page[side] {
            let heights = counts.by_key.entry(line.key.clone()).or_default();
            match heights.iter_mut().find(|(y, _)| (*y - line.y).abs() < SAME_HEIGHT) {
                Some((_, count)) => *count += 1,
                None => heights.push((line.y, 1)),
            }
        }
        if let Some(line) = page[side].first() {
            *counts.by_height.entry((line.y / SAME_HEIGHT) as i32).or_default() += 1;
        }
    }
    counts
}

fn is_furniture(line: &Line, counts: &Counts, own: &[Line]) -> bool {
    if line.is_marked {
        return true;
    }
    let heights = counts.by_key.get(&line.key);
    let same = heights.and_then(|heights| {
        heights.iter().find(|(y, _)| (*y - line.y).abs() < SAME_HEIGHT).map(|(_, count)| *count)
    });
    let same = same.unwrap_or(0);
    let needed = if counts.pages <= 3 { 2 } else { 3 };
    let is_page_number = is_page_number(&line.key) && (same >= 2 || own[0].y == line.y);
    if is_page_number || same >= needed && same * 10 >= counts.pages * 6 {
        return true;
    }
    // Notes may repeat too, but stand close to what is above them.
    if !line.is_apart {
        return false;
    }
    if same >= needed && same * 10 >= counts.pages {
        return true;
    }
    // A running title: the outermost line of most pages, always at the same height, with words
    // that change and a number that counts.
    let slot = (line.y / SAME_HEIGHT) as i32;
    let at: usize =
        (slot - 1..=slot + 1).filter_map(|slot| counts.by_height.get(&slot)).copied().sum();
    let is_running = counts.pages >= 4 && at * 10 >= counts.pages * 6 && own[0].y == line.y;
    let has_number = line.key.starts_with("# ") || line.key.ends_with(" #");
    is_running && line.text.len() <= 120 && (has_number || same >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_numbers() {
        for text in ["3", "- 3 -", "Seite 3 von 9", "Page 12", "xii", "3/9"] {
            assert!(is_page_number(&key(text)), "{text}");
        }
        for text in ["Chapter 3 Trees", "2026 budget", "Fee"] {
            assert!(!is_page_number(&key(text)), "{text}");
        }
    }
}
