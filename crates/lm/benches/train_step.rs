//! One training step of a model of 26 million parameters: forward, backward, clipping, AdamW, over
//! 16 documents of 512 tokens in bf16 with `f32` masters, or, after `-- --f32`, in `f32`.
//!
//! `cargo bench -p allod-lm --bench train_step` prints the seconds of a few steps on two threads
//! (`-- --threads N`). With `-- wait` it does a step for each line that it reads: so
//! `train_step.py` beside it takes turns with the same model in PyTorch.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use allod_lm::{Checkpoint, Documents, Initial, Intermediates, Isa, Residual, Trainable};
use allod_nn::{
    AdamW, Decayed, Optimiser, Precision, Rule, TapeOptions, Workspace, clip_gradients,
};
use std::io::BufRead;
use std::time::Instant;

const DOCUMENTS: u32 = 16;
const TOKENS: u32 = 512;
const VOCABULARY: u32 = 8192;
const STEPS: usize = 7;
const CONFIG: &str = r#"{
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
    "hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 6,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64,
    "vocab_size": 8192, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "tie_word_embeddings": false, "attention_bias": false,
    "mlp_bias": false, "torch_dtype": "float32"
}"#;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), CONFIG).unwrap();
    let spec = Checkpoint::spec_of_folder(folder.path()).unwrap();
    let initial = Initial { seed: 0, deviation: 0.02, residual: Residual::Plain };
    let mut model = Trainable::fresh(spec, TOKENS as usize, initial).unwrap();
    let mut workspace = Workspace::new(options()).unwrap();
    let rule = Rule::AdamW(AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01 });
    let mut optimiser = Optimiser::new(rule, Decayed::Matrices, model.parameters());
    let documents = documents();
    let mut step = || {
        let (start, used) = (Instant::now(), processor_seconds());
        let (loss, mut gradients) =
            model.loss_and_gradients(&documents, Intermediates::Kept, &mut workspace).unwrap();
        clip_gradients(&mut gradients, 1.0);
        optimiser.step(model.parameters_mut(), &gradients, 1e-3);
        let (wall, used) = (start.elapsed().as_secs_f64(), processor_seconds() - used);
        println!("{wall:.4} seconds, {used:.2} of the processors, loss {loss}");
    };
    if std::env::args().any(|argument| argument == "wait") {
        std::io::stdin().lock().lines().for_each(|_| step());
    } else {
        (0..STEPS).for_each(|_| step());
    }
}

/// As the command line asks.
fn options() -> TapeOptions {
    let words: Vec<String> = std::env::args().collect();
    let precision = match words.iter().any(|word| word == "--f32") {
        true => Precision::F32,
        false => Precision::Bf16,
    };
    let threads = words.iter().position(|word| word == "--threads").map(|place| &words[place + 1]);
    let threads = threads.map_or(2, |threads| threads.parse().unwrap());
    TapeOptions { isa: Isa::detect(), threads, precision }
}

/// What this process has used of the processors, where Linux says so.
fn processor_seconds() -> f64 {
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = line.rsplit(')').next().unwrap_or_default().split_whitespace();
    // User and system time, in hundredths of a second.
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Any tokens: what they are changes nothing in how long a step takes.
fn documents() -> Documents {
    let mut documents = Documents::new();
    let token = |place: u32| place.wrapping_mul(2_654_435_761) >> 7 & (VOCABULARY - 1);
    for document in 0..DOCUMENTS {
        let places = document * (TOKENS + 1)..(document + 1) * (TOKENS + 1) - 1;
        documents.push(places.map(|place| (token(place), Some(token(place + 1)))));
    }
    documents
}
