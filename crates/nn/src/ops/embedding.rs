//! Rows of a table, by number.

use crate::parameters::ParameterId;
use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::weight::Weight;
use crate::workspace::Work;
use std::sync::Arc;

struct Embedding<'a> {
    weight: Weight<'a>,
    tokens: Vec<u32>,
}

impl<'a> Operation<'a> for Embedding<'a> {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let stored = tape.stored(&self.weight.all(tape.parameters));
        let matrix = stored.matrix();
        let mut out = tape.workspace.tensor(self.tokens.len(), matrix.columns);
        let work = Work::rows(out.rows, out.width);
        tape.workspace.split(work, [(&mut out.values, matrix.columns)], |rows, [out], _| {
            for (token, out) in self.tokens[rows].iter().zip(out.chunks_exact_mut(matrix.columns)) {
                matrix.decode_row(*token as usize, out);
            }
        });
        out
    }

    /// A token's rows are added up in their order.
    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        if let Some(id) = self.weight.trained() {
            self.scatter(tape, id, &slope);
        }
        tape.workspace.give_up(slope);
    }

    fn trains(&self) -> bool {
        self.weight.trained().is_some()
    }

    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

impl Embedding<'_> {
    fn scatter(&self, tape: &mut Tape, id: ParameterId, slope: &Tensor) {
        let (gradient, workspace) = tape.gradient(id);
        let isa = workspace.isa;
        // The sort is stable: rows of the same token stay in order. A task is a token.
        let mut rows: Vec<usize> = (0..self.tokens.len()).collect();
        rows.sort_by_key(|row| self.tokens[*row]);
        let (mut rest, mut passed, mut tasks) = (gradient, 0, Vec::new());
        for rows in rows.chunk_by(|a, b| self.tokens[*a] == self.tokens[*b]) {
            let start = self.tokens[rows[0]] as usize * slope.width;
            let (place, after) = rest[start - passed..].split_at_mut(slope.width);
            passed = start + slope.width;
            rest = after;
            tasks.push((place, rows));
        }
        workspace.each(tasks, |(place, rows), _| {
            rows.iter().for_each(|row| allod_kernels::add(isa, place, slope.row(*row)));
        });
    }
}

impl<'a> Tape<'a> {
    /// The row of `weight` (`[vocabulary, width]`) of each token: `[tokens, width]`. Positions and
    /// token types are embedded in the same way.
    ///
    /// # Panics
    /// When a token is not in the vocabulary.
    pub fn embed(&mut self, tokens: &[u32], weight: Weight<'a>) -> Var {
        let [vocabulary, _] = weight.shape(self.parameters);
        let fits = |token: &u32| (*token as usize) < vocabulary;
        assert!(tokens.iter().all(fits), "tokens are below {vocabulary}");
        self.record(Embedding { weight, tokens: tokens.to_vec() }, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check, parameters};
    use crate::reference;

    #[test]
    fn rows_of_a_token_add_up() {
        let tokens = [3, 1, 3, 0, 3, 4, 1];
        check(
            parameters(&[&[6, 5]], 1.0, 1),
            |tape, ids| tape.embed(&tokens, Weight::Trained(ids[0])),
            |p| reference::embed(&tokens, &p[0], 5),
        );
    }
}
