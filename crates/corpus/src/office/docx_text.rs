//! The text of one paragraph of a Word document: its runs, fields, controls and what hangs on it.

use super::docx_formula;
use super::docx_styles::{Look, Styles, is_on};
use crate::clean::LINE_BREAK;
use crate::xml::Element;

/// An alternative text is not longer; beyond that it is a description that a program made.
const MAX_ALTERNATIVE_BYTES: usize = 300;

/// A paragraph's text and what hangs on it.
#[derive(Default)]
pub(super) struct Text<'a> {
    pub text: String,
    /// How many bytes at the start are bold.
    pub lead: usize,
    /// Paragraphs and tables that stand in boxes anchored here.
    pub boxes: Vec<Element<'a>>,
    /// Charts and diagrams that are anchored here.
    pub drawn: Vec<Element<'a>>,
    pub notes: Vec<Note>,
}

/// A mark that leads to a note.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Note {
    Foot(String),
    End(String),
}

/// Where a field stands: its instruction is not shown, its result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Instruction,
    Result,
}

/// What a paragraph's letters stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// White letters are not seen on it.
    Paper,
    /// A cell, a box or a paragraph that may be filled with a colour.
    Unknown,
}

/// Reads the text of a paragraph; `fields` are open across paragraphs.
pub(super) fn read<'a>(
    paragraph: Element<'a>,
    look: Look,
    ground: Ground,
    styles: &Styles,
    fields: &mut Vec<Field>,
) -> Text<'a> {
    let mut reader =
        Reader { styles, fields, paragraph: look, ground, found: Text::default(), only_bold: true };
    reader.inline(paragraph);
    reader.found
}

struct Reader<'r, 'a> {
    styles: &'r Styles,
    fields: &'r mut Vec<Field>,
    /// The look that the paragraph's style gives.
    paragraph: Look,
    ground: Ground,
    found: Text<'a>,
    /// Whether all text so far was bold.
    only_bold: bool,
}

impl<'a> Reader<'_, 'a> {
    fn inline(&mut self, parent: Element<'a>) {
        for child in parent.children() {
            match child.name() {
                "r" => self.run(child),
                "hyperlink" | "smartTag" | "ins" | "moveTo" | "customXml" | "fldSimple" | "dir"
                | "bdo" | "sdtContent" => self.inline(child),
                "sdt" => child.child("sdtContent").into_iter().for_each(|c| self.inline(c)),
                "AlternateContent" => choice(child).into_iter().for_each(|c| self.inline(c)),
                "oMath" | "oMathPara" => self.push(&docx_formula::read(child), Look::default()),
                _ => {}
            }
        }
    }

    fn run(&mut self, run: Element<'a>) {
        let properties = run.child("rPr");
        let style = properties.and_then(|p| p.child("rStyle")).and_then(|s| s.attribute("val"));
        let styled = style.map(|id| self.styles.character_look(id)).unwrap_or_default();
        let look = Look::of(properties).or(styled).or(self.paragraph);
        self.run_content(run, look);
    }

    fn run_content(&mut self, run: Element<'a>, look: Look) {
        let is_unseen = self.ground == Ground::Paper && look.white == Some(true);
        let is_hidden = look.hidden == Some(true) || look.struck == Some(true) || is_unseen;
        for child in run.children() {
            match child.name() {
                "fldChar" => self.field(child),
                _ if is_hidden || self.fields.contains(&Field::Instruction) => {}
                "t" => self.push(&child.text(), look),
                "tab" | "ptab" => self.push(" ", look),
                "br" | "cr" => self.push(LINE_BREAK.encode_utf8(&mut [0; 4]), look),
                "noBreakHyphen" => self.push("-", look),
                "sym" => self.symbol(child),
                "footnoteReference" | "endnoteReference" => self.note(child),
                "drawing" | "pict" | "object" => self.drawing(child),
                "AlternateContent" => {
                    choice(child).into_iter().for_each(|c| self.run_content(c, look));
                }
                "ruby" => child.child("rubyBase").into_iter().for_each(|base| self.inline(base)),
                _ => {}
            }
        }
    }

    fn push(&mut self, text: &str, look: Look) {
        let start = self.found.text.len();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match look.raised == Some(true) && is_number {
            // A raised number at the start counts a paragraph.
            true if self.found.text.trim().is_empty() => {
                self.found.text.push_str(text);
                self.found.text.push(' ');
            }
            true => self.found.text.extend(text.bytes().map(raised_digit)),
            false => self.found.text.push_str(text),
        }
        if self.found.text[start..].trim().is_empty() {
            return;
        }
        self.only_bold &= look.bold == Some(true);
        if self.only_bold {
            self.found.lead = self.found.text.len();
        }
    }

    /// The begin, middle or end of a field. Old form fields show what they hold at their begin.
    fn field(&mut self, mark: Element<'a>) {
        match mark.attribute("fldCharType") {
            Some("begin") => {
                if let Some(value) = mark.child("ffData").and_then(form_value) {
                    self.push(&value, Look::default());
                }
                self.fields.push(Field::Instruction);
            }
            Some("separate") => {
                if let Some(last) = self.fields.last_mut() {
                    *last = Field::Result;
                }
            }
            _ => drop(self.fields.pop()),
        }
    }

    /// A sign of a font of symbols: boxes that are ticked or not; others have no meaning as text.
    fn symbol(&mut self, symbol: Element<'a>) {
        let code = symbol.attribute("char").and_then(|c| u32::from_str_radix(c, 16).ok());
        let Some(code) = code else { return };
        let is_wingdings =
            symbol.attribute("font").is_some_and(|font| font.starts_with("Wingdings"));
        let sign = match code & 0xff {
            0x6f | 0x71 | 0xa8 if is_wingdings => Some('☐'),
            0xfe | 0x78 | 0xfd if is_wingdings => Some('☒'),
            0xfc if is_wingdings => Some('✓'),
            _ if (0xf000..0xf100).contains(&code) => None,
            _ => char::from_u32(code),
        };
        if let Some(sign) = sign {
            self.push(sign.encode_utf8(&mut [0; 4]), Look::default());
        }
    }

    fn note(&mut self, mark: Element<'a>) {
        let Some(id) = mark.attribute("id").map(str::to_owned) else { return };
        self.found.notes.push(if mark.is("footnoteReference") {
            Note::Foot(id)
        } else {
            Note::End(id)
        });
    }

    /// A picture's alternative text, and the boxes of text in a drawing.
    fn drawing(&mut self, drawing: Element<'a>) {
        let mut boxes =
            drawing.descendants().filter(|element| element.is("txbxContent")).peekable();
        if boxes.peek().is_some() {
            let mut inner = Vec::new();
            for content in boxes {
                // A box in a box comes when the outer one is read.
                if !inner.contains(&content.id()) {
                    inner.extend(
                        content.descendants().filter(|e| e.is("txbxContent")).map(Element::id),
                    );
                    self.found.boxes.push(content);
                }
            }
            return;
        }
        let drawn = drawing.descendants().filter(|e| e.is("chart") || e.is("relIds"));
        self.found.drawn.extend(drawn);
        let described = drawing.descendants().find(|element| element.is("docPr"));
        let text = described.and_then(|d| d.attribute("descr")).unwrap_or_default().trim();
        if is_alternative(text) {
            self.push(" ", Look::default());
            self.push(text, Look::default());
            self.push(" ", Look::default());
        }
    }
}

/// Whether a picture's description was written by a person, and for it.
pub(crate) fn is_alternative(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ALTERNATIVE_BYTES && !is_made(text)
}

/// Whether a program made a picture's description: the name of its file, or a guess.
pub(crate) fn is_made(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let guesses = [
        "automatically generated",
        "automatisch generiert",
        "générée automatiquement",
        "generata automaticamente",
        "generato automaticamente",
    ];
    let endings = [".png", ".jpg", ".jpeg", ".gif", ".emf", ".svg", ".wmf", ".webp", ".bmp"];
    guesses.iter().any(|guess| lower.contains(guess))
        || endings.iter().any(|ending| lower.ends_with(ending))
        || lower.starts_with("http")
}

/// Of a content in several forms, the first one: the others say the same for older programs.
pub(super) fn choice(alternatives: Element<'_>) -> Option<Element<'_>> {
    alternatives.child("Choice").or_else(|| alternatives.child("Fallback"))
}

fn form_value(form: Element) -> Option<String> {
    if let Some(check) = form.child("checkBox") {
        let state = check.child("checked").or_else(|| check.child("default"));
        return Some(if state.is_some_and(is_on) { "☒ " } else { "☐ " }.to_owned());
    }
    let list = form.child("ddList")?;
    let chosen: usize = list.child("result").and_then(|result| result.number("val")).unwrap_or(0);
    let entry = list.children().filter(|entry| entry.is("listEntry")).nth(chosen)?;
    entry.attribute("val").map(str::to_owned)
}

pub(super) fn raised_digit(digit: u8) -> char {
    ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][usize::from(digit - b'0') % 10]
}
