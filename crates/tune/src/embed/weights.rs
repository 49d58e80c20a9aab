//! The rows while they are trained, and how they move.

use super::random::Random;
use allod_lm::{Bag, unit};
use rayon::prelude::*;

/// Texts, or rows, that one thread takes at a time. Results do not depend on it.
const PART: usize = 32;

/// Rows in full precision with what the optimiser keeps of each.
pub(super) struct Weights {
    pub(super) dimension: usize,
    /// `[entries, dimension]`
    pub(super) rows: Vec<f32>,
    /// The sum over steps of the mean square of the slope, a number a row.
    squares: Vec<f32>,
}

/// Vectors of texts, each of length 1, with the lengths they had.
pub(super) struct Pooled {
    /// `[texts, dimension]`
    pub(super) vectors: Vec<f32>,
    pub(super) lengths: Vec<f32>,
}

/// The slope of some rows.
pub(super) struct RowSlopes {
    /// Rising.
    pub(super) rows: Vec<u32>,
    /// `[rows, dimension]`
    pub(super) slopes: Vec<f32>,
}

impl Weights {
    /// Random rows whose lengths are given.
    pub(super) fn random(lengths: &[f32], dimension: usize, seed: u64) -> Weights {
        let mut random = Random::new(seed);
        let root = (dimension as f32).sqrt();
        let mut rows = Vec::with_capacity(lengths.len() * dimension);
        for length in lengths {
            rows.extend((0..dimension).map(|_| random.normal() * (length / root)));
        }
        Weights { dimension, rows, squares: vec![0.0; lengths.len()] }
    }

    pub(super) fn pool(&self, bags: &[Bag]) -> Pooled {
        let width = self.dimension;
        let mut vectors = vec![0.0f32; bags.len() * width];
        let mut lengths = vec![0.0f32; bags.len()];
        let outs = vectors.par_chunks_mut(PART * width).zip(lengths.par_chunks_mut(PART));
        outs.zip(bags.par_chunks(PART)).for_each(|((vectors, lengths), bags)| {
            let outs = vectors.chunks_exact_mut(width).zip(lengths);
            for ((vector, length), bag) in outs.zip(bags) {
                for (row, factor) in bag {
                    add_scaled(vector, self.row(*row), *factor);
                }
                *length = unit(vector);
            }
        });
        Pooled { vectors, lengths }
    }

    fn row(&self, row: u32) -> &[f32] {
        &self.rows[row as usize * self.dimension..][..self.dimension]
    }

    /// What `slopes` along the vectors (`[texts, dimension]`) mean for the rows. Each row adds the
    /// texts in their order.
    pub(super) fn slopes(&self, bags: &[Bag], pooled: &Pooled, slopes: &[f32]) -> RowSlopes {
        let width = self.dimension;
        let mut sums = slopes.to_vec();
        let vectors = pooled.vectors.par_chunks(width).zip(&pooled.lengths);
        sums.par_chunks_mut(width).zip(vectors).for_each(|(slope, (vector, length))| {
            through_unit(slope, vector, *length);
        });
        let mut uses: Vec<(u32, u32, f32)> = Vec::new();
        for (text, bag) in bags.iter().enumerate() {
            uses.extend(bag.iter().map(|(row, factor)| (*row, text as u32, *factor)));
        }
        uses.sort_by_key(|(row, text, _)| (*row, *text));
        let uses: Vec<&[(u32, u32, f32)]> = uses.chunk_by(|a, b| a.0 == b.0).collect();
        let mut slopes = vec![0.0f32; uses.len() * width];
        let outs = slopes.par_chunks_mut(PART * width).zip(uses.par_chunks(PART));
        outs.for_each(|(slopes, uses)| {
            for (slope, uses) in slopes.chunks_exact_mut(width).zip(uses) {
                for (_, text, factor) in *uses {
                    add_scaled(slope, &sums[*text as usize * width..][..width], *factor);
                }
            }
        });
        RowSlopes { rows: uses.iter().map(|uses| uses[0].0).collect(), slopes }
    }

    /// Moves each row against its slope, by `rate` over the root of the row's squares so far
    /// (AdaGrad, Duchi, Hazan and Singer 2011, with one sum a row).
    pub(super) fn step(&mut self, slopes: &RowSlopes, rate: f32) {
        let width = self.dimension;
        for (row, slope) in slopes.rows.iter().zip(slopes.slopes.chunks_exact(width)) {
            let square = &mut self.squares[*row as usize];
            *square += mean_square(slope);
            if *square > 0.0 {
                let rate = -rate / square.sqrt();
                let row = &mut self.rows[*row as usize * width..][..width];
                add_scaled(row, slope, rate);
            }
        }
    }
}

/// `out += values * factor`
fn add_scaled(out: &mut [f32], values: &[f32], factor: f32) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += factor * value;
    }
}

/// The slope along a sum, from the slope along the sum scaled to length 1.
fn through_unit(slope: &mut [f32], vector: &[f32], length: f32) {
    let along: f32 = dot(slope, vector);
    let inverse = if length > 0.0 { 1.0 / length } else { 0.0 };
    for (slope, value) in slope.iter_mut().zip(vector) {
        *slope = (*slope - along * value) * inverse;
    }
}

/// In 16 chains, then the chains from first to last.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    for (a, b) in a.chunks(16).zip(b.chunks(16)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}

fn mean_square(slope: &[f32]) -> f32 {
    dot(slope, slope) / slope.len() as f32
}
