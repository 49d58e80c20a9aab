//! Writes small sound files into the corpora, so that fuzzing begins behind the first checks:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

use std::path::Path;

use allod_weights::make::{GgufBuilder, safetensors};
use serde_json::json;

const TEMPLATE: &str = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}";

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let seed = |target: &str, name: &str, bytes: &[u8]| {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(name), bytes)
    };
    seed("gguf", "spm", &gguf(sentence_vocabulary()))?;
    seed("gguf", "bpe", &gguf(byte_vocabulary()))?;
    seed("gguf", "wordpiece", &gguf(word_vocabulary()))?;
    seed("gguf", "unigram", &gguf(sentence_vocabulary().text("tokenizer.ggml.model", "t5")))?;
    seed("safetensors", "two", &safetensors(&[("a".into(), vec![2, 3], vec![1.5; 6])]))?;
    for (name, tokenizer) in tokenizers() {
        seed("tokenizer", name, tokenizer.to_string().as_bytes())?;
    }
    for (index, source) in TEMPLATES.iter().enumerate() {
        seed("template", &index.to_string(), format!("\0{source}").as_bytes())?;
    }
    seed("template", "said", b"\x01<|end|>{{ x }}")?;
    for (index, config) in configs().iter().enumerate() {
        seed("config", &index.to_string(), config.to_string().as_bytes())?;
    }
    for (index, config) in adapters().iter().enumerate() {
        let bytes = [config.to_string().as_bytes(), b"\0", &adapter_tensors()].concat();
        seed("peft", &index.to_string(), &bytes)?;
    }
    for (index, said) in allod_cell::hostile::seeds().iter().enumerate() {
        seed("cell", &index.to_string(), said)?;
    }
    let (keys, token) = (allod_server::hostile::KEYS, allod_server::hostile::TOKEN);
    seed("token", "sound", format!("{keys}\0{}", token.trim_end()).as_bytes())?;
    // 9 chooses PDF and no sidecar.
    seed("documents", "pdf", &[&[9], PDF].concat())?;
    seed("sentencepiece", "small", &sentencepiece())
}

const PDF: &[u8] = include_bytes!("../../samples/documents/guides/carte-des-sentiers.pdf");

const TEMPLATES: [&str; 5] = [
    TEMPLATE,
    "{%- set ns = namespace(a=0) -%}{%- for m in messages[::-1] -%}{%- set ns.a = ns.a + 1 -%}\
     {%- endfor -%}{{ ns.a }}{% if tools %}{{ tools | tojson(indent=4) }}{% endif %}",
    "{% macro f(x) %}{{ x | upper }}{{ f(x) if x | length > 3 else '' }}{% endmacro %}\
     {{ f('ab') }}{% generation %}{{ messages[0].content.split('x')[-1].strip() }}\
     {% endgeneration %}",
    "{{ raise_exception('no') if messages | length > 9 }}{{ range(9) | list | join(',') }}\
     {{ 'a' * 9 }}{{ messages | map(attribute='role') | list }}",
    "{% for k, v in messages[0].items() %}{{ loop.index0 }}{{ k ~ v }}{% if loop.last %}\
     {% break %}{% endif %}{% endfor %}{{ messages | selectattr('role', 'equalto', 'user') | list }}",
];

/// A decoder of one layer, width 4, with the vocabulary that `keys` hold.
fn gguf(keys: GgufBuilder) -> Vec<u8> {
    let shapes: [(&str, &[usize]); 11] = [
        ("token_embd.weight", &[8, 4]),
        ("output_norm.weight", &[4]),
        ("blk.0.attn_norm.weight", &[4]),
        ("blk.0.attn_q.weight", &[4, 4]),
        ("blk.0.attn_k.weight", &[4, 4]),
        ("blk.0.attn_v.weight", &[4, 4]),
        ("blk.0.attn_output.weight", &[4, 4]),
        ("blk.0.ffn_norm.weight", &[4]),
        ("blk.0.ffn_gate.weight", &[4, 4]),
        ("blk.0.ffn_up.weight", &[4, 4]),
        ("blk.0.ffn_down.weight", &[4, 4]),
    ];
    let keys = keys
        .text("general.architecture", "llama")
        .u32("llama.context_length", 16)
        .u32("llama.embedding_length", 4)
        .u32("llama.block_count", 1)
        .u32("llama.feed_forward_length", 4)
        .u32("llama.attention.head_count", 2)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .text("tokenizer.chat_template", TEMPLATE);
    let add = |file: GgufBuilder, (name, shape): &(&str, &[usize])| {
        file.f32_tensor(name, shape, &vec![0.5; shape.iter().product()])
    };
    shapes.iter().fold(keys, add).build()
}

fn sentence_vocabulary() -> GgufBuilder {
    GgufBuilder::new()
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "<0x41>"])
        .f32s("tokenizer.ggml.scores", &[0.0, 0.0, 0.0, -1.0, -2.0, -3.0, -4.0, -5.0])
        .i32s("tokenizer.ggml.token_type", &[2, 3, 3, 1, 1, 1, 1, 6])
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .u32("tokenizer.ggml.unknown_token_id", 0)
}

fn byte_vocabulary() -> GgufBuilder {
    GgufBuilder::new()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "gpt-2")
        .texts("tokenizer.ggml.tokens", &["<s>", "</s>", "a", "b", "ab", "Ġ", "Ġa", "x"])
        .texts("tokenizer.ggml.merges", &["a b", "Ġ a"])
        .i32s("tokenizer.ggml.token_type", &[3, 3, 1, 1, 1, 1, 1, 4])
}

fn word_vocabulary() -> GgufBuilder {
    GgufBuilder::new()
        .text("tokenizer.ggml.model", "bert")
        .texts("tokenizer.ggml.tokens", &["[UNK]", "[CLS]", "[SEP]", "▁a", "b", "▁ab", "▁1", "2"])
        .i32s("tokenizer.ggml.token_type", &[2, 3, 3, 1, 1, 1, 1, 1])
        .u32("tokenizer.ggml.unknown_token_id", 0)
        .u32("tokenizer.ggml.cls_token_id", 1)
        .u32("tokenizer.ggml.seperator_token_id", 2)
}

fn tokenizers() -> [(&'static str, serde_json::Value); 4] {
    let added = json!([{"id": 0, "content": "<s>", "single_word": false, "lstrip": false,
                        "rstrip": true, "normalized": false, "special": true}]);
    let bytes = json!({
        "version": "1.0", "added_tokens": added, "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                          "use_regex": true},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3, "Ġ": 4},
                  "merges": ["a b"]},
    });
    let unigram = json!({
        "version": "1.0", "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first",
                          "split": true},
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first",
                    "split": true},
        "model": {"type": "Unigram", "unk_id": 1, "byte_fallback": false,
                  "vocab": [["<s>", 0.0], ["<unk>", 0.0], ["▁a", -1.0], ["b", -2.5]]},
    });
    let words = json!({
        "version": "1.0", "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {"<s>": 0, "[UNK]": 1, "a": 2, "##b": 3}},
    });
    let split = json!({
        "version": "1.0", "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"},
            {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAABhAA=="}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}|(?:\\s+)(?!x)"},
             "behavior": "Isolated", "invert": false}, {"type": "Digits", "individual_digits": true}]},
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "byte_fallback": true, "unk_token": "a", "fuse_unk": true,
                  "vocab": {"a": 0, "<0x41>": 1, "b": 2, "ab": 3}, "merges": [["a", "b"]]},
    });
    [("bytes", bytes), ("unigram", unigram), ("words", words), ("split", split)]
}

fn configs() -> Vec<serde_json::Value> {
    let plain = |name: &str| {
        json!({
            "model_type": name, "hidden_size": 8, "num_attention_heads": 2, "vocab_size": 4,
            "num_key_value_heads": 1, "head_dim": 4, "num_hidden_layers": 2,
            "intermediate_size": 8, "tie_word_embeddings": true, "max_position_embeddings": 64,
            "rms_norm_eps": 1e-5, "sliding_window": 4, "num_experts": 3, "num_local_experts": 3,
            "num_experts_per_tok": 2, "moe_intermediate_size": 8, "mlp_only_layers": [0],
            "rope_theta": 1e4, "layer_types": ["full_attention", "sliding_attention"],
            "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "beta_fast": 32.0,
                             "original_max_position_embeddings": 16},
        })
    };
    let names = [
        "llama",
        "mistral",
        "mixtral",
        "qwen2",
        "qwen3",
        "qwen3_moe",
        "olmoe",
        "apertus",
        "gemma2",
        "gemma3_text",
        "phi3",
        "granite",
        "smollm3",
        "gpt_oss",
        "allod-moe",
        "bert",
        "xlm-roberta",
        "modernbert",
    ];
    names.into_iter().map(plain).collect()
}

/// A model of three pieces, in protocol buffers.
fn sentencepiece() -> Vec<u8> {
    let piece = |text: &str, score: f32, kind: u8| {
        let mut inner = vec![0x0a, text.len() as u8];
        inner.extend(text.as_bytes());
        inner.push(0x15);
        inner.extend(score.to_le_bytes());
        inner.extend([0x18, kind]);
        [vec![0x0a, inner.len() as u8], inner].concat()
    };
    let trainer = [0x12, 2, 0x18, 1];
    let pieces = [piece("<unk>", 0.0, 2), piece("<s>", 0.0, 3), piece("</s>", 0.0, 3)];
    let words = [piece("▁a", -1.0, 1), piece("b", -2.0, 1), piece("ab", -1.5, 1)];
    [pieces.concat(), words.concat(), trainer.to_vec()].concat()
}

/// Settings of adapters of the small model in `fuzz_targets/peft.rs`.
fn adapters() -> [serde_json::Value; 3] {
    let plain = json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 4,
        "target_modules": ["q_proj"], "bias": "none", "fan_in_fan_out": false,
    });
    let mut patterns = plain.clone();
    patterns["rank_pattern"] = json!({"layers.0.self_attn.q_proj": 2});
    patterns["alpha_pattern"] = json!({".*q_proj": 8});
    patterns["use_rslora"] = json!(true);
    let mut expression = plain.clone();
    expression["target_modules"] = json!(".*\\.q_proj$");
    expression["layers_to_transform"] = json!([0]);
    [plain, patterns, expression]
}

fn adapter_tensors() -> Vec<u8> {
    let name = |end: &str| format!("base_model.model.model.layers.0.self_attn.q_proj.{end}.weight");
    safetensors(&[
        (name("lora_A"), vec![2, 4], vec![0.5; 8]),
        (name("lora_B"), vec![4, 2], vec![0.25; 8]),
    ])
}
