//! `allod model pack`
#![allow(dead_code, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../engine/tests/common/mod.rs"]
mod bytes;
mod common;
#[path = "common/tiny.rs"]
mod tiny;

use common::{allod, json, run, told};
use std::path::Path;

fn generated(data: &Path, model: &Path) -> serde_json::Value {
    let words = ["generate", "--json", "--max-tokens", "8", "--prompt", "abc", "--model"];
    let mut answer = json(&run(allod(data).args(words).arg(model), 0));
    answer.as_object_mut().unwrap().retain(|key, _| key == "text" || key == "tokens");
    answer
}

#[test]
fn a_packed_model_writes_the_same_and_can_be_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let (data, model) = (folder.path().join("data"), folder.path().join("model.gguf"));
    std::fs::write(&model, bytes::model().build()).unwrap();
    let before = generated(&data, &model);
    let made = json(&run(allod(&data).args(["model", "pack", "--json"]).arg(&model), 0));
    let packed = folder.path().join("model.gguf.packed");
    assert_eq!(made["packed"], packed.to_str().unwrap());
    assert!(made["bytes"].as_u64().unwrap() > 1000, "{made}");
    assert_eq!(generated(&data, &model), before);
    run(allod(&data).args(["model", "pack", "--remove"]).arg(&model), 0);
    assert!(!packed.exists());
    // A name from the registry does as well, and what was made goes with the model.
    run(allod(&data).args(["model", "import", "--name", "small"]).arg(&model), 0);
    let made = json(&run(allod(&data).args(["model", "pack", "small", "--json"]), 0));
    let packed = Path::new(made["packed"].as_str().unwrap());
    assert!(packed.starts_with(&data) && packed.exists(), "{made}");
    assert_eq!(generated(&data, Path::new("small")), before);
    run(allod(&data).args(["model", "inspect", "small", "--verify"]), 0);
    run(allod(&data).args(["model", "remove", "small"]), 0);
    assert!(!packed.exists());
}

#[test]
fn what_cannot_be_packed_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (data, model) = (folder.path().join("data"), tiny::write_gguf(folder.path()));
    for words in [&["model", "pack"][..], &["model", "pack", "--remove"]] {
        let refused = allod(&data).args(words).arg(&model).output().unwrap();
        assert_eq!(refused.status.code(), Some(1));
        let told = told(&refused);
        assert!(
            told.contains("no quantised weights") || told.contains("nothing need be removed"),
            "{told}"
        );
    }
}
