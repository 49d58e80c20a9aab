//! Comparing gradients with finite differences of the reference.

use crate::{
    Gradients, ParameterId, Parameters, Precision, Rotation, Rows, Tape, TapeOptions, Tensor, Var,
    Workspace,
};
use allod_kernels::{Isa, RopePairing};
use std::sync::Arc;

/// Numbers from -1 to 1.
pub fn numbers(length: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Parameters of the given shapes, with values from -`spread` to `spread`.
pub fn parameters(shapes: &[&[usize]], spread: f32, seed: u64) -> (Parameters, Vec<ParameterId>) {
    let mut parameters = Parameters::new();
    let ids = shapes.iter().enumerate().map(|(index, shape)| {
        let values = numbers(shape.iter().product(), seed * 100 + index as u64);
        let values = values.into_iter().map(|value| value * spread).collect();
        parameters.add(&index.to_string(), shape, values).unwrap()
    });
    let ids = ids.collect();
    (parameters, ids)
}

pub fn workspace(threads: usize, precision: Precision) -> Workspace {
    Workspace::new(TapeOptions { isa: Isa::detect(), threads, precision }).unwrap()
}

/// Angles `position / 3^pair`.
pub fn rotation(positions: usize, pairs: usize, pairing: RopePairing) -> Arc<Rotation> {
    let angles: Vec<f64> = (0..positions * pairs)
        .map(|at| (at / pairs) as f64 / 3f64.powi((at % pairs) as i32))
        .collect();
    let cos = angles.iter().map(|angle| angle.cos() as f32).collect();
    let sin = angles.iter().map(|angle| angle.sin() as f32).collect();
    Arc::new(Rotation::new(pairs, pairing, cos, sin))
}

pub fn rows(lengths: &[usize]) -> Arc<Rows> {
    Arc::new(Rows::packed(lengths))
}

/// How a tape is run.
#[derive(Clone, Copy)]
pub struct Way {
    pub threads: usize,
    pub forgetting: bool,
}

pub const WAYS: [Way; 4] = [
    Way { threads: 1, forgetting: false },
    Way { threads: 1, forgetting: true },
    Way { threads: 3, forgetting: false },
    Way { threads: 3, forgetting: true },
];

/// The result of `forward` and the gradients of its sum with random factors.
pub fn run(
    parameters: &Parameters,
    ids: &[ParameterId],
    way: Way,
    forward: &impl for<'a> Fn(&mut Tape<'a>, &[ParameterId]) -> Var,
) -> (Tensor, Vec<f32>, Gradients) {
    let mut workspace = workspace(way.threads, Precision::F32);
    let mut tape = Tape::new(parameters, &mut workspace);
    let mark = way.forgetting.then(|| tape.mark());
    let result = forward(&mut tape, ids);
    if let Some(mark) = mark {
        tape.forget(mark, &[result]);
    }
    let value = tape.value(result).clone();
    let factors = match value.values.len() {
        1 => vec![1.0],
        length => numbers(length, 77),
    };
    let slope = Tensor::new(value.rows, value.width, factors.clone());
    (value, factors, tape.backward_along(result, slope))
}

/// The bits of all gradients.
pub fn bits(gradients: &Gradients) -> Vec<Vec<u32>> {
    gradients.iter().map(|(_, values)| values.iter().map(|v| v.to_bits()).collect()).collect()
}

/// Checks value and gradients of `forward` against the reference, and that threads and forgetting
/// change no bit.
pub fn check(
    (parameters, ids): (Parameters, Vec<ParameterId>),
    forward: impl for<'a> Fn(&mut Tape<'a>, &[ParameterId]) -> Var,
    reference: impl Fn(&[Vec<f64>]) -> Vec<f64>,
) {
    let (value, factors, gradients) = run(&parameters, &ids, WAYS[0], &forward);
    for way in &WAYS[1..] {
        let (other, _, others) = run(&parameters, &ids, *way, &forward);
        assert_eq!(other, value);
        assert_eq!(bits(&others), bits(&gradients));
    }
    let mut at: Vec<Vec<f64>> = ids
        .iter()
        .map(|id| parameters.get(*id).values.iter().map(|v| f64::from(*v)).collect())
        .collect();
    let truth = reference(&at);
    assert_eq!(truth.len(), value.values.len(), "as many results");
    for (found, truth) in value.values.iter().zip(&truth) {
        let apart = (f64::from(*found) - truth).abs();
        assert!(apart < 2e-5 * (1.0 + truth.abs()), "value {found} {truth}");
    }
    let sum = |at: &[Vec<f64>]| -> f64 {
        reference(at).iter().zip(&factors).map(|(y, factor)| y * f64::from(*factor)).sum()
    };
    for (index, id) in ids.iter().enumerate() {
        let found = gradients.get(*id).expect("every parameter gets a gradient");
        let truth: Vec<f64> = (0..found.len())
            .map(|place| {
                const STEP: f64 = 1e-5;
                let before = at[index][place];
                at[index][place] = before + STEP;
                let above = sum(&at);
                at[index][place] = before - STEP;
                let below = sum(&at);
                at[index][place] = before;
                (above - below) / (2.0 * STEP)
            })
            .collect();
        compare(index, found, &truth);
    }
}

fn compare(index: usize, found: &[f32], truth: &[f64]) {
    let size = (truth.iter().map(|t| t * t).sum::<f64>() / truth.len() as f64).sqrt();
    assert!(size > 0.0, "parameter {index} gets a slope");
    for (place, (found, truth)) in found.iter().zip(truth).enumerate() {
        let apart = (f64::from(*found) - truth).abs();
        assert!(apart < 1e-4 * (size + truth.abs()), "{index} at {place}: {found} {truth}");
    }
}
