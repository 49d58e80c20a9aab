//! The experts of a long prompt, all of them together: each step is one piece of work for all
//! threads, whichever expert its parts are for.

use super::mixture::Route;
use super::rounded::ROWS_LEAST;
use super::{Activations, Infer, Role};
use crate::checkpoint::Checkpoint;
use crate::exec::Exec;
use crate::spec::ModelSpec;
use crate::weight::{Part, WeightId};
use allod_kernels::{Columns, GatedUnit, Inputs, PANEL_ROWS, Weights, add, linear_rounded, scale};

/// Rows that are rounded together.
const PACKED_ROWS: usize = 32;

/// Outputs of an expert that are computed together.
const OUTPUTS: usize = 8 * PANEL_ROWS;

/// An expert and the rows that go to it.
struct Group<'a> {
    rows: &'a [Route],
    unit: GatedUnit<'a>,
    down: Weights<'a>,
}

impl<S: ModelSpec> Infer<S> {
    /// What the experts give one after the other, bit by bit; none for few rows or those of
    /// answers, or where something else needs the values on the way.
    pub(super) fn through_groups(
        &mut self,
        layer: usize,
        x: &Activations,
        routes: &[Vec<Route>],
    ) -> Option<Activations> {
        let is_prompt = self.batch.role() == Role::Prompt && x.rows() >= ROWS_LEAST;
        if !is_prompt || !self.shares.is_empty() {
            return None;
        }
        let checkpoint = self.checkpoint.clone();
        let groups = self.groups(&checkpoint, layer, routes)?;
        let packed = self.packed(&groups, x);
        let active = self.active(&groups, &packed);
        self.spare_grouped.extend(packed);
        let y = self.down(&groups, &active, x.width);
        self.spare_grouped.extend(active);
        Some(self.mixed(&groups, y, x.rows()))
    }

    /// The experts that rows go to; none where biases or weights that are not rounded need the
    /// values on the way.
    fn groups<'a>(
        &self,
        checkpoint: &'a Checkpoint<S>,
        layer: usize,
        routes: &'a [Vec<Route>],
    ) -> Option<Vec<Group<'a>>> {
        let by = checkpoint.spec().activation().gate()?;
        let of = |part| WeightId { layer, part };
        let biases = [Part::ExpertGateBias, Part::ExpertUpBias, Part::ExpertDownBias];
        if biases.into_iter().any(|part| checkpoint.spec().has(of(part))) {
            return None;
        }
        let group = |(expert, rows): (usize, &'a Vec<Route>)| {
            let parts = [Part::ExpertGate, Part::ExpertUp, Part::ExpertDown];
            let weights = parts.map(|part| checkpoint.multiplied(of(part), Some(expert)));
            let [gate, up, down] = weights;
            let is_rounded = weights.iter().all(|weights| self.rounds(weights));
            is_rounded.then_some(Group { rows, unit: GatedUnit { gate, up, by }, down })
        };
        routes.iter().enumerate().filter(|(_, rows)| !rows.is_empty()).map(group).collect()
    }

    /// Memory for the inputs of each group.
    fn inputs_of(&mut self, groups: &[Group]) -> Vec<Inputs> {
        let kept = self.spare_grouped.len().saturating_sub(groups.len());
        let mut inputs = self.spare_grouped.split_off(kept);
        inputs.resize_with(groups.len(), Inputs::default);
        inputs
    }

    /// The rows of each group, rounded.
    fn packed(&mut self, groups: &[Group], x: &Activations) -> Vec<Inputs> {
        let (isa, width) = (self.isa, x.width);
        let mut packed = self.inputs_of(groups);
        let most = [PACKED_ROWS, width.next_multiple_of(PACKED_ROWS)];
        let mut tasks = Vec::new();
        for (group, inputs) in groups.iter().zip(&mut packed) {
            let patches = inputs.patches(isa, group.rows.len(), width, most).into_iter();
            tasks.extend(patches.map(|patch| (group, patch)));
        }
        self.workers.each_task(tasks, |(group, mut patch), _| {
            for place in patch.vectors() {
                let row = group.rows[place].row;
                patch.put(isa, place, 0, &x.values[row * width..][..width]);
            }
        });
        packed
    }

    /// What the groups' gated units make of them.
    fn active(&mut self, groups: &[Group], packed: &[Inputs]) -> Vec<Inputs> {
        let isa = self.isa;
        let mut active = self.inputs_of(groups);
        let mut tasks = Vec::new();
        for ((group, inputs), active) in groups.iter().zip(packed).zip(&mut active) {
            let width = group.unit.gate.shape()[0];
            let patches = active.patches(isa, group.rows.len(), width, GatedUnit::PATCH);
            tasks.extend(patches.into_iter().map(|patch| (&group.unit, inputs, patch)));
        }
        self.workers.each_task(tasks, |(unit, inputs, mut patch), scratch| {
            unit.fill(isa, inputs, &mut patch, scratch);
        });
        active
    }

    /// The results of the groups, one after the other: `[rows of all groups, width]`.
    fn down(&mut self, groups: &[Group], active: &[Inputs], width: usize) -> Activations {
        let mut y = self.buffer(groups.iter().map(|group| group.rows.len()).sum(), width);
        let (mut rest, mut tasks) = (&mut y.values[..], Vec::new());
        for (group, inputs) in groups.iter().zip(active) {
            let own = rest.split_off_mut(..group.rows.len() * width).expect("room for all rows");
            let pieces = Columns::of(own, width).pieces(OUTPUTS).into_iter().enumerate();
            tasks.extend(pieces.map(|(piece, out)| (&group.down, inputs, piece * OUTPUTS, out)));
        }
        self.workers.each_task(tasks, |(weights, inputs, first, mut out), scratch| {
            linear_rounded(inputs, weights, first..first + out.len(), &mut out, scratch);
        });
        y
    }

    /// The sum of each of `rows` over its experts, by their numbers.
    fn mixed(&mut self, groups: &[Group], y: Activations, rows: usize) -> Activations {
        let (isa, width) = (self.isa, y.width);
        let routes = groups.iter().flat_map(|group| group.rows).enumerate();
        let mut parts: Vec<(usize, usize, f32)> =
            routes.map(|(place, route)| (route.row, place, route.weight)).collect();
        // Those of a row stay in order.
        parts.sort_by_key(|(row, ..)| *row);
        let used = parts.len() / rows;
        let mut out = self.buffer(rows, width);
        self.workers.split_pieces(&mut out.values, width, |row, out, _| {
            out.fill(0.0);
            let mut own = vec![0.0; width];
            for (_, place, weight) in &parts[row * used..][..used] {
                own.copy_from_slice(&y.values[place * width..][..width]);
                scale(isa, &mut own, *weight);
                add(isa, out, &own);
            }
        });
        self.release(y);
        out
    }
}
