//! Tiny models, made in the test: random weights, a vocabulary of a few letters.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use allod_weights::make::{GgufBuilder, safetensors};
use serde_json::{Value, json};

pub const TEMPLATE: &str = "{% for m in messages %}<s>{{ m.role }}:{{ m.content }}{% endfor %}";
const WIDTH: usize = 8;
const TOKENS: [&str; 12] =
    ["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "▁ab", "c", "<0xC3>", "<0xA9>"];

/// Numbers that look random and are the same everywhere.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let number = |at: usize| ((at * 7919 + seed * 104_729) % 1000) as f32 / 1000.0 - 0.5;
    (0..count).map(number).collect()
}

/// Names in GGUF and in safetensors, with shapes.
fn names() -> Vec<(String, String, Vec<usize>)> {
    let (square, wide) = (vec![WIDTH, WIDTH], vec![2 * WIDTH, WIDTH]);
    let mut names = vec![
        ("token_embd.weight".into(), "model.embed_tokens.weight".into(), vec![12, WIDTH]),
        ("output_norm.weight".into(), "model.norm.weight".into(), vec![WIDTH]),
    ];
    let layer: [(&str, &str, &Vec<usize>); 9] = [
        ("attn_norm", "input_layernorm", &vec![WIDTH]),
        ("ffn_norm", "post_attention_layernorm", &vec![WIDTH]),
        ("attn_q", "self_attn.q_proj", &square),
        ("attn_k", "self_attn.k_proj", &square),
        ("attn_v", "self_attn.v_proj", &square),
        ("attn_output", "self_attn.o_proj", &square),
        ("ffn_gate", "mlp.gate_proj", &wide),
        ("ffn_up", "mlp.up_proj", &wide),
        ("ffn_down", "mlp.down_proj", &vec![WIDTH, 2 * WIDTH]),
    ];
    for (gguf, other, shape) in layer {
        let other = format!("model.layers.0.{other}.weight");
        names.push((format!("blk.0.{gguf}.weight"), other, shape.clone()));
    }
    names
}

/// The keys of the GGUF file; `keys` come before them.
pub fn gguf_keys(keys: GgufBuilder) -> GgufBuilder {
    keys.text("general.architecture", "llama")
        .u32("llama.context_length", 64)
        .u32("llama.embedding_length", WIDTH as u32)
        .u32("llama.block_count", 1)
        .u32("llama.feed_forward_length", 2 * WIDTH as u32)
        .u32("llama.attention.head_count", 2)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .text("tokenizer.chat_template", TEMPLATE)
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &TOKENS)
        .f32s("tokenizer.ggml.scores", &numbers(TOKENS.len(), 1))
        .i32s("tokenizer.ggml.token_type", &[2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 6, 6])
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .u32("tokenizer.ggml.unknown_token_id", 0)
}

/// Adds the tensors.
pub fn gguf_file(keys: GgufBuilder) -> Vec<u8> {
    let add = |file: GgufBuilder,
               (seed, (name, _, shape)): (usize, (String, String, Vec<usize>))| {
        file.f32_tensor(&name, &shape, &numbers(shape.iter().product(), seed))
    };
    names().into_iter().enumerate().fold(keys, add).build()
}

/// Writes `tiny.gguf` into `folder`.
pub fn write_gguf(folder: &Path) -> PathBuf {
    let path = folder.join("tiny.gguf");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(&path, gguf_file(gguf_keys(GgufBuilder::new()))).unwrap();
    path
}

/// Settings of the model in a folder.
pub fn config() -> Value {
    json!({
        "model_type": "llama", "hidden_size": WIDTH, "num_attention_heads": 2, "vocab_size": 12,
        "num_hidden_layers": 1, "intermediate_size": 2 * WIDTH, "tie_word_embeddings": true,
        "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
    })
}

/// A vocabulary that merges `a` and `b`, with a special token before every text.
fn tokenizer() -> Value {
    let special = |id: u32, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false, "special": true})
    };
    let vocabulary = json!({
        "<s>": 0, "</s>": 1, "a": 2, "b": 3, "ab": 4, "Ġ": 5, "Ġa": 6, "c": 7, "Ã": 8, "©": 9,
    });
    json!({
        "version": "1.0", "added_tokens": [special(0, "<s>"), special(1, "</s>")],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                          "use_regex": true},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
                    "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary,
                  "merges": ["a b", "Ġ a"]},
    })
}

/// Writes a model folder.
pub fn write_folder(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let tensor = |(seed, (_, name, shape)): (usize, (String, String, Vec<usize>))| {
        let values = numbers(shape.iter().product(), seed);
        (name, shape, values)
    };
    let tensors: Vec<_> = names().into_iter().enumerate().map(tensor).collect();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("model.safetensors", &safetensors(&tensors));
    write("config.json", config().to_string().as_bytes());
    write("tokenizer.json", tokenizer().to_string().as_bytes());
    write("tokenizer_config.json", br#"{"bos_token": "<s>", "eos_token": "</s>"}"#);
    write("chat_template.jinja", TEMPLATE.as_bytes());
    write("LICENSE", b"as you like");
    write("pytorch_model.bin", b"not to be taken");
}

/// A folder of a model that turns texts into vectors.
pub fn write_embedder(folder: &Path) {
    write_folder(folder);
    let put = |path: &str, value: Value| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, value.to_string()).unwrap();
    };
    let module = |path: &str, kind: &str| json!({"path": path, "type": format!("x.{kind}")});
    let modules = json!([
        module("", "Transformer"),
        module("1_Pooling", "Pooling"),
        module("2", "Normalize")
    ]);
    put("modules.json", modules);
    put("1_Pooling/config.json", json!({"pooling_mode": "lasttoken"}));
    put("config_sentence_transformers.json", json!({"prompts": {"query": "ab ", "document": ""}}));
}
