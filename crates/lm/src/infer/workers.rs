//! Threads, and how work is split over them. A split never changes a result: every output is
//! computed whole by one thread.

use crate::error::{Error, Result};
use allod_kernels::{
    BlockSums, CodedInputs, CodedPiece, Columns, Inputs, Isa, PANEL_ROWS, Scratch,
};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Multiplications below which waking other threads costs more than it gains.
const WORTH_SPLITTING: usize = 1 << 16;

/// Values below which the same holds where each is computed from few others.
const VALUES_WORTH_SPLITTING: usize = 1 << 14;

/// Shares of a piece of work per thread: a thread that the machine holds up is then helped out by
/// the others.
const SHARES_PER_THREAD: usize = 4;

/// A pool of threads, and working memory for each share of work.
pub(super) struct Workers {
    pool: Option<Arc<rayon::ThreadPool>>,
    workers: Vec<Worker>,
}

#[derive(Default)]
struct Worker {
    scratch: Scratch,
    out: Vec<f32>,
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
        let workers = (0..shares).map(|_| Worker::default()).collect();
        Ok(Workers { pool, workers })
    }

    /// The pool to run in; none for a single thread.
    pub fn pool(&self) -> Option<Arc<rayon::ThreadPool>> {
        self.pool.clone()
    }

    /// Computes `out` (`[tokens, outputs]`) by ranges of outputs; the shape is `[outputs, inputs]`.
    /// `work` gets a range and its columns.
    pub fn split_columns(
        &mut self,
        [outputs, inputs]: [usize; 2],
        out: &mut [f32],
        work: impl Fn(Range<usize>, &mut Columns, &mut Scratch) + Sync,
    ) {
        let share = outputs.div_ceil(self.workers.len()).next_multiple_of(PANEL_ROWS);
        let size = out.len() * inputs;
        let mut all = Columns::of(out, outputs);
        if share >= outputs || size < WORTH_SPLITTING {
            return work(0..outputs, &mut all, &mut self.workers[0].scratch);
        }
        let shares = self.workers.par_iter_mut().zip(all.pieces(share)).enumerate();
        shares.for_each(|(index, (worker, mut out))| {
            let first = index * share;
            work(first..first + out.len(), &mut out, &mut worker.scratch);
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
        let share = outputs.div_ceil(self.workers.len()).next_multiple_of(PANEL_ROWS);
        if share >= outputs || tokens * outputs * inputs < WORTH_SPLITTING {
            return work(0..outputs, out, &mut self.workers[0].scratch);
        }
        let range = |index: usize| index * share..((index + 1) * share).min(outputs);
        if tokens == 1 {
            let shares = self.workers.par_iter_mut().zip(out.par_chunks_mut(share)).enumerate();
            shares.for_each(|(index, (worker, out))| work(range(index), out, &mut worker.scratch));
            return;
        }
        let ranges = outputs.div_ceil(share);
        self.workers.par_iter_mut().take(ranges).enumerate().for_each(|(index, worker)| {
            worker.out.resize(tokens * range(index).len(), 0.0);
            work(range(index), &mut worker.out, &mut worker.scratch);
        });
        for (index, worker) in self.workers.iter().take(ranges).enumerate() {
            let range = range(index);
            let rows = out.chunks_exact_mut(outputs).zip(worker.out.chunks_exact(range.len()));
            rows.for_each(|(row, part)| row[range.clone()].copy_from_slice(part));
        }
    }

    /// Does every task; those that lie together go to different threads.
    pub fn split_tasks<T: Send>(&mut self, tasks: Vec<T>, work: impl Fn(T, &mut Scratch) + Sync) {
        if self.workers.len() == 1 {
            return tasks.into_iter().for_each(|task| work(task, &mut self.workers[0].scratch));
        }
        let mut shares: Vec<Vec<T>> = self.workers.iter().map(|_| Vec::new()).collect();
        for (index, task) in tasks.into_iter().enumerate() {
            shares[index % self.workers.len()].push(task);
        }
        self.workers.par_iter_mut().zip(shares).for_each(|(worker, tasks)| {
            tasks.into_iter().for_each(|task| work(task, &mut worker.scratch));
        });
    }

    /// Computes `out` by pieces of `piece` values; `work` gets a piece's number and its values.
    pub fn split_pieces(
        &mut self,
        out: &mut [f32],
        piece: usize,
        work: impl Fn(usize, &mut [f32], &mut Scratch) + Sync,
    ) {
        let share = (out.len() / piece).div_ceil(self.workers.len()).max(1);
        let each = |index: usize, out: &mut [f32], scratch: &mut Scratch| {
            for (offset, out) in out.chunks_exact_mut(piece).enumerate() {
                work(index * share + offset, out, scratch);
            }
        };
        if self.workers.len() == 1 || out.len() < VALUES_WORTH_SPLITTING {
            return each(0, out, &mut self.workers[0].scratch);
        }
        let shares = self.workers.par_iter_mut().zip(out.par_chunks_mut(share * piece));
        shares.enumerate().for_each(|(index, (worker, out))| each(index, out, &mut worker.scratch));
    }
}
