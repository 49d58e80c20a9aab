//! Footnotes: small lines at the foot of a column, the first of which begins with a number.

use super::line::{Segment, Word};

/// Notes are set smaller than this share of the text.
const SMALLER: f32 = 0.94;

/// A region's lines without its notes, and the notes' lines.
pub(super) fn split(lines: Vec<Segment>, body_size: f32) -> (Vec<Segment>, Vec<Segment>) {
    let is_small = |line: &Segment| line.size < SMALLER * body_size && !line.is_fixed;
    let count = lines.iter().rev().take_while(|line| is_small(line)).count();
    let start = lines.len() - count;
    let first = (start..lines.len()).find(|index| mark(&lines[*index]).is_some());
    let Some(first) = first else { return (lines, Vec::new()) };
    // A page of small text is no page of notes, unless it begins like one.
    let begins = if start == 0 { first } else { start };
    if start == 0 && first > 3 {
        return (lines, Vec::new());
    }
    if !counts_up(&lines[start..]) {
        return (lines, Vec::new());
    }
    let mut text = lines;
    let notes = text.split_off(begins);
    (text, notes)
}

/// How the notes of a region are marked: by raised numbers, if any of them is.
pub(super) struct Style {
    is_raised: bool,
}

impl Style {
    pub(super) fn of(lines: &[Segment]) -> Style {
        Style { is_raised: lines.iter().any(|line| is_raised(line) && mark(line).is_some()) }
    }

    /// Whether a line begins a note.
    pub(super) fn begins(&self, line: &Segment) -> bool {
        mark(line).is_some() && (is_raised(line) || !self.is_raised)
    }
}

fn is_raised(line: &Segment) -> bool {
    line.words.first().is_some_and(|word| word.is_raised)
}

/// Whether the numbers of notes grow, as they do not in rows of a table.
fn counts_up(lines: &[Segment]) -> bool {
    let style = Style::of(lines);
    let marks = lines.iter().filter(|line| style.begins(line)).filter_map(mark);
    let numbers: Vec<u32> = marks.filter_map(|mark| mark.parse().ok()).collect();
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

/// The number or sign that a note begins with.
pub(super) fn mark(line: &Segment) -> Option<String> {
    let first = line.words.first()?;
    let next = line.words.get(1)?;
    let value = first.text.trim_end_matches(['.', ')']);
    let is_apart = first.is_raised || !next.is_glued;
    let is_note = first.is_raised || starts_note(next);
    (is_apart && is_mark(value) && is_note).then(|| value.to_owned())
}

fn starts_note(word: &Word) -> bool {
    word.text.starts_with(|c: char| c.is_alphabetic() || "«“\"‘'([".contains(c))
}

fn is_mark(text: &str) -> bool {
    let is_number = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number || matches!(text, "*" | "**" | "***" | "†" | "‡" | "§" | "¶")
}

/// Whether a raised word in the text is the mark of one of these notes.
pub(super) fn refers(word: &Word, marks: &[String]) -> bool {
    let parts = word.text.split([',', ' ', '.', ')']).filter(|part| !part.is_empty());
    let mut parts = parts.peekable();
    parts.peek().is_some() && parts.all(|part| marks.iter().any(|mark| mark == part))
}
