//! Documents in, canonical text with structure out.

mod digest;
mod document;
mod error;
mod language;
mod passage;
mod sentence;

pub use digest::{Digest, NotADigest};
pub use document::{Amendment, Block, BlockKind, ByteRange, Document, Metadata, Source};
pub use error::Unreadable;
pub use language::Language;
pub use passage::{Passage, PassageKind, passages};
pub use sentence::sentences;

/// Reads a file into a document.
pub fn read(source: &Source) -> Result<Document, Unreadable> {
    let input = std::str::from_utf8(source.bytes)
        .map_err(|error| Unreadable::NotUtf8 { offset: error.valid_up_to() })?;
    let mut text = String::new();
    let mut blocks = Vec::new();
    for paragraph in input.split("\n\n").map(str::trim).filter(|part| !part.is_empty()) {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let start = text.len();
        text.push_str(paragraph);
        let range = ByteRange::new(start, text.len());
        blocks.push(Block { kind: BlockKind::Paragraph, range });
    }
    let metadata = Metadata {
        title: source.path.to_owned(),
        language: Language::detect(&text),
        valid_from: None,
        valid_until: None,
        label: None,
        source: None,
        amends: Vec::new(),
    };
    Ok(Document { digest: Digest::of(text.as_bytes()), text, metadata, blocks })
}
