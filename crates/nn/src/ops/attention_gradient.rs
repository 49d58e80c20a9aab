//! The gradient of attention: one sequence and one key/value head at a time.

use super::attention::Attention;
use crate::tensor::Tensor;
use allod_kernels::{
    Isa, Matrix, Scratch, dot, linear, linear_input_gradient, linear_weight_gradient, soft_cap,
    soft_cap_gradient, softmax,
};
use std::ops::Range;

/// Queries worked on together; a whole number of chains.
const BLOCK: usize = 64;

/// One sequence and one kv head of it.
pub(super) struct Job<'a> {
    pub isa: Isa,
    pub how: Attention,
    pub rows: Range<usize>,
    pub head: usize,
    /// Of all query heads, or none.
    pub sinks: &'a [f32],
}

/// The slopes that a job finds.
pub(super) struct Slopes {
    /// For each query head that shares the kv head: `[rows, head_dim]`.
    queries: Vec<Vec<f32>>,
    keys: Vec<f32>,
    values: Vec<f32>,
    sinks: Vec<f32>,
}

impl Slopes {
    /// Puts the slopes where they belong; those of sinks are added.
    pub fn place(&self, job: &Job, [q, k, v]: &mut [Tensor; 3], sinks: &mut [f32]) {
        let group = self.queries.len();
        for (index, queries) in self.queries.iter().enumerate() {
            put(queries, job, job.head * group + index, q);
        }
        put(&self.keys, job, job.head, k);
        put(&self.values, job, job.head, v);
        let own = sinks.iter_mut().skip(job.head * group);
        own.zip(&self.sinks).for_each(|(sum, slope)| *sum += slope);
    }
}

/// A head's columns of the job's rows.
fn take(x: &Tensor, job: &Job, head: usize) -> Vec<f32> {
    let place = head * job.how.head_dim..(head + 1) * job.how.head_dim;
    let mut columns = Vec::with_capacity(job.rows.len() * job.how.head_dim);
    for row in job.rows.clone() {
        columns.extend_from_slice(&x.row(row)[place.clone()]);
    }
    columns
}

fn put(from: &[f32], job: &Job, head: usize, to: &mut Tensor) {
    let head_dim = job.how.head_dim;
    let rows = to.values.chunks_exact_mut(to.width).skip(job.rows.start);
    for (from, to) in from.chunks_exact(head_dim).zip(rows) {
        to[head * head_dim..(head + 1) * head_dim].copy_from_slice(from);
    }
}

/// The slopes along queries, keys, values and sinks.
pub(super) fn gradient(job: &Job, [q, k, v, slope]: [&Tensor; 4], scratch: &mut Scratch) -> Slopes {
    let group = q.width / k.width;
    let (keys, values) = (take(k, job, job.head), take(v, job, job.head));
    let mut found = Slopes {
        queries: Vec::new(),
        keys: vec![0.0; keys.len()],
        values: vec![0.0; values.len()],
        sinks: Vec::new(),
    };
    for head in job.head * group..(job.head + 1) * group {
        let one = Head {
            job,
            keys: &keys,
            values: &values,
            queries: take(q, job, head),
            slope: take(slope, job, head),
            sink: job.sinks.get(head).copied(),
        };
        one.run(&mut found, scratch);
    }
    found
}

/// One query head.
struct Head<'a> {
    job: &'a Job<'a>,
    keys: &'a [f32],
    values: &'a [f32],
    queries: Vec<f32>,
    slope: Vec<f32>,
    sink: Option<f32>,
}

impl Head<'_> {
    fn run(&self, found: &mut Slopes, scratch: &mut Scratch) {
        let (rows, head_dim) = (self.job.rows.len(), self.job.how.head_dim);
        let mut queries = vec![0.0; rows * head_dim];
        let mut sink = 0.0;
        for start in (0..rows).step_by(BLOCK) {
            let block = start..(start + BLOCK).min(rows);
            let out = &mut queries[block.start * head_dim..block.end * head_dim];
            sink += self.block(block, out, found, scratch);
        }
        found.queries.push(queries);
        found.sinks.extend(self.sink.map(|_| sink));
    }

    /// A block of queries: adds to the slopes along keys and values, returns the sink's.
    fn block(
        &self,
        block: Range<usize>,
        out: &mut [f32],
        found: &mut Slopes,
        scratch: &mut Scratch,
    ) -> f32 {
        let (isa, head_dim) = (self.job.isa, self.job.how.head_dim);
        let seen = self.seen(block.start).start..self.seen(block.end - 1).end;
        let width = seen.len();
        let of = |rows: &Range<usize>| rows.start * head_dim..rows.end * head_dim;
        let (queries, slope) = (&self.queries[of(&block)], &self.slope[of(&block)]);
        let keys = Matrix::of_floats(width, head_dim, &self.keys[of(&seen)]);
        let values = Matrix::of_floats(width, head_dim, &self.values[of(&seen)]);
        let mut weights = vec![0.0; block.len() * width];
        let mut scores = vec![0.0; block.len() * width];
        linear(isa, queries, &keys, 0..width, &mut weights, scratch);
        linear(isa, slope, &values, 0..width, &mut scores, scratch);
        let mut sink = 0.0;
        let rows = weights.chunks_exact_mut(width).zip(scores.chunks_exact_mut(width));
        for (position, (weights, scores)) in block.zip(rows) {
            let own = self.seen(position);
            sink += self.row(own.start - seen.start..own.end - seen.start, weights, scores);
        }
        let values = &mut found.values[of(&seen)];
        linear_weight_gradient(isa, &weights, width, slope, head_dim, 0..width, values, scratch);
        let keys_slope = &mut found.keys[of(&seen)];
        linear_weight_gradient(
            isa,
            &scores,
            width,
            queries,
            head_dim,
            0..width,
            keys_slope,
            scratch,
        );
        linear_input_gradient(isa, &scores, &keys, 0..head_dim, out, scratch);
        sink
    }

    fn seen(&self, position: usize) -> Range<usize> {
        self.job.how.sight.range(position, self.job.rows.len())
    }

    /// One query. `weights` comes as raw scores and becomes the softmax; `scores` comes as the
    /// slope along it and becomes that along the raw scores. Returns the sink's slope.
    fn row(&self, own: Range<usize>, weights: &mut [f32], scores: &mut [f32]) -> f32 {
        let (isa, how) = (self.job.isa, self.job.how);
        for values in [&mut *weights, &mut *scores] {
            values[..own.start].fill(0.0);
            values[own.end..].fill(0.0);
        }
        let (weights, scores) = (&mut weights[own.clone()], &mut scores[own]);
        weights.iter_mut().for_each(|weight| *weight *= how.scale);
        if let Some(cap) = how.cap {
            soft_cap(isa, weights, cap);
        }
        let capped = how.cap.map(|_| weights.to_vec());
        let sink_weight = self.softmax(weights);
        let mean = dot(isa, weights, scores);
        for (score, weight) in scores.iter_mut().zip(&*weights) {
            *score = (*score - mean) * weight * how.scale;
        }
        if let (Some(cap), Some(capped)) = (how.cap, capped) {
            soft_cap_gradient(isa, &capped, cap, scores);
        }
        -sink_weight * mean
    }

    /// Softmax in place; returns the sink's share, 0 if there is none.
    fn softmax(&self, weights: &mut [f32]) -> f32 {
        let Some(sink) = self.sink else {
            softmax(self.job.isa, weights);
            return 0.0;
        };
        let mut all = weights.to_vec();
        all.push(sink);
        softmax(self.job.isa, &mut all);
        weights.copy_from_slice(&all[..weights.len()]);
        all[weights.len()]
    }
}
