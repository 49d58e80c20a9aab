//! From letters to words, and to segments: words that stand on one line without a wide gap.

use super::note;
use super::sheet::{Area, Glyph};

/// A wider gap, in heights of the font, is a blank; where the file has a blank, a narrower one.
const BLANK: f32 = 0.17;
const GIVEN_BLANK: f32 = 0.06;

/// Gaps that may part letters or words where a file has no blanks.
const UNCLEAR: std::ops::Range<f32> = 0.05..0.1;

/// A wider gap parts columns, cells, or a number from its text.
pub(super) const WIDE_GAP: f32 = 0.9;

/// Letters on one line stand at most so far from its foot.
const UNEVEN: f32 = 0.2;

/// Letters in a smaller font than this share of their line's may be raised or lowered.
const SMALL: f32 = 0.85;

/// A word, or a part of one that looks alike.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub text: String,
    pub x0: f32,
    pub x1: f32,
    pub y: f32,
    pub size: f32,
    pub is_bold: bool,
    pub is_fixed: bool,
    /// Small and above the line, as the mark of a note is.
    pub is_raised: bool,
    /// Follows the word before without a blank.
    pub is_glued: bool,
    pub is_furniture: bool,
}

/// Words side by side on one line.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub words: Vec<Word>,
    pub area: Area,
    /// The foot of its line.
    pub y: f32,
    /// The size of most of its letters.
    pub size: f32,
    pub is_bold: bool,
    pub is_fixed: bool,
}

impl Segment {
    pub(super) fn new(words: Vec<Word>) -> Segment {
        let letters = |word: &Word| word.text.chars().count();
        let main = words.iter().filter(|word| !word.is_raised);
        let main = main.max_by_key(|word| (letters(word), (word.size * 8.0) as i32));
        let main = main.or(words.first()).cloned();
        let (y, size) = main.map_or((0.0, 1.0), |word| (word.y, word.size));
        let area = Area::all(words.iter().map(|word| {
            Area::new(word.x0, word.y - 0.8 * word.size, word.x1, word.y + 0.22 * word.size)
        }));
        let plain = |word: &&Word| !word.is_raised && word.text.contains(char::is_alphanumeric);
        let is_bold = words.iter().filter(plain).all(|word| word.is_bold)
            && words.iter().any(|word| word.is_bold);
        let is_fixed = words.iter().all(|word| word.is_fixed);
        Segment { words, area, y, size, is_bold, is_fixed }
    }

    /// The words with blanks between them.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for word in &self.words {
            if !text.is_empty() && !word.is_glued {
                text.push(' ');
            }
            text.push_str(&word.text);
        }
        text
    }

    /// The text as it is read: marks of notes go, other raised digits stay raised, a bullet at
    /// the start is "-".
    pub(super) fn reading(&self, marks: &[String]) -> String {
        let mut text = String::new();
        for (index, word) in self.words.iter().enumerate() {
            if word.is_raised && note::refers(word, marks) {
                continue;
            }
            if !text.is_empty() && !word.is_glued {
                text.push(' ');
            }
            match index == 0 && is_bullet(&word.text) {
                true => text.push('-'),
                false => text.push_str(&raised(word)),
            }
        }
        if text.ends_with(['\u{2010}', '\u{2011}']) {
            text.pop();
            text.push('-');
        }
        text
    }

    pub(super) fn letters(&self) -> usize {
        self.words.iter().map(|word| word.text.chars().count()).sum()
    }

    /// Puts what stands to the right behind it.
    pub(super) fn append(&mut self, mut other: Segment) {
        if let (Some(last), Some(first)) = (self.words.last(), other.words.first_mut()) {
            first.is_glued = first.x0 - last.x1 < GIVEN_BLANK * first.size;
        }
        let mut words = std::mem::take(&mut self.words);
        words.extend(other.words);
        *self = Segment::new(words);
    }
}

/// A sign that begins an item of a list and nothing else.
pub(super) fn is_bullet(text: &str) -> bool {
    matches!(text, "•" | "·" | "▪" | "●" | "○" | "‣" | "■" | "□" | "◦" | "➢" | "∙" | "⁃")
}

fn raised(word: &Word) -> String {
    let raise = |digit: char| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit as usize - '0' as usize);
    match word.is_raised && word.text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => word.text.chars().filter_map(raise).collect(),
        false => word.text.clone(),
    }
}

/// The segments that letters make, from top to bottom and in reading direction. In a `mirrored`
/// page the letters run from right to left and the page was mirrored, so that they read forward.
pub(super) fn segments(mut glyphs: Vec<Glyph>, mirrored: Mirrored) -> Vec<Segment> {
    glyphs.sort_by(|a, b| a.y.total_cmp(&b.y));
    let mut rows: Vec<Vec<Segment>> = Vec::new();
    let mut row: Vec<Glyph> = Vec::new();
    for glyph in glyphs {
        let begins = row.first().is_some_and(|first: &Glyph| {
            glyph.y - first.y > UNEVEN * glyph.size.min(first.size).max(1.0)
        });
        if begins {
            rows.push(row_segments(std::mem::take(&mut row), mirrored));
        }
        row.push(glyph);
    }
    rows.push(row_segments(row, mirrored));
    attach_small(&mut rows);
    rows.into_iter().flatten().filter(|segment| !segment.words.is_empty()).collect()
}

/// Whether a page was mirrored because its script runs from right to left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mirrored {
    Yes,
    No,
}

fn row_segments(mut glyphs: Vec<Glyph>, mirrored: Mirrored) -> Vec<Segment> {
    glyphs.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    let glyphs = with_accents(glyphs);
    let blank_gap = blank_gap(&glyphs);
    let mut found: Vec<Vec<Vec<Glyph>>> = Vec::new();
    let mut glued: Vec<Vec<bool>> = Vec::new();
    let mut last: Option<Glyph> = None;
    let mut is_blank = false;
    for glyph in glyphs {
        if glyph.is_blank() {
            is_blank = is_blank || !glyph.text.is_empty();
            if let Some(last) = last.as_mut().filter(|_| glyph.text.is_empty()) {
                last.x1 = last.x1.max(glyph.x1);
            }
            continue;
        }
        let size = last.as_ref().map_or(glyph.size, |last| last.size.max(glyph.size));
        let gap = last.as_ref().map_or(f32::MAX, |last| glyph.x0 - last.x1);
        if last.as_ref().is_some_and(|last| is_same(last, &glyph)) {
            continue;
        }
        let is_new_word = gap > blank_gap * size || is_blank && gap > GIVEN_BLANK * size;
        let looks_alike = last.as_ref().is_some_and(|last| {
            last.is_bold == glyph.is_bold
                && last.is_fixed == glyph.is_fixed
                && last.is_furniture == glyph.is_furniture
                && (last.size - glyph.size).abs() < 0.1 * size
                && !(is_rtl(&last.text) && is_ltr(&glyph.text))
                && !(is_ltr(&last.text) && is_rtl(&glyph.text))
        });
        if gap > WIDE_GAP * size {
            found.push(Vec::new());
            glued.push(Vec::new());
        }
        let (words, glues) =
            (found.last_mut().expect("just pushed"), glued.last_mut().expect("just pushed"));
        if words.is_empty() || is_new_word || !looks_alike {
            glues.push(!words.is_empty() && !is_new_word);
            words.push(Vec::new());
        }
        words.last_mut().expect("just pushed").push(glyph.clone());
        last = Some(glyph);
        is_blank = false;
    }
    let lines = found.into_iter().zip(glued);
    lines.map(|(words, glued)| segment(words, &glued, mirrored)).collect()
}

/// The same letter drawn twice to look bold.
fn is_same(a: &Glyph, b: &Glyph) -> bool {
    let near = (0.15 * a.size).min(0.5 * (a.x1 - a.x0).max(0.05 * a.size));
    a.text == b.text && (a.x0 - b.x0).abs() < near && (a.x1 - b.x1).abs() < near
}

/// From which gap on, in heights of the font, letters of a row are words apart. Where the file has
/// no blanks and all gaps are clearly narrow or wide, a smaller one says it.
fn blank_gap(glyphs: &[Glyph]) -> f32 {
    if glyphs.iter().any(Glyph::is_blank) {
        return BLANK;
    }
    let (mut narrow, mut between, mut wide) = (0, 0, 0);
    for pair in glyphs.windows(2) {
        let gap = (pair[1].x0 - pair[0].x1) / pair[0].size.max(pair[1].size).max(0.1);
        match () {
            _ if gap < UNCLEAR.start => narrow += 1,
            _ if gap < UNCLEAR.end => between += 1,
            _ if gap < BLANK => wide += 1,
            _ => {}
        }
    }
    if between == 0 && wide > 0 && narrow >= 3 * wide { UNCLEAR.end } else { BLANK }
}

/// Accents that are drawn over a letter join it.
fn with_accents(glyphs: Vec<Glyph>) -> Vec<Glyph> {
    let mut found: Vec<Glyph> = Vec::with_capacity(glyphs.len());
    for glyph in glyphs {
        let Some(last) = found.last_mut() else {
            found.push(glyph);
            continue;
        };
        let shared = last.x1.min(glyph.x1) - last.x0.max(glyph.x0);
        let overlaps = shared > 0.4 * (last.x1 - last.x0).min(glyph.x1 - glyph.x0);
        match (combining(&last.text), combining(&glyph.text)) {
            (Some(accent), None) if overlaps && is_letter(&glyph) => {
                let text = format!("{}{accent}", glyph.text).into();
                *last = Glyph { text, ..glyph };
            }
            (None, Some(accent)) if overlaps && is_letter(last) => {
                last.text = format!("{}{accent}", last.text).into();
            }
            _ => found.push(glyph),
        }
    }
    found
}

fn is_letter(glyph: &Glyph) -> bool {
    glyph.text.chars().all(char::is_alphabetic) && !glyph.text.is_empty()
}

fn combining(text: &str) -> Option<char> {
    Some(match text {
        "´" | "\u{2ca}" => '\u{301}',
        "`" | "\u{2cb}" => '\u{300}',
        "ˆ" | "^" => '\u{302}',
        "˜" | "~" => '\u{303}',
        "¨" => '\u{308}',
        "ˇ" => '\u{30c}',
        "˚" => '\u{30a}',
        "¸" => '\u{327}',
        "˝" => '\u{30b}',
        "¯" => '\u{304}',
        "˘" => '\u{306}',
        "˙" => '\u{307}',
        "˛" => '\u{328}',
        _ => return None,
    })
}

fn segment(words: Vec<Vec<Glyph>>, glued: &[bool], mirrored: Mirrored) -> Segment {
    let mut found: Vec<Word> =
        words.iter().zip(glued).map(|(glyphs, glued)| word(glyphs, *glued, mirrored)).collect();
    // Runs of words in the other direction read backwards.
    let runs_back = |word: &Word| runs_against(&word.text, mirrored);
    let mut start = 0;
    while start < found.len() {
        let length = found[start..].iter().take_while(|word| runs_back(word)).count();
        if length > 1 {
            let first_glued = found[start].is_glued;
            let glues: Vec<bool> =
                found[start..start + length].iter().map(|w| w.is_glued).collect();
            found[start..start + length].reverse();
            for (index, word) in found[start..start + length].iter_mut().enumerate() {
                word.is_glued = if index == 0 { first_glued } else { glues[length - index] };
            }
        }
        start += length.max(1);
    }
    Segment::new(found)
}

fn word(glyphs: &[Glyph], is_glued: bool, mirrored: Mirrored) -> Word {
    let text: String = glyphs.iter().map(|glyph| &*glyph.text).collect();
    let text = match runs_against(&text, mirrored) {
        true => glyphs.iter().rev().map(|glyph| &*glyph.text).collect(),
        false => text,
    };
    let first = &glyphs[0];
    Word {
        text,
        x0: first.x0,
        x1: glyphs.iter().map(|glyph| glyph.x1).fold(f32::MIN, f32::max),
        y: first.y,
        size: first.size,
        is_bold: first.is_bold,
        is_fixed: first.is_fixed,
        is_raised: false,
        is_glued,
        is_furniture: first.is_furniture,
    }
}

/// Whether a text is written against the direction of its page.
fn runs_against(text: &str, mirrored: Mirrored) -> bool {
    match mirrored {
        Mirrored::No => text.chars().any(is_right_to_left),
        Mirrored::Yes => {
            text.chars().any(char::is_alphanumeric) && !text.chars().any(is_right_to_left)
        }
    }
}

/// Hebrew, Arabic and their neighbours.
pub(super) fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
        && !matches!(character, '\u{660}'..='\u{669}' | '\u{6f0}'..='\u{6f9}')
}

fn is_rtl(text: &str) -> bool {
    text.chars().any(is_right_to_left)
}

fn is_ltr(text: &str) -> bool {
    text.chars().any(|c| c.is_alphanumeric() && !is_right_to_left(c))
}

/// Raised and lowered words come to the line they belong to.
fn attach_small(rows: &mut [Vec<Segment>]) {
    for index in 0..rows.len() {
        for position in (0..rows[index].len()).rev() {
            let small = &rows[index][position];
            let Some((row, host)) = host(rows, index, small) else { continue };
            let small = rows[index].remove(position);
            let is_raised = row > index;
            let target = &mut rows[row][host];
            let mut words = std::mem::take(&mut target.words);
            words.extend(small.words.into_iter().map(|word| Word { is_raised, ..word }));
            words.sort_by(|a, b| a.x0.total_cmp(&b.x0));
            reglue(&mut words);
            *target = Segment::new(words);
        }
        join_close(&mut rows[index]);
    }
    rows.iter_mut().for_each(join_close);
}

/// The segment that a small one belongs to: larger, close, a little above or below.
fn host(rows: &[Vec<Segment>], index: usize, small: &Segment) -> Option<(usize, usize)> {
    let is_number = small.words.iter().all(|word| word.text.bytes().all(|b| b.is_ascii_digit()));
    let is_near = |large: &Segment| {
        let rise = large.y - small.y;
        let em = large.size;
        // The number of a note stands apart, before the note.
        let before = if is_number { 5.0 } else { 1.2 };
        small.size < SMALL * em
            && (-0.35 * em..0.65 * em).contains(&rise)
            && small.area.x0 > large.area.x0 - before * em
            && small.area.x0 < large.area.x1 + 0.5 * em
            && small.area.width() < 4.0 * em
    };
    let close = |row: usize| {
        let found = rows[row].iter().enumerate().filter(|(_, large)| is_near(large));
        let distance = |large: &Segment| {
            (large.area.x0 - small.area.x1).max(small.area.x0 - large.area.x1).max(0.0)
        };
        let nearest = found.min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
        nearest.map(|(position, _)| (row, position))
    };
    let after = (index + 1..rows.len().min(index + 4)).find_map(close);
    after.or_else(|| (index.saturating_sub(3)..index).rev().find_map(close))
}

fn reglue(words: &mut [Word]) {
    for index in 1..words.len() {
        let (before, word) = (&words[index - 1], &words[index]);
        if word.is_raised || before.is_raised {
            words[index].is_glued = word.x0 - before.x1 < BLANK * word.size.max(before.size);
        }
    }
}

/// Segments that a raised word brought together become one.
fn join_close(row: &mut Vec<Segment>) {
    let mut found: Vec<Segment> = Vec::with_capacity(row.len());
    for segment in std::mem::take(row) {
        match found.last_mut() {
            Some(last) if segment.area.x0 - last.area.x1 <= WIDE_GAP * last.size => {
                last.append(segment)
            }
            _ => found.push(segment),
        }
    }
    *row = found;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdf::sheet::Turn;

    fn glyphs(text: &str, x: f32, y: f32, size: f32) -> Vec<Glyph> {
        let glyph = |(index, letter): (usize, char)| Glyph {
            text: letter.to_string().into(),
            x0: x + index as f32 * 0.5 * size,
            x1: x + (index as f32 + 1.0) * 0.5 * size,
            y,
            size,
            is_bold: false,
            is_fixed: false,
            turn: Turn::Upright,
            is_furniture: false,
        };
        text.chars().enumerate().map(glyph).collect()
    }

    fn texts(glyphs: Vec<Glyph>) -> Vec<String> {
        segments(glyphs, Mirrored::No).iter().map(Segment::text).collect()
    }

    #[test]
    fn words_and_segments() {
        let line = [glyphs("one two", 10.0, 50.0, 10.0), glyphs("far", 80.0, 50.0, 10.0)].concat();
        assert_eq!(texts(line), ["one two", "far"]);
    }

    #[test]
    fn raised_digits_join_their_line() {
        let mut line = glyphs("word", 10.0, 50.0, 10.0);
        line.extend(glyphs("7", 30.5, 46.5, 6.0));
        line.extend(glyphs("next", 36.0, 50.0, 10.0));
        let found = segments(line, Mirrored::No);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text(), "word7 next");
        assert!(found[0].words[1].is_raised);
    }

    #[test]
    fn accents_join_their_letters() {
        let mut line = glyphs("u", 10.0, 50.0, 10.0);
        line.extend(glyphs("¨", 10.2, 50.0, 10.0));
        assert_eq!(texts(line), ["u\u{308}"]);
    }

    #[test]
    fn text_from_right_to_left() {
        // "אב" stands from right to left: the first letter is the right one.
        let line = [glyphs("ב", 10.0, 50.0, 10.0), glyphs("א", 15.0, 50.0, 10.0)].concat();
        assert_eq!(texts(line), ["אב"]);
    }
}
