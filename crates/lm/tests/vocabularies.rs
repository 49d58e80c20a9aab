//! Ids against the vectors that llama.cpp publishes for its vocabularies.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::Tokenizer;
use allod_weights::TensorFile;
use common::shared;
use std::path::{Path, PathBuf};

const SEPARATOR: &str = "\n__ggml_vocab_test__\n";

/// Texts and the ids that they must have.
fn vectors(stem: &Path) -> Vec<(String, Vec<u32>)> {
    let read = |ending: &str| std::fs::read_to_string(format!("{}.{ending}", stem.display()));
    let (texts, ids) = (read("inp").unwrap(), read("out").unwrap());
    let texts: Vec<&str> = texts.split(SEPARATOR).collect();
    let ids: Vec<&str> = ids.lines().collect();
    let parse = |line: &&str| line.split_whitespace().map(|id| id.parse().unwrap()).collect();
    // The last line of the file with the texts ends their list.
    let count = ids.len().min(texts.len());
    assert!(count >= 40, "{}: only {count} vectors", stem.display());
    texts[..count].iter().map(|text| text.to_string()).zip(ids.iter().map(parse)).collect()
}

fn check(tokenizer: &Tokenizer, stem: &Path) {
    check_ids(tokenizer, stem);
    for (text, expected) in vectors(stem) {
        if text.chars().all(|character| character != '\u{fffd}') {
            let decoded = tokenizer.decode(&expected);
            assert_eq!(decoded, text, "{}", stem.display());
        }
    }
}

fn check_ids(tokenizer: &Tokenizer, stem: &Path) {
    for (text, expected) in vectors(stem) {
        assert_eq!(tokenizer.encode_text(&text).unwrap(), expected, "{}: {text:?}", stem.display());
    }
}

fn read(name: &str) -> Option<(Tokenizer, PathBuf)> {
    let path = shared(&format!("models/llama.cpp-vocab/ggml-vocab-{name}.gguf"))?;
    let file = TensorFile::open(&path).unwrap();
    Some((Tokenizer::from_gguf(&path, file.metadata()).unwrap(), path))
}

fn check_gguf(name: &str) {
    if let Some((tokenizer, path)) = read(name) {
        check(&tokenizer, &path);
    }
}

/// Every vocabulary that has vectors, those that nobody named here too.
#[test]
fn every_vocabulary_gives_its_listed_ids() {
    let Some(folder) = shared("models/llama.cpp-vocab") else { return };
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    for name in names.iter().filter_map(|name| name.strip_suffix(".gguf")) {
        if names.contains(&format!("{name}.gguf.inp")) {
            let (tokenizer, path) = read(name.trim_start_matches("ggml-vocab-")).unwrap();
            check_ids(&tokenizer, &path);
        }
    }
}

#[test]
fn bert_frames_a_whole_text() {
    let Some((tokenizer, _)) = read("bert-bge") else { return };
    assert_eq!(tokenizer.encode_whole("Hello, World!").unwrap(), [101, 7592, 1010, 2088, 999, 102]);
    assert_eq!(tokenizer.decode(&[101, 7592, 1010, 2088, 999, 102]), "hello, world!");
}

#[test]
fn phi_3_merges_by_score() {
    check_gguf("phi-3");
}

#[test]
fn gpt_2_merges_bytes() {
    check_gguf("gpt-2");
}

#[test]
fn starcoder_splits_digits_first() {
    check_gguf("starcoder");
}

#[test]
fn falcon_splits_punctuation_first() {
    check_gguf("falcon");
}

/// The folder has Qwen's vocabulary and merges but no GGUF; the metadata is put together from them.
#[test]
fn qwen_2_cuts_words_its_own_way() {
    let folder = "models/qwen2.5-tokenizer";
    let (Some(folder), Some(stem)) =
        (shared(folder), shared("models/llama.cpp-vocab/ggml-vocab-qwen2.gguf.inp"))
    else {
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&read("vocab.json")).unwrap();
    let mut tokens: Vec<(&str, u64)> =
        vocabulary.iter().map(|(text, id)| (text.as_str(), id.as_u64().unwrap())).collect();
    tokens.sort_by_key(|(_, id)| *id);
    let texts: Vec<&str> = tokens.iter().map(|(text, _)| *text).collect();
    let merges = read("merges.txt");
    let merges: Vec<&str> =
        merges.lines().filter(|line| !line.starts_with("#version") && !line.is_empty()).collect();
    let file = allod_weights::make::GgufBuilder::new()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "qwen2")
        .texts("tokenizer.ggml.tokens", &texts)
        .texts("tokenizer.ggml.merges", &merges);
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("qwen2.gguf");
    std::fs::write(&path, file.build()).unwrap();
    let file = TensorFile::open(&path).unwrap();
    let tokenizer = Tokenizer::from_gguf(&path, file.metadata()).unwrap();
    check(&tokenizer, &stem.with_extension(""));
}

#[test]
fn smollm_is_the_same_from_json_and_from_gguf_keys() {
    let Some(path) = shared("models/smollm2-tokenizer/tokenizer.json") else { return };
    let from_json = Tokenizer::from_json(&path).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let vocabulary = json["model"]["vocab"].as_object().unwrap();
    let mut tokens: Vec<(&str, u64)> =
        vocabulary.iter().map(|(text, id)| (text.as_str(), id.as_u64().unwrap())).collect();
    tokens.sort_by_key(|(_, id)| *id);
    let texts: Vec<&str> = tokens.iter().map(|(text, _)| *text).collect();
    let merges: Vec<&str> =
        json["model"]["merges"].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
    let special =
        |id: usize| json["added_tokens"].as_array().unwrap().iter().any(|t| t["id"] == id);
    let kinds: Vec<i32> = (0..texts.len()).map(|id| if special(id) { 3 } else { 1 }).collect();
    let file = allod_weights::make::GgufBuilder::new()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "smollm")
        .texts("tokenizer.ggml.tokens", &texts)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .texts("tokenizer.ggml.merges", &merges);
    let place = tempfile::tempdir().unwrap();
    let gguf = place.path().join("smollm.gguf");
    std::fs::write(&gguf, file.build()).unwrap();
    let from_gguf =
        Tokenizer::from_gguf(&gguf, TensorFile::open(&gguf).unwrap().metadata()).unwrap();
    for text in
        ["Hello  world 2026!\n\n\tdas Gesetz Nr. 1234 über «Grüße» 🦙", "<|im_start|>user", ""]
    {
        let ids = from_json.encode_text(text).unwrap();
        assert_eq!(from_gguf.encode_text(text).unwrap(), ids, "{text:?}");
        assert!(ids.iter().all(|id| !from_json.is_special(*id)), "{text:?}");
        assert_eq!(from_json.decode(&ids), text);
    }
}
