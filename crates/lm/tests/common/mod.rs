//! Small models made in code, and where the large test data lies.
#![allow(
    dead_code,
    clippy::print_stderr,
    reason = "each test file uses its part, and says what it skips"
)]

pub mod cases;
pub mod encoder;
pub mod models;

use allod_kernels::encode_row;
use allod_lm::{
    ActivationForm, Batch, CacheForm, Checkpoint, Format, Infer, InferOptions, Isa, Numerics, Role,
};
use allod_weights::make::GgufBuilder;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A path in the folder of shared test data, if it is there; says so if it is not.
pub fn shared(path: &str) -> Option<PathBuf> {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!("skipped: {path} is not in the folder of shared test data");
    None
}

/// Numbers that look random and are the same everywhere.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5) * 0.4
    }

    /// A whole number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (((self.next() / 0.4 + 0.5) * end as f32) as usize).min(end - 1)
    }

    pub fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Shape of the model that [`tiny_gguf`] makes.
pub const VOCABULARY: usize = 97;
const WIDTH: usize = 48;
const LAYERS: usize = 2;
const HEAD_DIM: usize = 12;
const KEYS: usize = 2 * HEAD_DIM;
const FEED_FORWARD: usize = 80;

/// Metadata of a small Llama without a tokenizer.
pub fn tiny_keys() -> GgufBuilder {
    GgufBuilder::new()
        .text("general.architecture", "llama")
        .u32("llama.context_length", 256)
        .u32("llama.embedding_length", WIDTH as u32)
        .u32("llama.block_count", LAYERS as u32)
        .u32("llama.feed_forward_length", FEED_FORWARD as u32)
        .u32("llama.attention.head_count", 4)
        .u32("llama.attention.head_count_kv", 2)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
}

/// The tensors of the small Llama: name, shape, values.
pub fn tiny_tensors() -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut numbers = Numbers(7);
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: &[usize]| {
        let mut values = numbers.take(shape.iter().product());
        if shape.len() == 1 && name.ends_with("weight") {
            values.iter_mut().for_each(|value| *value += 1.0);
        }
        tensors.push((name, shape.to_vec(), values));
    };
    add("token_embd.weight".to_string(), &[VOCABULARY, WIDTH]);
    add("output_norm.weight".to_string(), &[WIDTH]);
    for layer in 0..LAYERS {
        let mut add = |name: &str, shape: &[usize]| add(format!("blk.{layer}.{name}"), shape);
        add("attn_norm.weight", &[WIDTH]);
        add("attn_q.weight", &[WIDTH, WIDTH]);
        add("attn_q.bias", &[WIDTH]);
        add("attn_k.weight", &[KEYS, WIDTH]);
        add("attn_k.bias", &[KEYS]);
        add("attn_v.weight", &[KEYS, WIDTH]);
        add("attn_v.bias", &[KEYS]);
        add("attn_output.weight", &[WIDTH, WIDTH]);
        add("ffn_norm.weight", &[WIDTH]);
        add("ffn_gate.weight", &[FEED_FORWARD, WIDTH]);
        add("ffn_up.weight", &[FEED_FORWARD, WIDTH]);
        add("ffn_down.weight", &[WIDTH, FEED_FORWARD]);
    }
    tensors
}

/// The file made of keys and tensors.
pub fn tiny_gguf(keys: GgufBuilder, tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let add = |file: GgufBuilder, (name, shape, values): &(String, Vec<usize>, Vec<f32>)| {
        file.f32_tensor(name, shape, values)
    };
    tensors.iter().fold(keys, add).build()
}

/// Opens the bytes of a GGUF file.
pub fn open(bytes: &[u8]) -> allod_lm::Result<Checkpoint> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    std::fs::write(&path, bytes).unwrap();
    Checkpoint::open(&path)
}

/// The small Llama.
pub fn tiny() -> Arc<Checkpoint> {
    Arc::new(open(&tiny_gguf(tiny_keys(), &tiny_tensors())).unwrap())
}

/// The small Llama with matrices in Q8_0, Q4_0 and, where rows are no whole blocks, BF16: those
/// whose products are rounded.
pub fn tiny_rounded() -> Arc<Checkpoint> {
    let mut file = tiny_keys();
    for (index, (name, shape, values)) in tiny_tensors().iter().enumerate() {
        let format = match shape[..] {
            [_] => Format::F32,
            [_, columns] if columns % 32 > 0 => Format::BF16,
            _ if index % 2 == 0 => Format::Q8_0,
            _ => Format::Q4_0,
        };
        let mut bytes = vec![0; format.row_bytes(values.len()).unwrap()];
        encode_row(format, values, &mut bytes).unwrap();
        file = file.tensor(name, shape, format, &bytes);
    }
    Arc::new(open(&file.build()).unwrap())
}

/// An executor for it.
pub fn infer(checkpoint: &Arc<Checkpoint>, threads: usize, isa: Isa) -> Infer {
    infer_with(checkpoint, threads, isa, rule(CacheForm::F32))
}

/// The rule of a cache where activations are rounded to `bf16`.
pub fn rule(cache: CacheForm) -> Numerics {
    Numerics { activations: ActivationForm::Bf16, cache }
}

/// The same under any rule.
pub fn infer_with(
    checkpoint: &Arc<Checkpoint>,
    threads: usize,
    isa: Isa,
    Numerics { activations, cache }: Numerics,
) -> Infer {
    let (slots, context_tokens) = (3, 256);
    let options = InferOptions { threads, isa, slots, context_tokens, activations, cache };
    Infer::new(checkpoint.clone(), options).unwrap()
}

/// Logits of every position of a prompt, fed in pieces of `chunk` tokens.
pub fn all_logits(infer: &mut Infer, slot: usize, tokens: &[u32], chunk: usize) -> Vec<f32> {
    logits_of(Role::Prompt, infer, slot, tokens, chunk)
}

/// The same of a prompt or an answer.
pub fn logits_of(
    role: Role,
    infer: &mut Infer,
    slot: usize,
    tokens: &[u32],
    chunk: usize,
) -> Vec<f32> {
    let mut all = Vec::new();
    for chunk in tokens.chunks(chunk) {
        let start = infer.length(slot);
        let mut batch = Batch::of(role);
        for (position, token) in (start..).zip(chunk) {
            batch.push(slot, position, *token);
            batch.want_last();
        }
        all.extend(infer.run(&batch).unwrap().into_values());
    }
    all
}

/// The largest difference, relative to the largest value of the reference.
pub fn relative_error(found: &[f32], reference: &[f32]) -> f32 {
    assert_eq!(found.len(), reference.len());
    let scale = reference.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let error = found.iter().zip(reference).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    error / scale
}
