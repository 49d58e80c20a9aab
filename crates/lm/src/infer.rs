//! The executor that serves: ragged batches, key-value cache, weights as they lie in the file.
//!
//! Results have the same bits whatever the number of threads, the way a prompt is cut into batches
//! and whoever else is in the batch: the kernels fix the order of every sum.

mod activation_form;
mod adapted;
mod attention;
mod batch;
mod cache;
mod gated;
mod grouped;
mod mixture;
mod numerics;
mod rope;
mod rounded;
mod vectors;
mod workers;

use crate::adapter::{Adapter, Target};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::exec::{Exec, Placing, Projection};
use crate::spec::{Activation, DecoderSpec, ModelSpec};
use crate::weight::{Part, WeightId};
pub use activation_form::ActivationForm;
use adapted::Share;
use allod_kernels::{
    CodedInputs, Format, Inputs, Int8Inputs, Isa, Scratch, Weights, Xielu, add, clamp, gelu,
    layer_norm, linear, linear_coded, linear_int8, linear_rounded, rms_norm, scale, soft_cap, tanh,
    xielu,
};
use attention::Plan;
pub use batch::{Batch, Logits, Role, Vectors};
use cache::Cache;
pub use cache::{CacheForm, PAGE_FORMAT, PAGE_TOKENS, Page, PageShape};
pub use numerics::Numerics;
pub(crate) use rope::RopeTable;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use workers::Workers;

/// So many times as large as what is wanted, a buffer is left to others: logits are far larger than
/// what else a pass needs.
const MEANT_FOR_MORE: usize = 8;

/// How an [`Infer`] runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InferOptions {
    /// Threads that compute; at least one.
    pub threads: usize,
    /// The instruction set.
    pub isa: Isa,
    /// Sequences that can be held at the same time; at least one.
    pub slots: usize,
    /// Positions that each of them can have.
    pub context_tokens: usize,
    /// How activations are multiplied with quantised weights.
    pub activations: ActivationForm,
    /// How keys and values are kept.
    pub cache: CacheForm,
}

/// Runs a checkpoint over batches of rows: a decoder's, or an encoder's.
pub struct Infer<S = DecoderSpec> {
    checkpoint: Arc<Checkpoint<S>>,
    isa: Isa,
    activations: ActivationForm,
    workers: Workers,
    cache: Cache,
    /// Of layers without and with a window, where they rotate.
    ropes: [Option<RopeTable>; 2],
    batch: Batch,
    /// Who of the batch attends together.
    plan: Plan,
    /// By slot.
    adapters: Vec<Option<Arc<Adapter>>>,
    /// The rows of the tensors that are computed now, by adapter.
    shares: Vec<Share>,
    /// Buffers that operations have given back.
    spare: Vec<Vec<f32>>,
    spare_inputs: Vec<Inputs>,
    spare_coded: Vec<CodedInputs>,
    spare_int8: Vec<Int8Inputs>,
    /// Those of a prompt's experts.
    spare_grouped: Vec<Inputs>,
    /// Whether weights were read as they lie in the file.
    has_read_stored: bool,
}

/// Activations `[rows, width]`.
pub struct Activations {
    width: usize,
    /// Empty where they were never needed but as inputs.
    values: Vec<f32>,
    /// The values as products with weights take them, from the first such product on.
    inputs: OnceLock<Inputs>,
    /// The same for products with codes.
    coded_inputs: OnceLock<CodedInputs>,
    /// And in 8 bits.
    int8_inputs: OnceLock<Int8Inputs>,
}

impl Activations {
    fn new(width: usize, values: Vec<f32>) -> Activations {
        let (inputs, coded_inputs, int8_inputs) = Default::default();
        Activations { width, values, inputs, coded_inputs, int8_inputs }
    }

    fn rows(&self) -> usize {
        match self.inputs.get() {
            Some(inputs) => inputs.tokens(),
            None => self.values.len() / self.width,
        }
    }

    /// The values, to be changed.
    fn values_mut(&mut self) -> &mut [f32] {
        (self.inputs, self.coded_inputs, self.int8_inputs) = Default::default();
        &mut self.values
    }
}

impl<S: ModelSpec> Infer<S> {
    /// Prepares to run `checkpoint`.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(checkpoint: Arc<Checkpoint<S>>, options: InferOptions) -> Result<Infer<S>> {
        let spec = checkpoint.spec();
        let cache = Cache::new(spec, options.cache, options.slots.max(1), options.context_tokens);
        let table = |rope| RopeTable::new(rope, options.context_tokens);
        let ropes = spec.ropes().map(|rope| rope.map(table));
        let workers = Workers::new(options.threads.max(1))?;
        let (isa, batch) = (options.isa, Batch::default());
        let adapters = vec![None; options.slots.max(1)];
        Ok(Infer {
            checkpoint,
            isa,
            activations: options.activations,
            workers,
            cache,
            ropes,
            batch,
            plan: Plan::default(),
            adapters,
            shares: Vec::new(),
            spare: Vec::new(),
            spare_inputs: Vec::new(),
            spare_coded: Vec::new(),
            spare_int8: Vec::new(),
            spare_grouped: Vec::new(),
            has_read_stored: false,
        })
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint<S> {
        &self.checkpoint
    }

    /// Positions that `slot` holds.
    pub fn length(&self, slot: usize) -> usize {
        self.cache.length(slot)
    }

    /// Forgets what `slot` holds from position `length` on. The sequence keeps its adapter.
    pub fn truncate(&mut self, slot: usize, length: usize) {
        self.cache.truncate(slot, length);
    }

    /// Ends the sequence in `slot`: forgets it and its adapter, and gives its memory back.
    pub fn end(&mut self, slot: usize) {
        self.adapters[slot] = None;
        self.cache.free(slot);
    }

    /// A copy of what `slot` holds at `range`, the positions of a page: from a multiple of
    /// [`PAGE_TOKENS`] on, as many, and computed already.
    ///
    /// # Panics
    /// When they are not.
    pub fn copy(&self, slot: usize, range: Range<usize>) -> Page {
        self.cache.copy(slot, range)
    }

    /// Puts a page at the end of what `slot` holds, as if its tokens had been run there. What
    /// follows has the same bits if the page was copied from a sequence with the same tokens up to
    /// the page's last, run by the same model with the same adapter.
    ///
    /// # Errors
    /// If it cannot stand there.
    pub fn paste(&mut self, slot: usize, page: &Page) -> Result<()> {
        self.cache.paste(slot, page)
    }

    /// What pages are like here.
    pub fn page_shape(&self) -> PageShape {
        self.cache.page_shape()
    }

    /// Bytes of the keys and values of a sequence of so many positions.
    pub fn bytes_of(&self, positions: usize) -> usize {
        self.cache.bytes_of(positions)
    }

    /// Bytes that a sequence does not take again if it begins with pages of so many positions.
    pub fn shared_bytes_of(&self, positions: usize) -> usize {
        self.cache.shared_bytes_of(positions)
    }

    /// Bytes of the keys and values of `slot`, shared pages included.
    pub fn slot_bytes(&self, slot: usize) -> usize {
        self.cache.slot_bytes(slot)
    }

    /// Bytes of all keys and values that sequences hold: pages that several share once, and pages
    /// that a [`Page`] keeps not at all.
    pub fn held_bytes(&self) -> usize {
        self.cache.held_bytes()
    }

    /// Checks that `batch` can be run and makes it the one that operations work on.
    fn take(&mut self, batch: &Batch) -> Result<()> {
        batch.check(self.checkpoint.spec().vocabulary(), &self.cache)?;
        if self.reads_stored(batch) {
            self.has_read_stored = true;
        } else {
            self.checkpoint.code(self.isa)?;
        }
        self.ropes.iter_mut().flatten().for_each(|rope| rope.reach(batch.end()));
        self.cache.make_room(batch);
        self.cache.grow(batch);
        self.batch.clone_from(batch);
        let group = self.checkpoint.spec().attention().group();
        self.plan = Plan::new(batch, &self.cache.store, group);
        self.shares = self.shares(batch.places().map(|(slot, _)| slot));
        Ok(())
    }

    /// Whether `batch` is run with weights as they lie in the file: the first prompt does not wait
    /// for their other form, which has the same bits and is faster, and makes whoever prepares that
    /// wait meanwhile. Products of 8 bits are with that form alone.
    fn reads_stored(&self, batch: &Batch) -> bool {
        let is_first = !self.has_read_stored && !self.checkpoint.is_coded();
        let is_prompt = batch.role() == Role::Prompt;
        is_first
            && is_prompt
            && self.activations == ActivationForm::Bf16
            && Inputs::on_tiles(self.isa)
    }

    /// Runs a forward pass of the checkpoint's model.
    fn forward(&mut self, pass: impl FnOnce(&mut Self, &S) -> Activations) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let is_prompt = self.batch.role() == Role::Prompt;
        let _urgent = is_prompt.then(|| checkpoint.hold_others());
        pass(self, checkpoint.spec())
    }

    /// Zeros: `rows` rows of `width`.
    fn zeros(&mut self, rows: usize, width: usize) -> Activations {
        let mut zeros = self.buffer(rows, width);
        zeros.values.fill(0.0);
        zeros
    }

    /// `rows` rows of `width` to be written, which hold anything until then.
    fn buffer(&mut self, rows: usize, width: usize) -> Activations {
        let len = rows * width;
        let mut values =
            self.spare(len).map(|place| self.spare.swap_remove(place)).unwrap_or_default();
        values.resize(len, 0.0);
        Activations::new(width, values)
    }

    /// The spare buffer to hold so many values: one of that length, which need not be written
    /// twice, or the smallest that has room, or the largest. Never one that is meant for far more.
    fn spare(&self, len: usize) -> Option<usize> {
        let most = MEANT_FOR_MORE * len.max(1 << 12);
        let fitting = self.spare.iter().enumerate().filter(|(_, spare)| spare.capacity() <= most);
        let waste = |spare: &Vec<f32>| match spare.capacity().checked_sub(len) {
            Some(over) => (spare.len() != len, over),
            None => (true, usize::MAX - spare.capacity()),
        };
        fitting.min_by_key(|(_, spare)| waste(spare)).map(|(place, _)| place)
    }

    /// Keeps memory for a later buffer.
    fn keep(&mut self, values: Vec<f32>) {
        self.spare.extend(Some(values).filter(|values| values.capacity() > 0));
    }

    /// `x * matrix^T + bias`
    fn product(&mut self, x: &Activations, by: &Weights, bias: Option<&[f32]>) -> Activations {
        let (isa, rows, shape) = (self.isa, x.rows(), by.shape());
        let mut out = self.buffer(rows, shape[0]);
        match (self.batch.role(), by) {
            (_, Weights::Coded(matrix)) if self.is_int8(by) => {
                let inputs = self.int8_inputs(x);
                self.workers.split_columns(shape, &mut out.values, |range, out, scratch| {
                    linear_int8(inputs, matrix, range, out, scratch);
                });
            }
            (Role::Answer, Weights::Coded(matrix)) => {
                let inputs = self.coded_inputs(x);
                self.workers.split_columns(shape, &mut out.values, |range, out, scratch| {
                    linear_coded(inputs, matrix, range, out, scratch);
                });
            }
            (_, Weights::Stored(matrix)) if is_exact(matrix.format) => {
                let work = |range, out: &mut [f32], scratch: &mut Scratch| {
                    linear(isa, &x.values, matrix, range, out, scratch);
                };
                self.workers.split_outputs(rows, shape, &mut out.values, work);
            }
            _ => {
                let inputs = self.inputs(x);
                self.workers.split_columns(shape, &mut out.values, |range, out, scratch| {
                    linear_rounded(inputs, by, range, out, scratch);
                });
            }
        }
        if let Some(bias) = bias {
            out.values.chunks_exact_mut(shape[0]).for_each(|row| add(isa, row, bias));
        }
        out
    }

    /// Whether activations are multiplied with `weights` in 8 bits.
    fn is_int8(&self, weights: &Weights) -> bool {
        self.activations == ActivationForm::Int8 && matches!(weights, Weights::Coded(_))
    }

    /// The activations rounded; made once for all products that they are in.
    fn inputs<'x>(&mut self, x: &'x Activations) -> &'x Inputs {
        x.inputs.get_or_init(|| {
            let mut inputs = self.spare_inputs.pop().unwrap_or_default();
            self.workers.pack(self.isa, &x.values, x.width, &mut inputs);
            inputs
        })
    }

    /// The same for products with codes.
    fn coded_inputs<'x>(&mut self, x: &'x Activations) -> &'x CodedInputs {
        x.coded_inputs.get_or_init(|| {
            let mut inputs = self.spare_coded.pop().unwrap_or_default();
            let sums = self.checkpoint.block_sums();
            self.workers.pack_coded(self.isa, (&x.values, x.width), sums, &mut inputs);
            inputs
        })
    }

    /// The same in 8 bits.
    fn int8_inputs<'x>(&mut self, x: &'x Activations) -> &'x Int8Inputs {
        x.int8_inputs.get_or_init(|| {
            let mut inputs = self.spare_int8.pop().unwrap_or_default();
            self.workers.pack_int8(self.isa, (&x.values, x.width), &mut inputs);
            inputs
        })
    }

    /// The rows of a matrix that `rows` names, one for each row of the batch.
    fn look_up(&mut self, weight: WeightId, rows: impl Fn(&Batch) -> Vec<usize>) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let matrix = checkpoint.matrix(weight);
        let mut x = self.buffer(self.batch.len(), matrix.columns);
        for (out, row) in x.values.chunks_exact_mut(matrix.columns).zip(rows(&self.batch)) {
            matrix.decode_row(row, out);
        }
        x
    }

    /// The parameters of a layer's xIELU: curvatures are stored before their softplus.
    fn xielu_of(&self, layer: usize) -> Xielu {
        let value = |part| self.checkpoint.vector(WeightId { layer, part })[0];
        let beta = value(Part::XieluBeta);
        Xielu {
            positive: softplus(value(Part::XieluPositive)),
            negative: beta + softplus(value(Part::XieluNegative)),
            beta,
            epsilon: value(Part::XieluEpsilon),
        }
    }
}

/// Whether products with weights of a format are of the numbers themselves, not of these rounded to
/// `bf16`: it would cost them what they were kept so precise for.
fn is_exact(format: Format) -> bool {
    matches!(format, Format::F32 | Format::F16)
}

/// What a linear of `weight` is for: the embedding is multiplied with as the output alone.
fn output_of(weight: WeightId) -> WeightId {
    match weight.part {
        Part::TokenEmbedding => WeightId { part: Part::Output, ..weight },
        _ => weight,
    }
}

/// ln(1 + e^x); x itself above 20.
fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { libm::log1p(libm::exp(f64::from(x))) as f32 }
}

impl<S: ModelSpec> Exec for Infer<S> {
    type Tensor = Activations;

    fn embed(&mut self, weight: WeightId) -> Activations {
        let tokens = |batch: &Batch| batch.tokens().map(|token| token as usize).collect();
        let mut x = self.look_up(weight, tokens);
        self.adapt_embedding(weight, &mut x);
        x
    }

    fn embed_positions(&mut self, weight: WeightId) -> Activations {
        self.look_up(weight, |batch| batch.positions().collect())
    }

    fn embed_segments(&mut self, weight: WeightId) -> Activations {
        self.look_up(weight, |batch| batch.segments().map(|segment| segment as usize).collect())
    }

    fn layer_norm(
        &mut self,
        x: &Activations,
        weight: WeightId,
        bias: Option<WeightId>,
        epsilon: f32,
    ) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let weight = checkpoint.vector(weight);
        let bias = bias.map(|bias| checkpoint.vector(bias));
        let mut out = self.buffer(x.values.len() / x.width, x.width);
        let rows = x.values.chunks_exact(x.width).zip(out.values.chunks_exact_mut(x.width));
        rows.for_each(|(row, out)| layer_norm(self.isa, row, weight, bias, epsilon, out));
        out
    }

    fn norm(&mut self, x: &Activations, weight: WeightId, epsilon: f32) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let weight = checkpoint.vector(weight);
        let mut out = self.buffer(x.values.len() / x.width, x.width);
        let (isa, width) = (self.isa, weight.len());
        self.workers.split_pieces(&mut out.values, width, |piece, out, _| {
            rms_norm(isa, &x.values[piece * width..][..width], weight, epsilon, out);
        });
        out
    }

    fn norm_for(
        &mut self,
        x: &Activations,
        weight: WeightId,
        epsilon: f32,
        users: &[WeightId],
    ) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let of_norm = checkpoint.vector(weight);
        match of_norm.len() == x.width && self.is_rounded(x.rows(), users) {
            true => self.norm_rounded(x, of_norm, epsilon),
            false => self.norm(x, weight, epsilon),
        }
    }

    fn linear(&mut self, x: &Activations, weight: WeightId, bias: Option<WeightId>) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let bias = bias.map(|bias| checkpoint.vector(bias));
        let mut y = self.product(x, &checkpoint.multiplied(weight, None), bias);
        let shares = std::mem::take(&mut self.shares);
        self.adapt(&shares, Target { weight: output_of(weight), expert: None }, x, &mut y);
        self.shares = shares;
        y
    }

    fn add_linear(
        &mut self,
        mut x: Activations,
        y: &Activations,
        weight: WeightId,
        bias: Option<WeightId>,
    ) -> Activations {
        if bias.is_some() || !self.is_rounded(y.rows(), &[weight]) {
            let added = self.linear(y, weight, bias);
            return self.add(x, added);
        }
        self.add_product(&mut x, y, weight);
        x
    }

    fn rope(&mut self, layer: usize, mut x: Activations) -> Activations {
        let checkpoint = self.checkpoint.clone();
        let spec = checkpoint.spec();
        let kind = usize::from(spec.window(layer).is_some());
        let (Some(table), Some(rope)) = (&self.ropes[kind], spec.ropes()[kind]) else { return x };
        let (pairing, head_dim) = (rope.pairing, spec.attention().head_dim);
        let (isa, width, batch) = (self.isa, x.width, &self.batch);
        self.workers.split_pieces(x.values_mut(), width, |row, values, _| {
            let (cos, sin) = table.at(batch.place(row).1);
            for head in values.chunks_exact_mut(head_dim) {
                allod_kernels::rope(isa, head, cos, sin, pairing);
            }
        });
        x
    }

    fn attend(
        &mut self,
        layer: usize,
        q: Activations,
        k: Activations,
        v: Activations,
    ) -> Activations {
        self.attend_cached(layer, [q, k, v], None)
    }

    fn attend_placed(
        &mut self,
        layer: usize,
        [q, k, v]: [Activations; 3],
        placing: &Placing,
    ) -> Activations {
        if self.places_heads(placing) {
            return self.attend_cached(layer, [q, k, v], Some(placing));
        }
        let q = self.placed(layer, q, placing.norms[0], placing);
        let k = self.placed(layer, k, placing.norms[1], placing);
        self.attend_cached(layer, [q, k, v], None)
    }

    fn activate(
        &mut self,
        layer: usize,
        gate: Option<Activations>,
        mut up: Activations,
    ) -> Activations {
        if let Some(gate) = gate {
            return self.gate(gate, up);
        }
        let (isa, width) = (self.isa, up.width);
        if self.checkpoint.spec().activation() == Activation::Gelu {
            self.workers.split_pieces(up.values_mut(), width, |_, row, _| gelu(isa, row));
            return up;
        }
        let parameters = self.xielu_of(layer);
        self.workers.split_pieces(up.values_mut(), width, |_, row, _| xielu(isa, row, parameters));
        up
    }

    fn gated(&mut self, layer: usize, x: &Activations, pair: [Projection; 2]) -> Activations {
        match self.gated_together(layer, x, pair) {
            Some(active) => active,
            None => {
                let [gate, up] = pair.map(|(weight, bias)| self.linear(x, weight, bias));
                self.gate(gate, up)
            }
        }
    }

    fn mixture(&mut self, layer: usize, x: &Activations, scores: Activations) -> Activations {
        self.through_experts(layer, x, scores)
    }

    fn scale(&mut self, mut x: Activations, factor: f32) -> Activations {
        scale(self.isa, x.values_mut(), factor);
        x
    }

    fn soft_cap(&mut self, mut x: Activations, cap: f32) -> Activations {
        soft_cap(self.isa, x.values_mut(), cap);
        x
    }

    fn clamp(&mut self, mut x: Activations, most: f32) -> Activations {
        clamp(self.isa, x.values_mut(), most);
        x
    }

    fn add(&mut self, mut x: Activations, y: Activations) -> Activations {
        let (isa, width) = (self.isa, x.width);
        self.workers.split_pieces(x.values_mut(), width, |row, x, _| {
            add(isa, x, &y.values[row * width..][..width]);
        });
        self.release(y);
        x
    }

    fn tanh(&mut self, mut x: Activations) -> Activations {
        tanh(self.isa, x.values_mut());
        x
    }

    fn gelu(&mut self, mut x: Activations) -> Activations {
        gelu(self.isa, x.values_mut());
        x
    }

    fn mean(&mut self, x: Activations) -> Activations {
        let batch = std::mem::take(&mut self.batch);
        let mut out = self.zeros(batch.sequences().count(), x.width);
        for (rows, out) in batch.sequences().zip(out.values.chunks_exact_mut(x.width)) {
            let count = rows.len() as f32;
            for row in x.values[rows.start * x.width..rows.end * x.width].chunks_exact(x.width) {
                add(self.isa, out, row);
            }
            out.iter_mut().for_each(|value| *value /= count);
        }
        self.batch = batch;
        self.release(x);
        out
    }

    fn select(&mut self, x: Activations) -> Activations {
        let batch = std::mem::take(&mut self.batch);
        let mut out = self.buffer(batch.wanted().count(), x.width);
        for (row, out) in batch.wanted().zip(out.values.chunks_exact_mut(x.width)) {
            out.copy_from_slice(&x.values[row * x.width..(row + 1) * x.width]);
        }
        self.shares = self.shares(batch.wanted().map(|row| batch.place(row).0));
        self.batch = batch;
        self.release(x);
        out
    }

    fn release(&mut self, x: Activations) {
        self.spare_inputs.extend(x.inputs.into_inner());
        self.spare_coded.extend(x.coded_inputs.into_inner());
        self.spare_int8.extend(x.int8_inputs.into_inner());
        self.keep(x.values);
    }
}
