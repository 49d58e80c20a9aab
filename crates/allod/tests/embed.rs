//! Lines of text to vectors, at the command line.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::path::{Path, PathBuf};

use common::{allod, json, run, told};
use serde_json::{Value, json};

/// A decoder whose folder says that its last token's vector is the text's.
fn model(folder: &Path) -> PathBuf {
    let path = folder.join("m");
    tiny::write_folder(&path);
    std::fs::create_dir(path.join("1_Pooling")).unwrap();
    let write = |name: &str, value: Value| {
        std::fs::write(path.join(name), value.to_string()).unwrap();
    };
    write(
        "modules.json",
        json!([
            {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ]),
    );
    write(
        "1_Pooling/config.json",
        json!({"word_embedding_dimension": 8, "pooling_mode_lasttoken": true}),
    );
    write(
        "config_sentence_transformers.json",
        json!({"prompts": {"query": "ab ", "document": ""}}),
    );
    path
}

fn vectors(model: &Path, texts: &str, arguments: &[&str]) -> Vec<Vec<f64>> {
    let input = model.join("input.txt");
    std::fs::write(&input, texts).unwrap();
    let mut command = allod(model.parent().unwrap());
    command.args(["embed", "--json", "--model"]).arg(model).arg("--input").arg(input);
    let lines = run(command.args(arguments), 0);
    let vector = |(index, line): (usize, &str)| {
        let value = json(line);
        assert_eq!(value["index"], index);
        serde_json::from_value(value["embedding"].clone()).unwrap()
    };
    lines.lines().enumerate().map(vector).collect()
}

#[test]
fn each_line_has_a_vector_and_equal_lines_have_equal_ones() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let texts = "a b\nabc\na b\n".repeat(100);
    let found = vectors(&model, &texts, &[]);
    assert_eq!((found.len(), found[0].len()), (300, 8));
    for (index, vector) in found.iter().enumerate() {
        assert_eq!(*vector, found[[0, 1, 0][index % 3]], "{index}");
        let length: f64 = vector.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    assert_ne!(found[0], found[1]);
    assert_eq!(vectors(&model, "", &[]), Vec::<Vec<f64>>::new());
    // What the model puts before questions is put there.
    let query = vectors(&model, "abc", &["--query"]);
    assert_eq!(query, vectors(&model, "ab abc", &[]));
    assert_eq!(vectors(&model, "abc", &["--document"]), found[1..2]);
    assert_ne!(query, found[1..2]);
    // An imported model takes its pooling with it.
    run(allod(folder.path()).args(["model", "import", "--name", "e"]).arg(&model), 0);
    let mut command = allod(folder.path());
    command.args(["embed", "--json", "--model", "e", "--input"]).arg(model.join("input.txt"));
    assert_eq!(run(&mut command, 0).lines().count(), 1);
}

#[test]
fn mistakes_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    tiny::write_folder(&plain);
    let mut command = allod(folder.path());
    let output = command.args(["embed", "--input", "x", "--model"]).arg(&plain).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("how its tokens become a vector"), "{}", told(&output));
    let mut command = allod(folder.path());
    let both = command.args(["embed", "--query", "--document", "--model", "x"]).output().unwrap();
    assert_eq!(both.status.code(), Some(2));
}
