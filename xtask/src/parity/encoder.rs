//! Encoders: the last hidden states by both executors.

use super::measure::{largest, max_abs_diff, ratio, same_bits};
use super::reference::Reference;
use super::{Report, threads};
use allod_lm::{
    ActivationForm, CacheForm, Checkpoint, EncoderSpec, Infer, InferOptions, Intermediates, Isa,
    Tape, Trainable,
};
use allod_nn::{Precision, TapeOptions, Workspace};
use anyhow::{Context, Result};
use std::sync::Arc;

/// Measures an encoder.
pub fn measure(
    name: &str,
    checkpoint: Arc<Checkpoint<EncoderSpec>>,
    reference: &Reference,
) -> Result<Report> {
    let expected = reference.floats("last_hidden_state")?;
    let expected = expected.context("there is no `last_hidden_state`")?;
    let inferred = inferred(&checkpoint, reference)?;
    let taped = taped(checkpoint, reference)?;
    let difference = max_abs_diff(&inferred, &expected);
    Ok(Report {
        max_abs_diff: Some(difference),
        max_rel_diff: Some(ratio(difference, largest(&expected))),
        executor_bits_equal: Some(same_bits(&inferred, &taped)),
        ..Report::of(name)
    })
}

fn inferred(checkpoint: &Arc<Checkpoint<EncoderSpec>>, reference: &Reference) -> Result<Vec<f32>> {
    let (slots, context_tokens) = (reference.sequences.len(), reference.length());
    let options = InferOptions {
        threads: threads(),
        isa: Isa::detect(),
        slots,
        context_tokens,
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    };
    let mut infer = Infer::new(checkpoint.clone(), options)?;
    Ok(infer.encode(&reference.batch())?.into_values())
}

fn taped(checkpoint: Arc<Checkpoint<EncoderSpec>>, reference: &Reference) -> Result<Vec<f32>> {
    let options = TapeOptions { isa: Isa::detect(), threads: threads(), precision: Precision::F32 };
    let mut workspace = Workspace::new(options)?;
    let model = Trainable::of_checkpoint(checkpoint, reference.length())?;
    let documents = reference.documents().wanting_all();
    let mut tape = Tape::new(&model, &documents, Intermediates::Kept, &mut workspace)?;
    let hidden = tape.encode();
    Ok(tape.value(hidden).values.clone())
}
