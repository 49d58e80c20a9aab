//! The sandbox of documents, as a person meets it.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use allod_sandbox::{Layer, Setup, lack, self_test};
use common::{Server, allod, json, run, small_library, told};

/// Runs on a system that lacks a layer.
fn run_without(layer: Layer, command: Command) -> Output {
    let mut command = command;
    let run = move || {
        lack(layer).unwrap();
        command.stdin(Stdio::null()).output().unwrap()
    };
    std::thread::spawn(run).join().unwrap()
}

/// Whether this system has all layers; says so if not.
fn is_whole() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_allod").into();
    let tested = self_test(&Setup { program, ..Setup::default() }, folder.path());
    let is_whole = tested.as_ref().is_ok_and(|report| report.missing.is_empty());
    if !is_whole {
        println!("skipped: this system lacks a layer of the sandbox");
    }
    is_whole
}

fn command(data: &Path, words: &[&str]) -> Command {
    let mut command = allod(data);
    command.args(words).env_remove("ALLOD_ALLOW_WEAKER_SANDBOX");
    command
}

#[test]
fn doctor_lists_what_is_denied() {
    if !is_whole() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let found = json(&run(&mut command(folder.path(), &["--json", "doctor"]), 0));
    let sandbox = &found["sandbox"];
    assert!(sandbox["denied"].as_array().unwrap().len() >= 20, "{sandbox}");
    assert_eq!(sandbox["failed"].as_array().unwrap().len(), 0, "{sandbox}");
    for layer in ["environment", "privileges", "limits", "landlock", "seccomp"] {
        assert!(!sandbox["layers"][layer].as_str().unwrap().starts_with("missing"), "{sandbox}");
    }
    assert!(found["machine"]["threads"].as_u64().unwrap() > 0);
    let text = run(&mut command(folder.path(), &["doctor"]), 0);
    assert!(text.contains("open /etc/passwd"), "{text}");
}

#[test]
fn without_a_layer_the_server_refuses_and_names_it() {
    if !is_whole() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for layer in [Layer::Privileges, Layer::Limits, Layer::Landlock, Layer::Seccomp] {
        let serve = command(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
        let output = run_without(layer, serve);
        assert_eq!(output.status.code(), Some(1), "{}: {}", layer.name(), told(&output));
        assert!(told(&output).contains(&format!("missing: {}", layer.name())), "{}", told(&output));
        assert!(told(&output).contains("--allow-weaker-sandbox"), "{}", told(&output));
    }
    let documents = folder.path().join("documents");
    std::fs::create_dir(&documents).unwrap();
    let ingest = command(folder.path(), &["ingest", documents.to_str().unwrap()]);
    let output = run_without(Layer::Landlock, ingest);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let doctor = run_without(Layer::Landlock, command(folder.path(), &["--json", "doctor"]));
    assert_eq!(doctor.status.code(), Some(1), "{}", told(&doctor));
    let failed = json(std::str::from_utf8(&doctor.stdout).unwrap())["sandbox"]["failed"].clone();
    assert!(failed.as_array().unwrap().contains(&"read_passwd (by landlock alone)".into()));
}

#[test]
fn a_weaker_sandbox_is_allowed_aloud_and_stands_in_the_receipt() {
    if !is_whole() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    small_library(folder.path());
    let data = folder.path().to_owned();
    let server = std::thread::spawn(move || {
        lack(Layer::Landlock).unwrap();
        let words = ["serve", "--listen", "127.0.0.1:0", "--allow-weaker-sandbox"];
        Server::start(&mut command(&data, &words))
    });
    let server = server.join().unwrap();
    let url = format!("http://{}", server.address);
    let get = |path: &str| -> serde_json::Value {
        let mut reply = ureq::get(format!("{url}{path}")).call().unwrap();
        reply.body_mut().read_json().unwrap()
    };
    assert_eq!(get("/api/status")["confinement"]["weaknesses"][0], "landlock");
    let question = serde_json::json!({"question": "What does a stall cost?"});
    ureq::post(format!("{url}/api/ask")).send_json(question).unwrap();
    drop(server);
    let shown = json(&run(&mut command(folder.path(), &["--json", "ledger", "show", "0"]), 0));
    let software = &shown["receipt"]["software"];
    assert_eq!(software["confinement"]["weaknesses"][0], "landlock", "{shown}");
}

#[test]
fn a_sealed_server_answers_and_says_so() {
    if !is_whole() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    small_library(folder.path());
    let words = ["serve", "--listen", "127.0.0.1:0", "--sealed"];
    let server = Server::start(&mut command(folder.path(), &words));
    let url = format!("http://{}", server.address);
    let mut status = ureq::get(format!("{url}/api/status")).call().unwrap();
    let status: serde_json::Value = status.body_mut().read_json().unwrap();
    assert_eq!(status["confinement"]["sealed"], true, "{status}");
    let question = serde_json::json!({"question": "What does a stall cost?"});
    ureq::post(format!("{url}/api/ask")).send_json(question).unwrap();
    drop(server);
    let shown = json(&run(&mut command(folder.path(), &["--json", "ledger", "show", "0"]), 0));
    assert_eq!(shown["receipt"]["software"]["confinement"]["sealed"], true, "{shown}");
}

#[test]
fn what_the_policy_sends_out_cannot_be_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "name: open\ntelemetry:\n  traces_url: http://127.0.0.1:4318/v1/traces\n";
    std::fs::write(folder.path().join("allod.yaml"), policy).unwrap();
    let words = ["serve", "--listen", "127.0.0.1:0", "--sealed"];
    let output = command(folder.path(), &words).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("--sealed lets nothing out"), "{}", told(&output));
}

#[test]
fn documents_are_read_in_cells() {
    if !is_whole() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    std::fs::create_dir(&documents).unwrap();
    for number in 0..20 {
        let text = format!("# Notice {number}\n\nFee number {number} is CHF {number}.\n");
        std::fs::write(documents.join(format!("{number}.md")), text).unwrap();
    }
    std::fs::write(documents.join("empty.md"), "").unwrap();
    let words = ["--json", "ingest", documents.to_str().unwrap()];
    let report = json(&run(&mut command(folder.path(), &words), 0));
    assert_eq!(report["added"], 20, "{report}");
    assert_eq!(report["unreadable"][0]["reason"], "the document has no text", "{report}");
}
