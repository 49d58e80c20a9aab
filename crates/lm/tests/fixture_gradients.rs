//! Every parameter of every model fixture gets a gradient, and recomputing changes no bit of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use allod_lm::{Checkpoint, Documents, EncoderSpec, Intermediates, Isa, Pooling, Tape, Trainable};
use allod_nn::{Gradients, Parameters, Precision, TapeOptions, Workspace};
use allod_weights::TensorFile;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Documents of different lengths.
const LENGTHS: [usize; 5] = [40, 1, 23, 64, 37];
const LONGEST: usize = 64;
/// Tokens that every fixture has.
const VOCABULARY: usize = 250;

fn documents() -> Documents {
    let mut documents = Documents::new();
    for (index, length) in LENGTHS.into_iter().enumerate() {
        let token = |at: usize| (3 + (at * at * 7 + at * 31 + index * 97) % VOCABULARY) as u32;
        documents.push_text(&(0..length).map(token).collect::<Vec<u32>>());
    }
    documents
}

fn workspace(threads: usize, precision: Precision) -> Workspace {
    Workspace::new(TapeOptions { isa: Isa::detect(), threads, precision }).unwrap()
}

/// The folders of the fixtures whose reference has a tensor of a name.
fn fixtures(tensor: &str) -> Vec<PathBuf> {
    let Some(root) = common::shared("model-fixtures") else { return Vec::new() };
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let is_wanted = |folder: &PathBuf| {
        let reference = TensorFile::open(&folder.join("reference.safetensors"));
        reference.is_ok_and(|file| file.tensor(tensor).is_some())
    };
    let found: Vec<PathBuf> = folders.filter(is_wanted).collect();
    assert!(!found.is_empty(), "no fixture has {tensor}");
    found
}

/// Nothing is left out. (An expert that no token chooses has no slope, but the matrix of all has.)
fn check_all_have_slopes(parameters: &Parameters, gradients: &Gradients, folder: &Path) {
    for (id, parameter) in parameters.iter() {
        let place = format!("{} of {}", parameter.name, folder.display());
        let slope = gradients.get(id).unwrap_or_else(|| panic!("{place} has no gradient"));
        let norm = slope.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        // The same vector added to all keys of a head changes no softmax, unless it is rotated:
        // there nothing but rounding is left of the gradient.
        let least = if parameter.name.ends_with("KeyBias") { 0.0 } else { 1e-7 };
        assert!(norm.is_finite() && norm > least, "{place}: norm {norm}");
    }
}

/// Gradients in both precisions, with blocks kept and recomputed.
fn check_gradients(
    parameters: &Parameters,
    folder: &Path,
    run: impl Fn(Intermediates, &mut Workspace) -> (f32, Gradients),
) {
    for precision in [Precision::F32, Precision::Bf16] {
        let kept = run(Intermediates::Kept, &mut workspace(1, precision));
        check_all_have_slopes(parameters, &kept.1, folder);
        let again = run(Intermediates::Recomputed, &mut workspace(2, precision));
        assert!(again == kept, "{precision:?} {}", folder.display());
    }
}

#[test]
fn every_parameter_of_a_decoder_gets_a_gradient() {
    for folder in fixtures("logits") {
        let checkpoint = Arc::new(Checkpoint::open(&folder).unwrap());
        let model = Trainable::of_checkpoint(checkpoint, LONGEST).unwrap();
        check_gradients(model.parameters(), &folder, |intermediates, workspace| {
            model.loss_and_gradients(&documents(), intermediates, workspace).unwrap()
        });
    }
}

#[test]
fn every_parameter_of_an_encoder_gets_a_gradient() {
    for folder in fixtures("last_hidden_state") {
        let checkpoint = Arc::new(Checkpoint::open_encoder(&folder).unwrap());
        let model: Trainable<EncoderSpec> = Trainable::of_checkpoint(checkpoint, LONGEST).unwrap();
        check_gradients(model.parameters(), &folder, |intermediates, workspace| {
            let documents = documents();
            let mut tape = Tape::new(&model, &documents, intermediates, workspace).unwrap();
            let pooled = tape.pool(Pooling::Mean);
            let targets = (0..LENGTHS.len()).map(|row| Some(row as u32 * 7)).collect::<Vec<_>>();
            let loss = tape.tape().cross_entropy(pooled, &targets);
            (tape.value(loss).item(), tape.backward(loss))
        });
    }
}
