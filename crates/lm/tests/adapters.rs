//! Adapters: beside the weights, in the weights, saved and read again, and refused.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{
    ActivationForm, Adapter, Batch, CacheForm, Checkpoint, Infer, InferOptions, Isa, LowRank,
    Numerics, Part, Target, WeightId,
};
use allod_weights::make::safetensors;
use base64::Engine;
use common::{Numbers, all_logits, infer, infer_with, relative_error, shared, tiny, tiny_rounded};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const TOKENS: [u32; 7] = [5, 80, 33, 2, 61, 33, 17];

fn target(layer: usize, part: Part) -> Target {
    Target { weight: WeightId { layer, part }, expert: None }
}

/// Changes of several matrices of the small model.
fn made(checkpoint: &Checkpoint, seed: u64, rank: usize) -> Adapter {
    let mut numbers = Numbers(seed);
    let places = [
        (0, Part::Query),
        (0, Part::Value),
        (1, Part::Key),
        (1, Part::Gate),
        (1, Part::Down),
        (0, Part::TokenEmbedding),
        (0, Part::Output),
    ];
    let changes = places.map(|(layer, part)| {
        let shape = checkpoint.spec().shape(part);
        let (a, b) = (numbers.take(rank * shape[1]), numbers.take(rank * shape[0]));
        (target(layer, part), LowRank::new(rank, &a, &b, 1.5))
    });
    Adapter::new("made", checkpoint, changes).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn logits(checkpoint: &Arc<Checkpoint>, adapter: Option<&Arc<Adapter>>) -> Vec<f32> {
    logits_by(&mut infer(checkpoint, 1, Isa::detect()), adapter)
}

fn logits_by(infer: &mut Infer, adapter: Option<&Arc<Adapter>>) -> Vec<f32> {
    infer.begin(0, adapter.cloned()).unwrap();
    all_logits(infer, 0, &TOKENS, 3)
}

#[test]
fn a_sequence_has_the_same_bits_whatever_adapters_the_others_have() {
    adapters_are_apart(&tiny(), ActivationForm::Bf16);
    for activations in ActivationForm::ALL {
        adapters_are_apart(&tiny_rounded(), activations);
    }
}

fn adapters_are_apart(checkpoint: &Arc<Checkpoint>, activations: ActivationForm) {
    let numerics = Numerics { activations, cache: CacheForm::F32 };
    let infer = |threads, isa| infer_with(checkpoint, threads, isa, numerics);
    let [one, other] = [(1, 3), (2, 5)].map(|(s, r)| Arc::new(made(checkpoint, s, r)));
    let alone = [Some(&one), None, Some(&other)]
        .map(|adapter| logits_by(&mut infer(1, Isa::detect()), adapter));
    for (isa, threads) in Isa::available().into_iter().flat_map(|isa| [(isa, 1), (isa, 4)]) {
        let mut infer = infer(threads, isa);
        let adapters = [Some(one.clone()), None, Some(other.clone())];
        adapters.into_iter().enumerate().for_each(|(s, a)| infer.begin(s, a).unwrap());
        let mut batch = Batch::new();
        for slot in [2, 0, 1] {
            for (position, token) in TOKENS.into_iter().enumerate() {
                batch.push(slot, position, token);
                batch.want_last();
            }
        }
        let found = infer.run(&batch).unwrap().into_values();
        let expected = [&alone[2][..], &alone[0], &alone[1]].concat();
        assert_eq!(bits(&found), bits(&expected), "{activations:?} {isa:?} {threads}");
        infer.begin(0, None).unwrap();
        assert_eq!(bits(&all_logits(&mut infer, 0, &TOKENS, 7)), bits(&alone[1]));
    }
    assert!(relative_error(&alone[0], &alone[1]) > 0.1, "the adapter changes something");
    assert!(relative_error(&alone[2], &alone[0]) > 0.1, "adapters differ");
}

#[test]
fn merged_and_applied_differ_by_rounding() {
    let checkpoint = tiny();
    let adapter = Arc::new(made(&checkpoint, 3, 4));
    let applied = logits(&checkpoint, Some(&adapter));
    let plain = logits(&checkpoint, None);
    let owned = Arc::into_inner(checkpoint).unwrap();
    let merged = logits(&Arc::new(owned.merged(&adapter, Isa::detect()).unwrap()), None);
    let error = relative_error(&merged, &applied);
    assert!(error < 1e-5, "{error}");
    assert!(relative_error(&plain, &applied) > 0.1);
}

#[test]
fn saved_and_read_again_it_has_the_same_bits() {
    let checkpoint = tiny();
    let adapter = Arc::new(made(&checkpoint, 4, 6));
    let expected = bits(&logits(&checkpoint, Some(&adapter)));
    let folder = tempfile::tempdir().unwrap();
    let [peft, gguf] = ["peft", "adapter.gguf"].map(|name| folder.path().join(name));
    adapter.save_peft(&peft, &checkpoint, "tiny").unwrap();
    adapter.save_gguf(&gguf, &checkpoint).unwrap();
    for path in [&peft, &gguf] {
        let read = Arc::new(Adapter::open(path, &checkpoint).unwrap());
        assert_eq!(bits(&logits(&checkpoint, Some(&read))), expected);
        assert_eq!(read.changes().count(), 7);
        assert!(read.changes().eq(adapter.changes()), "{}", path.display());
        assert!(read.digest().starts_with("sha256:") && read.digest() != adapter.digest());
    }
}

#[test]
fn an_adapter_of_another_model_or_slot_is_refused() {
    let checkpoint = tiny();
    let mut infer = infer(&checkpoint, 1, Isa::detect());
    let adapter = Arc::new(made(&checkpoint, 1, 2));
    assert!(infer.begin(9, Some(adapter)).unwrap_err().to_string().contains("slots"));
    let small = LowRank::new(1, &[1.0; 5], &[1.0; 7], 1.0);
    let cases = [
        (target(0, Part::Query), "shape [48, 48]"),
        (target(2, Part::Query), "no matrix of the model"),
        (target(0, Part::AttentionNorm), "no matrix of the model"),
        (Target { expert: Some(0), ..target(0, Part::Query) }, "no matrix of the model"),
    ];
    for (target, expected) in cases {
        let error = Adapter::new("x", &checkpoint, [(target, small.clone())]).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

fn folder_with(config: &Value, tensors: &Tensors) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
    let weights = folder.path().join("adapter_model.safetensors");
    std::fs::write(weights, safetensors(tensors)).unwrap();
    folder
}

fn small_config() -> Value {
    json!({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]})
}

fn small_tensors() -> Tensors {
    let pair = |layer: usize| {
        let name = format!("base_model.model.model.layers.{layer}.self_attn.q_proj.lora_");
        let shapes = [("A", vec![2, 48]), ("B", vec![48, 2])];
        shapes.map(|(end, shape)| (format!("{name}{end}.weight"), shape, vec![0.25; 96]))
    };
    [pair(0), pair(1)].concat()
}

#[test]
fn what_is_not_computed_is_refused_by_name() {
    let checkpoint = tiny();
    let whole = folder_with(&small_config(), &small_tensors());
    assert_eq!(Adapter::open(whole.path(), &checkpoint).unwrap().changes().count(), 2);
    let cases = [
        ("peft_type", json!("LOHA"), "`LOHA`"),
        ("use_dora", json!(true), "`use_dora`"),
        ("lora_bias", json!(true), "`lora_bias`"),
        ("bias", json!("all"), "`bias`: `all`"),
        ("modules_to_save", json!(["lm_head"]), "`modules_to_save`"),
        ("trainable_token_indices", json!([1]), "`trainable_token_indices`"),
        ("target_parameters", json!(["mlp.experts.down_proj"]), "`target_parameters`"),
        ("layer_replication", json!([[0, 2]]), "`layer_replication`"),
        ("init_lora_weights", json!("pissa_niter_4"), "pissa_niter_4"),
        ("init_lora_weights", json!("olora"), "olora"),
        ("something_new", json!({"a": 1}), "`something_new`"),
        ("r", json!(0), "`r` is 0"),
        ("r", json!(1_u64 << 60), "`r` is 1152921504606846976"),
        ("r", json!(-1), "`r` is not a non-negative integer"),
        ("r", json!(3), "shape [2, 48], not [3, 48]"),
        ("lora_alpha", json!(1e300), "no scale"),
        ("lora_alpha", json!("x"), "`lora_alpha` is not a number"),
        ("rank_pattern", json!({"(": 2}), "`rank_pattern` at `(`"),
        ("rank_pattern", json!({"(x{999}){999}{999}": 2}), "`rank_pattern`"),
        ("rank_pattern", json!({"q_proj": "a"}), "no such number"),
        ("target_modules", json!("(?=a)"), "`target_modules`"),
        ("target_modules", json!(["v_proj"]), "does not name it"),
        ("target_modules", json!(["q_proj", "v_proj"]), "whose tensors are missing"),
        ("layers_to_transform", json!(0), "does not name it"),
        ("layers_to_transform", json!([0.5]), "no layer"),
    ];
    for (key, value, expected) in cases {
        let mut config = small_config();
        config[key] = value;
        let folder = folder_with(&config, &small_tensors());
        let message = Adapter::open(folder.path(), &checkpoint).unwrap_err().to_string();
        assert!(message.contains(expected), "{message} should say {expected}");
    }
}

#[test]
fn tensors_that_do_not_belong_are_refused_by_name() {
    let checkpoint = tiny();
    let name = "base_model.model.model.layers.0.self_attn.q_proj";
    let renamed = |at: usize, to: String| {
        let mut tensors = small_tensors();
        tensors[at].0 = to;
        tensors
    };
    let with = |name: String| {
        let mut tensors = small_tensors();
        tensors.push((name, vec![48], vec![1.0; 48]));
        tensors
    };
    let cases = [
        (renamed(0, "model.x.lora_A.weight".to_string()), "does not begin with"),
        (renamed(0, format!("{name}.lora_A.bias")), "trained bias"),
        (renamed(0, name.replace('0', "7") + ".lora_A.weight"), "q_proj` has no A"),
        (small_tensors()[..2].to_vec(), "layers.1.self_attn.q_proj`, whose tensors are missing"),
        (small_tensors()[1..].to_vec(), "has no A"),
        (with(format!("{name}.lora_magnitude_vector")), "DoRA"),
        (with("base_model.model.model.norm.weight".to_string()), "replaces a weight of the base"),
        (with("base_model.model.lm_head.weight".to_string()), "replaces a weight of the base"),
        (Vec::new(), "whose tensors are missing"),
    ];
    for (tensors, expected) in cases {
        let folder = folder_with(&small_config(), &tensors);
        let message = Adapter::open(folder.path(), &checkpoint).unwrap_err().to_string();
        assert!(message.contains(expected), "{message} should say {expected}");
    }
    let mut seven = small_tensors();
    seven.iter_mut().for_each(|(name, ..)| *name = name.replace("layers.1", "layers.7"));
    let folder = folder_with(&small_config(), &seven);
    let message = Adapter::open(folder.path(), &checkpoint).unwrap_err().to_string();
    assert!(message.contains("layers.7") && message.contains("2 layers"), "{message}");
}

#[test]
fn cut_files_and_missing_ones_are_refused() {
    let checkpoint = tiny();
    let folder = folder_with(&small_config(), &small_tensors());
    let path = folder.path().join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(97) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(Adapter::open(folder.path(), &checkpoint).is_err(), "{length}");
    }
    std::fs::remove_file(&path).unwrap();
    let message = Adapter::open(folder.path(), &checkpoint).unwrap_err().to_string();
    assert!(message.contains("adapter_model.safetensors"), "{message}");
    let gguf = folder.path().join("x.gguf");
    made(&checkpoint, 1, 2).save_gguf(&gguf, &checkpoint).unwrap();
    let bytes = std::fs::read(&gguf).unwrap();
    for length in (0..bytes.len()).step_by(211) {
        std::fs::write(&gguf, &bytes[..length]).unwrap();
        assert!(Adapter::open(&gguf, &checkpoint).is_err(), "{length}");
    }
}

/// The numbers of `reference/peft_reference.py`.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let bits = |index: usize| {
        (index as u64 * 747_796_405 + seed as u64 * 2_891_336_453 + 1) % (1 << 32) / 256
    };
    (0..count).map(|index| (bits(index) as f32 / 16_777_216.0 - 0.5) * 0.5).collect()
}

/// The folder of a case, as PEFT would have saved it.
fn peft_folder(case: &Value) -> tempfile::TempDir {
    let shapes = case["tensors"].as_object().unwrap();
    let mut names: Vec<&String> = shapes.keys().collect();
    names.sort();
    let tensor = |(seed, name): (usize, &String)| {
        let shape: Vec<usize> = serde_json::from_value(shapes[name].clone()).unwrap();
        (name.clone(), shape.clone(), numbers(shape.iter().product(), seed))
    };
    let tensors = names.into_iter().enumerate().map(tensor).collect();
    folder_with(&case["config"], &tensors)
}

fn floats(text: &Value) -> Option<Vec<f32>> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.as_str()?).unwrap();
    let (values, rest) = bytes.as_chunks();
    assert!(rest.is_empty());
    Some(values.iter().map(|value| f32::from_le_bytes(*value)).collect())
}

fn last(checkpoint: Arc<Checkpoint>, adapter: Option<&Arc<Adapter>>, tokens: &[u32]) -> Vec<f32> {
    let options = InferOptions {
        threads: 2,
        isa: Isa::detect(),
        slots: 1,
        context_tokens: tokens.len(),
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    };
    let mut infer = Infer::new(checkpoint, options).unwrap();
    infer.begin(0, adapter.cloned()).unwrap();
    let mut batch = Batch::new();
    tokens.iter().enumerate().for_each(|(position, token)| batch.push(0, position, *token));
    batch.want_last();
    infer.run(&batch).unwrap().into_values()
}

/// Where saved adapters stay, for `reference/peft_reference.py check`.
fn saved(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("adapter-{name}"))
}

#[test]
fn adapters_give_the_logits_that_peft_gives() {
    let reference: Value = serde_json::from_str(include_str!("reference/adapters.json")).unwrap();
    let tokens: Vec<u32> = serde_json::from_value(reference["tokens"].clone()).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 14);
    let mut worst = 0.0_f32;
    for case in cases {
        let (name, fixture) = (case["name"].as_str().unwrap(), case["fixture"].as_str().unwrap());
        let Some(model) = shared(&format!("model-fixtures/{fixture}")) else { return };
        let open = || Arc::new(Checkpoint::open(&model).unwrap());
        let folder = peft_folder(case);
        let adapter = Arc::new(Adapter::open(folder.path(), &open()).unwrap());
        let expected = floats(&case["applied"]).unwrap();
        let applied = last(open(), Some(&adapter), &tokens);
        let merged = Arc::into_inner(open()).unwrap().merged(&adapter, Isa::detect()).unwrap();
        let merged = last(Arc::new(merged), None, &tokens);
        let errors = [
            relative_error(&applied, &expected),
            relative_error(&merged, &floats(&case["merged"]).unwrap_or(expected)),
            relative_error(&merged, &applied),
        ];
        assert!(errors.iter().all(|error| *error < 2e-5), "{name} {errors:?}");
        worst = errors.into_iter().fold(worst, f32::max);
        adapter.save_peft(&saved(name), &open(), fixture).unwrap();
        let again = Arc::new(Adapter::open(&saved(name), &open()).unwrap());
        assert_eq!(bits(&last(open(), Some(&again), &tokens)), bits(&applied), "{name}");
        let gguf = saved(name).join("adapter.gguf");
        adapter.save_gguf(&gguf, &open()).unwrap();
        let again = Arc::new(Adapter::open(&gguf, &open()).unwrap());
        assert!(relative_error(&last(open(), Some(&again), &tokens), &applied) < 1e-5, "{name}");
    }
    assert!(worst > 0.0, "other sums round otherwise");
}
