//! Logits against those of independent implementations.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{
    ActivationForm, Batch, CacheForm, Checkpoint, Infer, InferOptions, Isa, Model, Numerics,
};
use allod_weights::{Tensor, TensorFile};
use common::{all_logits, relative_error, shared};
use serde::Deserialize;
use std::sync::Arc;

fn infer(checkpoint: &Arc<Checkpoint>) -> Infer {
    let options = InferOptions {
        threads: 2,
        isa: Isa::detect(),
        slots: 2,
        context_tokens: 512,
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    };
    Infer::new(checkpoint.clone(), options).unwrap()
}

fn integers(tensor: Tensor) -> Vec<u32> {
    tensor.bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn floats(tensor: Tensor) -> Vec<f32> {
    let bytes = tensor.bytes.chunks_exact(4);
    bytes.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Against what transformers computes: logits of two rows of 40 tokens, and 24 greedy tokens.
fn check_fixture(name: &str) {
    let Some(folder) = shared(&format!("model-fixtures/{name}")) else { return };
    let checkpoint = Arc::new(Checkpoint::open(&folder).unwrap());
    let reference = TensorFile::open(&folder.join("reference.safetensors")).unwrap();
    let tensor = |name: &str| reference.tensor(name).unwrap();
    let (ids, logits) = (integers(tensor("input_ids")), floats(tensor("logits")));
    let mut infer = infer(&checkpoint);
    for (slot, ids) in ids.chunks_exact(40).enumerate() {
        let found = all_logits(&mut infer, slot, ids, 16);
        let expected = &logits[slot * found.len()..][..found.len()];
        let error = relative_error(&found, expected);
        assert!(error < 2e-4, "{name}, row {slot}: relative error {error}");
        eprintln!("{name}, row {slot}: relative error {error:e}");
    }
    let greedy = integers(tensor("greedy"));
    infer.truncate(0, 0);
    let mut tokens = greedy[..8].to_vec();
    while tokens.len() < greedy.len() {
        let start = infer.length(0);
        let mut batch = Batch::new();
        (start..)
            .zip(&tokens[start..])
            .for_each(|(position, token)| batch.push(0, position, *token));
        batch.want_last();
        let logits = infer.run(&batch).unwrap();
        let best = allod_lm::argmax(Isa::detect(), logits.last().unwrap()).unwrap();
        tokens.push(best as u32);
    }
    assert_eq!(tokens, greedy, "{name}");
}

/// Every decoder among the fixtures.
const FIXTURES: &[&str] = &[
    "llama",
    "llama-tied",
    "mistral",
    "qwen2",
    "qwen3",
    "apertus",
    "granite",
    "smollm3",
    "gemma2",
    "gemma3",
    "phi3",
    "mixtral",
    "qwen3-moe",
    "olmoe",
    "gpt-oss",
];

#[test]
fn every_architecture_agrees_with_transformers() {
    FIXTURES.iter().for_each(|name| check_fixture(name));
}

/// The same bits on every instruction set, in one piece or several, on one thread or several.
#[test]
fn every_architecture_has_the_same_bits_however_it_is_run() {
    for name in FIXTURES {
        let Some(folder) = shared(&format!("model-fixtures/{name}")) else { continue };
        let checkpoint = Arc::new(Checkpoint::open(&folder).unwrap());
        let reference = TensorFile::open(&folder.join("reference.safetensors")).unwrap();
        let ids = integers(reference.tensor("input_ids").unwrap());
        let run = |rule, isa, threads, chunk| -> Vec<u32> {
            let mut infer = common::infer_with(&checkpoint, threads, isa, rule);
            let logits = all_logits(&mut infer, 0, &ids[..40], chunk);
            logits.iter().map(|logit| logit.to_bits()).collect()
        };
        for rule in Numerics::all() {
            let expected = run(rule, Isa::Scalar, 1, 40);
            for isa in Isa::available() {
                for (threads, chunk) in [(1, 40), (1, 1), (2, 7), (3, 40)] {
                    let found = run(rule, isa, threads, chunk);
                    assert!(found == expected, "{name} {rule:?} {isa:?} {threads} {chunk}");
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
    top: Vec<(usize, f32)>,
    sum: f64,
    sum_of_squares: f64,
}

/// Against `reference/llama_reference.py`, which computes in 64-bit floats.
#[test]
fn tinystories_agrees_with_its_reference() {
    let Some(folder) = shared("models/tinystories-656k-llama-hf") else { return };
    let model = Model::load(&folder).unwrap();
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("reference/tinystories.json")).unwrap();
    for case in cases {
        assert_eq!(model.tokenizer.encode_prompt(&case.text).unwrap(), case.ids, "{}", case.text);
        let found = all_logits(&mut infer(&model.checkpoint), 0, &case.ids, 64);
        let last = &found[found.len() - model.checkpoint.spec().vocabulary..];
        for (token, expected) in &case.top {
            let difference = (last[*token] - expected).abs();
            assert!(difference < 1e-4, "{}: token {token} off by {difference}", case.text);
        }
        let best = allod_lm::argmax(Isa::detect(), last);
        assert_eq!(best, Some(case.top[0].0), "{}", case.text);
        let sum: f64 = found.iter().map(|logit| f64::from(*logit)).sum();
        let squares: f64 = found.iter().map(|logit| f64::from(*logit).powi(2)).sum();
        let size = case.sum_of_squares.sqrt() * (found.len() as f64).sqrt();
        assert!((sum - case.sum).abs() / size < 1e-6, "{}: {sum} {}", case.text, case.sum);
        let error = (squares / case.sum_of_squares - 1.0).abs();
        assert!(error < 1e-5, "{}: {squares} {}", case.text, case.sum_of_squares);
    }
}
