//! Documents of Word: what a reader sees with all changes accepted.

use std::collections::HashMap;

use super::docx_inserted;
use super::docx_numbering::{Marker, Numbering};
use super::docx_styles::{Look, Role, Styles, is_on, numbered, outline};
use super::docx_table;
use super::docx_text::{self, Field, Ground, Note, choice};
use super::graphic::{self, Graphics};
use super::relations::{Relations, main_part, title};
use crate::clean::LINE_BREAK;
use crate::found::Found;
use crate::label::{MarkerKind, is_title, marker};
use crate::package::Package;
use crate::raw::Raw;
use crate::xml::{Element, Xml};
use crate::{BlockKind, Unreadable};

pub(super) const FORMAT: &str = "Word";
const DOCUMENT: &str = "word/document.xml";

/// A bold line that stands for a heading is not longer.
const MAX_BOLD_HEADING_BYTES: usize = 100;
/// The level of headings that are only bold lines.
const BOLD_HEADING_LEVEL: u8 = 3;

/// Reads a document.
pub(crate) fn read(bytes: &[u8]) -> Result<Found, Unreadable> {
    let mut package = Package::open(bytes, FORMAT)?;
    let main = main_part(&mut package, DOCUMENT, FORMAT)?;
    let document = Xml::parse(&package.required(&main)?, FORMAT)?;
    let relations = Relations::of(&mut package, &main, FORMAT)?;
    let mut part = |kind: &str| -> Result<Option<Xml>, Unreadable> {
        let Some(path) = relations.of_kind(kind).into_iter().next() else { return Ok(None) };
        package.part(&path)?.map(|bytes| Xml::parse(&bytes, FORMAT)).transpose()
    };
    let (styles, numbering) = (part("styles")?, part("numbering")?);
    let (footnotes, endnotes) = (part("footnotes")?, part("endnotes")?);
    let mut notes = HashMap::new();
    notes.extend(footnotes.iter().flat_map(|xml| note_bodies(xml, Note::Foot)));
    notes.extend(endnotes.iter().flat_map(|xml| note_bodies(xml, Note::End)));
    let mut graphics = graphic::read(&mut package, &relations, document.root(), FORMAT)?;
    let left_out = docx_inserted::read(&mut package, &relations, document.root(), &mut graphics)?;
    let styles = styles.map(|xml| Styles::read(xml.root())).unwrap_or_default();
    let mut reader = Reader {
        styles,
        numbering: numbering.map(|xml| Numbering::read(xml.root())).unwrap_or_default(),
        notes,
        graphics,
        ..Reader::default()
    };
    let body = document.root().child("body").ok_or(Unreadable::Broken {
        format: FORMAT,
        detail: "the document has no body".to_owned(),
    })?;
    reader.blocks(body);
    reader.flush_notes();
    let raws = with_bold_headings(reader.found);
    let title = title(&mut package, "docProps/core.xml", FORMAT);
    Ok(Found { title, left_out, ..Found::of(raws) })
}

/// The notes of a part; those that only hold the line above notes are none.
fn note_bodies(xml: &Xml, make: fn(String) -> Note) -> impl Iterator<Item = (Note, Element<'_>)> {
    let notes = xml
        .root()
        .children()
        .filter(|note| note.attribute("type").is_none_or(|kind| kind == "normal"));
    notes.filter_map(move |note| Some((make(note.attribute("id")?.to_owned()), note)))
}

#[derive(Default)]
pub(super) struct Reader<'a> {
    pub(super) styles: Styles,
    numbering: Numbering,
    notes: HashMap<Note, Element<'a>>,
    graphics: Graphics,
    found: Vec<Raw>,
    /// Notes whose marks were read; they come at the end of the section.
    waiting: Vec<Note>,
    fields: Vec<Field>,
    /// How many tables are open: in them nothing is a heading.
    tables: usize,
    /// How many boxes of text are open: they may be filled with a colour.
    boxes: usize,
}

impl<'a> Reader<'a> {
    /// Reads paragraphs and tables.
    pub(super) fn blocks(&mut self, parent: Element<'a>) {
        for child in parent.children() {
            match child.name() {
                "p" => self.paragraph(child),
                "tbl" => self.table(child),
                "sdt" if !is_contents(child) => {
                    child.child("sdtContent").into_iter().for_each(|c| self.blocks(c));
                }
                "customXml" | "ins" | "moveTo" | "smartTag" => self.blocks(child),
                "AlternateContent" => choice(child).into_iter().for_each(|c| self.blocks(c)),
                "altChunk" => {
                    self.found.extend(self.graphics.remove(&child.id()).unwrap_or_default())
                }
                _ => {}
            }
        }
    }

    /// Reads what stands in a cell or a note, apart from the text.
    pub(super) fn apart(&mut self, parent: Element<'a>) -> Vec<Raw> {
        let before = std::mem::take(&mut self.found);
        self.tables += 1;
        self.blocks(parent);
        self.tables -= 1;
        std::mem::replace(&mut self.found, before)
    }

    fn table(&mut self, table: Element<'a>) {
        let rows = docx_table::read(self, table);
        self.found.extend(rows);
    }

    fn paragraph(&mut self, paragraph: Element<'a>) {
        let properties = paragraph.child("pPr");
        let style = properties.and_then(|p| p.child("pStyle")).and_then(|s| s.attribute("val"));
        let role = match properties.and_then(outline) {
            Some(level @ 0..=8) if self.styles.role(style) == Role::Text => {
                Role::Heading(level + 1)
            }
            _ => self.styles.role(style),
        };
        if role == Role::Contents {
            return;
        }
        let look = self.styles.look(style);
        let has_ground = self.tables > 0
            || self.boxes > 0
            || properties.is_some_and(|p| p.child("shd").is_some())
            || self.styles.has_ground(style);
        let ground = if has_ground { Ground::Unknown } else { Ground::Paper };
        let text = docx_text::read(paragraph, look, ground, &self.styles, &mut self.fields);
        self.waiting.extend(text.notes);
        let is_gone = text.text.trim().is_empty() && mark_is_gone(properties, look);
        let marker = if is_gone { None } else { self.marker(properties, style) };
        if !text.text.trim().is_empty() {
            self.emit(role, marker, text.text, text.lead);
        }
        self.boxes += 1;
        for content in text.boxes {
            self.blocks(content);
        }
        self.boxes -= 1;
        let drawn = text.drawn.iter().filter_map(|element| self.graphics.remove(&element.id()));
        self.found.extend(drawn.flatten());
    }

    /// Counts the paragraph in its list.
    fn marker(&mut self, properties: Option<Element>, style: Option<&str>) -> Option<Marker> {
        let own = properties.and_then(numbered).unwrap_or_default();
        let styled = self.styles.numbering(style);
        let by_style = own.list.is_none();
        let (styled, owner) = styled.unwrap_or_default();
        let list = own.list.or(styled.list).filter(|list| list != "0")?;
        let bound = || {
            self.numbering
                .level_of_style(&list, style.unwrap_or(owner))
                .or_else(|| self.numbering.level_of_style(&list, owner))
        };
        let bound = if by_style { bound() } else { None };
        let level = own.level.or(bound).or(styled.level).unwrap_or(0);
        self.numbering.next(&list, level)
    }

    fn emit(&mut self, role: Role, number: Option<Marker>, text: String, lead: usize) {
        let number = match number {
            Some(Marker::Bullet) => "-".to_owned(),
            Some(Marker::Number(number)) => number,
            _ => String::new(),
        };
        let kind = match role {
            Role::Title if self.tables == 0 => BlockKind::Heading { level: 1 },
            Role::Heading(level) if self.tables == 0 => BlockKind::Heading { level: level.min(6) },
            Role::Code => BlockKind::Code,
            Role::Quote => BlockKind::Quote,
            _ if number.is_empty() => BlockKind::Paragraph,
            _ => item_kind(&number),
        };
        if matches!(kind, BlockKind::Heading { .. }) {
            self.flush_notes();
        }
        if number.is_empty() {
            return self.found.push(Raw { kind, text, lead });
        }
        let lead = if lead > 0 { number.len() + 1 + lead } else { 0 };
        self.found.push(Raw { kind, text: format!("{number} {text}"), lead });
    }

    /// The notes of a section stand at its end.
    fn flush_notes(&mut self) {
        for note in std::mem::take(&mut self.waiting) {
            let Some(body) = self.notes.remove(&note) else { continue };
            let blocks = self.apart(body);
            let texts: Vec<&str> = blocks.iter().map(|raw| raw.text.trim()).collect();
            let text = texts.join(LINE_BREAK.encode_utf8(&mut [0; 4]));
            self.found.push(Raw::new(BlockKind::Note, text));
        }
    }
}

/// Whether a paragraph that shows nothing was deleted or hidden, so that it is not counted.
fn mark_is_gone(properties: Option<Element>, look: Look) -> bool {
    let mark = properties.and_then(|p| p.child("rPr"));
    let is_deleted = mark.is_some_and(|mark| {
        mark.children().any(|child| matches!(child.name(), "del" | "moveFrom"))
    });
    is_deleted || Look::of(mark).or(look).hidden == Some(true)
}

/// Whether a control holds the table of contents.
fn is_contents(control: Element) -> bool {
    let gallery = control.at(&["sdtPr", "docPartObj", "docPartGallery"]);
    gallery.and_then(|gallery| gallery.attribute("val")) == Some("Table of Contents")
}

/// What a numbered paragraph is: "(1)" counts an article's paragraphs, "Art. 1" is a label.
fn item_kind(number: &str) -> BlockKind {
    match marker(&format!("{number} x")).map(|found| found.kind) {
        Some(MarkerKind::Letter | MarkerKind::Bullet | MarkerKind::Number) => BlockKind::ListItem,
        _ if number.chars().count() <= 6
            && !number.contains(char::is_alphabetic)
            && !number.starts_with(['(', '§']) =>
        {
            BlockKind::ListItem
        }
        _ => BlockKind::Paragraph,
    }
}

/// Where a document has no headings, its bold lines are some.
fn with_bold_headings(mut raws: Vec<Raw>) -> Vec<Raw> {
    if raws.iter().any(|raw| matches!(raw.kind, BlockKind::Heading { .. })) {
        return raws;
    }
    let last = raws.len().saturating_sub(1);
    for raw in &mut raws[..last] {
        let text = raw.text.trim();
        let is_item = matches!(raw.kind, BlockKind::Paragraph | BlockKind::ListItem);
        let is_bold = raw.lead >= raw.text.trim_end().len();
        if is_item
            && is_bold
            && text.len() <= MAX_BOLD_HEADING_BYTES
            && is_title(text)
            && !text.starts_with('-')
        {
            raw.kind = BlockKind::Heading { level: BOLD_HEADING_LEVEL };
        }
    }
    raws
}

/// Whether a property such as `tblHeader` is there and on.
pub(super) fn has(properties: Option<Element>, name: &str) -> bool {
    properties.and_then(|p| p.child(name)).is_some_and(is_on)
}
