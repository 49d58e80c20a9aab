//! Checkpoints are refused with a reason unless settings and tensors fit together.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{Checkpoint, Model, RopeScaling};
use allod_weights::make::{GgufBuilder, safetensors};
use common::{open, tiny_gguf, tiny_keys, tiny_tensors};
use serde_json::{Value, json};

fn refusal(bytes: &[u8]) -> String {
    open(bytes).expect_err("this checkpoint is not sound").to_string()
}

#[test]
fn the_small_model_opens() {
    let checkpoint = open(&tiny_gguf(tiny_keys(), &tiny_tensors())).unwrap();
    let spec = checkpoint.spec();
    assert_eq!((spec.layers, spec.heads, spec.kv_heads, spec.head_dim), (2, 4, 2, 12));
    assert!(spec.tied && spec.biases.query_key_value && !spec.biases.feed_forward);
}

#[test]
fn other_architectures_are_named_with_what_is_supported() {
    let message = refusal(&GgufBuilder::new().text("general.architecture", "mamba").build());
    assert!(message.contains("`mamba`") && message.contains("llama"), "{message}");
}

#[test]
fn settings_that_would_change_the_result_are_refused_by_name() {
    let cases = [
        (tiny_keys().u32("llama.expert_count", 4), "llama.expert_used_count"),
        (tiny_keys().u32("llama.expert_shared_count", 4), "llama.expert_shared_count"),
        (tiny_keys().f32("llama.logit_scale", 2.0), "llama.logit_scale"),
        (tiny_keys().text("llama.rope.scaling.type", "yarn"), "llama.rope.scaling.factor"),
        (tiny_keys().text("llama.rope.scaling.type", "mrope"), "`mrope`"),
        (tiny_keys().u32("llama.attention.value_length", 7), "values of another length"),
        (tiny_keys().u32("llama.rope.dimension_count", 13), "cannot be rotated"),
        (tiny_keys().text("llama.rope.freq_base", "x"), "`llama.rope.freq_base` is not a number"),
    ];
    for (keys, expected) in cases {
        let message = refusal(&tiny_gguf(keys, &tiny_tensors()));
        assert!(message.contains(expected), "{message} should say {expected}");
    }
}

#[test]
fn tensors_must_be_those_of_the_settings() {
    let mut missing = tiny_tensors();
    missing.retain(|(name, ..)| name != "blk.1.ffn_up.weight");
    let message = refusal(&tiny_gguf(tiny_keys(), &missing));
    assert!(message.contains("`blk.1.ffn_up.weight` is missing"), "{message}");

    let mut turned = tiny_tensors();
    let down = turned.iter_mut().find(|(name, ..)| name == "blk.0.ffn_down.weight").unwrap();
    down.1.reverse();
    let message = refusal(&tiny_gguf(tiny_keys(), &turned));
    assert!(message.contains("has shape [80, 48], not [48, 80]"), "{message}");

    let mut surplus = tiny_tensors();
    surplus.push(("blk.0.attn_q_norm.weight".to_string(), vec![12], vec![1.0; 12]));
    let message = refusal(&tiny_gguf(tiny_keys(), &surplus));
    assert!(message.contains("`blk.0.attn_q_norm.weight` belongs to no weight"), "{message}");
}

#[test]
fn a_format_without_a_kernel_is_named() {
    let mut tensors = tiny_tensors();
    tensors.retain(|(name, ..)| name != "blk.0.ffn_up.weight");
    let keys = tiny_keys().raw_tensor("blk.0.ffn_up.weight", &[80, 48], 26, &[0; 80 * 48 * 4]);
    let message = refusal(&tiny_gguf(keys, &tensors));
    assert!(message.contains("`blk.0.ffn_up.weight` has type I32"), "{message}");
}

#[test]
fn rope_divisors_come_from_their_tensor() {
    let mut tensors = tiny_tensors();
    tensors.push(("rope_freqs.weight".to_string(), vec![6], vec![1.0, 1.0, 2.0, 4.0, 8.0, 8.0]));
    let checkpoint = open(&tiny_gguf(tiny_keys(), &tensors)).unwrap();
    let scaling = &checkpoint.spec().rope.scaling;
    assert_eq!(*scaling, RopeScaling::Divisors(vec![1.0, 1.0, 2.0, 4.0, 8.0, 8.0]));
}

fn config() -> Value {
    json!({
        "model_type": "llama", "hidden_size": 4, "num_attention_heads": 2, "vocab_size": 3,
        "num_hidden_layers": 1, "intermediate_size": 2, "tie_word_embeddings": true,
        "hidden_act": "silu", "max_position_embeddings": 8, "rms_norm_eps": 1e-5,
    })
}

fn folder_with(config: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let shapes: [(&str, &[usize]); 11] = [
        ("model.embed_tokens.weight", &[3, 4]),
        ("model.norm.weight", &[4]),
        ("model.layers.0.input_layernorm.weight", &[4]),
        ("model.layers.0.post_attention_layernorm.weight", &[4]),
        ("model.layers.0.self_attn.q_proj.weight", &[4, 4]),
        ("model.layers.0.self_attn.k_proj.weight", &[4, 4]),
        ("model.layers.0.self_attn.v_proj.weight", &[4, 4]),
        ("model.layers.0.self_attn.o_proj.weight", &[4, 4]),
        ("model.layers.0.mlp.gate_proj.weight", &[2, 4]),
        ("model.layers.0.mlp.up_proj.weight", &[2, 4]),
        ("model.layers.0.mlp.down_proj.weight", &[4, 2]),
    ];
    let tensor = |(name, shape): &(&str, &[usize])| {
        (name.to_string(), shape.to_vec(), vec![0.5; shape.iter().product()])
    };
    let tensors: Vec<_> = shapes.iter().map(tensor).collect();
    std::fs::write(folder.path().join("model.safetensors"), safetensors(&tensors)).unwrap();
    folder
}

#[test]
fn a_folder_opens_and_its_settings_are_checked() {
    let checkpoint = Checkpoint::open(folder_with(&config()).path()).unwrap();
    assert_eq!(checkpoint.spec().kv_heads, 2);
    let cases = [
        ("model_type", json!("t5"), "`t5`"),
        ("hidden_act", json!("gelu"), "`gelu`"),
        ("quantization_config", json!({"quant_method": "awq"}), "no matrix is quantised"),
        ("quantization_config", json!({"quant_method": "bitsandbytes"}), "`bitsandbytes`"),
        ("quantization_config", json!({"quant_method": "mxfp4"}), "the packing `mxfp4`"),
        ("sliding_window", json!(4096), "sliding_window"),
        ("embedding_multiplier", json!(2.0), "embedding_multiplier"),
        ("layer_types", json!(["linear_attention"]), "`linear_attention`"),
        ("layer_types", json!([]), "has 0 entries for 1 layers"),
        ("partial_rotary_factor", json!(0.5), "partial_rotary_factor"),
        ("rope_scaling", json!({"type": "mrope", "factor": 2}), "`mrope`"),
        ("rope_scaling", json!({"type": "yarn"}), "`factor` is missing"),
        ("rope_scaling", json!({"type": "yarn", "factor": -2}), "the rope scaling is Yarn"),
        ("rope_scaling", json!({"rope_type": "llama3", "factor": 8}), "low_freq_factor"),
        ("rope_parameters", json!({"rope_type": "longrope"}), "`short_factor` is missing"),
        ("attention_bias", json!(true), "q_proj.bias` is missing"),
        ("tie_word_embeddings", json!(false), "`lm_head.weight` is missing"),
        ("num_hidden_layers", json!(2), "model.layers.1"),
        ("num_hidden_layers", json!(u64::MAX), "number of layers"),
        ("num_key_value_heads", json!(0), "number of kv heads"),
        ("hidden_size", json!("4"), "`hidden_size` is not a non-negative integer"),
        ("hidden_size", Value::Null, "`hidden_size` is missing"),
    ];
    for (key, value, expected) in cases {
        let mut changed = config();
        changed[key] = value;
        let message = Checkpoint::open(folder_with(&changed).path()).unwrap_err().to_string();
        assert!(message.contains(expected), "{key}: {message} should say {expected}");
    }
}

#[test]
fn a_tied_matrix_may_have_either_name() {
    let folder = folder_with(&config());
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let (name, other) = (b"\"model.embed_tokens.weight\"", b"\"lm_head.weight\"           ");
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    std::fs::write(&path, [&bytes[..at], other, &bytes[at + name.len()..]].concat()).unwrap();
    assert!(Checkpoint::open(folder.path()).unwrap().spec().tied);
}

#[test]
fn rope_scaling_is_read_in_both_spellings() {
    let old = json!({"type": "linear", "factor": 2.0});
    let new = json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 5e5});
    for (key, value, theta) in [("rope_scaling", old, 1e4), ("rope_parameters", new, 5e5)] {
        let mut changed = config();
        changed[key] = value;
        let checkpoint = Checkpoint::open(folder_with(&changed).path()).unwrap();
        let rope = &checkpoint.spec().rope;
        assert_eq!(rope.scaling, RopeScaling::Linear { factor: 2.0 });
        assert_eq!(rope.theta, theta);
    }
}

#[test]
fn a_folder_that_lacks_files_says_which() {
    let folder = folder_with(&config());
    let message = Model::load(folder.path()).unwrap_err().to_string();
    assert!(message.contains("lacks tokenizer.json;"), "{message}");
    let message = Model::load(tempfile::tempdir().unwrap().path()).unwrap_err().to_string();
    assert!(message.contains("config.json, tokenizer.json, model.safetensors"), "{message}");
}

#[test]
fn bare_weights_ask_for_their_folder() {
    let folder = folder_with(&config());
    let message = Model::load(&folder.path().join("model.safetensors")).unwrap_err().to_string();
    assert!(message.contains("folder that holds config.json"), "{message}");
}

#[test]
fn a_token_costs_all_weights_but_an_embedding_that_is_only_looked_up() {
    let mut tensors = tiny_tensors();
    let values = |tensors: &[(String, Vec<usize>, Vec<f32>)], matrices: bool| -> u64 {
        let counted = tensors.iter().filter(|(_, shape, _)| shape.len() > 1 || !matrices);
        counted.map(|(_, _, values)| values.len() as u64).sum()
    };
    let work = open(&tiny_gguf(tiny_keys(), &tensors)).unwrap().work();
    assert_eq!(work.bytes, 4 * values(&tensors, false));
    assert_eq!(work.multiplications, values(&tensors, true));
    // Two layers, two heads of twelve numbers, keys and values.
    assert_eq!(work.cached, 2 * 2 * 2 * 12);
    let (_, shape, embedding) = tensors[0].clone();
    tensors.push(("output.weight".to_string(), shape, embedding));
    assert_eq!(open(&tiny_gguf(tiny_keys(), &tensors)).unwrap().work(), work);
}
