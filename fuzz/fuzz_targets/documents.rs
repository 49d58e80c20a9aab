//! Any bytes as a document of each format: read or refused; all ranges hold.
#![no_main]

use allod_corpus::{Document, Source, passages, read_all, sentences};
use libfuzzer_sys::fuzz_target;

const PATHS: [&str; 16] = [
    "a.md", "a.html", "a.txt", "a", "a.rst", "a.csv", "a.eml", "a.mbox", "a.docx", "a.xlsx",
    "a.pptx", "a.odt", "a.ods", "a.zip", "a.tsv", "a.pdf",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let path = PATHS[usize::from(kind % 16)];
    let (sidecar, bytes) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) if kind & 16 != 0 => (std::str::from_utf8(&bytes[..end]).ok(), &bytes[end + 1..]),
        _ => (None, bytes),
    };
    for member in read_all(&Source { path, bytes, sidecar }) {
        assert!(!member.path.starts_with('/') && !member.path.split('/').any(|part| part == ".."));
        if let Ok(document) = member.document {
            check(&document);
        }
    }
});

fn check(document: &Document) {
    let mut end = 0;
    for passage in passages(document) {
        assert!(passage.range.start >= end, "passages overlap");
        end = passage.range.end;
        let text = &document.text[passage.range.start..passage.range.end];
        assert!(!text.trim().is_empty());
        for sentence in sentences(&document.text, passage.range, document.metadata.language) {
            assert!(sentence.start >= passage.range.start && sentence.end <= passage.range.end);
            assert!(document.text.get(sentence.start..sentence.end).is_some());
        }
    }
}
