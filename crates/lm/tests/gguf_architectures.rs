//! GGUF files of architectures whose layout differs from Llama's, made here, against the same
//! weights under Hugging Face's names.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

mod common;

use allod_lm::{Checkpoint, Isa};
use allod_weights::make::{GgufBuilder, safetensors};
use common::{Numbers, all_logits, infer, open, tiny_gguf};
use serde_json::{Value, json};
use std::sync::Arc;

type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

const LAYERS: usize = 2;
const TOKENS: [u32; 9] = [1, 7, 3, 9, 0, 12, 5, 5, 18];

/// Keys that every architecture has: 20 tokens, width 32, 4 heads of 8 that share 2.
fn keys(name: &str) -> GgufBuilder {
    let key = |key: &str| format!("{name}.{key}");
    GgufBuilder::new()
        .text("general.architecture", name)
        .u32(&key("context_length"), 64)
        .u32(&key("embedding_length"), 32)
        .u32(&key("block_count"), LAYERS as u32)
        .u32(&key("feed_forward_length"), 48)
        .u32(&key("attention.head_count"), 4)
        .u32(&key("attention.head_count_kv"), 2)
        .u32(&key("attention.key_length"), 8)
        .f32(&key("attention.layer_norm_rms_epsilon"), 1e-5)
        .f32(&key("rope.freq_base"), 10000.0)
}

/// The same as config.json.
fn config(name: &str, activation: &str) -> Value {
    json!({
        "model_type": name, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 8, "vocab_size": 20, "num_hidden_layers": LAYERS, "intermediate_size": 48,
        "hidden_act": activation, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": true,
    })
}

/// Names in GGUF and in safetensors, with shapes.
type Names = [(&'static str, &'static str, &'static [usize])];

const ATTENTION: &Names = &[
    ("attn_q.weight", "self_attn.q_proj.weight", &[32, 32]),
    ("attn_k.weight", "self_attn.k_proj.weight", &[16, 32]),
    ("attn_v.weight", "self_attn.v_proj.weight", &[16, 32]),
    ("attn_output.weight", "self_attn.o_proj.weight", &[32, 32]),
    ("attn_q_norm.weight", "self_attn.q_norm.weight", &[8]),
    ("attn_k_norm.weight", "self_attn.k_norm.weight", &[8]),
];

/// The same weights under both names.
fn tensors(of_layers: &[&Names]) -> (Tensors, Tensors) {
    let mut numbers = Numbers(11);
    let (mut gguf, mut safetensors) = (Vec::new(), Vec::new());
    let mut add = |names: (String, String), shape: &[usize]| {
        let mut values = numbers.take(shape.iter().product());
        values.iter_mut().for_each(|value| *value = *value * 2.0 + (shape.len() % 2) as f32);
        gguf.push((names.0, shape.to_vec(), values.clone()));
        safetensors.push((names.1, shape.to_vec(), values));
    };
    add(("token_embd.weight".into(), "model.embed_tokens.weight".into()), &[20, 32]);
    add(("output_norm.weight".into(), "model.norm.weight".into()), &[32]);
    for layer in 0..LAYERS {
        for (gguf, safetensors, shape) in of_layers.iter().copied().flatten() {
            let names =
                (format!("blk.{layer}.{gguf}"), format!("model.layers.{layer}.{safetensors}"));
            add(names, shape);
        }
    }
    (gguf, safetensors)
}

fn open_folder(config: &Value, tensors: &Tensors) -> Checkpoint {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.path().join("model.safetensors"), safetensors(tensors)).unwrap();
    Checkpoint::open(folder.path()).unwrap()
}

fn logits(checkpoint: Checkpoint) -> Vec<u32> {
    let mut infer = infer(&Arc::new(checkpoint), 1, Isa::detect());
    all_logits(&mut infer, 0, &TOKENS, 4).iter().map(|logit| logit.to_bits()).collect()
}

#[test]
fn a_neox_architecture_reads_its_rows_as_they_are() {
    const FEED_FORWARD: &Names = &[
        ("attn_norm.weight", "input_layernorm.weight", &[32]),
        ("ffn_norm.weight", "post_attention_layernorm.weight", &[32]),
        ("ffn_gate.weight", "mlp.gate_proj.weight", &[48, 32]),
        ("ffn_up.weight", "mlp.up_proj.weight", &[48, 32]),
        ("ffn_down.weight", "mlp.down_proj.weight", &[32, 48]),
    ];
    let (gguf, safetensors) = tensors(&[ATTENTION, FEED_FORWARD]);
    let from_gguf = open(&tiny_gguf(keys("qwen3"), &gguf)).unwrap();
    assert!(from_gguf.spec().tied);
    let from_folder = open_folder(&config("qwen3", "silu"), &safetensors);
    assert_eq!(from_gguf.spec(), from_folder.spec());
    assert!(logits(from_gguf) == logits(from_folder));
}

const XIELU: &Names = &[
    ("attn_norm.weight", "attention_layernorm.weight", &[32]),
    ("ffn_norm.weight", "feedforward_layernorm.weight", &[32]),
    ("ffn_up.weight", "mlp.up_proj.weight", &[48, 32]),
    ("ffn_down.weight", "mlp.down_proj.weight", &[32, 48]),
];

fn with_xielu(positive: &[f32]) -> GgufBuilder {
    keys("apertus")
        .f32s("xielu.alpha_p", positive)
        .f32s("xielu.alpha_n", &[0.25, -0.5])
        .f32("xielu.beta", 0.5)
        .f32s("xielu.eps", &[-1e-6, -1e-6])
}

#[test]
fn activation_parameters_in_keys_are_those_in_tensors() {
    let (gguf, mut safetensors) = tensors(&[ATTENTION, XIELU]);
    for layer in 0..LAYERS {
        let name = |name: &str| format!("model.layers.{layer}.mlp.act_fn.{name}");
        safetensors.push((name("alpha_p"), vec![1], vec![[0.75, 0.1][layer]]));
        safetensors.push((name("alpha_n"), vec![1], vec![[0.25, -0.5][layer]]));
        safetensors.push((name("beta"), vec![], vec![0.5]));
        safetensors.push((name("eps"), vec![], vec![-1e-6]));
    }
    let from_gguf = open(&tiny_gguf(with_xielu(&[0.75, 0.1]), &gguf)).unwrap();
    assert!(from_gguf.spec().tied, "without an output matrix it is the embedding");
    let folder = config("apertus", "xielu");
    let expected = logits(open_folder(&folder, &safetensors));
    assert!(logits(from_gguf) == expected);
    let other = open(&tiny_gguf(with_xielu(&[0.75, 0.2]), &gguf)).unwrap();
    assert!(logits(other) != expected, "each layer has its own");
    let message = open(&tiny_gguf(with_xielu(&[0.75]), &gguf)).unwrap_err().to_string();
    assert!(message.contains("`xielu.alpha_p` has no number for layer 1"), "{message}");
}

#[test]
fn fewer_outputs_than_embeddings_are_possible() {
    let (_, mut safetensors) = tensors(&[ATTENTION, XIELU]);
    for layer in 0..LAYERS {
        for (name, value) in [("alpha_p", 0.5), ("alpha_n", 0.5), ("beta", 0.5), ("eps", -1e-6)] {
            let name = format!("model.layers.{layer}.mlp.act_fn.{name}");
            safetensors.push((name, vec![1], vec![value]));
        }
    }
    safetensors.push(("lm_head.weight".into(), vec![12, 32], Numbers(3).take(12 * 32)));
    safetensors.push(("model.vision_tokenizer.x".into(), vec![1], vec![0.0]));
    // Checkpoints that hold more than text keep the text model under a root of its own.
    for (name, ..) in &mut safetensors {
        let own = name.starts_with("model.") && !name.starts_with("model.vision");
        *name =
            if own { name.replacen("model.", "model.language_model.", 1) } else { name.clone() };
    }
    let mut text = config("apertus1p5_text", "xielu");
    text["output_vocab_size"] = json!(12);
    text["tie_word_embeddings"] = json!(false);
    let folder = json!({"model_type": "apertus1p5", "text_config": text});
    let checkpoint = open_folder(&folder, &safetensors);
    assert_eq!((checkpoint.spec().vocabulary, checkpoint.spec().outputs), (20, 12));
    assert_eq!(logits(checkpoint).len(), TOKENS.len() * 12);
}

/// Two layers, of which the first has `experts` experts of width 24 and the second none.
fn mixture(experts: usize) -> (Tensors, Tensors) {
    const NORMS: &Names = &[
        ("attn_norm.weight", "input_layernorm.weight", &[32]),
        ("ffn_norm.weight", "post_attention_layernorm.weight", &[32]),
    ];
    let (mut gguf, mut safetensors) = tensors(&[ATTENTION, NORMS]);
    let mut numbers = Numbers(23);
    let router = numbers.take(experts * 32);
    gguf.push(("blk.0.ffn_gate_inp.weight".into(), vec![experts, 32], router.clone()));
    safetensors.push(("model.layers.0.mlp.gate.weight".into(), vec![experts, 32], router));
    for (name, shape) in [("gate", [24, 32]), ("up", [24, 32]), ("down", [32, 24])] {
        let mut all = Vec::new();
        for expert in 0..experts {
            let values = numbers.take(24 * 32);
            let place = format!("model.layers.0.mlp.experts.{expert}.{name}_proj.weight");
            safetensors.push((place, shape.to_vec(), values.clone()));
            all.extend(values);
        }
        gguf.push((
            format!("blk.0.ffn_{name}_exps.weight"),
            [&[experts], &shape[..]].concat(),
            all,
        ));
    }
    for (name, shape) in [("gate", [48, 32]), ("up", [48, 32]), ("down", [32, 48])] {
        let values = numbers.take(48 * 32);
        gguf.push((format!("blk.1.ffn_{name}.weight"), shape.to_vec(), values.clone()));
        let name = format!("model.layers.1.mlp.{name}_proj.weight");
        safetensors.push((name, shape.to_vec(), values));
    }
    (gguf, safetensors)
}

fn mixture_config(name: &str, [experts, used]: [usize; 2]) -> Value {
    let mut config = config(name, "silu");
    config["num_experts"] = json!(experts);
    config["num_experts_per_tok"] = json!(used);
    config["moe_intermediate_size"] = json!(24);
    config["mlp_only_layers"] = json!([1]);
    config
}

#[test]
fn our_own_mixture_takes_any_number_of_experts_and_any_weighting() {
    let mut seen = std::collections::HashSet::new();
    for (counts, weighting) in [
        ([1, 1], "softmax_normalised"),
        ([3, 2], "softmax_normalised"),
        ([3, 2], "softmax"),
        ([7, 7], "softmax"),
        ([7, 3], "softmax_of_chosen"),
    ] {
        let (gguf, safetensors) = mixture(counts[0]);
        let keys = keys("allod-moe")
            .u32("allod-moe.expert_count", counts[0] as u32)
            .u32("allod-moe.expert_used_count", counts[1] as u32)
            .u32("allod-moe.expert_feed_forward_length", 24)
            .text("allod-moe.expert_weighting", weighting);
        let from_gguf = open(&tiny_gguf(keys, &gguf)).unwrap();
        let mut own = mixture_config("allod-moe", counts);
        own["expert_weighting"] = json!(weighting);
        let from_folder = open_folder(&own, &safetensors);
        assert_eq!(from_gguf.spec(), from_folder.spec());
        assert!(from_folder.spec().layer(0).sparse && !from_folder.spec().layer(1).sparse);
        // Where weights are normalised it is the published block that it was made after.
        let mut published = mixture_config("qwen3_moe", counts);
        published["norm_topk_prob"] = json!(weighting == "softmax_normalised");
        let expected = logits(open_folder(&published, &safetensors));
        let found = logits(from_gguf);
        assert!(found == logits(from_folder));
        assert_eq!(found == expected, weighting != "softmax_of_chosen", "{weighting}");
        assert!(seen.insert(found), "{counts:?} {weighting} gives what another gave");
    }
}

#[test]
fn our_own_mixture_refuses_what_it_does_not_know() {
    let (_, safetensors) = mixture(3);
    let refusal = |key: &str, value: Value| {
        let mut config = mixture_config("allod-moe", [3, 2]);
        config[key] = value;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        std::fs::write(
            folder.path().join("model.safetensors"),
            allod_weights::make::safetensors(&safetensors),
        )
        .unwrap();
        Checkpoint::open(folder.path()).unwrap_err().to_string()
    };
    assert!(refusal("expert_weighting", json!("sigmoid")).contains("`sigmoid`"));
    assert!(refusal("num_experts_per_tok", json!(4)).contains("4 of 3 experts"));
    assert!(refusal("num_experts", json!(4)).contains("[3, 32], not [4, 32]"));
    assert!(refusal("n_shared_experts", json!(1)).contains("n_shared_experts"));
}
