//! `cargo xtask train DIR TEXT`: models of the shape in a folder, trained from scratch on the bytes
//! of a text. `train_reference.py` beside this crate does the same with PyTorch: same windows of
//! the text in the same order, same optimiser and schedule. Each begins with normal weights of its
//! own, or both with those that the other program leaves in `--first FOLDER`: then their losses can
//! be compared seed by seed.

use allod_lm::{
    Checkpoint, DecoderSpec, Documents, Initial, Intermediates, Isa, Residual, Trainable,
};
use allod_nn::{
    AdamW, Decayed, Optimiser, Precision, Rule, Schedule, TapeOptions, Workspace, clip_gradients,
};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Windows of a step, and bytes of a window.
const WINDOWS: u64 = 8;
const WINDOW: usize = 128;
/// The last part of the text, a tenth of it, is kept for the loss that is reported.
const KEPT: usize = 10;
/// Windows that this loss is taken over.
const CHECKED: u64 = 128;
/// Most that the norm of all gradients may be.
const NORM: f64 = 1.0;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan<'a> {
    steps: u64,
    seeds: u64,
    precision: Precision,
    /// Where a folder for each seed holds the first weights.
    first: Option<&'a str>,
}

/// Trains a model for each seed and prints its losses.
#[allow(clippy::print_stdout)]
pub fn run(arguments: &[String]) -> Result<()> {
    let (folder, text, plan) = parse(arguments)?;
    let spec = Checkpoint::spec_of_folder(Path::new(folder))?;
    let text = std::fs::read(text).with_context(|| text.to_string())?;
    ensure!(text.len() > 2 * KEPT * WINDOW, "the text is too short");
    ensure!(spec.outputs >= 256, "the model predicts {} tokens, not 256 bytes", spec.outputs);
    for seed in 0..plan.seeds {
        let start = Instant::now();
        let (train, kept) = train(&spec, &text, plan, seed)?;
        let ms = start.elapsed().as_secs_f64() * 1e3 / plan.steps as f64;
        println!(
            "seed {seed}: loss {train:.4} at the end, {kept:.4} on text kept back, \
             {ms:.0} ms a step"
        );
    }
    Ok(())
}

fn parse(arguments: &[String]) -> Result<(&str, &str, Plan<'_>)> {
    let mut plan = Plan { steps: 600, seeds: 3, precision: Precision::F32, first: None };
    let mut paths = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} needs a value"));
        let number = |value: &String| value.parse().with_context(|| format!("{argument} {value}"));
        match argument.as_str() {
            "--steps" => plan.steps = number(value()?)?,
            "--seeds" => plan.seeds = number(value()?)?,
            "--first" => plan.first = Some(value()?),
            "--bf16" => plan.precision = Precision::Bf16,
            path => paths.push(path),
        }
    }
    let &[folder, text] = paths.as_slice() else {
        anyhow::bail!("give a model's folder and a text")
    };
    Ok((folder, text, plan))
}

/// The mean loss of the last tenth of the steps, and that on the text kept back.
fn train(spec: &DecoderSpec, text: &[u8], plan: Plan, seed: u64) -> Result<(f64, f64)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = TapeOptions { isa: Isa::detect(), threads, precision: plan.precision };
    let mut workspace = Workspace::new(options)?;
    let mut model = first_weights(spec, plan, seed)?;
    let adamw = AdamW { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1 };
    let mut optimiser = Optimiser::new(Rule::AdamW(adamw), Decayed::Matrices, model.parameters());
    let schedule = Schedule::Cosine {
        peak: 3e-3,
        floor: 3e-4,
        warm_up_steps: plan.steps / 10,
        total_steps: plan.steps,
    };
    let (learnt, kept) = text.split_at(text.len() - text.len() / KEPT);
    let mut losses = Vec::new();
    for step in 0..plan.steps {
        let documents = windows(learnt, seed, step * WINDOWS, WINDOWS);
        let (loss, mut gradients) =
            model.loss_and_gradients(&documents, Intermediates::Kept, &mut workspace)?;
        clip_gradients(&mut gradients, NORM);
        optimiser.step(model.parameters_mut(), &gradients, schedule.rate(step));
        losses.push(f64::from(loss));
    }
    let last = &losses[losses.len() - losses.len().div_ceil(10)..];
    let documents = windows(kept, u64::MAX, 0, CHECKED);
    let (checked, _) = model.loss_and_gradients(&documents, Intermediates::Kept, &mut workspace)?;
    Ok((last.iter().sum::<f64>() / last.len() as f64, f64::from(checked)))
}

/// The model that a seed begins with.
fn first_weights(spec: &DecoderSpec, plan: Plan, seed: u64) -> Result<Trainable> {
    let Some(folder) = plan.first else {
        // As the other program begins.
        let initial = Initial { seed, deviation: 0.02, residual: Residual::Plain };
        return Ok(Trainable::fresh(spec.clone(), WINDOW, initial)?);
    };
    let checkpoint = Checkpoint::open(&Path::new(folder).join(format!("seed-{seed}")))?;
    ensure!(checkpoint.spec() == spec, "the first weights of seed {seed} are of another model");
    Ok(Trainable::of_checkpoint(Arc::new(checkpoint), WINDOW)?)
}

/// `count` windows of the text, from the `first` of a seed's endless order on. Each predicts the
/// byte after every one of its own.
fn windows(text: &[u8], seed: u64, first: u64, count: u64) -> Documents {
    let mut documents = Documents::new();
    for number in first..first + count {
        let start = place(seed, number, (text.len() - WINDOW) as u64) as usize;
        let pairs = text[start..start + WINDOW + 1].windows(2);
        documents.push(pairs.map(|pair| (u32::from(pair[0]), Some(u32::from(pair[1])))));
    }
    documents
}

/// Where a window begins: SplitMix64 of its number.
fn place(seed: u64, number: u64, places: u64) -> u64 {
    let x = seed.wrapping_mul(1 << 32).wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) % places
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_in_the_text_and_differ_by_seed_and_number() {
        let text: Vec<u8> = (0..1000).map(|at| (at % 251) as u8).collect();
        let (first, second) = (windows(&text, 1, 0, 8), windows(&text, 1, 8, 8));
        assert_eq!(first.len(), 8 * WINDOW);
        assert_ne!(first, second);
        assert_ne!(first, windows(&text, 2, 0, 8));
        assert_eq!(first, windows(&text, 1, 0, 8));
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        let words = |line: &str| line.split(' ').map(str::to_string).collect::<Vec<_>>();
        let given = words("a --steps 7 b --bf16 --first c");
        let (folder, text, plan) = parse(&given).unwrap();
        assert_eq!((folder, text, plan.steps, plan.seeds), ("a", "b", 7, 3));
        assert_eq!((plan.precision, plan.first), (Precision::Bf16, Some("c")));
        assert!(parse(&words("a b --steps x")).is_err() && parse(&words("a")).is_err());
    }
}
