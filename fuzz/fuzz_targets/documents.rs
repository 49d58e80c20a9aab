//! Any bytes as a document of each format: read or refused; all ranges hold.
#![no_main]

use allod_corpus::{Source, passages, read, sentences};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let path = ["a.md", "a.html", "a.txt", "a", "a.pdf"][usize::from(kind % 5)];
    let (sidecar, bytes) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) if kind & 4 != 0 => (std::str::from_utf8(&bytes[..end]).ok(), &bytes[end + 1..]),
        _ => (None, bytes),
    };
    let Ok(document) = read(&Source { path, bytes, sidecar }) else { return };
    let mut end = 0;
    for passage in passages(&document) {
        assert!(passage.range.start >= end, "passages overlap");
        end = passage.range.end;
        let text = &document.text[passage.range.start..passage.range.end];
        assert!(!text.trim().is_empty());
        for sentence in sentences(&document.text, passage.range, document.metadata.language) {
            assert!(sentence.start >= passage.range.start && sentence.end <= passage.range.end);
            assert!(document.text.get(sentence.start..sentence.end).is_some());
        }
    }
});
