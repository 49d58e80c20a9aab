//! The page being read: what is open, and the blocks found so far.

use std::collections::HashMap;

use crate::BlockKind;
use crate::clean::LINE_BREAK;
use crate::frame::Frame;
use crate::html_density::{self as density, Aside, Sign};
use crate::office::is_made;
use crate::raw::Raw;
use crate::table::column_name;

/// The deepest nesting of elements.
pub(crate) const MAX_DEPTH: usize = 256;

/// How many open elements may be looked at in all, so that no page takes quadratic time.
const MAX_STEPS: usize = 100_000_000;

/// What ends when an element ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Inline,
    Block,
    Skip,
    Heading(u8),
    List { ordered: bool },
    Item,
    Term,
    Definition,
    Quote,
    Pre,
    Main,
    Article,
    Table,
    Row,
    Cell,
    Bold { from_start: bool },
    Raised { from: usize },
    Title,
    Link,
}

struct Open {
    name: String,
    effect: Effect,
    /// What its name in the page's style says it is.
    aside: Option<Aside>,
    /// Whether it is the title of an act.
    is_act_title: bool,
}

/// The classes that titles of acts have on EUR-Lex: consolidated, and in the Official Journal.
const ACT_TITLES: &[&str] = &["title-doc-first", "oj-doc-ti", "doc-ti"];
/// Most bytes of a title.
const TITLE_BYTES_MAX: usize = 1000;

struct List {
    /// The next item's number; `None` for bullets.
    next: Option<u32>,
    letters: bool,
}

/// The page being read.
#[derive(Default)]
pub(crate) struct Page {
    pub title: String,
    /// The title that the text itself begins with, where the page marks the title of an act.
    pub act_title: String,
    pub language: String,
    /// The line where nesting passed the limit.
    pub too_deep_line: Option<u64>,
    found: Vec<Raw>,
    /// For each of `found`, what tells whether it belongs to the text.
    signs: Vec<Sign>,
    /// Which of `found` stand in a `main` element.
    main: Vec<(usize, usize)>,
    /// How many open elements are called banners, menus and side bars, and what readers say.
    banners: usize,
    menus: usize,
    remarks: usize,
    plain: usize,
    /// How many open elements are titles of an act.
    act_titles: usize,
    links: usize,
    /// How much of the block being read is links.
    link_bytes: usize,
    stack: Vec<Open>,
    /// How many of each element are open, so that a stray end tag costs nothing.
    open_counts: HashMap<String, usize>,
    tables: Vec<Frame>,
    lists: Vec<List>,
    marker: Option<String>,
    term: String,
    text: String,
    lead: usize,
    skipped: usize,
    steps: usize,
    articles: usize,
    quotes: usize,
    pres: usize,
}

type Attribute<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

impl Page {
    pub(crate) fn text(&mut self, text: &str) {
        match self.stack.last().map(|open| open.effect) {
            Some(Effect::Title) if self.title.len() < TITLE_BYTES_MAX => self.title.push_str(text),
            Some(Effect::Title) => {}
            _ if self.skipped > 0 => {}
            // Text never begins with blanks, so that "is it empty" is all that need be asked.
            _ if self.text.is_empty() && self.pres == 0 => self.shown(text.trim_start()),
            _ => self.shown(text),
        }
    }

    fn shown(&mut self, text: &str) {
        self.text.push_str(text);
        if self.links > 0 {
            self.link_bytes += text.trim().len();
        }
        if self.act_titles > 0 && self.act_title.len() < TITLE_BYTES_MAX {
            self.act_title.push_str(text);
        }
    }

    pub(crate) fn open(&mut self, name: &str, get: &Attribute, self_closing: bool, line: u64) {
        if name == "html" && self.language.is_empty() {
            self.language = get("lang").or(get("xml:lang")).unwrap_or_default().to_owned();
        }
        if self.skipped == 0 && self.open_void(name, get) || is_void(name) {
            return;
        }
        let shown = match self.effect(name) {
            Effect::Block if get("role") == Some("main") => Effect::Main,
            effect => effect,
        };
        if ends_paragraph(name, shown) {
            self.end_paragraph(name, shown);
        }
        if self_closing && is_foreign(name) {
            return;
        }
        if self.stack.len() >= MAX_DEPTH || self.steps > MAX_STEPS {
            self.too_deep_line = Some(line);
            return;
        }
        let is_hidden = is_hidden(get) || density::is_for_screens(get("class"));
        let effect = if is_hidden { Effect::Skip } else { shown };
        if self.skipped == 0 {
            self.begin(effect, get);
        }
        self.skipped += usize::from(effect == Effect::Skip);
        *self.open_counts.entry(name.to_owned()).or_default() += 1;
        let is_part = effect == Effect::Block || matches!(effect, Effect::List { .. });
        let aside = if is_part { density::aside(get("class"), get("id")) } else { None };
        *self.asides(aside) += 1;
        let is_act_title = is_part && get("class").is_some_and(|name| ACT_TITLES.contains(&name));
        if is_act_title {
            self.act_titles += 1;
            self.act_title.push(' ');
        }
        self.stack.push(Open { name: name.to_owned(), effect, aside, is_act_title });
    }

    /// The count of open elements of this kind; for those of none, one that nobody reads.
    fn asides(&mut self, aside: Option<Aside>) -> &mut usize {
        match aside {
            Some(Aside::Banner) => &mut self.banners,
            Some(Aside::Menu) => &mut self.menus,
            Some(Aside::Remark) => &mut self.remarks,
            None => &mut self.plain,
        }
    }

    fn open_void(&mut self, name: &str, get: &Attribute) -> bool {
        match name {
            "br" if self.pres > 0 => self.text.push('\n'),
            "br" if self.text.is_empty() => {}
            "br" => self.text.push(LINE_BREAK),
            "hr" => self.flush(),
            "img" => {
                let said = get("alt").filter(|text| !is_made(text));
                self.text.push_str(said.unwrap_or_default());
            }
            "wbr" => {}
            _ => return false,
        }
        true
    }

    fn effect(&self, name: &str) -> Effect {
        let level = |name: &str| name.as_bytes()[1] - b'0';
        match name {
            "title" if !self.open_counts.contains_key("svg") => Effect::Title,
            "header" if self.articles > 0 => Effect::Block,
            "script" | "style" | "nav" | "header" | "footer" | "aside" | "noscript"
            | "template" | "iframe" | "svg" | "canvas" | "button" | "select" | "object" | "del"
            | "s" | "strike" | "audio" | "video" | "noembed" | "noframes" => Effect::Skip,
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => Effect::Heading(level(name)),
            "ul" | "menu" => Effect::List { ordered: false },
            "ol" => Effect::List { ordered: true },
            "li" => Effect::Item,
            "dt" => Effect::Term,
            "dd" => Effect::Definition,
            "blockquote" => Effect::Quote,
            "pre" | "xmp" | "listing" => Effect::Pre,
            "main" => Effect::Main,
            "article" => Effect::Article,
            "table" => Effect::Table,
            "tr" => Effect::Row,
            "td" | "th" => Effect::Cell,
            "a" => Effect::Link,
            "b" | "strong" => Effect::Bold { from_start: self.text.is_empty() },
            "sup" => Effect::Raised { from: self.text.len() },
            "html" | "head" | "body" | "p" | "div" | "section" | "form" | "fieldset" | "legend"
            | "dl" | "caption" | "thead" | "tbody" | "tfoot" | "figure" | "figcaption"
            | "address" | "details" | "summary" | "hgroup" | "center" | "option" | "textarea"
            | "search" | "dialog" => Effect::Block,
            _ => Effect::Inline,
        }
    }

    /// A block ends what stands before it; some elements also end their like: `<li>` after `<li>`.
    fn end_paragraph(&mut self, name: &str, effect: Effect) {
        self.end_likes(name, effect);
        if self.skipped == 0 {
            self.flush();
        }
    }

    fn end_likes(&mut self, name: &str, effect: Effect) {
        let (likes, fences): (&[&str], &[&str]) = match effect {
            Effect::Item => (&["li"], &["ul", "ol", "menu"]),
            Effect::Term | Effect::Definition => (&["dt", "dd"], &["dl"]),
            Effect::Row => (&["tr", "caption"], &["table"]),
            Effect::Cell => (&["td", "th"], &["tr", "table"]),
            _ if matches!(name, "thead" | "tbody" | "tfoot") => {
                (&["thead", "tbody", "tfoot", "caption"], &["table"])
            }
            _ => (&["p"], &["table", "td", "th", "li", "dd", "blockquote", "div"]),
        };
        if !likes.iter().any(|like| self.open_counts.contains_key(*like)) {
            return;
        }
        let length = self.stack.len();
        let stops = |open: &Open| {
            likes.contains(&open.name.as_str()) || fences.contains(&open.name.as_str())
        };
        let Some(at) = self.stack.iter().rposition(stops) else { return };
        self.steps += length - at;
        if likes.contains(&self.stack[at].name.as_str()) {
            self.pop_to(at);
        }
    }

    fn begin(&mut self, effect: Effect, get: &Attribute) {
        match effect {
            Effect::List { ordered } => {
                let start = get("start").and_then(|text| text.trim().parse().ok()).unwrap_or(1);
                let letters = matches!(get("type"), Some("a" | "A"));
                self.lists.push(List { next: ordered.then_some(start), letters });
            }
            Effect::Item => self.marker = Some(self.item_marker(get)),
            Effect::Definition => {
                self.marker = (!self.term.is_empty()).then(|| format!("{}:", self.term));
            }
            Effect::Quote => self.quotes += 1,
            Effect::Pre => self.pres += 1,
            Effect::Link => self.links += 1,
            Effect::Main => {
                self.articles += 1;
                self.main.push((self.found.len(), usize::MAX));
            }
            Effect::Article => self.articles += 1,
            Effect::Table => self.tables.push(Frame::default()),
            Effect::Row => self.with_table(Frame::open_row),
            Effect::Cell => {
                let span = |name| get(name).and_then(|text| text.trim().parse().ok()).unwrap_or(1);
                let (columns, rows) = (span("colspan"), span("rowspan"));
                self.with_table(|frame| frame.open_cell(columns, rows));
            }
            _ => {}
        }
    }

    fn with_table(&mut self, change: impl FnOnce(&mut Frame)) {
        if let Some(frame) = self.tables.last_mut() {
            change(frame);
        }
    }

    fn item_marker(&mut self, get: &Attribute) -> String {
        let Some(list) = self.lists.last_mut() else { return "-".to_owned() };
        let Some(next) = list.next else { return "-".to_owned() };
        let number: u32 = get("value").and_then(|text| text.trim().parse().ok()).unwrap_or(next);
        list.next = Some(number.saturating_add(1));
        match u8::try_from(number) {
            Ok(letter @ 1..=26) if list.letters => format!("{}.", char::from(b'a' + letter - 1)),
            _ => format!("{number}."),
        }
    }

    pub(crate) fn close(&mut self, name: &str) {
        if !self.open_counts.contains_key(name) {
            return;
        }
        let at = self.stack.iter().rposition(|open| open.name == name);
        self.pop_to(at.expect("an element that is counted is on the stack"));
    }

    pub(crate) fn finish(&mut self) {
        self.pop_to(0);
        self.flush();
    }

    fn pop_to(&mut self, length: usize) {
        while self.stack.len() > length {
            let Some(open) = self.stack.pop() else { return };
            match self.open_counts.get_mut(&open.name) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.open_counts.remove(&open.name)),
            }
            if open.effect == Effect::Skip {
                self.skipped -= 1;
            } else if self.skipped == 0 {
                self.end(&open);
            }
            *self.asides(open.aside) -= 1;
            self.act_titles -= usize::from(open.is_act_title);
        }
    }

    fn end(&mut self, open: &Open) {
        match open.effect {
            Effect::Inline | Effect::Skip | Effect::Title => {}
            Effect::Link => self.links = self.links.saturating_sub(1),
            Effect::Bold { from_start: true } if self.lead == 0 => self.lead = self.text.len(),
            Effect::Bold { .. } => {}
            Effect::Raised { from } => self.raise(from),
            Effect::Heading(level) => self.flush_as(BlockKind::Heading { level }),
            Effect::Term => self.term = column_name(&std::mem::take(&mut self.text)),
            Effect::Pre => {
                self.pres -= 1;
                self.flush_as(BlockKind::Code);
            }
            Effect::Block | Effect::Item | Effect::Definition | Effect::Row => self.flush(),
            Effect::List { .. } | Effect::Quote | Effect::Main | Effect::Article => {
                self.end_part(open.effect);
            }
            Effect::Cell => self.end_cell(open.name == "th"),
            Effect::Table => self.end_table(),
        }
    }

    fn end_part(&mut self, effect: Effect) {
        self.flush();
        match effect {
            Effect::List { .. } => {
                self.lists.pop();
            }
            Effect::Quote => self.quotes -= 1,
            Effect::Main => {
                self.articles -= 1;
                let end = self.found.len();
                if let Some(range) = self.main.iter_mut().rev().find(|r| r.1 == usize::MAX) {
                    range.1 = end;
                }
            }
            _ => self.articles -= 1,
        }
    }

    /// A raised number at the start counts a paragraph; elsewhere it stays raised: "m²".
    fn raise(&mut self, from: usize) {
        let Some(raised) = self.text.get(from..).map(str::to_owned) else { return };
        let is_number = !raised.is_empty() && raised.trim().bytes().all(|b| b.is_ascii_digit());
        if !is_number {
            return;
        }
        if from == 0 {
            self.text.push(' ');
            return;
        }
        let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
        let lifted = raised.trim().bytes().map(|b| digits[usize::from(b - b'0')]);
        self.text.truncate(from);
        self.text.extend(lifted);
    }

    fn end_cell(&mut self, is_header: bool) {
        self.flush();
        self.with_table(|frame| frame.close_cell(is_header));
    }

    fn end_table(&mut self) {
        self.flush();
        if let Some(frame) = self.tables.pop() {
            for raw in frame.finish() {
                self.emit(raw);
            }
        }
    }

    fn flush(&mut self) {
        let kind = match () {
            _ if self.pres > 0 => BlockKind::Code,
            _ if !self.lists.is_empty() || self.marker.is_some() => BlockKind::ListItem,
            _ if self.quotes > 0 => BlockKind::Quote,
            _ => BlockKind::Paragraph,
        };
        self.flush_as(kind);
    }

    fn flush_as(&mut self, kind: BlockKind) {
        let mut lead = std::mem::take(&mut self.lead);
        if self.text.trim().is_empty() {
            self.text.clear();
            return;
        }
        let mut text = std::mem::take(&mut self.text);
        let is_heading = matches!(kind, BlockKind::Heading { .. });
        if let Some(marker) = self.marker.take().filter(|marker| !is_heading || marker != "-") {
            text = format!("{marker} {}", text.trim_start());
            lead = 0;
        }
        self.emit(Raw { kind, text, lead });
    }

    fn emit(&mut self, raw: Raw) {
        match self.tables.last_mut().and_then(Frame::open_cell_blocks) {
            Some(cell) => cell.push(raw),
            None => {
                let link_bytes = std::mem::take(&mut self.link_bytes);
                let aside = match (self.banners, self.remarks, self.menus) {
                    (0, 0, 0) => None,
                    (0, 0, _) => Some(Aside::Menu),
                    (0, ..) => Some(Aside::Remark),
                    _ => Some(Aside::Banner),
                };
                self.signs.push(Sign { link_bytes, aside });
                self.found.push(raw);
            }
        }
    }

    /// The blocks of the page's text: those in its `main` element, if that has text; else all but
    /// what surrounds the text on every page of a site.
    pub(crate) fn into_text(mut self) -> Vec<Raw> {
        let signs = std::mem::take(&mut self.signs);
        let is_in_main = self.in_main();
        let whole = is_in_main.iter().all(|is_in| *is_in);
        if signs.len() != self.found.len() {
            return self.into_main();
        }
        let signs: Vec<Sign> = kept(signs, &is_in_main);
        let text = self.into_main();
        density::without_surroundings(text, &signs, whole)
    }

    /// The blocks found; if there is a `main` element with text, only those in it.
    pub(crate) fn into_main(self) -> Vec<Raw> {
        let is_in_main = self.in_main();
        kept(self.found, &is_in_main)
    }

    /// For each block whether it stands in a `main` element; all do if there is none with text.
    fn in_main(&self) -> Vec<bool> {
        let all = 0..self.found.len();
        let is_in = |index: usize| self.main.iter().any(|(from, to)| *from <= index && index < *to);
        if self.main.len() > 16 || !all.clone().any(is_in) {
            return vec![true; self.found.len()];
        }
        all.map(is_in).collect()
    }
}

fn kept<T>(all: Vec<T>, keeps: &[bool]) -> Vec<T> {
    all.into_iter().zip(keeps).filter(|(_, keep)| **keep).map(|(one, _)| one).collect()
}

/// Whether an element begins a new block, shown or not.
fn ends_paragraph(name: &str, effect: Effect) -> bool {
    match effect {
        Effect::Inline | Effect::Bold { .. } | Effect::Raised { .. } => false,
        Effect::Title | Effect::Link => false,
        Effect::Skip => matches!(name, "nav" | "header" | "footer" | "aside"),
        _ => true,
    }
}

/// Styles, without blanks, under which nothing is seen.
const HIDING_STYLES: &[&str] = &[
    "display:none",
    "visibility:hidden",
    "visibility:collapse",
    "content-visibility:hidden",
    "text-indent:-9",
    "clip:rect(0",
    "clip-path:inset(50%",
    "clip-path:inset(100%",
    "mso-hide:all",
];

/// Whether an element's own style makes its text too small, transparent, of its ground's colour,
/// or puts it beside the page.
fn is_unseen(style: &str) -> bool {
    let value = |name: &str| {
        let mut rules = style.split(';').filter_map(|rule| rule.split_once(':'));
        let found = rules.rfind(|(known, _)| *known == name);
        found.map(|(_, value)| value.trim_end_matches("!important"))
    };
    let length = |name: &str| -> Option<f32> {
        let value = value(name)?;
        let end = value.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-')));
        value[..end.unwrap_or(value.len())].parse().ok()
    };
    let is_small = |name: &str, least: f32| length(name).is_some_and(|size| size <= least);
    let is_relative = value("font-size").is_some_and(|size| size.ends_with("em"));
    let is_placed = matches!(value("position"), Some("absolute" | "fixed"));
    let colour = value("color");
    let ground = value("background-color").or(value("background"));
    let is_clipped = value("overflow") == Some("hidden");
    is_small("font-size", 1.0) && !is_relative
        || is_small("opacity", 0.05)
        || is_placed && ["left", "top", "right", "bottom"].iter().any(|side| is_small(side, -500.0))
        || is_clipped && ["height", "width", "max-height"].iter().any(|side| is_small(side, 1.0))
        || colour.is_some_and(|colour| colour == "transparent" || Some(colour) == ground)
}

/// Whether an element is not shown, or is navigation by its role.
fn is_hidden(get: &Attribute) -> bool {
    let style: String = get("style").unwrap_or_default().to_ascii_lowercase();
    let style: String = style.chars().filter(|c| !c.is_whitespace()).collect();
    let role = get("role").unwrap_or_default();
    get("hidden").is_some()
        || get("aria-hidden") == Some("true")
        || HIDING_STYLES.iter().any(|hiding| style.contains(hiding))
        || is_unseen(&style)
        || matches!(role, "navigation" | "banner" | "contentinfo" | "search" | "complementary")
}

fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Elements where `<x/>` really closes.
fn is_foreign(name: &str) -> bool {
    matches!(name, "svg" | "math" | "path" | "g" | "use" | "circle" | "rect" | "line")
}
