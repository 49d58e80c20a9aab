//! Attention in products of bfloat16, forward and backward: one sequence and one key/value head at
//! a time, in blocks of queries.

use super::attention::Attention;
use super::attention_gradient::Job;
use crate::rows::Rows;
use crate::tensor::Tensor;
use crate::workspace::{Work, Workspace};
use allod_kernels::{
    Isa, Packed, Region, Side, Source, Start, bf16_product_part, scale, soft_cap,
    soft_cap_gradient, softmax, softmax_gradient,
};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Queries worked on together.
const BLOCK: usize = 64;
/// Positions at multiples of which the terms of a product may begin.
const ALIGNED: usize = 256;

/// Working memory of jobs, kept from one to the next.
#[derive(Default)]
pub(crate) struct Memories(Mutex<Vec<Memory>>);

impl Memories {
    /// Does work with a memory that no other thread has.
    fn lend<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        let spare = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = spare().pop().unwrap_or_default();
        let result = work(&mut memory);
        spare().push(memory);
        result
    }

    /// All of them, leaving none.
    fn take(&mut self) -> Memories {
        std::mem::take(self)
    }
}

/// Operands, and a block of weights and of slopes along them.
struct Memory {
    keys: Packed,
    /// As columns of the products with weights.
    keys_turned: Packed,
    values: Packed,
    values_turned: Packed,
    queries: Packed,
    queries_turned: Packed,
    slope: Packed,
    slope_turned: Packed,
    /// Weights or slopes along scores.
    block: Packed,
    weights: Vec<f32>,
    capped: Vec<f32>,
    scores: Vec<f32>,
}

impl Default for Memory {
    fn default() -> Memory {
        let [left, right] = [Side::Left, Side::Right].map(|side| move || Packed::new(side));
        Memory {
            keys: right(),
            keys_turned: right(),
            values: right(),
            values_turned: right(),
            queries: left(),
            queries_turned: right(),
            slope: left(),
            slope_turned: right(),
            block: left(),
            weights: Vec::new(),
            capped: Vec::new(),
            scores: Vec::new(),
        }
    }
}

/// Attention of all rows.
pub(super) fn forward(
    workspace: &mut Workspace,
    how: Attention,
    rows: &Rows,
    sinks: &[f32],
    inputs: [&Tensor; 3],
) -> Tensor {
    let (memories, jobs) = (workspace.memories.take(), jobs(workspace.isa, how, rows, sinks));
    let group = inputs[0].width / how.kv_heads;
    let mut heads = workspace.buffer(inputs[0].values.len());
    let outs = parts(&mut heads, &jobs, group);
    workspace.each(jobs.iter().zip(outs).collect(), |(job, out), _| {
        attend(job, inputs, out, &memories);
    });
    workspace.memories = memories;
    in_rows(workspace, heads, rows, how.head_dim, inputs[0])
}

/// The slopes along queries, keys and values, and along the sinks.
pub(super) fn backward(
    workspace: &mut Workspace,
    how: Attention,
    rows: &Rows,
    sinks: &[f32],
    given: [&Tensor; 4],
) -> ([Tensor; 3], Vec<f32>) {
    let (memories, jobs) = (workspace.memories.take(), jobs(workspace.isa, how, rows, sinks));
    let inputs = [given[0], given[1], given[2]];
    let mut heads = inputs.map(|x| workspace.buffer(x.values.len()));
    let group = inputs[0].width / inputs[1].width;
    let mut sink_slopes = vec![0.0; if sinks.is_empty() { 0 } else { jobs.len() * group }];
    let [queries, keys, values] = &mut heads;
    let outs = parts(queries, &jobs, group * how.head_dim)
        .zip(parts(keys, &jobs, how.head_dim))
        .zip(parts(values, &jobs, how.head_dim));
    let own = sink_slopes.chunks_mut(group).map(Some).chain(std::iter::repeat_with(|| None));
    let tasks = jobs.iter().zip(outs).zip(own).map(|((job, ((queries, keys), values)), sinks)| {
        (job, Slopes { queries, keys, values, sinks: sinks.unwrap_or_default() })
    });
    workspace.each(tasks.collect(), |(job, mut found), _| {
        gradient(job, given, &mut found, &memories);
    });
    workspace.memories = memories;
    // Sequence after sequence, so that sinks add up in one order.
    let mut summed = vec![0.0; sinks.len()];
    for slopes in sink_slopes.chunks(sinks.len().max(1)) {
        summed.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
    }
    let mut placed = heads.into_iter().zip(inputs);
    let slopes = std::array::from_fn(|_| {
        let (heads, like) = placed.next().expect("three inputs");
        in_rows(workspace, heads, rows, how.head_dim, like)
    });
    (slopes, summed)
}

/// By sequence, then kv head.
fn jobs<'a>(isa: Isa, how: Attention, rows: &Rows, sinks: &'a [f32]) -> Vec<Job<'a>> {
    let places =
        rows.sequences().flat_map(|rows| (0..how.kv_heads).map(move |h| (rows.clone(), h)));
    places.map(|(rows, head)| Job { isa, how, rows, head, sinks }).collect()
}

/// Each job's part of a buffer that has `width` values for each of its rows.
fn parts<'b>(
    mut buffer: &'b mut [f32],
    jobs: &[Job],
    width: usize,
) -> impl Iterator<Item = &'b mut [f32]> {
    jobs.iter().map(move |job| {
        let (part, rest) = std::mem::take(&mut buffer).split_at_mut(job.rows.len() * width);
        buffer = rest;
        part
    })
}

/// From `[heads][rows][head_dim]` of each sequence to rows like those of an input.
fn in_rows(
    workspace: &mut Workspace,
    heads: Vec<f32>,
    rows: &Rows,
    head_dim: usize,
    like: &Tensor,
) -> Tensor {
    let mut out = workspace.tensor(like.rows, like.width);
    let lengths: Vec<usize> =
        rows.sequences().flat_map(|rows| std::iter::repeat_n(rows.len(), rows.len())).collect();
    let work = Work::rows(like.rows, like.width);
    workspace.split(work, [(&mut out.values, like.width)], |range, [out], _| {
        for (row, out) in range.zip(out.chunks_exact_mut(like.width)) {
            let (length, position) = (lengths[row], rows.positions()[row]);
            let sequence = &heads[(row - position) * like.width..];
            for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
                let from = (head * length + position) * head_dim;
                out.copy_from_slice(&sequence[from..from + head_dim]);
            }
        }
    });
    workspace.recycle(heads);
    out
}

/// The rows of a job in a tensor of heads, as an operand takes them.
fn rows_of<'a>(x: &'a Tensor, job: &Job, head: usize, rows: Range<usize>) -> &'a [f32] {
    let first = (job.rows.start + rows.start) * x.width + head * job.how.head_dim;
    let last = (job.rows.start + rows.end - 1) * x.width + head * job.how.head_dim;
    &x.values[first..last + job.how.head_dim]
}

/// A block of queries, and the positions that any of them sees.
struct Block {
    queries: Range<usize>,
    /// From a multiple of 256 on.
    positions: Range<usize>,
}

impl Block {
    /// The blocks of a job's queries.
    fn all(job: &Job) -> impl Iterator<Item = Block> {
        let (length, sight) = (job.rows.len(), job.how.sight);
        (0..length).step_by(BLOCK).map(move |start| {
            let queries = start..(start + BLOCK).min(length);
            let first = sight.range(start, length).start / ALIGNED * ALIGNED;
            let positions = first..sight.range(queries.end - 1, length).end;
            Block { queries, positions }
        })
    }

    /// Queries times positions.
    fn len(&self) -> usize {
        self.queries.len() * self.positions.len()
    }

    /// The part of a product with keys or values as columns.
    fn scores(&self) -> Region {
        Region {
            rows: 0..self.queries.len(),
            columns: self.positions.clone(),
            first_term: 0,
            stride: self.positions.len(),
        }
    }

    /// The part of a product that sums over positions.
    fn over_positions(&self, head_dim: usize) -> Region {
        Region {
            rows: 0..self.queries.len(),
            columns: 0..head_dim,
            first_term: self.positions.start,
            stride: head_dim,
        }
    }

    /// The part of a product that sums over queries.
    fn over_queries(&self, head_dim: usize) -> Region {
        let rows = 0..self.positions.len();
        Region { rows, columns: 0..head_dim, first_term: 0, stride: head_dim }
    }

    /// The places of the queries in `[rows, head_dim]`.
    fn of_queries(&self, head_dim: usize) -> Range<usize> {
        self.queries.start * head_dim..self.queries.end * head_dim
    }

    /// What each query sees, counted from the first position.
    fn seen(&self, job: &Job) -> impl Iterator<Item = Range<usize>> {
        let (sight, length, first) = (job.how.sight, job.rows.len(), self.positions.start);
        self.queries.clone().map(move |query| {
            let seen = sight.range(query, length);
            seen.start - first..seen.end - first
        })
    }
}

/// Attention of a job's queries: `[query heads of the kv head][rows][head_dim]`.
pub(super) fn attend(job: &Job, [q, k, v]: [&Tensor; 3], out: &mut [f32], memories: &Memories) {
    memories.lend(|memory| {
        let (isa, length, head_dim) = (job.isa, job.rows.len(), job.how.head_dim);
        let (all, group) = (0..length, q.width / k.width);
        let keys = Source::vectors(rows_of(k, job, job.head, all.clone()), k.width);
        memory.keys.pack(isa, length, head_dim, keys);
        let values = Source::turned(rows_of(v, job, job.head, all), v.width);
        memory.values_turned.pack(isa, head_dim, length, values);
        for (index, out) in out.chunks_exact_mut(length * head_dim).enumerate() {
            let head = job.head * group + index;
            for block in Block::all(job) {
                memory.weigh(job, q, head, &block);
                let (queries, positions) = (block.queries.len(), block.positions.len());
                let weights = Source::vectors(&memory.weights, positions);
                memory.block.pack(isa, queries, positions, weights);
                let out = &mut out[block.of_queries(head_dim)];
                let (region, values) = (block.over_positions(head_dim), &memory.values_turned);
                bf16_product_part(isa, &memory.block, values, &region, Start::Zero, out);
            }
        }
    });
}

/// Slopes that a job fills in: `[query heads of the kv head][rows][head_dim]`, `[rows, head_dim]`
/// for keys and for values, and one for each sink.
pub(super) struct Slopes<'a> {
    pub queries: &'a mut [f32],
    pub keys: &'a mut [f32],
    pub values: &'a mut [f32],
    pub sinks: &'a mut [f32],
}

/// The slopes along queries, keys, values and sinks.
pub(super) fn gradient(
    job: &Job,
    [q, k, v, slope]: [&Tensor; 4],
    found: &mut Slopes,
    memories: &Memories,
) {
    memories.lend(|memory| {
        memory.pack_all(job, k, v);
        found.keys.fill(0.0);
        found.values.fill(0.0);
        found.sinks.fill(0.0);
        for index in 0..q.width / k.width {
            let head = job.head * (q.width / k.width) + index;
            for block in Block::all(job) {
                memory.weigh(job, q, head, &block);
                memory.pack_slope(job, slope, head, &block);
                memory.pack_queries_turned(job, q, head, &block);
                let sink = memory.slope_of_scores(job, head, &block);
                found.sinks.iter_mut().skip(index).take(1).for_each(|sum| *sum += sink);
                memory.pass_on(job, index, &block, found);
            }
        }
    });
}

impl Memory {
    /// Packs keys and values for the way back.
    fn pack_all(&mut self, job: &Job, k: &Tensor, v: &Tensor) {
        let (isa, length, head_dim) = (job.isa, job.rows.len(), job.how.head_dim);
        let [keys, values] = [k, v].map(|x| rows_of(x, job, job.head, 0..length));
        self.keys.pack(isa, length, head_dim, Source::vectors(keys, k.width));
        self.keys_turned.pack(isa, head_dim, length, Source::turned(keys, k.width));
        self.values.pack(isa, length, head_dim, Source::vectors(values, v.width));
    }

    fn pack_slope(&mut self, job: &Job, slope: &Tensor, head: usize, block: &Block) {
        let (isa, queries, head_dim) = (job.isa, block.queries.len(), job.how.head_dim);
        let rows = rows_of(slope, job, head, block.queries.clone());
        self.slope.pack(isa, queries, head_dim, Source::vectors(rows, slope.width));
        self.slope_turned.pack(isa, head_dim, queries, Source::turned(rows, slope.width));
    }

    fn pack_queries_turned(&mut self, job: &Job, q: &Tensor, head: usize, block: &Block) {
        let rows = rows_of(q, job, head, block.queries.clone());
        let source = Source::turned(rows, q.width);
        self.queries_turned.pack(job.isa, job.how.head_dim, block.queries.len(), source);
    }

    /// Computes the weights of a block: `[queries, positions]`, zeros where nothing is seen. The
    /// weight of each query's sink goes to the end.
    fn weigh(&mut self, job: &Job, q: &Tensor, head: usize, block: &Block) {
        let (isa, how, width) = (job.isa, job.how, block.positions.len());
        let (rows, queries) = (rows_of(q, job, head, block.queries.clone()), block.queries.len());
        self.queries.pack(isa, queries, how.head_dim, Source::vectors(rows, q.width));
        self.weights.resize(block.len() + queries, 0.0);
        let region = block.scores();
        let (weights, sinks) = self.weights.split_at_mut(block.len());
        bf16_product_part(isa, &self.queries, &self.keys, &region, Start::Zero, weights);
        if how.cap.is_some() {
            self.capped.resize(block.len(), 0.0);
        }
        let rows = weights.chunks_exact_mut(width).zip(block.seen(job)).zip(sinks).enumerate();
        for (row, ((weights, seen), sink)) in rows {
            weights[..seen.start].fill(0.0);
            weights[seen.end..].fill(0.0);
            let weights = &mut weights[seen.clone()];
            scale(isa, weights, how.scale);
            if let Some(cap) = how.cap {
                soft_cap(isa, weights, cap);
                self.capped[row * width..][seen].copy_from_slice(weights);
            }
            *sink = softmax_with(isa, weights, job.sinks.get(head).copied());
        }
    }

    /// Computes the slope along the raw scores of a block from the weights and the slope along the
    /// result. Returns the slope along the head's sink.
    fn slope_of_scores(&mut self, job: &Job, head: usize, block: &Block) -> f32 {
        let (isa, how, width) = (job.isa, job.how, block.positions.len());
        self.scores.resize(block.len(), 0.0);
        let region = block.scores();
        bf16_product_part(isa, &self.slope, &self.values, &region, Start::Zero, &mut self.scores);
        let (weights, sinks) = self.weights.split_at(block.len());
        let mut sink_slope = 0.0;
        let rows = self.scores.chunks_exact_mut(width).zip(weights.chunks_exact(width));
        for (row, ((scores, weights), seen)) in rows.zip(block.seen(job)).enumerate() {
            scores[..seen.start].fill(0.0);
            scores[seen.end..].fill(0.0);
            let scores = &mut scores[seen.clone()];
            let mean = softmax_gradient(isa, &weights[seen.clone()], scores, how.scale);
            if let Some(cap) = how.cap {
                soft_cap_gradient(isa, &self.capped[row * width..][seen], cap, scores);
            }
            sink_slope -= if head < job.sinks.len() { sinks[row] * mean } else { 0.0 };
        }
        sink_slope
    }

    /// Adds what a block passes on to values, keys and its queries.
    fn pass_on(&mut self, job: &Job, index: usize, block: &Block, found: &mut Slopes) {
        let (isa, head_dim, length) = (job.isa, job.how.head_dim, job.rows.len());
        let (queries, positions) = (block.queries.len(), block.positions.len());
        let region = block.over_queries(head_dim);
        let places = block.positions.start * head_dim..block.positions.end * head_dim;
        let weights = Source::turned(&self.weights, positions);
        self.block.pack(isa, positions, queries, weights);
        let out = &mut found.values[places.clone()];
        bf16_product_part(isa, &self.block, &self.slope_turned, &region, Start::Out, out);
        self.block.pack(isa, positions, queries, Source::turned(&self.scores, positions));
        let out = &mut found.keys[places];
        bf16_product_part(isa, &self.block, &self.queries_turned, &region, Start::Out, out);
        self.block.pack(isa, queries, positions, Source::vectors(&self.scores, positions));
        let region = block.over_positions(head_dim);
        let head = &mut found.queries[index * length * head_dim..][..length * head_dim];
        let out = &mut head[block.of_queries(head_dim)];
        bf16_product_part(isa, &self.block, &self.keys_turned, &region, Start::Zero, out);
    }
}

/// Softmax in place of scores and a sink; returns the sink's share, 0 if there is none.
fn softmax_with(isa: Isa, scores: &mut [f32], sink: Option<f32>) -> f32 {
    let Some(sink) = sink else {
        softmax(isa, scores);
        return 0.0;
    };
    let mut all = scores.to_vec();
    all.push(sink);
    softmax(isa, &mut all);
    scores.copy_from_slice(&all[..scores.len()]);
    all[scores.len()]
}

#[cfg(test)]
mod tests {
    use crate::checks::{numbers, parameters, rows, workspace};
    use crate::{Attention, Precision, Sight, Tape, Tensor, Vector};

    const LENGTHS: [usize; 3] = [70, 1, 330];
    const HEADS: usize = 4;

    /// The result, then slopes along queries, keys, values and sinks.
    fn run(how: Attention, sinks: bool, precision: Precision, threads: usize) -> Vec<Vec<f32>> {
        let all = LENGTHS.iter().sum();
        let (wide, narrow) = ([all, HEADS * how.head_dim], [all, how.kv_heads * how.head_dim]);
        let shapes: [&[usize]; 4] = [&wide, &narrow, &narrow, &[HEADS]];
        let (parameters, ids) = parameters(&shapes[..if sinks { 4 } else { 3 }], 1.5, 9);
        let mut workspace = workspace(threads, precision);
        let mut tape = Tape::new(&parameters, &mut workspace);
        let inputs = [ids[0], ids[1], ids[2]].map(|id| tape.parameter(id));
        let own = ids.get(3).map(|id| Vector::Trained(*id));
        let out = tape.attend(inputs, how, own, &rows(&LENGTHS));
        let mut found = vec![tape.value(out).values.clone()];
        let slope = Tensor::new(all, wide[1], numbers(all * wide[1], 5));
        let gradients = tape.backward_along(out, slope);
        found.extend(ids.iter().map(|id| gradients.get(*id).expect("it has a slope").to_vec()));
        found
    }

    /// Compares with attention in single precision, whose gradients are checked by differences.
    fn check(sight: Sight, cap: Option<f32>, sinks: bool) {
        let how = Attention { head_dim: 20, kv_heads: 2, scale: 0.3, cap, sight };
        let found = run(how, sinks, Precision::Bf16, 1);
        for (part, (found, exact)) in
            found.iter().zip(run(how, sinks, Precision::F32, 1)).enumerate()
        {
            let size = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
            let whole = size(&mut exact.iter().map(|x| f64::from(*x)));
            let pairs = found.iter().zip(&exact);
            let apart = size(&mut pairs.map(|(x, y)| f64::from(*x) - f64::from(*y)));
            assert!(apart < 0.015 * whole, "part {part}: {apart} of {whole}, {sight:?}");
            assert!(apart > 0.0, "part {part} is rounded");
        }
        assert_eq!(run(how, sinks, Precision::Bf16, 3), found, "more threads");
    }

    #[test]
    fn it_is_close_to_attention_in_single_precision() {
        check(Sight::Causal, None, false);
        check(Sight::Both, None, true);
    }

    #[test]
    fn windows_caps_and_sinks_count() {
        check(Sight::CausalWindow(40), Some(1.5), true);
        check(Sight::BothWithin(9), None, false);
        check(Sight::CausalWindow(1), None, true);
    }
}
