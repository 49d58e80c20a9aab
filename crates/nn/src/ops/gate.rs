//! Gated units.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
pub use allod_kernels::Gate;
use allod_kernels::{gelu, gelu_gradient};
use std::sync::Arc;

struct Gated {
    kind: Gate,
    gate: Var,
    up: Var,
}

impl<'a> Operation<'a> for Gated {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (gate, up) = (tape.shared(self.gate), tape.shared(self.up));
        assert_eq!((gate.rows, gate.width), (up.rows, up.width), "shapes of the gate and of up");
        let (isa, kind) = (tape.workspace.isa, self.kind);
        let mut out = tape.workspace.tensor(gate.rows, gate.width);
        tape.workspace.map(&mut out.values, 20, |range, out| {
            kind.forward(isa, &gate.values[range.clone()], &up.values[range], out);
        });
        out
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (gate, up) = (tape.shared(self.gate), tape.shared(self.up));
        let (isa, kind) = (tape.workspace.isa, self.kind);
        let mut slope = tape.workspace.own(slope);
        let mut dgate = tape.workspace.tensor(gate.rows, gate.width);
        let outs = [(slope.values.as_mut_slice(), 1), (dgate.values.as_mut_slice(), 1)];
        let work = crate::workspace::Work { count: gate.values.len(), multiple: 1024, cost: 30 };
        tape.workspace.split(work, outs, |range, [slope, dgate], _| {
            let (gate, up) = (&gate.values[range.clone()], &up.values[range]);
            kind.backward(isa, gate, up, slope, dgate);
        });
        tape.pass(self.gate, dgate);
        tape.pass(self.up, slope);
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

struct Gelu(Var);

impl<'a> Operation<'a> for Gelu {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (x, isa) = (tape.shared(self.0), tape.workspace.isa);
        tape.workspace.mapped(&x, 20, |x| gelu(isa, x))
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (x, isa) = (tape.shared(self.0), tape.workspace.isa);
        let mut slope = tape.workspace.own(slope);
        tape.workspace.map(&mut slope.values, 20, |range, slope| {
            gelu_gradient(isa, &x.values[range], slope);
        });
        tape.pass(self.0, slope);
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl Tape<'_> {
    /// GELU of each element, by the error function (arXiv 1606.08415).
    pub fn gelu(&mut self, x: Var) -> Var {
        self.record(Gelu(x), &[x])
    }

    /// A gated unit of `gate` and `up`, both `[rows, width]`.
    pub fn gate(&mut self, kind: Gate, gate: Var, up: Var) -> Var {
        self.record(Gated { kind, gate, up }, &[gate, up])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check, parameters};
    use crate::reference;

    fn check_gate(kind: Gate, one: impl Fn(f64, f64) -> f64) {
        check(
            parameters(&[&[5, 37], &[5, 37]], 4.0, 6),
            |tape, ids| {
                let [gate, up] = [ids[0], ids[1]].map(|id| tape.parameter(id));
                tape.gate(kind, gate, up)
            },
            |p| reference::zip(&p[0], &p[1], &one),
        );
    }

    #[test]
    fn every_gate() {
        check_gate(Gate::Silu, |g, u| reference::silu(g) * u);
        check_gate(Gate::GeluTanh, |g, u| reference::gelu_tanh(g) * u);
        check_gate(Gate::Gelu, |g, u| reference::gelu(g) * u);
        let (alpha, limit) = (1.702f32, 3.0f32);
        check_gate(Gate::BoundedSilu { alpha, limit }, |g, u| {
            reference::bounded(g, u, f64::from(alpha), f64::from(limit))
        });
    }

    #[test]
    fn gelu_without_a_gate() {
        check(
            parameters(&[&[5, 37]], 4.0, 7),
            |tape, ids| {
                let x = tape.parameter(ids[0]);
                tape.gelu(x)
            },
            |p| p[0].iter().map(|x| reference::gelu(*x)).collect(),
        );
    }
}
