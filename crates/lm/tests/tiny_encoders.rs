//! Small encoders made in code: hidden states against a plain forward pass in `f64`, the names of
//! old files and of GGUF, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{
    ActivationForm, Batch, CacheForm, Checkpoint, EncoderSpec, Infer, InferOptions, Isa, Pooling,
};
use allod_weights::make::GgufBuilder;
use common::encoder::{
    FEED_FORWARD, HEADS, POSITIONS, Plain, Tensors, WIDTH, bert, bert_config, modernbert,
    modernbert_config, write,
};
use common::relative_error;
use serde_json::{Value, json};
use std::sync::Arc;

const LAYERS: usize = 4;

fn open(config: &Value, tensors: &Tensors) -> allod_lm::Result<Checkpoint<EncoderSpec>> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), config, tensors);
    Checkpoint::open_encoder(folder.path())
}

fn infer(checkpoint: Checkpoint<EncoderSpec>) -> Infer<EncoderSpec> {
    let options = InferOptions {
        threads: 1,
        isa: Isa::detect(),
        slots: 4,
        context_tokens: POSITIONS,
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    };
    Infer::new(Arc::new(checkpoint), options).unwrap()
}

/// A batch of one sequence, all of whose rows are wanted.
fn batch(tokens: &[u32], segments: &[u32]) -> Batch {
    let mut batch = Batch::new();
    for (position, (token, segment)) in tokens.iter().zip(segments).enumerate() {
        batch.push_of_segment(0, position, *token, *segment);
        batch.want_last();
    }
    batch
}

fn tokens(length: u32) -> Vec<u32> {
    (0..length).map(|k| (k * 7 + length) % 23).collect()
}

fn hidden(config: &Value, tensors: &Tensors, tokens: &[u32], segments: &[u32]) -> Vec<f32> {
    let mut infer = infer(open(config, tensors).unwrap());
    infer.encode(&batch(tokens, segments)).unwrap().into_values()
}

fn close(found: &[f32], expected: &[Vec<f64>], what: &str) {
    let expected: Vec<f32> = expected.iter().flatten().map(|value| *value as f32).collect();
    let error = relative_error(found, &expected);
    assert!(error < 2e-6, "{what}: relative error {error}");
}

#[test]
fn bert_computes_what_a_plain_forward_pass_does() {
    let (config, tensors) = (bert_config(LAYERS), bert("", LAYERS, 2, 0));
    for length in [1, 2, 17, 40] {
        let tokens = tokens(length);
        let segments: Vec<u32> = (0..length).map(|k| u32::from(k > length / 2)).collect();
        let expected = Plain(&tensors).bert("", LAYERS, 0, &tokens, &segments);
        close(&hidden(&config, &tensors, &tokens, &segments), &expected, "bert");
    }
}

#[test]
fn xlm_roberta_starts_its_positions_after_the_padding_token() {
    for (padding, model, class) in
        [(1, "xlm-roberta", "XLMRobertaModel"), (4, "roberta", "RobertaModel")]
    {
        let unused = padding + 1;
        let mut config = bert_config(LAYERS);
        config["model_type"] = json!(model);
        config["architectures"] = json!([class]);
        config["pad_token_id"] = json!(padding);
        config["max_position_embeddings"] = json!(POSITIONS + unused);
        config["type_vocab_size"] = json!(1);
        let tensors = bert("roberta.", LAYERS, 1, unused);
        let tokens = tokens(31);
        let expected = Plain(&tensors).bert("roberta.", LAYERS, unused, &tokens, &[0; 31]);
        close(&hidden(&config, &tensors, &tokens, &[0; 31]), &expected, model);
    }
}

#[test]
fn modernbert_computes_what_a_plain_forward_pass_does() {
    let (config, tensors) = (modernbert_config(LAYERS), modernbert(LAYERS));
    for length in [1, 3, 6, 40] {
        let tokens = tokens(length);
        let expected = Plain(&tensors).modernbert(LAYERS, &tokens);
        let found = hidden(&config, &tensors, &tokens, &vec![0; tokens.len()]);
        close(&found, &expected, "modernbert");
    }
}

#[test]
fn prefixes_and_old_names_make_no_difference() {
    let (config, tensors, tokens) = (bert_config(LAYERS), bert("", LAYERS, 2, 0), tokens(20));
    let expected = hidden(&config, &tensors, &tokens, &[0; 20]);
    let prefixed = bert("bert.", LAYERS, 2, 0);
    assert_eq!(hidden(&config, &prefixed, &tokens, &[0; 20]), expected);
    let old = |name: &str| {
        name.replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta")
    };
    let mut renamed: Tensors =
        prefixed.into_iter().map(|(name, tensor)| (old(&name), tensor)).collect();
    renamed.insert("bert.embeddings.position_ids".to_string(), (vec![1, 1], vec![0.0]));
    renamed.insert("cls.predictions.bias".to_string(), (vec![1], vec![0.0]));
    assert_eq!(hidden(&config, &renamed, &tokens, &[0; 20]), expected);
}

/// BERT's names in GGUF.
fn gguf_name(name: &str) -> String {
    let pairs = [
        ("embeddings.word_embeddings", "token_embd"),
        ("embeddings.position_embeddings", "position_embd"),
        ("embeddings.token_type_embeddings", "token_types"),
        ("embeddings.LayerNorm", "token_embd_norm"),
        ("embeddings.tok_embeddings", "token_embd"),
        ("embeddings.norm", "token_embd_norm"),
        ("final_norm", "output_norm"),
        ("encoder.layer", "blk"),
        ("layers", "blk"),
        ("attention.self.query", "attn_q"),
        ("attention.self.key", "attn_k"),
        ("attention.self.value", "attn_v"),
        ("attention.output.dense", "attn_output"),
        ("attention.output.LayerNorm", "attn_output_norm"),
        ("intermediate.dense", "ffn_up"),
        ("output.dense", "ffn_down"),
        ("output.LayerNorm", "layer_output_norm"),
        ("attn.Wqkv", "attn_qkv"),
        ("attn.Wo", "attn_output"),
        ("mlp_norm", "ffn_norm"),
        ("mlp.Wi", "ffn_up"),
        ("mlp.Wo", "ffn_down"),
    ];
    pairs.iter().fold(name.to_string(), |name, (from, to)| name.replace(from, to))
}

fn gguf(architecture: &str, tensors: &Tensors) -> GgufBuilder {
    let key = |name: &str| format!("{architecture}.{name}");
    let keys = GgufBuilder::new()
        .text("general.architecture", architecture)
        .u32(&key("context_length"), POSITIONS as u32)
        .u32(&key("embedding_length"), WIDTH as u32)
        .u32(&key("block_count"), LAYERS as u32)
        .u32(&key("feed_forward_length"), FEED_FORWARD as u32)
        .u32(&key("attention.head_count"), HEADS as u32)
        .truth(&key("attention.causal"), false);
    tensors.iter().fold(keys, |file, (name, (shape, values))| {
        file.f32_tensor(&gguf_name(name), shape, values)
    })
}

fn open_gguf(file: GgufBuilder) -> allod_lm::Result<Checkpoint<EncoderSpec>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    std::fs::write(&path, file.build()).unwrap();
    Checkpoint::open_encoder(&path)
}

#[test]
fn gguf_files_give_the_bits_of_the_folder() {
    let (tokens, segments) = (tokens(20), [0; 20]);
    let tensors = bert("", LAYERS, 2, 0);
    let expected = hidden(&bert_config(LAYERS), &tensors, &tokens, &segments);
    let file = gguf("bert", &tensors).f32("bert.attention.layer_norm_epsilon", 1e-12);
    let found = infer(open_gguf(file).unwrap()).encode(&batch(&tokens, &segments)).unwrap();
    assert_eq!(found.into_values(), expected);

    let tensors = modernbert(LAYERS);
    let expected = hidden(&modernbert_config(LAYERS), &tensors, &tokens, &segments);
    let file = gguf("modern-bert", &tensors)
        .f32("modern-bert.attention.layer_norm_epsilon", 1e-5)
        .u32("modern-bert.attention.sliding_window", 5)
        .u32("modern-bert.attention.sliding_window_pattern", 3)
        .f32("modern-bert.rope.freq_base", 160_000.0)
        .f32("modern-bert.rope.freq_base_swa", 10_000.0);
    let found = infer(open_gguf(file).unwrap()).encode(&batch(&tokens, &segments)).unwrap();
    assert_eq!(found.into_values(), expected);
}

#[test]
fn gguf_files_that_ask_for_more_are_refused_by_name() {
    let tensors = bert("", LAYERS, 2, 0);
    let plain = || gguf("bert", &tensors).f32("bert.attention.layer_norm_epsilon", 1e-12);
    let head = plain().f32_tensor("cls.output.weight", &[1, WIDTH], &[0.0; WIDTH]);
    let message = open_gguf(head).unwrap_err().to_string();
    assert!(message.contains("head"), "{message}");
    for name in ["nomic-bert", "jina-bert-v2", "t5encoder"] {
        let file = GgufBuilder::new().text("general.architecture", name);
        let message = open_gguf(file).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains("modern-bert"), "{message}");
    }
}

#[test]
fn settings_that_would_change_the_result_are_refused_by_name() {
    let cases = [
        ("hidden_act", json!("relu"), "`relu`"),
        ("hidden_act", json!("gelu_new"), "`gelu_new`"),
        ("position_embedding_type", json!("relative_key"), "`relative_key`"),
        ("is_decoder", json!(true), "is_decoder"),
        ("add_cross_attention", json!(true), "add_cross_attention"),
        ("architectures", json!(["BertForTokenClassification"]), "`BertForTokenClassification`"),
        ("quantization_config", json!({"quant_method": "x"}), "quantization_config"),
        ("model_type", json!("nomic_bert"), "`nomic_bert`"),
        ("model_type", json!("qwen3"), "`qwen3`"),
        ("num_attention_heads", json!(5), "num_attention_heads"),
        ("num_attention_heads", json!(0), "num_attention_heads"),
        ("num_hidden_layers", json!(0), "number of layers"),
        ("num_hidden_layers", json!(16_777_216), "is missing"),
        ("max_position_embeddings", json!(1_u64 << 40), "context length"),
        ("vocab_size", json!(24), "word_embeddings"),
        ("layer_norm_eps", json!(-1.0), "epsilon"),
    ];
    let tensors = bert("", LAYERS, 2, 0);
    for (key, value, expected) in cases {
        let mut config = bert_config(LAYERS);
        config[key] = value;
        let message = open(&config, &tensors).unwrap_err().to_string();
        assert!(message.contains(expected), "{key}: {message} should say {expected}");
    }
    let cases = [
        ("hidden_activation", json!("silu"), "`silu`"),
        ("rope_scaling", json!({"rope_type": "yarn"}), "rope_scaling"),
        ("layer_types", json!(vec!["full_attention"; 3]), "layer_types"),
        ("layer_types", json!(vec!["chunked_attention"; 4]), "`chunked_attention`"),
        ("num_hidden_layers", json!(1_000_000), "num_hidden_layers"),
        ("architectures", json!(["ModernBertForQuestionAnswering"]), "QuestionAnswering"),
    ];
    for (key, value, expected) in cases {
        let mut config = modernbert_config(LAYERS);
        config[key] = value;
        let message = open(&config, &modernbert(LAYERS)).unwrap_err().to_string();
        assert!(message.contains(expected), "{key}: {message} should say {expected}");
    }
}

#[test]
fn a_decoder_s_loader_does_not_take_an_encoder() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &bert_config(LAYERS), &bert("", LAYERS, 2, 0));
    let message = Checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("`bert`"), "{message}");
}

#[test]
fn batches_that_cannot_be_run_are_refused_and_pooling_takes_the_right_rows() {
    let checkpoint = open(&bert_config(LAYERS), &bert("", LAYERS, 2, 0)).unwrap();
    let mut infer = infer(checkpoint);
    assert!(infer.encode(&batch(&[1, 2], &[0, 2])).unwrap_err().to_string().contains("segments"));
    assert!(infer.encode(&batch(&[99], &[0])).unwrap_err().to_string().contains("vocabulary"));
    assert!(infer.encode(&batch(&tokens(41), &[0; 41])).is_err());
    assert!(infer.scores(&batch(&[1], &[0])).unwrap_err().to_string().contains("no head"));
    let batch = batch(&tokens(9), &[0; 9]);
    let rows = infer.encode(&batch).unwrap();
    let rows: Vec<&[f32]> = rows.rows().collect();
    let pool = |infer: &mut Infer<EncoderSpec>, pooling| {
        infer.pool(&batch, pooling).unwrap().into_values()
    };
    assert_eq!(pool(&mut infer, Pooling::First), rows[0]);
    assert_eq!(pool(&mut infer, Pooling::Last), rows[8]);
    let mean: Vec<f32> =
        (0..WIDTH).map(|at| rows.iter().fold(0.0, |sum, row| sum + row[at]) / 9.0).collect();
    assert_eq!(pool(&mut infer, Pooling::Mean), mean);
}
