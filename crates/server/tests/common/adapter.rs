//! Adapters of the tiny model.

use std::path::Path;

use allod_weights::make::safetensors;
use serde_json::json;

/// Writes an adapter that changes what the tiny model says, each `seed` in its own way.
pub fn write(folder: &Path, seed: usize) {
    let numbers = |count: usize, step: usize| -> Vec<f32> {
        let number = |at: usize| ((at * step + seed * 104_729) % 1000) as f32 / 250.0 - 2.0;
        (0..count).map(number).collect()
    };
    let name = |factor: &str| {
        format!("base_model.model.model.layers.0.mlp.down_proj.lora_{factor}.weight")
    };
    std::fs::create_dir_all(folder).unwrap();
    let config = json!({"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 16,
                        "target_modules": ["down_proj"], "bias": "none"});
    std::fs::write(folder.join("adapter_config.json"), config.to_string()).unwrap();
    let tensors =
        [(name("A"), vec![2, 16], numbers(32, 7919)), (name("B"), vec![8, 2], numbers(16, 6101))];
    std::fs::write(folder.join("adapter_model.safetensors"), safetensors(&tensors)).unwrap();
}
