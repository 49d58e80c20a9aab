//! The adapter that was trained.

use super::{Adapter, LowRank, Target};
use crate::error::{Error, Result};
use crate::spec::DecoderSpec;
use crate::tape::Trainable;
use crate::weight::{Part, WeightId};

impl Trainable<DecoderSpec> {
    /// The low-rank changes as they are trained so far: what [`crate::Infer`] runs with the bits
    /// that the tape computed, and what can be saved.
    ///
    /// # Errors
    /// If the model was not made from a checkpoint.
    pub fn adapter(&self, name: &str) -> Result<Adapter> {
        let none = || Error::Batch("a model from scratch has no base for an adapter".to_string());
        let checkpoint = self.checkpoint().ok_or_else(none)?;
        let changes = self.spec().weights().filter_map(|(id, _)| {
            let change = self.low_rank(id)?;
            let [a, b] = [change.a, change.b].map(|id| &self.parameters().get(id).values);
            let rank = self.parameters().get(change.a).shape[0];
            Some((self.target(id), LowRank::new(rank, a, b, change.scale)))
        });
        Adapter::new(name, checkpoint, changes)
    }

    /// The tape changes a matrix where it is multiplied with; so an embedding is changed as the
    /// output.
    fn target(&self, weight: WeightId) -> Target {
        let weight = match weight.part {
            Part::TokenEmbedding if self.spec().tied => WeightId { part: Part::Output, ..weight },
            _ => weight,
        };
        Target { weight, expert: None }
    }
}
