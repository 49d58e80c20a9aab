//! A model in training: which of its weights are parameters, and which stay as they are.

use super::initial::{Initial, normal};
use super::{Documents, Intermediates, Tape};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::infer::RopeTable;
use crate::spec::{DecoderSpec, ModelSpec, RopeSpec};
use crate::weight::{Part, WeightId};
use allod_kernels::{Format, Matrix};
use allod_nn::{Gradients, ParameterId, Parameters, Rotation, Vector, Weight, Workspace};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// A model in training: a decoder or an encoder.
#[derive(Debug)]
pub struct Trainable<S = DecoderSpec> {
    spec: S,
    context_tokens: usize,
    /// Of layers without and with a window, where they rotate.
    rotations: [Option<Arc<Rotation>>; 2],
    parameters: Parameters,
    /// By [`WeightId::index`].
    sources: Vec<Option<Source>>,
    /// By [`WeightId::index`].
    low_ranks: HashMap<usize, LowRankParameters>,
    /// What holds the weights that are not trained.
    checkpoint: Option<Arc<Checkpoint<S>>>,
}

/// Where a weight is.
#[derive(Debug)]
enum Source {
    Trained(ParameterId),
    /// As the checkpoint has it.
    Stored,
    /// Matrices of experts, put together.
    Together {
        format: Format,
        bytes: Vec<u8>,
        rows: usize,
        columns: usize,
    },
    /// A vector, or those of experts together.
    Vector(Vec<f32>),
}

/// A low-rank change of a matrix (LoRA, arXiv 2106.09685): `scale * b * a` is added to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LowRankParameters {
    /// `[rank, inputs]`
    pub a: ParameterId,
    /// `[outputs, rank]`
    pub b: ParameterId,
    /// What the product is multiplied with.
    pub scale: f32,
}

impl<S: ModelSpec + Clone> Trainable<S> {
    /// All weights of a checkpoint become parameters, but for constants (xIELU's slope and bound).
    /// No document will have more than `context_tokens`; scalings of rotation that depend on the
    /// length go by that.
    ///
    /// # Errors
    /// If the weights do not fit into memory's address space.
    pub fn of_checkpoint(
        checkpoint: Arc<Checkpoint<S>>,
        context_tokens: usize,
    ) -> Result<Trainable<S>> {
        Trainable::choosing(checkpoint, context_tokens, |_| true)
    }

    /// As [`Trainable::of_checkpoint`], for the weights that `trained` chooses. All others stay as
    /// the checkpoint has them, quantised ones too.
    ///
    /// # Errors
    /// As [`Trainable::of_checkpoint`].
    pub fn choosing(
        checkpoint: Arc<Checkpoint<S>>,
        context_tokens: usize,
        trained: impl Fn(WeightId) -> bool,
    ) -> Result<Trainable<S>> {
        let mut model = Trainable::empty(checkpoint.spec().clone(), context_tokens);
        for (id, shape) in checkpoint.spec().inventory() {
            if !id.part.is_constant() && trained(id) {
                model.train(id, &shape, checkpoint.values(id))?;
            } else {
                model.put(id, frozen(&checkpoint, id, &shape));
            }
        }
        model.checkpoint = Some(checkpoint);
        Ok(model)
    }

    /// A model from scratch.
    ///
    /// # Errors
    /// As [`Trainable::of_checkpoint`].
    pub fn fresh(spec: S, context_tokens: usize, initial: Initial) -> Result<Trainable<S>> {
        let mut model = Trainable::empty(spec.clone(), context_tokens);
        for (id, shape) in spec.inventory() {
            let values = initial.values(spec.layers(), id, &shape);
            match id.part.is_constant() {
                true => model.put(id, Source::Vector(values)),
                false => model.train(id, &shape, values)?,
            }
        }
        Ok(model)
    }

    fn empty(spec: S, context_tokens: usize) -> Trainable<S> {
        let rotation = |rope: &RopeSpec| {
            let (pairs, cos, sin) =
                RopeTable::new(rope, context_tokens).into_tables(context_tokens);
            Arc::new(Rotation::new(pairs, rope.pairing, cos, sin))
        };
        let rotations = spec.ropes().map(|rope| rope.map(rotation));
        Trainable {
            spec,
            context_tokens,
            rotations,
            parameters: Parameters::new(),
            sources: Vec::new(),
            low_ranks: HashMap::new(),
            checkpoint: None,
        }
    }

    fn train(&mut self, id: WeightId, shape: &[usize], values: Vec<f32>) -> Result<()> {
        let rest = self.spec.rest(id.part);
        let parameter = self.parameters.add_resting(&name(id), shape, values, rest)?;
        self.put(id, Source::Trained(parameter));
        Ok(())
    }

    fn put(&mut self, id: WeightId, source: Source) {
        let index = id.index();
        if self.sources.len() <= index {
            self.sources.resize_with(index + 1, || None);
        }
        self.sources[index] = Some(source);
    }

    /// Adds a low-rank change to a matrix outside the experts: `a` normal with deviation
    /// `1 / sqrt(inputs)`, `b` zero, so that nothing changes at first.
    ///
    /// # Errors
    /// If the model has no such matrix, or it has a change already.
    pub fn add_low_rank(
        &mut self,
        id: WeightId,
        rank: usize,
        scale: f32,
        seed: u64,
    ) -> Result<LowRankParameters> {
        let shape = self.spec.inventory().find(|(known, _)| *known == id);
        let Some(&[outputs, inputs]) = shape.as_ref().map(|(_, shape)| shape.as_slice()) else {
            return Err(Error::Batch(format!("{id:?} is no matrix of this model by itself")));
        };
        let deviation = 1.0 / (inputs as f64).sqrt();
        let key = seed ^ (id.index() as u64) << 32;
        let first = (0..(rank * inputs) as u64).map(|at| (deviation * normal(key, at)) as f32);
        let name = name(id);
        let a = self.parameters.add(&format!("{name}.a"), &[rank, inputs], first.collect())?;
        let zeros = vec![0.0; outputs * rank];
        let b = self.parameters.add(&format!("{name}.b"), &[outputs, rank], zeros)?;
        let change = LowRankParameters { a, b, scale };
        self.low_ranks.insert(id.index(), change);
        Ok(change)
    }

    /// What is computed.
    pub fn spec(&self) -> &S {
        &self.spec
    }

    /// Tokens that a document can have.
    pub fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    /// What is trained.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// What is trained, for an optimiser to change.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// The parameter that a weight is; none if it is not trained.
    pub fn parameter(&self, id: WeightId) -> Option<ParameterId> {
        match self.sources.get(id.index())? {
            Some(Source::Trained(parameter)) => Some(*parameter),
            _ => None,
        }
    }

    /// Every weight with its values in the spec's shapes, low-rank changes left out: what
    /// [`crate::huggingface_tensors`] stores.
    pub fn weights(&self) -> impl Iterator<Item = (WeightId, Cow<'_, [f32]>)> {
        self.spec.inventory().map(|(id, _)| (id, self.values(id)))
    }

    fn values(&self, id: WeightId) -> Cow<'_, [f32]> {
        match self.source(id) {
            Source::Trained(parameter) => Cow::from(&self.parameters.get(*parameter).values),
            Source::Vector(values) => Cow::from(values),
            Source::Stored | Source::Together { .. } => {
                let checkpoint = self.checkpoint.as_ref().expect("it holds what is not trained");
                Cow::from(checkpoint.values(id))
            }
        }
    }

    /// The gradients of the weights that are trained and that the loss depends on.
    pub fn by_weight<'g>(
        &self,
        gradients: &'g Gradients,
    ) -> impl Iterator<Item = (WeightId, &'g [f32])> {
        let slope = |id| Some((id, gradients.get(self.parameter(id)?)?));
        self.spec.inventory().filter_map(move |(id, _)| slope(id))
    }

    pub(super) fn rotation(&self, layer: usize) -> Option<&Arc<Rotation>> {
        self.rotations[usize::from(self.spec.window(layer).is_some())].as_ref()
    }

    /// Segments that a token can be of; 1 where the model does not tell them apart.
    pub(super) fn segments(&self) -> usize {
        let table = WeightId { layer: 0, part: Part::SegmentEmbedding };
        let mut inventory = self.spec.inventory();
        inventory.find(|(id, _)| *id == table).map_or(1, |(_, shape)| shape[0])
    }

    /// What holds the weights that are not trained.
    pub(crate) fn checkpoint(&self) -> Option<&Checkpoint<S>> {
        self.checkpoint.as_deref()
    }

    /// The low-rank change of a matrix, if it has one.
    pub(crate) fn low_rank(&self, id: WeightId) -> Option<LowRankParameters> {
        self.low_ranks.get(&id.index()).copied()
    }

    fn source(&self, id: WeightId) -> &Source {
        let source = self.sources.get(id.index()).and_then(Option::as_ref);
        source.unwrap_or_else(|| panic!("{id:?} is no weight of this model"))
    }

    /// A matrix, or those of all experts.
    pub(super) fn matrix(&self, id: WeightId) -> Weight<'_> {
        match self.source(id) {
            Source::Trained(parameter) => Weight::Trained(*parameter),
            Source::Stored => {
                let checkpoint = self.checkpoint.as_ref().expect("it holds what is not trained");
                Weight::Frozen(checkpoint.matrix(id))
            }
            Source::Together { format, bytes, rows, columns } => {
                let (format, rows, columns) = (*format, *rows, *columns);
                Weight::Frozen(Matrix { format, rows, columns, bytes })
            }
            Source::Vector(_) => panic!("{id:?} is no matrix"),
        }
    }

    /// A vector, or those of all experts.
    pub(super) fn vector(&self, id: WeightId) -> Vector<'_> {
        match self.source(id) {
            Source::Trained(parameter) => Vector::Trained(*parameter),
            Source::Vector(values) => Vector::Frozen(values),
            _ => panic!("{id:?} is no vector"),
        }
    }
}

impl Trainable {
    /// The mean loss of the targets of `documents`, and its slopes.
    ///
    /// # Errors
    /// If the documents do not fit the model, or nothing is to be learnt from them.
    pub fn loss_and_gradients(
        &self,
        documents: &Documents,
        intermediates: Intermediates,
        workspace: &mut Workspace,
    ) -> Result<(f32, Gradients)> {
        let mut tape = Tape::new(self, documents, intermediates, workspace)?;
        let logits = tape.forward();
        let loss = tape.next_token_loss(logits)?;
        Ok((tape.value(loss).item(), tape.backward(loss)))
    }
}

/// A weight's name as a parameter: layer and part.
fn name(id: WeightId) -> String {
    format!("{}.{:?}", id.layer, id.part)
}

/// A weight that is not trained.
fn frozen<S: ModelSpec>(checkpoint: &Checkpoint<S>, id: WeightId, shape: &[usize]) -> Source {
    match *shape {
        [_] => Source::Vector(checkpoint.values(id)),
        [_, _] if id.part.is_expert_bias() => Source::Vector(checkpoint.values(id)),
        [experts, rows, columns] => {
            let matrices: Vec<Matrix> =
                (0..experts).map(|expert| checkpoint.expert_matrix(id, expert)).collect();
            let format = matrices[0].format;
            let rows = experts * rows;
            if matrices.iter().all(|matrix| matrix.format == format) {
                let bytes = matrices.iter().flat_map(|matrix| matrix.bytes).copied().collect();
                return Source::Together { format, bytes, rows, columns };
            }
            let values = checkpoint.values(id);
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            Source::Together { format: Format::F32, bytes, rows, columns }
        }
        _ => Source::Stored,
    }
}
