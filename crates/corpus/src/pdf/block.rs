//! From lines to blocks: paragraphs, headings, list items, rows, notes.

use std::collections::{HashMap, HashSet};

use super::line::{Segment, is_bullet};
use super::note;
use super::place::Place;
use super::sheet::Area;
use super::table::Table;
use crate::clean::{LINE_BREAK, tidy};
use crate::label::{MarkerKind, article, is_title, marker};
use crate::plain::{ends_sentence, is_conjunction, join};
use crate::raw::Raw;
use crate::{BlockKind, Language, table};

/// A heading has at most so many letters and lines.
const MAX_HEADING_LETTERS: usize = 200;
const MAX_HEADING_LINES: usize = 4;

/// Text that is this much larger than the body is a heading.
const LARGER: f32 = 1.12;

/// How much further apart lines of two paragraphs stand than lines of one.
const LOOSE: f32 = 1.3;

/// A region of a page, in reading order.
pub(super) struct Region {
    /// Counted from 1.
    pub page: u32,
    pub items: Vec<Item>,
    pub notes: Vec<Segment>,
    /// Marks of all notes of the page.
    pub marks: Vec<String>,
    pub area: Area,
    /// From the region's frame to the page.
    pub frame: super::layout::Frame,
}

/// What stands in a region.
pub(super) enum Item {
    Line(Segment),
    Table(Table),
}

/// What is usual in the document.
pub(super) struct Body {
    pub size: f32,
    pub is_bold: bool,
    /// By size in half points: how far lines of a paragraph stand apart.
    pub leading: HashMap<i32, f32>,
    /// Words that are written with a hyphen.
    pub compounds: HashSet<String>,
    /// Titles of the outline, as [`Body::outline`] writes them.
    pub outline: HashSet<String>,
}

impl Body {
    fn leading(&self, size: f32) -> f32 {
        self.leading.get(&half_points(size)).copied().unwrap_or(1.2 * size)
    }

    /// Titles of the outline as they are looked up.
    pub(super) fn outline(titles: &[String]) -> HashSet<String> {
        titles.iter().map(|title| plain(title)).filter(|title| title.len() > 2).collect()
    }
}

/// A size as a key.
pub(super) fn half_points(size: f32) -> i32 {
    (size * 2.0).round() as i32
}

/// Only letters and digits, for comparing.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A finished block with the lines it was made of.
pub(super) struct Piece {
    pub raw: Raw,
    pub places: Vec<Place>,
    /// For headings: size in half points, and whether it is bold.
    style: Option<(i32, bool)>,
}

/// The block being read.
struct Open {
    text: String,
    lead: usize,
    lines: usize,
    places: Vec<Place>,
    size: f32,
    is_bold: bool,
    is_fixed: bool,
    is_item: bool,
    /// A line of a table of contents.
    is_entry: bool,
    /// Where the title of an article begins that its label is set apart from.
    title_x: Option<f32>,
    last: Segment,
    last_page: u32,
    /// Whether the last line reaches the right edge of its region.
    is_full: bool,
}

/// Makes blocks of regions.
pub(super) struct Builder<'b> {
    body: &'b Body,
    found: Vec<Piece>,
    open: Option<Open>,
    /// Notes wait until the paragraph ends that their page divides.
    notes: Vec<Piece>,
}

impl<'b> Builder<'b> {
    pub(super) fn new(body: &'b Body) -> Builder<'b> {
        Builder { body, found: Vec::new(), open: None, notes: Vec::new() }
    }

    /// Adds the next region.
    pub(super) fn region(&mut self, region: Region) {
        let mut is_first = true;
        for item in &region.items {
            match item {
                Item::Line(line) => self.line(line, &region, is_first),
                Item::Table(table) => {
                    self.close();
                    self.table(table, &region);
                }
            }
            is_first = false;
        }
        self.add_notes(&region);
    }

    /// The blocks in order.
    pub(super) fn finish(mut self) -> Vec<Piece> {
        self.close();
        rank(&mut self.found);
        self.found
    }

    fn line(&mut self, line: &Segment, region: &Region, is_first: bool) {
        let goes_on = match &self.open {
            None => false,
            Some(open) if is_first => continues(open, line),
            Some(open) => !self.begins(open, line, region),
        };
        if !goes_on {
            self.close();
        }
        match self.open.take() {
            Some(open) => self.open = Some(self.append(open, line, region)),
            None => self.open = Some(begin(line, region)),
        }
    }

    /// Whether `line` begins another block than the one that is open.
    fn begins(&self, open: &Open, line: &Segment, region: &Region) -> bool {
        let last = &open.last;
        let em = line.size.max(last.size);
        let distance = line.y - last.y;
        let leading = self.body.leading(line.size).clamp(0.9 * em, 2.2 * em);
        if distance > LOOSE * leading || distance < -0.5 * em {
            return true;
        }
        if open.is_fixed && line.is_fixed {
            return false;
        }
        if let Some(title) = open.title_x {
            return line.area.x0 < title - em;
        }
        let text = line.reading(&region.marks);
        let has_room = room(last, line, region) > 0.3 * em;
        let is_free = ends_block_text(&open.text) || has_room;
        let in_list = has_room && marker(&open.text).is_some();
        let after_item = ends_block_text(&open.text) || in_list;
        looks_different(open, line, is_free)
            || open.is_entry
            || is_entry(line, &text)
            || begins_item(line, &text, after_item)
            || self.begins_part(open, line, &text)
            || begins_article(line, &text, is_free)
            || is_indented(open, line)
            || ends_here(open, line, region)
    }

    /// A numbered heading right under a title: `1. Fees`.
    fn begins_part(&self, open: &Open, line: &Segment, text: &str) -> bool {
        let is_large = line.size >= LARGER * self.body.size;
        let numbers = marker(text).is_some_and(|found| {
            found.kind == MarkerKind::Number && text[found.length..].starts_with(char::is_uppercase)
        });
        is_large && numbers && marker(&open.text).is_none()
    }

    fn append(&self, mut open: Open, line: &Segment, region: &Region) -> Open {
        let text = line.reading(&region.marks);
        if open.is_fixed && line.is_fixed {
            open.text.push('\n');
            let indent = (line.area.x0 - region.area.x0) / (0.6 * line.size);
            open.text.push_str(&" ".repeat((indent.max(0.0) as usize).min(100)));
        } else if breaks(&open, line, region) {
            open.text.push(LINE_BREAK);
        } else {
            let divided = open.text.ends_with('\u{ad}');
            let bare = open.text.trim_end_matches('\u{ad}').len();
            match divided {
                true => open.text.truncate(bare),
                false => join(&mut open.text, &text, |word| self.body.compounds.contains(word)),
            }
        }
        if open.lead == open.text.trim_end().len() && line.is_bold {
            open.lead = open.text.len() + text.len();
        }
        open.text.push_str(&text);
        open.lines += 1;
        open.places.push(place(text, line.area, region));
        open.is_bold &= line.is_bold;
        open.is_fixed &= line.is_fixed;
        open.is_full = is_full(line, region);
        (open.last, open.last_page) = (line.clone(), region.page);
        open
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let (kind, style) = self.kind(&open);
            let mut text = open.text;
            if matches!(kind, BlockKind::Heading { .. }) {
                text = text.replace(LINE_BREAK, " ");
            }
            let lead = if open.lead <= text.len() { open.lead } else { 0 };
            let raw = Raw { kind, lead, text };
            self.found.push(Piece { raw, places: open.places, style });
        }
        self.found.append(&mut self.notes);
    }

    fn kind(&self, open: &Open) -> (BlockKind, Option<(i32, bool)>) {
        if open.is_fixed && open.lines > 1 {
            return (BlockKind::Code, None);
        }
        let text = tidy(&open.text);
        if self.is_heading(open, &text) {
            let style = (half_points(open.size), open.is_bold);
            return (BlockKind::Heading { level: 1 }, Some(style));
        }
        match marker(&text) {
            _ if open.is_item => (BlockKind::ListItem, None),
            Some(found) if found.kind == MarkerKind::Bullet => (BlockKind::ListItem, None),
            _ => (BlockKind::Paragraph, None),
        }
    }

    fn is_heading(&self, open: &Open, text: &str) -> bool {
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let is_short = letters <= MAX_HEADING_LETTERS && open.lines <= MAX_HEADING_LINES;
        let is_bullet = marker(text).is_some_and(|found| found.kind == MarkerKind::Bullet);
        if letters < 2
            || !is_short
            || open.is_entry
            || is_bullet
            || text.contains('\n') && open.lines > 2
        {
            return false;
        }
        if self.body.outline.contains(&plain(text)) {
            return true;
        }
        let is_large = open.size >= LARGER * self.body.size;
        let is_set_off = open.is_bold && !self.body.is_bold && open.size >= 0.95 * self.body.size;
        let reads = is_title(text) || text.ends_with(['?', '!']) && text.len() < 120;
        is_large && (reads || open.size >= 1.3 * self.body.size && letters > 3)
            || is_set_off && is_title(text) && !is_value(text)
    }

    fn table(&mut self, table: &Table, region: &Region) {
        let is_form = |row: &super::table::Row| {
            table.header.is_empty() && row.cells.len() == 2 && row.cells[0].ends_with(':')
        };
        for row in &table.rows {
            let cells = match is_form(row) {
                true => vec![row.cells.join(" ")],
                false => row.cells.clone(),
            };
            for raw in table::rows(&table.header, &[cells]) {
                let places = vec![place(raw.text.clone(), row.area, region)];
                self.found.push(Piece { raw, places, style: None });
            }
        }
        if table.rows.is_empty() {
            for raw in table::rows(&table.header, &[]) {
                let places = vec![place(raw.text.clone(), table.area, region)];
                self.found.push(Piece { raw, places, style: None });
            }
        }
    }

    fn add_notes(&mut self, region: &Region) {
        let style = note::Style::of(&region.notes);
        for line in &region.notes {
            let mut line = line.clone();
            let begins = style.begins(&line);
            if begins && let Some(second) = line.words.get_mut(1) {
                second.is_glued = false;
            }
            line.words.iter_mut().take(1).for_each(|word| word.is_raised = false);
            let text = line.reading(&[]);
            let place = place(text.clone(), line.area, region);
            match self.notes.last_mut().filter(|_| !begins) {
                Some(piece) => {
                    let compounds = &self.body.compounds;
                    join(&mut piece.raw.text, &text, |word| compounds.contains(word));
                    piece.raw.text.push_str(&text);
                    piece.places.push(place);
                }
                None => {
                    let raw = Raw::new(BlockKind::Quote, text);
                    self.notes.push(Piece { raw, places: vec![place], style: None });
                }
            }
        }
    }
}

fn place(text: String, area: Area, region: &Region) -> Place {
    Place { text, page: region.page, area: region.frame.page_area(area) }
}

fn begin(line: &Segment, region: &Region) -> Open {
    let mut line = line.clone();
    // A raised number before a paragraph is its number, not the mark of a note.
    let is_number = line.words.first().is_some_and(|word| {
        word.is_raised && word.text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if is_number && line.words.len() > 1 {
        line.words[0].is_raised = false;
        line.words[1].is_glued = false;
    }
    let text = line.reading(&region.marks);
    let lead = line.words.iter().take_while(|word| word.is_bold).count();
    let lead = match lead {
        0 => 0,
        count => Segment::new(line.words[..count].to_vec()).reading(&region.marks).len(),
    };
    let is_item = marker(&text).is_some_and(|found| found.kind == MarkerKind::Number)
        && has_hanging_gap(&line);
    let is_label = article(&text, Language::Other).is_some_and(|label| label.has_title());
    let title_x = title_x(&line).filter(|_| is_label);
    Open {
        is_entry: is_entry(&line, &text),
        title_x,
        lead: lead.min(text.len()),
        lines: 1,
        places: vec![place(text.clone(), line.area, region)],
        size: line.size,
        is_bold: line.is_bold,
        is_fixed: line.is_fixed,
        is_item,
        is_full: is_full(&line, region),
        last_page: region.page,
        text,
        last: line,
    }
}

/// How much room the last line had left once the next line's first word had been put there.
fn room(last: &Segment, line: &Segment, region: &Region) -> f32 {
    let first = line.words.iter().take_while(|word| word.x0 == line.words[0].x0 || word.is_glued);
    let word = first.last().map_or(0.0, |word| word.x1 - line.area.x0);
    region.area.x1 - last.area.x1 - word - 0.3 * line.size
}

fn is_full(line: &Segment, region: &Region) -> bool {
    region.area.x1 - line.area.x1 < 3.0 * line.size
}

fn ends_block_text(text: &str) -> bool {
    let last = text.rsplit(' ').next().unwrap_or_default();
    text.ends_with(['.', ':', ';', '!', '?', ',', ')', '»', '”', '"', '“']) || is_conjunction(last)
}

/// A full stop, or what stands after one.
fn ends_with_stop(text: &str) -> bool {
    let bare = text.trim_end_matches(['»', '”', '"', '“', ')', '’', '⁰', '¹', '²', '³']);
    bare.ends_with(['.', ':', ';', '!', '?', '。', '؟'])
}

fn looks_different(open: &Open, line: &Segment, is_free: bool) -> bool {
    let ratio = line.size / open.last.size.max(0.1);
    if !(0.93..=1.08).contains(&ratio) {
        return true;
    }
    match (open.is_bold, line.is_bold) {
        (true, false) => open.lines <= MAX_HEADING_LINES,
        (false, true) => is_free,
        _ => false,
    }
}

fn has_hanging_gap(line: &Segment) -> bool {
    match line.words.as_slice() {
        [first, second, ..] => second.x0 - first.x1 > 0.45 * line.size,
        _ => false,
    }
}

/// Where the text begins that a wide gap sets apart from the first two words.
fn title_x(line: &Segment) -> Option<f32> {
    let mut pairs = line.words.windows(2).take(3);
    pairs.find(|pair| pair[1].x0 - pair[0].x1 > 0.8 * line.size).map(|pair| pair[1].x0)
}

/// A line of a table of contents: dots, or a wide gap, and then the number of a page.
fn is_entry(line: &Segment, text: &str) -> bool {
    let ends_apart = match line.words.as_slice() {
        [.., before, last] => {
            last.x0 - before.x1 > 3.0 * line.size
                && last.text.len() <= 4
                && last.text.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    };
    ends_apart || text.contains(".....") || text.contains(". . . . .")
}

fn begins_item(line: &Segment, text: &str, is_free: bool) -> bool {
    let Some(first) = line.words.first() else { return false };
    if is_bullet(&first.text) {
        return true;
    }
    let is_raised_number = first.is_raised && first.text.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_raised_number && line.words.len() > 1 {
        return is_free || first.text.starts_with(|c: char| c.is_ascii_digit());
    }
    let hangs = has_hanging_gap(line);
    marker(text).is_some_and(|found| match found.kind {
        MarkerKind::Paragraph => hangs && is_free,
        MarkerKind::Bullet => hangs || is_free,
        MarkerKind::Letter | MarkerKind::Number => is_free || hangs && found.value.len() < 3,
    })
}

fn begins_article(line: &Segment, text: &str, is_free: bool) -> bool {
    let Some(label) = article(text, Language::Other) else { return false };
    let is_bold = line.words.first().is_some_and(|word| word.is_bold);
    is_bold || title_x(line).is_some() || is_free && !label.is_reference() && label.has_title()
}

/// The first line of a paragraph may be set in.
fn is_indented(open: &Open, line: &Segment) -> bool {
    let by = line.area.x0 - open.last.area.x0;
    let em = line.size;
    match () {
        _ if by > 0.7 * em && by < 8.0 * em => {
            let is_hanging = open.lines == 1 && (open.is_item || marker(&open.text).is_some());
            !is_hanging && ends_with_stop(&open.text) && open.last_page > 0
        }
        // The end of a list, and text at the margin again.
        _ if by < -0.7 * em => open.lines > 1 && ends_with_stop(&open.text),
        _ => false,
    }
}

/// Whether the paragraph ended with the last line: the next word would have fitted there.
fn ends_here(open: &Open, line: &Segment, region: &Region) -> bool {
    let room = room(&open.last, line, region);
    let em = line.size;
    let starts =
        line.words.first().is_some_and(|word| word.text.starts_with(|c: char| !c.is_lowercase()));
    room > 1.5 * em && ends_with_stop(&open.text) && starts
}

/// Whether the line break before `line` was meant, inside a block: an address, a verse.
fn breaks(open: &Open, line: &Segment, region: &Region) -> bool {
    let starts = line.words.first().is_some_and(|word| {
        word.text.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
    });
    let width = region.area.width();
    let is_short = open.last.area.x1 - region.area.x0 < 0.7 * width;
    // A hyphen at the end divides a word, or joins it with the next one.
    let is_divided = open.text.ends_with('-') && !open.text.ends_with(" -");
    starts && is_short && !is_divided && room(&open.last, line, region) > 2.0 * line.size
}

/// Whether a paragraph goes on at the top of the next column or page.
fn continues(open: &Open, line: &Segment) -> bool {
    let ratio = line.size / open.last.size.max(0.1);
    let text = line.text();
    let starts_lower = text.starts_with(char::is_lowercase);
    let is_item = begins_item(line, &text, true) || begins_article(line, &text, true);
    let is_alike = (0.93..=1.08).contains(&ratio)
        && open.is_bold == line.is_bold
        && open.is_fixed == line.is_fixed;
    let divided = open.text.ends_with(['-', '\u{ad}']);
    is_alike
        && !is_item
        && !ends_with_stop(&open.text)
        && (divided || starts_lower || open.is_full && !ends_sentence_short(&open.text))
}

fn ends_sentence_short(text: &str) -> bool {
    text.len() < 60 && ends_sentence(text)
}

/// "CHF 20.–", "12.03.2026": bold, but no heading.
fn is_value(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    digits > letters
}

/// Gives headings their levels: the larger the higher, bold before plain.
fn rank(pieces: &mut [Piece]) {
    let mut styles: Vec<(i32, bool)> = pieces.iter().filter_map(|piece| piece.style).collect();
    styles.sort_unstable_by(|a, b| b.cmp(a));
    styles.dedup();
    for piece in pieces {
        let Some(style) = piece.style else { continue };
        let rank = styles.iter().position(|other| *other == style).unwrap_or(0);
        piece.raw.kind = BlockKind::Heading { level: (rank + 1).min(6) as u8 };
    }
}
