//! Objects that stand in an OpenDocument file as files of their own: formulas, charts, tables.

use std::collections::HashMap;

use super::open_document::{FORMAT, tables};
use super::open_document_style::Styles;
use crate::package::Package;
use crate::raw::Raw;
use crate::sheet::Budget;
use crate::xml::{Element, Xml};
use crate::{BlockKind, Unreadable};

/// What an object shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    /// Words in the line.
    Formula(String),
    /// Rows of a table or of a chart's figures.
    Rows(Vec<Raw>),
}

/// The objects of a file, by the elements that refer to them.
pub(super) type Objects = HashMap<u32, Object>;

/// Reads what the elements below `root` refer to.
pub(super) fn read(
    package: &mut Package,
    root: Element,
    budget: &mut Budget,
) -> Result<Objects, Unreadable> {
    let mut found = Objects::new();
    for element in root.descendants().filter(|element| element.is("object")) {
        let Some(target) = element.attribute("xlink:href") else { continue };
        let folder = target.trim_start_matches("./").trim_end_matches('/');
        if folder.is_empty() {
            continue;
        }
        let Some(bytes) = package.part(&format!("{folder}/content.xml"))? else { continue };
        let xml = Xml::parse(&bytes, FORMAT)?;
        let object = match xml.root().is("math") {
            true => Object::Formula(formula(xml.root())),
            false => Object::Rows(rows(xml.root(), budget)?),
        };
        found.insert(element.id(), object);
    }
    Ok(found)
}

/// A formula as it was typed, else its signs one after another.
fn formula(math: Element) -> String {
    let typed = math.descendants().find(|element| element.is("annotation"));
    typed.unwrap_or(math).text().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The title of a chart and its figures, or the rows of a sheet.
fn rows(root: Element, budget: &mut Budget) -> Result<Vec<Raw>, Unreadable> {
    let mut styles = Styles::default();
    styles.add(root);
    let mut found = Vec::new();
    let parts = root.child("body").into_iter().flat_map(Element::children);
    for part in parts {
        let holder = part.child("chart").unwrap_or(part);
        let title = holder.child("title").map(Element::text).unwrap_or_default();
        if !title.trim().is_empty() {
            found.push(Raw::new(BlockKind::Paragraph, title));
        }
        for (_, blocks) in tables(holder, &styles, budget, &mut Vec::new())? {
            found.extend(blocks);
        }
    }
    Ok(found)
}
