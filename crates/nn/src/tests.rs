//! A whole little model: its gradients against the reference, and its bits whatever the threads.

use crate::checks::{WAYS, bits, check, numbers, parameters, rotation, rows, run};
use crate::{
    Attention, Gate, ParameterId, Rotation, Rows, Sight, Tape, Var, Vector, Weight, reference,
};
use allod_kernels::RopePairing;
use std::sync::Arc;

/// A decoder of one block with grouped heads, a norm of queries and keys, and tied embeddings.
struct Little {
    vocabulary: usize,
    width: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    inner: usize,
    lengths: Vec<usize>,
    tokens: Vec<u32>,
    targets: Vec<Option<u32>>,
    rows: Arc<Rows>,
    turn: Arc<Rotation>,
}

impl Little {
    fn new(width: usize, inner: usize, lengths: &[usize]) -> Little {
        let (vocabulary, heads, kv_heads, head_dim) = (11, 4, 2, 4);
        let rows = rows(lengths);
        let token = |value: &f32| ((value + 1.0) * 5.49) as u32;
        let tokens: Vec<u32> = numbers(rows.len(), 3).iter().map(token).collect();
        let next = |row: usize| rows.positions().get(row + 1).filter(|at| **at > 0);
        let targets = (0..rows.len()).map(|row| next(row).map(|_| tokens[row + 1])).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let turn = rotation(longest, head_dim / 2, RopePairing::Half);
        let lengths = lengths.to_vec();
        Little {
            vocabulary,
            width,
            heads,
            kv_heads,
            head_dim,
            inner,
            lengths,
            tokens,
            targets,
            rows,
            turn,
        }
    }

    fn shapes(&self) -> Vec<Vec<usize>> {
        let (width, inner) = (self.width, self.inner);
        let (q, k) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        vec![
            vec![self.vocabulary, width],
            vec![width],
            vec![q, width],
            vec![k, width],
            vec![k, width],
            vec![self.head_dim],
            vec![self.head_dim],
            vec![width, q],
            vec![width],
            vec![inner, width],
            vec![inner, width],
            vec![width, inner],
            vec![width],
        ]
    }

    fn loss(&self, tape: &mut Tape<'_>, ids: &[ParameterId]) -> Var {
        let vector = |index: usize| Vector::Trained(ids[index]);
        let weight = |index: usize| Weight::Trained(ids[index]);
        let x = tape.embed(&self.tokens, weight(0));
        let normed = tape.rms_norm(x, vector(1), 1e-5);
        let [q, k, v] = [2, 3, 4].map(|index| tape.linear(normed, weight(index), None));
        let (q, k) = (tape.rms_norm(q, vector(5), 1e-5), tape.rms_norm(k, vector(6), 1e-5));
        let [q, k] = [q, k].map(|x| tape.rope(x, self.head_dim, &self.rows, &self.turn));
        let (head_dim, kv_heads, sight) = (self.head_dim, self.kv_heads, Sight::CausalWindow(6));
        let how = Attention { head_dim, kv_heads, scale: 0.5, cap: None, sight };
        let mixed = tape.attend([q, k, v], how, None, &self.rows);
        let y = tape.linear(mixed, weight(7), None);
        let x = tape.add(x, y);
        tape.release(y);
        let normed = tape.rms_norm(x, vector(8), 1e-5);
        let [gate, up] = [9, 10].map(|index| tape.linear(normed, weight(index), None));
        let active = tape.gate(Gate::Silu, gate, up);
        let y = tape.linear(active, weight(11), None);
        let x = tape.add(x, y);
        let normed = tape.rms_norm(x, vector(12), 1e-5);
        let logits = tape.linear(normed, weight(0), None);
        tape.cross_entropy(logits, &self.targets)
    }

    fn truth(&self, p: &[Vec<f64>]) -> Vec<f64> {
        let linear = |x: &[f64], index: usize| {
            reference::linear(x, &p[index], p[index].len() / self.outputs(index), &[])
        };
        let norm = |x: &[f64], index: usize| reference::rms_norm(x, &p[index], f64::from(1e-5f32));
        let x = reference::embed(&self.tokens, &p[0], self.width);
        let normed = norm(&x, 1);
        let (q, k, v) = (linear(&normed, 2), linear(&normed, 3), linear(&normed, 4));
        let turn = |x: &[f64], heads: usize| {
            let (head, pairs) = (self.head_dim, self.head_dim / 2);
            reference::rope(x, heads * head, head, self.rows.positions(), pairs, 1)
        };
        let (q, k) = (turn(&norm(&q, 5), self.heads), turn(&norm(&k, 6), self.kv_heads));
        let how = reference::Attend {
            lengths: &self.lengths,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            scale: 0.5,
            cap: None,
            sight: Sight::CausalWindow(6),
            sinks: &[],
        };
        let x = reference::add(&x, &linear(&how.run([&q, &k, &v]), 7));
        let normed = norm(&x, 8);
        let active = reference::zip(&linear(&normed, 9), &linear(&normed, 10), |gate, up| {
            reference::silu(gate) * up
        });
        let x = reference::add(&x, &linear(&active, 11));
        let logits = linear(&norm(&x, 12), 0);
        vec![reference::cross_entropy(&logits, self.vocabulary, &self.targets)]
    }

    fn outputs(&self, index: usize) -> usize {
        self.shapes()[index][0]
    }
}

#[test]
fn a_whole_block_has_the_gradients_of_the_reference() {
    let little = Little::new(6, 5, &[7, 2, 9]);
    let shapes = little.shapes();
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    check(parameters(&shapes, 1.0, 5), |tape, ids| little.loss(tape, ids), |p| little.truth(p));
}

/// Large enough for every operation to be split over threads.
#[test]
fn threads_and_forgetting_change_no_bit() {
    let little = Little::new(96, 150, &[300, 40, 211, 1]);
    let shapes = little.shapes();
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let (parameters, ids) = parameters(&shapes, 0.3, 5);
    let forward = |tape: &mut Tape<'_>, ids: &[ParameterId]| little.loss(tape, ids);
    let (value, _, gradients) = run(&parameters, &ids, WAYS[0], &forward);
    assert_eq!(gradients.iter().count(), ids.len());
    assert!(gradients.iter().all(|(_, values)| values.iter().any(|value| *value != 0.0)));
    for way in &WAYS[1..] {
        let (other, _, others) = run(&parameters, &ids, *way, &forward);
        assert_eq!(other, value);
        assert_eq!(bits(&others), bits(&gradients));
    }
}

/// Blocks one after the other, each forgotten, as a model's layers are.
#[test]
fn blocks_are_recomputed_one_by_one() {
    let (parameters, ids) = parameters(&[&[5, 6], &[6, 6], &[6]], 1.0, 2);
    let forward = |forgetting: bool| {
        let mut workspace = crate::checks::workspace(1, crate::Precision::F32);
        let mut tape = Tape::new(&parameters, &mut workspace);
        let mut x = tape.parameter(ids[0]);
        for _ in 0..3 {
            let mark = forgetting.then(|| tape.mark());
            let normed = tape.rms_norm(x, Vector::Trained(ids[2]), 1e-5);
            let y = tape.linear(normed, Weight::Trained(ids[1]), None);
            let sum = tape.add(x, y);
            [x, y, normed].into_iter().for_each(|used| tape.release(used));
            if let Some(mark) = mark {
                tape.forget(mark, &[sum]);
            }
            x = sum;
        }
        let loss = tape.cross_entropy(x, &[Some(1), None, Some(0), Some(5), Some(5)]);
        tape.backward(loss)
    };
    assert_eq!(bits(&forward(true)), bits(&forward(false)));
}

#[test]
#[should_panic(expected = "neither forgotten nor released")]
fn what_was_forgotten_cannot_be_used() {
    let (parameters, ids) = parameters(&[&[5, 6]], 1.0, 2);
    let mut workspace = crate::checks::workspace(1, crate::Precision::F32);
    let mut tape = Tape::new(&parameters, &mut workspace);
    let mark = tape.mark();
    let x = tape.parameter(ids[0]);
    let y = tape.scale(x, 2.0);
    tape.forget(mark, &[y]);
    tape.scale(x, 3.0);
}
