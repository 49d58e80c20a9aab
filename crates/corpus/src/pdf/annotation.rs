//! What stands on a page beside its own drawing: the values of form fields, text boxes, stamps
//! and signatures (ISO 32000-1, sections 12.5 and 12.7).
//!
//! What a reader sees of them is their appearance, which the file draws. Where it draws none, their
//! values are written as a viewer would.

use hayro_syntax::object::{Array, Dict, Name, Object, Rect, Stream, String as Text};
use hayro_syntax::page::{Page, Resources};

use super::draw::{Appearance, Painter};
use super::fuel::MAX_PAGE_MARKS;
use super::sheet::{Glyph, Sheet, Turn};
use super::text_string::text_string;
use super::unpack::unpack;

const MAX_ANNOTATIONS: usize = 20_000;
const MAX_CHOICES: usize = 1000;
const MAX_VALUE_CHARS: usize = 20_000;
const MAX_PARENTS: usize = 16;

/// Of an annotation: nobody sees it.
const HIDDEN: u32 = 1 << 1 | 1 << 5;
/// Of a field: its value runs over several lines, is secret, is a push button's.
const MULTILINE: u32 = 1 << 12;
const PASSWORD: u32 = 1 << 13;
const PUSH_BUTTON: u32 = 1 << 16;

/// The width of a letter that is written, in heights.
const WIDTH: f32 = 0.5;
/// The heights of letters that are tried.
const SIZES: [f32; 8] = [11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0];

/// A text to be written on the page.
pub(super) struct Writing {
    text: String,
    /// Its rectangle's upper left corner, width and height on the sheet.
    at: (f32, f32),
    width: f32,
    height: f32,
    /// Whether it is broken into lines of that width.
    wraps: bool,
}

/// What the form of the file says about all of its fields.
struct Form<'a> {
    resources: Resources<'a>,
    /// Whether the appearances may be older than the values.
    is_stale: bool,
}

/// Draws the annotations of a page that have appearances; the others are returned.
pub(super) fn show<'a>(painter: &mut Painter<'_, 'a>, page: &Page<'a>) -> Vec<Writing> {
    let Some(annotations) = page.raw().get::<Array<'a>>("Annots") else { return Vec::new() };
    let form = form(page);
    let mut written = Vec::new();
    for annotation in annotations.iter::<Dict<'a>>().take(MAX_ANNOTATIONS) {
        let flags = annotation.get::<u32>("F").unwrap_or(0);
        let Some(rect) = annotation.get::<Rect>("Rect").filter(|_| flags & HIDDEN == 0) else {
            continue;
        };
        let writing = match annotation.get::<Name<'_>>("Subtype").as_deref() {
            Some(b"Widget") => widget(painter, &annotation, rect, page, &form),
            // Notes, and what is no part of the text.
            Some(b"Popup" | b"Text" | b"FileAttachment" | b"PrinterMark" | b"TrapNet") => None,
            kind => {
                let is_box = kind == Some(b"FreeText");
                let drawn = draw(painter, &annotation, rect, page, &form);
                let is_mute = is_box && matches!(drawn, Appearance::Mute);
                let said = annotation.get::<Text<'_>>("Contents").filter(|_| is_mute);
                said.map(|said| (text_string(said.as_bytes()), true))
            }
        };
        let Some((text, wraps)) = writing.filter(|(text, _)| !text.trim().is_empty()) else {
            continue;
        };
        let ((x0, y0), (x1, y1)) = corners(page, rect);
        let text = text.chars().take(MAX_VALUE_CHARS).collect();
        written.push(Writing { text, at: (x0, y0), width: x1 - x0, height: y1 - y0, wraps });
    }
    written
}

fn form<'a>(page: &Page<'a>) -> Form<'a> {
    let catalog = page.xref().get::<Dict<'a>>(page.xref().root_id()).unwrap_or_default();
    let form = catalog.get::<Dict<'a>>("AcroForm").unwrap_or_default();
    Form {
        resources: Resources::new(form.get::<Dict<'a>>("DR").unwrap_or_default()),
        is_stale: form.get::<bool>("NeedAppearances").unwrap_or(false),
    }
}

/// The upper left and the lower right corner of a rectangle on the sheet.
fn corners(page: &Page<'_>, rect: Rect) -> ((f32, f32), (f32, f32)) {
    let [a, b, c, d, e, f] = page.initial_transform(true).as_coeffs();
    let point = |x: f64, y: f64| ((a * x + c * y + e) as f32, (b * x + d * y + f) as f32);
    let (from, to) = (point(rect.x0, rect.y0), point(rect.x1, rect.y1));
    ((from.0.min(to.0), from.1.min(to.1)), (from.0.max(to.0), from.1.max(to.1)))
}

/// Draws the appearance of an annotation.
fn draw<'a>(
    painter: &mut Painter<'_, 'a>,
    annotation: &Dict<'a>,
    rect: Rect,
    page: &Page<'a>,
    form: &Form<'a>,
) -> Appearance {
    let Some(all) = annotation.get::<Dict<'a>>("AP") else { return Appearance::Mute };
    let state = || -> Option<Stream<'a>> {
        let name = annotation.get::<Name<'_>>("AS")?;
        all.get::<Dict<'a>>("N")?.get::<Stream<'a>>(name.as_ref())
    };
    match all.get::<Stream<'a>>("N").or_else(state) {
        Some(stream) => painter.appearance(&stream, rect, page, &form.resources),
        None => Appearance::Mute,
    }
}

/// Shows a field: draws it, or gives its value and whether that runs over several lines.
fn widget<'a>(
    painter: &mut Painter<'_, 'a>,
    widget: &Dict<'a>,
    rect: Rect,
    page: &Page<'a>,
    form: &Form<'a>,
) -> Option<(String, bool)> {
    let number = |object: Object<'_>| object.into_number().map_or(0, |number| number.as_i64());
    let flags = inherited(widget, "Ff").map_or(0, number) as u32;
    let kind = inherited(widget, "FT").and_then(Object::into_name);
    match kind.as_deref() {
        Some(b"Btn") => {
            let state = widget.get::<Name<'_>>("AS").filter(|_| flags & PUSH_BUTTON == 0)?;
            (state.as_ref() != b"Off").then(|| ("✓".to_owned(), false))
        }
        Some(b"Ch") => Some((chosen(widget)?, false)),
        Some(b"Tx") if flags & PASSWORD != 0 => None,
        Some(b"Tx") => text(painter, widget, rect, page, form).map(|v| (v, flags & MULTILINE != 0)),
        _ => {
            draw(painter, widget, rect, page, form);
            None
        }
    }
}

/// Draws a field of text, or gives its value.
fn text<'a>(
    painter: &mut Painter<'_, 'a>,
    widget: &Dict<'a>,
    rect: Rect,
    page: &Page<'a>,
    form: &Form<'a>,
) -> Option<String> {
    let value = match inherited(widget, "V") {
        Some(Object::String(text)) => Some(text_string(text.as_bytes())),
        Some(Object::Stream(text)) => unpack(&text, painter.fuel).map(|text| text_string(&text)),
        _ => None,
    };
    let value = value.filter(|value| !value.trim().is_empty());
    if form.is_stale && value.is_some() {
        return value;
    }
    let first = painter.sheet.glyphs.len();
    match (draw(painter, widget, rect, page, form), value) {
        (Appearance::Mute, value) => return value,
        // Its box is too small for it.
        (Appearance::Partial { glyphs, hidden }, Some(value)) => {
            painter.take_back(glyphs, hidden);
            return Some(value);
        }
        _ => align(&mut painter.sheet, first, page, rect),
    }
    None
}

/// What a field says, or the fields that it is a part of.
fn inherited<'a>(widget: &Dict<'a>, key: &str) -> Option<Object<'a>> {
    let mut field = widget.clone();
    for _ in 0..MAX_PARENTS {
        if let Some(found) = field.get::<Object<'a>>(key) {
            return Some(found);
        }
        field = field.get::<Dict<'a>>("Parent")?;
    }
    None
}

/// What was chosen in a field, as it is shown: values may have other names.
fn chosen(widget: &Dict<'_>) -> Option<String> {
    let options = inherited(widget, "Opt").and_then(Object::into_array).unwrap_or_default();
    let options: Vec<(String, String)> = options
        .iter::<Object<'_>>()
        .take(MAX_CHOICES)
        .filter_map(|option| {
            let mut pair = option.into_array()?.iter::<Text<'_>>().collect::<Vec<_>>().into_iter();
            let (value, shown) = (pair.next()?, pair.next()?);
            Some((text_string(value.as_bytes()), text_string(shown.as_bytes())))
        })
        .collect();
    let shown = |value: Text<'_>| -> String {
        let value = text_string(value.as_bytes());
        let found = options.iter().find(|(option, _)| *option == value);
        found.map_or(value, |(_, shown)| shown.clone())
    };
    match inherited(widget, "V")? {
        Object::String(value) => Some(shown(value)),
        Object::Array(values) => {
            let all = values.iter::<Text<'_>>().take(MAX_CHOICES).map(shown);
            Some(all.collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

/// Brings the letters of a field, from this one on, to the line of the field's label, if they
/// stand on one line.
fn align(sheet: &mut Sheet, first: usize, page: &Page<'_>, rect: Rect) {
    let (labels, value) = sheet.glyphs.split_at_mut(first);
    let Some(foot) = value.first().map(|glyph| glyph.y) else { return };
    let is_line = |glyph: &Glyph| glyph.turn == Turn::Upright && (glyph.y - foot).abs() < 0.5;
    let ((x0, top), (_, bottom)) = corners(page, rect);
    if !value.iter().all(is_line) || bottom - top > 4.0 * value[0].size {
        return;
    }
    if let Some(y) = beside(labels, x0, (top, bottom)) {
        value.iter_mut().for_each(|glyph| glyph.y = y);
    }
}

/// The foot of the line that stands beside a field: its label.
fn beside(glyphs: &[Glyph], x: f32, (top, bottom): (f32, f32)) -> Option<f32> {
    let labels = glyphs.iter().filter(|glyph| {
        glyph.turn == Turn::Upright && glyph.y > top + 1.0 && glyph.y < bottom + 2.0
    });
    let nearest = labels.min_by(|a, b| (a.x1 - x).abs().total_cmp(&(b.x1 - x).abs()));
    nearest.map(|glyph| glyph.y)
}

impl Writing {
    /// Writes it on the sheet.
    pub(super) fn put(&self, sheet: &mut Sheet) {
        let (lines, size) = self.lines();
        let (x, top) = self.at;
        let middle = top + 0.5 * self.height + 0.35 * size;
        let label = beside(&sheet.glyphs, x, (top, top + self.height)).unwrap_or(middle);
        for (row, line) in lines.iter().enumerate() {
            let is_one = lines.len() == 1;
            let y = if is_one { label } else { top + (1.0 + 1.2 * row as f32) * size };
            for (column, letter) in line.chars().enumerate() {
                if sheet.glyphs.len() >= MAX_PAGE_MARKS {
                    return;
                }
                let x0 = x + 2.0 + column as f32 * WIDTH * size;
                sheet.glyphs.push(Glyph {
                    text: letter.to_string().into(),
                    x0,
                    x1: x0 + WIDTH * size,
                    y,
                    size,
                    is_bold: false,
                    is_fixed: false,
                    turn: Turn::Upright,
                    is_furniture: false,
                });
            }
        }
    }

    /// Its lines and the height of its letters, so that it stays in its rectangle.
    fn lines(&self) -> (Vec<String>, f32) {
        let given: Vec<&str> = self.text.lines().collect();
        if !self.wraps {
            let size = (self.height / given.len().max(1) as f32 * 0.75).clamp(4.0, 11.0);
            return (given.into_iter().map(str::to_owned).collect(), size);
        }
        let mut found = (Vec::new(), SIZES[0]);
        for size in SIZES {
            let most = ((self.width - 4.0) / (WIDTH * size)).max(1.0) as usize;
            let lines: Vec<String> = given.iter().flat_map(|line| wrapped(line, most)).collect();
            let fits = 1.2 * size * lines.len() as f32 <= self.height;
            found = (lines, size);
            if fits {
                break;
            }
        }
        found
    }
}

/// A line in lines of so many letters, where its words allow.
fn wrapped(line: &str, most: usize) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut length = 0;
    for word in line.split_whitespace() {
        let letters = word.chars().count();
        if length > 0 && length + 1 + letters > most {
            found.push(String::new());
            length = 0;
        }
        let last = found.len() - 1;
        if length > 0 {
            found[last].push(' ');
            length += 1;
        }
        found[last].push_str(word);
        length += letters;
    }
    found
}
