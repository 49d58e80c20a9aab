//! The gated unit of a feed-forward.

use super::{Activations, Infer, Role, is_exact};
use crate::exec::{Exec, Projection};
use crate::spec::ModelSpec;
use crate::weight::{Part, WeightId};
use allod_kernels::GatedUnit;
use std::sync::OnceLock;

/// Rows from which it pays to decode weights for all of them at once.
const ROWS_LEAST: usize = 65;

impl<S: ModelSpec> Infer<S> {
    /// The gated unit row by row.
    pub(super) fn gate(&mut self, gate: Activations, up: Activations) -> Activations {
        let (isa, width) = (self.isa, gate.width);
        let kind = self.checkpoint.spec().activation().gate().expect("the activation has a gate");
        let mut out = self.buffer(gate.values.len() / width, width);
        self.workers.split_pieces(&mut out.values, width, |row, out, _| {
            let range = row * width..(row + 1) * width;
            kind.forward(isa, &gate.values[range.clone()], &up.values[range], out);
        });
        self.release(gate);
        self.release(up);
        out
    }

    /// Both projections of a prompt and the unit between them, as the inputs of the next product;
    /// none where something else needs the values on the way, or the processor has no tile unit.
    pub(super) fn gated_together(
        &mut self,
        layer: usize,
        x: &Activations,
        pair: [Projection; 2],
    ) -> Option<Activations> {
        let checkpoint = self.checkpoint.clone();
        let by = checkpoint.spec().activation().gate()?;
        let [gate, up, down] = [pair[0].0, pair[1].0, WeightId { layer, part: Part::Down }]
            .map(|weight| checkpoint.multiplied(weight, None));
        let is_plain = pair.iter().all(|(_, bias)| bias.is_none()) && self.shares.is_empty();
        let is_prompt = self.batch.role() == Role::Prompt && x.rows() >= ROWS_LEAST;
        let is_rounded = [&gate, &up, &down].iter().all(|weights| !is_exact(weights.format()));
        if !(is_plain && is_prompt && is_rounded) {
            return None;
        }
        let (isa, rows, width) = (self.isa, x.rows(), gate.shape()[0]);
        let mut active = self.spare_inputs.pop().unwrap_or_default();
        let pieces = active.pieces_to_fill(isa, rows, width)?;
        let unit = GatedUnit { gate, up, by };
        let inputs = self.inputs(x);
        self.workers.each_task(pieces, |mut piece, scratch| {
            unit.fill(isa, inputs, &mut piece, scratch);
        });
        let inputs = OnceLock::from(active);
        Some(Activations { width, values: Vec::new(), inputs, coded_inputs: OnceLock::new() })
    }
}
