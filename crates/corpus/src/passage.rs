//! Passages: what is found, shown and cited.

use serde::{Deserialize, Serialize};

use crate::{BlockKind, ByteRange, Document};

/// What a passage mainly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassageKind {
    /// A whole article.
    Article,
    /// Running text, or one paragraph of an article.
    Paragraph,
    /// Items of a list.
    List,
    /// Rows of a table.
    Table,
    /// Quoted text.
    Quote,
    /// Text whose lines matter.
    Code,
}

/// A part of a document that can be found, understood and cited on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Where it stands in the canonical text.
    pub range: ByteRange,
    /// Its place in the document's own words: "Art. 12 Abs. 3", "§ 5", or "".
    pub place: String,
    /// The headings above it: the document's title first, the article's heading last.
    pub heading_path: Vec<String>,
    /// The sentence that introduces it, when that stands in an earlier passage ("… sind:").
    pub introduction: Option<ByteRange>,
    /// What it mainly is.
    pub kind: PassageKind,
}

/// The passages of a document, in order, without overlap.
pub fn passages(document: &Document) -> Vec<Passage> {
    let mut path = vec![document.metadata.title.clone()];
    let mut found = Vec::new();
    for block in &document.blocks {
        match block.kind {
            BlockKind::Heading { .. } | BlockKind::Title | BlockKind::Article { .. } => {
                path.truncate(1);
                path.push(document.slice(block.range).to_owned());
            }
            _ => found.push(Passage {
                range: block.range,
                place: String::new(),
                heading_path: path.clone(),
                introduction: None,
                kind: PassageKind::Paragraph,
            }),
        }
    }
    found
}
