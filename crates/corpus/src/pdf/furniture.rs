//! Page headers, footers and page numbers: what repeats at the edge of pages is not text.

use std::collections::HashMap;

use super::line::Segment;

/// How much of a page, above and below, can hold headers and footers.
const EDGE: f32 = 0.17;

/// So many numbers of a line may count its page.
const MAX_NUMBERS: usize = 4;

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
    keys: Vec<String>,
    /// How far numbers at its ends are from the page's.
    distances: Vec<i64>,
    is_marked: bool,
    /// A wide gap parts it from the next line inwards.
    is_apart: bool,
}

/// Removes headers and footers. What a header says stays once, on the first page.
pub(super) fn remove(pages: &mut [Sides<'_>]) {
    let edges = [Edge::Top, Edge::Bottom];
    let both = |(index, page)| edges.map(|edge| edge_lines(page, index, edge));
    let lines: Vec<[Vec<Line>; 2]> = pages.iter().enumerate().map(both).collect();
    for (side, edge) in edges.into_iter().enumerate() {
        let counts = repeated(&lines, side);
        for (index, page) in pages.iter_mut().enumerate() {
            let own = &lines[index][side];
            let count = own.iter().take_while(|line| is_furniture(line, &counts, own)).count();
            for line in &own[..count] {
                let says = line.text.chars().filter(|c| c.is_alphabetic()).count() >= 4;
                let is_kept =
                    index == 0 && edge == Edge::Top && says && !is_page_number(&line.text);
                if !is_kept {
                    page.segments.retain(|segment| (segment.y - line.y).abs() > 0.5);
                }
            }
        }
    }
}

/// The lines of an edge, the outermost first.
fn edge_lines(page: &Sides<'_>, index: usize, edge: Edge) -> Vec<Line> {
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
                keys: Vec::new(),
                distances: Vec::new(),
                is_marked,
                is_apart: true,
            }),
        }
    }
    if edge == Edge::Bottom {
        lines.reverse();
    }
    // A line at the edge of the region looked at has unknown neighbours, and is not apart.
    let gaps: Vec<f32> = lines.windows(2).map(|pair| (pair[0].y - pair[1].y).abs()).collect();
    let size = page.segments.iter().map(|segment| segment.size).fold(6.0, f32::max).min(12.0);
    for (line, gap) in lines.iter_mut().zip(gaps) {
        line.is_apart = gap > APART * size;
    }
    lines.truncate(MAX_LINES);
    for line in &mut lines {
        line.keys = keys(&line.text, index);
        line.distances = distances(&line.text, index);
    }
    lines
}

/// What a line says: as it is, and with each of its numbers as the distance from the page's. Lines
/// that differ only in a number that counts pages have one of these in common.
fn keys(text: &str, page: usize) -> Vec<String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let mut keys = vec![words.join(" ")];
    let numbers = words.iter().enumerate().filter_map(|(at, word)| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
        let value: i64 = bare.parse().ok().filter(|_| bare.len() <= 5)?;
        let distance = value - page as i64;
        Some((at, word.replacen(bare, &format!("#{distance}"), 1)))
    });
    for (at, counted) in numbers.take(MAX_NUMBERS) {
        let mut words = words.clone();
        words[at] = counted;
        keys.push(words.join(" "));
    }
    keys
}

fn distances(text: &str, page: usize) -> Vec<i64> {
    let ends = [text.split_whitespace().next(), text.split_whitespace().last()];
    let value = |word: &str| word.parse::<i64>().ok().filter(|_| word.len() <= 5);
    let mut found: Vec<i64> =
        ends.into_iter().flatten().filter_map(value).map(|n| n - page as i64).collect();
    found.dedup();
    found
}

fn is_roman(word: &str) -> bool {
    !word.is_empty() && word.len() <= 7 && word.chars().all(|c| "ivxlcdm".contains(c))
}

/// "3", "- 3 -", "Page 3", "Seite 3 von 9", "3/9".
fn is_page_number(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_number = |word: &str| {
        word.len() <= 4 && word.bytes().all(|byte| byte.is_ascii_digit()) || is_roman(word)
    };
    let is_word = |word: &str| {
        matches!(
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
    };
    words.iter().any(|word| is_number(word)) && words.iter().all(|w| is_number(w) || is_word(w))
}

/// Lines at the same height with the same text on several pages.
struct Counts {
    pages: usize,
    by_key: HashMap<String, Vec<(f32, usize)>>,
    /// How many pages have a line at this height that begins or ends with a number so far from the
    /// page's own.
    counting: HashMap<(i32, i64), usize>,
}

fn repeated(lines: &[[Vec<Line>; 2]], side: usize) -> Counts {
    let mut counts =
        Counts { pages: lines.len(), by_key: HashMap::new(), counting: HashMap::new() };
    for page in lines {
        for line in &page[side] {
            for key in &line.keys {
                let heights = counts.by_key.entry(key.clone()).or_default();
                match heights.iter_mut().find(|(y, _)| (*y - line.y).abs() < SAME_HEIGHT) {
                    Some((_, count)) => *count += 1,
                    None => heights.push((line.y, 1)),
                }
            }
        }
        for line in &page[side] {
            for distance in &line.distances {
                *counts.counting.entry((slot(line.y), *distance)).or_default() += 1;
            }
        }
    }
    counts
}

fn is_furniture(line: &Line, counts: &Counts, own: &[Line]) -> bool {
    if line.is_marked {
        return true;
    }
    let heights = line.keys.iter().filter_map(|key| counts.by_key.get(key)).flatten();
    let same = heights.filter(|(y, _)| (*y - line.y).abs() < SAME_HEIGHT).map(|(_, count)| *count);
    let same = same.max().unwrap_or(0);
    let needed = if counts.pages <= 3 { 2 } else { 3 };
    let counts_pages = is_page_number(&line.text) && (same >= 2 || own[0].y == line.y);
    if counts_pages || same >= needed && same * 10 >= counts.pages * 6 {
        return true;
    }
    // Notes may repeat too, but stand close to what is above them.
    if !line.is_apart {
        return false;
    }
    if same >= needed && same * 10 >= counts.pages {
        return true;
    }
    // A running title: words that change, and a number that counts pages, at the same height.
    let at = |key: i64| {
        let slot = slot(line.y);
        let near = (slot - 1..=slot + 1).filter_map(|slot| counts.counting.get(&(slot, key)));
        near.copied().sum::<usize>()
    };
    line.text.len() <= 120
        && line.distances.iter().any(|key| at(*key) >= 3 && at(*key) * 10 >= counts.pages * 4)
}

fn slot(y: f32) -> i32 {
    (y / SAME_HEIGHT) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_count_pages_are_alike() {
        let shared = |a: &str, b: &str| keys(a, 3).iter().any(|key| keys(b, 4).contains(key));
        assert!(shared("Page 4 of 9", "Page 5 of 9"));
        assert!(shared("Town, 2026", "Town, 2026"));
        assert!(!shared("Employee 17", "Employee 93"));
    }

    #[test]
    fn page_numbers() {
        for text in ["3", "- 3 -", "Seite 3 von 9", "Page 12", "xii", "3/9"] {
            assert!(is_page_number(text), "{text}");
        }
        for text in ["Chapter 3 Trees", "2026 budget", "Fee"] {
            assert!(!is_page_number(text), "{text}");
        }
    }
}
