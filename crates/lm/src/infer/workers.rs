//! Threads, and how work is split over them. A split never changes a result: every output is
//! computed whole by one thread.

use crate::error::{Error, Result};
use allod_kernels::{PANEL_ROWS, Scratch};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Multiplications below which waking other threads costs more than it gains.
const WORTH_SPLITTING: usize = 1 << 16;

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

    /// Computes `out` (`[tokens, outputs]`) by ranges of outputs. `work` gets a range and writes
    /// `[tokens, range]`.
    pub fn split_outputs(
        &mut self,
        tokens: usize,
        outputs: usize,
        inputs: usize,
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
        if self.workers.len() == 1 {
            return each(0, out, &mut self.workers[0].scratch);
        }
        let shares = self.workers.par_iter_mut().zip(out.par_chunks_mut(share * piece));
        shares.enumerate().for_each(|(index, (worker, out))| each(index, out, &mut worker.scratch));
    }
}
