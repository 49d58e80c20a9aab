//! The operations that a forward pass is made of.

use crate::spec::Activation;
use crate::weight::WeightId;

/// Runs operations over the rows of a batch. A row is one token of one sequence; what the rows are
/// (tokens, positions, sequences) the executor knows, so that the forward pass need not.
///
/// A tensor is `[rows, width]`. Operations take a tensor by value where they may reuse it.
pub trait Exec {
    /// Activations `[rows, width]`.
    type Tensor;

    /// The embeddings of the batch's tokens: `[rows, width]`.
    fn embed(&mut self, weight: WeightId) -> Self::Tensor;

    /// RMS norm of each row, times `weight`.
    fn norm(&mut self, x: &Self::Tensor, weight: WeightId, epsilon: f32) -> Self::Tensor;

    /// `x * weight^T + bias`: `[rows, outputs]`.
    fn linear(
        &mut self,
        x: &Self::Tensor,
        weight: WeightId,
        bias: Option<WeightId>,
    ) -> Self::Tensor;

    /// Rotates each head of `x` (`[rows, heads * head_dim]`) by its row's position.
    fn rope(&mut self, x: Self::Tensor) -> Self::Tensor;

    /// Appends `k` and `v` (`[rows, kv_heads * head_dim]`) to the layer's cache, then attends
    /// causally within each sequence: `[rows, heads * head_dim]`.
    fn attend(
        &mut self,
        layer: usize,
        q: Self::Tensor,
        k: Self::Tensor,
        v: Self::Tensor,
    ) -> Self::Tensor;

    /// The gated activation of a feed-forward: `[rows, feed_forward]`.
    fn activate(
        &mut self,
        activation: Activation,
        gate: Self::Tensor,
        up: Self::Tensor,
    ) -> Self::Tensor;

    /// `x + y`.
    fn add(&mut self, x: Self::Tensor, y: Self::Tensor) -> Self::Tensor;

    /// The rows whose logits are wanted.
    fn select(&mut self, x: Self::Tensor) -> Self::Tensor;

    /// The forward pass does not need `x` any more.
    fn release(&mut self, x: Self::Tensor);
}
