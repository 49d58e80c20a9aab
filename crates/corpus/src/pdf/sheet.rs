//! What stands on a page: letters, lines and pictures with their places.

use std::rc::Rc;

/// A rectangle in points, from the page's upper left corner; `y` grows downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub x0: f32,
    pub y0: f32,
    pub x1: f32,
    pub y1: f32,
}

impl Area {
    pub(super) const NOTHING: Area =
        Area { x0: f32::MAX, y0: f32::MAX, x1: f32::MIN, y1: f32::MIN };

    pub(super) fn new(x0: f32, y0: f32, x1: f32, y1: f32) -> Area {
        Area { x0: x0.min(x1), y0: y0.min(y1), x1: x0.max(x1), y1: y0.max(y1) }
    }

    pub(super) fn join(self, other: Area) -> Area {
        Area {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
        }
    }

    pub(super) fn all(areas: impl IntoIterator<Item = Area>) -> Area {
        areas.into_iter().fold(Area::NOTHING, Area::join)
    }

    pub(super) fn width(self) -> f32 {
        (self.x1 - self.x0).max(0.0)
    }

    pub(super) fn height(self) -> f32 {
        (self.y1 - self.y0).max(0.0)
    }

    pub(super) fn holds(self, x: f32, y: f32) -> bool {
        (self.x0..=self.x1).contains(&x) && (self.y0..=self.y1).contains(&y)
    }

    pub(super) fn meets(self, other: Area) -> bool {
        self.x0 <= other.x1 && other.x0 <= self.x1 && self.y0 <= other.y1 && other.y0 <= self.y1
    }

    /// The part of it that lies in `other`.
    pub(super) fn within(self, other: Area) -> Area {
        Area {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        }
    }
}

/// Which way a line of text runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Turn {
    #[default]
    Upright,
    /// Downwards.
    Right,
    /// Upside down.
    Half,
    /// Upwards.
    Left,
}

impl Turn {
    /// A point of the page as seen by who turns the page so that the text is upright.
    pub(super) fn upright(self, (x, y): (f32, f32), (width, height): (f32, f32)) -> (f32, f32) {
        match self {
            Turn::Upright => (x, y),
            Turn::Right => (y, width - x),
            Turn::Half => (width - x, height - y),
            Turn::Left => (height - y, x),
        }
    }

    /// Where a rectangle of the turned page stands on the page.
    pub(super) fn back(self, area: Area, (width, height): (f32, f32)) -> Area {
        let Area { x0, y0, x1, y1 } = area;
        match self {
            Turn::Upright => area,
            Turn::Right => Area::new(width - y1, x0, width - y0, x1),
            Turn::Half => Area::new(width - x1, height - y1, width - x0, height - y0),
            Turn::Left => Area::new(y0, height - x1, y1, height - x0),
        }
    }
}

/// A page is a scan if pictures cover this much of it and it has hardly any letters.
pub(super) const SCAN_COVER: f32 = 0.5;

/// A letter in its place, upright.
#[derive(Debug, Clone)]
pub(super) struct Glyph {
    pub text: Rc<str>,
    pub x0: f32,
    pub x1: f32,
    /// The line it stands on.
    pub y: f32,
    /// The height of the font, in points.
    pub size: f32,
    pub is_bold: bool,
    pub is_fixed: bool,
    pub turn: Turn,
    /// The file says that it belongs to the page and not to the text.
    pub is_furniture: bool,
}

impl Glyph {
    pub(super) fn is_blank(&self) -> bool {
        self.text.chars().all(char::is_whitespace)
    }
}

/// A drawn line, across or down the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rule {
    pub area: Area,
}

impl Rule {
    pub(super) fn is_across(&self) -> bool {
        self.area.width() >= self.area.height()
    }
}

/// A page as it was drawn.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub width: f32,
    pub height: f32,
    pub glyphs: Vec<Glyph>,
    pub rules: Vec<Rule>,
    /// How much of the page pictures cover, from 0 to 1.
    pub pictured: f32,
    /// Letters whose fonts do not tell what they say.
    pub unreadable: usize,
    /// Letters that nobody can see: not painted, in the colour of the paper, too small, painted
    /// over, cut off.
    pub hidden: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_there_and_back() {
        let size = (200.0, 100.0);
        for turn in [Turn::Upright, Turn::Right, Turn::Half, Turn::Left] {
            let (x, y) = turn.upright((30.0, 40.0), size);
            let back = turn.back(Area::new(x, y, x, y), size);
            assert_eq!((back.x0, back.y0), (30.0, 40.0), "{turn:?}");
        }
    }
}
