//! A damaged model file is refused or runs; it never panics.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

mod common;

use allod_lm::{Isa, Model};
use common::{all_logits, infer, tiny_gguf, tiny_keys, tiny_tensors};
use proptest::prelude::*;

/// The small model with a vocabulary and a template, so that every reader has something to read.
fn whole() -> Vec<u8> {
    let texts: Vec<String> = (0..common::VOCABULARY).map(|id| format!("t{id}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let keys = tiny_keys()
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &texts)
        .f32s("tokenizer.ggml.scores", &vec![0.0; texts.len()])
        .i32s("tokenizer.ggml.token_type", &vec![1; texts.len()])
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .text("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}");
    tiny_gguf(keys, &tiny_tensors())
}

fn load_and_run(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    std::fs::write(&path, bytes).unwrap();
    let Ok(model) = Model::load(&path) else { return };
    let _ = model.tokenizer.encode_prompt("t1 t2 é");
    if model.checkpoint.spec().vocabulary > 3 {
        let mut infer = infer(&model.checkpoint, 1, Isa::detect());
        all_logits(&mut infer, 0, &[1, 2, 3], 2);
    }
}

#[test]
fn the_whole_model_loads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    std::fs::write(&path, whole()).unwrap();
    let model = Model::load(&path).unwrap();
    assert_eq!((model.name.as_str(), model.end_tokens.len()), ("x", 1));
    load_and_run(&whole());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Most of the file is weights, which may hold anything; damage is done to what comes before.
    #[test]
    fn damage_never_panics(
        edits in prop::collection::vec((0_usize..6000, any::<u8>()), 1..5),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = whole();
        edits.iter().for_each(|(at, value)| bytes[*at] = *value);
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        load_and_run(&bytes);
    }
}
