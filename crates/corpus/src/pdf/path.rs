//! Paths, as far as they are rules: thin lines across or down the page.

use super::fuel::MAX_PAGE_MARKS;
use super::sheet::{Area, Rule};

/// A thicker line is an area.
const MAX_THICKNESS: f32 = 3.0;
/// A shorter line is a sign.
const MIN_LENGTH: f32 = 4.0;

/// A side of a rectangle leaves its direction by less.
const FLAT: f32 = 0.5;

/// A path being drawn, in points.
#[derive(Debug)]
pub(super) struct Path {
    lines: Vec<Area>,
    rectangles: Vec<Area>,
    start: (f32, f32),
    at: (f32, f32),
    reach: Area,
    has_curves: bool,
}

impl Default for Path {
    fn default() -> Path {
        let (lines, rectangles) = (Vec::new(), Vec::new());
        Path {
            lines,
            rectangles,
            start: (0.0, 0.0),
            at: (0.0, 0.0),
            reach: Area::NOTHING,
            has_curves: false,
        }
    }
}

impl Path {
    /// The area that all its points lie in.
    pub(super) fn reach(&self) -> Area {
        self.reach
    }

    /// Whether it reaches further than its points may tell.
    pub(super) fn has_curves(&self) -> bool {
        self.has_curves
    }

    /// Its area, if it is one rectangle along the sides of the page and nothing else.
    pub(super) fn only_rectangle(&self) -> Option<Area> {
        match (self.rectangles.as_slice(), self.lines.as_slice()) {
            _ if self.has_curves => None,
            ([area], []) => Some(*area),
            // Four sides, or three that are closed by filling.
            ([], sides @ ([_, _, _, _] | [_, _, _])) => {
                let straight = |side: &Area| side.width() < FLAT || side.height() < FLAT;
                let all = Area::all(sides.iter().copied());
                let turns = sides
                    .windows(2)
                    .all(|pair| (pair[0].width() < FLAT) != (pair[1].width() < FLAT));
                let closed = self.start == self.at || sides.len() == 3;
                (closed && turns && sides.iter().all(straight)).then_some(all)
            }
            _ => None,
        }
    }

    fn touch(&mut self, (x, y): (f32, f32)) {
        self.reach = self.reach.join(Area::new(x, y, x, y));
    }

    pub(super) fn move_to(&mut self, to: (f32, f32)) {
        self.touch(to);
        (self.start, self.at) = (to, to);
    }

    pub(super) fn line_to(&mut self, to: (f32, f32)) {
        self.touch(to);
        if self.lines.len() < MAX_PAGE_MARKS {
            self.lines.push(Area::new(self.at.0, self.at.1, to.0, to.1));
        }
        self.at = to;
    }

    /// A curve, which is no rule.
    pub(super) fn skip_to(&mut self, to: (f32, f32)) {
        self.touch(to);
        self.has_curves = true;
        self.at = to;
    }

    pub(super) fn close(&mut self) {
        self.line_to(self.start);
    }

    pub(super) fn rectangle(&mut self, from: (f32, f32), to: (f32, f32)) {
        if self.rectangles.len() < MAX_PAGE_MARKS {
            self.rectangles.push(Area::new(from.0, from.1, to.0, to.1));
        }
        self.touch(to);
        self.move_to(from);
    }

    /// The rules that drawing the path's lines leaves.
    pub(super) fn stroked(&self) -> Vec<Rule> {
        let sides = self.rectangles.iter().flat_map(|area| {
            let Area { x0, y0, x1, y1 } = *area;
            [
                Area::new(x0, y0, x1, y0),
                Area::new(x0, y1, x1, y1),
                Area::new(x0, y0, x0, y1),
                Area::new(x1, y0, x1, y1),
            ]
        });
        self.lines.iter().copied().chain(sides).filter_map(rule).collect()
    }

    /// The rules that filling the path leaves: thin rectangles.
    pub(super) fn filled(&self) -> Vec<Rule> {
        let thin = self.rectangles.iter().copied().filter_map(rule);
        // Some programs draw a thin rectangle line by line.
        let outline = match self.lines.len() {
            3..=5 => rule(Area::all(self.lines.iter().copied())),
            _ => None,
        };
        thin.chain(outline).collect()
    }
}

fn rule(area: Area) -> Option<Rule> {
    let (thickness, length) = (area.width().min(area.height()), area.width().max(area.height()));
    (thickness <= MAX_THICKNESS && length >= MIN_LENGTH.max(2.0 * thickness))
        .then_some(Rule { area })
}
