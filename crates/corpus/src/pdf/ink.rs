//! With what text and areas are painted, and so whether anybody can see the text: white on white,
//! or not painted at all (ISO 32000-1, sections 8.6 and 9.3.6).

use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::{Dict, Name, Number, Object};
use hayro_syntax::page::Resources;

use super::fuel::MAX_PAGE_MARKS;
use super::sheet::Area;

/// From here on a share of light is that of paper.
const PAPER: f64 = 0.97;

/// A way to paint areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shade {
    /// Anything that is seen on paper, or that is not known.
    #[default]
    Dark,
    /// The colour of paper.
    White,
}

/// What numbers of a colour mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Space {
    /// One is white.
    #[default]
    Light,
    /// Nought is white.
    Ink,
    Unknown,
}

/// Why a letter is not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unseen {
    /// It is not painted; a scan's text lies so over its picture.
    NotPainted,
    /// It has the colour of what is behind it.
    LikePaper,
}

/// With what is painted now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ink {
    fill: Shade,
    space: Space,
    mode: u8,
    /// Whether a pattern fills.
    is_pattern: bool,
    /// Whether what is behind shows through.
    is_clear: bool,
}

impl Ink {
    /// Takes an instruction that changes it; `false` if it is another one.
    pub(super) fn set(&mut self, op: &Op<'_, '_>, resources: &Resources<'_>) -> bool {
        let before = *self;
        self.is_pattern = match op {
            Op::NonStrokeColorNamed(color) => color.1.is_some(),
            Op::NonStrokeColorDeviceGray(_)
            | Op::NonStrokeColorDeviceRgb(_)
            | Op::NonStrokeColorCmyk(_)
            | Op::NonStrokeColor(_) => false,
            // In a space of patterns, none may have been named yet.
            Op::ColorSpaceNonStroke(name) => space(name.0, resources) == Space::Unknown,
            _ => before.is_pattern,
        };
        match op {
            Op::NonStrokeColorDeviceGray(gray) => {
                (self.space, self.fill) = (Space::Light, light(&[gray.0]));
            }
            Op::NonStrokeColorDeviceRgb(rgb) => {
                (self.space, self.fill) = (Space::Light, light(&[rgb.0, rgb.1, rgb.2]));
            }
            Op::NonStrokeColorCmyk(ink) => {
                (self.space, self.fill) = (Space::Ink, bare(&[ink.0, ink.1, ink.2, ink.3]));
            }
            Op::ColorSpaceNonStroke(name) => {
                (self.space, self.fill) = (space(name.0, resources), Shade::Dark);
            }
            Op::NonStrokeColor(color) => self.fill = self.shade(&color.0),
            Op::NonStrokeColorNamed(color) => {
                self.fill = if color.1.is_some() { Shade::Dark } else { self.shade(&color.0) };
            }
            Op::TextRenderingMode(mode) => self.mode = mode.0.as_f64().clamp(0.0, 7.0) as u8,
            _ => return false,
        }
        true
    }

    fn shade(self, color: &[Number]) -> Shade {
        match self.space {
            Space::Light => light(color),
            Space::Ink => bare(color),
            Space::Unknown => Shade::Dark,
        }
    }

    pub(super) fn fill(self) -> Shade {
        self.fill
    }

    /// Whether only what is painted within the letters is seen from now on.
    pub(super) fn clips(self) -> bool {
        self.mode >= 4
    }

    /// Whether an area that is filled now hides what is behind it.
    pub(super) fn hides(self) -> bool {
        !self.is_pattern && !self.is_clear
    }

    /// Takes the transparency of a graphics state.
    pub(super) fn mix(&mut self, state: &Dict<'_>) {
        let through = state.get::<f64>("ca").map(|share| share < 1.0);
        let normal = |name: &Name<'_>| matches!(name.as_ref(), b"Normal" | b"Compatible");
        let blends = match state.get::<Object<'_>>("BM") {
            Some(Object::Name(name)) => Some(!normal(&name)),
            Some(_) => Some(true),
            None => None,
        };
        let masks = match state.get::<Object<'_>>("SMask") {
            Some(Object::Name(name)) => Some(name.as_ref() != b"None"),
            Some(_) => Some(true),
            None => None,
        };
        // What was said before is not kept apart, so one that is sound again stays clear.
        self.is_clear |= [through, blends, masks].into_iter().flatten().any(|clear| clear);
    }
}

fn light(color: &[Number]) -> Shade {
    // Four numbers are inks, however their space is named.
    if color.len() == 4 {
        return bare(color);
    }
    let white = !color.is_empty() && color.iter().all(|part| part.as_f64() >= PAPER);
    if white { Shade::White } else { Shade::Dark }
}

fn bare(color: &[Number]) -> Shade {
    let white = !color.is_empty() && color.iter().all(|part| part.as_f64() <= 1.0 - PAPER);
    if white { Shade::White } else { Shade::Dark }
}

/// What numbers mean in a named space.
fn space(name: &Name<'_>, resources: &Resources<'_>) -> Space {
    match name.as_ref() {
        b"DeviceGray" | b"DeviceRGB" | b"CalGray" | b"CalRGB" => return Space::Light,
        b"DeviceCMYK" => return Space::Ink,
        _ => {}
    }
    let Some(Object::Array(family)) = resources.get_color_space(name) else {
        return Space::Unknown;
    };
    let family = family.flex_iter().next::<Name<'_>>();
    match family.as_deref() {
        Some(b"ICCBased" | b"CalGray" | b"CalRGB") => Space::Light,
        Some(b"Separation" | b"DeviceN") => Space::Ink,
        _ => Space::Unknown,
    }
}

/// What was painted on a page so far, other than text.
#[derive(Debug, Default)]
pub(super) struct Painted {
    areas: Vec<(Area, Shade)>,
}

impl Painted {
    pub(super) fn add(&mut self, area: Area, shade: Shade) {
        // Where there is more than is kept, text on it is taken to be seen.
        if self.areas.len() < MAX_PAGE_MARKS {
            self.areas.push((area, shade));
        }
    }

    /// Why a letter at a place is not seen, if it is not.
    pub(super) fn hides(&self, ink: Ink, (x, y): (f32, f32)) -> Option<Unseen> {
        match ink.mode {
            3 => return Some(Unseen::NotPainted),
            0 | 4 => {}
            // Its outline is painted in a colour of its own.
            _ => return None,
        }
        let full = self.areas.len() >= MAX_PAGE_MARKS;
        if ink.fill != Shade::White || full {
            return None;
        }
        let behind = self.areas.iter().rev().find(|(area, _)| area.holds(x, y));
        let on_paper = behind.is_none_or(|(_, shade)| *shade == Shade::White);
        on_paper.then_some(Unseen::LikePaper)
    }
}
