//! The operations that a forward pass is made of.

use crate::weight::WeightId;

/// The weight of a linear, and its bias.
pub type Projection = (WeightId, Option<WeightId>);

/// What is done to queries and keys before they meet.
#[derive(Clone, Copy, Debug)]
pub struct Placing {
    /// RMS norms of queries and of keys.
    pub norms: [Option<WeightId>; 2],
    /// Of these norms.
    pub epsilon: f32,
    /// Bounds what comes of it.
    pub limit: Option<f32>,
    /// Whether they are rotated then.
    pub rotary: bool,
}

/// Runs operations over the rows of a batch. A row is one token of one sequence; what the rows are
/// (tokens, positions, sequences) the executor knows, so that the forward pass need not. So are the
/// constants of the model's spec: operations that differ from layer to layer are told the layer.
///
/// A tensor is `[rows, width]`. Operations take a tensor by value where they may reuse it.
pub trait Exec {
    /// Activations `[rows, width]`.
    type Tensor;

    /// A block begins: its result will follow from what was computed before.
    fn begin_block(&mut self, _layer: usize) {}

    /// The block ends with `x`: nothing else that was computed in it is used any more.
    fn end_block(&mut self, _layer: usize, _x: &Self::Tensor) {}

    /// The embeddings of the batch's tokens: `[rows, width]`.
    fn embed(&mut self, weight: WeightId) -> Self::Tensor;

    /// The learned vectors of the rows' positions: `[rows, width]`.
    fn embed_positions(&mut self, weight: WeightId) -> Self::Tensor;

    /// The learned vectors of the segments that the rows belong to: `[rows, width]`.
    fn embed_segments(&mut self, weight: WeightId) -> Self::Tensor;

    /// RMS norm times `weight` of each row, or, where `weight` is shorter than a row, of each piece
    /// of its length.
    fn norm(&mut self, x: &Self::Tensor, weight: WeightId, epsilon: f32) -> Self::Tensor;

    /// [`Exec::norm`] for [`Exec::linear`] and [`Exec::gated`] by the weights `users` alone.
    fn norm_for(
        &mut self,
        x: &Self::Tensor,
        weight: WeightId,
        epsilon: f32,
        _users: &[WeightId],
    ) -> Self::Tensor {
        self.norm(x, weight, epsilon)
    }

    /// Layer norm of each row, times `weight`, plus `bias`.
    fn layer_norm(
        &mut self,
        x: &Self::Tensor,
        weight: WeightId,
        bias: Option<WeightId>,
        epsilon: f32,
    ) -> Self::Tensor;

    /// `x * weight^T + bias`: `[rows, outputs]`.
    fn linear(
        &mut self,
        x: &Self::Tensor,
        weight: WeightId,
        bias: Option<WeightId>,
    ) -> Self::Tensor;

    /// `x + (y * weight^T + bias)`
    fn add_linear(
        &mut self,
        x: Self::Tensor,
        y: &Self::Tensor,
        weight: WeightId,
        bias: Option<WeightId>,
    ) -> Self::Tensor {
        let added = self.linear(y, weight, bias);
        self.add(x, added)
    }

    /// Rotates each head of `x` (`[rows, heads * head_dim]`) by its row's position, as the layer
    /// does it.
    fn rope(&mut self, layer: usize, x: Self::Tensor) -> Self::Tensor;

    /// Attends within each sequence and the layer's window: `[rows, heads * head_dim]`. A decoder
    /// appends `k` and `v` (`[rows, kv_heads * head_dim]`) to the layer's cache and attends
    /// causally; an encoder attends both ways over its rows.
    fn attend(
        &mut self,
        layer: usize,
        q: Self::Tensor,
        k: Self::Tensor,
        v: Self::Tensor,
    ) -> Self::Tensor;

    /// Queries and keys as `placing` places them, then [`Exec::attend`]: for [`Exec::linear`]
    /// alone.
    fn attend_placed(
        &mut self,
        layer: usize,
        qkv: [Self::Tensor; 3],
        placing: &Placing,
    ) -> Self::Tensor {
        let [q, k, v] = qkv;
        let [query_norm, key_norm] = placing.norms;
        let q = self.placed(layer, q, query_norm, placing);
        let k = self.placed(layer, k, key_norm, placing);
        self.attend(layer, q, k, v)
    }

    /// Queries or keys in their place.
    fn placed(
        &mut self,
        layer: usize,
        mut x: Self::Tensor,
        norm: Option<WeightId>,
        placing: &Placing,
    ) -> Self::Tensor {
        if let Some(weight) = norm {
            let normed = self.norm(&x, weight, placing.epsilon);
            self.release(x);
            x = normed;
        }
        if let Some(most) = placing.limit {
            x = self.clamp(x, most);
        }
        if placing.rotary { self.rope(layer, x) } else { x }
    }

    /// The activation of a feed-forward: `[rows, feed_forward]`. There is a gate where the
    /// activation is gated.
    fn activate(
        &mut self,
        layer: usize,
        gate: Option<Self::Tensor>,
        up: Self::Tensor,
    ) -> Self::Tensor;

    /// `activate(gate x, up x)`, each projection being a weight and its bias: `[rows,
    /// feed_forward]`, for [`Exec::linear`] alone.
    fn gated(&mut self, layer: usize, x: &Self::Tensor, pair: [Projection; 2]) -> Self::Tensor {
        let [gate, up] = pair.map(|(weight, bias)| self.linear(x, weight, bias));
        self.activate(layer, Some(gate), up)
    }

    /// Sends each row of `x` through the experts that its `scores` (`[rows, experts]`) choose, and
    /// adds what comes back by its weights, the expert with the lowest number first.
    fn mixture(&mut self, layer: usize, x: &Self::Tensor, scores: Self::Tensor) -> Self::Tensor;

    /// `x + y`.
    fn add(&mut self, x: Self::Tensor, y: Self::Tensor) -> Self::Tensor;

    /// `x * factor`.
    fn scale(&mut self, x: Self::Tensor, factor: f32) -> Self::Tensor;

    /// `cap * tanh(x / cap)`.
    fn soft_cap(&mut self, x: Self::Tensor, cap: f32) -> Self::Tensor;

    /// `x` within `-most..=most`.
    fn clamp(&mut self, x: Self::Tensor, most: f32) -> Self::Tensor;

    /// The hyperbolic tangent of each element.
    fn tanh(&mut self, x: Self::Tensor) -> Self::Tensor;

    /// GELU of each element, by the error function.
    fn gelu(&mut self, x: Self::Tensor) -> Self::Tensor;

    /// The mean of each sequence's rows, `[sequences, width]`, in the order of the batch: their
    /// sum, first row first, divided by their number.
    fn mean(&mut self, x: Self::Tensor) -> Self::Tensor;

    /// The rows that are wanted.
    fn select(&mut self, x: Self::Tensor) -> Self::Tensor;

    /// The forward pass does not need `x` any more.
    fn release(&mut self, x: Self::Tensor);
}
