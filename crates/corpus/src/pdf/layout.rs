//! From sheets to regions: turns, headers, columns, notes and tables, in this order.

use std::collections::{HashMap, HashSet};

use super::band;
use super::block::{Body, Item, Region, half_points};
use super::column;
use super::furniture::{self, Sides};
use super::line::{Mirrored, Segment, is_right_to_left, segments};
use super::note;
use super::sheet::{Area, Glyph, Rule, Sheet, Turn};
use super::table::{self, Line, Part, Table};
use crate::plain::compounds;

/// Files of so few segments may be nothing but headers and page numbers.
const FEW_SEGMENTS: usize = 100;

/// How a region's coordinates become the page's.
#[derive(Debug, Clone, Copy)]
pub(in crate::pdf) struct Frame {
    turn: Turn,
    mirrored: Mirrored,
    /// Of the page as it is shown.
    width: f32,
    height: f32,
}

impl Frame {
    /// The width and height of the page once it is turned so that the text is upright.
    fn turned(&self) -> (f32, f32) {
        match self.turn {
            Turn::Upright | Turn::Half => (self.width, self.height),
            Turn::Right | Turn::Left => (self.height, self.width),
        }
    }

    fn mirror(&self, area: Area) -> Area {
        let (width, _) = self.turned();
        match self.mirrored {
            Mirrored::Yes => Area::new(width - area.x0, area.y0, width - area.x1, area.y1),
            Mirrored::No => area,
        }
    }

    /// Where an area of this frame stands on the page.
    pub(super) fn page_area(&self, area: Area) -> Area {
        self.turn.back(self.mirror(area), (self.width, self.height))
    }

    /// Where an area of the page stands in this frame.
    fn own_area(&self, area: Area) -> Area {
        let corner = |x, y| self.turn.upright((x, y), (self.width, self.height));
        let (from, to) = (corner(area.x0, area.y0), corner(area.x1, area.y1));
        self.mirror(Area::new(from.0, from.1, to.0, to.1))
    }
}

/// The text of one page that runs one way.
struct Layer {
    page: u32,
    frame: Frame,
    segments: Vec<Segment>,
    rules: Vec<Rule>,
}

/// The regions of all pages in reading order, and what is usual in the document.
pub(super) fn regions(sheets: Vec<Sheet>, outline: &[String]) -> (Body, Vec<Region>) {
    let mut layers: Vec<Layer> =
        sheets.into_iter().zip(1..).flat_map(|(sheet, page)| layers(sheet, page)).collect();
    remove_furniture(&mut layers);
    let mut body = usual(&layers, outline);
    let found: Vec<Region> =
        layers.into_iter().flat_map(|layer| layer_regions(layer, &body)).collect();
    body.leading = leading(&found);
    (body, found)
}

fn layers(sheet: Sheet, page: u32) -> Vec<Layer> {
    let Sheet { width, height, glyphs, rules, .. } = sheet;
    let mut by_turn: HashMap<u8, Vec<Glyph>> = HashMap::new();
    for glyph in glyphs {
        by_turn.entry(glyph.turn as u8).or_default().push(glyph);
    }
    // Most of the text first; text at the side comes after it.
    let mut groups: Vec<Vec<Glyph>> = by_turn.into_values().collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group[0].turn as u8));
    let layer = |group: Vec<Glyph>| {
        let mut frame = Frame { turn: group[0].turn, mirrored: Mirrored::No, width, height };
        frame.mirrored = mirrored(&group);
        let segments = segments(mirror(group, &frame), frame.mirrored);
        let rules = rules.iter().map(|rule| Rule { area: frame.own_area(rule.area) }).collect();
        Layer { page, frame, segments, rules }
    };
    groups.into_iter().map(layer).collect()
}

fn mirrored(glyphs: &[Glyph]) -> Mirrored {
    let letters = || glyphs.iter().flat_map(|glyph| glyph.text.chars());
    let back = letters().filter(|c| is_right_to_left(*c)).count();
    let forward = letters().filter(|c| c.is_alphabetic() && !is_right_to_left(*c)).count();
    if back > forward { Mirrored::Yes } else { Mirrored::No }
}

fn mirror(mut glyphs: Vec<Glyph>, frame: &Frame) -> Vec<Glyph> {
    let (width, _) = frame.turned();
    if frame.mirrored == Mirrored::Yes {
        for glyph in &mut glyphs {
            (glyph.x0, glyph.x1) = (width - glyph.x1, width - glyph.x0);
        }
    }
    glyphs
}

fn remove_furniture(layers: &mut [Layer]) {
    let count: usize = layers.iter().map(|layer| layer.segments.len()).sum();
    let few = || layers.iter().map(|layer| layer.segments.clone()).collect::<Vec<_>>();
    let before = if count <= FEW_SEGMENTS { few() } else { Vec::new() };
    remove_headers(layers);
    // A file that says nothing else says this.
    if layers.iter().all(|layer| layer.segments.is_empty()) {
        layers.iter_mut().zip(before).for_each(|(layer, all)| layer.segments = all);
    }
}

fn remove_headers(layers: &mut [Layer]) {
    let mut last = 0;
    let mut pages: Vec<Sides<'_>> = Vec::new();
    for layer in layers {
        // Only the main text of a page has headers.
        if layer.page != last {
            last = layer.page;
            let (_, height) = layer.frame.turned();
            pages.push(Sides { segments: &mut layer.segments, height });
        }
    }
    furniture::remove(&mut pages);
}

/// The size and weight of most letters, and the words that are written with a hyphen.
fn usual(layers: &[Layer], outline: &[String]) -> Body {
    let mut sizes: HashMap<i32, usize> = HashMap::new();
    let (mut bold, mut all) = (0, 0);
    let mut text = String::new();
    for segment in layers.iter().flat_map(|layer| &layer.segments) {
        let letters = segment.letters();
        *sizes.entry(half_points(segment.size)).or_default() += letters;
        bold += if segment.is_bold { letters } else { 0 };
        all += letters;
        text.push_str(&segment.text());
        text.push('\n');
    }
    let most = sizes.into_iter().max_by_key(|(size, letters)| (*letters, *size));
    Body {
        size: most.map_or(10.0, |(size, _)| size as f32 / 2.0),
        is_bold: bold * 2 > all,
        leading: HashMap::new(),
        compounds: compounds(&text).into_iter().map(str::to_owned).collect::<HashSet<_>>(),
        outline: Body::outline(outline),
    }
}

fn layer_regions(layer: Layer, body: &Body) -> Vec<Region> {
    let Layer { page, frame, mut segments, rules } = layer;
    let mut tables = table::ruled(&mut segments, &rules);
    tables.extend(band::banded(&mut segments, &rules));
    let mut regions: Vec<Region> = column::regions(segments)
        .into_iter()
        .map(|segments| region(segments, &rules, body, page, frame))
        .collect();
    for table in tables {
        insert(&mut regions, table, page, frame);
    }
    let marks: Vec<String> = regions.iter().flat_map(|r| &r.notes).filter_map(note::mark).collect();
    regions.iter_mut().for_each(|region| region.marks = marks.clone());
    regions
}

fn region(segments: Vec<Segment>, rules: &[Rule], body: &Body, page: u32, frame: Frame) -> Region {
    let lines = lines(segments);
    let joined: Vec<Segment> = lines.iter().map(|line| joined(line.clone())).collect();
    let (text, notes) = note::split(joined, body.size);
    let lines: Vec<Line> = lines.into_iter().take(text.len()).collect();
    let area = Area::all(text.iter().chain(&notes).map(|line| line.area));
    let items = table::aligned(lines, rules).into_iter().flat_map(|part| match part {
        Part::Table(table) => vec![Item::Table(table)],
        Part::Lines(lines) => lines.into_iter().map(|line| Item::Line(joined_line(line))).collect(),
    });
    Region { page, items: items.collect(), notes, marks: Vec::new(), area, frame }
}

fn joined_line(line: Line) -> Segment {
    joined(line)
}

/// Segments on one line, from left to right.
fn lines(mut segments: Vec<Segment>) -> Vec<Line> {
    segments.sort_by(|a, b| a.y.total_cmp(&b.y));
    let mut found: Vec<Line> = Vec::new();
    for segment in segments {
        match found.last_mut() {
            Some(line) if segment.y - line[0].y < 0.3 * segment.size.min(line[0].size) => {
                line.push(segment)
            }
            _ => found.push(vec![segment]),
        }
    }
    for line in &mut found {
        line.sort_by(|a, b| a.area.x0.total_cmp(&b.area.x0));
    }
    found
}

fn joined(line: Line) -> Segment {
    let mut parts = line.into_iter();
    let mut first = parts.next().expect("a line has a segment");
    parts.for_each(|part| first.append(part));
    first
}

/// Puts a table among the lines of the region where it stands.
fn insert(regions: &mut Vec<Region>, table: Table, page: u32, frame: Frame) {
    let area = table.area;
    let shared = |region: &Region| region.area.x1.min(area.x1) - region.area.x0.max(area.x0);
    let is_host =
        |region: &&mut Region| shared(region) > 0.3 * area.width() && region.area.y0 < area.y1;
    let top = |item: &Item| match item {
        Item::Line(line) => line.y,
        Item::Table(table) => table.area.y0,
    };
    if let Some(region) = regions.iter_mut().rev().find(is_host) {
        let at = region.items.iter().position(|item| top(item) > area.y0);
        let at = at.unwrap_or(region.items.len());
        return region.items.insert(at, Item::Table(table));
    }
    let at = regions.iter().position(|region| region.area.y0 > area.y0).unwrap_or(regions.len());
    let items = vec![Item::Table(table)];
    let own = Region { page, items, notes: Vec::new(), marks: Vec::new(), area, frame };
    regions.insert(at, own);
}

/// How far apart the lines of paragraphs stand, by size: the median.
fn leading(regions: &[Region]) -> HashMap<i32, f32> {
    let mut distances: HashMap<i32, Vec<f32>> = HashMap::new();
    for region in regions {
        for pair in region.items.windows(2) {
            let [Item::Line(above), Item::Line(line)] = pair else { continue };
            let distance = line.y - above.y;
            let is_same = (above.size - line.size).abs() < 0.05 * line.size;
            if is_same && distance > 0.8 * line.size && distance < 2.2 * line.size {
                distances.entry(half_points(line.size)).or_default().push(distance);
            }
        }
    }
    let median = |mut values: Vec<f32>| {
        values.sort_by(f32::total_cmp);
        values[values.len() / 2]
    };
    distances.into_iter().map(|(size, values)| (size, median(values))).collect()
}
