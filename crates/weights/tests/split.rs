//! GGUF files in parts: opened from any of them, refused with what is missing or does not fit.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use allod_weights::TensorFile;
use allod_weights::make::GgufBuilder;
use std::path::Path;
use tempfile::{TempDir, tempdir};

const NAMES: [&str; 3] =
    ["m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"];

fn part(number: u32, count: u32, tensors: u32, name: &str) -> Vec<u8> {
    let part = GgufBuilder::new()
        .u32("split.no", number)
        .u32("split.count", count)
        .u32("split.tensors.count", tensors);
    let part = if number == 0 { part.text("general.architecture", "llama") } else { part };
    part.f32_tensor(name, &[2], &[number as f32, 1.0]).build()
}

fn sound() -> TempDir {
    let folder = tempdir().unwrap();
    for (at, name) in NAMES.iter().enumerate() {
        put(folder.path(), name, &part(at as u32, 3, 3, ["a", "b", "c"][at]));
    }
    folder
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).unwrap();
}

fn refusal(folder: &TempDir, name: &str) -> String {
    TensorFile::open(&folder.path().join(name)).unwrap_err().to_string()
}

#[test]
fn any_part_opens_the_whole() {
    let folder = sound();
    for name in NAMES {
        let file = TensorFile::open(&folder.path().join(name)).unwrap();
        assert_eq!(file.paths().count(), 3);
        assert_eq!(file.metadata().text("general.architecture"), Some("llama"));
        assert_eq!(file.tensor("c").unwrap().vector().unwrap(), [2.0, 1.0]);
        let names: Vec<&str> = file.tensors().map(|tensor| tensor.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }
}

#[test]
fn missing_parts_are_named() {
    let folder = sound();
    std::fs::remove_file(folder.path().join(NAMES[1])).unwrap();
    let message = refusal(&folder, NAMES[2]);
    assert!(message.contains("1 are missing: m-00002-of-00003.gguf"), "{message}");
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let cases = [
        (NAMES[1], part(1, 3, 3, "a"), "`a` is in an earlier part"),
        (NAMES[1], part(2, 3, 3, "b"), "part 2 of 3 by its name, but split.no is 2"),
        (NAMES[1], part(1, 4, 3, "b"), "split.count is 4"),
        (NAMES[1], part(1, 3, 9, "b"), "says something else about the split"),
        (NAMES[1], part(1, 1, 3, "b"), "says something else about the split"),
        (NAMES[1], b"GGUF".to_vec(), "damaged"),
    ];
    for (name, bytes, expected) in cases {
        let folder = sound();
        put(folder.path(), name, &bytes);
        let message = refusal(&folder, NAMES[0]);
        assert!(message.contains(expected), "{message} should say {expected}");
    }
}

#[test]
fn counts_and_names_are_checked() {
    let folder = tempdir().unwrap();
    put(folder.path(), "n-00001-of-00002.gguf", &part(0, 2, 7, "a"));
    put(folder.path(), "n-00002-of-00002.gguf", &part(1, 2, 7, "b"));
    let message = refusal(&folder, "n-00001-of-00002.gguf");
    assert!(message.contains("split.tensors.count is 7, but the parts hold 2"), "{message}");
    put(folder.path(), "x.gguf", &part(0, 2, 2, "a"));
    assert!(refusal(&folder, "x.gguf").contains("not named like one"));
    put(folder.path(), "y-00001-of-00002.gguf", &part(u32::MAX, 2, 2, "a"));
    assert!(refusal(&folder, "y-00001-of-00002.gguf").contains("split.no is 4294967295"));
    put(folder.path(), "z-00001-of-99999.gguf", &part(0, u32::MAX, 2, "a"));
    assert!(refusal(&folder, "z-00001-of-99999.gguf").contains("4096 parts at most"));
}
