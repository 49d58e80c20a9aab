//! Experts: each row goes through those that its scores choose.

use super::{Activations, Infer, Share};
use crate::adapter::Target;
use crate::exec::Exec;
use crate::spec::ModelSpec;
use crate::weight::{Part, WeightId};
use allod_kernels::{add, route, scale};

/// A row that goes through an expert, and the weight of what comes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub row: usize,
    pub weight: f32,
}

impl<S: ModelSpec> Infer<S> {
    /// See [`Exec::mixture`]. Rows that share an expert are computed together; a row's sum goes by
    /// the number of the expert, so its bits do not depend on the other rows.
    pub(super) fn through_experts(
        &mut self,
        layer: usize,
        x: &Activations,
        mut scores: Activations,
    ) -> Activations {
        let routes = self.routes(&mut scores);
        self.release(scores);
        if let Some(out) = self.through_groups(layer, x, &routes) {
            return out;
        }
        let mut out = self.zeros(x.values.len() / x.width, x.width);
        for (expert, rows) in routes.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let mut own = self.buffer(rows.len(), x.width);
            for (route, own) in rows.iter().zip(own.values.chunks_exact_mut(x.width)) {
                own.copy_from_slice(&x.values[route.row * x.width..][..x.width]);
            }
            let shares = self.shares(rows.iter().map(|route| self.batch.place(route.row).0));
            let mut y = self.expert(layer, expert, &shares, own);
            for (route, y) in rows.iter().zip(y.values.chunks_exact_mut(x.width)) {
                scale(self.isa, y, route.weight);
                add(self.isa, &mut out.values[route.row * x.width..][..x.width], y);
            }
            self.release(y);
        }
        out
    }

    /// For each expert, the rows that it gets and with what weight.
    fn routes(&self, scores: &mut Activations) -> Vec<Vec<Route>> {
        let spec = self.checkpoint.spec();
        let experts = spec.experts().expect("checked when the checkpoint was opened");
        let (mut routes, mut chosen) = (vec![Vec::new(); experts.count], Vec::new());
        for (row, scores) in scores.values.chunks_exact_mut(scores.width).enumerate() {
            route(self.isa, scores, experts.used, experts.weighting, &mut chosen);
            for (expert, weight) in &chosen {
                routes[*expert].push(Route { row, weight: *weight });
            }
        }
        routes
    }

    /// `down(activate(gate(x), up(x)))` of one expert.
    fn expert(
        &mut self,
        layer: usize,
        expert: usize,
        shares: &[Share],
        x: Activations,
    ) -> Activations {
        let gated = self.checkpoint.spec().activation().is_gated();
        let parts = [Part::ExpertGate, Part::ExpertGateBias];
        let gate = gated.then(|| self.expert_linear((layer, expert), shares, parts, &x));
        let up =
            self.expert_linear((layer, expert), shares, [Part::ExpertUp, Part::ExpertUpBias], &x);
        self.release(x);
        let active = self.activate(layer, gate, up);
        let parts = [Part::ExpertDown, Part::ExpertDownBias];
        let down = self.expert_linear((layer, expert), shares, parts, &active);
        self.release(active);
        down
    }

    fn expert_linear(
        &mut self,
        (layer, expert): (usize, usize),
        shares: &[Share],
        [part, bias]: [Part; 2],
        x: &Activations,
    ) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let bias = WeightId { layer, part: bias };
        let has_bias = checkpoint.spec().has(bias);
        let bias = has_bias.then(|| checkpoint.expert_vector(bias, expert));
        let weight = WeightId { layer, part };
        let mut y = self.product(x, &checkpoint.multiplied(weight, Some(expert)), bias);
        self.adapt(shares, Target { weight, expert: Some(expert) }, x, &mut y);
        y
    }
}
