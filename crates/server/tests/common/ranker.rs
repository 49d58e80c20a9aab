//! A tiny BERT that scores pairs of texts: random weights, a vocabulary of a few words.

use std::path::Path;

use allod_weights::make::safetensors;
use serde_json::{Map, Value, json};

const WIDTH: usize = 12;
const INNER: usize = 20;
const WORDS: [&str; 10] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "dog", "sat", "on", "mat"];

/// Writes a model folder.
pub fn write_folder(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let put = |name: &str, value: Value| {
        std::fs::write(folder.join(name), value.to_string()).unwrap();
    };
    put("config.json", config());
    put("tokenizer.json", tokenizer());
    std::fs::write(folder.join("model.safetensors"), safetensors(&tensors())).unwrap();
}

fn config() -> Value {
    json!({
        "model_type": "bert", "architectures": ["BertForSequenceClassification"],
        "vocab_size": WORDS.len(), "hidden_size": WIDTH, "num_hidden_layers": 1,
        "num_attention_heads": 3, "intermediate_size": INNER, "hidden_act": "gelu",
        "type_vocab_size": 2, "max_position_embeddings": 40, "layer_norm_eps": 1e-12,
        "pad_token_id": 0, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
    })
}

fn tensors() -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut names: Vec<(String, Vec<usize>)> = Vec::new();
    let mut add = |name: &str, shape: &[usize]| names.push((name.to_owned(), shape.to_vec()));
    add("bert.embeddings.word_embeddings.weight", &[WORDS.len(), WIDTH]);
    add("bert.embeddings.position_embeddings.weight", &[40, WIDTH]);
    add("bert.embeddings.token_type_embeddings.weight", &[2, WIDTH]);
    let layer = "bert.encoder.layer.0.";
    for norm in [
        "bert.embeddings.LayerNorm",
        &format!("{layer}attention.output.LayerNorm"),
        &format!("{layer}output.LayerNorm"),
    ] {
        add(&format!("{norm}.weight"), &[WIDTH]);
        add(&format!("{norm}.bias"), &[WIDTH]);
    }
    for (name, outputs, inputs) in [
        (format!("{layer}attention.self.query"), WIDTH, WIDTH),
        (format!("{layer}attention.self.key"), WIDTH, WIDTH),
        (format!("{layer}attention.self.value"), WIDTH, WIDTH),
        (format!("{layer}attention.output.dense"), WIDTH, WIDTH),
        (format!("{layer}intermediate.dense"), INNER, WIDTH),
        (format!("{layer}output.dense"), WIDTH, INNER),
        ("bert.pooler.dense".to_owned(), WIDTH, WIDTH),
        ("classifier".to_owned(), 1, WIDTH),
    ] {
        add(&format!("{name}.weight"), &[outputs, inputs]);
        add(&format!("{name}.bias"), &[outputs]);
    }
    let numbers = |seed: usize, count: usize| {
        let number = |at: usize| ((at * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0;
        (0..count).map(number).collect()
    };
    let tensor = |(seed, (name, shape)): (usize, (String, Vec<usize>))| {
        let values = numbers(seed, shape.iter().product());
        (name, shape, values)
    };
    names.into_iter().enumerate().map(tensor).collect()
}

fn tokenizer() -> Value {
    let vocabulary: Map<String, Value> =
        WORDS.iter().enumerate().map(|(id, word)| ((*word).to_string(), id.into())).collect();
    let added: Vec<Value> = (0..4)
        .map(|id| {
            json!({"id": id, "content": WORDS[id], "special": true, "normalized": false,
                   "single_word": false, "lstrip": false, "rstrip": false})
        })
        .collect();
    let token =
        |name: &str, segment: u32| json!({"SpecialToken": {"id": name, "type_id": segment}});
    let text = |name: &str, segment: u32| json!({"Sequence": {"id": name, "type_id": segment}});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token("[CLS]", 0), text("A", 0), token("[SEP]", 0)],
            "pair": [token("[CLS]", 0), text("A", 0), token("[SEP]", 0), text("B", 1),
                     token("[SEP]", 1)],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    })
}
