//! Threads, and how work is split over them. A split never changes a result: every output is
//! computed whole by one thread.

use crate::error::{Error, Result};
use allod_kernels::{
    BlockSums, CodedInputs, CodedPiece, Columns, Inputs, Int8Inputs, Int8Piece, Isa, PANEL_ROWS,
    Scratch, Team,
};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Multiplications below which waking other threads costs more than it gains.
const WORTH_SPLITTING: usize = 1 << 16;

/// Values below which the same holds where each is computed from few others.
const VALUES_WORTH_SPLITTING: usize = 1 << 14;

/// Shares of a piece of work per thread: a thread that the machine holds up is then helped out by
/// the others.
const SHARES_PER_THREAD: usize = 4;

/// Threads and their working memory.
pub(super) struct Workers {
    team: Team,
    /// Of each thread, so that it stays in the caches from one share to the next.
    scratch: Vec<Mutex<Scratch>>,
    /// Results of each share of a piece of work.
    results: Vec<Vec<f32>>,
}

impl Workers {
    pub fn new(threads: usize) -> Result<Workers> {
        let failed = |error: std::io::Error| Error::Threads { threads, what: error.to_string() };
        let team = Team::new(threads).map_err(failed)?;
        let shares = if threads == 1 { 1 } else { threads * SHARES_PER_THREAD };
        let scratch = (0..threads).map(|_| Mutex::default()).collect();
        Ok(Workers { team, scratch, results: vec![Vec::new(); shares] })
    }

    fn shares(&self) -> usize {
        self.results.len()
    }

    /// Does `work` with the memory of a thread of the team.
    fn with_scratch<T>(&self, member: usize, work: impl FnOnce(&mut Scratch) -> T) -> T {
        // What a panic left in it never influences a result.
        work(&mut self.scratch[member].lock().unwrap_or_else(PoisonError::into_inner))
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
            return self.with_scratch(0, |scratch| work(0..outputs, &mut all, scratch));
        }
        let pieces = all.pieces(share).into_iter().enumerate().collect();
        self.team.each(pieces, |member, (index, mut out): (usize, Columns)| {
            let first = index * share;
            self.with_scratch(member, |scratch| {
                work(first..first + out.len(), &mut out, scratch);
            });
        });
    }

    /// Packs activations of `width` columns.
    pub fn pack(&self, isa: Isa, x: &[f32], width: usize, inputs: &mut Inputs) {
        if self.shares() == 1 || x.len() < WORTH_SPLITTING {
            return inputs.pack(isa, x, width);
        }
        let pieces = inputs.pieces(isa, x, width);
        self.team.each(pieces, |_, mut piece| piece.pack(isa, Inputs::source(x, width)));
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
        match self.shares() == 1 || x.len() < VALUES_WORTH_SPLITTING {
            true => pieces.into_iter().for_each(CodedPiece::pack),
            false => self.team.each(pieces, |_, piece| piece.pack()),
        }
    }

    /// The same for products of 8 bits.
    pub fn pack_int8(&self, isa: Isa, (x, width): (&[f32], usize), inputs: &mut Int8Inputs) {
        let pieces = inputs.pieces(isa, x, width);
        match self.shares() == 1 || x.len() < VALUES_WORTH_SPLITTING {
            true => pieces.into_iter().for_each(Int8Piece::pack),
            false => self.team.each(pieces, |_, piece| piece.pack()),
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
            return self.with_scratch(0, |scratch| work(0..outputs, out, scratch));
        }
        let range = |index: usize| index * share..((index + 1) * share).min(outputs);
        if tokens == 1 {
            let pieces = out.chunks_mut(share).enumerate().collect();
            return self.team.each(pieces, |member, (index, out)| {
                self.with_scratch(member, |scratch| work(range(index), out, scratch));
            });
        }
        let mut results = std::mem::take(&mut self.results);
        let parts = &mut results[..outputs.div_ceil(share)];
        self.team.each(parts.iter_mut().enumerate().collect(), |member, (index, part)| {
            part.resize(tokens * range(index).len(), 0.0);
            self.with_scratch(member, |scratch| work(range(index), part, scratch));
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
        let each = |member: usize, tasks: Vec<T>| {
            self.with_scratch(member, |scratch| {
                tasks.into_iter().for_each(|task| work(task, scratch));
            });
        };
        if self.shares() == 1 {
            return each(0, tasks);
        }
        let mut shares: Vec<Vec<T>> = self.results.iter().map(|_| Vec::new()).collect();
        for (index, task) in tasks.into_iter().enumerate() {
            shares[index % self.shares()].push(task);
        }
        self.team.each(shares, each);
    }

    /// Does every task, each as soon as a thread is free.
    pub fn each_task<T: Send>(&self, tasks: Vec<T>, work: impl Fn(T, &mut Scratch) + Sync) {
        self.team.each(tasks, |member, task| {
            self.with_scratch(member, |scratch| work(task, scratch));
        });
    }

    /// Computes `out` by pieces of `piece` values; `work` gets a piece's number and its values.
    pub fn split_pieces(
        &self,
        out: &mut [f32],
        piece: usize,
        work: impl Fn(usize, &mut [f32], &mut Scratch) + Sync,
    ) {
        let share = (out.len() / piece).div_ceil(self.shares()).max(1);
        let each = |member: usize, (index, out): (usize, &mut [f32])| {
            self.with_scratch(member, |scratch| {
                for (offset, out) in out.chunks_exact_mut(piece).enumerate() {
                    work(index * share + offset, out, scratch);
                }
            });
        };
        if self.shares() == 1 || out.len() < VALUES_WORTH_SPLITTING {
            return each(0, (0, out));
        }
        self.team.each(out.chunks_mut(share * piece).enumerate().collect(), each);
    }
}
