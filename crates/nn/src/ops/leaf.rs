//! What a tape begins with.

use crate::parameters::ParameterId;
use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use std::sync::Arc;

/// A constant.
struct Input(Arc<Tensor>);

impl<'a> Operation<'a> for Input {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        tape.workspace.copy(&self.0)
    }

    fn backward(&mut self, _: &mut Tape<'a>, _: Var, _: Arc<Tensor>) {}

    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

/// A parameter as it is, seen as a matrix.
struct Whole(ParameterId);

impl<'a> Operation<'a> for Whole {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let parameter = tape.parameters.get(self.0);
        let mut out = tape.workspace.tensor(parameter.rows(), parameter.columns());
        out.values.copy_from_slice(&parameter.values);
        out
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (gradient, workspace) = tape.gradient(self.0);
        allod_kernels::add(workspace.isa, gradient, &slope.values);
        workspace.give_up(slope);
    }

    fn trains(&self) -> bool {
        true
    }

    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

impl Tape<'_> {
    /// A constant: it gets no gradient.
    pub fn input(&mut self, value: Tensor) -> Var {
        self.record(Input(Arc::new(value)), &[])
    }

    /// A parameter as a value, with all dimensions but its last as rows.
    pub fn parameter(&mut self, id: ParameterId) -> Var {
        self.record(Whole(id), &[])
    }
}
