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

#[cfg(test)]
mod tests {
    use crate::checks::{check, parameters};

    #[test]
    fn losses_count_by_their_weights() {
        check(
            parameters(&[&[1, 1], &[1, 1]], 1.0, 3),
            |tape, ids| {
                let [x, y] = [ids[0], ids[1]].map(|id| tape.parameter(id));
                tape.weighted_sum(&[(x, 0.5), (y, -2.0), (x, 0.25)])
            },
            |p| vec![0.75 * p[0][0] - 2.0 * p[1][0]],
        );
    }
}
