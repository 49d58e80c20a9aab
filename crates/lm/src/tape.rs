//! The executor that trains: it records what the forward pass computes, so that it can be walked
//! backward.
//!
//! In single precision it gives the bits of [`crate::Infer`]: both run the same forward pass over
//! the same kernels.

mod batch;
mod initial;
mod trainable;

use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::exec::Exec;
use crate::spec::{Activation, DecoderSpec, EncoderSpec, ModelSpec, Pooling};
use crate::weight::{Part, WeightId};
use allod_nn::{
    Attention, ExpertActivation, Experts, Gate, Gradients, Mark, Rows, Sight, Tensor, Var, Vector,
    Workspace, XieluParameters,
};
pub use batch::Documents;
pub use initial::{Initial, Residual};
use std::sync::Arc;
pub use trainable::{LowRankParameters, Trainable};

/// What happens to what a block computes, until the way back needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intermediates {
    /// It is kept.
    #[default]
    Kept,
    /// It is dropped and computed again: less memory, a third more work, the same bits.
    Recomputed,
}

/// Records the forward pass of a model over documents.
pub struct Tape<'a, S = DecoderSpec> {
    tape: allod_nn::Tape<'a>,
    model: &'a Trainable<S>,
    documents: &'a Documents,
    rows: Arc<Rows>,
    intermediates: Intermediates,
    block: Option<Mark>,
    /// Scores of the routers, layer by layer.
    scores: Vec<Var>,
}

impl<'a, S: ModelSpec + Clone> Tape<'a, S> {
    /// Prepares to run `model` over `documents`.
    ///
    /// # Errors
    /// If a token is not of the vocabulary, a target cannot be predicted, or a document is longer
    /// than the model was planned for.
    pub fn new(
        model: &'a Trainable<S>,
        documents: &'a Documents,
        intermediates: Intermediates,
        workspace: &'a mut Workspace,
    ) -> Result<Tape<'a, S>> {
        let segments = model.segments();
        documents.check(model.spec().vocabulary(), segments, model.context_tokens())?;
        let tape = allod_nn::Tape::new(model.parameters(), workspace);
        let rows = Arc::new(Rows::packed(documents.lengths()));
        let (block, scores) = (None, Vec::new());
        Ok(Tape { tape, model, documents, rows, intermediates, block, scores })
    }

    /// The scores (`[rows, experts]`) of the routers so far, layer by layer, for a loss that
    /// balances them. None where blocks are recomputed.
    pub fn router_scores(&self) -> &[Var] {
        &self.scores
    }

    /// The value of what was computed.
    pub fn value(&self, var: Var) -> &Tensor {
        self.tape.value(var)
    }

    /// The tape itself, for losses of the caller's own.
    pub fn tape(&mut self) -> &mut allod_nn::Tape<'a> {
        &mut self.tape
    }

    /// Walks back from a loss: its slope along every parameter that it depends on.
    pub fn backward(self, loss: Var) -> Gradients {
        self.tape.backward(loss)
    }

    fn spec(&self) -> &'a S {
        self.model.spec()
    }

    /// The vector of a layer, if the model has it.
    fn vector_if_any(&self, layer: usize, part: Part) -> Option<Vector<'a>> {
        let id = WeightId { layer, part };
        self.spec().has(id).then(|| self.model.vector(id))
    }

    fn gate_kind(&self) -> Gate {
        self.spec().activation().gate().expect("the activation has a gate")
    }

    fn xielu_of(&self, layer: usize) -> XieluParameters<'a> {
        let vector = |part| self.model.vector(WeightId { layer, part });
        let constant = |part| match vector(part) {
            Vector::Frozen(values) => values[0],
            Vector::Trained(_) => unreachable!("constants are not trained"),
        };
        XieluParameters {
            positive: vector(Part::XieluPositive),
            negative: vector(Part::XieluNegative),
            beta: constant(Part::XieluBeta),
            epsilon: constant(Part::XieluEpsilon),
        }
    }

    fn experts_of(&self, layer: usize) -> Experts<'a> {
        let spec = self.spec();
        let given = spec.experts().expect("a layer with experts has them described");
        let matrix = |part| self.model.matrix(WeightId { layer, part });
        let activation = match spec.activation().is_gated() {
            true => ExpertActivation::Gated {
                kind: self.gate_kind(),
                gate: matrix(Part::ExpertGate),
                bias: self.vector_if_any(layer, Part::ExpertGateBias),
            },
            false => ExpertActivation::Xielu(self.xielu_of(layer)),
        };
        Experts {
            count: given.count,
            used: given.used,
            weighting: given.weighting,
            activation,
            up: matrix(Part::ExpertUp),
            up_bias: self.vector_if_any(layer, Part::ExpertUpBias),
            down: matrix(Part::ExpertDown),
            down_bias: self.vector_if_any(layer, Part::ExpertDownBias),
        }
    }

    /// The result of an operation that used its inputs up.
    fn used(&mut self, inputs: &[Var], result: Var) -> Var {
        inputs.iter().for_each(|input| self.tape.release(*input));
        result
    }
}

impl Tape<'_> {
    /// Runs the model: logits of the rows that are wanted, `[rows, outputs]`.
    pub fn forward(&mut self) -> Var {
        Decoder(self.model.spec()).forward(self)
    }

    /// The mean of `-ln softmax(logits)[target]` over the rows that have a target.
    ///
    /// # Errors
    /// If no row has one.
    pub fn next_token_loss(&mut self, logits: Var) -> Result<Var> {
        self.documents.check_targets(self.spec().outputs)?;
        let targets = self.documents.targets();
        Ok(self.tape.cross_entropy(logits, &targets))
    }
}

impl Tape<'_, EncoderSpec> {
    /// Runs the model: the last hidden states of the rows that are wanted, `[rows, width]`.
    pub fn encode(&mut self) -> Var {
        Encoder(self.model.spec()).forward(self)
    }

    /// One vector of each document, `[documents, width]`. Where one token stands for a document,
    /// its row is the wanted one.
    pub fn pool(&mut self, pooling: Pooling) -> Var {
        Encoder(self.model.spec()).pooled(self, pooling)
    }

    /// The scores of each document by the model's head, `[documents, labels]`. Where one token
    /// stands for a document, its row is the wanted one.
    ///
    /// # Errors
    /// If the model has no head.
    pub fn head_scores(&mut self) -> Result<Var> {
        let spec = self.model.spec();
        let head = spec.head.as_ref();
        let head = head.ok_or_else(|| Error::Batch("the model has no head for scores".into()))?;
        Ok(Encoder(spec).scores(self, head))
    }
}

impl<S: ModelSpec + Clone> Exec for Tape<'_, S> {
    type Tensor = Var;

    fn begin_block(&mut self, _: usize) {
        if self.intermediates == Intermediates::Recomputed {
            self.block = Some(self.tape.mark());
        }
    }

    fn end_block(&mut self, _: usize, x: &Var) {
        if let Some(mark) = self.block.take() {
            self.tape.forget(mark, &[*x]);
        }
    }

    fn embed(&mut self, weight: WeightId) -> Var {
        self.tape.embed(self.documents.tokens(), self.model.matrix(weight))
    }

    fn embed_positions(&mut self, weight: WeightId) -> Var {
        let positions: Vec<u32> = self.rows.positions().iter().map(|at| *at as u32).collect();
        self.tape.embed(&positions, self.model.matrix(weight))
    }

    fn embed_segments(&mut self, weight: WeightId) -> Var {
        self.tape.embed(self.documents.segments(), self.model.matrix(weight))
    }

    fn layer_norm(
        &mut self,
        x: &Var,
        weight: WeightId,
        bias: Option<WeightId>,
        epsilon: f32,
    ) -> Var {
        let bias = bias.map(|bias| self.model.vector(bias));
        self.tape.layer_norm(*x, self.model.vector(weight), bias, epsilon)
    }

    fn norm(&mut self, x: &Var, weight: WeightId, epsilon: f32) -> Var {
        self.tape.rms_norm(*x, self.model.vector(weight), epsilon)
    }

    fn linear(&mut self, x: &Var, weight: WeightId, bias: Option<WeightId>) -> Var {
        let bias = bias.map(|bias| self.model.vector(bias));
        let matrix = self.model.matrix(weight);
        match self.model.low_rank(weight) {
            Some(LowRankParameters { a, b, scale }) => {
                let change = [a, b].map(allod_nn::Weight::Trained);
                self.tape.linear_lora(*x, matrix, bias, change, scale)
            }
            None => self.tape.linear(*x, matrix, bias),
        }
    }

    fn rope(&mut self, layer: usize, x: Var) -> Var {
        let Some(rotation) = self.model.rotation(layer) else { return x };
        let head_dim = self.spec().attention().head_dim;
        let rotated = self.tape.rope(x, head_dim, &self.rows, rotation);
        self.used(&[x], rotated)
    }

    fn attend(&mut self, layer: usize, q: Var, k: Var, v: Var) -> Var {
        let spec = self.spec().attention();
        let sight = match (spec.causal, self.spec().window(layer)) {
            (true, None) => Sight::Causal,
            (true, Some(window)) => Sight::CausalWindow(window),
            (false, None) => Sight::Both,
            (false, Some(reach)) => Sight::BothWithin(reach),
        };
        let (head_dim, kv_heads) = (spec.head_dim, spec.kv_heads);
        let (scale, cap) = (spec.scale, spec.cap);
        let how = Attention { head_dim, kv_heads, scale, cap, sight };
        let sinks = self.vector_if_any(layer, Part::Sinks);
        let mixed = self.tape.attend([q, k, v], how, sinks, &self.rows);
        self.used(&[q, k, v], mixed)
    }

    fn activate(&mut self, layer: usize, gate: Option<Var>, up: Var) -> Var {
        match gate {
            Some(gate) => {
                let active = self.tape.gate(self.gate_kind(), gate, up);
                self.used(&[gate, up], active)
            }
            None if self.spec().activation() == Activation::Gelu => Exec::gelu(self, up),
            None => {
                let active = self.tape.xielu(up, self.xielu_of(layer));
                self.used(&[up], active)
            }
        }
    }

    fn mixture(&mut self, layer: usize, x: &Var, scores: Var) -> Var {
        if self.block.is_none() {
            self.scores.push(scores);
        }
        self.tape.mixture(*x, scores, &self.experts_of(layer))
    }

    fn add(&mut self, x: Var, y: Var) -> Var {
        let sum = self.tape.add(x, y);
        self.used(&[x, y], sum)
    }

    fn scale(&mut self, x: Var, factor: f32) -> Var {
        let scaled = self.tape.scale(x, factor);
        self.used(&[x], scaled)
    }

    fn soft_cap(&mut self, x: Var, cap: f32) -> Var {
        let capped = self.tape.soft_cap(x, cap);
        self.used(&[x], capped)
    }

    fn clamp(&mut self, x: Var, most: f32) -> Var {
        let bounded = self.tape.clamp(x, most);
        self.used(&[x], bounded)
    }

    fn tanh(&mut self, x: Var) -> Var {
        let result = self.tape.tanh(x);
        self.used(&[x], result)
    }

    fn gelu(&mut self, x: Var) -> Var {
        let result = self.tape.gelu(x);
        self.used(&[x], result)
    }

    fn mean(&mut self, x: Var) -> Var {
        let means = self.tape.mean(x, &self.rows);
        self.used(&[x], means)
    }

    fn select(&mut self, x: Var) -> Var {
        let selected = self.tape.select(x, self.documents.wanted());
        self.used(&[x], selected)
    }

    fn release(&mut self, x: Var) {
        self.tape.release(x);
    }
}
