//! Encoders in the executor that trains, beside the one that serves.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

mod common;

use allod_lm::{
    ActivationForm, Batch, CacheForm, Checkpoint, Documents, EncoderSpec, Infer, InferOptions,
    Intermediates, Isa, Pooling, Tape, Trainable,
};
use allod_nn::{Gradients, Precision, TapeOptions, Workspace};
use common::encoder::{
    POSITIONS, Tensors, bert, bert_config, modernbert, modernbert_config, write,
};
use serde_json::Value;
use std::sync::Arc;

const LAYERS: usize = 4;

fn models() -> [(Value, Tensors, u32); 2] {
    [
        (bert_config(LAYERS), bert("", LAYERS, 2, 0), 2),
        (modernbert_config(LAYERS), modernbert(LAYERS), 1),
    ]
}

fn open((config, tensors, _): &(Value, Tensors, u32)) -> Arc<Checkpoint<EncoderSpec>> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), config, tensors);
    Arc::new(Checkpoint::open_encoder(folder.path()).unwrap())
}

fn trainable(checkpoint: Arc<Checkpoint<EncoderSpec>>) -> Trainable<EncoderSpec> {
    Trainable::of_checkpoint(checkpoint, POSITIONS).unwrap()
}

/// Three texts: tokens with their segments.
fn texts(segments: u32) -> Vec<Vec<(u32, u32)>> {
    let text = |length: u32| {
        (0..length).map(|k| ((k * 7 + length) % 23, u32::from(2 * k > length) % segments)).collect()
    };
    [11, 1, 24].map(text).to_vec()
}

fn documents(segments: u32) -> Documents {
    let mut documents = Documents::new();
    texts(segments).into_iter().for_each(|text| documents.push_segments(text));
    documents
}

fn workspace(threads: usize) -> Workspace {
    let (isa, precision) = (Isa::detect(), Precision::F32);
    Workspace::new(TapeOptions { isa, threads, precision }).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn hidden_states_and_vectors_have_the_bits_of_serving() {
    for model in models() {
        let checkpoint = open(&model);
        let options = InferOptions {
            threads: 2,
            isa: Isa::detect(),
            slots: 3,
            context_tokens: POSITIONS,
            activations: ActivationForm::Bf16,
            cache: CacheForm::F32,
        };
        let mut infer = Infer::new(checkpoint.clone(), options).unwrap();
        let mut batch = Batch::new();
        for (slot, text) in texts(model.2).iter().enumerate() {
            for (position, (token, segment)) in text.iter().enumerate() {
                batch.push_of_segment(slot, position, *token, *segment);
                batch.want_last();
            }
        }
        let hidden = infer.encode(&batch).unwrap().into_values();
        let pooled = infer.pool(&batch, Pooling::Mean).unwrap().into_values();
        let trainable = trainable(checkpoint);
        for (intermediates, threads) in [(Intermediates::Kept, 1), (Intermediates::Recomputed, 3)] {
            let (documents, mut workspace) = (documents(model.2).wanting_all(), workspace(threads));
            let mut tape =
                Tape::new(&trainable, &documents, intermediates, &mut workspace).unwrap();
            let (found, mean) = (tape.encode(), tape.pool(Pooling::Mean));
            assert!(bits(&tape.value(found).values) == bits(&hidden), "{intermediates:?}");
            assert!(bits(&tape.value(mean).values) == bits(&pooled), "{intermediates:?}");
        }
    }
}

/// A loss of the vectors of the texts, and its slopes.
fn slopes(
    model: &Trainable<EncoderSpec>,
    segments: u32,
    pooling: Pooling,
    intermediates: Intermediates,
) -> (f32, Gradients) {
    let documents = match pooling {
        Pooling::First => documents(segments).wanting_first(),
        Pooling::Last => documents(segments).wanting_last(),
        Pooling::Mean => documents(segments),
    };
    let mut workspace = workspace(1);
    let mut tape = Tape::new(model, &documents, intermediates, &mut workspace).unwrap();
    let pooled = tape.pool(pooling);
    let loss = tape.tape().cross_entropy(pooled, &[Some(3), None, Some(0)]);
    (tape.value(loss).item(), tape.backward(loss))
}

#[test]
fn gradients_are_slopes_of_the_loss() {
    for given in models() {
        let mut model = trainable(open(&given));
        for pooling in [Pooling::Mean, Pooling::First, Pooling::Last] {
            let kept = slopes(&model, given.2, pooling, Intermediates::Kept);
            assert!(kept == slopes(&model, given.2, pooling, Intermediates::Recomputed));
            let ids: Vec<_> =
                model.parameters().iter().map(|(id, p)| (id, p.name.clone())).collect();
            for (id, name) in ids {
                let slope = kept.1.get(id).unwrap_or_else(|| panic!("{name} has none"));
                let norm = slope.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
                // All keys moved by the same vector change no softmax, rotated ones excepted.
                assert!(norm > 1e-7 || name.ends_with("KeyBias"), "{name}: norm {norm}");
                let way: Vec<f32> = slope.iter().map(|x| (f64::from(*x) / norm) as f32).collect();
                let mut error_at = |distance: f32| {
                    let [up, down] = [distance, -distance].map(|distance| {
                        let before = model.parameters().get(id).values.clone();
                        let values = model.parameters_mut().values_mut(id);
                        values.iter_mut().zip(&way).for_each(|(v, way)| *v += distance * way);
                        let loss = slopes(&model, given.2, pooling, Intermediates::Kept).0;
                        model.parameters_mut().values_mut(id).copy_from_slice(&before);
                        f64::from(loss)
                    });
                    ((up - down) / f64::from(2.0 * distance) - norm).abs() / (norm + 1e-2)
                };
                let least = [1e-2, 3e-3].map(&mut error_at).into_iter().fold(f64::MAX, f64::min);
                assert!(least < 0.03, "{name} {pooling:?}: {least}, norm {norm}");
            }
        }
    }
}
