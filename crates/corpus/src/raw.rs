//! What the readers of the formats produce, and how it becomes canonical text.

use crate::clean::{tidy, tidy_lines};
use crate::{Block, BlockKind, ByteRange, Unreadable};

/// The largest number of blocks; each costs memory that its few bytes of input do not.
const MAX_BLOCKS: usize = 1_000_000;

/// A block before it has a place in the canonical text. In its text `\n` is wrapping and
/// [`crate::clean::LINE_BREAK`] a break that is meant (in code both are).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raw {
    pub kind: BlockKind,
    pub text: String,
    /// How many bytes at the start were bold: "**Art. 5** The council …".
    pub lead: usize,
}

impl Raw {
    pub(crate) fn new(kind: BlockKind, text: impl Into<String>) -> Raw {
        Raw { kind, text: text.into(), lead: 0 }
    }
}

/// Fails if a reader found more blocks than a document may have.
pub(crate) fn check_count(raws: &[Raw]) -> Result<(), Unreadable> {
    match raws.len() > MAX_BLOCKS {
        true => Err(Unreadable::TooManyBlocks { limit: MAX_BLOCKS }),
        false => Ok(()),
    }
}

/// The canonical text and its blocks.
pub(crate) fn assemble(raws: Vec<Raw>) -> (String, Vec<Block>) {
    let mut text = String::new();
    let mut blocks = Vec::with_capacity(raws.len());
    for raw in raws {
        let tidied = match raw.kind {
            BlockKind::Code => tidy_lines(&raw.text),
            _ => tidy(&raw.text),
        };
        if tidied.trim().is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let start = text.len();
        text.push_str(&tidied);
        blocks.push(Block { kind: raw.kind, range: ByteRange::new(start, text.len()) });
    }
    (text, blocks)
}
