//! What only products of a long prompt need is rounded as it is computed: it never lies in memory
//! as floats.

use super::{Activations, Infer, Role, is_exact};
use crate::spec::ModelSpec;
use crate::weight::WeightId;
use allod_kernels::{Inputs, Weights, add_linear_rounded, rms_norm};
use std::sync::OnceLock;

/// Rows from which it pays to decode weights for all of them at once.
pub(super) const ROWS_LEAST: usize = 65;

/// Rows that are normed together.
const NORM_ROWS: usize = 32;

impl Activations {
    /// Values that are there as inputs of products alone.
    pub(super) fn rounded(width: usize, inputs: Inputs) -> Activations {
        Activations { inputs: OnceLock::from(inputs), ..Activations::new(width, Vec::new()) }
    }
}

impl<S: ModelSpec> Infer<S> {
    /// Whether products of `rows` with `weights` read rounded activations and decode the weights
    /// once for all of them, and no adapter reads the activations too.
    pub(super) fn is_rounded(&self, rows: usize, weights: &[WeightId]) -> bool {
        let rounds = |weight: &WeightId| self.rounds(&self.checkpoint.multiplied(*weight, None));
        self.shares.is_empty()
            && self.batch.role() == Role::Prompt
            && rows >= ROWS_LEAST
            && weights.iter().all(rounds)
    }

    /// Whether products of a prompt with `weights` read rounded activations.
    pub(super) fn rounds(&self, weights: &Weights) -> bool {
        !is_exact(weights.format()) && !self.is_int8(weights)
    }

    /// The norm of whole rows, rounded.
    pub(super) fn norm_rounded(
        &mut self,
        x: &Activations,
        weight: &[f32],
        epsilon: f32,
    ) -> Activations {
        let (isa, rows, width) = (self.isa, x.rows(), x.width);
        let mut inputs = self.spare_inputs.pop().unwrap_or_default();
        let most = [NORM_ROWS, width.next_multiple_of(NORM_ROWS)];
        self.workers.each_task(inputs.patches(isa, rows, width, most), |mut patch, _| {
            let mut normed = vec![0.0; width];
            for row in patch.vectors() {
                let values = &x.values[row * width..][..width];
                rms_norm(isa, values, weight, epsilon, &mut normed);
                patch.put(isa, row, 0, &normed);
            }
        });
        Activations::rounded(width, inputs)
    }

    /// `x + y * weight^T`
    pub(super) fn add_product(&mut self, x: &mut Activations, y: &Activations, weight: WeightId) {
        let checkpoint = self.checkpoint.clone();
        let weights = checkpoint.multiplied(weight, None);
        let inputs = self.inputs(y);
        self.workers.split_columns(weights.shape(), x.values_mut(), |range, out, scratch| {
            add_linear_rounded(inputs, &weights, range, out, scratch);
        });
    }
}
