//! Where a text stands on the pages of its file.

use serde::{Deserialize, Serialize};

use crate::ByteRange;

/// The size of a page in points (1/72 inch), as a reader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PageSize {
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
}

/// A rectangle on a page in points, from the upper left corner; `y` grows downwards.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PageRect {
    /// The left side.
    pub x0: f32,
    /// The upper side.
    pub y0: f32,
    /// The right side.
    pub x1: f32,
    /// The lower side.
    pub y1: f32,
}

// Sizes and places are finite numbers, so that each equals itself.
impl Eq for PageSize {}
impl Eq for PageRect {}

/// A stretch of the text and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The bytes of the canonical text.
    #[serde(flatten)]
    pub range: ByteRange,
    /// The page, counted from 1.
    pub page: u32,
    /// The line, or the row of a table.
    pub rect: PageRect,
}

/// The pages of a document that has pages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pages {
    /// Their sizes in order.
    pub sizes: Vec<PageSize>,
    /// Where the text stands, in the order of the text.
    pub marks: Vec<Mark>,
    /// Pages, counted from 1, that are pictures of text (scans) or whose fonts do not say what
    /// they show: their text is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<u32>,
    /// Pages, counted from 1, with text that nobody sees who reads the page: it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<u32>,
    /// Names of files that are attached; they are not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<String>,
}

impl Pages {
    /// The marks that share bytes with `range`.
    pub fn marks_of(&self, range: ByteRange) -> &[Mark] {
        let start = self.marks.partition_point(|mark| mark.range.end <= range.start);
        let length =
            self.marks[start..].iter().take_while(|mark| mark.range.start < range.end).count();
        &self.marks[start..start + length]
    }

    /// What of the file is not in the text: pages, attachments; `None` if nothing.
    pub fn lacks(&self) -> Option<String> {
        let mut lacks = Vec::new();
        if !self.missing.is_empty() {
            let pages = listed(&self.missing);
            lacks.push(format!("no text on page {pages}: scanned, or in fonts without characters"));
        }
        if !self.hidden.is_empty() {
            let pages = listed(&self.hidden);
            lacks.push(format!("invisible text left out on page {pages}"));
        }
        if !self.attachments.is_empty() {
            lacks.push(format!("attached and not read: {}", self.attachments.join(", ")));
        }
        (!lacks.is_empty()).then(|| lacks.join("; "))
    }

    /// The page on which `range` begins, counted from 1.
    pub fn page_of(&self, range: ByteRange) -> Option<u32> {
        self.marks_of(range).first().map(|mark| mark.page)
    }
}

/// "3, 7–9".
fn listed(pages: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for page in pages {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *page => *last = *page,
            _ => runs.push((*page, *page)),
        }
    }
    let run = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}–{last}"),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(Pages::default().lacks(), None);
        let pages = Pages { missing: vec![3, 7, 8, 9], ..Pages::default() };
        assert!(pages.lacks().unwrap().starts_with("no text on page 3, 7–9:"));
    }

    #[test]
    fn marks_are_found_by_range() {
        let mark = |start, end, page| Mark {
            range: ByteRange::new(start, end),
            page,
            rect: PageRect { x0: 0.0, y0: 0.0, x1: 1.0, y1: 1.0 },
        };
        let marks = vec![mark(0, 10, 1), mark(11, 20, 1), mark(22, 30, 2)];
        let pages = Pages { marks, ..Pages::default() };
        assert_eq!(pages.marks_of(ByteRange::new(5, 12)).len(), 2);
        assert_eq!(pages.page_of(ByteRange::new(20, 25)), Some(2));
        assert_eq!(pages.page_of(ByteRange::new(40, 50)), None);
    }
}
