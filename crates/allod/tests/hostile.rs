//! Broken and hostile input gives an error that says what was wrong, soon, and changes nothing.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{allod, json, run, told};

/// Runs; fails the test if it takes longer than a broken file may, or is killed by a signal.
fn complaint(command: &mut std::process::Command) -> String {
    let started = Instant::now();
    let output = command.output().unwrap();
    let took = started.elapsed();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(took < Duration::from_secs(5), "{took:?}: {}", told(&output));
    told(&output)
}

fn generate(model: &Path) -> String {
    let mut command = allod(model.parent().unwrap());
    complaint(command.args(["generate", "--prompt", "x", "--model"]).arg(model))
}

#[test]
fn a_gguf_that_lies_about_its_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("absurd.gguf");
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(u64::MAX.to_le_bytes());
    bytes.extend(u64::MAX.to_le_bytes());
    fs::write(&file, &bytes).unwrap();
    let said = generate(&file);
    assert!(said.contains("absurd.gguf"), "{said}");
    fs::write(&file, &bytes[..10]).unwrap();
    let said = generate(&file);
    assert!(said.contains("absurd.gguf"), "{said}");
}

#[test]
fn a_safetensors_header_of_four_gibibytes() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    fs::create_dir(&model).unwrap();
    fs::write(model.join("config.json"), r#"{"model_type":"llama"}"#).unwrap();
    let mut bytes = (4_u64 << 30).to_le_bytes().to_vec();
    bytes.extend(b"{}");
    fs::write(model.join("model.safetensors"), bytes).unwrap();
    let said = generate(&model);
    assert!(said.contains("model"), "{said}");
}

#[test]
fn a_model_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let said = generate(&folder.path().join("none.gguf"));
    assert!(said.contains("none.gguf"), "{said}");
}

#[test]
fn a_policy_that_is_a_bomb() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bomb.yaml");
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let references = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{references}]\n"));
    }
    fs::write(&file, bomb).unwrap();
    complaint(allod(folder.path()).args(["policy", "check"]).arg(&file));
}

#[test]
fn documents_that_cannot_be_read_are_reported_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    fs::create_dir(&documents).unwrap();
    fs::write(documents.join("dos.txt"), b"Geb\x81hr: zwanzig Franken").unwrap();
    fs::write(documents.join("long.txt"), vec![b'a'; 100 << 20]).unwrap();
    fs::write(documents.join("form.pdf"), b"%PDF-1.7\n").unwrap();
    fs::write(documents.join("label.md"), "---\nlabel: [a, b]\n---\n\nSecret.\n").unwrap();
    fs::write(documents.join("good.md"), "# Fees\n\nA stamp costs CHF 2.\n").unwrap();
    let data = folder.path().join("data");
    let started = Instant::now();
    let mut command = allod(&data);
    let report = json(&run(command.args(["--json", "ingest"]).arg(&documents), 0));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(report["added"], 1, "{report}");
    let unreadable = report["unreadable"].as_array().unwrap();
    assert_eq!(unreadable.len(), 4, "{report}");
    for file in unreadable {
        assert!(!file["reason"].as_str().unwrap().is_empty(), "{report}");
    }
}
