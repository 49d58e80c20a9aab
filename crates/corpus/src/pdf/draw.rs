//! Carries out a page's drawing instructions as far as they show text, lines and pictures
//! (ISO 32000-1, sections 8 and 9).

use std::rc::Rc;

use hayro_font::kurbo::{Affine, Point};
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::{Array, Dict, Name, Number, Object, Rect, Stream};
use hayro_syntax::page::{Page, Resources};

use super::annotation;
use super::cover::{Covers, Window};
use super::font::{Font, Fonts};
use super::fuel::{Fuel, MAX_NESTING, MAX_PAGE_MARKS};
use super::ink::{Ink, Painted, Shade, Unseen};
use super::path::Path;
use super::sheet::{Area, Glyph, Rule, SCAN_COVER, Sheet, Turn};
use super::text_string::text_string;
use super::unpack::unpack;

/// Saved states inside one another.
const MAX_STATES: usize = 256;

/// Text that leans more than this (the sine of its angle) belongs to no line.
const MAX_SLANT: f64 = 0.1;

/// A transform that mixes the directions by less leaves rectangles along the page's sides.
const SKEW: f64 = 1e-3;

/// Letters that are smaller, in points, cannot be read.
const SMALLEST: f64 = 1.5;

/// What the page shows.
pub(super) fn draw<'a>(page: &Page<'a>, fonts: &mut Fonts<'a>, fuel: &Fuel) -> Sheet {
    let (width, height) = page.render_dimensions();
    let (width, height) = (side(width), side(height));
    let sheet = Sheet { width, height, ..Sheet::default() };
    let transform = Affine::new(page.initial_transform(true).as_coeffs());
    let mut painter = Painter {
        sheet,
        fonts,
        fuel,
        state: State::new(transform),
        saved: Vec::new(),
        marked: Vec::new(),
        path: Path::default(),
        painted: Painted::default(),
        covers: Covers::default(),
        clips: false,
        points: Vec::new(),
        unpainted: Vec::new(),
    };
    painter.run(&contents(page.raw(), fuel), page.resources(), 0);
    let written = annotation::show(&mut painter, page);
    let mut sheet = painter.finish();
    written.iter().for_each(|writing| writing.put(&mut sheet));
    sheet
}

/// A page's side in points; what no page has becomes that of an A4 page.
fn side(length: f32) -> f32 {
    if (1.0..=200_000.0).contains(&length) { length } else { 595.0 }
}

/// The instructions of a page, which may stand in several streams.
fn contents(page: &Dict<'_>, fuel: &Fuel) -> Vec<u8> {
    if let Some(stream) = page.get::<Stream<'_>>("Contents") {
        return unpack(&stream, fuel).unwrap_or_default();
    }
    let mut all = Vec::new();
    for stream in page.get::<Array<'_>>("Contents").unwrap_or_default().iter::<Stream<'_>>() {
        let Some(part) = unpack(&stream, fuel) else { continue };
        all.extend(part);
        all.push(b'\n');
    }
    all
}

#[derive(Clone)]
struct State<'a> {
    transform: Affine,
    text: Affine,
    line: Affine,
    font: Option<Rc<Font<'a>>>,
    size: f64,
    between_letters: f64,
    between_words: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
    ink: Ink,
    window: Window,
}

impl State<'_> {
    fn new(transform: Affine) -> Self {
        State {
            transform,
            text: Affine::IDENTITY,
            line: Affine::IDENTITY,
            font: None,
            size: 0.0,
            between_letters: 0.0,
            between_words: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
            ink: Ink::default(),
            window: Window::default(),
        }
    }
}

/// What came of drawing an appearance.
pub(super) enum Appearance {
    /// It has no letters.
    Mute,
    Whole,
    /// Some of its letters are not seen; how many letters there were before, seen and not.
    Partial {
        glyphs: usize,
        hidden: usize,
    },
}

/// A stretch of content that the file says something about.
enum Marked {
    Plain,
    /// It belongs to the page: a header, a page number.
    Furniture,
    /// A layer, which may be switched off.
    Layer,
    /// It stands for this text; nothing once it was shown.
    Says(Option<Rc<str>>),
}

pub(super) struct Painter<'p, 'a> {
    pub(super) sheet: Sheet,
    fonts: &'p mut Fonts<'a>,
    pub(super) fuel: &'p Fuel,
    state: State<'a>,
    saved: Vec<State<'a>>,
    marked: Vec<Marked>,
    path: Path,
    painted: Painted,
    covers: Covers,
    /// Whether the path becomes the part that is painted on once it was painted itself.
    clips: bool,
    /// Foot and top of each letter on the sheet.
    points: Vec<[(f32, f32); 2]>,
    /// Letters that are not painted.
    unpainted: Vec<Glyph>,
}

impl<'a> Painter<'_, 'a> {
    /// The sheet. On a scan the text that was recognised lies unpainted over its picture; anywhere
    /// else nobody sees such text.
    fn finish(mut self) -> Sheet {
        self.uncover();
        if self.sheet.pictured > SCAN_COVER {
            self.sheet.glyphs.append(&mut self.unpainted);
        }
        let letters = self.unpainted.iter().filter(|glyph| !glyph.is_blank()).count();
        self.sheet.hidden += letters;
        self.sheet
    }

    /// Takes the letters away that something was painted over.
    fn uncover(&mut self) {
        if self.covers.is_empty() {
            return;
        }
        let (mut number, mut hidden) = (0, 0);
        let (covers, points) = (&self.covers, &self.points);
        self.sheet.glyphs.retain(|glyph| {
            let covered = covers.hide(number, points[number]);
            hidden += usize::from(covered && !glyph.is_blank());
            number += 1;
            !covered
        });
        self.sheet.hidden += hidden;
    }

    fn run(&mut self, content: &[u8], resources: &Resources<'a>, nesting: usize) {
        let mut instructions = TypedIter::new(content);
        while let Some(op) = instructions.next() {
            if !self.fuel.step() {
                return;
            }
            let is_ink = self.state.ink.set(&op, resources);
            if !(is_ink || self.set_state(&op, resources) || self.text(&op) || self.trace(&op)) {
                self.place(&op, resources, nesting);
            }
        }
    }

    /// Instructions that change how later ones are carried out.
    fn set_state(&mut self, op: &Op<'_, '_>, resources: &Resources<'a>) -> bool {
        let state = &mut self.state;
        match op {
            Op::SaveState(_) if self.saved.len() < MAX_STATES => self.saved.push(state.clone()),
            Op::RestoreState(_) => drop(self.saved.pop().map(|saved| *state = saved)),
            Op::Transform(m) => {
                let m = affine([m.0, m.1, m.2, m.3, m.4, m.5]);
                state.transform = bounded(state.transform * m);
            }
            Op::CharacterSpacing(n) => state.between_letters = number(n.0),
            Op::WordSpacing(n) => state.between_words = number(n.0),
            Op::HorizontalScaling(n) => state.stretch = number(n.0) / 100.0,
            Op::TextLeading(n) => state.leading = number(n.0),
            Op::TextRise(n) => state.rise = number(n.0),
            Op::TextFont(font) => {
                state.size = number(font.1);
                let dict = resources.get_font(font.0);
                state.font = dict.map(|dict| self.fonts.get(&dict, self.fuel));
            }
            Op::SetGraphicsState(name) => {
                let dict = resources.get_ext_g_state(name.0).unwrap_or_default();
                state.ink.mix(&dict);
                if let Some(font) = dict.get::<Array<'a>>("Font") {
                    let mut parts = font.flex_iter();
                    let dict = parts.next::<Dict<'a>>();
                    state.font = dict.map(|dict| self.fonts.get(&dict, self.fuel));
                    state.size = parts.next::<f64>().unwrap_or(state.size);
                }
            }
            _ => return false,
        }
        true
    }

    /// Instructions that move in a text or show it.
    fn text(&mut self, op: &Op<'_, '_>) -> bool {
        let state = &mut self.state;
        match op {
            Op::BeginText(_) => (state.text, state.line) = (Affine::IDENTITY, Affine::IDENTITY),
            Op::EndText(_) => {}
            Op::SetTextMatrix(m) => {
                state.line = bounded(affine([m.0, m.1, m.2, m.3, m.4, m.5]));
                state.text = state.line;
            }
            Op::NextLine(by) => self.next_line(number(by.0), number(by.1)),
            Op::NextLineAndSetLeading(by) => {
                state.leading = -number(by.1);
                self.next_line(number(by.0), number(by.1));
            }
            Op::NextLineUsingLeading(_) => self.next_line(0.0, -self.state.leading),
            Op::ShowText(text) => self.show(text.0.as_bytes()),
            Op::NextLineAndShowText(text) => {
                self.next_line(0.0, -self.state.leading);
                self.show(text.0.as_bytes());
            }
            Op::ShowTextWithParameters(text) => {
                (state.between_words, state.between_letters) = (number(text.0), number(text.1));
                self.next_line(0.0, -self.state.leading);
                self.show(text.2.as_bytes());
            }
            Op::ShowTexts(parts) => self.show_parts(parts.0),
            _ => return false,
        }
        true
    }

    /// Instructions that draw lines.
    fn trace(&mut self, op: &Op<'_, '_>) -> bool {
        let at = |x: Number, y: Number| -> (f32, f32) {
            let point = self.state.transform * Point::new(number(x), number(y));
            (point.x as f32, point.y as f32)
        };
        match op {
            Op::MoveTo(p) => self.path.move_to(at(p.0, p.1)),
            Op::LineTo(p) => self.path.line_to(at(p.0, p.1)),
            Op::CubicTo(p) => self.path.skip_to(at(p.4, p.5)),
            Op::CubicStartTo(p) => self.path.skip_to(at(p.2, p.3)),
            Op::CubicEndTo(p) => self.path.skip_to(at(p.2, p.3)),
            Op::ClosePath(_) => self.path.close(),
            Op::RectPath(r) => {
                let (x, y, width, height) = (number(r.0), number(r.1), number(r.2), number(r.3));
                let corner = self.state.transform * Point::new(x, y);
                let other = self.state.transform * Point::new(x + width, y + height);
                let point = |p: Point| (p.x as f32, p.y as f32);
                self.path.rectangle(point(corner), point(other));
                let [a, b, c, d, ..] = self.state.transform.as_coeffs();
                let straight =
                    (b.abs() < SKEW && c.abs() < SKEW) || (a.abs() < SKEW && d.abs() < SKEW);
                if !straight {
                    self.path.skip_to(point(corner));
                }
            }
            Op::StrokePath(_) | Op::CloseAndStrokePath(_) => self.paint(Path::stroked),
            Op::FillPathNonZero(_)
            | Op::FillPathNonZeroCompatibility(_)
            | Op::FillPathEvenOdd(_) => {
                self.cover();
                self.paint(Path::filled);
            }
            Op::FillAndStrokeNonZero(_)
            | Op::FillAndStrokeEvenOdd(_)
            | Op::CloseFillAndStrokeNonZero(_)
            | Op::CloseFillAndStrokeEvenOdd(_) => {
                self.cover();
                self.paint(Path::stroked);
            }
            Op::EndPath(_) => self.end_path(),
            Op::ClipNonZero(_) | Op::ClipEvenOdd(_) => self.clips = true,
            _ => return false,
        }
        true
    }

    /// The path is filled: what is written on it stands on its colour.
    fn cover(&mut self) {
        self.painted.add(self.path.reach(), self.state.ink.fill());
        let layered = self.marked.iter().any(|mark| matches!(mark, Marked::Layer));
        if self.state.ink.hides() && !layered {
            self.covers.add(&self.path, self.state.window, self.sheet.glyphs.len());
        }
    }

    fn end_path(&mut self) {
        let path = std::mem::take(&mut self.path);
        if std::mem::take(&mut self.clips) {
            self.state.window = self.state.window.narrowed(&path);
        }
    }

    fn paint(&mut self, as_rules: fn(&Path) -> Vec<Rule>) {
        let rules = as_rules(&self.path);
        self.end_path();
        for rule in rules {
            if self.sheet.rules.len() < MAX_PAGE_MARKS && self.fuel.mark() {
                self.sheet.rules.push(rule);
            }
        }
    }

    /// Pictures, drawings inside the drawing, and what is said about stretches of content.
    fn place(&mut self, op: &Op<'_, '_>, resources: &Resources<'a>, nesting: usize) {
        match op {
            Op::InlineImage(_) => self.picture(),
            Op::Shading(_) => {
                let whole = Area::new(0.0, 0.0, self.sheet.width, self.sheet.height);
                self.painted.add(whole, Shade::Dark);
            }
            Op::XObject(name) => {
                let Some(stream) = resources.get_x_object(name.0) else { return };
                match stream.dict().get::<Name<'_>>("Subtype").as_deref() {
                    Some(b"Image") => self.picture(),
                    Some(b"Form") if nesting < MAX_NESTING => {
                        self.form(&stream, resources, nesting)
                    }
                    _ => {}
                }
            }
            Op::BeginMarkedContent(mark) => self.begin_marked(mark.0, None, resources),
            Op::BeginMarkedContentWithProperties(mark) => {
                self.begin_marked(mark.0, Some(mark.1), resources)
            }
            Op::EndMarkedContent(_) => drop(self.marked.pop()),
            _ => {}
        }
    }

    fn form(&mut self, stream: &Stream<'a>, resources: &Resources<'a>, nesting: usize) {
        let Some(content) = unpack(stream, self.fuel) else { return };
        let matrix = stream.dict().get::<[f64; 6]>("Matrix");
        let matrix = matrix.map_or(Affine::IDENTITY, Affine::new);
        let own = stream.dict().get::<Dict<'a>>("Resources").map(Resources::new);
        let before = self.state.clone();
        let (saved, marked) = (std::mem::take(&mut self.saved), self.marked.len());
        self.state.transform = bounded(before.transform * matrix);
        if stream.dict().contains_key("OC") {
            self.marked.push(Marked::Layer);
        }
        self.run(&content, own.as_ref().unwrap_or(resources), nesting + 1);
        (self.state, self.saved) = (before, saved);
        self.marked.truncate(marked);
    }

    /// Draws the appearance of an annotation in its rectangle (ISO 32000-1, section 12.5.5), and
    /// says whether it has letters. It hides nothing and belongs to no table: its lines frame it
    /// alone.
    pub(super) fn appearance(
        &mut self,
        stream: &Stream<'a>,
        rect: Rect,
        page: &Page<'a>,
        resources: &Resources<'a>,
    ) -> Appearance {
        let Sheet { hidden, unreadable, pictured, .. } = self.sheet;
        let (glyphs, rules) = (self.sheet.glyphs.len(), self.sheet.rules.len());
        let initial = Affine::new(page.initial_transform(true).as_coeffs());
        self.state = State::new(bounded(initial * placed(stream.dict(), rect)));
        (self.saved, self.path, self.clips) = (Vec::new(), Path::default(), false);
        self.marked = vec![Marked::Layer];
        self.form(stream, resources, 0);
        self.sheet.rules.truncate(rules);
        self.sheet.pictured = pictured;
        match () {
            _ if self.sheet.hidden > hidden => Appearance::Partial { glyphs, hidden },
            _ if self.sheet.glyphs.len() > glyphs => Appearance::Whole,
            _ if self.sheet.unreadable > unreadable => Appearance::Whole,
            _ => Appearance::Mute,
        }
    }

    /// Takes the letters of an appearance back.
    pub(super) fn take_back(&mut self, glyphs: usize, hidden: usize) {
        self.sheet.glyphs.truncate(glyphs);
        self.points.truncate(glyphs);
        self.sheet.hidden = hidden;
    }

    fn picture(&mut self) {
        let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)].map(|(x, y)| {
            let point = self.state.transform * Point::new(x, y);
            Area::new(point.x as f32, point.y as f32, point.x as f32, point.y as f32)
        });
        let (width, height) = (self.sheet.width, self.sheet.height);
        self.painted.add(Area::all(corners), Shade::Dark);
        let seen = Area::all(corners).within(Area::new(0.0, 0.0, width, height));
        let part = seen.width() * seen.height() / (width * height).max(1.0);
        self.sheet.pictured = (self.sheet.pictured + part).min(1.0);
    }

    fn begin_marked(
        &mut self,
        tag: &Name<'_>,
        properties: Option<&Object<'_>>,
        resources: &Resources<'a>,
    ) {
        if self.marked.len() >= MAX_STATES {
            return;
        }
        let properties: Option<Dict<'_>> = match properties {
            Some(Object::Dict(dict)) => Some(dict.clone()),
            Some(Object::Name(name)) => resources.properties.get(name),
            _ => None,
        };
        let properties = properties.unwrap_or_default();
        let actual = properties.get::<hayro_syntax::object::String<'_>>("ActualText");
        let kind = properties.get::<Name<'_>>("Type");
        self.marked.push(match (tag.as_ref(), actual) {
            (b"Artifact", _) if kind.as_deref() == Some(b"Pagination") => Marked::Furniture,
            (b"OC", _) => Marked::Layer,
            (_, Some(text)) => Marked::Says(Some(Rc::from(text_string(text.as_bytes())))),
            _ => Marked::Plain,
        });
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.state.line = bounded(self.state.line * Affine::translate((x, y)));
        self.state.text = self.state.line;
    }

    fn show_parts(&mut self, parts: &Array<'_>) {
        for part in parts.iter::<Object<'_>>() {
            match part {
                Object::String(text) => self.show(text.as_bytes()),
                Object::Number(by) => {
                    let by = -number(by) / 1000.0 * self.state.size;
                    self.advance(by);
                }
                _ => {}
            }
        }
    }

    fn advance(&mut self, by: f64) {
        let is_horizontal = self.state.font.as_ref().is_none_or(|font| font.is_horizontal);
        let by = match is_horizontal {
            true => (by * self.state.stretch, 0.0),
            false => (0.0, by),
        };
        self.state.text = bounded(self.state.text * Affine::translate(by));
    }

    fn show(&mut self, bytes: &[u8]) {
        let Some(font) = self.state.font.clone() else { return };
        let mut offset = 0;
        while offset < bytes.len() && self.fuel.step() {
            let (code, length, letter) = font.letter(bytes, offset);
            offset += length;
            let width = letter.advance / 1000.0 * self.state.size;
            self.put(&font, letter.text, width);
            if self.state.ink.clips() {
                self.state.window = self.state.window.odd();
            }
            let is_blank = length == 1 && code == 32;
            let words = if is_blank { self.state.between_words } else { 0.0 };
            self.advance(width + self.state.between_letters + words);
        }
    }

    /// Puts a letter on the sheet.
    fn put(&mut self, font: &Font<'_>, text: Option<Rc<str>>, width: f64) {
        let text = match self.marked.iter_mut().rev().find_map(|mark| match mark {
            Marked::Says(text) => Some(text.take()),
            _ => None,
        }) {
            Some(said) => said.or_else(|| Some(Rc::from(""))),
            None => text,
        };
        let Some(text) = text else {
            self.sheet.unreadable += 1;
            return;
        };
        let state = &self.state;
        let place = state.transform * state.text;
        let origin = place * Point::new(0.0, state.rise);
        let end = place * Point::new(width * state.stretch, state.rise);
        let tall = state.size * font.em;
        let up = place * Point::new(0.0, state.rise + tall) - origin;
        let size = up.hypot();
        let forward = state.size.signum() * state.stretch.signum();
        let along = place * Point::new(forward, state.rise) - origin;
        let Some(turn) = turn((along.x, along.y)) else { return };
        let bounds = (self.sheet.width, self.sheet.height);
        let is_seen = Area::new(-1.0, -1.0, bounds.0 + 1.0, bounds.1 + 1.0)
            .holds(origin.x as f32, origin.y as f32);
        let fits = self.sheet.glyphs.len() < MAX_PAGE_MARKS && self.fuel.mark();
        if !(is_seen && fits && size > 0.0 && size < 2000.0) {
            return;
        }
        // The middle of a small letter.
        let middle = place * Point::new(width / 2.0, state.rise + 0.3 * tall);
        let middle = (middle.x as f32, middle.y as f32);
        let unseen = self.painted.hides(state.ink, middle);
        let cut_off = state.window.cuts_off(middle);
        if size < SMALLEST || cut_off || unseen == Some(Unseen::LikePaper) {
            self.sheet.hidden += usize::from(!text.trim().is_empty());
            return;
        }
        let (x0, y) = turn.upright((origin.x as f32, origin.y as f32), bounds);
        let (x1, _) = turn.upright((end.x as f32, end.y as f32), bounds);
        let is_upright = font.is_horizontal;
        let (x0, x1) = if is_upright { (x0.min(x1), x0.max(x1)) } else { (x0, x0) };
        let point = |height: f64| {
            let at = place * Point::new(width / 2.0, state.rise + height * tall);
            (at.x as f32, at.y as f32)
        };
        let to = match unseen {
            Some(_) => &mut self.unpainted,
            None => {
                self.points.push([point(0.1), point(0.55)]);
                &mut self.sheet.glyphs
            }
        };
        to.push(Glyph {
            text,
            x0,
            x1: if is_upright { x1 } else { x0 + size as f32 },
            y,
            size: size as f32,
            is_bold: font.is_bold,
            is_fixed: font.is_fixed,
            turn,
            is_furniture: self.marked.iter().any(|mark| matches!(mark, Marked::Furniture)),
        });
    }
}

/// Where an appearance with this dictionary comes to stand, so that it fills a rectangle.
fn placed(dict: &Dict<'_>, rect: Rect) -> Affine {
    let matrix = dict.get::<[f64; 6]>("Matrix").map_or(Affine::IDENTITY, Affine::new);
    let own = dict.get::<Rect>("BBox").unwrap_or(rect);
    let corners = [(own.x0, own.y0), (own.x1, own.y0), (own.x0, own.y1), (own.x1, own.y1)];
    let corners = corners.map(|(x, y)| matrix * Point::new(x, y));
    let least = |of: fn(&Point) -> f64| corners.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&Point) -> f64| corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    let (x, y) = (least(|corner| corner.x), least(|corner| corner.y));
    let (width, height) = (most(|corner| corner.x) - x, most(|corner| corner.y) - y);
    let scale = |to: f64, from: f64| if from.abs() < 1e-6 { 1.0 } else { to / from };
    let by = (scale(rect.x1 - rect.x0, width), scale(rect.y1 - rect.y0, height));
    Affine::new([by.0, 0.0, 0.0, by.1, rect.x0 - x * by.0, rect.y0 - y * by.1])
}

/// Which way text runs that moves along `(x, y)`; `None` if it leans.
fn turn((x, y): (f64, f64)) -> Option<Turn> {
    let length = x.hypot(y);
    let (x, y) = (x / length, y / length);
    match () {
        _ if y.abs() < MAX_SLANT => Some(if x > 0.0 { Turn::Upright } else { Turn::Half }),
        _ if x.abs() < MAX_SLANT => Some(if y > 0.0 { Turn::Right } else { Turn::Left }),
        _ => None,
    }
}

fn number(number: Number) -> f64 {
    let value = number.as_f64();
    if value.is_finite() { value.clamp(-1e9, 1e9) } else { 0.0 }
}

fn affine(m: [Number; 6]) -> Affine {
    Affine::new(m.map(number))
}

/// The transform, unless products of large numbers made it useless.
fn bounded(transform: Affine) -> Affine {
    let is_sane = transform.as_coeffs().iter().all(|n| n.is_finite() && n.abs() < 1e12);
    if is_sane { transform } else { Affine::IDENTITY }
}
