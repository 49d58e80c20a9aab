//! Embedders and cross-encoders over small models made in code: whatever is embedded together, cut
//! or put before texts, as the model's files say.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{
    ActivationForm, Batch, CacheForm, Checkpoint, CrossEncoder, EmbedOptions, Embedder, Infer,
    InferOptions, Isa, Purpose,
};
use common::Numbers;
use common::encoder::{POSITIONS, Plain, WIDTH, bert, bert_config, write};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const LAYERS: usize = 2;
const WORDS: [&str; 23] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "dog", "sat", "on", "the", "mat", "##s", "is",
    "where", "?", ".", "red", "green", "blue", "house", "##ed", "q", ":",
];

/// A WordPiece tokenizer of a few words, framed as BERT's.
fn tokenizer() -> Value {
    let vocabulary: serde_json::Map<String, Value> =
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

fn put(folder: &Path, name: &str, value: &Value) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, value.to_string()).unwrap();
}

/// The small BERT with its tokenizer.
fn plain_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &bert_config(LAYERS), &bert("", LAYERS, 2, 0));
    put(folder.path(), "tokenizer.json", &tokenizer());
    folder
}

fn list_modules(folder: &Path, pooling: &str) {
    let module = |path: &str, kind: &str| json!({"path": path, "type": format!("x.models.{kind}")});
    let modules =
        [module("", "Transformer"), module("1_Pooling", "Pooling"), module("2_N", "Normalize")];
    put(folder, "modules.json", &json!(modules));
    put(folder, "1_Pooling/config.json", &json!({"pooling_mode": pooling}));
}

fn options(threads: usize, isa: Isa) -> EmbedOptions {
    EmbedOptions { threads, isa }
}

fn load(folder: &Path) -> Embedder {
    Embedder::load(folder, options(1, Isa::detect())).unwrap()
}

fn texts() -> Vec<String> {
    (0..150)
        .map(|k| {
            WORDS[4..].iter().cycle().skip(k).take(k % 60).copied().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn a_folder_without_modules_gives_means_as_they_are() {
    let folder = plain_folder();
    let mut embedder = load(folder.path());
    assert_eq!((embedder.dimensions(), embedder.max_tokens()), (WIDTH, POSITIONS));
    let tensors = bert("", LAYERS, 2, 0);
    let tokens = [2, 9, 5, 11, 7, 3]; // [CLS] the cat ##s sat [SEP]
    let rows = Plain(&tensors).bert("", LAYERS, 0, &tokens, &[0; 6]);
    let expected = (0..WIDTH).map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / 6.0);
    let expected: Vec<f32> = expected.map(|value| value as f32).collect();
    let found = embedder.embed(Purpose::Any, &["The cats sat"]).unwrap();
    assert!(common::relative_error(&found[0], &expected) < 2e-6);
}

#[test]
fn company_threads_and_instruction_sets_do_not_matter() {
    let folder = plain_folder();
    list_modules(folder.path(), "mean");
    let texts = texts();
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut alone = Embedder::load(folder.path(), options(1, Isa::Scalar)).unwrap();
    let expected: Vec<Vec<f32>> =
        all.iter().map(|text| alone.embed(Purpose::Any, &[text]).unwrap().remove(0)).collect();
    for isa in Isa::available() {
        for threads in [1, 2] {
            let mut embedder = Embedder::load(folder.path(), options(threads, isa)).unwrap();
            let found = embedder.embed(Purpose::Any, &all).unwrap();
            assert!(found == expected, "{isa:?} {threads}");
        }
    }
    let length: f32 = expected[7].iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-6, "length {length}");
}

#[test]
fn texts_are_cut_where_the_files_say() {
    let folder = plain_folder();
    list_modules(folder.path(), "cls");
    put(folder.path(), "sentence_bert_config.json", &json!({"max_seq_length": 6}));
    let mut embedder = load(folder.path());
    assert_eq!(embedder.max_tokens(), 6);
    let texts = ["the cat sat on the mat.", "the cat sat on", "the cat sat"];
    let found = embedder.embed(Purpose::Any, &texts).unwrap();
    assert_eq!(found[0], found[1]);
    assert_ne!(found[0], found[2]);
    put(folder.path(), "sentence_bert_config.json", &json!({"max_seq_length": 2}));
    let message = load(folder.path()).embed(Purpose::Any, &texts).unwrap_err().to_string();
    assert!(message.contains("leave no room"), "{message}");
    // A promise beyond the positions that there are does not hold.
    put(folder.path(), "sentence_bert_config.json", &json!({"max_seq_length": 5000}));
    assert_eq!(load(folder.path()).max_tokens(), POSITIONS);
}

#[test]
fn prompts_come_before_texts_by_purpose() {
    let folder = plain_folder();
    list_modules(folder.path(), "mean");
    let prompts =
        json!({"prompts": {"query": "q: ", "passage": "a "}, "default_prompt_name": null});
    put(folder.path(), "config_sentence_transformers.json", &prompts);
    let mut embedder = load(folder.path());
    let plain = embedder.embed(Purpose::Any, &["q: red", "a red", "red"]).unwrap();
    assert_eq!(embedder.embed(Purpose::Query, &["red"]).unwrap(), plain[..1]);
    assert_eq!(embedder.embed(Purpose::Document, &["red"]).unwrap(), plain[1..2]);
    assert_eq!(embedder.embed_after("q: ", &["red"]).unwrap(), plain[..1]);
    let default = json!({"prompts": {"x": "a "}, "default_prompt_name": "x"});
    put(folder.path(), "config_sentence_transformers.json", &default);
    let mut embedder = load(folder.path());
    assert_eq!(embedder.embed(Purpose::Any, &["red"]).unwrap(), plain[1..2]);
    // A purpose without words of its own has none, whatever the default.
    assert_eq!(embedder.embed(Purpose::Query, &["red"]).unwrap(), plain[2..]);
    let unknown = json!({"prompts": {}, "default_prompt_name": "y"});
    put(folder.path(), "config_sentence_transformers.json", &unknown);
    let message = Embedder::load(folder.path(), options(1, Isa::Scalar)).err().unwrap().to_string();
    assert!(message.contains("`y`"), "{message}");
}

#[test]
fn a_decoder_embeds_where_its_files_say_how() {
    const HEADS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(5);
    let mut tensors = common::encoder::Tensors::new();
    let mut add = |name: String, shape: &[usize]| {
        let values = numbers.take(shape.iter().product());
        tensors.insert(name, (shape.to_vec(), values));
    };
    // Without a prefix and without an output projection, as embedding models are published.
    add("embed_tokens.weight".to_string(), &[WORDS.len(), WIDTH]);
    add("norm.weight".to_string(), &[WIDTH]);
    for layer in 0..LAYERS {
        let mut add =
            |name: &str, shape: &[usize]| add(format!("layers.{layer}.{name}.weight"), shape);
        ["input_layernorm", "post_attention_layernorm"].iter().for_each(|name| add(name, &[WIDTH]));
        ["q_norm", "k_norm"].iter().for_each(|name| add(&format!("self_attn.{name}"), &[4]));
        add("self_attn.q_proj", &[4 * HEADS, WIDTH]);
        add("self_attn.k_proj", &[4 * 2, WIDTH]);
        add("self_attn.v_proj", &[4 * 2, WIDTH]);
        add("self_attn.o_proj", &[WIDTH, 4 * HEADS]);
        add("mlp.gate_proj", &[20, WIDTH]);
        add("mlp.up_proj", &[20, WIDTH]);
        add("mlp.down_proj", &[WIDTH, 20]);
    }
    let config = json!({
        "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "vocab_size": WORDS.len(),
        "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": 2, "head_dim": 4, "intermediate_size": 20, "hidden_act": "silu",
        "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "tie_word_embeddings": false,
    });
    write(folder.path(), &config, &tensors);
    put(folder.path(), "tokenizer.json", &tokenizer());
    let message = Embedder::load(folder.path(), options(1, Isa::Scalar)).err().unwrap().to_string();
    assert!(message.contains("1_Pooling"), "{message}");
    list_modules(folder.path(), "lasttoken");
    let texts = ["the cat", "a red house is on the mat", "?"];
    let together = load(folder.path()).embed(Purpose::Any, &texts).unwrap();
    for (text, expected) in texts.iter().zip(&together) {
        assert_eq!(&load(folder.path()).embed(Purpose::Any, &[text]).unwrap()[0], expected);
    }
    // The vector of the last token sees all others: the first two texts' last token is the same.
    assert_ne!(together[0], together[1]);
}

/// The small BERT with a head that gives `labels` scores.
fn scoring_folder(labels: usize, more: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = bert("bert.", LAYERS, 2, 0);
    let mut numbers = Numbers(3);
    for (name, shape) in [
        ("bert.pooler.dense.weight", vec![WIDTH, WIDTH]),
        ("bert.pooler.dense.bias", vec![WIDTH]),
        ("classifier.weight", vec![labels, WIDTH]),
        ("classifier.bias", vec![labels]),
    ] {
        let values = numbers.take(shape.iter().product());
        tensors.insert(name.to_string(), (shape, values));
    }
    let mut config = bert_config(LAYERS);
    config["architectures"] = json!(["BertForSequenceClassification"]);
    let names: serde_json::Map<String, Value> =
        (0..labels).map(|label| (label.to_string(), json!("x"))).collect();
    config["id2label"] = Value::Object(names);
    more.iter().for_each(|(key, value)| config[*key] = value.clone());
    write(folder.path(), &config, &tensors);
    put(folder.path(), "tokenizer.json", &tokenizer());
    folder
}

fn cross(folder: &Path) -> CrossEncoder {
    CrossEncoder::load(folder, options(1, Isa::detect())).unwrap()
}

#[test]
fn pairs_are_scored_by_the_head_over_the_first_token() {
    let folder = scoring_folder(1, &[]);
    let mut model = cross(folder.path());
    // [CLS] where is the cat ? [SEP] the cat sat [SEP]
    let tokens = [2, 13, 12, 9, 5, 14, 3, 9, 5, 7, 3];
    let segments = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1];
    let checkpoint = Checkpoint::open_encoder(folder.path()).unwrap();
    let options = InferOptions {
        threads: 1,
        isa: Isa::Scalar,
        slots: 1,
        context_tokens: POSITIONS,
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    };
    let mut infer = Infer::new(Arc::new(checkpoint), options).unwrap();
    let mut batch = Batch::new();
    for (position, (token, segment)) in tokens.iter().zip(segments).enumerate() {
        batch.push_of_segment(0, position, *token, segment);
    }
    let expected = infer.scores(&batch).unwrap().into_values();
    let documents = ["the cat sat", "a red house", "?"];
    let logits = model.logits(&documents.map(|text| ("Where is the cat?", text))).unwrap();
    assert_eq!(logits[0], expected);
    let scores = model.scores("Where is the cat?", &documents).unwrap();
    for (score, logits) in scores.iter().zip(&logits) {
        assert!((score - 1.0 / (1.0 + (-logits[0]).exp())).abs() < 1e-6);
    }
    let plain =
        [("sbert_ce_default_activation_function", json!("torch.nn.modules.linear.Identity"))];
    let mut model = cross(scoring_folder(1, &plain).path());
    assert_eq!(model.scores("Where is the cat?", &documents).unwrap(), logits.concat());
}

#[test]
fn segments_are_told_only_to_models_that_take_them() {
    let folder = scoring_folder(1, &[]);
    let with = cross(folder.path()).logits(&[("cat", "dog")]).unwrap();
    let inputs = json!({"model_input_names": ["input_ids", "attention_mask"]});
    put(folder.path(), "tokenizer_config.json", &inputs);
    assert_ne!(cross(folder.path()).logits(&[("cat", "dog")]).unwrap(), with);
}

#[test]
fn models_that_do_not_score_pairs_are_refused_by_name() {
    let load = |folder: &Path| match CrossEncoder::load(folder, options(1, Isa::Scalar)) {
        Ok(_) => panic!("this is no cross-encoder"),
        Err(error) => error.to_string(),
    };
    assert!(load(plain_folder().path()).contains("head for scores"));
    let tanh = [("sentence_transformers", json!({"activation_fn": "torch.nn.modules.Tanh"}))];
    assert!(load(scoring_folder(1, &tanh).path()).contains("`Tanh`"));
    let more = [("id2label", json!({"0": "a", "1": "b"}))];
    assert!(load(scoring_folder(1, &more).path()).contains("classifier"));
    let mut three = cross(scoring_folder(3, &[]).path());
    assert_eq!(three.logits(&[("cat", "dog")]).unwrap()[0].len(), 3);
    assert!(three.scores("cat", &["dog"]).unwrap_err().to_string().contains("3 scores"));
}
