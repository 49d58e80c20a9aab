//! Muon: the momentum of a matrix, with its singular values brought close to 1
//! (Jordan and others, "Muon: an optimizer for hidden layers", 2024; arXiv 2502.16982).

use super::{AdamW, Moments};
use crate::parameters::ParameterId;
use allod_kernels::{Isa, Matrix, PANEL_ROWS, Scratch, linear};
use rayon::prelude::*;

/// How a matrix's shape changes its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateByShape {
    /// Times `sqrt(max(1, rows / columns))`.
    Rows,
    /// Times `0.2 * sqrt(max(rows, columns))`, which gives changes of AdamW's size
    /// (arXiv 2502.16982, section 2.2).
    Largest,
}

/// Muon for matrices, AdamW for all else. Of a parameter with more than two dimensions, each of the
/// matrices in it is taken by itself.
///
/// As `torch.optim.Muon` computes it, but for the iteration, which runs in `f32` here and with
/// rounding to bf16 there.
#[derive(Debug, Clone, PartialEq)]
pub struct Muon {
    /// How slowly the momentum moves.
    pub momentum: f64,
    /// Part of a matrix that a step with the rate 1 takes away.
    pub decay: f64,
    /// Steps of the Newton-Schulz iteration.
    pub iterations: usize,
    /// How a matrix's shape changes its rate.
    pub rate_by_shape: RateByShape,
    /// What changes all other parameters.
    pub others: AdamW,
    /// Their rate, as a multiple of the matrices'.
    pub others_rate: f64,
    /// Matrices that count as others: embeddings and the output projection, as a rule.
    pub left_to_others: Vec<ParameterId>,
    /// The instruction set of the products.
    pub isa: Isa,
}

impl Default for Muon {
    fn default() -> Muon {
        Muon {
            momentum: 0.95,
            decay: 0.1,
            iterations: 5,
            rate_by_shape: RateByShape::Largest,
            others: AdamW::default(),
            others_rate: 1.0,
            left_to_others: Vec::new(),
            isa: Isa::detect(),
        }
    }
}

/// Coefficients of the quintic iteration, chosen for their slope at 0.
const QUINTIC: [f32; 3] = [3.4445, -4.775, 2.0315];
/// The least norm that is divided by.
const LEAST_NORM: f32 = 1e-7;

impl Muon {
    /// Moments that it keeps of a matrix.
    pub(super) const MOMENTS: &[&str] = &["momentum"];

    /// Whether a parameter is changed as a matrix.
    pub(super) fn takes(&self, id: ParameterId, shape: &[usize]) -> bool {
        shape.len() >= 2 && !self.left_to_others.contains(&id)
    }

    /// A change of a parameter whose innermost two dimensions are `shape`.
    pub(super) fn update(
        &self,
        rate: f64,
        [rows, columns]: [usize; 2],
        values: &mut [f32],
        gradient: &[f32],
        moments: &mut Moments,
    ) {
        let [momentum] = moments.as_mut_slice() else { unreachable!("it keeps one moment") };
        let by_shape = match self.rate_by_shape {
            RateByShape::Rows => (rows as f64 / columns as f64).max(1.0).sqrt(),
            RateByShape::Largest => 0.2 * (rows.max(columns) as f64).sqrt(),
        };
        let (step, kept) = ((rate * by_shape) as f32, (1.0 - rate * self.decay) as f32);
        let fresh = (1.0 - self.momentum) as f32;
        let length = rows * columns;
        let matrices = gradient.chunks_exact(length).zip(momentum.chunks_exact_mut(length));
        for (values, (gradient, momentum)) in values.chunks_exact_mut(length).zip(matrices) {
            let ahead = momentum.iter_mut().zip(gradient).map(|(momentum, gradient)| {
                *momentum += fresh * (gradient - *momentum);
                *momentum - (*momentum - gradient) * fresh
            });
            let way = self.orthogonal(&ahead.collect::<Vec<f32>>(), rows, columns);
            values.iter_mut().zip(way).for_each(|(value, way)| *value = *value * kept - step * way);
        }
    }

    /// `matrix` (`[rows, columns]`) with singular values near 1.
    fn orthogonal(&self, matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        if rows > columns {
            let turned = self.wide(turned(matrix, rows, columns), columns, rows);
            return self::turned(&turned, columns, rows);
        }
        self.wide(matrix.to_vec(), rows, columns)
    }

    /// [`Muon::orthogonal`] for at least as many columns as rows.
    fn wide(&self, mut x: Vec<f32>, rows: usize, columns: usize) -> Vec<f32> {
        let [a, b, c] = QUINTIC;
        let squares: f64 = x.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        let norm = (squares.sqrt() as f32).max(LEAST_NORM);
        x.iter_mut().for_each(|x| *x /= norm);
        for _ in 0..self.iterations {
            let gram = self.product(&x, &x, columns);
            let mut step = self.product(&gram, &gram, rows);
            step.iter_mut().zip(&gram).for_each(|(step, gram)| *step = b * gram + c * *step);
            let moved = self.product(&step, &turned(&x, rows, columns), rows);
            x.iter_mut().zip(moved).for_each(|(x, moved)| *x = a * *x + moved);
        }
        x
    }

    /// `x * w^T`, both with rows of `inner`.
    fn product(&self, x: &[f32], w: &[f32], inner: usize) -> Vec<f32> {
        let (tokens, outputs) = (x.len() / inner, w.len() / inner);
        let w = Matrix::of_floats(outputs, inner, w);
        let starts: Vec<usize> = (0..outputs).step_by(PANEL_ROWS).collect();
        let parts: Vec<Vec<f32>> = starts
            .par_iter()
            .map_init(Scratch::new, |scratch, start| {
                let range = *start..(start + PANEL_ROWS).min(outputs);
                let mut part = vec![0.0; tokens * range.len()];
                linear(self.isa, x, &w, range, &mut part, scratch);
                part
            })
            .collect();
        let mut out = vec![0.0; tokens * outputs];
        for (start, part) in starts.into_iter().zip(parts) {
            let width = part.len() / tokens;
            for (row, part) in out.chunks_exact_mut(outputs).zip(part.chunks_exact(width)) {
                row[start..start + width].copy_from_slice(part);
            }
        }
        out
    }
}

/// The transpose of `matrix` (`[rows, columns]`).
fn turned(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; matrix.len()];
    for (row, values) in matrix.chunks_exact(columns).enumerate() {
        values.iter().enumerate().for_each(|(column, value)| out[column * rows + row] = *value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Singular values of the result lie where the iteration leaves them: its Gram matrix has a
    /// diagonal near 1 and little beside it.
    #[test]
    fn the_iteration_brings_singular_values_near_one() {
        let muon = Muon::default();
        for (rows, columns) in [(5, 9), (9, 5), (1, 4), (33, 40)] {
            let wave = |i: usize| ((i * i) as f32 * 0.7).sin() * 3.0;
            let matrix: Vec<f32> = (0..rows * columns).map(wave).collect();
            let out = muon.orthogonal(&matrix, rows, columns);
            let least = rows.min(columns);
            let squares: f32 = out.iter().map(|x| x * x).sum();
            let mean = squares / least as f32;
            assert!((0.4..1.5).contains(&mean), "{rows} x {columns}: mean square {mean}");
        }
    }

    #[test]
    fn a_gradient_of_zeros_moves_nothing() {
        let (muon, mut values) = (Muon::default(), [1.0; 6]);
        let mut moments = vec![vec![0.0; 6]];
        muon.update(0.0, [2, 3], &mut values, &[0.0; 6], &mut moments);
        assert_eq!(values, [1.0; 6]);
    }
}
