//! Experts: each row goes through those that its scores choose.

use super::gate::Gate;
use super::linear::Linear;
use super::xielu::XieluParameters;
use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::weight::{Vector, Weight};
use crate::workspace::Work;
use allod_kernels::{Isa, Weighting, dot, route, softmax};
use std::sync::Arc;

/// The non-linearity of an expert.
#[derive(Debug, Clone, Copy)]
pub enum ExpertActivation<'a> {
    /// Of a gate and another half.
    Gated {
        /// What the gate goes through.
        kind: Gate,
        /// The gate's weights, `[experts * inner, width]`.
        gate: Weight<'a>,
        /// Its bias, `[experts * inner]`.
        bias: Option<Vector<'a>>,
    },
    /// GELU by the error function, without a gate.
    Gelu,
    /// Without a gate; all experts share the parameters.
    Xielu(XieluParameters<'a>),
}

/// A choice of feed-forwards `down(activate(x))`. Weights and biases of all experts stand one after
/// the other.
#[derive(Debug, Clone, Copy)]
pub struct Experts<'a> {
    /// How many there are.
    pub count: usize,
    /// How many a row goes to.
    pub used: usize,
    /// How scores become weights.
    pub weighting: Weighting,
    /// What stands between an expert's two halves.
    pub activation: ExpertActivation<'a>,
    /// `[experts * inner, width]`
    pub up: Weight<'a>,
    /// `[experts * inner]`
    pub up_bias: Option<Vector<'a>>,
    /// `[experts * width, inner]`
    pub down: Weight<'a>,
    /// `[experts * width]`
    pub down_bias: Option<Vector<'a>>,
}

/// The weights of the chosen experts of each row, `[rows, used]`, the best first.
struct Route {
    scores: Var,
    used: usize,
    weighting: Weighting,
    /// The chosen experts, in the same shape.
    chosen: Arc<Vec<usize>>,
}

impl Route {
    /// Experts and weights.
    fn choose(
        isa: Isa,
        scores: &Tensor,
        used: usize,
        weighting: Weighting,
    ) -> (Vec<usize>, Tensor) {
        let (mut experts, mut weights) = (Vec::new(), Vec::new());
        let (mut row, mut chosen) = (Vec::new(), Vec::new());
        for index in 0..scores.rows {
            row.clear();
            row.extend_from_slice(scores.row(index));
            route(isa, &mut row, used, weighting, &mut chosen);
            experts.extend(chosen.iter().map(|(expert, _)| *expert));
            weights.extend(chosen.iter().map(|(_, weight)| *weight));
        }
        (experts, Tensor::new(scores.rows, used, weights))
    }

    /// One row: from the slope along the weights to that along the scores.
    fn row(&self, isa: Isa, scores: &[f32], chosen: &[usize], slope: &[f32], out: &mut [f32]) {
        let mut shares = match self.weighting {
            Weighting::SoftmaxOfChosen => chosen.iter().map(|expert| scores[*expert]).collect(),
            _ => scores.to_vec(),
        };
        softmax(isa, &mut shares);
        out.fill(0.0);
        if self.weighting == Weighting::SoftmaxOfChosen {
            let mean = dot(isa, &shares, slope);
            for ((expert, share), slope) in chosen.iter().zip(&shares).zip(slope) {
                out[*expert] = share * (slope - mean);
            }
            return;
        }
        // The slope along each share that was chosen.
        let (mut total, mut mean) = (1.0, 0.0);
        if self.weighting == Weighting::SoftmaxNormalised {
            let own: Vec<f32> = chosen.iter().map(|expert| shares[*expert]).collect();
            total = own.iter().fold(0.0, |sum, share| sum + share);
            mean = dot(isa, &own, slope) / total;
        }
        for (expert, slope) in chosen.iter().zip(slope) {
            out[*expert] = (slope - mean) / total;
        }
        let mean = dot(isa, &shares, out);
        out.iter_mut().zip(&shares).for_each(|(out, share)| *out = share * (*out - mean));
    }
}

impl<'a> Operation<'a> for Route {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let scores = tape.shared(self.scores);
        Route::choose(tape.workspace.isa, &scores, self.used, self.weighting).1
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (scores, isa) = (tape.shared(self.scores), tape.workspace.isa);
        let mut out = tape.workspace.tensor(scores.rows, scores.width);
        let work = Work::rows(scores.rows, 30 * scores.width);
        let width = scores.width;
        tape.workspace.split(work, [(&mut out.values, width)], |rows, [out], _| {
            for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
                let chosen = &self.chosen[row * self.used..(row + 1) * self.used];
                self.row(isa, scores.row(row), chosen, slope.row(row), out);
            }
        });
        tape.workspace.give_up(slope);
        tape.pass(self.scores, out);
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

/// A row that an expert gets, and which of the row's choices the expert is.
#[derive(Clone, Copy)]
struct Sent {
    row: usize,
    choice: usize,
}

/// Adds what comes back from the experts, the one with the lowest number first.
struct Combine {
    weights: Var,
    parts: Vec<(Var, Vec<Sent>)>,
    rows: usize,
    width: usize,
}

impl<'a> Operation<'a> for Combine {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let weights = tape.shared(self.weights);
        let mut out = tape.workspace.zeros(self.rows, self.width);
        for (y, sent) in &self.parts {
            let y = tape.value(*y).values.chunks_exact(self.width);
            for (sent, y) in sent.iter().zip(y) {
                let weight = weights.row(sent.row)[sent.choice];
                let out = &mut out.values[sent.row * self.width..][..self.width];
                // Two roundings, as in inference.
                out.iter_mut().zip(y).for_each(|(out, y)| *out += y * weight);
            }
        }
        out
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (weights, isa) = (tape.shared(self.weights), tape.workspace.isa);
        let mut dweights = tape.workspace.zeros(weights.rows, weights.width);
        for (var, sent) in &self.parts {
            let y = tape.shared(*var);
            let mut dy = tape.workspace.tensor(y.rows, y.width);
            for (index, sent) in sent.iter().enumerate() {
                let (slope, weight) = (slope.row(sent.row), weights.row(sent.row)[sent.choice]);
                let place = sent.row * weights.width + sent.choice;
                dweights.values[place] = dot(isa, y.row(index), slope);
                let dy = &mut dy.values[index * self.width..][..self.width];
                dy.iter_mut().zip(slope).for_each(|(dy, slope)| *dy = slope * weight);
            }
            tape.pass(*var, dy);
        }
        tape.workspace.give_up(slope);
        tape.pass(self.weights, dweights);
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl<'a> Tape<'a> {
    /// Sends each row of `x` through the experts that its `scores` (`[rows, experts]`) choose, and
    /// adds what comes back by its weights. The choice itself has no slope; the weights have.
    pub fn mixture(&mut self, x: Var, scores: Var, experts: &Experts<'a>) -> Var {
        let Experts { count, used, weighting, .. } = *experts;
        let (rows, width) = (self.value(x).rows, self.value(x).width);
        let shape = self.shared(scores);
        assert!(shape.rows == rows && shape.width == count, "scores are [{rows}, {count}]");
        assert!((1..=count).contains(&used), "{used} of {count} experts");
        let (chosen, _) = Route::choose(self.workspace.isa, &shape, used, weighting);
        let mut routes = vec![Vec::new(); count];
        for (index, expert) in chosen.iter().enumerate() {
            routes[*expert].push(Sent { row: index / used, choice: index % used });
        }
        let chosen = Arc::new(chosen);
        let weights = self.record(Route { scores, used, weighting, chosen }, &[scores]);
        let mut parts = Vec::new();
        for (index, sent) in routes.into_iter().enumerate().filter(|(_, sent)| !sent.is_empty()) {
            let rows: Vec<usize> = sent.iter().map(|sent| sent.row).collect();
            let own = self.select(x, &rows);
            let y = self.expert(own, index, experts);
            self.release(own);
            parts.push((y, sent));
        }
        let inputs: Vec<Var> = [weights].into_iter().chain(parts.iter().map(|(y, _)| *y)).collect();
        let sum = self.record(Combine { weights, parts, rows, width }, &inputs);
        inputs.into_iter().for_each(|input| self.release(input));
        sum
    }

    /// `down(activate(gate(x), up(x)))` of one expert.
    fn expert(&mut self, x: Var, index: usize, experts: &Experts<'a>) -> Var {
        let up = self.expert_linear(x, index, experts.count, experts.up, experts.up_bias);
        let active = match experts.activation {
            ExpertActivation::Gated { kind, gate, bias } => {
                let gate = self.expert_linear(x, index, experts.count, gate, bias);
                let active = self.gate(kind, gate, up);
                self.release(gate);
                active
            }
            ExpertActivation::Gelu => self.gelu(up),
            ExpertActivation::Xielu(parameters) => self.xielu(up, parameters),
        };
        self.release(up);
        let (down, bias) = (experts.down, experts.down_bias);
        let y = self.expert_linear(active, index, experts.count, down, bias);
        self.release(active);
        y
    }

    fn expert_linear(
        &mut self,
        x: Var,
        index: usize,
        count: usize,
        weight: Weight<'a>,
        bias: Option<Vector<'a>>,
    ) -> Var {
        let weight = weight.share(self.parameters, index, count);
        let bias = bias.map(|bias| bias.share(self.parameters, index, count));
        self.record(Linear { x, weight, bias }, &[x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check, parameters};
    use crate::reference;

    const EXPERTS: usize = 4;
    const USED: usize = 2;
    const ROWS: usize = 6;
    const WIDTH: usize = 3;
    const INNER: usize = 5;

    fn weights(scores: &[f64], weighting: Weighting) -> Vec<(usize, f64)> {
        let chosen = reference::best(scores, USED);
        let own: Vec<f64> = chosen.iter().map(|expert| scores[*expert]).collect();
        let all = reference::softmax(scores);
        let mut weights: Vec<f64> = chosen.iter().map(|expert| all[*expert]).collect();
        match weighting {
            Weighting::Softmax => {}
            Weighting::SoftmaxNormalised => {
                let total: f64 = weights.iter().sum();
                weights.iter_mut().for_each(|weight| *weight /= total);
            }
            Weighting::SoftmaxOfChosen => weights = reference::softmax(&own),
        }
        chosen.into_iter().zip(weights).collect()
    }

    /// x, scores, gate, gate bias, up, up bias, down, down bias.
    fn mixture(p: &[Vec<f64>], weighting: Weighting, one: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let part = |index: usize, expert: usize| {
            let length = p[index].len() / EXPERTS;
            &p[index][expert * length..(expert + 1) * length]
        };
        let mut out = Vec::new();
        for (x, scores) in p[0].chunks(WIDTH).zip(p[1].chunks(EXPERTS)) {
            let mut sum = vec![0.0; WIDTH];
            for (expert, weight) in weights(scores, weighting) {
                let linear = |x: &[f64], index: usize, inputs| {
                    reference::linear(x, part(index, expert), inputs, part(index + 1, expert))
                };
                let (gate, up) = (linear(x, 2, WIDTH), linear(x, 4, WIDTH));
                let down = linear(&reference::zip(&gate, &up, &one), 6, INNER);
                sum.iter_mut().zip(down).for_each(|(sum, y)| *sum += weight * y);
            }
            out.extend(sum);
        }
        out
    }

    const SHAPES: [&[usize]; 8] = [
        &[ROWS, WIDTH],
        &[ROWS, EXPERTS],
        &[EXPERTS, INNER, WIDTH],
        &[EXPERTS, INNER],
        &[EXPERTS, INNER, WIDTH],
        &[EXPERTS, INNER],
        &[EXPERTS, WIDTH, INNER],
        &[EXPERTS, WIDTH],
    ];

    #[test]
    fn every_weighting_passes_slopes_to_scores_and_experts() {
        for weighting in
            [Weighting::Softmax, Weighting::SoftmaxNormalised, Weighting::SoftmaxOfChosen]
        {
            check(
                parameters(&SHAPES, 1.5, 3),
                |tape, ids| {
                    let [x, scores] = [ids[0], ids[1]].map(|id| tape.parameter(id));
                    let bias = |index: usize| Some(Vector::Trained(ids[index]));
                    let (kind, gate) = (Gate::Silu, Weight::Trained(ids[2]));
                    let experts = Experts {
                        count: EXPERTS,
                        used: USED,
                        weighting,
                        activation: ExpertActivation::Gated { kind, gate, bias: bias(3) },
                        up: Weight::Trained(ids[4]),
                        up_bias: bias(5),
                        down: Weight::Trained(ids[6]),
                        down_bias: bias(7),
                    };
                    tape.mixture(x, scores, &experts)
                },
                |p| mixture(p, weighting, |gate, up| reference::silu(gate) * up),
            );
        }
    }

    #[test]
    fn experts_without_a_gate_and_without_biases() {
        let shapes = [SHAPES[0], SHAPES[1], SHAPES[4], SHAPES[6], &[1], &[1]];
        let xielu = |x: f64, p: &[Vec<f64>]| reference::xielu(x, p[4][0], p[5][0], 0.5, -1.0);
        check(
            parameters(&shapes, 1.5, 3),
            |tape, ids| {
                let [x, scores] = [ids[0], ids[1]].map(|id| tape.parameter(id));
                let [positive, negative] = [ids[4], ids[5]].map(Vector::Trained);
                let parameters = XieluParameters { positive, negative, beta: 0.5, epsilon: -1.0 };
                let experts = Experts {
                    count: EXPERTS,
                    used: USED,
                    weighting: Weighting::SoftmaxNormalised,
                    activation: ExpertActivation::Xielu(parameters),
                    up: Weight::Trained(ids[2]),
                    up_bias: None,
                    down: Weight::Trained(ids[3]),
                    down_bias: None,
                };
                tape.mixture(x, scores, &experts)
            },
            |p| {
                let (up, down) = (p[2].clone(), p[3].clone());
                let all = [&p[0], &p[1], &up, &vec![], &up, &vec![], &down, &vec![]];
                let all = all.map(Vec::clone);
                mixture(&all, Weighting::SoftmaxNormalised, |_, up| xielu(up, p))
            },
        );
    }
}
