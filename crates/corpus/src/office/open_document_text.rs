//! Texts of OpenDocument: headings, paragraphs, lists, tables, notes.

use std::collections::HashMap;

use super::docx_styles::Look;
use super::docx_text::{is_alternative, raised_digit};
use super::open_document_object::{Object, Objects};
use super::open_document_style::{Counts, OUTLINE, Styles};
use crate::BlockKind;
use crate::clean::LINE_BREAK;
use crate::frame::Frame;
use crate::label::{MarkerKind, marker};
use crate::raw::Raw;
use crate::xml::{Child, Element};

/// One element may stand for so many blanks at most.
const MAX_BLANKS: usize = 100;

pub(super) struct Reader<'a> {
    pub(super) styles: &'a Styles,
    pub(super) found: Vec<Raw>,
    /// Notes; they come at the end of the section.
    notes: Vec<Raw>,
    /// How far each list style has counted.
    counts: HashMap<String, Counts>,
    /// Open lists: style and level.
    lists: Vec<String>,
    /// A marker waits for its item's first text.
    waiting: Option<String>,
    tables: usize,
}

/// A paragraph's text while it is read.
#[derive(Default)]
struct Text<'a> {
    text: String,
    lead: usize,
    only_bold: bool,
    boxes: Vec<Element<'a>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(styles: &'a Styles) -> Reader<'a> {
        Reader {
            styles,
            found: Vec::new(),
            notes: Vec::new(),
            counts: HashMap::new(),
            lists: Vec::new(),
            waiting: None,
            tables: 0,
        }
    }

    pub(super) fn blocks(&mut self, parent: Element<'a>) {
        for child in parent.children() {
            match child.name() {
                "h" => self.heading(child),
                "p" => self.paragraph(child),
                "list" => self.list(child),
                "table" => self.table(child),
                "section" if child.attribute("text:display") != Some("none") => self.blocks(child),
                "frame" | "custom-shape" | "text-box" | "g" | "rect" | "numbered-paragraph" => {
                    self.blocks(child);
                }
                "object" => {
                    if let Some(Object::Rows(rows)) = self.styles.objects.get(&child.id()) {
                        self.found.extend_from_slice(rows);
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn flush_notes(&mut self) {
        self.found.append(&mut self.notes);
    }

    fn heading(&mut self, element: Element<'a>) {
        let level: usize = element.number("text:outline-level").unwrap_or(1).clamp(1, 10);
        let text = self.text(element);
        let is_listed = element.attribute("text:is-list-header") != Some("true");
        let number = if is_listed { self.count(OUTLINE, level - 1, None) } else { String::new() };
        if !text.text.trim().is_empty() {
            if self.tables == 0 {
                self.flush_notes();
            }
            let kind = match self.tables {
                0 => BlockKind::Heading { level: level.min(6) as u8 },
                _ => BlockKind::Paragraph,
            };
            let shown = if number == "-" { "" } else { number.as_str() };
            self.found.push(Raw::new(kind, format!("{shown} {}", text.text).trim()));
        }
        text.boxes.into_iter().for_each(|content| self.blocks(content));
    }

    fn paragraph(&mut self, element: Element<'a>) {
        let style = element.attribute("text:style-name");
        let text = self.text(element);
        if !text.text.trim().is_empty() {
            let is_title = self.tables == 0 && self.styles.is_based_on(style, "Title");
            let kind = match () {
                _ if is_title => BlockKind::Heading { level: 1 },
                _ if self.styles.is_based_on(style, "Preformatted_20_Text") => BlockKind::Code,
                _ if self.styles.is_based_on(style, "Quotations") => BlockKind::Quote,
                _ if !self.lists.is_empty() => BlockKind::ListItem,
                _ => BlockKind::Paragraph,
            };
            let marker = self.waiting.take().filter(|marker| !marker.is_empty());
            let raw = match marker {
                Some(marker) => {
                    Raw::new(item_kind(&marker), format!("{marker} {}", text.text.trim_start()))
                }
                None => Raw { kind, text: text.text, lead: text.lead },
            };
            self.found.push(raw);
        }
        text.boxes.into_iter().for_each(|content| self.blocks(content));
    }

    fn list(&mut self, list: Element<'a>) {
        let style = list.attribute("text:style-name").map(str::to_owned);
        let style = style.or_else(|| self.lists.last().cloned()).unwrap_or_default();
        let level = self.lists.len();
        let goes_on = list.attribute("text:continue-numbering") == Some("true")
            || list.attribute("text:continue-list").is_some();
        if !goes_on {
            let counts = self.counts.entry(style.clone()).or_default();
            counts.iter_mut().skip(level).for_each(|count| *count = 0);
        }
        self.lists.push(style.clone());
        for item in list.children() {
            match item.name() {
                "list-item" => {
                    let start = item.number("text:start-value");
                    self.waiting = Some(self.count(&style, level, start));
                    self.blocks(item);
                    self.waiting = None;
                }
                "list-header" => self.blocks(item),
                _ => {}
            }
        }
        self.lists.pop();
    }

    /// Counts an item and gives its marker.
    fn count(&mut self, list: &str, level: usize, start: Option<u32>) -> String {
        let level = level.min(9);
        let first = self.styles.start(list, level);
        let counts = self.counts.entry(list.to_owned()).or_default();
        counts[level] = match (start, counts[level]) {
            (Some(start), _) => start,
            (None, 0) => first,
            (None, count) => count.saturating_add(1),
        };
        counts.iter_mut().skip(level + 1).for_each(|count| *count = 0);
        let counts = *counts;
        match list == OUTLINE {
            true => Some(self.styles.marker(list, level, &counts))
                .filter(|m| m != "-")
                .unwrap_or_default(),
            false => self.styles.marker(list, level, &counts),
        }
    }

    fn table(&mut self, table: Element<'a>) {
        let mut frame = Frame::default();
        self.tables += 1;
        self.rows(table, &mut frame, false);
        self.tables -= 1;
        self.found.extend(frame.finish());
    }

    fn rows(&mut self, parent: Element<'a>, frame: &mut Frame, is_header: bool) {
        for child in parent.children() {
            match child.name() {
                "table-header-rows" => self.rows(child, frame, true),
                "table-rows" | "table-row-group" => self.rows(child, frame, is_header),
                "table-row" => {
                    frame.open_row();
                    for cell in child.children().filter(|cell| cell.is("table-cell")) {
                        let span = |name: &str| cell.number(name).unwrap_or(1);
                        let columns = span("table:number-columns-spanned");
                        frame.open_cell(columns, span("table:number-rows-spanned"));
                        let blocks = self.apart(cell);
                        frame
                            .open_cell_blocks()
                            .into_iter()
                            .for_each(|open| open.extend_from_slice(&blocks));
                        frame.close_cell(is_header || self.reads_as_header(cell));
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether a cell's paragraphs have the style of table headings.
    fn reads_as_header(&self, cell: Element) -> bool {
        let mut paragraphs = cell.children().filter(|child| child.is("p")).peekable();
        paragraphs.peek().is_some()
            && paragraphs.all(|p| {
                self.styles.is_based_on(p.attribute("text:style-name"), "Table_20_Heading")
            })
    }

    /// Reads what stands in a cell or a note.
    fn apart(&mut self, element: Element<'a>) -> Vec<Raw> {
        let found = std::mem::take(&mut self.found);
        let (lists, waiting) = (std::mem::take(&mut self.lists), self.waiting.take());
        self.tables += 1;
        self.blocks(element);
        self.tables -= 1;
        (self.lists, self.waiting) = (lists, waiting);
        std::mem::replace(&mut self.found, found)
    }

    fn text(&mut self, element: Element<'a>) -> Text<'a> {
        let mut text = Text { only_bold: true, ..Text::default() };
        let look = self.styles.look(element.attribute("text:style-name"));
        self.inline(element, look, &mut text);
        text
    }

    fn inline(&mut self, element: Element<'a>, look: Look, out: &mut Text<'a>) {
        if look.hidden == Some(true) || look.struck == Some(true) {
            return;
        }
        for child in element.content() {
            let child = match child {
                Child::Text(text) => {
                    out.push(text, look);
                    continue;
                }
                Child::Element(child) => child,
            };
            match child.name() {
                "s" => {
                    let count: usize = child.number("text:c").unwrap_or(1);
                    out.push(&" ".repeat(count.min(MAX_BLANKS)), look);
                }
                "tab" => out.push(" ", look),
                "line-break" => out.push(LINE_BREAK.encode_utf8(&mut [0; 4]), look),
                "note" => self.note(child),
                "frame" | "custom-shape" | "g" | "rect" => {
                    picture(child, &self.styles.objects, out);
                }
                "ruby" => {
                    child.child("ruby-base").into_iter().for_each(|c| self.inline(c, look, out))
                }
                // Comments, deleted text, marks of places.
                "annotation" | "annotation-end" | "tracked-changes" | "hidden-text" | "script"
                | "hidden-paragraph" => {}
                _ => {
                    let own = self.styles.look(child.attribute("text:style-name"));
                    self.inline(child, own.or(look), out);
                }
            }
        }
    }

    fn note(&mut self, note: Element<'a>) {
        let Some(body) = note.child("note-body") else { return };
        let blocks = self.apart(body);
        let texts: Vec<&str> = blocks.iter().map(|raw| raw.text.trim()).collect();
        let text = texts.join(LINE_BREAK.encode_utf8(&mut [0; 4]));
        self.notes.push(Raw::new(BlockKind::Note, text));
    }
}

impl Text<'_> {
    fn push(&mut self, text: &str, look: Look) {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match look.raised == Some(true) && is_number {
            true if self.text.trim().is_empty() => {
                self.text.push_str(text);
                self.text.push(' ');
            }
            true => self.text.extend(text.bytes().map(raised_digit)),
            false => self.text.push_str(text),
        }
        if text.trim().is_empty() {
            return;
        }
        self.only_bold &= look.bold == Some(true);
        if self.only_bold {
            self.lead = self.text.len();
        }
    }
}

/// A drawing's box of text comes after the paragraph; of a picture its alternative text stays.
/// A formula stands in the line.
fn picture<'a>(frame: Element<'a>, objects: &Objects, out: &mut Text<'a>) {
    let mut shown = frame.descendants().filter_map(|element| objects.get(&element.id()));
    if let Some(Object::Formula(formula)) = shown.next() {
        return out.push(formula, Look::default());
    }
    let has_text = frame.descendants().any(|element| {
        matches!(element.name(), "p" | "h" | "table") || objects.contains_key(&element.id())
    });
    if has_text {
        out.boxes.push(frame);
        return;
    }
    let said = frame.descendants().find(|element| matches!(element.name(), "desc" | "title"));
    let said = said.map(Element::text).unwrap_or_default();
    if is_alternative(said.trim()) {
        out.push(&format!(" {} ", said.trim()), Look::default());
    }
}

fn item_kind(number: &str) -> BlockKind {
    match marker(&format!("{number} x")).map(|found| found.kind) {
        Some(MarkerKind::Paragraph) => BlockKind::Paragraph,
        None if number.contains(char::is_alphabetic) => BlockKind::Paragraph,
        _ => BlockKind::ListItem,
    }
}
