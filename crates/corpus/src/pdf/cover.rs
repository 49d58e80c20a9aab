//! Text that was painted and is not seen: an area was painted over it later, or it lies outside
//! the part of the page that may be painted on (ISO 32000-1, sections 8.5.4 and 11.3).
//!
//! Only what is sure hides text. A picture hides none: on a scan it lies over the text that was
//! recognised. Neither does what lets something through, has another form than one rectangle, or
//! belongs to a layer that can be switched off.

use super::path::Path;
use super::sheet::Area;

/// So many areas that may hide text are kept for a page.
const AREAS_MAX: usize = 1000;
/// A smaller side, in points, covers no letter.
const SIDE_LEAST: f32 = 4.0;
/// A letter is outside from so many points beyond the edge on.
const BEYOND: f32 = 1.0;

/// The part of the page that is painted on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    /// `None` where it is all of it.
    area: Option<Area>,
    /// Whether it is no rectangle, or not known whether.
    is_odd: bool,
}

impl Window {
    /// The part of it that lies in a path.
    pub(super) fn narrowed(self, path: &Path) -> Window {
        // A curve may reach further than its ends.
        if path.has_curves() {
            return Window { is_odd: true, ..self };
        }
        let reach = path.reach();
        let area = self.area.map_or(reach, |area| area.within(reach));
        Window { area: Some(area), is_odd: self.is_odd || path.only_rectangle().is_none() }
    }

    /// The part of it that lies in letters.
    pub(super) fn odd(self) -> Window {
        Window { is_odd: true, ..self }
    }

    /// Whether nothing at this point is painted.
    pub(super) fn cuts_off(self, (x, y): (f32, f32)) -> bool {
        self.area.is_some_and(|area| {
            let wider = Area {
                x0: area.x0 - BEYOND,
                y0: area.y0 - BEYOND,
                x1: area.x1 + BEYOND,
                y1: area.y1 + BEYOND,
            };
            !wider.holds(x, y)
        })
    }
}

/// What was painted over letters.
#[derive(Debug, Default)]
pub(super) struct Covers {
    /// Each with the number of letters that were on the page before it.
    areas: Vec<(Area, usize)>,
}

impl Covers {
    /// A path was filled with something that lets nothing through, after so many letters.
    pub(super) fn add(&mut self, path: &Path, window: Window, letters: usize) {
        let Some(area) = path.only_rectangle().filter(|_| !window.is_odd) else { return };
        let area = window.area.map_or(area, |seen| area.within(seen));
        let large = area.x1 - area.x0 >= SIDE_LEAST && area.y1 - area.y0 >= SIDE_LEAST;
        if large && letters > 0 && self.areas.len() < AREAS_MAX {
            self.areas.push((area, letters));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// Whether a letter is covered: the how-manieth it is, and points of its foot and of its top.
    pub(super) fn hide(&self, number: usize, points: [(f32, f32); 2]) -> bool {
        let over = |(area, before): &(Area, usize)| {
            number < *before && points.iter().all(|(x, y)| area.holds(*x, *y))
        };
        self.areas.iter().any(over)
    }
}
