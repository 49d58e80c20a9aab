//! Charts and diagrams that a slide or a text refers to: the figures of a chart as rows, the words
//! of a diagram as a list.

use std::collections::HashMap;

use super::relations::Relations;
use crate::package::Package;
use crate::raw::Raw;
use crate::xml::{Element, Xml};
use crate::{BlockKind, Unreadable, table};

/// More points of a chart are a curve that nobody reads as text.
const MAX_POINTS: usize = 200;

/// The blocks of each chart and diagram, by the element that refers to it.
pub(super) type Graphics = HashMap<u32, Vec<Raw>>;

/// Reads what the elements below `root` refer to.
pub(super) fn read(
    package: &mut Package,
    relations: &Relations,
    root: Element,
    format: &'static str,
) -> Result<Graphics, Unreadable> {
    let mut found = Graphics::new();
    for element in root.descendants() {
        let id = match element.name() {
            "chart" => element.attribute("r:id"),
            "relIds" => element.attribute("r:dm"),
            _ => None,
        };
        let Some(target) = id.and_then(|id| relations.target(id)) else { continue };
        let Some(bytes) = package.part(target)? else { continue };
        let xml = Xml::parse(&bytes, format)?;
        let blocks = if element.is("chart") { chart(xml.root()) } else { diagram(xml.root()) };
        found.insert(element.id(), blocks);
    }
    Ok(found)
}

fn chart(root: Element) -> Vec<Raw> {
    let Some(chart) = root.child("chart") else { return Vec::new() };
    let title = chart.child("title").map(written).unwrap_or_default();
    let series: Vec<Element> = chart
        .child("plotArea")
        .into_iter()
        .flat_map(Element::children)
        .filter(|plot| plot.name().ends_with("Chart"))
        .flat_map(Element::children)
        .filter(|child| child.is("ser"))
        .collect();
    let mut header = vec![String::new()];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (index, one) in series.iter().enumerate() {
        let name = one.child("tx").map(points).unwrap_or_default();
        header.push(name.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" "));
        let categories = one.child("cat").or_else(|| one.child("xVal")).map(points);
        let values = one.child("val").or_else(|| one.child("yVal")).map(points);
        for (at, value) in values.unwrap_or_default() {
            if rows.len() <= at {
                rows.resize(at + 1, vec![String::new(); series.len() + 1]);
            }
            rows[at][index + 1] = value;
        }
        for (at, category) in categories.unwrap_or_default() {
            if let Some(row) = rows.get_mut(at).filter(|row| row[0].is_empty()) {
                row[0] = category;
            }
        }
    }
    let title = (!title.is_empty()).then(|| Raw::new(BlockKind::Paragraph, title));
    title.into_iter().chain(table::rows(&header, &rows)).collect()
}

/// The points that a program kept beside a reference: their places and texts.
fn points(holder: Element) -> Vec<(usize, String)> {
    let points = holder.descendants().filter(|element| element.is("pt"));
    let read = |point: Element| {
        let at: usize = point.number("idx").unwrap_or(0);
        Some((at, shown(&point.child("v")?.text()))).filter(|(at, _)| *at < MAX_POINTS)
    };
    let found: Vec<(usize, String)> = points.filter_map(read).collect();
    match found.is_empty() {
        true => holder.child("v").map(|v| vec![(0, v.text())]).unwrap_or_default(),
        false => found,
    }
}

/// "19.199999999999999" is what programs keep for 19.2.
fn shown(value: &str) -> String {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    match value.trim().parse::<f64>() {
        Ok(number) if digits > 12 => format!("{}", (number * 1e6).round() / 1e6),
        _ => value.trim().to_owned(),
    }
}

fn written(element: Element) -> String {
    let runs = element.descendants().filter(|element| element.is("t"));
    runs.map(Element::text).collect::<Vec<_>>().join(" ")
}

fn diagram(root: Element) -> Vec<Raw> {
    let points = root.child("ptLst").into_iter().flat_map(Element::children);
    let nodes =
        points.filter(|point| matches!(point.attribute("type"), None | Some("node" | "asst")));
    let texts = nodes.filter_map(|node| node.child("t")).map(written);
    let texts = texts.filter(|text| !text.trim().is_empty());
    texts.map(|text| Raw::new(BlockKind::ListItem, format!("- {}", text.trim()))).collect()
}
