//! Text of many languages comes back byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::Tokenizer;
use allod_weights::TensorFile;
use common::shared;
use std::path::Path;
use std::process::Command;

/// As much of each language as keeps the test short: some 100 tokens a vocabulary.
const BYTES: usize = 1500;

/// The beginnings of the declaration of human rights in all its languages, by file.
fn languages(folder: &Path) -> Option<Vec<(String, String)>> {
    let archive = shared("data/nltk-udhr/udhr2.zip")?;
    let unpacked = Command::new("unzip").arg("-q").arg(archive).arg("-d").arg(folder).status();
    if !unpacked.is_ok_and(|status| status.success()) {
        eprintln!("skipped: `unzip` cannot be run, and the texts are in an archive");
        return None;
    }
    let files = std::fs::read_dir(folder.join("udhr2")).unwrap();
    let texts = files.filter_map(|file| {
        let path = file.unwrap().path();
        let text = String::from_utf8(std::fs::read(&path).ok()?).ok()?;
        let end = (0..=BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        Some((path.display().to_string(), text[..end.unwrap()].to_string()))
    });
    Some(texts.collect())
}

fn vocabularies() -> Vec<(String, Tokenizer)> {
    let mut all = Vec::new();
    for name in ["gpt-2", "falcon", "starcoder", "phi-3"] {
        if let Some(path) = shared(&format!("models/llama.cpp-vocab/ggml-vocab-{name}.gguf")) {
            let file = TensorFile::open(&path).unwrap();
            let tokenizer = Tokenizer::from_gguf(&path, file.metadata()).unwrap();
            all.push((name.to_string(), tokenizer));
        }
    }
    for name in ["smollm2-tokenizer", "qwen2.5-tokenizer"] {
        if let Some(folder) = shared(&format!("models/{name}")) {
            all.push((name.to_string(), Tokenizer::from_folder(&folder).unwrap()));
        }
    }
    all
}

#[test]
fn no_language_loses_a_byte() {
    let folder = tempfile::tempdir().unwrap();
    let Some(texts) = languages(folder.path()) else { return };
    assert!(texts.len() >= 380, "only {} languages", texts.len());
    for (name, tokenizer) in vocabularies() {
        for (file, text) in &texts {
            let ids = tokenizer.encode_text(text).unwrap();
            let back = tokenizer.decode(&ids);
            // Qwen's vocabulary is defined over composed characters; nothing else may change.
            let same = back == *text || (name.starts_with("qwen") && composed(&back, text));
            assert!(same, "{name} {file}");
        }
    }
}

/// Whether `back` is what composing `text` gives, by the library that the reference uses.
fn composed(back: &str, text: &str) -> bool {
    use tokenizers::{NormalizedString, Normalizer, normalizers::NFC};
    let mut normal = NormalizedString::from(text);
    NFC.normalize(&mut normal).unwrap();
    normal.get() == back
}
