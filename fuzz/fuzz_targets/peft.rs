//! Any bytes as a PEFT adapter of a small model (its settings up to the first NUL, then its
//! tensors), and as a GGUF adapter: loaded or refused.
#![no_main]

use std::cell::OnceCell;

use allod_lm::{Adapter, Checkpoint};
use allod_weights::make::GgufBuilder;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

struct House {
    folder: TempDir,
    checkpoint: Checkpoint,
}

thread_local! {
    static HOUSE: OnceCell<House> = const { OnceCell::new() };
}

fn house() -> House {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("base.gguf");
    std::fs::write(&path, base()).expect("the model is written");
    std::fs::create_dir(folder.path().join("adapter")).expect("the folder is made");
    let checkpoint = Checkpoint::open(&path).expect("the small model is sound");
    House { folder, checkpoint }
}

/// A decoder of one layer, width 4.
fn base() -> Vec<u8> {
    let matrices = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];
    let mut file = GgufBuilder::new()
        .text("general.architecture", "llama")
        .u32("llama.context_length", 16)
        .u32("llama.embedding_length", 4)
        .u32("llama.block_count", 1)
        .u32("llama.feed_forward_length", 4)
        .u32("llama.attention.head_count", 2)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .f32_tensor("token_embd.weight", &[8, 4], &[0.5; 32])
        .f32_tensor("output_norm.weight", &[4], &[1.0; 4]);
    for norm in ["attn_norm", "ffn_norm"] {
        file = file.f32_tensor(&format!("blk.0.{norm}.weight"), &[4], &[1.0; 4]);
    }
    for matrix in matrices {
        file = file.f32_tensor(&format!("blk.0.{matrix}.weight"), &[4, 4], &[0.5; 16]);
    }
    file.build()
}

fuzz_target!(|bytes: &[u8]| {
    HOUSE.with(|cell| {
        let House { folder, checkpoint } = cell.get_or_init(house);
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).expect("the adapter is written");
        };
        if bytes.starts_with(b"GGUF") {
            write("adapter.gguf", bytes);
            let _ = Adapter::open(&folder.path().join("adapter.gguf"), checkpoint);
            return;
        }
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        write("adapter/adapter_config.json", &bytes[..end]);
        write("adapter/adapter_model.safetensors", bytes.get(end + 1..).unwrap_or_default());
        if let Ok(adapter) = Adapter::open(&folder.path().join("adapter"), checkpoint) {
            std::hint::black_box(adapter.parameters());
        }
    });
});
