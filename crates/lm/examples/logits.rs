//! Writes the logits of every token of a text: `logits MODEL TOKENS OUT [CACHE [ACTIVATIONS]]`,
//! where TOKENS holds little-endian `u32`s, OUT gets `[tokens, outputs]` little-endian `f32`s,
//! CACHE is how keys and values are kept (`f32` if not given), and ACTIVATIONS how activations are
//! multiplied with quantised weights (`bf16` if not given). For comparison with other engines.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use allod_lm::{ActivationForm, Batch, CacheForm, Checkpoint, Infer, InferOptions, Isa};
use std::path::Path;
use std::sync::Arc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, tokens, out, forms @ ..] = &arguments[..] else {
        return println!("logits MODEL TOKENS OUT [CACHE [ACTIVATIONS]]");
    };
    let cache = CacheForm::named(forms.first().map_or("f32", String::as_str)).unwrap();
    let activations = forms.get(1).map_or("bf16", String::as_str);
    let activations = ActivationForm::named(activations).unwrap();
    let tokens = std::fs::read(tokens).unwrap();
    let tokens = tokens.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
    let context_tokens = tokens.len();
    let checkpoint = Arc::new(Checkpoint::open(Path::new(model)).unwrap());
    let isa = Isa::detect();
    let options = InferOptions { threads: 2, isa, slots: 1, context_tokens, activations, cache };
    let mut infer = Infer::new(checkpoint, options).unwrap();
    let mut batch = Batch::new();
    for (position, token) in tokens.enumerate() {
        batch.push(0, position, token);
        batch.want_last();
    }
    let logits = infer.run(&batch).unwrap().into_values();
    let bytes: Vec<u8> = logits.iter().flat_map(|logit| logit.to_le_bytes()).collect();
    std::fs::write(out, bytes).unwrap();
}
