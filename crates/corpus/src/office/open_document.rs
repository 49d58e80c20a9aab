//! OpenDocument files: texts, spreadsheets and presentations.

use super::open_document_object;
use super::open_document_style::Styles;
use super::open_document_text::Reader;
use super::relations::title;
use crate::clean::LINE_BREAK;
use crate::found::Found;
use crate::package::Package;
use crate::raw::Raw;
use crate::sheet::{Budget, Cell, Hidden, Look, Row, Sheet};
use crate::xml::{Element, Xml};
use crate::{BlockKind, Unreadable};

pub(super) const FORMAT: &str = "OpenDocument";

/// A cell or row that says it is repeated is written so many times at most.
const MAX_REPEATED: u32 = 100;
const MAX_COLUMNS: u32 = 1 << 14;

/// Reads a file.
pub(crate) fn read(bytes: &[u8]) -> Result<Found, Unreadable> {
    let mut package = Package::open(bytes, FORMAT)?;
    if let Some(manifest) = package.part("META-INF/manifest.xml")? {
        let manifest = Xml::parse(&manifest, FORMAT)?;
        if manifest.root().descendants().any(|element| element.is("encryption-data")) {
            return Err(Unreadable::Encrypted { format: FORMAT });
        }
    }
    let content = Xml::parse(&package.required("content.xml")?, FORMAT)?;
    let common = package.part("styles.xml")?.map(|b| Xml::parse(&b, FORMAT)).transpose()?;
    let mut styles = Styles::default();
    common.iter().for_each(|xml| styles.add(xml.root()));
    styles.add(content.root());
    let mut budget = Budget::default();
    styles.objects = open_document_object::read(&mut package, content.root(), &mut budget)?;
    let mut found = Found { title: title(&mut package, "meta.xml", FORMAT), ..Found::default() };
    let body = content.root().child("body").into_iter().flat_map(Element::children);
    for part in body {
        match part.name() {
            "text" => {
                let mut reader = Reader::new(&styles);
                reader.blocks(part);
                reader.flush_notes();
                found.raws.append(&mut reader.found);
            }
            "spreadsheet" => sheets(part, &styles, &mut budget, &mut found)?,
            "presentation" | "drawing" => slides(part, &styles, &mut found),
            _ => {}
        }
    }
    Ok(found)
}

/// The names and blocks of the sheets that are shown, and what is left out.
pub(super) fn tables<'a>(
    part: Element<'a>,
    styles: &Styles,
    budget: &mut Budget,
    left_out: &mut Vec<String>,
) -> Result<Vec<(&'a str, Vec<Raw>)>, Unreadable> {
    let mut found = Vec::new();
    for table in part.children().filter(|child| child.is("table")) {
        let name = table.attribute("table:name").unwrap_or_default();
        if styles.is_hidden(table.attribute("table:style-name")) {
            left_out.push(format!("the hidden sheet {name:?}"));
            continue;
        }
        let mut sheet = Sheet::default();
        let mut next = 0;
        let mut hidden = Vec::new();
        hidden_columns(table, &mut 0, &mut hidden);
        rows(table, &mut sheet, &mut next, false, &Hidden::of(hidden), budget)?;
        found.push((name, sheet.blocks()));
    }
    Ok(found)
}

fn sheets(
    part: Element,
    styles: &Styles,
    budget: &mut Budget,
    found: &mut Found,
) -> Result<(), Unreadable> {
    for (name, blocks) in tables(part, styles, budget, &mut found.left_out)? {
        if !blocks.is_empty() {
            found.raws.push(Raw::new(BlockKind::Heading { level: 2 }, name));
            found.raws.extend(blocks);
        }
    }
    Ok(())
}

fn rows(
    parent: Element,
    sheet: &mut Sheet,
    next: &mut u32,
    is_header: bool,
    hidden: &Hidden,
    budget: &mut Budget,
) -> Result<(), Unreadable> {
    for child in parent.children() {
        match child.name() {
            "table-header-rows" => rows(child, sheet, next, true, hidden, budget)?,
            "table-rows" | "table-row-group" => {
                rows(child, sheet, next, is_header, hidden, budget)?
            }
            "table-row" => {
                let count: u32 = child.number("table:number-rows-repeated").unwrap_or(1);
                let is_shown = child.attribute("table:visibility").is_none_or(|v| v == "visible");
                let cells = if is_shown { cells(child, hidden, budget)? } else { Vec::new() };
                let shown = if cells.is_empty() { 0 } else { count.min(MAX_REPEATED) };
                for cell in &cells {
                    budget.take(&cell.text, shown.saturating_sub(1) as usize)?;
                }
                for offset in 0..shown {
                    let number = next.saturating_add(offset);
                    sheet.rows.push(Row { number, cells: cells.clone() });
                    if is_header {
                        sheet.headers.insert(number);
                    }
                }
                // A hidden row leaves no gap between those around it.
                *next = if is_shown { next.saturating_add(count) } else { *next };
            }
            _ => {}
        }
    }
    Ok(())
}

/// The columns that are not shown; groups of columns may stand in one another.
fn hidden_columns(parent: Element, next: &mut u32, found: &mut Vec<(u32, u32)>) {
    for child in parent.children() {
        match child.name() {
            "table-columns" | "table-header-columns" | "table-column-group" => {
                hidden_columns(child, next, found);
            }
            "table-column" => {
                let count: u32 = child.number("table:number-columns-repeated").unwrap_or(1);
                let end = next.saturating_add(count);
                if child.attribute("table:visibility").is_some_and(|v| v != "visible") {
                    found.push((*next, end.saturating_sub(1)));
                }
                *next = end;
            }
            _ => {}
        }
    }
}

fn cells(row: Element, hidden: &Hidden, budget: &mut Budget) -> Result<Vec<Cell>, Unreadable> {
    let mut found: Vec<Cell> = Vec::new();
    let mut column = 0_u32;
    for cell in row.children() {
        let count: u32 = cell.number("table:number-columns-repeated").unwrap_or(1);
        let text = cell_text(cell);
        if cell.is("table-cell") && !text.trim().is_empty() && column < MAX_COLUMNS {
            let kind = cell.attribute("office:value-type").unwrap_or("string");
            let look = if kind == "string" { Look::Text } else { Look::Number };
            let columns = cell.number("table:number-columns-spanned").unwrap_or(1);
            let cell = |column| Cell { column, text: text.clone(), look, columns };
            budget.take(&text, count.min(MAX_REPEATED) as usize)?;
            let is_shown = |column: &u32| !hidden.has(*column);
            found.extend((column..column + count.min(MAX_REPEATED)).filter(is_shown).map(cell));
        }
        column = column.saturating_add(count);
    }
    Ok(found)
}

/// A cell as it is shown; its value where nothing is shown.
fn cell_text(cell: Element) -> String {
    let lines: Vec<String> =
        cell.children().filter(|child| child.is("p")).map(Element::text).collect();
    match lines.is_empty() {
        true => cell.attribute("office:value").unwrap_or_default().to_owned(),
        false => lines.join(LINE_BREAK.encode_utf8(&mut [0; 4])),
    }
}

fn slides(part: Element, styles: &Styles, found: &mut Found) {
    let pages = part.children().filter(|child| child.is("page"));
    for (index, page) in pages.enumerate() {
        if styles.is_hidden(page.attribute("draw:style-name")) {
            found.left_out.push(format!("the hidden slide {}", index + 1));
            continue;
        }
        let class = |shape: Element| shape.attribute("presentation:class").map(str::to_owned);
        let is_title = |shape: &Element| class(*shape).as_deref() == Some("title");
        let (mut body, mut heading, mut notes) = (Reader::new(styles), String::new(), Vec::new());
        for shape in page.children() {
            match shape.name() {
                "notes" => notes = note_blocks(shape, styles),
                _ if is_title(&shape) && heading.is_empty() => heading = shape.text(),
                _ => shape_blocks(shape, &mut body),
            }
        }
        body.flush_notes();
        if body.found.is_empty() && heading.trim().is_empty() && notes.is_empty() {
            continue;
        }
        if heading.trim().is_empty() {
            heading = format!("Slide {}", index + 1);
        }
        found.raws.push(Raw::new(BlockKind::Heading { level: 2 }, heading));
        found.raws.append(&mut body.found);
        found.raws.extend(notes);
    }
}

fn shape_blocks<'a>(shape: Element<'a>, reader: &mut Reader<'a>) {
    match shape.name() {
        "frame" | "custom-shape" | "rect" => reader.blocks(shape),
        "g" => shape.children().for_each(|inner| shape_blocks(inner, reader)),
        _ => {}
    }
}

fn note_blocks(notes: Element, styles: &Styles) -> Vec<Raw> {
    let mut reader = Reader::new(styles);
    let is_note = |shape: &Element| shape.attribute("presentation:class") == Some("notes");
    notes.children().filter(is_note).for_each(|shape| reader.blocks(shape));
    let texts = reader.found.into_iter();
    texts.map(|raw| Raw::new(BlockKind::Note, raw.text)).collect()
}
