//! Text to tokens and back, at the command line.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::{allod, json, run, told};
use serde_json::{Value, json};

fn model(folder: &Path) -> PathBuf {
    let path = folder.join("m");
    tiny::write_folder(&path);
    path
}

fn tokens(model: &Path, arguments: &[&str]) -> Value {
    let mut command = allod(model.parent().unwrap());
    command.args(["tokenize", "--json", "--model"]).arg(model).args(arguments);
    json(&run(&mut command, 0))
}

#[test]
fn text_becomes_tokens_and_tokens_text() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let found = tokens(&model, &["ab aé"]);
    assert_eq!(found["ids"], json!([4, 6, 8, 9]));
    assert_eq!(found["count"], 4);
    assert_eq!(found["tokens"][0], json!({"id": 4, "text": "ab", "special": false}));
    assert_eq!(tokens(&model, &["--decode", "4,6 8,9"]), json!({"text": "ab aé"}));
    assert_eq!(tokens(&model, &["--whole", "ab"])["ids"], json!([0, 4]));
    assert_eq!(tokens(&model, &["--special", "<s>ab</s>"])["ids"], json!([0, 4, 1]));
    assert_eq!(tokens(&model, &[""])["ids"], json!([]));
    let shown = run(allod(folder.path()).args(["tokenize", "--model"]).arg(&model).arg("ab"), 0);
    assert_eq!(shown, "      4  \"ab\"\n");
}

#[test]
fn a_vocabulary_alone_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    assert_eq!(tokens(&model.join("tokenizer.json"), &["ab"])["ids"], json!([4]));
    let gguf = tiny::write_gguf(folder.path());
    assert_eq!(tokens(&gguf, &["ab", "--whole"])["ids"][0], 1);
    let mut command = allod(folder.path());
    run(command.args(["model", "import", "--name", "named"]).arg(&gguf), 0);
    let mut command = allod(folder.path());
    let found = run(command.args(["tokenize", "--json", "--model", "named", "ab"]), 0);
    assert_eq!(json(&found), tokens(&gguf, &["ab"]));
}

#[test]
fn standard_input_is_read_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    for dash in [&["-"][..], &[]] {
        let mut command = allod(folder.path());
        command.args(["tokenize", "--json", "--model"]).arg(&model).args(dash);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"a b").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(json(&told(&output))["ids"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn mistakes_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let told = |arguments: &[&str], code: i32| {
        let mut command = allod(folder.path());
        let output = command.arg("tokenize").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        told(&output)
    };
    let model = model.to_str().unwrap();
    assert!(told(&["--model", model, "--decode", "x"], 1).contains("`x` is no token id"));
    assert!(told(&["--model", model, "--decode", "10"], 1).contains("ends at 10"));
    assert!(told(&["--model", "nowhere", "a"], 1).contains("nowhere"));
    // Text that spells a special token is text; this vocabulary has no letters for it.
    assert!(!told(&["--json", "--model", model, "<s>"], 0).contains("true"));
    told(&["a"], 2);
    told(&["--model", model, "--decode", "1", "--special"], 2);
}
