//! What the styles of a Word document say: headings, numbering, hidden and bold text.

use std::collections::HashMap;

use crate::xml::Element;

/// Styles that are based on others more than so many deep are taken as they stand.
const MAX_BASES: usize = 32;

/// What a style says, or what a paragraph says itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Style {
    name: String,
    base: Option<String>,
    outline: Option<u8>,
    pub numbering: Option<Numbered>,
    pub look: Look,
    /// Whether its paragraphs stand on a colour.
    has_ground: bool,
    /// Whether a table style sets its first row off.
    has_first_row: bool,
}

/// A place in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub list: Option<String>,
    pub level: Option<usize>,
}

/// Text of this size is not seen.
const TINY_HALF_POINTS: f32 = 2.0;

/// What is said about characters; `None` is left to the style.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub hidden: Option<bool>,
    pub struck: Option<bool>,
    pub bold: Option<bool>,
    pub raised: Option<bool>,
    /// White, on no ground of its own.
    pub white: Option<bool>,
}

impl Look {
    pub(crate) fn of(properties: Option<Element>) -> Look {
        let Some(properties) = properties else { return Look::default() };
        let toggle = |name: &str| properties.child(name).map(is_on);
        let half_points: Option<f32> = properties.child("sz").and_then(|size| size.number("val"));
        let is_tiny = half_points.is_some_and(|size| size <= TINY_HALF_POINTS);
        let colour = properties.child("color").and_then(|colour| colour.attribute("val"));
        let has_ground =
            properties.child("shd").is_some() || properties.child("highlight").is_some();
        let raised = properties.child("vertAlign").and_then(|align| align.attribute("val"));
        Look {
            hidden: toggle("vanish").or(toggle("webHidden")).or(is_tiny.then_some(true)),
            struck: toggle("strike").or(toggle("dstrike")),
            bold: toggle("b"),
            raised: raised.map(|place| place == "superscript"),
            white: colour.map(|colour| colour.eq_ignore_ascii_case("ffffff") && !has_ground),
        }
    }

    /// This, and what only `other` says.
    pub(crate) fn or(self, other: Look) -> Look {
        Look {
            hidden: self.hidden.or(other.hidden),
            struck: self.struck.or(other.struck),
            bold: self.bold.or(other.bold),
            raised: self.raised.or(other.raised),
            white: self.white.or(other.white),
        }
    }
}

/// Whether `<w:b/>` is on: it is, unless its value says otherwise.
pub(crate) fn is_on(element: Element) -> bool {
    !matches!(element.attribute("val"), Some("0" | "false" | "off" | "none"))
}

/// The styles of a document, by their identifiers.
#[derive(Debug, Default)]
pub(crate) struct Styles {
    by_id: HashMap<String, Style>,
    default_paragraph: Option<String>,
}

/// What kind of paragraph a style makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Text,
    Title,
    Heading(u8),
    /// A line of a table of contents: it repeats a heading.
    Contents,
    Code,
    Quote,
}

impl Styles {
    pub(crate) fn read(root: Element) -> Styles {
        let mut styles = Styles::default();
        for element in root.children().filter(|element| element.is("style")) {
            let Some(id) = element.attribute("styleId") else { continue };
            let is_default = matches!(element.attribute("default"), Some("1" | "true"));
            if is_default && element.attribute("type") == Some("paragraph") {
                styles.default_paragraph = Some(id.to_owned());
            }
            styles.by_id.insert(id.to_owned(), style(element));
        }
        styles
    }

    /// A style and those that it is based on, the nearest first.
    fn chain(&self, id: Option<&str>) -> impl Iterator<Item = &Style> {
        let first = id.or(self.default_paragraph.as_deref()).and_then(|id| self.by_id.get(id));
        let base = |style: &&Style| self.by_id.get(style.base.as_deref()?);
        std::iter::successors(first, base).take(MAX_BASES)
    }

    pub(crate) fn role(&self, id: Option<&str>) -> Role {
        for style in self.chain(id) {
            let role = named_role(&style.name);
            if role != Role::Text {
                return role;
            }
            match style.outline {
                Some(level @ 0..=8) => return Role::Heading(level + 1),
                Some(_) => return Role::Text,
                None => {}
            }
        }
        Role::Text
    }

    pub(crate) fn numbering<'a>(&'a self, id: Option<&'a str>) -> Option<(Numbered, &'a str)> {
        let mut found = Numbered::default();
        let mut owner = "";
        let first = id.or(self.default_paragraph.as_deref())?;
        let mut name = first;
        for style in self.chain(id) {
            if let Some(numbered) = &style.numbering {
                if found.list.is_none() {
                    owner = name;
                }
                found.list = found.list.or(numbered.list.clone());
                found.level = found.level.or(numbered.level);
            }
            name = style.base.as_deref().unwrap_or_default();
        }
        (found.list.is_some() || found.level.is_some()).then_some((found, owner))
    }

    pub(crate) fn look(&self, id: Option<&str>) -> Look {
        self.chain(id).fold(Look::default(), |look, style| look.or(style.look))
    }

    pub(crate) fn has_ground(&self, id: Option<&str>) -> bool {
        self.chain(id).any(|style| style.has_ground)
    }

    /// The look of a style of characters, without the default paragraph's.
    pub(crate) fn character_look(&self, id: &str) -> Look {
        match self.by_id.contains_key(id) {
            true => self.look(Some(id)),
            false => Look::default(),
        }
    }

    pub(crate) fn sets_first_row_off(&self, id: &str) -> bool {
        self.by_id.contains_key(id) && self.chain(Some(id)).any(|style| style.has_first_row)
    }
}

fn style(element: Element) -> Style {
    let value = |name: &str| element.child(name).and_then(|child| child.attribute("val"));
    let paragraph = element.child("pPr");
    let sets_off = |part: Element| {
        part.attribute("type") == Some("firstRow")
            && part.descendants().any(|e| matches!(e.name(), "b" | "shd") && is_on(e))
    };
    Style {
        name: value("name").unwrap_or_default().to_lowercase(),
        base: value("basedOn").map(str::to_owned),
        outline: paragraph.and_then(outline),
        numbering: paragraph.and_then(numbered),
        look: Look::of(element.child("rPr")),
        has_ground: paragraph.is_some_and(|p| p.child("shd").is_some()),
        has_first_row: element.children().filter(|e| e.is("tblStylePr")).any(sets_off),
    }
}

/// The outline level that paragraph properties say; 9 is none.
pub(crate) fn outline(properties: Element) -> Option<u8> {
    properties.child("outlineLvl").and_then(|level| level.number("val"))
}

/// The place in a list that paragraph properties say.
pub(crate) fn numbered(properties: Element) -> Option<Numbered> {
    let numbering = properties.child("numPr")?;
    let value = |name: &str| numbering.child(name).and_then(|child| child.attribute("val"));
    Some(Numbered {
        list: value("numId").map(str::to_owned),
        level: value("ilvl").and_then(|level| level.parse().ok()),
    })
}

/// Names that other programs and converters give to the styles of headings and of lines in a table
/// of contents.
const HEADINGS: &[&str] =
    &["heading", "überschrift", "titre", "titolo", "titel", "título", "kop", "rubrik"];
const CONTENTS: &[&str] = &["toc ", "verzeichnis ", "tm ", "sommario ", "inhalt "];

/// Built-in styles are known by their names, which stay English in every language as Word writes
/// them.
fn named_role(name: &str) -> Role {
    let level = |rest: &str| rest.trim().parse().ok().filter(|level| (1..=9).contains(level));
    match name {
        "title" | "titel" | "titre" | "titolo" => Role::Title,
        "table of figures" => Role::Contents,
        _ if CONTENTS.iter().any(|start| name.strip_prefix(start).and_then(level).is_some()) => {
            Role::Contents
        }
        "html preformatted" | "plain text" | "macro text" => Role::Code,
        "quote" | "intense quote" => Role::Quote,
        _ => {
            let found = HEADINGS.iter().find_map(|start| name.strip_prefix(start).and_then(level));
            found.map_or(Role::Text, Role::Heading)
        }
    }
}
