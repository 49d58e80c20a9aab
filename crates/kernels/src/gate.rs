//! What stands between the two halves of a gated unit.

use crate::activation::silu_mul;
use crate::activation_gradient::silu_mul_gradient;
use crate::clamp::bounded_silu_mul;
use crate::gelu::gelu_mul;
use crate::isa::Isa;
use crate::tanh::gelu_tanh_mul;
use crate::{bounded_silu_mul_gradient, gelu_mul_gradient, gelu_tanh_mul_gradient};

/// What the gate goes through before it is multiplied with the other half.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Gate {
    /// `silu(gate) * up`
    Silu,
    /// `gelu(gate) * up`, GELU in its tanh form.
    GeluTanh,
    /// `gelu(gate) * up`, GELU by the error function.
    Gelu,
    /// `(up + 1) * g * sigmoid(alpha * g)`, both bounded (gpt-oss).
    BoundedSilu {
        /// Steepness of the sigmoid.
        alpha: f32,
        /// Most that the gate can be, and most that the other half can be either way.
        limit: f32,
    },
}

impl Gate {
    /// Each element of `out` from those of `gate` and `up`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn forward(self, isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
        match self {
            Gate::Silu => silu_mul(isa, gate, up, out),
            Gate::GeluTanh => gelu_tanh_mul(isa, gate, up, out),
            Gate::Gelu => gelu_mul(isa, gate, up, out),
            Gate::BoundedSilu { alpha, limit } => {
                bounded_silu_mul(isa, gate, up, alpha, limit, out);
            }
        }
    }

    /// `slope`, that of the result, becomes the slope along `up`; `dgate` that along `gate`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn backward(
        self,
        isa: Isa,
        gate: &[f32],
        up: &[f32],
        slope: &mut [f32],
        dgate: &mut [f32],
    ) {
        match self {
            Gate::Silu => silu_mul_gradient(isa, gate, up, slope, dgate),
            Gate::GeluTanh => gelu_tanh_mul_gradient(isa, gate, up, slope, dgate),
            Gate::Gelu => gelu_mul_gradient(isa, gate, up, slope, dgate),
            Gate::BoundedSilu { alpha, limit } => {
                bounded_silu_mul_gradient(isa, gate, up, alpha, limit, slope, dgate);
            }
        }
    }
}
