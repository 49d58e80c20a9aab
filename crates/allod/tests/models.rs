//! Models are brought in whole or not at all, and say what they are.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::path::Path;
use std::process::Command;

use allod_weights::make::GgufBuilder;
use common::{allod, json, run, told};
use serde_json::{Value, json};

/// Names of the files below a folder that are not locks.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.is_dir() {
            true => names.extend(files(&path).iter().map(|inner| format!("{name}/{inner}"))),
            false if name == "lock" => {}
            false => names.push(name),
        }
    }
    names.sort();
    names
}

fn generated(data: &Path, model: &Path) -> Value {
    let mut command = allod(data);
    command.args(["generate", "--json", "--prompt", "ab", "--max-tokens", "8", "--model"]);
    json(&run(command.arg(model), 0))
}

#[test]
fn an_imported_file_is_used_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (data, source) = (folder.path().join("data"), tiny::write_gguf(folder.path()));
    let imported = json(&run(allod(&data).args(["model", "import", "--json"]).arg(&source), 0));
    assert_eq!(imported["name"], "tiny");
    assert_eq!(imported["kind"], "decoder");
    let before = generated(&data, &source);
    std::fs::remove_file(&source).unwrap();
    let list = json(&run(allod(&data).args(["model", "list", "--json"]), 0));
    assert_eq!(list, json!([imported]));
    assert_eq!(generated(&data, Path::new("tiny")), before, "the same model by its name");
    let shown = run(allod(&data).args(["model", "inspect", "tiny", "--verify"]), 0);
    assert!(shown.contains("usable        yes"), "{shown}");
    run(allod(&data).args(["model", "remove", "tiny"]), 0);
    assert_eq!(files(&data.join("models")), [""; 0]);
    let gone = allod(&data).args(["generate", "--model", "tiny"]).output().unwrap();
    assert_eq!(gone.status.code(), Some(1));
    assert!(told(&gone).contains("there is no model at tiny"), "{}", told(&gone));
}

#[test]
fn an_imported_folder_has_what_belongs_to_the_model_and_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (data, source) = (folder.path().join("data"), folder.path().join("download"));
    tiny::write_folder(&source);
    let arguments = ["model", "import", "--json", "--name", "small"];
    let imported = json(&run(allod(&data).args(arguments).arg(&source), 0));
    let names: Vec<&str> =
        imported["files"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    let expected = [
        "LICENSE",
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(names, expected);
    assert_eq!(generated(&data, Path::new("small"))["model"], "small");
    // The policy may name it.
    common::small_library(&data);
    std::fs::write(data.join("allod.yaml"), "name: test\nmodel: small\n").unwrap();
    let asked = allod(&data).args(["ask", "--json", "What does a stall cost?"]).output().unwrap();
    assert!(matches!(asked.status.code(), Some(0 | 3)), "{}", told(&asked));
    let shown = json(&run(allod(&data).args(["ledger", "show", "0", "--json"]), 0));
    assert_eq!(shown["receipt"]["model"]["name"], "small");
}

#[test]
fn the_same_content_is_kept_once_and_a_link_takes_no_space() {
    let folder = tempfile::tempdir().unwrap();
    let (data, source) = (folder.path().join("data"), tiny::write_gguf(folder.path()));
    let import = |arguments: &[&str], code| {
        let mut command = allod(&data);
        run(command.args(["model", "import", "--json"]).args(arguments).arg(&source), code)
    };
    let first = json(&import(&["--link", "--name", "one"], 0));
    let second = json(&import(&["--name", "two"], 0));
    assert_eq!(first["digest"], second["digest"]);
    assert_eq!(first["path"], second["path"]);
    let sums: Vec<String> = files(&data.join("models"));
    assert_eq!(sums.len(), 4, "{sums:?}");
    std::fs::write(&source, "other").unwrap();
    let verify = allod(&data).args(["model", "inspect", "one", "--verify"]).output().unwrap();
    assert_eq!(verify.status.code(), Some(1));
    assert!(told(&verify).contains("another than when it was imported"), "{}", told(&verify));
}

#[test]
fn what_cannot_be_used_is_refused_with_the_reason_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let keys = || tiny::gguf_keys(GgufBuilder::new());
    let mut cut = tiny::gguf_file(keys());
    cut.truncate(cut.len() - 64);
    let cases = [
        ("cut.gguf", cut, "damaged"),
        ("text.gguf", b"not a model".to_vec(), "neither GGUF nor safetensors"),
        ("bare.gguf", keys().build(), "is missing"),
        (
            "template.gguf",
            tiny::gguf_file(tiny::gguf_keys(
                GgufBuilder::new().text("tokenizer.chat_template", "{% for %}"),
            )),
            "template",
        ),
        (
            "kind.gguf",
            tiny::gguf_file(
                GgufBuilder::new().text("general.architecture", "mamba").u32("mamba.x", 1),
            ),
            "`mamba`",
        ),
    ];
    for (name, bytes, reason) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let refused = allod(&data).args(["model", "import"]).arg(&path).output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{name}");
        assert!(told(&refused).contains(reason), "{name}: {}", told(&refused));
        assert_eq!(files(&data.join("models")), [""; 0], "{name}");
    }
    let nameless = folder.path().join("a name with blanks.gguf");
    std::fs::write(&nameless, tiny::gguf_file(keys())).unwrap();
    let refused = allod(&data).args(["model", "import"]).arg(&nameless).output().unwrap();
    assert!(told(&refused).contains("--name"), "{}", told(&refused));
    let bad = allod(&data).args(["model", "import", "--name", "../x", "y"]).output().unwrap();
    assert_eq!(bad.status.code(), Some(2), "{}", told(&bad));
}

/// The limit on the size of files that a process writes ends the copy in its middle, as a full
/// disk or a power cut would.
#[cfg(unix)]
#[test]
fn an_import_that_is_ended_in_its_middle_leaves_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let (data, source) = (folder.path().join("data"), folder.path().join("download"));
    tiny::write_folder(&source);
    std::fs::write(source.join("notes.md"), vec![b'x'; 1 << 20]).unwrap();
    let script = format!(
        "ulimit -f 16; exec '{}' --data '{}' model import '{}'",
        env!("CARGO_BIN_EXE_allod"),
        data.display(),
        source.display()
    );
    let ended = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_ne!(ended.status.code(), Some(0), "{}", told(&ended));
    assert_eq!(run(allod(&data).args(["model", "list", "--json"]), 0).trim(), "[]");
    let import = ["model", "import", "--json", "--name", "x"];
    run(allod(&data).args(import).arg(&source), 0);
    let half = files(&data.join("models")).into_iter().find(|name| name.contains("unfinished"));
    assert_eq!(half, None);
}

fn inspected(path: &Path, arguments: &[&str], code: i32) -> Value {
    let mut command = allod(path.parent().unwrap());
    json(&run(command.args(["model", "inspect", "--json"]).args(arguments).arg(path), code))
}

#[test]
fn a_model_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    tiny::write_folder(&path);
    let found = inspected(&path, &[], 0);
    assert_eq!(found["architecture"], "llama");
    assert_eq!((&found["container"], &found["usable"]), (&json!("safetensors"), &json!(true)));
    assert_eq!(found["formats"][0]["format"], "F32");
    assert_eq!(found["parameters"], 12 * 8 + 3 * 8 + 4 * 64 + 3 * 128);
    assert_eq!(found["shape"]["context_tokens"], 64);
    assert_eq!(found["shape"]["rope"]["scaling"], "none");
    assert_eq!(
        found["tokenizer"]["specials"],
        json!([
            {"id": 0, "text": "<s>"}, {"id": 1, "text": "</s>"},
        ])
    );
    assert_eq!(found["tokenizer"]["begin"][0]["text"], "<s>");
    assert!(found["template"]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!((&found["warnings"], &found["refusals"]), (&json!([]), &json!([])));
}

#[test]
fn templates_that_differ_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    tiny::write_folder(&path);
    let about = path.join("tokenizer_config.json");
    std::fs::write(&about, json!({"chat_template": "{{ messages }}"}).to_string()).unwrap();
    let warning = inspected(&path, &[], 0)["warnings"][0].as_str().unwrap().to_string();
    assert!(warning.contains("tokenizer_config.json"), "{warning}");
    std::fs::write(&about, json!({"chat_template": tiny::TEMPLATE}).to_string()).unwrap();
    assert_eq!(inspected(&path, &[], 0)["warnings"], json!([]));
    // The published one, as a file.
    let published = folder.path().join("published.jinja");
    std::fs::write(&published, "{{ messages }}").unwrap();
    let arguments = ["--published", published.to_str().unwrap()];
    let warning = inspected(&path, &arguments, 0)["warnings"][0].as_str().unwrap().to_string();
    assert!(warning.contains("differs from the published one"), "{warning}");
    std::fs::write(&published, tiny::TEMPLATE).unwrap();
    assert_eq!(inspected(&path, &arguments, 0)["warnings"], json!([]));
    // A GGUF file of a family whose template is known.
    let keys = GgufBuilder::new().text("general.name", "Qwen2.5 0.5B Instruct");
    let gguf = folder.path().join("q.gguf");
    std::fs::write(&gguf, tiny::gguf_file(tiny::gguf_keys(keys))).unwrap();
    let warning = inspected(&gguf, &[], 0)["warnings"][0].as_str().unwrap().to_string();
    assert!(warning.contains("of qwen2.5 (sha256:d5495a1e"), "{warning}");
    // A GGUF file beside the published template.
    let beside = path.join("tiny.gguf");
    std::fs::write(path.join("chat_template.jinja"), "{{ messages }}").unwrap();
    std::fs::write(&beside, tiny::gguf_file(tiny::gguf_keys(GgufBuilder::new()))).unwrap();
    let warning = inspected(&beside, &[], 0)["warnings"][0].as_str().unwrap().to_string();
    assert!(warning.contains("chat_template.jinja"), "{warning}");
}

#[test]
fn all_reasons_for_a_refusal_are_given_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    tiny::write_folder(&path);
    let mut config = tiny::config();
    config["sliding_window"] = json!(16);
    std::fs::write(path.join("config.json"), config.to_string()).unwrap();
    std::fs::write(path.join("tokenizer.json"), "{").unwrap();
    std::fs::write(path.join("chat_template.jinja"), "{% if").unwrap();
    let found = inspected(&path, &[], 1);
    let refusals: Vec<&str> =
        found["refusals"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
    assert_eq!(refusals.len(), 3, "{refusals:?}");
    for (refusal, word) in refusals.iter().zip(["sliding_window", "tokenizer", "template"]) {
        assert!(refusal.contains(word), "{refusal}");
    }
    assert_eq!((&found["usable"], &found["shape"]), (&json!(false), &Value::Null));
    assert_eq!(found["formats"][0]["format"], "F32", "what can be known is said");
}

/// Under a limit of 1 GiB on all memory: what a file claims is compared with its size before
/// anything is allocated.
#[cfg(unix)]
#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path, what: &str| {
        let script = format!(
            "ulimit -v 1048576; exec '{}' --data '{}' model inspect '{}'",
            env!("CARGO_BIN_EXE_allod"),
            folder.path().join("data").display(),
            path.display()
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{what}: {}", told(&output));
        assert!(!told(&output).contains("memory allocation"), "{what}: {}", told(&output));
    };
    let keys = ["embedding_length", "block_count", "feed_forward_length", "attention.head_count"];
    for key in keys {
        for value in [1 << 24, u32::MAX] {
            // The first of two keys of a name counts, or the file is refused.
            let builder = GgufBuilder::new().u32(&format!("llama.{key}"), value);
            let path = folder.path().join("x.gguf");
            std::fs::write(&path, tiny::gguf_file(tiny::gguf_keys(builder))).unwrap();
            refused(&path, key);
        }
    }
    let path = folder.path().join("tensor.gguf");
    let builder = tiny::gguf_keys(GgufBuilder::new());
    let huge = builder.raw_tensor("token_embd.weight", &[1 << 40, 1 << 20], 0, &[0; 32]);
    std::fs::write(&path, huge.build()).unwrap();
    refused(&path, "a tensor's dimensions");

    let path = folder.path().join("m");
    tiny::write_folder(&path);
    let keys = [
        "hidden_size",
        "num_hidden_layers",
        "intermediate_size",
        "num_attention_heads",
        "vocab_size",
        "num_key_value_heads",
        "head_dim",
    ];
    for key in keys {
        for value in [1_u64 << 20, 1 << 24, u64::MAX] {
            let mut config = tiny::config();
            config[key] = json!(value);
            std::fs::write(path.join("config.json"), config.to_string()).unwrap();
            refused(&path, key);
        }
    }
    let experts = [
        json!({"num_experts": 1 << 24, "num_experts_per_tok": 1, "moe_intermediate_size": 8}),
        json!({"num_experts": 2, "num_experts_per_tok": 1 << 23, "moe_intermediate_size": 8}),
        json!({"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 1 << 24}),
        json!({"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 8,
               "mlp_only_layers": [1e300, -1.0], "decoder_sparse_step": u64::MAX}),
    ];
    for given in experts {
        let mut config = tiny::config();
        config["model_type"] = json!("allod-moe");
        config.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        std::fs::write(path.join("config.json"), config.to_string()).unwrap();
        refused(&path, &given.to_string());
    }
}

#[test]
fn a_model_is_written_in_another_format() {
    let folder = tempfile::tempdir().unwrap();
    let source = tiny::write_gguf(folder.path());
    let target = folder.path().join("half.gguf");
    let convert = |arguments: &[&str], code| {
        let mut command = allod(folder.path());
        command.args(["model", "convert", "--json"]).arg(&source).arg(&target).args(arguments);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        told(&output)
    };
    assert!(convert(&["--format", "q9"], 2).contains("use one of f32"));
    assert!(json(&convert(&["--format", "f16"], 0))["tensors"].as_u64() > Some(0));
    let found = inspected(&target, &[], 0);
    assert_eq!(found["formats"][0]["format"], "F16");
    assert_eq!(found["tokenizer"]["vocabulary"], 12);
    assert!(convert(&["--format", "f16"], 1).contains("is there already"));
}
