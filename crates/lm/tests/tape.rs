//! The executor that trains, beside the one that serves.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{
    ActivationForm, Adapter, Batch, CacheForm, Checkpoint, Documents, Infer, InferOptions, Initial,
    Intermediates, Isa, Part, Residual, Stored, Tape, Trainable, WeightId, huggingface_tensors,
};
use allod_nn::{
    AdamW, Decayed, Gradients, Optimiser, Precision, Rule, TapeOptions, Workspace, clip_gradients,
};
use allod_weights::make::safetensors;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const VOCABULARY: u32 = 37;
const CONTEXT: usize = 24;

/// A small config of every kind of decoder.
fn configs() -> Vec<Value> {
    let config = |name: &str, more: Value| {
        let mut config = json!({
            "model_type": name, "vocab_size": VOCABULARY, "hidden_size": 18,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "intermediate_size": 22, "max_position_embeddings": 64, "head_dim": 6,
            "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let window = json!({"sliding_window": 5});
    let experts = json!({"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 5});
    vec![
        config("llama", json!({"attention_bias": true, "mlp_bias": true})),
        config("llama", json!({"tie_word_embeddings": true})),
        config("mistral", window.clone()),
        config("qwen2", json!({})),
        config("qwen3", json!({})),
        config("apertus", json!({"hidden_act": "xielu"})),
        config("smollm3", json!({"no_rope_layers": [1, 0]})),
        config("phi3", json!({})),
        config(
            "granite",
            json!({"embedding_multiplier": 3.0, "logits_scaling": 2.0,
                "residual_multiplier": 0.5, "attention_multiplier": 0.3}),
        ),
        config(
            "gemma2",
            json!({"sliding_window": 5, "attn_logit_softcapping": 2.0,
                "final_logit_softcapping": 1.5, "query_pre_attn_scalar": 6}),
        ),
        config("gemma3_text", json!({"sliding_window": 5, "query_pre_attn_scalar": 6})),
        config("mixtral", experts.clone()),
        config("gpt_oss", experts),
        config("olmoe", json!({"num_experts": 4, "num_experts_per_tok": 2, "clip_qkv": 0.05})),
        config(
            "qwen3_moe",
            json!({"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 10,
                "norm_topk_prob": true}),
        ),
        config(
            "allod-moe",
            json!({"num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 10,
                "expert_weighting": "softmax", "sliding_window": 5}),
        ),
    ]
}

/// Weights far enough from their usual start that everything matters.
fn model(config: &Value, folder: &Path, seed: u64) -> Trainable {
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let spec = Checkpoint::spec_of_folder(folder).unwrap();
    let initial = Initial { seed, deviation: 0.3, residual: Residual::Plain };
    let mut model = Trainable::fresh(spec, CONTEXT, initial).unwrap();
    let vectors: Vec<_> = model
        .parameters()
        .iter()
        .filter(|(_, parameter)| parameter.shape.len() == 1 || parameter.name.contains("Bias"))
        .map(|(id, _)| id)
        .collect();
    let mut numbers = common::Numbers(seed + 1);
    for id in vectors {
        model.parameters_mut().values_mut(id).iter_mut().for_each(|v| *v += numbers.next());
    }
    model
}

/// Writes a model's weights beside its config and opens both as a checkpoint.
fn store(model: &Trainable, folder: &Path) -> Arc<Checkpoint> {
    let tensors = huggingface_tensors(model.spec(), &|_| false, Stored::Weights, model.weights());
    let of = |tensor: allod_lm::NamedTensor| (tensor.name, tensor.shape, tensor.values);
    let tensors: Vec<_> = tensors.unwrap().into_iter().map(of).collect();
    std::fs::write(folder.join("model.safetensors"), safetensors(&tensors)).unwrap();
    Arc::new(Checkpoint::open(folder).unwrap())
}

fn workspace(threads: usize, precision: Precision) -> Workspace {
    Workspace::new(TapeOptions { isa: Isa::detect(), threads, precision }).unwrap()
}

/// Three documents of different lengths.
fn texts() -> Vec<Vec<u32>> {
    let token = |at: usize| ((at * at * 7 + at * 3) % VOCABULARY as usize) as u32;
    [(0, 13), (40, 1), (90, CONTEXT)]
        .map(|(from, length)| (from..from + length).map(token).collect())
        .to_vec()
}

fn documents() -> Documents {
    let mut documents = Documents::new();
    texts().iter().for_each(|text| documents.push_text(text));
    documents
}

fn taped_logits(model: &Trainable, intermediates: Intermediates, threads: usize) -> Vec<f32> {
    let (documents, mut workspace) =
        (documents().wanting_all(), workspace(threads, Precision::F32));
    let mut tape = Tape::new(model, &documents, intermediates, &mut workspace).unwrap();
    let logits = tape.forward();
    tape.value(logits).values.clone()
}

fn inferred_logits(checkpoint: &Arc<Checkpoint>) -> Vec<f32> {
    let options = InferOptions {
        threads: 2,
        isa: Isa::detect(),
        slots: 3,
        context_tokens: CONTEXT,
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    };
    let mut infer = Infer::new(checkpoint.clone(), options).unwrap();
    infer.run(&batch()).unwrap().into_values()
}

/// The same documents as rows that all want logits.
fn batch() -> Batch {
    let mut batch = Batch::new();
    for (slot, text) in texts().iter().enumerate() {
        for (position, token) in text.iter().enumerate() {
            batch.push(slot, position, *token);
            batch.want_last();
        }
    }
    batch
}

fn slopes(model: &Trainable, intermediates: Intermediates, threads: usize) -> (f32, Gradients) {
    let mut workspace = workspace(threads, Precision::F32);
    model.loss_and_gradients(&documents(), intermediates, &mut workspace).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// What is trained is what is served: the same logits, bit for bit, before and after steps.
#[test]
fn both_executors_give_the_same_bits_for_every_architecture() {
    for config in configs() {
        let folder = tempfile::tempdir().unwrap();
        let mut model = model(&config, folder.path(), 3);
        for _ in 0..2 {
            let checkpoint = store(&model, folder.path());
            let opened = Trainable::of_checkpoint(checkpoint.clone(), CONTEXT).unwrap();
            let expected = bits(&inferred_logits(&checkpoint));
            for (intermediates, threads) in
                [(Intermediates::Kept, 1), (Intermediates::Recomputed, 3)]
            {
                let found = taped_logits(&opened, intermediates, threads);
                assert!(bits(&found) == expected, "{intermediates:?} {threads} {config}");
            }
            let (_, gradients) = slopes(&model, Intermediates::Kept, 2);
            let rule = Rule::AdamW(AdamW::default());
            let mut optimiser = Optimiser::new(rule, Decayed::All, model.parameters());
            optimiser.step(model.parameters_mut(), &gradients, 0.01);
        }
    }
}

/// Along each parameter the loss changes as its gradient says, and every parameter matters.
#[test]
fn gradients_are_slopes_of_the_loss_for_every_architecture() {
    for config in configs() {
        let folder = tempfile::tempdir().unwrap();
        let mut model = model(&config, folder.path(), 5);
        let (_, gradients) = slopes(&model, Intermediates::Kept, 1);
        let ids: Vec<_> = model.parameters().iter().map(|(id, p)| (id, p.name.clone())).collect();
        for (id, name) in ids {
            let slope = gradients.get(id).unwrap_or_else(|| panic!("{name} of {config} has none"));
            let norm = slope.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            assert!(norm > 1e-7, "{name} of {config}: norm {norm}");
            // Along the gradient itself: there the change is largest.
            let way: Vec<f32> = slope.iter().map(|x| x / norm as f32).collect();
            let mut error_at = |distance: f32| {
                let [up, down] = [distance, -distance].map(|distance| {
                    let before = model.parameters().get(id).values.clone();
                    let values = model.parameters_mut().values_mut(id);
                    values.iter_mut().zip(&way).for_each(|(value, way)| *value += distance * way);
                    let loss = f64::from(loss_of(&model));
                    model.parameters_mut().values_mut(id).copy_from_slice(&before);
                    loss
                });
                let found = (up - down) / f64::from(2.0 * distance);
                (found - norm).abs() / (norm + 1e-3)
            };
            // A step may cross the bound where another expert is chosen; a smaller one need not.
            let errors = [1e-2, 3e-3, 1e-3].map(&mut error_at);
            let least = errors.into_iter().fold(f64::INFINITY, f64::min);
            assert!(least < 0.03, "{name} of {config}: errors {errors:?}, norm {norm}");
        }
    }
}

fn loss_of(model: &Trainable) -> f32 {
    let (documents, mut workspace) = (documents(), workspace(1, Precision::F32));
    let mut tape = Tape::new(model, &documents, Intermediates::Kept, &mut workspace).unwrap();
    let logits = tape.forward();
    let loss = tape.next_token_loss(logits).unwrap();
    tape.value(loss).item()
}

/// Gradients have the same bits whether blocks are recomputed, and on any number of threads.
#[test]
fn recomputing_and_threads_change_no_bit_of_a_gradient() {
    for config in configs() {
        let folder = tempfile::tempdir().unwrap();
        let model = model(&config, folder.path(), 7);
        let expected = slopes(&model, Intermediates::Kept, 1);
        for (intermediates, threads) in [
            (Intermediates::Recomputed, 1),
            (Intermediates::Kept, 3),
            (Intermediates::Recomputed, 2),
        ] {
            let found = slopes(&model, intermediates, threads);
            assert!(found == expected, "{intermediates:?} {threads} {config}");
        }
    }
}

/// The same in bf16, on every instruction set.
#[test]
fn in_bf16_too_threads_recomputing_and_instruction_sets_change_no_bit() {
    for config in configs() {
        let folder = tempfile::tempdir().unwrap();
        let model = model(&config, folder.path(), 7);
        let found = |isa, threads, intermediates| {
            let options = TapeOptions { isa, threads, precision: Precision::Bf16 };
            let mut workspace = Workspace::new(options).unwrap();
            model.loss_and_gradients(&documents(), intermediates, &mut workspace).unwrap()
        };
        let expected = found(Isa::Scalar, 1, Intermediates::Kept);
        assert!(expected != slopes(&model, Intermediates::Kept, 1), "operands are rounded");
        for isa in Isa::available() {
            let (again, kept) = (Intermediates::Recomputed, Intermediates::Kept);
            assert!(found(isa, 3, again) == expected, "{isa:?} {config}");
            assert!(found(isa, 2, kept) == expected, "{isa:?} {config}");
        }
    }
}

/// Weights that are not trained get no gradient, and change none of the others'.
#[test]
fn frozen_weights_leave_the_other_gradients_as_they_are() {
    for config in configs() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = store(&model(&config, folder.path(), 9), folder.path());
        let whole = Trainable::of_checkpoint(checkpoint.clone(), CONTEXT).unwrap();
        let chosen = |id: WeightId| matches!(id.part, Part::AttentionNorm | Part::Query);
        let part = Trainable::choosing(checkpoint, CONTEXT, chosen).unwrap();
        assert!(part.parameters().len() < whole.parameters().len());
        let (loss, all) = slopes(&whole, Intermediates::Kept, 1);
        let (same, some) = slopes(&part, Intermediates::Kept, 1);
        assert_eq!(loss.to_bits(), same.to_bits(), "{config}");
        for (id, slope) in part.by_weight(&some) {
            let expected = all.get(whole.parameter(id).unwrap()).unwrap();
            assert!(bits(slope) == bits(expected), "{id:?} of {config}");
        }
    }
}

#[test]
fn a_low_rank_change_begins_as_nothing_and_learns() {
    let config = &configs()[0];
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = store(&model(config, folder.path(), 11), folder.path());
    let mut model = Trainable::choosing(checkpoint.clone(), CONTEXT, |_| false).unwrap();
    let id = WeightId { layer: 1, part: Part::Value };
    let change = model.add_low_rank(id, 3, 2.0, 1).unwrap();
    assert!(model.add_low_rank(id, 3, 2.0, 1).is_err());
    let norm = WeightId { layer: 1, part: Part::AttentionNorm };
    assert!(model.add_low_rank(norm, 3, 2.0, 1).is_err());
    assert_eq!(taped_logits(&model, Intermediates::Kept, 1), inferred_logits(&checkpoint));
    let rule = Rule::AdamW(AdamW { decay: 0.0, ..AdamW::default() });
    let mut optimiser = Optimiser::new(rule, Decayed::All, model.parameters());
    let (before, _) = slopes(&model, Intermediates::Kept, 1);
    for _ in 0..20 {
        let (_, gradients) = slopes(&model, Intermediates::Recomputed, 1);
        assert!(gradients.get(change.b).unwrap().iter().any(|slope| *slope != 0.0));
        optimiser.step(model.parameters_mut(), &gradients, 0.01);
    }
    let (after, gradients) = slopes(&model, Intermediates::Kept, 1);
    assert!(gradients.get(change.a).unwrap().iter().any(|slope| *slope != 0.0));
    assert!(after < before, "{after} and before {before}");
}

/// An adapter serves with the bits that it was trained with, beside a frozen base, saved or not.
#[test]
fn a_trained_adapter_serves_with_the_bits_of_the_tape() {
    for config in &configs()[..10] {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = store(&model(config, folder.path(), 17), folder.path());
        let mut model = Trainable::choosing(checkpoint.clone(), CONTEXT, |_| false).unwrap();
        let output = if model.spec().tied { Part::TokenEmbedding } else { Part::Output };
        let places =
            [(0, Part::Query), (0, Part::Key), (1, Part::Up), (1, Part::Down), (0, output)];
        for (seed, (layer, part)) in places.into_iter().enumerate() {
            let change = model.add_low_rank(WeightId { layer, part }, 2 + seed, 1.5, 9).unwrap();
            let mut numbers = common::Numbers(seed as u64);
            model.parameters_mut().values_mut(change.b).fill_with(|| numbers.next());
        }
        let expected = bits(&taped_logits(&model, Intermediates::Kept, 1));
        assert!(expected != bits(&inferred_logits(&checkpoint)), "it changes something");
        let adapter = Arc::new(model.adapter("trained").unwrap());
        assert!(bits(&adapted_logits(&checkpoint, &adapter)) == expected, "{config}");
        let saved = folder.path().join("saved");
        adapter.save_peft(&saved, &checkpoint, "base").unwrap();
        let read = Arc::new(Adapter::open(&saved, &checkpoint).unwrap());
        assert!(bits(&adapted_logits(&checkpoint, &read)) == expected, "saved {config}");
    }
}

fn adapted_logits(checkpoint: &Arc<Checkpoint>, adapter: &Arc<Adapter>) -> Vec<f32> {
    let options = InferOptions {
        threads: 2,
        isa: Isa::detect(),
        slots: 3,
        context_tokens: CONTEXT,
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    };
    let mut infer = Infer::new(checkpoint.clone(), options).unwrap();
    (0..3).for_each(|slot| infer.begin(slot, Some(adapter.clone())).unwrap());
    infer.run(&batch()).unwrap().into_values()
}

/// A few steps from scratch learn a text by heart, in both precisions; nearly the same in both.
#[test]
fn training_from_scratch_learns() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), configs()[1].to_string()).unwrap();
    let spec = Checkpoint::spec_of_folder(folder.path()).unwrap();
    let ends = [Precision::F32, Precision::Bf16].map(|precision| {
        let mut model = Trainable::fresh(spec.clone(), CONTEXT, Initial::default()).unwrap();
        let mut workspace = workspace(2, precision);
        let rule = Rule::AdamW(AdamW::default());
        let mut optimiser = Optimiser::new(rule, Decayed::Matrices, model.parameters());
        let mut last = f32::NAN;
        for _ in 0..60 {
            let (loss, mut gradients) = model
                .loss_and_gradients(&documents(), Intermediates::Kept, &mut workspace)
                .unwrap();
            clip_gradients(&mut gradients, 1.0);
            optimiser.step(model.parameters_mut(), &gradients, 0.02);
            last = loss;
        }
        last
    });
    assert!(ends.iter().all(|loss| *loss < 1.0), "{ends:?}");
}

#[test]
fn documents_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(&configs()[0], folder.path(), 13);
    let mut workspace = workspace(1, Precision::F32);
    type Tokens = Vec<(u32, Option<u32>)>;
    let cases: [(Tokens, &str); 5] = [
        (vec![(VOCABULARY, Some(1))], "37 tokens"),
        (vec![(1, Some(VOCABULARY))], "37 tokens can be predicted"),
        (vec![(1, Some(1)); CONTEXT + 1], "24 were planned"),
        (vec![(1, None)], "nothing to be learnt"),
        (vec![], "nothing to be learnt"),
    ];
    for (tokens, expected) in cases {
        let mut documents = Documents::new();
        documents.push(tokens);
        let result = model.loss_and_gradients(&documents, Intermediates::Kept, &mut workspace);
        let message = result.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
