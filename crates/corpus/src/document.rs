//! A document: canonical text, what is known about it, and its blocks.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{Digest, Language, Pages};

/// A range of bytes in a canonical text; both ends lie on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ByteRange {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl ByteRange {
    /// The range from `start` up to, not including, `end`.
    pub fn new(start: usize, end: usize) -> ByteRange {
        ByteRange { start, end }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether `other` lies wholly inside.
    pub fn contains(self, other: ByteRange) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The text that stands there; `None` if the range does not fit the text.
    pub fn slice(self, text: &str) -> Option<&str> {
        text.get(self.start..self.end)
    }
}

/// What a block is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BlockKind {
    /// The document's title, where the text itself carries it.
    Title,
    /// A heading that is not an article's.
    Heading {
        /// 1 is the highest.
        level: u8,
    },
    /// An article's heading: "Art. 7a Gebühren", "§ 5", "Section 4".
    Article {
        /// The number in the document's own form, without blanks: "7a", "5bis", "12".
        number: String,
        /// The heading's level; 7 for an article that is a line of text, below every heading.
        level: u8,
    },
    /// Running text; a numbered paragraph keeps its number ("1 …", "(2) …").
    Paragraph,
    /// One item of a list, with its marker ("a. …", "3. …", "- …").
    ListItem,
    /// One row of a table, written so that it can be understood alone.
    TableRow,
    /// Quoted text.
    Quote,
    /// A footnote, an endnote or a speaker's note: apart from the text, at the end of its section.
    Note,
    /// Text whose lines and blanks matter.
    Code,
}

/// A piece of structure: a kind and where its text stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What it is.
    #[serde(flatten)]
    pub kind: BlockKind,
    /// Where it stands in the canonical text.
    pub range: ByteRange,
}

/// That a document changes another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// The path of the changed document, relative to the file that says it or to the ingest root.
    pub document: String,
    /// The changed place ("Art. 7"); `None` is the whole document.
    pub place: Option<String>,
    /// The first day of the change.
    pub from: Date,
}

/// What is known about a document besides its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The title; never empty.
    pub title: String,
    /// The language it is written in.
    pub language: Language,
    /// The first day in force.
    pub valid_from: Option<Date>,
    /// The last day in force.
    pub valid_until: Option<Date>,
    /// The access label; `None` is public.
    pub label: Option<String>,
    /// Where it comes from, in its keeper's words.
    pub source: Option<String>,
    /// What it changes.
    pub amends: Vec<Amendment>,
    /// The work that it is a state of, such as "sr:235.1" or "celex:32024R1689": of two states of
    /// one work, the earlier ends where the later begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<String>,
    /// What of the file is not in the text, in words for the user: hidden sheets, hidden slides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// SHA-256 of `text`.
    pub digest: Digest,
    /// The canonical text.
    pub text: String,
    /// What is known about it.
    pub metadata: Metadata,
    /// Its blocks in order; they do not overlap.
    pub blocks: Vec<Block>,
    /// Its pages and where the text stands on them, if the file has pages (PDF).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
}

impl Document {
    /// The text of a range that stems from this document.
    ///
    /// # Panics
    /// If the range does not fit; ranges from elsewhere go through [`ByteRange::slice`].
    pub fn slice(&self, range: ByteRange) -> &str {
        range.slice(&self.text).expect("the range stems from this document")
    }
}

/// A file to read.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its path; the extension says the format, the stem is the title of last resort.
    pub path: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
    /// The text of `FILE.meta.yaml` beside it, if there is one.
    pub sidecar: Option<&'a str>,
}
