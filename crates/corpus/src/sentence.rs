//! Sentences.

use crate::{ByteRange, Language};

/// The sentences of `text[range]`, in order, trimmed; ranges are into `text`.
pub fn sentences(text: &str, range: ByteRange, _language: Language) -> Vec<ByteRange> {
    let Some(slice) = range.slice(text) else { return Vec::new() };
    let mut found = Vec::new();
    let mut start = range.start;
    for line in slice.split_inclusive('\n') {
        let lead = line.len() - line.trim_start().len();
        let trimmed = line.trim();
        if !trimmed.is_empty() {
            found.push(ByteRange::new(start + lead, start + lead + trimmed.len()));
        }
        start += line.len();
    }
    found
}
