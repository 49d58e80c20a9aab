//! Threads, and how work is split over them. A split never changes a result: every output is
//! computed whole by one thread.

use crate::error::{Error, Result};
use allod_kernels::{
    BlockSums, CodedInputs, CodedPiece, Columns, Inputs, Isa, PANEL_ROWS, Scratch,
};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Multiplications below which waking other threads costs more than it gains.
const WORTH_SPLITTING: usize = 1 << 16;

/// Values below which the same holds where each is computed from few others.
const VALUES_WORTH_SPLITTING: usize = 1 << 14;

/// Shares of a piece of work per thread: a thread that the machine holds up is then helped out by
/// the others.
const SHARES_PER_THREAD: usize = 4;

/// A pool of threads, and working memory.
pub(super) struct Workers {
    pool: Option<Arc<rayon::ThreadPool>>,
    /// Of each thread, so that it stays in the caches from one share to the next.
    scratch: Vec<Mutex<Scratch>>,
    /// Results of each share of a piece of work.
    results: Vec<Vec<f32>>,
}

impl Workers {
    pub fn new(threads: usize) -> Result<Workers> {
        let failed = |error: rayon::ThreadPoolBuildError| Error::Threads {
            threads,
            what: error.to_string(),
        };
        let pool = match threads {
            1 => None,
            _ => Some(rayon::ThreadPoolBuilder::new().num_threads(threads).build()),
        };
        let pool = pool.transpose().map_err(failed)?.map(Arc::new);
        let shares = if threads == 1 { 1 } else { threads * SHARES_PER_THREAD };
        let scratch = (0..threads).map(|_| Mutex::default()).collect();
        Ok(Workers { pool, scratch, results: vec![Vec::new(); shares] })
    }

    fn shares(&self) -> usize {
        self.results.len()
    }

    /// Does `work` with the memory of the thread that this is called in.
    fn with_scratch<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let thread = rayon::current_thread_index().unwrap_or(0);
        let scratch = &self.scratch[thread % self.scratch.len()];
        // What a panic left in it never influences a result.
        work(&mut scratch.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The pool to run in; none for a single thread.
    pub fn pool(&self) -> Option<Arc<rayon::ThreadPool>> {
        self.pool.clone()
    }

    /// Computes `out` (`[tokens, outputs]`) by ranges of outputs; the shape is `[outputs, inputs]`.
    /// `work` gets a range and its columns.
    pub fn split_columns(
        &self,
        [outputs, inputs]: [usize; 2],
        out: &mut [f32],
        work: impl Fn(Range<usize>, &mut Columns, &mut Scratch) + Sync,
    ) {
        let share = outputs.div_ceil(self.shares()).next_multiple_of(PANEL_ROWS);
        let size = out.len() * inputs;
        let mut all = Columns::of(out, outputs);
        if share >= outputs || size < WORTH_SPLITTING {
            return self.with_scratch(|scratch| work(0..outputs, &mut all, scratch));
        }
        all.pieces(share).into_par_iter().enumerate().for_each(|(index, mut out)| {
            let first = index * share;
            self.with_scratch(|scratch| work(first..first + out.len(), &mut out, scratch));
        });
    }

    /// Packs activations of `width` columns.
    pub fn pack(&self, isa: Isa, x: &[f32], width: usize, inputs: &mut Inputs) {
        if self.pool.is_none() || x.len() < WORTH_SPLITTING {
            return inputs.pack(isa, x, width);
        }
        let pieces = inputs.pieces(isa, x, width).into_par_iter();
        pieces.for_each(|mut piece| piece.pack(isa, Inputs::source(x, width)));
    }

    /// Rounds activations of `width` columns for products with codes.
    pub fn pack_coded(
        &self,
        isa: Isa,
        (x, width): (&[f32], usize),
        sums: BlockSums,
        inputs: &mut CodedInputs,
    ) {
        let pieces = inputs.pieces(isa, x, width, sums);
        match self.pool.is_none() || x.len() < VALUES_WORTH_SPLITTING {
            true => pieces.into_iter().for_each(CodedPiece::pack),
            false => pieces.into_par_iter().for_each(CodedPiece::pack),
        }
    }

    /// Computes `out` (`[tokens, outputs]`) by ranges of outputs; the shape is `[outputs, inputs]`.
    /// `work` gets a range and writes `[tokens, range]`.
    pub fn split_outputs(
        &mut self,
        tokens: usize,
        [outputs, inputs]: [usize; 2],
        out: &mut [f32],
        work: impl Fn(Range<usize>, &mut [f32], &mut Scratch) + Sync,
    ) {
        let share = outputs.div_ceil(self.shares()).next_multiple_of(PANEL_ROWS);
        if share >= outputs || tokens * outputs * inputs < WORTH_SPLITTING {
            return self.with_scratch(|scratch| work(0..outputs, out, scratch));
        }
        let range = |index: usize| index * share..((index + 1) * share).min(outputs);
        if tokens == 1 {
            out.par_chunks_mut(share).enumerate().for_each(|(index, out)| {
                self.with_scratch(|scratch| work(range(index), out, scratch));
            });
            return;
        }
        let mut results = std::mem::take(&mut self.results);
        let parts = &mut results[..outputs.div_ceil(share)];
        parts.par_iter_mut().enumerate().for_each(|(index, part)| {
            part.resize(tokens * range(index).len(), 0.0);
            self.with_scratch(|scratch| work(range(index), part, scratch));
        });
        for (index, part) in parts.iter().enumerate() {
            let range = range(index);
            let rows = out.chunks_exact_mut(outputs).zip(part.chunks_exact(range.len()));
            rows.for_each(|(row, part)| row[range.clone()].copy_from_slice(part));
        }
        self.results = results;
    }

    /// Does every task; those that lie together go to different threads.
    pub fn split_tasks<T: Send>(&self, tasks: Vec<T>, work: impl Fn(T, &mut Scratch) + Sync) {
        let each = |tasks: Vec<T>| {
            self.with_scratch(|scratch| tasks.into_iter().for_each(|task| work(task, scratch)));
        };
        if self.shares() == 1 {
            return each(tasks);
        }
        let mut shares: Vec<Vec<T>> = self.results.iter().map(|_| Vec::new()).collect();
        for (index, task) in tasks.into_iter().enumerate() {
            shares[index % self.shares()].push(task);
        }
        shares.into_par_iter().for_each(each);
    }

    /// Does every task, each as soon as a thread is free.
    pub fn each_task<T: Send>(&self, tasks: Vec<T>, work: impl Fn(T, &mut Scratch) + Sync) {
        let tasks = tasks.into_par_iter().with_max_len(1);
        tasks.for_each(|task| self.with_scratch(|scratch| work(task, scratch)));
    }

    /// Computes `out` by pieces of `piece` values; `work` gets a piece's number and its values.
    pub fn split_pieces(
        &self,
        out: &mut [f32],
        piece: usize,
        work: impl Fn(usize, &mut [f32], &mut Scratch) + Sync,
    ) {
        let share = (out.len() / piece).div_ceil(self.shares()).max(1);
        let each = |index: usize, out: &mut [f32]| {
            self.with_scratch(|scratch| {
                for (offset, out) in out.chunks_exact_mut(piece).enumerate() {
                    work(index * share + offset, out, scratch);
                }
            });
        };
        if self.shares() == 1 || out.len() < VALUES_WORTH_SPLITTING {
            return each(0, out);
        }
        let shares = out.par_chunks_mut(share * piece).enumerate();
        shares.for_each(|(index, out)| each(index, out));
    }
}
