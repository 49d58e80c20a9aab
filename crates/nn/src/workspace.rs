//! Threads, their working memory, and buffers that come back. A split of work over threads never
//! changes a result: every output is computed whole by one thread.

use crate::error::{Error, Result};
use crate::ops::Memories;
use crate::spare::Spare;
use crate::tensor::Tensor;
use allod_kernels::{Isa, Packed, Scratch, Side, add, column_sums};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Operations below which waking other threads costs more than it gains.
const WORTH_SPLITTING: usize = 1 << 16;

/// Shares of a piece of work per thread: a thread that the machine holds up is then helped out by
/// the others.
const SHARES_PER_THREAD: usize = 4;

/// Values that an operation on single elements goes over at a time: they stay in the nearest cache.
const MAP_PIECE: usize = 2048;

/// What the operands of matrix products are rounded to. Sums and everything else are `f32`, and so
/// are the masters of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Not rounded: the bits of inference.
    #[default]
    F32,
    /// To bfloat16, ties to even.
    Bf16,
}

/// How a tape computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapeOptions {
    /// The instruction set.
    pub isa: Isa,
    /// Threads that compute; at least one.
    pub threads: usize,
    /// Of matrix products.
    pub precision: Precision,
}

/// What tapes need and leave behind: threads, their scratch, spare buffers. Made once; each step's
/// tape borrows it, so that a step asks the system for no memory that the one before had.
pub struct Workspace {
    pub(crate) isa: Isa,
    pub(crate) precision: Precision,
    pool: Option<rayon::ThreadPool>,
    scratches: Vec<Scratch>,
    spare: Spare,
    spare_packed: Vec<Packed>,
    pub(crate) memories: Memories,
}

/// How much work there is.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    /// Rows (or columns) to be shared out.
    pub count: usize,
    /// They are shared out in multiples of this.
    pub multiple: usize,
    /// About how many operations each takes.
    pub cost: usize,
}

impl Work {
    /// Rows that each take about `cost` operations.
    pub fn rows(count: usize, cost: usize) -> Work {
        Work { count, multiple: 1, cost }
    }
}

impl Workspace {
    /// Starts the threads.
    ///
    /// # Errors
    /// If they cannot be started.
    pub fn new(options: TapeOptions) -> Result<Workspace> {
        let threads = options.threads.max(1);
        let failed = |error: rayon::ThreadPoolBuildError| Error::Threads {
            threads,
            what: error.to_string(),
        };
        let pool = match threads {
            1 => None,
            _ => Some(rayon::ThreadPoolBuilder::new().num_threads(threads).build()),
        };
        let pool = pool.transpose().map_err(failed)?;
        let shares = if threads == 1 { 1 } else { threads * SHARES_PER_THREAD };
        let scratches = (0..shares).map(|_| Scratch::new()).collect();
        let (isa, precision) = (options.isa, options.precision);
        let (spare, spare_packed, memories) = Default::default();
        Ok(Workspace { isa, precision, pool, scratches, spare, spare_packed, memories })
    }

    /// Begins a step: what none has used of late is let go.
    pub(crate) fn begin(&mut self) {
        self.spare.begin();
    }

    /// A buffer with anything in it.
    pub(crate) fn buffer(&mut self, length: usize) -> Vec<f32> {
        self.spare.take(length)
    }

    /// A tensor with anything in it.
    pub(crate) fn tensor(&mut self, rows: usize, width: usize) -> Tensor {
        Tensor::new(rows, width, self.buffer(rows * width))
    }

    /// A tensor of zeros.
    pub(crate) fn zeros(&mut self, rows: usize, width: usize) -> Tensor {
        let mut tensor = self.tensor(rows, width);
        tensor.values.fill(0.0);
        tensor
    }

    /// A copy.
    pub(crate) fn copy(&mut self, from: &Tensor) -> Tensor {
        let mut tensor = self.tensor(from.rows, from.width);
        tensor.values.copy_from_slice(&from.values);
        tensor
    }

    /// The tensor itself if nobody else has it, else a copy.
    pub(crate) fn own(&mut self, shared: Arc<Tensor>) -> Tensor {
        Arc::try_unwrap(shared).unwrap_or_else(|shared| self.copy(&shared))
    }

    /// Takes a buffer back.
    pub(crate) fn recycle(&mut self, values: Vec<f32>) {
        self.spare.give(values);
    }

    /// Takes a tensor back, unless somebody else has it.
    pub(crate) fn give_up(&mut self, shared: Arc<Tensor>) {
        if let Ok(tensor) = Arc::try_unwrap(shared) {
            self.recycle(tensor.values);
        }
    }

    /// An operand with anything in it.
    pub(crate) fn packed(&mut self, side: Side) -> Packed {
        let place = self.spare_packed.iter().position(|packed| packed.side() == side);
        place.map_or_else(|| Packed::new(side), |place| self.spare_packed.swap_remove(place))
    }

    /// Takes an operand back.
    pub(crate) fn recycle_packed(&mut self, packed: Packed) {
        self.spare_packed.push(packed);
    }

    /// Lets go of all spare buffers.
    pub fn trim(&mut self) {
        self.spare.clear();
        self.spare_packed.clear();
        self.memories = Memories::default();
    }

    /// Does all tasks, shared out over the threads.
    pub(crate) fn each<T: Send>(
        &mut self,
        tasks: Vec<T>,
        work: impl Fn(T, &mut Scratch) + Sync + Send,
    ) {
        let Workspace { pool, scratches, .. } = self;
        let Some(pool) = pool.as_ref().filter(|_| tasks.len() > 1) else {
            return tasks.into_iter().for_each(|task| work(task, &mut scratches[0]));
        };
        let share = tasks.len().div_ceil(scratches.len());
        let mut shares: Vec<Vec<T>> = Vec::with_capacity(scratches.len());
        let mut tasks = tasks.into_iter();
        while tasks.len() > 0 {
            shares.push(tasks.by_ref().take(share).collect());
        }
        pool.install(|| {
            shares.into_par_iter().zip(scratches.par_iter_mut()).for_each(|(tasks, scratch)| {
                tasks.into_iter().for_each(|task| work(task, scratch));
            });
        });
    }

    /// Changes values in place, in pieces that `work` is told the place of.
    pub(crate) fn map(
        &mut self,
        out: &mut [f32],
        cost: usize,
        work: impl Fn(Range<usize>, &mut [f32]) + Sync + Send,
    ) {
        let by = Work { count: out.len(), multiple: MAP_PIECE, cost };
        self.split(by, [(out, 1)], |range, [out], _| {
            for (index, out) in out.chunks_mut(MAP_PIECE).enumerate() {
                let start = range.start + index * MAP_PIECE;
                work(start..start + out.len(), out);
            }
        });
    }

    /// A changed copy of values; see [`Workspace::map`].
    pub(crate) fn mapped(
        &mut self,
        from: &Tensor,
        cost: usize,
        work: impl Fn(&mut [f32]) + Sync + Send,
    ) -> Tensor {
        let mut out = self.tensor(from.rows, from.width);
        self.map(&mut out.values, cost, |range, out| {
            out.copy_from_slice(&from.values[range]);
            work(out);
        });
        out
    }

    /// `sum += other`
    pub(crate) fn add(&mut self, sum: &mut Tensor, other: &Tensor) {
        assert_eq!((sum.rows, sum.width), (other.rows, other.width), "shapes of the summands");
        let isa = self.isa;
        self.map(&mut sum.values, 1, |range, sum| add(isa, sum, &other.values[range]));
    }

    /// Adds the sum of each column of `x` to `out`.
    pub(crate) fn add_column_sums(&mut self, x: &Tensor, out: &mut [f32]) {
        let isa = self.isa;
        let work = Work { count: x.width, multiple: 64, cost: x.rows };
        self.split(work, [(out, 1)], |columns, [out], _| {
            column_sums(isa, &x.values, x.width, columns, out);
        });
    }

    /// Computes outputs by ranges of rows. Each output comes with its width; `work` gets a range
    /// of rows and that part of every output.
    pub(crate) fn split<const N: usize>(
        &mut self,
        by: Work,
        mut outs: [(&mut [f32], usize); N],
        work: impl Fn(Range<usize>, [&mut [f32]; N], &mut Scratch) + Sync + Send,
    ) {
        let worth = by.count.saturating_mul(by.cost) >= WORTH_SPLITTING;
        let shares = if worth { self.scratches.len() } else { 1 };
        let share = by.count.div_ceil(shares).max(1).next_multiple_of(by.multiple);
        let tasks = (0..by.count).step_by(share).map(|start| {
            let range = start..(start + share).min(by.count);
            let parts = outs.each_mut().map(|(out, width)| {
                let (part, rest) = std::mem::take(out).split_at_mut(range.len() * *width);
                *out = rest;
                part
            });
            (range, parts)
        });
        let tasks = tasks.collect();
        self.each(tasks, |(range, parts), scratch| work(range, parts, scratch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_computed_once_by_any_number_of_threads() {
        for threads in [1, 2, 5] {
            let options =
                TapeOptions { isa: Isa::detect(), threads, precision: Precision::default() };
            let mut workspace = Workspace::new(options).unwrap();
            for count in [0, 1, 7, 100] {
                let (mut a, mut b) = (vec![0.0; count * 3], vec![0.0; count]);
                let work = Work { count, multiple: 4, cost: 1 << 16 };
                workspace.split(work, [(&mut a, 3), (&mut b, 1)], |range, [a, b], _| {
                    for (index, row) in range.enumerate() {
                        a[index * 3..][..3].iter_mut().for_each(|a| *a += row as f32);
                        b[index] += 1.0;
                    }
                });
                assert!(b.iter().all(|b| *b == 1.0));
                assert!(a.iter().enumerate().all(|(index, a)| *a == (index / 3) as f32));
            }
        }
    }

    #[test]
    fn buffers_come_back() {
        let options =
            TapeOptions { isa: Isa::detect(), threads: 1, precision: Precision::default() };
        let mut workspace = Workspace::new(options).unwrap();
        let buffer = workspace.buffer(1000);
        let place = buffer.as_ptr();
        workspace.recycle(buffer);
        let again = workspace.buffer(1000);
        assert_eq!(again.as_ptr(), place);
        assert!(workspace.zeros(10, 100).values.iter().all(|value| *value == 0.0));
    }
}
