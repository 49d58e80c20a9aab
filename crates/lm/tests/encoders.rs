//! Encoders: hidden states against those of transformers, and the same bits however they are run.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{
    ActivationForm, Batch, CacheForm, Checkpoint, EncoderSpec, Infer, InferOptions, Isa,
};
use allod_weights::{Tensor, TensorFile};
use common::{relative_error, shared};
use std::path::Path;
use std::sync::Arc;

const FIXTURES: [&str; 3] = ["bert", "modernbert", "xlm-roberta"];

fn integers(tensor: Tensor) -> Vec<u32> {
    tensor.bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn floats(tensor: Tensor) -> Vec<f32> {
    let bytes = tensor.bytes.chunks_exact(4);
    bytes.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn open(folder: &Path) -> Arc<Checkpoint<EncoderSpec>> {
    Arc::new(Checkpoint::open_encoder(folder).unwrap())
}

fn infer(
    checkpoint: &Arc<Checkpoint<EncoderSpec>>,
    threads: usize,
    isa: Isa,
) -> Infer<EncoderSpec> {
    let options = InferOptions {
        threads,
        isa,
        slots: 8,
        context_tokens: 256,
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    };
    Infer::new(checkpoint.clone(), options).unwrap()
}

/// Every row of every sequence is wanted.
fn whole<'a>(sequences: impl IntoIterator<Item = &'a [u32]>) -> Batch {
    let mut batch = Batch::new();
    for (slot, tokens) in sequences.into_iter().enumerate() {
        for (position, token) in tokens.iter().enumerate() {
            batch.push(slot, position, *token);
            batch.want_last();
        }
    }
    batch
}

#[test]
fn hidden_states_agree_with_transformers() {
    for name in FIXTURES {
        let Some(folder) = shared(&format!("model-fixtures/{name}")) else { continue };
        let reference = TensorFile::open(&folder.join("reference.safetensors")).unwrap();
        let tensor = |name: &str| reference.tensor(name).unwrap();
        let (ids, expected) = (integers(tensor("input_ids")), floats(tensor("last_hidden_state")));
        let found = infer(&open(&folder), 2, Isa::detect()).encode(&whole(ids.chunks_exact(40)));
        let error = relative_error(&found.unwrap().into_values(), &expected);
        eprintln!("{name}: relative error {error:e}");
        assert!(error < 5e-6, "{name}: relative error {error}");
    }
}

/// Alone or with others, of whatever length, on any instruction set and number of threads.
#[test]
fn company_threads_and_instruction_sets_do_not_matter() {
    for name in FIXTURES {
        let Some(folder) = shared(&format!("model-fixtures/{name}")) else { continue };
        let checkpoint = open(&folder);
        let sequences: Vec<Vec<u32>> = [1, 40, 7, 33, 16]
            .iter()
            .map(|length| (0..*length).map(|k| 3 + (k * 37 + length * 11) % 250).collect())
            .collect();
        let mut alone = infer(&checkpoint, 1, Isa::Scalar);
        let mut expected = Vec::new();
        for sequence in &sequences {
            expected.extend(alone.encode(&whole([&sequence[..]])).unwrap().into_values());
        }
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
        for isa in Isa::available() {
            for threads in [1, 3] {
                let batch = whole(sequences.iter().map(Vec::as_slice));
                let found = infer(&checkpoint, threads, isa).encode(&batch).unwrap();
                assert!(bits(&found.into_values()) == bits(&expected), "{name} {isa:?} {threads}");
            }
        }
    }
}
