//! Operations on one element at a time.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use allod_kernels::{clamp, clamp_gradient, scale, soft_cap, soft_cap_gradient};
use std::sync::Arc;

struct Add([Var; 2]);

impl<'a> Operation<'a> for Add {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let [x, y] = self.0.map(|var| tape.shared(var));
        combined(tape, &x, &y, |x, y| x + y)
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        tape.pass(self.0[0], slope.clone());
        tape.pass(self.0[1], slope);
    }

    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

struct Multiply([Var; 2]);

impl<'a> Operation<'a> for Multiply {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let [x, y] = self.0.map(|var| tape.shared(var));
        combined(tape, &x, &y, |x, y| x * y)
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let [x, y] = self.0.map(|var| tape.shared(var));
        for (var, other) in [(self.0[0], y), (self.0[1], x)] {
            if tape.wants(var) {
                let slope = combined(tape, &slope, &other, |slope, other| slope * other);
                tape.pass(var, slope);
            }
        }
        tape.workspace.give_up(slope);
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

/// `with(x, y)`, element by element.
fn combined(
    tape: &mut Tape,
    x: &Tensor,
    y: &Tensor,
    with: impl Fn(f32, f32) -> f32 + Sync + Send,
) -> Tensor {
    assert_eq!((x.rows, x.width), (y.rows, y.width), "shapes of the operands");
    let mut out = tape.workspace.tensor(x.rows, x.width);
    tape.workspace.map(&mut out.values, 1, |range, out| {
        let pairs = x.values[range.clone()].iter().zip(&y.values[range]);
        out.iter_mut().zip(pairs).for_each(|(out, (x, y))| *out = with(*x, *y));
    });
    out
}

struct Scale(Var, f32);

impl<'a> Operation<'a> for Scale {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (x, isa, factor) = (tape.shared(self.0), tape.workspace.isa, self.1);
        tape.workspace.mapped(&x, 1, |x| scale(isa, x, factor))
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (isa, factor) = (tape.workspace.isa, self.1);
        let mut slope = tape.workspace.own(slope);
        tape.workspace.map(&mut slope.values, 1, |_, slope| scale(isa, slope, factor));
        tape.pass(self.0, slope);
    }

    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

struct SoftCap(Var, f32);

impl<'a> Operation<'a> for SoftCap {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (x, isa, cap) = (tape.shared(self.0), tape.workspace.isa, self.1);
        tape.workspace.mapped(&x, 20, |x| soft_cap(isa, x, cap))
    }

    /// `1 - (y / cap)^2`
    fn backward(&mut self, tape: &mut Tape<'a>, own: Var, slope: Arc<Tensor>) {
        let (y, isa, cap) = (tape.shared(own), tape.workspace.isa, self.1);
        let mut slope = tape.workspace.own(slope);
        tape.workspace.map(&mut slope.values, 3, |range, slope| {
            soft_cap_gradient(isa, &y.values[range], cap, slope);
        });
        tape.pass(self.0, slope);
    }

    fn reads(&self) -> Reads {
        Reads::Output
    }
}

struct Clamp(Var, f32);

impl<'a> Operation<'a> for Clamp {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (x, isa, most) = (tape.shared(self.0), tape.workspace.isa, self.1);
        tape.workspace.mapped(&x, 1, |x| clamp(isa, x, most))
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (x, isa, most) = (tape.shared(self.0), tape.workspace.isa, self.1);
        let mut slope = tape.workspace.own(slope);
        tape.workspace.map(&mut slope.values, 1, |range, slope| {
            clamp_gradient(isa, &x.values[range], most, slope);
        });
        tape.pass(self.0, slope);
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl Tape<'_> {
    /// `x + y`
    pub fn add(&mut self, x: Var, y: Var) -> Var {
        self.record(Add([x, y]), &[x, y])
    }

    /// `x * y`, element by element.
    pub fn mul(&mut self, x: Var, y: Var) -> Var {
        self.record(Multiply([x, y]), &[x, y])
    }

    /// `x * factor`
    pub fn scale(&mut self, x: Var, factor: f32) -> Var {
        self.record(Scale(x, factor), &[x])
    }

    /// `cap * tanh(x / cap)`
    pub fn soft_cap(&mut self, x: Var, cap: f32) -> Var {
        self.record(SoftCap(x, cap), &[x])
    }

    /// The hyperbolic tangent.
    pub fn tanh(&mut self, x: Var) -> Var {
        self.soft_cap(x, 1.0)
    }

    /// `x` within `-most..=most`; what lies beyond has no slope.
    pub fn clamp(&mut self, x: Var, most: f32) -> Var {
        self.record(Clamp(x, most), &[x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check, parameters};
    use crate::reference;

    #[test]
    fn of_two_values() {
        let two = || parameters(&[&[3, 11], &[3, 11]], 2.0, 3);
        let of: [fn(&mut Tape<'_>, Var, Var) -> Var; 2] =
            [|tape, x, y| tape.add(x, y), |tape, x, y| tape.mul(x, y)];
        let truth: [fn(f64, f64) -> f64; 2] = [|x, y| x + y, |x, y| x * y];
        for (of, truth) in of.into_iter().zip(truth) {
            check(
                two(),
                |tape, ids| {
                    let [x, y] = [ids[0], ids[1]].map(|id| tape.parameter(id));
                    of(tape, x, y)
                },
                |p| reference::zip(&p[0], &p[1], truth),
            );
        }
    }

    #[test]
    fn of_one_value() {
        let of: [fn(&mut Tape<'_>, Var) -> Var; 6] = [
            |tape, x| tape.scale(x, 0.3),
            |tape, x| tape.soft_cap(x, 1.5),
            |tape, x| tape.tanh(x),
            |tape, x| tape.clamp(x, 0.75),
            |tape, x| tape.add(x, x),
            |tape, x| tape.mul(x, x),
        ];
        let truth: [fn(f64) -> f64; 6] = [
            |x| x * f64::from(0.3f32),
            |x| 1.5 * (x / 1.5).tanh(),
            f64::tanh,
            |x| x.clamp(-0.75, 0.75),
            |x| x + x,
            |x| x * x,
        ];
        for (of, truth) in of.into_iter().zip(truth) {
            check(
                parameters(&[&[3, 11]], 2.0, 3),
                |tape, ids| {
                    let x = tape.parameter(ids[0]);
                    of(tape, x)
                },
                |p| p[0].iter().map(|x| truth(*x)).collect(),
            );
        }
    }
}
