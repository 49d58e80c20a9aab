//! Decoders: both executors, loss, gradients and AdamW.

use super::measure::{largest, max_abs_diff, norm, ratio, relative_norm, same_bits};
use super::reference::Reference;
use super::{Report, threads};
use allod_lm::{
    ActivationForm, Batch, CacheForm, Checkpoint, Documents, Infer, InferOptions, Intermediates,
    Isa, Stored, Tape, Trainable, argmax, huggingface_tensors,
};
use allod_nn::{AdamW, Decayed, Optimiser, Precision, Rule, TapeOptions, Workspace};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Tokens of the greedy reference that are given.
const GIVEN: usize = 8;
/// How the reference's AdamW steps were made.
const ADAMW: AdamW = AdamW { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1 };
const RATE: f64 = 1e-3;
/// A gradient this small beside all of them together is nothing but rounding: that of a key's bias
/// without rotation is 0, whatever is computed.
const ROUNDING: f64 = 1e-5;

/// Measures a decoder.
pub fn measure(name: &str, checkpoint: Arc<Checkpoint>, reference: &Reference) -> Result<Report> {
    let options = TapeOptions { isa: Isa::detect(), threads: threads(), precision: Precision::F32 };
    let mut workspace = Workspace::new(options)?;
    let inferred = all_logits(&checkpoint, reference)?;
    let mut model = Trainable::of_checkpoint(checkpoint.clone(), reference.length())?;
    let batch = reference.documents();
    let taped = taped_logits(&model, &batch.wanting_all(), &mut workspace)?;
    let expected = reference.floats("logits")?;
    let difference = expected.as_ref().map(|expected| max_abs_diff(&inferred, expected));
    let size = expected.as_ref().map(|expected| largest(expected));
    let (loss, gradient) = loss_and_gradients(&model, &batch, reference, &mut workspace)?;
    Ok(Report {
        model: name.to_string(),
        max_abs_diff: difference,
        max_rel_diff: difference.zip(size).map(|(difference, size)| ratio(difference, size)),
        greedy_equal: greedy_equal(&checkpoint, reference)?,
        loss_abs_diff: loss,
        grad_max_rel_diff: gradient,
        adamw_max_abs_diff: adamw(&mut model, &batch, reference, &mut workspace)?,
        executor_bits_equal: Some(same_bits(&inferred, &taped)),
    })
}

/// Logits of all rows, by the executor that trains.
fn taped_logits(
    model: &Trainable,
    documents: &Documents,
    workspace: &mut Workspace,
) -> Result<Vec<f32>> {
    let mut tape = Tape::new(model, documents, Intermediates::Kept, workspace)?;
    let logits = tape.forward();
    Ok(tape.value(logits).values.clone())
}

/// An executor that holds every sequence, and as much of one as the reference needs.
fn infer(checkpoint: &Arc<Checkpoint>, context_tokens: usize, slots: usize) -> Result<Infer> {
    let options = InferOptions {
        threads: threads(),
        isa: Isa::detect(),
        slots,
        context_tokens,
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    };
    Ok(Infer::new(checkpoint.clone(), options)?)
}

/// Logits of all rows of all sequences, by the executor that serves.
fn all_logits(checkpoint: &Arc<Checkpoint>, reference: &Reference) -> Result<Vec<f32>> {
    let mut infer = infer(checkpoint, reference.length(), reference.sequences.len())?;
    Ok(infer.run(&reference.batch())?.into_values())
}

fn greedy_equal(checkpoint: &Arc<Checkpoint>, reference: &Reference) -> Result<Option<bool>> {
    let Some(expected) = reference.greedy()? else { return Ok(None) };
    let planned = checkpoint.spec().rope.depends_on_length();
    let mut infer = infer(checkpoint, expected.len(), 1)?;
    let mut found = expected[..GIVEN.min(expected.len())].to_vec();
    while found.len() < expected.len() {
        if planned {
            // The reference computes all anew for each token, by what it is long by then.
            infer = self::infer(checkpoint, found.len(), 1)?;
        }
        let mut batch = Batch::new();
        let start = infer.length(0);
        (start..).zip(&found[start..]).for_each(|(at, token)| batch.push(0, at, *token));
        batch.want_last();
        let logits = infer.run(&batch)?;
        let best = logits.last().and_then(|row| argmax(Isa::detect(), row));
        found.push(u32::try_from(best.context("no logit is a number")?)?);
    }
    Ok(Some(found == expected))
}

/// Differences of the loss, and of all gradients that the reference holds.
fn loss_and_gradients(
    model: &Trainable,
    batch: &Documents,
    reference: &Reference,
    workspace: &mut Workspace,
) -> Result<(Option<f64>, Option<f64>)> {
    let Some(expected) = reference.floats("loss")? else { return Ok((None, None)) };
    let (loss, gradients) = model.loss_and_gradients(batch, Intermediates::Kept, workspace)?;
    let names = |name: &str| reference.has_gradient(name);
    let slopes = model.by_weight(&gradients);
    let tensors = huggingface_tensors(model.spec(), &names, Stored::Slopes, slopes)?;
    let ours: HashMap<String, Vec<f32>> =
        tensors.into_iter().map(|tensor| (tensor.name, tensor.values)).collect();
    let mut squares = 0.0;
    for gradient in reference.gradients() {
        squares += norm(&gradient?.1).powi(2);
    }
    let (size, mut worst) = (squares.sqrt(), None);
    for gradient in reference.gradients() {
        let (name, expected) = gradient?;
        let found = ours.get(name).with_context(|| format!("no gradient of `{name}`"))?;
        let relative = relative_norm(found, &expected, ROUNDING * size);
        worst = Some(relative.max(worst.unwrap_or(0.0)));
    }
    Ok((Some(max_abs_diff(&[loss], &expected)), worst))
}

/// The largest difference of the losses before each step.
fn adamw(
    model: &mut Trainable,
    batch: &Documents,
    reference: &Reference,
    workspace: &mut Workspace,
) -> Result<Option<f64>> {
    let Some(expected) = reference.floats("adamw.losses")? else { return Ok(None) };
    let mut optimiser = Optimiser::new(Rule::AdamW(ADAMW), Decayed::All, model.parameters());
    let mut losses = Vec::new();
    for _ in &expected {
        let (loss, gradients) = model.loss_and_gradients(batch, Intermediates::Kept, workspace)?;
        optimiser.step(model.parameters_mut(), &gradients, RATE);
        losses.push(loss);
    }
    Ok(Some(max_abs_diff(&losses, &expected)))
}
