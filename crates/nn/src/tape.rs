//! The tape: what was computed from what, so that it can be walked backward.

use crate::gradients::Gradients;
use crate::parameters::{ParameterId, Parameters};
use crate::tensor::Tensor;
use crate::workspace::Workspace;
use allod_kernels::Format;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Names a value on a [`Tape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(usize);

/// A place on a [`Tape`], from which values can be forgotten ([`Tape::forget`]).
#[derive(Debug)]
pub struct Mark(usize);

/// Records operations on values of the rows of a batch, and walks back over them.
///
/// An operation is a method that takes [`Var`]s, computes at once and returns the [`Var`] of its
/// result. Every sum has an order of its own, forward and backward: gradients have the same bits
/// with any number of threads, and with or without forgetting.
///
/// # Activation checkpointing
/// Operations are kept as data, so a stretch of the tape can be computed again from what came
/// before it. The caller brackets a block:
///
/// ```
/// # use allod_nn::{Parameters, Precision, Tape, TapeOptions, Tensor, Weight, Workspace};
/// # let mut parameters = Parameters::new();
/// # let weight = parameters.add("w", &[2, 2], vec![1.0, 2.0, 3.0, 4.0])?;
/// # let isa = allod_kernels::Isa::detect();
/// # let options = TapeOptions { isa, threads: 1, precision: Precision::F32 };
/// # let mut workspace = Workspace::new(options)?;
/// # let mut tape = Tape::new(&parameters, &mut workspace);
/// let x = tape.input(Tensor::new(1, 2, vec![1.0, -1.0]));
/// let mark = tape.mark();
/// let y = tape.linear(x, Weight::Trained(weight), None);
/// let z = tape.add(x, y); // the block's result
/// tape.forget(mark, &[z]); // y is dropped, and computed again when the way back comes by
/// # Ok::<(), allod_nn::Error>(())
/// ```
///
/// What is forgotten must not be used afterwards; blocks follow each other and do not nest.
///
/// # Panics
/// Operations panic when shapes do not fit or a [`Var`] is forgotten or released: a mistake of the
/// caller.
pub struct Tape<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) workspace: &'a mut Workspace,
    nodes: Vec<Node<'a>>,
    /// Stretches that were forgotten, in order.
    forgotten: Vec<Range<usize>>,
    /// Where the block begins that is being recorded.
    open: Option<usize>,
    /// Parameters rounded to a format.
    pub(crate) rounded: HashMap<(ParameterId, Format), Arc<Tensor>>,
    /// Slopes along values not yet walked over.
    slopes: Vec<Option<Arc<Tensor>>>,
    gradients: Gradients,
}

struct Node<'a> {
    /// None while it runs.
    operation: Option<Box<dyn Operation<'a> + 'a>>,
    inputs: Vec<Var>,
    value: Option<Arc<Tensor>>,
    /// Whether a parameter has a part in it.
    trained: bool,
    /// How often the way back reads the value.
    readers: usize,
}

/// Which values the way back over an operation reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    Nothing,
    Inputs,
    Output,
}

/// An operation with its gradient. Its inputs, in order, are known to the tape.
pub(crate) trait Operation<'a> {
    /// The result, from the values of the inputs. It may be asked for again, and then gives the
    /// same bits.
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor;

    /// Passes the slope along the result on: to inputs by [`Tape::pass`], to parameters by
    /// [`Tape::gradient`].
    fn backward(&mut self, tape: &mut Tape<'a>, own: Var, slope: Arc<Tensor>);

    /// Whether it has parameters of its own.
    fn trains(&self) -> bool {
        false
    }

    /// Which values [`Operation::backward`] reads.
    fn reads(&self) -> Reads;
}

impl<'a> Tape<'a> {
    /// An empty tape.
    pub fn new(parameters: &'a Parameters, workspace: &'a mut Workspace) -> Tape<'a> {
        workspace.begin();
        Tape {
            parameters,
            workspace,
            nodes: Vec::new(),
            forgotten: Vec::new(),
            open: None,
            rounded: HashMap::new(),
            slopes: Vec::new(),
            gradients: Gradients::new(parameters),
        }
    }

    /// The parameters.
    pub fn parameters(&self) -> &'a Parameters {
        self.parameters
    }

    /// The value of `var`.
    pub fn value(&self, var: Var) -> &Tensor {
        self.nodes[var.0].value.as_deref().expect("the value was neither forgotten nor released")
    }

    /// The value of `var`, to be held on to while the tape works.
    pub(crate) fn shared(&self, var: Var) -> Arc<Tensor> {
        let value = self.nodes[var.0].value.clone();
        value.expect("the value was neither forgotten nor released")
    }

    /// Records an operation and does it.
    pub(crate) fn record(&mut self, mut operation: impl Operation<'a> + 'a, inputs: &[Var]) -> Var {
        let value = operation.forward(self);
        let trained = operation.trains() || inputs.iter().any(|input| self.nodes[input.0].trained);
        let reads = if trained { operation.reads() } else { Reads::Nothing };
        if reads == Reads::Inputs {
            inputs.iter().for_each(|input| self.nodes[input.0].readers += 1);
        }
        self.nodes.push(Node {
            operation: Some(Box::new(operation)),
            inputs: inputs.to_vec(),
            value: Some(Arc::new(value)),
            trained,
            readers: usize::from(reads == Reads::Output),
        });
        Var(self.nodes.len() - 1)
    }

    /// Says that nothing recorded from now on uses `var`: its buffer is used again unless the way
    /// back reads it.
    pub fn release(&mut self, var: Var) {
        let outside = self.open.is_some_and(|open| var.0 < open);
        if !outside && self.nodes[var.0].readers == 0 {
            self.drop_value(var.0);
        }
    }

    /// Begins a block whose values can be forgotten.
    ///
    /// # Panics
    /// When a block has begun already.
    pub fn mark(&mut self) -> Mark {
        assert!(self.open.is_none(), "blocks do not nest");
        self.open = Some(self.nodes.len());
        Mark(self.nodes.len())
    }

    /// Ends the block that began at `mark`: all its values are dropped but those of `keep`, and
    /// computed again on the way back.
    pub fn forget(&mut self, mark: Mark, keep: &[Var]) {
        self.open = None;
        let block = mark.0..self.nodes.len();
        for index in block.clone() {
            let inputs = self.nodes[index].inputs.clone();
            let outside = inputs.into_iter().filter(|input| input.0 < mark.0);
            outside.for_each(|input| self.nodes[input.0].readers += 1);
            if !keep.contains(&Var(index)) {
                self.drop_value(index);
            }
        }
        self.forgotten.push(block);
    }

    fn drop_value(&mut self, index: usize) {
        if let Some(value) = self.nodes[index].value.take() {
            self.workspace.give_up(value);
        }
    }

    /// Runs a stretch of the tape again, where values are missing.
    fn restore(&mut self, block: Range<usize>) {
        for index in block {
            if self.nodes[index].value.is_none() {
                let mut operation = self.nodes[index].operation.take().expect("it is not running");
                let value = operation.forward(self);
                self.nodes[index].value = Some(Arc::new(value));
                self.nodes[index].operation = Some(operation);
            }
        }
    }

    /// Walks back from `loss`, a single number: its slope along every parameter that it depends on.
    ///
    /// # Panics
    /// When `loss` is not a single number.
    pub fn backward(self, loss: Var) -> Gradients {
        self.value(loss).item();
        self.backward_along(loss, Tensor::scalar(1.0))
    }

    /// Walks back from a result whose slope is known: that of a loss computed elsewhere.
    ///
    /// # Panics
    /// When `slope` has another shape than the result.
    pub fn backward_along(mut self, result: Var, slope: Tensor) -> Gradients {
        let value = self.value(result);
        assert_eq!((value.rows, value.width), (slope.rows, slope.width), "shape of the slope");
        self.slopes = (0..self.nodes.len()).map(|_| None).collect();
        self.slopes[result.0] = Some(Arc::new(slope));
        for index in (0..=result.0).rev() {
            while let Some(block) = self.forgotten.pop_if(|block| index < block.end) {
                self.restore(block.start..block.end.min(result.0 + 1));
            }
            let slope = self.slopes[index].take();
            if let Some(slope) = slope.filter(|_| self.nodes[index].trained) {
                let operation = self.nodes[index].operation.take();
                let mut operation = operation.expect("it is not running");
                operation.backward(&mut self, Var(index), slope);
            }
            self.drop_value(index);
        }
        std::mem::take(&mut self.gradients)
    }

    /// Whether a slope along `var` is of use.
    pub(crate) fn wants(&self, var: Var) -> bool {
        self.nodes[var.0].trained
    }

    /// Passes a slope to an input.
    pub(crate) fn pass(&mut self, var: Var, slope: impl Into<Arc<Tensor>>) {
        let slope = slope.into();
        if !self.nodes[var.0].trained {
            return self.workspace.give_up(slope);
        }
        let Some(before) = self.slopes[var.0].take() else {
            self.slopes[var.0] = Some(slope);
            return;
        };
        let mut sum = self.workspace.own(before);
        self.workspace.add(&mut sum, &slope);
        self.workspace.give_up(slope);
        self.slopes[var.0] = Some(Arc::new(sum));
    }

    /// The slope along an input so far, to be added to and put back with [`Tape::put_slope`].
    pub(crate) fn take_slope(&mut self, var: Var, rows: usize, width: usize) -> Tensor {
        match self.slopes[var.0].take() {
            Some(slope) => self.workspace.own(slope),
            None => self.workspace.zeros(rows, width),
        }
    }

    /// Puts back what [`Tape::take_slope`] gave.
    pub(crate) fn put_slope(&mut self, var: Var, slope: Tensor) {
        self.slopes[var.0] = Some(Arc::new(slope));
    }

    /// The value of an input, to be overwritten: itself if the way back reads it only here and no
    /// more, else a copy.
    pub(crate) fn last_look(&mut self, var: Var) -> Tensor {
        let node = &mut self.nodes[var.0];
        let value = if node.readers == 1 { node.value.take() } else { node.value.clone() };
        self.workspace.own(value.expect("the value was neither forgotten nor released"))
    }

    /// The gradient of a parameter, to be added to, and the workspace to do so with.
    pub(crate) fn gradient(&mut self, id: ParameterId) -> (&mut [f32], &mut Workspace) {
        let length = self.parameters.get(id).values.len();
        (self.gradients.buffer(id, length), self.workspace)
    }
}

impl Drop for Tape<'_> {
    fn drop(&mut self) {
        (0..self.nodes.len()).for_each(|index| self.drop_value(index));
        for (_, value) in std::mem::take(&mut self.rounded) {
            self.workspace.give_up(value);
        }
    }
}
