//! Any bytes as the config.json of a folder with a few weights: no setting makes more memory than
//! the weights justify, and none panics.
#![no_main]

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

thread_local! {
    static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = ["model.embed_tokens.weight", "embeddings.word_embeddings.weight"];
    let tensors: Vec<_> =
        names.iter().map(|name| (name.to_string(), vec![4, 8], vec![0.5; 32])).collect();
    let bytes = allod_weights::make::safetensors(&tensors);
    std::fs::write(folder.path().join("model.safetensors"), bytes).expect("weights are written");
    folder
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|cell| {
        let folder = cell.get_or_init(folder).path();
        std::fs::write(folder.join("config.json"), bytes).expect("the config is written");
        let _ = allod_lm::Checkpoint::open(folder);
    });
});
