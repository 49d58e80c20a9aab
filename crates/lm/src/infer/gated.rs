//! The gated unit of a feed-forward.

use super::{Activations, Infer};
use crate::exec::{Exec, Projection};
use crate::spec::ModelSpec;
use crate::weight::{Part, WeightId};
use allod_kernels::GatedUnit;

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
    /// none where something else needs the values on the way.
    pub(super) fn gated_together(
        &mut self,
        layer: usize,
        x: &Activations,
        pair: [Projection; 2],
    ) -> Option<Activations> {
        let checkpoint = self.checkpoint.clone();
        let by = checkpoint.spec().activation().gate()?;
        let weights = [pair[0].0, pair[1].0, WeightId { layer, part: Part::Down }];
        let [gate, up, _] = weights.map(|weight| checkpoint.multiplied(weight, None));
        let has_bias = pair.iter().any(|(_, bias)| bias.is_some());
        if has_bias || !self.is_rounded(x.rows(), &weights) {
            return None;
        }
        let (isa, rows, width) = (self.isa, x.rows(), gate.shape()[0]);
        let mut active = self.spare_inputs.pop().unwrap_or_default();
        let unit = GatedUnit { gate, up, by };
        let inputs = self.inputs(x);
        let patches = active.patches(isa, rows, width, GatedUnit::PATCH);
        self.workers.each_task(patches, |mut patch, scratch| {
            unit.fill(isa, inputs, &mut patch, scratch);
        });
        Some(Activations::rounded(width, active))
    }
}
