//! Finds each line of a page in the canonical text.

use super::sheet::Area;
use crate::ByteRange;
use crate::clean::tidy;
use crate::pages::{Mark, PageRect};

/// A line, or a row of a table, that went into the text, in the order of the text.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub text: String,
    /// Counted from 1.
    pub page: u32,
    pub area: Area,
}

/// How far to look for the next characters that agree, and how many must.
const MAX_SKIP: usize = 160;
const AGREEING: usize = 5;

/// How often all of that is tried before the rest of the text is left without places.
const MAX_TRIES: usize = 5000;

/// Where the lines stand in the canonical text. Making blocks leaves the characters in their
/// order but may drop some (hyphens, doubled labels) and add some, so they are followed side by
/// side.
pub(super) fn marks(text: &str, places: &[Place]) -> Vec<Mark> {
    let there: Vec<(usize, char)> =
        text.char_indices().filter(|(_, c)| !c.is_whitespace()).collect();
    let mut here: Vec<(usize, char)> = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let letters = tidy(&place.text);
        here.extend(letters.chars().filter(|c| !c.is_whitespace()).map(|c| (index, c)));
    }
    let mut ranges: Vec<Option<ByteRange>> = vec![None; places.len()];
    let (mut at, mut from, mut tries) = (0, 0, 0);
    while at < there.len() && from < here.len() && tries < MAX_TRIES {
        if there[at].1 != here[from].1 {
            (at, from) = agree(&there, &here, at, from);
            tries += 1;
            continue;
        }
        let (start, end) = (there[at].0, there[at].0 + there[at].1.len_utf8());
        let range = &mut ranges[here[from].0];
        *range = Some(ByteRange::new(range.map_or(start, |range| range.start), end));
        (at, from) = (at + 1, from + 1);
    }
    let found = places.iter().zip(ranges).filter_map(|(place, range)| {
        let range = range?;
        Some(Mark { range, page: place.page, rect: rect(place.area) })
    });
    found.collect()
}

/// The nearest places from which both sides agree again.
fn agree(
    there: &[(usize, char)],
    here: &[(usize, char)],
    at: usize,
    from: usize,
) -> (usize, usize) {
    for skipped in 1..=MAX_SKIP {
        for step in 0..=skipped {
            let (a, b) = (at + step, from + skipped - step);
            let (Some(left), Some(right)) = (there.get(a..), here.get(b..)) else { continue };
            let wanted = AGREEING.min(left.len()).min(right.len());
            let same = left.iter().zip(right).take(wanted).all(|(l, r)| l.1 == r.1);
            if wanted > 0 && same {
                return (a, b);
            }
        }
    }
    (at + 1, from + 1)
}

/// In tenths of a point, which is finer than anyone sees.
fn rect(area: Area) -> PageRect {
    let finite = |value: f32| if value.is_finite() { value } else { 0.0 };
    let tenth = |value: f32| (finite(value) * 10.0).round() / 10.0;
    PageRect { x0: tenth(area.x0), y0: tenth(area.y0), x1: tenth(area.x1), y1: tenth(area.y1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_again() {
        let place = |text: &str, page| Place {
            text: text.to_owned(),
            page,
            area: Area::new(1.04, 0.0, 2.0, 1.0),
        };
        let text = "Art. 1 Fees\n\nThe council sets the fees each year.";
        let places = [
            place("Art. 1 Art. 1 Fees", 1),
            place("The coun-", 1),
            place("cil sets the fees", 1),
            place("each year.", 2),
        ];
        let found = marks(text, &places);
        let texts: Vec<&str> = found.iter().map(|mark| mark.range.slice(text).unwrap()).collect();
        assert_eq!(texts, ["Art. 1 Fees", "The coun", "cil sets the fees", "each year."]);
        assert_eq!((found[3].page, found[0].rect.x0), (2, 1.0));
    }
}
