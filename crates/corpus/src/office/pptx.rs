//! Presentations of PowerPoint: each slide a section, speakers' notes apart.

use super::docx_numbering::number;
use super::docx_text::{choice, is_alternative};
use super::graphic::{self, Graphics};
use super::relations::{Relations, main_part, title};
use crate::clean::{LINE_BREAK, tidy};
use crate::found::Found;
use crate::frame::Frame;
use crate::package::Package;
use crate::raw::Raw;
use crate::xml::{Element, Xml};
use crate::{BlockKind, Unreadable};

const FORMAT: &str = "PowerPoint";
const PRESENTATION: &str = "ppt/presentation.xml";

/// Reads a presentation.
pub(crate) fn read(bytes: &[u8]) -> Result<Found, Unreadable> {
    let mut package = Package::open(bytes, FORMAT)?;
    let main = main_part(&mut package, PRESENTATION, FORMAT)?;
    let presentation = Xml::parse(&package.required(&main)?, FORMAT)?;
    let relations = Relations::of(&mut package, &main, FORMAT)?;
    let mut found =
        Found { title: title(&mut package, "docProps/core.xml", FORMAT), ..Found::default() };
    let slides = presentation.root().child("sldIdLst").into_iter().flat_map(Element::children);
    let mut missing = 0;
    for (index, slide) in slides.enumerate() {
        let target = slide.attribute("r:id").and_then(|id| relations.target(id));
        let Some(target) = target.filter(|target| package.has(target)) else {
            missing += 1;
            continue;
        };
        let xml = Xml::parse(&package.required(target)?, FORMAT)?;
        if matches!(xml.root().attribute("show"), Some("0" | "false")) {
            found.left_out.push(format!("the hidden slide {}", index + 1));
            continue;
        }
        let inner = Relations::of(&mut package, target, FORMAT)?;
        let notes = notes(&mut package, &inner)?;
        let graphics = graphic::read(&mut package, &inner, xml.root(), FORMAT)?;
        found.raws.extend(slide_blocks(xml.root(), index + 1, notes, &graphics));
    }
    if missing > 0 {
        found.left_out.push(format!("slides that are missing in the file: {missing}"));
    }
    Ok(found)
}

/// The notes that a speaker wrote under a slide.
fn notes(package: &mut Package, relations: &Relations) -> Result<Vec<Raw>, Unreadable> {
    let Some(part) = relations.of_kind("notesSlide").into_iter().next() else {
        return Ok(Vec::new());
    };
    let Some(bytes) = package.part(&part)? else { return Ok(Vec::new()) };
    let xml = Xml::parse(&bytes, FORMAT)?;
    let bodies = shapes(xml.root()).into_iter().filter(|shape| place(*shape) == Some("body"));
    let texts = bodies.flat_map(|body| paragraphs(body, Bullets::Hidden));
    Ok(texts.map(|raw| Raw::new(BlockKind::Note, raw.text)).collect())
}

fn slide_blocks(root: Element, number: usize, notes: Vec<Raw>, graphics: &Graphics) -> Vec<Raw> {
    let shapes = shapes(root);
    let is_title = |shape: &&Element| matches!(place(**shape), Some("title" | "ctrTitle"));
    let heading = shapes.iter().find(is_title).map(|shape| {
        let texts: Vec<String> =
            paragraphs(*shape, Bullets::Hidden).into_iter().map(|raw| raw.text).collect();
        tidy(&texts.join(" ")).replace('\n', " ")
    });
    let heading = heading.filter(|text| !text.is_empty());
    let mut found = Vec::new();
    for shape in shapes.iter().filter(|shape| !is_title(shape)) {
        found.extend(shape_blocks(*shape, graphics));
    }
    if found.is_empty() && heading.is_none() && notes.is_empty() {
        return found;
    }
    let heading = heading.unwrap_or_else(|| format!("Slide {number}"));
    found.insert(0, Raw::new(BlockKind::Heading { level: 2 }, heading));
    found.extend(notes);
    found
}

/// The shapes of a slide, groups opened, in their order.
fn shapes(root: Element<'_>) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    let tree = root.at(&["cSld", "spTree"]);
    tree.into_iter().for_each(|tree| collect(tree, &mut found));
    found
}

pub(super) fn collect<'a>(tree: Element<'a>, found: &mut Vec<Element<'a>>) {
    for child in tree.children() {
        match child.name() {
            "sp" | "graphicFrame" | "pic" if !is_hidden(child) => found.push(child),
            "grpSp" if !is_hidden(child) => collect(child, found),
            "AlternateContent" => choice(child).into_iter().for_each(|c| collect(c, found)),
            _ => {}
        }
    }
}

fn properties(shape: Element<'_>) -> Option<Element<'_>> {
    let holder = shape.children().find(|child| child.name().starts_with("nv"))?;
    holder.child("cNvPr")
}

fn is_hidden(shape: Element) -> bool {
    let hidden = properties(shape).and_then(|properties| properties.attribute("hidden"));
    matches!(hidden, Some("1" | "true"))
}

/// What a shape is for, where the layout says it: "title", "body", "dt", "sldNum" …
fn place(shape: Element<'_>) -> Option<&str> {
    let holder = shape.children().find(|child| child.name().starts_with("nv"))?;
    let place = holder.at(&["nvPr", "ph"])?;
    Some(place.attribute("type").unwrap_or("body"))
}

fn shape_blocks(shape: Element, graphics: &Graphics) -> Vec<Raw> {
    match place(shape) {
        // Date, footer and number stand on every slide.
        Some("dt" | "ftr" | "sldNum" | "hdr") => Vec::new(),
        _ if shape.is("pic") => {
            let text = properties(shape).and_then(|p| p.attribute("descr")).unwrap_or_default();
            let is_said = is_alternative(text);
            is_said.then(|| Raw::new(BlockKind::Paragraph, text)).into_iter().collect()
        }
        _ if shape.is("graphicFrame") => {
            let tables = shape.descendants().filter(|element| element.is("tbl"));
            let mut found: Vec<Raw> = tables.flat_map(table).collect();
            let drawn = shape.descendants().filter_map(|element| graphics.get(&element.id()));
            found.extend(drawn.flatten().cloned());
            found
        }
        Some("body" | "obj") => paragraphs(shape, Bullets::Shown),
        _ => paragraphs(shape, Bullets::Hidden),
    }
}

/// Whether paragraphs have bullets when they do not say so themselves: those in a slide's body do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bullets {
    Shown,
    Hidden,
}

pub(super) fn paragraphs(shape: Element, bullets: Bullets) -> Vec<Raw> {
    let Some(body) = shape.child("txBody") else { return Vec::new() };
    let paragraphs: Vec<Element> = body.children().filter(|child| child.is("p")).collect();
    let filled = paragraphs.iter().filter(|p| !text(**p).trim().is_empty()).count();
    let mut counts = [0_u32; 10];
    let mut found = Vec::new();
    for paragraph in paragraphs {
        let text = text(paragraph);
        if text.trim().is_empty() {
            continue;
        }
        let properties = paragraph.child("pPr");
        let level: usize = properties.and_then(|p| p.number("lvl")).unwrap_or(0).min(8);
        counts[level + 1..].fill(0);
        let own = properties.and_then(|p| {
            p.children().find(|c| {
                c.name().starts_with("bu")
                    && !matches!(
                        c.name(),
                        "buFont"
                            | "buClr"
                            | "buSzPct"
                            | "buSzPts"
                            | "buClrTx"
                            | "buSzTx"
                            | "buFontTx"
                    )
            })
        });
        let marker = match own.map(|own| (own.name(), own)) {
            Some(("buNone", _)) => None,
            Some(("buAutoNum", auto)) => {
                let start: u32 = auto.number("startAt").unwrap_or(1);
                counts[level] = if counts[level] == 0 { start } else { counts[level] + 1 };
                Some(auto_number(counts[level], auto.attribute("type").unwrap_or_default()))
            }
            Some(_) => Some("-".to_owned()),
            None => (bullets == Bullets::Shown && filled > 1).then(|| "-".to_owned()),
        };
        found.push(match marker {
            Some(marker) => Raw::new(BlockKind::ListItem, format!("{marker} {}", text.trim())),
            None => Raw::new(BlockKind::Paragraph, text),
        });
    }
    found
}

/// "arabicPeriod" is "1.", "alphaLcParenBoth" is "(a)".
fn auto_number(count: u32, kind: &str) -> String {
    let format = match kind {
        _ if kind.starts_with("alphaLc") => "lowerLetter",
        _ if kind.starts_with("alphaUc") => "upperLetter",
        _ if kind.starts_with("romanLc") => "lowerRoman",
        _ if kind.starts_with("romanUc") => "upperRoman",
        _ => "decimal",
    };
    let text = number(count, format);
    match () {
        _ if kind.ends_with("ParenBoth") => format!("({text})"),
        _ if kind.ends_with("ParenR") => format!("{text})"),
        _ => format!("{text}."),
    }
}

fn text(paragraph: Element) -> String {
    let mut text = String::new();
    for child in paragraph.children() {
        match child.name() {
            "r" | "fld" => {
                let strike = child.child("rPr").and_then(|p| p.attribute("strike"));
                if strike.is_none_or(|strike| strike == "noStrike") {
                    child.child("t").into_iter().for_each(|run| text.push_str(&run.text()));
                }
            }
            "br" => text.push(LINE_BREAK),
            "oMath" | "m" => text.push_str(&child.text()),
            _ => {}
        }
    }
    text
}

fn table(table: Element) -> Vec<Raw> {
    let first_row = table.child("tblPr").and_then(|p| p.attribute("firstRow"));
    let has_header = matches!(first_row, Some("1" | "true"));
    let mut frame = Frame::default();
    let rows = table.children().filter(|child| child.is("tr"));
    for (index, row) in rows.enumerate() {
        frame.open_row();
        for cell in row.children().filter(|child| child.is("tc")) {
            let continues = |name| matches!(cell.attribute(name), Some("1" | "true"));
            if continues("hMerge") || continues("vMerge") {
                continue;
            }
            let span = |name| cell.number(name).unwrap_or(1);
            frame.open_cell(span("gridSpan"), span("rowSpan"));
            let blocks = paragraphs(cell, Bullets::Hidden);
            frame.open_cell_blocks().into_iter().for_each(|open| open.extend_from_slice(&blocks));
            frame.close_cell(has_header && index == 0);
        }
    }
    frame.finish()
}
