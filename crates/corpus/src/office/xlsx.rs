//! Workbooks of Excel: each sheet a section, each row a line with the names of its columns.

use std::collections::{BTreeSet, HashMap};

use super::number_format::{Epoch, NumberFormat};
use super::pptx::{self, Bullets};
use super::relations::{Relations, main_part, title};
use super::xlsx_sheet::{self, Look, Styles};
use crate::found::Found;
use crate::package::Package;
use crate::raw::Raw;
use crate::sheet::Budget;
use crate::xml::{Element, Xml};
use crate::{BlockKind, Unreadable};

pub(crate) const FORMAT: &str = "Excel";
const WORKBOOK: &str = "xl/workbook.xml";

/// Reads a workbook.
pub(crate) fn read(bytes: &[u8]) -> Result<Found, Unreadable> {
    let mut package = Package::open(bytes, FORMAT)?;
    let main = main_part(&mut package, WORKBOOK, FORMAT)?;
    let workbook = Xml::parse(&package.required(&main)?, FORMAT)?;
    let relations = Relations::of(&mut package, &main, FORMAT)?;
    let properties = workbook.root().child("workbookPr");
    let is_1904 = properties.and_then(|p| p.attribute("date1904")).is_some_and(is_on);
    let epoch = if is_1904 { Epoch::Of1904 } else { Epoch::Of1900 };
    let mut book = Book {
        texts: shared_texts(&mut package, &relations)?,
        styles: styles(&mut package, &relations, epoch)?,
        budget: Budget::default(),
    };
    let mut found =
        Found { title: title(&mut package, "docProps/core.xml", FORMAT), ..Found::default() };
    let sheets = workbook.root().child("sheets");
    let mut missing = 0;
    for sheet in sheets.into_iter().flat_map(Element::children) {
        let name = sheet.attribute("name").unwrap_or_default();
        if matches!(sheet.attribute("state"), Some("hidden" | "veryHidden")) {
            found.left_out.push(format!("the hidden sheet {name:?}"));
            continue;
        }
        let id = sheet.attribute("r:id").unwrap_or_default();
        // Sheets of charts show what stands in others; modules hold programs.
        if relations.kind(id).is_some_and(|kind| kind != "worksheet") || id.is_empty() {
            continue;
        }
        let target = relations.target(id).filter(|target| package.has(target));
        let Some(target) = target else {
            missing += 1;
            continue;
        };
        let (blocks, unvalued) = book.sheet(&mut package, target)?;
        if unvalued > 0 {
            found.left_out.push(format!(
                "{unvalued} formulas without a value in sheet {name:?}: open and save it in Excel"
            ));
        }
        if !blocks.is_empty() {
            found.raws.push(Raw::new(BlockKind::Heading { level: 2 }, name));
            found.raws.extend(blocks);
        }
    }
    if missing > 0 {
        found.left_out.push(format!("sheets that are missing in the file: {missing}"));
    }
    Ok(found)
}

/// What all sheets share.
struct Book {
    texts: Vec<String>,
    styles: Styles,
    budget: Budget,
}

impl Book {
    /// The blocks of a sheet, and how many formulas have no value that was computed.
    fn sheet(
        &mut self,
        package: &mut Package,
        part: &str,
    ) -> Result<(Vec<Raw>, usize), Unreadable> {
        let Some(bytes) = package.part(part)? else { return Ok((Vec::new(), 0)) };
        let xml = Xml::parse(&bytes, FORMAT)?;
        let relations = Relations::of(package, part, FORMAT)?;
        let mut headers = BTreeSet::new();
        for table in relations.of_kind("table") {
            headers.extend(table_header(package, &table)?);
        }
        let has_no_value = |cell: &Element| {
            let is_empty = |value: Element| value.text().trim().is_empty();
            cell.is("c") && cell.child("f").is_some() && cell.child("v").is_none_or(is_empty)
        };
        let unvalued = xml.root().descendants().filter(has_no_value).count();
        let Book { texts, styles, budget } = self;
        let sheet = xlsx_sheet::read(xml.root(), texts, styles, headers, budget)?;
        let mut blocks = sheet.blocks();
        for drawing in relations.of_kind("drawing") {
            blocks.extend(boxes(package, &drawing)?);
        }
        Ok((blocks, unvalued))
    }
}

/// The texts of the boxes that lie over a sheet.
fn boxes(package: &mut Package, part: &str) -> Result<Vec<Raw>, Unreadable> {
    let Some(bytes) = package.part(part)? else { return Ok(Vec::new()) };
    let xml = Xml::parse(&bytes, FORMAT)?;
    let mut shapes = Vec::new();
    for anchor in xml.root().children().filter(|child| child.name().ends_with("Anchor")) {
        pptx::collect(anchor, &mut shapes);
    }
    Ok(shapes.into_iter().flat_map(|shape| pptx::paragraphs(shape, Bullets::Hidden)).collect())
}

/// The row of a table's header, counted from 0.
fn table_header(package: &mut Package, part: &str) -> Result<Option<u32>, Unreadable> {
    let Some(bytes) = package.part(part)? else { return Ok(None) };
    let xml = Xml::parse(&bytes, FORMAT)?;
    let has_header = xml.root().attribute("headerRowCount") != Some("0");
    let area = xml.root().attribute("ref").and_then(xlsx_sheet::area);
    Ok(area.filter(|_| has_header).map(|area| area.first_row))
}

pub(crate) fn is_on(value: &str) -> bool {
    matches!(value, "1" | "true" | "on")
}

/// The texts that cells refer to by number; phonetic readings are left out.
fn shared_texts(package: &mut Package, relations: &Relations) -> Result<Vec<String>, Unreadable> {
    let Some(part) = relations.of_kind("sharedStrings").into_iter().next() else {
        return Ok(Vec::new());
    };
    let Some(bytes) = package.part(&part)? else { return Ok(Vec::new()) };
    let xml = Xml::parse(&bytes, FORMAT)?;
    let items = xml.root().children().filter(|item| item.is("si"));
    Ok(items.map(rich_text).collect())
}

/// The text of a cell's runs; struck-out runs were deleted by their author.
pub(crate) fn rich_text(item: Element) -> String {
    let mut text = String::new();
    for part in item.children() {
        match part.name() {
            "t" => text.push_str(&part.text()),
            "r" => {
                let strike = part.at(&["rPr", "strike"]);
                let is_struck = strike.is_some_and(|s| s.attribute("val").is_none_or(is_on));
                if let Some(run) = part.child("t").filter(|_| !is_struck) {
                    text.push_str(&run.text());
                }
            }
            _ => {}
        }
    }
    text
}

fn styles(
    package: &mut Package,
    relations: &Relations,
    epoch: Epoch,
) -> Result<Styles, Unreadable> {
    let mut styles = Styles { looks: Vec::new(), epoch };
    let Some(part) = relations.of_kind("styles").into_iter().next() else { return Ok(styles) };
    let Some(bytes) = package.part(&part)? else { return Ok(styles) };
    let xml = Xml::parse(&bytes, FORMAT)?;
    let of = |name: &str| xml.root().child(name).into_iter().flat_map(Element::children);
    let custom: HashMap<u32, &str> = of("numFmts")
        .filter_map(|format| format.number("numFmtId").zip(format.attribute("formatCode")))
        .collect();
    let is_bold =
        |font: Element| font.child("b").is_some_and(|bold| bold.attribute("val").is_none_or(is_on));
    let bold: Vec<bool> = of("fonts").map(is_bold).collect();
    for cell in of("cellXfs") {
        let id: u32 = cell.number("numFmtId").unwrap_or(0);
        let format = match custom.get(&id) {
            Some(code) => NumberFormat::parse(code),
            None => NumberFormat::built_in(id),
        };
        let font: usize = cell.number("fontId").unwrap_or(0);
        styles.looks.push(Look { format, is_bold: bold.get(font).copied().unwrap_or(false) });
    }
    Ok(styles)
}
