//! Vectors and scores against those of sentence-transformers, made by
//! `reference/embedding_reference.py`; `ALLOD_EMBEDDING_REFERENCE` names the folder it wrote.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{CrossEncoder, EmbedOptions, Embedder, Isa, Purpose};
use allod_weights::TensorFile;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folders() -> Vec<PathBuf> {
    let root = match std::env::var_os("ALLOD_EMBEDDING_REFERENCE") {
        Some(path) => PathBuf::from(path),
        None => match common::shared("embedding-reference") {
            Some(path) => path,
            None => return Vec::new(),
        },
    };
    let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.join("reference.json").is_file()).collect();
    found.sort();
    found
}

fn options() -> EmbedOptions {
    EmbedOptions { threads: 2, isa: Isa::detect() }
}

/// A matrix of the reference: its rows.
fn rows(file: &TensorFile, name: &str) -> Vec<Vec<f32>> {
    let tensor = file.tensor(name).unwrap();
    let bytes = tensor.bytes.chunks_exact(4);
    let values: Vec<f32> = bytes.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    values.chunks_exact(tensor.shape[1]).map(<[f32]>::to_vec).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn check_vectors(folder: &Path, model: &Path, reference: &Value) {
    let texts: Vec<String> = serde_json::from_value(reference["texts"].clone()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let file = TensorFile::open(&folder.join("reference.safetensors")).unwrap();
    let mut embedder = Embedder::load(model, options()).unwrap();
    let purposes =
        [(Purpose::Any, "any"), (Purpose::Query, "query"), (Purpose::Document, "document")];
    for (purpose, name) in purposes {
        let found = embedder.embed(purpose, &texts).unwrap();
        let (mut lowest, mut most) = (1.0_f64, 0.0_f32);
        for ((text, found), expected) in texts.iter().zip(&found).zip(rows(&file, name)) {
            let cosine = cosine(found, &expected);
            let scale = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            let errors = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / scale);
            let error = errors.fold(0.0, f32::max);
            assert!(cosine >= 0.99999, "{}: cosine {cosine} for {text:?}", folder.display());
            assert!(error < 2e-4, "{}: off by {error} for {text:?}", folder.display());
            (lowest, most) = (lowest.min(cosine), most.max(error));
        }
        eprintln!(
            "{}, {name}: lowest cosine {lowest:.9}, largest relative difference {most:e}",
            folder.display()
        );
    }
}

fn check_scores(folder: &Path, model: &Path, reference: &Value) {
    let pairs: Vec<(String, String)> = serde_json::from_value(reference["pairs"].clone()).unwrap();
    let pairs: Vec<(&str, &str)> =
        pairs.iter().map(|(first, second)| (first.as_str(), second.as_str())).collect();
    let file = TensorFile::open(&folder.join("reference.safetensors")).unwrap();
    let mut model = CrossEncoder::load(model, options()).unwrap();
    let expected = rows(&file, "logits").concat();
    let found = model.logits(&pairs).unwrap().concat();
    let error = common::relative_error(&found, &expected);
    assert!(error < 2e-4, "{}: off by {error}", folder.display());
    let mut squashed = 0.0_f32;
    if model.labels() == 1 {
        for ((query, document), expected) in pairs.iter().zip(rows(&file, "scores")) {
            let found = model.scores(query, &[document]).unwrap();
            squashed = squashed.max((found[0] - expected[0]).abs());
        }
        assert!(squashed < 2e-5, "{}: scores are off by {squashed}", folder.display());
    }
    eprintln!("{}: logits off by {error:e}, scores by {squashed:e}", folder.display());
}

#[test]
fn vectors_and_scores_agree_with_sentence_transformers() {
    for folder in folders() {
        let text = std::fs::read_to_string(folder.join("reference.json")).unwrap();
        let reference: Value = serde_json::from_str(&text).unwrap();
        let model = PathBuf::from(reference["model"].as_str().unwrap());
        match reference["kind"].as_str().unwrap() {
            "embed" => check_vectors(&folder, &model, &reference),
            "score" => check_scores(&folder, &model, &reference),
            other => panic!("{other}"),
        }
    }
}
