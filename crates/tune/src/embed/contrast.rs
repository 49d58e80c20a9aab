//! The loss: each query must find its passage among all of the batch, and each passage its query
//! (InfoNCE, van den Oord, Li and Vinyals 2018, in both directions).

use allod_kernels::{
    Isa, Matrix, Scratch, linear, linear_input_gradient, linear_weight_gradient, softmax,
};
use rayon::prelude::*;

/// Rows of scores that one thread takes at a time: whole chains of the kernels.
const PART: usize = 64;
/// The score of a pair that may be right although it is not the one asked for.
const MASKED: f32 = -1e4;

/// What tells whether two pairs of a batch mean the same: equal queries, or equal passages.
pub(super) type Keys = (u64, u64);

/// The batch's vectors and how they are compared.
pub(super) struct Contrast<'a> {
    pub(super) isa: Isa,
    pub(super) dimension: usize,
    /// Scores are cosines times this.
    pub(super) scale: f32,
    /// One for each pair.
    pub(super) keys: &'a [Keys],
}

impl Contrast<'_> {
    /// The mean loss, and its slopes along `queries` and `passages` (`[pairs, dimension]`), one
    /// after the other.
    pub(super) fn loss(&self, queries: &[f32], passages: &[f32]) -> (f32, Vec<f32>) {
        let (forth, forth_errors) = self.errors(queries, passages);
        let (back, back_errors) = self.errors(passages, queries);
        let mut slopes = self.slopes(&forth_errors, &back_errors, passages);
        slopes.extend(self.slopes(&back_errors, &forth_errors, queries));
        let factor = self.scale / (2 * self.keys.len()) as f32;
        slopes.iter_mut().for_each(|slope| *slope *= factor);
        (0.5 * (forth + back), slopes)
    }

    /// The mean loss of finding each of `to` from its `from`, and share minus truth (`[from, to]`).
    fn errors(&self, from: &[f32], to: &[f32]) -> (f32, Vec<f32>) {
        let count = self.keys.len();
        let to = Matrix::of_floats(count, self.dimension, to);
        let mut scores = vec![0.0f32; count * count];
        let mut losses = vec![0.0f32; count];
        let outs = scores.par_chunks_mut(PART * count).zip(losses.par_chunks_mut(PART));
        let parts = outs.zip(from.par_chunks(PART * self.dimension)).enumerate();
        parts.for_each_init(Scratch::new, |scratch, (part, ((scores, losses), from))| {
            linear(self.isa, from, &to, 0..count, scores, scratch);
            for (at, (scores, loss)) in scores.chunks_exact_mut(count).zip(losses).enumerate() {
                *loss = self.error(part * PART + at, scores);
            }
        });
        (losses.iter().sum::<f32>() / count as f32, scores)
    }

    /// Turns one row of cosines into share minus truth; returns its loss.
    fn error(&self, own: usize, scores: &mut [f32]) -> f32 {
        let (query, passage) = self.keys[own];
        for (at, (score, keys)) in scores.iter_mut().zip(self.keys).enumerate() {
            let same = at != own && (keys.0 == query || keys.1 == passage);
            *score = if same { MASKED } else { *score * self.scale };
        }
        softmax(self.isa, scores);
        let loss = -libm::logf(scores[own].max(f32::MIN_POSITIVE));
        scores[own] -= 1.0;
        loss
    }

    /// `forth * to + back^T * to`, the slopes along `from`.
    fn slopes(&self, forth: &[f32], back: &[f32], to: &[f32]) -> Vec<f32> {
        let (count, width) = (self.keys.len(), self.dimension);
        let matrix = Matrix::of_floats(count, width, to);
        let mut out = vec![0.0f32; count * width];
        let parts = out.par_chunks_mut(PART * width).zip(forth.par_chunks(PART * count));
        parts.enumerate().for_each_init(Scratch::new, |scratch, (part, (out, forth))| {
            linear_input_gradient(self.isa, forth, &matrix, 0..width, out, scratch);
            let rows = part * PART..part * PART + out.len() / width;
            linear_weight_gradient(self.isa, back, count, to, width, rows, out, scratch);
        });
        out
    }
}
