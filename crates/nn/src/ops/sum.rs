//! Losses added up.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use std::sync::Arc;

/// Single numbers with what each counts.
struct WeightedSum(Vec<(Var, f32)>);

impl<'a> Operation<'a> for WeightedSum {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let terms = self.0.iter().map(|(term, weight)| tape.value(*term).item() * weight);
        Tensor::scalar(terms.fold(0.0, |sum, term| sum + term))
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        for (term, weight) in &self.0 {
            tape.pass(*term, Tensor::scalar(slope.item() * weight));
        }
    }

    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

impl Tape<'_> {
    /// The sum of single numbers, each times its weight, in the order given.
    ///
    /// # Panics
    /// When a term is not a single number.
    pub fn weighted_sum(&mut self, terms: &[(Var, f32)]) -> Var {
        let inputs: Vec<Var> = terms.iter().map(|(term, _)| *term).collect();
        self.record(WeightedSum(terms.to_vec()), &inputs)
    }
}
