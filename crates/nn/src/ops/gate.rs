//! Gated units.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use allod_kernels::{
    Isa, bounded_silu_mul, bounded_silu_mul_gradient, gelu_tanh_mul, gelu_tanh_mul_gradient,
    silu_mul, silu_mul_gradient,
};
use std::sync::Arc;

/// What the gate goes through before it is multiplied with the other half.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Gate {
    /// `silu(gate) * up`
    Silu,
    /// `gelu(gate) * up`, GELU in its tanh form.
    GeluTanh,
    /// `(up + 1) * g * sigmoid(alpha * g)`, both bounded (gpt-oss).
    BoundedSilu {
        /// Steepness of the sigmoid.
        alpha: f32,
        /// Most that the gate can be, and most that the other half can be either way.
        limit: f32,
    },
}

impl Gate {
    fn forward(self, isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
        match self {
            Gate::Silu => silu_mul(isa, gate, up, out),
            Gate::GeluTanh => gelu_tanh_mul(isa, gate, up, out),
            Gate::BoundedSilu { alpha, limit } => {
                bounded_silu_mul(isa, gate, up, alpha, limit, out);
            }
        }
    }

    /// `slope` becomes the slope along `up`.
    fn backward(self, isa: Isa, gate: &[f32], up: &[f32], slope: &mut [f32], dgate: &mut [f32]) {
        match self {
            Gate::Silu => silu_mul_gradient(isa, gate, up, slope, dgate),
            Gate::GeluTanh => gelu_tanh_mul_gradient(isa, gate, up, slope, dgate),
            Gate::BoundedSilu { alpha, limit } => {
                bounded_silu_mul_gradient(isa, gate, up, alpha, limit, slope, dgate);
            }
        }
    }
}

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

impl Tape<'_> {
    /// A gated unit of `gate` and `up`, both `[rows, width]`.
    pub fn gate(&mut self, kind: Gate, gate: Var, up: Var) -> Var {
        self.record(Gated { kind, gate, up }, &[gate, up])
    }
}
