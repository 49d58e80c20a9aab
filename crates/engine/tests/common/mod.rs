//! A model made in code, and short ways to ask it.
#![allow(dead_code, reason = "every test takes what it needs")]

use allod_engine::{Engine, GenerateRequest, Generated, Options, Prompt, Sampling};
use allod_weights::make::GgufBuilder;
use std::ops::ControlFlow;

pub const WIDTH: usize = 32;
const PIECES: [&str; 6] = ["▁", "a", "b", "c", "▁a", "ab"];
pub const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}";

pub fn texts() -> Vec<String> {
    let bytes = (0..=255).map(|byte| format!("<0x{byte:02X}>"));
    let first = ["<unk>", "<s>", "</s>"].into_iter().map(String::from);
    first.chain(bytes).chain(PIECES.into_iter().map(String::from)).collect()
}

/// A small Llama with random weights, whose scores are sharp enough to be worth testing.
pub fn model() -> GgufBuilder {
    model_with(TEMPLATE, &[], &[])
}

/// The same with another template and more tokens: special ones, and others that are no less one
/// token but stand in the text.
pub fn model_with(template: &str, specials: &[&str], added: &[&str]) -> GgufBuilder {
    let plain = texts();
    let mut texts: Vec<&str> = plain.iter().map(String::as_str).collect();
    let known = texts.len();
    texts.extend(specials.iter().chain(added));
    let kind = |id: usize| match id {
        0 => 2,
        1 | 2 => 3,
        3..259 => 6,
        id if id < known => 1,
        id if id < known + specials.len() => 3,
        _ => 4,
    };
    let kinds: Vec<i32> = (0..texts.len()).map(kind).collect();
    let mut state = 3_u64;
    let mut numbers = move |count: usize| -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..count).map(|_| next()).collect()
    };
    let mut file = GgufBuilder::new()
        .text("general.architecture", "llama")
        .text("general.name", "tiny")
        .u32("llama.context_length", 600)
        .u32("llama.embedding_length", WIDTH as u32)
        .u32("llama.block_count", 1)
        .u32("llama.feed_forward_length", 64)
        .u32("llama.attention.head_count", 2)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &texts)
        .f32s("tokenizer.ggml.scores", &vec![0.0; texts.len()])
        .i32s("tokenizer.ggml.token_type", &kinds)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .text("tokenizer.chat_template", template);
    let matrices = [
        ("token_embd", texts.len(), WIDTH),
        ("blk.0.attn_q", WIDTH, WIDTH),
        ("blk.0.attn_k", WIDTH, WIDTH),
        ("blk.0.attn_v", WIDTH, WIDTH),
        ("blk.0.attn_output", WIDTH, WIDTH),
        ("blk.0.ffn_gate", 64, WIDTH),
        ("blk.0.ffn_up", 64, WIDTH),
        ("blk.0.ffn_down", WIDTH, 64),
    ];
    for (name, rows, columns) in matrices {
        let values = numbers(rows * columns);
        file = file.q8_0_tensor(&format!("{name}.weight"), &[rows, columns], &values);
    }
    for name in ["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"] {
        file = file.f32_tensor(&format!("{name}.weight"), &[WIDTH], &[1.0; WIDTH]);
    }
    file
}

pub fn engine_of(file: GgufBuilder, options: Options) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.gguf");
    std::fs::write(&path, file.build()).unwrap();
    Engine::load(&path, options).unwrap()
}

pub fn engine() -> Engine {
    engine_of(model(), Options { threads: Some(1), ..Options::default() })
}

pub fn request(prompt: &str) -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Text(prompt.to_string()),
        max_tokens: 30,
        ..GenerateRequest::default()
    }
}

pub fn warm(seed: u64) -> GenerateRequest {
    let sampling = Sampling { temperature: 1.5, seed, ..Sampling::default() };
    GenerateRequest { sampling, ..request("abc") }
}

pub fn run(engine: &Engine, request: &GenerateRequest) -> Generated {
    engine.generate(request, &mut |_| ControlFlow::Continue(())).unwrap()
}
