//! Styles of OpenDocument files: what is hidden, struck out or bold, and how lists count.

use std::collections::{HashMap, HashSet};

use super::docx_numbering::number;
use super::docx_styles::Look;
use super::open_document_object::Objects;
use crate::xml::Element;

const MAX_BASES: usize = 32;
const LEVELS: usize = 10;

#[derive(Debug, Default)]
struct Style {
    base: Option<String>,
    look: Look,
}

/// How a level of a list counts.
#[derive(Debug, Clone, Default)]
struct Level {
    bullet: bool,
    /// "1", "a", "A", "i", "I", or "" for nothing.
    format: String,
    before: String,
    after: String,
    /// How many levels are shown: "1.2.3" shows three.
    shown: usize,
    start: u32,
}

/// The styles of a file, by their names.
#[derive(Debug, Default)]
pub(super) struct Styles {
    styles: HashMap<String, Style>,
    lists: HashMap<String, HashMap<usize, Level>>,
    /// Styles of sheets and slides that are not shown.
    hidden: HashSet<String>,
    /// The objects that the file's elements refer to.
    pub(super) objects: Objects,
}

/// How far the levels of a list have counted.
pub(super) type Counts = [u32; LEVELS];

/// The list style of headings.
pub(super) const OUTLINE: &str = "\u{0}outline";

impl Styles {
    pub(super) fn add(&mut self, root: Element) {
        let groups =
            root.children().filter(|group| matches!(group.name(), "styles" | "automatic-styles"));
        for style in groups.flat_map(Element::children) {
            let name =
                style.attribute("style:name").or(style.attribute("name")).unwrap_or_default();
            match style.name() {
                "style" => self.add_style(name, style),
                "list-style" => drop(self.lists.insert(name.to_owned(), levels(style))),
                "outline-style" => drop(self.lists.insert(OUTLINE.to_owned(), levels(style))),
                _ => {}
            }
        }
    }

    fn add_style(&mut self, name: &str, style: Element) {
        let text = style.child("text-properties");
        let value = |name: &str| text.and_then(|text| text.attribute(name));
        let look = Look {
            hidden: value("text:display").map(|display| display == "none"),
            struck: value("style:text-line-through-style").map(|line| line != "none"),
            bold: value("fo:font-weight").map(|weight| {
                weight == "bold"
                    || weight > "500" && weight.starts_with(|c: char| c.is_ascii_digit())
            }),
            raised: value("style:text-position").map(|place| place.starts_with("super")),
            white: None,
        };
        let hides = |part: &str, key: &str, off: &str| {
            style.child(part).and_then(|p| p.attribute(key)) == Some(off)
        };
        if hides("table-properties", "table:display", "false")
            || hides("drawing-page-properties", "presentation:visibility", "hidden")
        {
            self.hidden.insert(name.to_owned());
        }
        let base = style.attribute("style:parent-style-name").map(str::to_owned);
        self.styles.insert(name.to_owned(), Style { base, look });
    }

    pub(super) fn is_hidden(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.hidden.contains(name))
    }

    fn chain(&self, name: &str) -> impl Iterator<Item = (&str, &Style)> {
        let named = |name: &str| self.styles.get_key_value(name).map(|(n, s)| (n.as_str(), s));
        std::iter::successors(named(name), move |(_, style)| named(style.base.as_deref()?))
            .take(MAX_BASES)
    }

    pub(super) fn look(&self, name: Option<&str>) -> Look {
        let chain = name.into_iter().flat_map(|name| self.chain(name));
        chain.fold(Look::default(), |look, (_, style)| look.or(style.look))
    }

    /// Whether a style is, or is based on, one of this name.
    pub(super) fn is_based_on(&self, name: Option<&str>, base: &str) -> bool {
        name == Some(base)
            || name.is_some_and(|name| self.chain(name).any(|(name, _)| name == base))
    }

    /// The marker of a level, where the levels have counted so far; empty if it shows nothing.
    pub(super) fn marker(&self, list: &str, level: usize, counts: &Counts) -> String {
        let Some(levels) = self.lists.get(list) else { return "-".to_owned() };
        let Some(own) = levels.get(&level) else { return String::new() };
        if own.bullet {
            return "-".to_owned();
        }
        if own.format.is_empty() {
            return format!("{}{}", own.before, own.after).trim().to_owned();
        }
        let from = (level + 1).saturating_sub(own.shown.max(1));
        let shown = (from..=level).filter_map(|at| {
            let format = levels.get(&at).map_or("1", |level| level.format.as_str());
            (!format.is_empty()).then(|| sign(counts[at.min(LEVELS - 1)].max(1), format))
        });
        let shown: Vec<String> = shown.collect();
        format!("{}{}{}", own.before, shown.join("."), own.after).trim().to_owned()
    }

    pub(super) fn start(&self, list: &str, level: usize) -> u32 {
        self.lists.get(list).and_then(|levels| levels.get(&level)).map_or(1, |level| level.start)
    }
}

fn sign(count: u32, format: &str) -> String {
    number(
        count,
        match format {
            "a" => "lowerLetter",
            "A" => "upperLetter",
            "i" => "lowerRoman",
            "I" => "upperRoman",
            _ => "decimal",
        },
    )
}

fn levels(list: Element) -> HashMap<usize, Level> {
    let level = |element: Element| {
        let index: usize = element.number("text:level")?;
        let text = |name: &str| element.attribute(name).unwrap_or_default().to_owned();
        let level = Level {
            bullet: matches!(element.name(), "list-level-style-bullet" | "list-level-style-image"),
            format: text("style:num-format"),
            before: text("style:num-prefix"),
            after: text("style:num-suffix"),
            shown: element.number("text:display-levels").unwrap_or(1),
            start: element.number("text:start-value").unwrap_or(1),
        };
        (1..=LEVELS).contains(&index).then(|| (index - 1, level))
    };
    list.children().filter_map(level).collect()
}
