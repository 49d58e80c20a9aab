//! Models into the other kind of file and back: the same computation, bit for bit in F32.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

mod common;

use allod_lm::{
    ActivationForm, Batch, CacheForm, Checkpoint, Container, ConvertOptions, DecoderSpec, Format,
    Infer, InferOptions, Isa, RopePairing, RopeScaling, Tokenizer, WeightId, convert,
};
use allod_weights::TensorFile;
use allod_weights::make::safetensors;
use common::{
    Numbers, all_logits, encoder, infer, shared, tiny, tiny_gguf, tiny_keys, tiny_tensors,
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::tempdir;

const TOKENS: [u32; 24] =
    [1, 7, 3, 9, 0, 12, 5, 5, 18, 2, 4, 6, 8, 10, 11, 13, 1, 1, 3, 17, 16, 15, 14, 2];

const TO_GGUF: ConvertOptions =
    ConvertOptions { container: Container::Gguf, format: Some(Format::F32) };
const TO_FOLDER: ConvertOptions =
    ConvertOptions { container: Container::Safetensors, format: Some(Format::F32) };

fn logits(path: &Path) -> Vec<u32> {
    let checkpoint = Arc::new(Checkpoint::open(path).unwrap());
    let mut infer = infer(&checkpoint, 1, Isa::detect());
    all_logits(&mut infer, 0, &TOKENS, 24).iter().map(|logit| logit.to_bits()).collect()
}

/// Settings of small models of every architecture, beyond those that all have.
fn models() -> Vec<(&'static str, Value)> {
    let llama3 = json!({"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16});
    let yarn = json!({"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0,
        "original_max_position_embeddings": 16});
    let linear = json!({"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0});
    let divisors: Vec<f32> = (0..8).map(|pair| 1.0 + pair as f32 / 3.0).collect();
    let long = json!({"rope_type": "longrope", "rope_theta": 1e4, "short_factor": divisors,
        "long_factor": vec![4.0; 8], "original_max_position_embeddings": 16});
    let two = json!({"num_experts_per_tok": 2, "num_local_experts": 5});
    let few = json!({"num_experts_per_tok": 2, "num_experts": 5, "moe_intermediate_size": 32});
    let with = |base: &Value, more: Value| {
        let mut base = base.as_object().unwrap().clone();
        base.extend(more.as_object().unwrap().clone());
        Value::Object(base)
    };
    vec![
        ("llama", json!({"rope_parameters": llama3})),
        ("llama", json!({"tie_word_embeddings": true, "rope_parameters": linear})),
        ("llama", json!({"rope_parameters": yarn})),
        ("mistral", json!({"sliding_window": 7})),
        ("mixtral", two.clone()),
        ("qwen2", json!({"rope_parameters": yarn})),
        ("qwen3", json!({})),
        ("qwen3_moe", with(&few, json!({"norm_topk_prob": true}))),
        ("qwen3_moe", with(&few, json!({"norm_topk_prob": false}))),
        ("olmoe", with(&few, json!({"clip_qkv": 3.0}))),
        ("apertus", json!({"hidden_act": "xielu", "rope_parameters": llama3})),
        ("apertus", json!({"hidden_act": "xielu", "tie_word_embeddings": true})),
        ("apertus", json!({"hidden_act": "xielu", "output_vocab_size": 12})),
        (
            "gemma2",
            json!({"hidden_act": "gelu_pytorch_tanh", "sliding_window": 7,
            "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
            "query_pre_attn_scalar": 20, "dtype": "bfloat16"}),
        ),
        (
            "gemma3_text",
            json!({"hidden_act": "gelu_pytorch_tanh", "sliding_window": 7,
            "query_pre_attn_scalar": 16, "layer_types": ["full_attention", "sliding_attention"]}),
        ),
        ("smollm3", json!({"no_rope_layers": [1, 1], "tie_word_embeddings": false})),
        (
            "phi3",
            json!({"partial_rotary_factor": 1.0, "rope_parameters": long,
            "sliding_window": 9}),
        ),
        (
            "granite",
            json!({"embedding_multiplier": 12.0, "logits_scaling": 6.0,
            "residual_multiplier": 0.22, "attention_multiplier": 0.1}),
        ),
        ("gpt_oss", with(&two, json!({"sliding_window": 7, "attention_bias": true}))),
        (
            "allod-moe",
            with(
                &few,
                json!({"expert_weighting": "softmax", "mlp_only_layers": [1],
            "sliding_window": 7}),
            ),
        ),
    ]
}

/// A folder with the model and random weights.
fn write_model(folder: &Path, name: &str, more: &Value) {
    let mut config = json!({
        "model_type": name, "vocab_size": 20, "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96,
        "max_position_embeddings": 64, "head_dim": 16, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false, "hidden_act": "silu", "rope_theta": 10000.0,
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    write_weights(folder, config.as_object().unwrap());
}

fn write_weights(folder: &Path, config: &Map<String, Value>) {
    std::fs::write(folder.join("config.json"), Value::Object(config.clone()).to_string()).unwrap();
    let spec = DecoderSpec::from_config(&folder.join("config.json")).unwrap();
    let mut numbers = Numbers(31);
    let weights: Vec<(WeightId, Vec<f32>)> = spec
        .weights()
        .map(|(id, shape)| {
            let mut values = numbers.take(shape.iter().product());
            // Norms near 1, so that what Gemma adds to them is exact.
            values.iter_mut().for_each(|value| match shape.len() {
                1 => *value = 1.0 + (*value * 64.0).round() / 64.0,
                _ => *value *= 2.0,
            });
            (id, values)
        })
        .collect();
    let given = weights.iter().map(|(id, values)| (*id, values.as_slice()));
    let tensors =
        allod_lm::huggingface_tensors(&spec, &|_| false, allod_lm::Stored::Weights, given).unwrap();
    let tensors: Vec<_> =
        tensors.into_iter().map(|tensor| (tensor.name, tensor.shape, tensor.values)).collect();
    std::fs::write(folder.join("model.safetensors"), safetensors(&tensors)).unwrap();
}

/// Whether logits are equal, or as close as they can be where a file has the rows of queries and
/// keys in another order: then the products of a score are added in another order.
fn same(found: &[u32], expected: &[u32], reordered: bool) -> bool {
    let float = |bits: &u32| f32::from_bits(*bits);
    let most = expected.iter().map(|bits| float(bits).abs()).fold(0.0, f32::max);
    let close = |(one, two): (&u32, &u32)| (float(one) - float(two)).abs() <= 1e-5 * most;
    found == expected || reordered && found.iter().zip(expected).all(close)
}

#[test]
fn every_architecture_goes_there_and_back() {
    for (name, more) in models() {
        let work = tempdir().unwrap();
        let path = |name: &str| work.path().join(name);
        let source = path("source");
        std::fs::create_dir(&source).unwrap();
        write_model(&source, name, &more);
        let expected = logits(&source);
        convert(&source, &path("there.gguf"), TO_GGUF).unwrap();
        let there = Checkpoint::open(&path("there.gguf")).unwrap();
        let reordered = there.spec().rope.pairing == RopePairing::Interleaved;
        // LongRoPE's factor has 32 bits in GGUF.
        let rounded = matches!(there.spec().rope.scaling, RopeScaling::Long { .. });
        let found = logits(&path("there.gguf"));
        assert!(same(&found, &expected, reordered || rounded), "{name} {more} in GGUF");
        convert(&path("there.gguf"), &path("back"), TO_FOLDER)
            .unwrap_or_else(|error| panic!("{name} {more}: {error}"));
        let expected = if rounded { found } else { expected };
        assert!(logits(&path("back")) == expected, "{name} {more} back in a folder");
        convert(&path("back"), &path("again"), TO_FOLDER).unwrap();
        assert!(logits(&path("again")) == expected, "{name} {more} from folder to folder");
        convert(&path("there.gguf"), &path("again.gguf"), TO_GGUF).unwrap();
        let bytes = |name: &str| std::fs::read(path(name)).unwrap();
        assert!(bytes("again.gguf") == bytes("there.gguf"), "{name} {more} from GGUF to GGUF");
    }
}

/// The last hidden states of an encoder, and its bits.
fn hidden(path: &Path) -> Vec<u32> {
    let checkpoint = Arc::new(Checkpoint::open_encoder(path).unwrap());
    let options = InferOptions {
        threads: 1,
        isa: Isa::detect(),
        slots: 1,
        context_tokens: 24,
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    };
    let mut infer = Infer::new(checkpoint, options).unwrap();
    let mut batch = Batch::new();
    for (position, token) in TOKENS.into_iter().enumerate() {
        batch.push_of_segment(0, position, token, 0);
        batch.want_last();
    }
    let hidden = infer.encode(&batch).unwrap().into_values();
    hidden.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn encoders_go_there_and_back() {
    let mut roberta = encoder::bert_config(2);
    roberta["model_type"] = json!("xlm-roberta");
    roberta["architectures"] = json!(["XLMRobertaModel"]);
    roberta["max_position_embeddings"] = json!(encoder::POSITIONS + 2);
    roberta["pad_token_id"] = json!(1);
    for (config, tensors) in [
        (encoder::bert_config(2), encoder::bert("bert.", 2, 2, 0)),
        (roberta, encoder::bert("", 2, 2, 2)),
        (encoder::modernbert_config(5), encoder::modernbert(5)),
    ] {
        let name = config["model_type"].as_str().unwrap();
        let work = tempdir().unwrap();
        let path = |name: &str| work.path().join(name);
        std::fs::create_dir_all(path("source/1_Pooling")).unwrap();
        encoder::write(&path("source"), &config, &tensors);
        let modules = json!([{"type": "a.Transformer", "path": ""},
            {"type": "a.Pooling", "path": "1_Pooling"}, {"type": "a.Normalize", "path": "2"}]);
        std::fs::write(path("source/modules.json"), modules.to_string()).unwrap();
        let pooling = json!({"pooling_mode_cls_token": true}).to_string();
        std::fs::write(path("source/1_Pooling/config.json"), pooling).unwrap();
        let expected = hidden(&path("source"));
        convert(&path("source"), &path("there.gguf"), TO_GGUF).unwrap();
        assert!(hidden(&path("there.gguf")) == expected, "{name} in GGUF");
        let file = TensorFile::open(&path("there.gguf")).unwrap();
        let kind = file.metadata().text("general.architecture").unwrap().to_string();
        let pooling = file.metadata().number(&format!("{kind}.pooling_type"));
        assert_eq!(pooling.and_then(|pooling| pooling.as_u64()), Some(2), "{name}");
        convert(&path("there.gguf"), &path("back"), TO_FOLDER).unwrap();
        assert!(hidden(&path("back")) == expected, "{name} back in a folder");
        convert(&path("source"), &path("again"), TO_FOLDER).unwrap();
        assert!(hidden(&path("again")) == expected, "{name} from folder to folder");
        convert(&path("back"), &path("again.gguf"), TO_GGUF).unwrap();
        convert(&path("there.gguf"), &path("same.gguf"), TO_GGUF).unwrap();
        let tensors = |name: &str| {
            let file = TensorFile::open(&path(name)).unwrap();
            let kind = file.metadata().text("general.architecture").unwrap();
            let pooling = file.metadata().number(&format!("{kind}.pooling_type"));
            assert_eq!(pooling.and_then(|pooling| pooling.as_u64()), Some(2), "{name}");
            let all = file.tensors().map(|tensor| (tensor.name.to_string(), tensor.bytes.to_vec()));
            all.collect::<Vec<_>>()
        };
        assert!(tensors("again.gguf") == tensors("there.gguf"), "{name} there again");
        assert!(tensors("same.gguf") == tensors("there.gguf"), "{name} from GGUF to GGUF");
    }
}

#[test]
fn a_head_for_scores_is_refused_in_gguf_and_kept_in_a_folder() {
    let work = tempdir().unwrap();
    let source = work.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let mut config = encoder::bert_config(2);
    config["architectures"] = json!(["BertForSequenceClassification"]);
    config["num_labels"] = json!(3);
    let mut tensors = encoder::bert("bert.", 2, 2, 0);
    for (name, rows) in [("bert.pooler.dense", encoder::WIDTH), ("classifier", 3)] {
        let values = vec![0.5; rows * encoder::WIDTH];
        tensors.insert(format!("{name}.weight"), (vec![rows, encoder::WIDTH], values));
        tensors.insert(format!("{name}.bias"), (vec![rows], vec![0.25; rows]));
    }
    encoder::write(&source, &config, &tensors);
    let message = convert(&source, &work.path().join("x.gguf"), TO_GGUF).unwrap_err().to_string();
    assert!(message.contains("a head for scores"), "{message}");
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 1);
    let report = convert(&source, &work.path().join("copy"), TO_FOLDER).unwrap();
    assert_eq!(report.tensors, tensors.len());
}

#[test]
fn the_small_llama_with_biases_stays_in_gguf() {
    let work = tempdir().unwrap();
    let source = work.path().join("source.gguf");
    std::fs::write(&source, tiny_gguf(tiny_keys(), &tiny_tensors())).unwrap();
    let target = work.path().join("target.gguf");
    let report = convert(&source, &target, TO_GGUF).unwrap();
    assert_eq!(report.tensors, tiny_tensors().len());
    assert_eq!(report.bytes, 4 * tiny().file().parameters());
    assert!(logits(&target) == logits(&source));
    // Its biases are on queries, keys and values alone, which no folder of a Llama can say.
    let folder = work.path().join("folder");
    let message = convert(&source, &folder, TO_FOLDER).unwrap_err().to_string();
    assert!(message.contains("config.json cannot say"), "{message}");
    assert!(!folder.exists());
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 2);
}

fn sample(work: &Path, name: &str, more: &Value) -> PathBuf {
    let source = work.join("source");
    std::fs::create_dir(&source).unwrap();
    write_model(&source, name, more);
    source
}

#[test]
fn formats_are_those_of_the_common_quantiser() {
    let work = tempdir().unwrap();
    let source = sample(work.path(), "qwen3_moe", &models()[7].1);
    let types = |format: Format| {
        let target = work.path().join(format.name());
        convert(&source, &target, ConvertOptions { format: Some(format), ..TO_GGUF }).unwrap();
        let file = TensorFile::open(&target).unwrap();
        let names =
            ["token_embd", "output", "blk.0.attn_q", "blk.0.ffn_gate_inp", "blk.1.attn_norm"];
        names.map(|name| file.tensor(&format!("{name}.weight")).unwrap().format().unwrap().name())
    };
    assert_eq!(types(Format::Q4_0), ["Q4_0", "Q8_0", "Q4_0", "F32", "F32"]);
    assert_eq!(types(Format::Q8_0), ["Q8_0", "Q8_0", "Q8_0", "F32", "F32"]);
    assert_eq!(types(Format::BF16), ["BF16", "BF16", "BF16", "F32", "F32"]);
    // The order of tensors, and of the keys that a quantiser sets, is its too.
    let file = TensorFile::open(&work.path().join("Q4_0")).unwrap();
    let names: Vec<&str> = file.tensors().map(|tensor| tensor.name).take(5).collect();
    let expected = ["output", "output_norm", "token_embd", "blk.0.attn_k", "blk.0.attn_k_norm"];
    assert_eq!(names, expected.map(|name| format!("{name}.weight")));
    let bytes = std::fs::read(work.path().join("Q4_0")).unwrap();
    let at = |text: &str| bytes.windows(text.len()).position(|part| part == text.as_bytes());
    let keys = ["tokenizer.ggml.model", "general.quantization_version", "general.file_type"];
    assert!(keys.map(at).is_sorted() && at(keys[0]).is_some(), "{:?}", keys.map(at));
}

#[test]
fn what_other_programs_do_otherwise_is_said() {
    for (name, more, expected) in [
        ("mistral", json!({"sliding_window": 9}), "longer than 9 tokens"),
        ("olmoe", json!({"num_experts": 3, "num_experts_per_tok": 1}), "as many key heads"),
    ] {
        let work = tempdir().unwrap();
        let source = sample(work.path(), name, &more);
        let report = convert(&source, &work.path().join("x.gguf"), TO_GGUF).unwrap();
        assert!(report.notes.iter().any(|note| note.contains(expected)), "{report:?}");
    }
    let work = tempdir().unwrap();
    let mut tensors = encoder::bert("", 2, 2, 0);
    tensors.insert("pooler.dense.bias".into(), (vec![encoder::WIDTH], vec![0.5; encoder::WIDTH]));
    encoder::write(work.path(), &encoder::bert_config(2), &tensors);
    let report = convert(work.path(), &work.path().join("copy"), TO_FOLDER).unwrap();
    assert!(report.notes.iter().any(|note| note.contains("`pooler.dense.bias`")), "{report:?}");
}

#[test]
fn what_loading_adds_to_is_copied_as_it_stands() {
    let work = tempdir().unwrap();
    let source = sample(work.path(), "gemma2", &json!({"hidden_act": "gelu_pytorch_tanh"}));
    let name = "model.norm.weight";
    let file = TensorFile::open(&source).unwrap();
    let mut tensors: Vec<_> = file
        .tensors()
        .map(|tensor| {
            let values = tensor.bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            (tensor.name.to_string(), tensor.shape.to_vec(), values.collect::<Vec<f32>>())
        })
        .collect();
    drop(file);
    // Too fine to be kept in a sum with one.
    let norm = tensors.iter_mut().find(|(own, ..)| own == name).unwrap();
    norm.2.iter_mut().for_each(|value| *value *= 1.234_567e-3);
    std::fs::write(source.join("model.safetensors"), safetensors(&tensors)).unwrap();
    let copy = work.path().join("copy");
    convert(&source, &copy, TO_FOLDER).unwrap();
    let bytes =
        |folder: &Path| TensorFile::open(folder).unwrap().tensor(name).unwrap().bytes.to_vec();
    assert_eq!(bytes(&copy), bytes(&source));
}

#[test]
fn what_is_stored_is_kept_where_nothing_is_asked() {
    let work = tempdir().unwrap();
    let source = sample(work.path(), "llama", &json!({}));
    let path = |name: &str| work.path().join(name);
    let to = |container, format| ConvertOptions { container, format };
    let (gguf, folder) = (Container::Gguf, Container::Safetensors);
    convert(&source, &path("a"), to(gguf, Some(Format::Q8_0))).unwrap();
    convert(&path("a"), &path("b"), to(gguf, None)).unwrap();
    let matrices = |name: &str| {
        let file = TensorFile::open(&path(name)).unwrap();
        let all = file.tensors().map(|tensor| (tensor.name.to_string(), tensor.bytes.to_vec()));
        all.collect::<Vec<_>>()
    };
    assert!(matrices("a") == matrices("b"));
    // Queries and keys change the order of their rows, not their blocks; the folder holds their
    // values as floats, which are served as such.
    convert(&path("b"), &path("c"), to(folder, None)).unwrap();
    convert(&path("a"), &path("e"), to(gguf, Some(Format::F32))).unwrap();
    assert!(same(&logits(&path("c")), &logits(&path("e")), true));
    let refused = convert(&source, &path("d"), to(folder, Some(Format::Q8_0))).unwrap_err();
    assert!(refused.to_string().contains("safetensors has no type"), "{refused}");
    let refused = convert(&source, &path("d"), to(gguf, Some(Format::Q4_K))).unwrap_err();
    assert!(refused.to_string().contains("cannot be written as Q4_K"), "{refused}");
    let refused = convert(&source, &path("c"), to(folder, None)).unwrap_err();
    assert!(refused.to_string().contains("something there already"), "{refused}");
    assert!(!path("d").exists());
}

#[test]
fn what_a_container_cannot_say_is_refused_and_nothing_is_left() {
    let dynamic = json!({"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0});
    for (name, more, expected) in [
        ("smollm3", json!({"no_rope_layers": [1, 0]}), "rotary: false"),
        (
            "qwen3",
            json!({"use_sliding_window": true, "sliding_window": 5, "max_window_layers": 1}),
            "attention.sliding_window",
        ),
        ("llama", json!({"rope_parameters": dynamic}), "`dynamic` rope scaling"),
        (
            "olmoe",
            json!({"num_experts": 3, "num_experts_per_tok": 1, "norm_topk_prob": true}),
            "weighting",
        ),
    ] {
        let work = tempdir().unwrap();
        let source = sample(work.path(), name, &more);
        let target = work.path().join("x.gguf");
        std::fs::write(&target, "old").unwrap();
        let message = convert(&source, &target, TO_GGUF).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 2);
    }
}

#[test]
fn values_that_a_format_cannot_hold_are_named() {
    let work = tempdir().unwrap();
    let mut tensors = tiny_tensors();
    let query = tensors.iter_mut().find(|(name, ..)| name == "blk.1.attn_q.weight").unwrap();
    query.2[5] = 1e6;
    let source = work.path().join("source.gguf");
    std::fs::write(&source, tiny_gguf(tiny_keys(), &tensors)).unwrap();
    let options = ConvertOptions { format: Some(Format::F16), ..TO_GGUF };
    let target = work.path().join("x");
    let message = convert(&source, &target, options).unwrap_err().to_string();
    assert!(message.contains("`blk.1.attn_q.weight`"), "{message}");
    assert!(message.contains("1000000") && message.contains("F16"), "{message}");
}

const TEXTS: [&str; 3] = [
    "Hello, World! 123 äöü  two spaces\n\tand a tab",
    "Ein Satz, noch ein Satz; 3.14 und 2026.",
    "日本語 and русский",
];

/// A Llama around a vocabulary of `rows` tokens that stands in `files`.
fn with_vocabulary(work: &Path, vocabulary: &Path, rows: usize) -> PathBuf {
    let source = sample(
        work,
        "llama",
        &json!({"vocab_size": rows, "hidden_size": 8,
        "intermediate_size": 8, "num_hidden_layers": 1, "tie_word_embeddings": true}),
    );
    for file in std::fs::read_dir(vocabulary).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().to_string_lossy().into_owned();
        if name.contains("token") || name == "vocab.json" || name == "merges.txt" {
            std::fs::copy(file.path(), source.join(name)).unwrap();
        }
    }
    source
}

/// Both give the same tokens, and text back.
fn same_tokens(name: &str, one: &Tokenizer, two: &Tokenizer) {
    for text in TEXTS {
        let (wanted, found) = (one.encode_whole(text), two.encode_whole(text));
        assert_eq!(wanted.as_ref().ok(), found.as_ref().ok(), "{name} {text}");
        if let Ok(ids) = wanted {
            assert_eq!(one.decode(&ids), two.decode(&ids), "{name} {text}");
        }
    }
}

#[test]
fn published_vocabularies_go_there_and_back() {
    for (name, rows) in [
        ("smollm2-tokenizer", 49_152),
        ("qwen2.5-tokenizer", 151_936),
        ("tinystories-656k-llama-hf", 2_048),
        ("minilm-l6-v2-tokenizer-only", 30_522),
    ] {
        let Some(vocabulary) = shared(&format!("models/{name}")) else { continue };
        let work = tempdir().unwrap();
        let source = with_vocabulary(work.path(), &vocabulary, rows);
        let wanted = Tokenizer::from_folder(&source).unwrap();
        let gguf = work.path().join("x.gguf");
        convert(&source, &gguf, TO_GGUF).unwrap();
        let file = TensorFile::open(&gguf).unwrap();
        let found = Tokenizer::from_gguf(&gguf, file.metadata()).unwrap();
        same_tokens(name, &wanted, &found);
        assert_eq!(found.vocabulary(), rows);
        let back = work.path().join("back");
        convert(&gguf, &back, TO_FOLDER).unwrap_or_else(|error| panic!("{name}: {error}"));
        same_tokens(name, &wanted, &Tokenizer::from_folder(&back).unwrap());
    }
}

#[test]
fn a_small_vocabulary_its_frame_and_its_template_go_along() {
    let work = tempdir().unwrap();
    let bytes: Vec<String> = (0..256_u32).map(byte_character).collect();
    let mut vocabulary: Map<String, Value> =
        bytes.iter().zip(0..).map(|(text, id)| (text.clone(), Value::from(id))).collect();
    vocabulary.insert("he".into(), 256.into());
    vocabulary.insert("hel".into(), 257.into());
    let special = |id: u32, text: &str| {
        json!({"id": id, "content": text, "special": true,
        "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
    };
    let tokenizer = json!({
        "version": "1.0", "normalizer": null,
        "added_tokens": [special(258, "<begin>"), special(259, "<end>")],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": true},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<begin>", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<begin>": {"id": "<begin>", "ids": [258], "tokens": ["<begin>"]}}},
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false,
            "use_regex": false},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": ["h e", "he l"],
            "ignore_merges": false},
    });
    let files = work.path().join("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let about = json!({"bos_token": "<begin>", "eos_token": {"content": "<end>"},
        "chat_template": "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"});
    std::fs::write(files.join("tokenizer_config.json"), about.to_string()).unwrap();
    let source = with_vocabulary(work.path(), &files, 264);
    let gguf = work.path().join("x.gguf");
    convert(&source, &gguf, TO_GGUF).unwrap();
    let model = allod_lm::Model::load(&gguf).unwrap();
    assert_eq!(model.tokenizer.encode_prompt("hello").unwrap()[..2], [258, 257]);
    assert_eq!(model.end_tokens, [259].into());
    assert_eq!(model.template.source(), about["chat_template"].as_str());
    assert_eq!(model.tokenizer.token_text(263), "[PAD263]");
    let metadata = model.checkpoint.file().metadata();
    assert_eq!(metadata.text("tokenizer.ggml.pre"), Some("gpt-2"));
    assert_eq!(metadata.truth("tokenizer.ggml.add_bos_token"), Some(true));
    let back = work.path().join("back");
    convert(&gguf, &back, TO_FOLDER).unwrap();
    let again = allod_lm::Model::load(&back).unwrap();
    same_tokens("back", &model.tokenizer, &again.tokenizer);
    assert_eq!(again.end_tokens, model.end_tokens);
    assert_eq!(again.template.source(), model.template.source());
    // A step that GGUF has no name for is refused.
    let mut odd = tokenizer;
    odd["pre_tokenizer"] = json!({"type": "Whitespace"});
    std::fs::write(source.join("tokenizer.json"), odd.to_string()).unwrap();
    let message = convert(&source, &gguf, TO_GGUF).unwrap_err().to_string();
    assert!(message.contains("no name for its pre_tokenizer"), "{message}");
}

/// How byte-level vocabularies write a byte: itself where it can be printed, else from U+0100 on.
fn byte_character(byte: u32) -> String {
    let plain = |byte: &u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let shifted = (0..byte).filter(|byte| !plain(byte)).count() as u32;
    let code = if plain(&byte) { byte } else { 256 + shifted };
    char::from_u32(code).unwrap().to_string()
}
