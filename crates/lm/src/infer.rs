//! The executor that serves: ragged batches, key-value cache, weights as they lie in the file.
//!
//! Results have the same bits whatever the number of threads, the way a prompt is cut into batches
//! and whoever else is in the batch: the kernels fix the order of every sum.

mod batch;
mod cache;
mod rope;
mod workers;

use crate::checkpoint::Checkpoint;
use crate::decoder::Decoder;
use crate::error::Result;
use crate::exec::Exec;
use crate::spec::Activation;
use crate::weight::WeightId;
use allod_kernels::{Isa, KeyValues, add, attend, linear, rms_norm, silu_mul};
pub use batch::{Batch, Logits};
use cache::Cache;
use rope::RopeTable;
use std::sync::Arc;
use workers::Workers;

/// How an [`Infer`] runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InferOptions {
    /// Threads that compute; at least one.
    pub threads: usize,
    /// The instruction set.
    pub isa: Isa,
    /// Sequences that can be held at the same time; at least one.
    pub slots: usize,
    /// Positions that each of them can have.
    pub context_tokens: usize,
}

/// Runs a checkpoint over batches of rows.
pub struct Infer {
    checkpoint: Arc<Checkpoint>,
    isa: Isa,
    workers: Workers,
    cache: Cache,
    rope: RopeTable,
    batch: Batch,
    /// Buffers that operations have given back.
    spare: Vec<Vec<f32>>,
}

/// Activations `[rows, width]`.
pub struct Activations {
    width: usize,
    values: Vec<f32>,
}

impl Activations {
    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }
}

impl Infer {
    /// Prepares to run `checkpoint`.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(checkpoint: Arc<Checkpoint>, options: InferOptions) -> Result<Infer> {
        let spec = checkpoint.spec();
        let cache = Cache::new(spec, options.slots.max(1), options.context_tokens);
        let rope = RopeTable::new(&spec.rope);
        let workers = Workers::new(options.threads.max(1))?;
        let (isa, batch, spare) = (options.isa, Batch::default(), Vec::new());
        Ok(Infer { checkpoint, isa, workers, cache, rope, batch, spare })
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Positions that `slot` holds.
    pub fn length(&self, slot: usize) -> usize {
        self.cache.length(slot)
    }

    /// Forgets what `slot` holds from position `length` on.
    pub fn truncate(&mut self, slot: usize, length: usize) {
        self.cache.truncate(slot, length);
    }

    /// Runs the rows of `batch` and appends their keys and values to their sequences. Returns the
    /// logits of the rows that asked for them, in order.
    ///
    /// # Errors
    /// If a row's token, slot or position is not possible; then nothing has changed.
    pub fn run(&mut self, batch: &Batch) -> Result<Logits> {
        let spec = self.checkpoint.spec();
        batch.check(spec.vocabulary, &self.cache)?;
        let vocabulary = spec.vocabulary;
        self.rope.reach(batch.end());
        self.cache.make_room(batch);
        self.batch.clone_from(batch);
        let pool = self.workers.pool();
        let checkpoint = self.checkpoint.clone();
        let mut forward = || Decoder(checkpoint.spec()).forward(self);
        let logits = match pool {
            Some(pool) => pool.install(forward),
            None => forward(),
        };
        Ok(Logits::new(vocabulary, logits.values))
    }

    /// An empty buffer for `rows` rows of `width`, zeroed.
    fn buffer(&mut self, rows: usize, width: usize) -> Activations {
        let mut values = self.spare.pop().unwrap_or_default();
        values.clear();
        values.resize(rows * width, 0.0);
        Activations { width, values }
    }

    fn rotate(&self, x: &mut [f32], position: usize, head_dim: usize) {
        let (cos, sin) = self.rope.at(position);
        let pairing = self.checkpoint.spec().rope.pairing;
        for head in x.chunks_exact_mut(head_dim) {
            allod_kernels::rope(self.isa, head, cos, sin, pairing);
        }
    }
}

impl Exec for Infer {
    type Tensor = Activations;

    fn embed(&mut self, weight: WeightId) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let matrix = checkpoint.matrix(weight);
        let mut x = self.buffer(self.batch.len(), matrix.columns);
        for (row, token) in x.values.chunks_exact_mut(matrix.columns).zip(self.batch.tokens()) {
            matrix.decode_row(token as usize, row);
        }
        x
    }

    fn norm(&mut self, x: &Activations, weight: WeightId, epsilon: f32) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let weight = checkpoint.vector(weight);
        let mut out = self.buffer(x.values.len() / x.width, x.width);
        for (row, out) in x.rows().zip(out.values.chunks_exact_mut(x.width)) {
            rms_norm(self.isa, row, weight, epsilon, out);
        }
        out
    }

    fn linear(&mut self, x: &Activations, weight: WeightId, bias: Option<WeightId>) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let matrix = checkpoint.matrix(weight);
        let (isa, rows) = (self.isa, x.values.len() / x.width);
        let mut out = self.buffer(rows, matrix.rows);
        self.workers.split_outputs(
            rows,
            matrix.rows,
            matrix.columns,
            &mut out.values,
            |range, out, scratch| {
                linear(isa, &x.values, &matrix, range, out, scratch);
            },
        );
        if let Some(bias) = bias {
            let bias = checkpoint.vector(bias);
            out.values.chunks_exact_mut(matrix.rows).for_each(|row| add(isa, row, bias));
        }
        out
    }

    fn rope(&mut self, mut x: Activations) -> Activations {
        let head_dim = self.checkpoint.spec().head_dim;
        for (row, position) in x.values.chunks_exact_mut(x.width).zip(self.batch.positions()) {
            self.rotate(row, position, head_dim);
        }
        x
    }

    fn attend(
        &mut self,
        layer: usize,
        q: Activations,
        k: Activations,
        v: Activations,
    ) -> Activations {
        self.cache.append(layer, &self.batch, &k.values, &v.values);
        let mut out = self.buffer(self.batch.len(), q.width);
        let spec = self.checkpoint.spec();
        let (isa, scale) = (self.isa, spec.attention_scale);
        let (kv_heads, share) = (spec.kv_heads, spec.group() * spec.head_dim);
        let (batch, cache) = (&self.batch, &self.cache);
        // A piece of work is one row and one kv head with the query heads that share it.
        self.workers.split_pieces(&mut out.values, share, |piece, out, scratch| {
            let (row, head) = (piece / kv_heads, piece % kv_heads);
            let (slot, position) = batch.place(row);
            let seen: KeyValues = cache.read(layer, slot, head);
            let queries = &q.values[piece * share..(piece + 1) * share];
            attend(isa, queries, &seen, 0..position + 1, scale, out, scratch);
        });
        [q, k, v].into_iter().for_each(|x| self.release(x));
        out
    }

    fn activate(
        &mut self,
        activation: Activation,
        gate: Activations,
        up: Activations,
    ) -> Activations {
        let Activation::SiluGated = activation;
        let (isa, width) = (self.isa, gate.width);
        let mut out = self.buffer(gate.values.len() / width, width);
        self.workers.split_pieces(&mut out.values, width, |row, out, _| {
            let range = row * width..(row + 1) * width;
            silu_mul(isa, &gate.values[range.clone()], &up.values[range], out);
        });
        self.release(gate);
        self.release(up);
        out
    }

    fn add(&mut self, mut x: Activations, y: Activations) -> Activations {
        add(self.isa, &mut x.values, &y.values);
        self.release(y);
        x
    }

    fn select(&mut self, x: Activations) -> Activations {
        let batch = std::mem::take(&mut self.batch);
        let mut out = self.buffer(batch.wanted().count(), x.width);
        for (row, out) in batch.wanted().zip(out.values.chunks_exact_mut(x.width)) {
            out.copy_from_slice(&x.values[row * x.width..(row + 1) * x.width]);
        }
        self.batch = batch;
        self.release(x);
        out
    }

    fn release(&mut self, x: Activations) {
        self.spare.push(x.values);
    }
}
