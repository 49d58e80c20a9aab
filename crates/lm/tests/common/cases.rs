//! Random cases: a model, a sequence, and ways to compute its logits.

use super::Numbers;
use super::models::{CONTEXT, VOCABULARY, gguf, packed};
use allod_lm::{
    ActivationForm, Batch, CacheForm, Checkpoint, Infer, InferOptions, Isa, Numerics, PAGE_TOKENS,
    Role,
};
use std::sync::Arc;

/// A small model with random weights, and a sequence.
pub struct Case {
    /// For messages.
    pub name: String,
    pub model: Arc<Checkpoint>,
    pub tokens: Vec<u32>,
    pub numerics: Numerics,
    /// What the tokens are, and those of the company.
    pub role: Role,
}

/// How logits are computed.
#[derive(Debug)]
pub struct Manner {
    pub isa: Isa,
    pub threads: usize,
    /// Sequences in the same batches.
    pub company: usize,
    /// Most tokens of the prompt that are read at a time.
    pub piece: usize,
    /// Pages that another sequence has computed already.
    pub known_pages: usize,
    /// Most tokens that are guessed, wrongly, in a step.
    pub guesses: usize,
}

impl Manner {
    /// Any, for a sequence of some tokens.
    pub fn draw(numbers: &mut Numbers, isa: Isa, tokens: usize) -> Manner {
        Manner {
            isa,
            threads: 1 + numbers.below(3),
            company: skewed(numbers, 64) - 1,
            piece: skewed(numbers, tokens),
            known_pages: numbers.below((tokens - 1) / PAGE_TOKENS + 1),
            guesses: numbers.below(2) * numbers.below(8),
        }
    }
}

/// From 1 to `most`, small ones as likely as large ones.
fn skewed(numbers: &mut Numbers, most: usize) -> usize {
    let bound = 1_usize << numbers.below(most.ilog2() as usize + 2);
    1 + numbers.below(bound.min(most))
}

impl Case {
    /// The case of a number.
    pub fn draw(number: u64) -> Case {
        let mut numbers = Numbers(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        numbers.take(4);
        let (name, model) = match numbers.below(5) {
            0 => packed(&mut numbers),
            _ => gguf(&mut numbers),
        };
        let cache = CacheForm::ALL[numbers.below(3)];
        let length = 1 + numbers.below(2 * PAGE_TOKENS + 40);
        let tokens = draw_tokens(&mut numbers, length);
        let role = [Role::Prompt, Role::Answer][numbers.below(2)];
        let activations = ActivationForm::ALL[numbers.below(2)];
        let numerics = Numerics { activations, cache };
        Case {
            name: format!("case {number}: {name}, {}, {role:?}", numerics.name()),
            model,
            tokens,
            numerics,
            role,
        }
    }

    /// The bits of the logits of all tokens: alone, in one thread, all at once.
    pub fn plain(&self) -> Vec<u32> {
        let mut infer = self.infer(1, Isa::Scalar, 1);
        let mut batch = Batch::of(self.role);
        push(&mut batch, 0, 0, &self.tokens);
        let logits = infer.run(&batch).unwrap().into_values();
        logits.iter().map(|logit| logit.to_bits()).collect()
    }

    fn infer(&self, threads: usize, isa: Isa, slots: usize) -> Infer {
        let (context_tokens, Numerics { activations, cache }) = (CONTEXT, self.numerics);
        let options = InferOptions { threads, isa, slots, context_tokens, activations, cache };
        Infer::new(self.model.clone(), options).unwrap()
    }

    /// Those of all tokens from the first that is not known on.
    pub fn logits(&self, manner: &Manner, numbers: &mut Numbers) -> Vec<u32> {
        let company = manner.company;
        let mut run = Run {
            infer: self.infer(manner.threads, manner.isa, company + 2),
            own: numbers.below(company + 1),
            company,
            role: self.role,
        };
        run.know(&self.tokens[..manner.known_pages * PAGE_TOKENS], manner.piece, numbers);
        let mut found = Vec::new();
        while run.infer.length(run.own) < self.tokens.len() {
            found.extend(run.step(&self.tokens, manner, numbers));
        }
        found
    }
}

/// A computation under way.
struct Run {
    infer: Infer,
    own: usize,
    company: usize,
    role: Role,
}

impl Run {
    /// Lets another sequence compute the pages of `tokens`; ours takes them, and so do some others.
    fn know(&mut self, tokens: &[u32], piece: usize, numbers: &mut Numbers) {
        let other = self.company + 1;
        for piece in tokens.chunks(piece) {
            let mut batch = Batch::of(self.role);
            push(&mut batch, other, self.infer.length(other), piece);
            self.infer.run(&batch).unwrap();
        }
        for slot in 0..=self.company {
            for start in (0..tokens.len()).step_by(PAGE_TOKENS) {
                if slot == self.own || numbers.below(4) == 0 && self.infer.length(slot) == start {
                    let page = self.infer.copy(other, start..start + PAGE_TOKENS);
                    self.infer.paste(slot, &page).unwrap();
                }
            }
        }
        if numbers.below(2) == 0 {
            self.infer.end(other);
        }
    }

    /// Some more tokens of ours, wrong guesses after them, and what the others do meanwhile.
    fn step(&mut self, tokens: &[u32], manner: &Manner, numbers: &mut Numbers) -> Vec<u32> {
        let start = self.infer.length(self.own);
        let end = tokens.len().min(start + 1 + numbers.below(manner.piece));
        let guesses = numbers.below(manner.guesses + 1).min(CONTEXT - end);
        let guessed = draw_tokens(numbers, guesses);
        let first = numbers.below(self.company + 1);
        let (mut batch, mut wanted, mut place) = (Batch::of(self.role), 0, 0);
        for slot in (first..=self.company).chain(0..first) {
            if slot == self.own {
                place = wanted;
                push(&mut batch, slot, start, &[&tokens[start..end], &guessed].concat());
                wanted += end - start + guesses;
            } else {
                wanted += self.accompany(&mut batch, slot, numbers);
            }
        }
        let logits = self.infer.run(&batch).unwrap();
        self.infer.truncate(self.own, end);
        let rows = logits.rows().skip(place).take(end - start);
        rows.flatten().map(|logit| logit.to_bits()).collect()
    }

    /// None, one or a few tokens of another sequence; how many logits it wants.
    fn accompany(&mut self, batch: &mut Batch, slot: usize, numbers: &mut Numbers) -> usize {
        let count = [0, 1, 1, 1 + numbers.below(9)][numbers.below(4)];
        if self.infer.length(slot) + count > CONTEXT {
            self.infer.end(slot);
        }
        push(batch, slot, self.infer.length(slot), &draw_tokens(numbers, count));
        count
    }
}

/// Rows whose logits are wanted.
fn push(batch: &mut Batch, slot: usize, start: usize, tokens: &[u32]) {
    for (position, token) in (start..).zip(tokens) {
        batch.push(slot, position, *token);
        batch.want_last();
    }
}

pub fn draw_tokens(numbers: &mut Numbers, count: usize) -> Vec<u32> {
    (0..count).map(|_| numbers.below(VOCABULARY) as u32).collect()
}
