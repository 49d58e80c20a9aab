//! Where on the pages of its file a citation stands.

use allod_corpus::{ByteRange, PageRect, Pages};
use allod_store::Store;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::reply::Citation;

/// A quote of more lines is shown by its first ones.
const PLACES_MAX: usize = 64;

/// A line, or the row of a table, on a page.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PagePlace {
    /// The page, counted from 1.
    pub page: u32,
    /// In points (1/72 inch) from the page's upper left corner.
    #[serde(flatten)]
    pub rect: PageRect,
}

/// Says of each citation where it stands on the pages of its file, if that has pages.
///
/// # Errors
/// When the store fails.
pub(crate) fn place(store: &dyn Store, citations: &mut [Citation]) -> Result<(), Error> {
    let mut known: Option<(String, Option<Pages>)> = None;
    for citation in citations {
        if known.as_ref().is_none_or(|(digest, _)| *digest != citation.digest) {
            let version = store.version(&citation.digest, Some(&citation.path))?;
            let json = version.and_then(|version| version.pages_json);
            // What an older version of the program wrote may read otherwise: then none is shown.
            let pages = json.and_then(|json| serde_json::from_str(&json).ok());
            known = Some((citation.digest.clone(), pages));
        }
        if let Some((_, Some(pages))) = &known {
            place_one(pages, citation);
        }
    }
    Ok(())
}

fn place_one(pages: &Pages, citation: &mut Citation) {
    let range = ByteRange { start: citation.start, end: citation.end };
    citation.page = pages.page_of(range);
    let marks = pages.marks_of(range).iter().take(PLACES_MAX);
    citation.rects = marks.map(|mark| PagePlace { page: mark.page, rect: mark.rect }).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_corpus::Mark;

    #[test]
    fn a_quote_over_two_pages_stands_on_both_and_begins_on_the_first() {
        let mark = |start, end, page, y0| Mark {
            range: ByteRange { start, end },
            page,
            rect: PageRect { x0: 70.0, y0, x1: 500.0, y1: y0 + 12.0 },
        };
        let marks = vec![mark(0, 40, 3, 700.0), mark(41, 80, 3, 714.0), mark(81, 120, 4, 60.0)];
        let pages = Pages { marks, ..Pages::default() };
        let mut citation = Citation { start: 50, end: 100, ..Citation::default() };
        place_one(&pages, &mut citation);
        assert_eq!(citation.page, Some(3));
        let places: Vec<(u32, f32)> = citation.rects.iter().map(|p| (p.page, p.rect.y0)).collect();
        assert_eq!(places, [(3, 714.0), (4, 60.0)]);
        let json = serde_json::to_value(&citation).unwrap();
        assert_eq!(json["rects"][1]["page"], 4);
        assert_eq!(json["rects"][1]["x1"], 500.0);
    }

    #[test]
    fn without_pages_nothing_is_said() {
        let mut citation = Citation { start: 50, end: 100, ..Citation::default() };
        place_one(&Pages::default(), &mut citation);
        let json = serde_json::to_value(&citation).unwrap();
        assert!(json.get("page").is_none() && json.get("rects").is_none());
    }
}
