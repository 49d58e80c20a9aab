//! The sandbox of documents, as a person meets it.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod common;
#[path = "../../server/tests/common/ranker.rs"]
mod ranker;
#[path = "common/tiny.rs"]
mod tiny;

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
    let cell = &found["engine_cell"];
    assert!(cell["denied"].as_array().unwrap().len() >= 60, "{cell}");
    assert!(cell["failed"].as_array().unwrap().is_empty() && cell["holds"] == true, "{cell}");
    assert!(cell["acts"]["thread"].is_null() && !sandbox["acts"]["thread"].is_null());
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
    let oidc = "identity:\n  oidc:\n    issuer: https://i.example\n    audience: allod\n";
    let sign_in = "    sign_in: {client_id: allod, console_url: https://a.example}\n";
    let upstream = "model: m\nruntime: vllm\nupstream: {url: 'http://127.0.0.1:9/v1'}\n";
    for (policy, named) in [
        ("telemetry: {traces_url: 'http://127.0.0.1:4318/v1/traces'}\n".into(), "traces"),
        (upstream.into(), "an upstream"),
        (oidc.into(), "without a file of its keys (`jwks_file`)"),
        // With the keys in a file, people who sign in still need their tokens from the issuer.
        (format!("{oidc}    jwks_file: keys.json\n{sign_in}"), "people sign in (`sign_in`)"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keys.json"), "{}").unwrap();
        std::fs::write(folder.path().join("allod.yaml"), format!("name: open\n{policy}")).unwrap();
        let words = ["serve", "--listen", "127.0.0.1:0", "--sealed"];
        let output = command(folder.path(), &words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{policy}: {}", told(&output));
        let said = told(&output);
        assert!(said.contains("--sealed lets nothing out"), "{policy}: {said}");
        assert!(said.contains(named) && said.contains("`open`"), "{policy}: {said}");
    }
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

/// The cells that a process has started.
fn cells_of(server: u32) -> Vec<String> {
    let names = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        entry.ok()?.file_name().into_string().ok().filter(|name| name.parse::<u32>().is_ok())
    });
    let is_cell = |id: &String| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}"));
        let parent = format!("PPid:\t{server}\n");
        read("status").is_ok_and(|status| status.contains(&parent))
            && read("cmdline").is_ok_and(|line| line.contains("allod-resident"))
    };
    names.filter(is_cell).collect()
}

#[test]
fn a_model_is_served_from_a_cell_which_may_die() {
    if !is_whole() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = tiny::write_gguf(&folder.path().join("files"));
    let words = ["serve", "--listen", "127.0.0.1:0", "--sealed", "--model"];
    let server = Server::start(command(folder.path(), &words).arg(&model));
    let url = format!("http://{}", server.address);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let get = |path: &str| {
        agent.get(format!("{url}{path}")).call().unwrap().body_mut().read_to_string().unwrap()
    };
    let name = json(&get("/api/status"))["model"].clone();
    let asked = serde_json::json!({"model": name, "max_tokens": 8, "seed": 1,
        "messages": [{"role": "user", "content": "ab"}]});
    let write = || {
        let mut reply = agent.post(format!("{url}/v1/chat/completions")).send_json(&asked).unwrap();
        let text = reply.body_mut().read_to_string().unwrap();
        (reply.status().as_u16(), json(&text))
    };
    let (status, first) = write();
    assert_eq!(status, 200, "{first}");

    let cells = cells_of(server.child.id());
    let [cell] = cells.as_slice() else { panic!("{cells:?}") };
    // Only root may look at an environment that is shut.
    let read =
        |file: &str| std::fs::read_to_string(format!("/proc/{cell}/{file}")).unwrap_or_default();
    let about = read("status");
    assert!(about.contains("Seccomp:\t2\n") && about.contains("NoNewPrivs:\t1\n"), "{about}");
    assert!(about.contains("CapPrm:\t0000000000000000\n"), "{about}");
    assert!(read("environ").is_empty());

    assert!(Command::new("kill").args(["-9", cell]).status().unwrap().success());
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let again = loop {
        match write() {
            (200, again) => break again,
            (status, error) => {
                assert_eq!((status, &error["error"]["code"]), (503, &"model_restarting".into()));
            }
        }
        assert!(std::time::Instant::now() < until, "no cell was started again");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!(again["choices"], first["choices"]);
    assert!(get("/metrics").contains("allod_engine_restarts_total 1\n"));
}

#[test]
fn models_that_read_are_served_from_cells_which_may_die() {
    if !is_whole() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (embedder, ranker) = (folder.path().join("embedder"), folder.path().join("ranker"));
    tiny::write_embedder(&embedder);
    ranker::write_folder(&ranker);
    let mut serve = command(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--sealed"]);
    serve.arg("--embedder").arg(&embedder).arg("--reranker").arg(&ranker);
    let server = Server::start(&mut serve);
    let url = format!("http://{}", server.address);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let post = |path: &str, body: &serde_json::Value| {
        let mut reply = agent.post(format!("{url}{path}")).send_json(body).unwrap();
        let text = reply.body_mut().read_to_string().unwrap();
        (reply.status().as_u16(), json(&text))
    };
    let asked = [
        ("/v1/embeddings", serde_json::json!({"model": "embedder", "input": ["ab", "c"]}), "data"),
        (
            "/v1/rerank",
            serde_json::json!({"model": "ranker", "query": "a cat", "documents": ["a dog", "mat"]}),
            "results",
        ),
    ];
    let first = asked.clone().map(|(path, body, part)| {
        let (status, reply) = post(path, &body);
        assert_eq!(status, 200, "{reply}");
        reply[part].clone()
    });
    let cells = cells_of(server.child.id());
    assert_eq!(cells.len(), 2, "one for each model");
    for cell in &cells {
        assert!(Command::new("kill").args(["-9", cell]).status().unwrap().success());
    }
    for ((path, body, part), first) in asked.iter().zip(first) {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let again = loop {
            match post(path, body) {
                (200, again) => break again[*part].clone(),
                (status, error) => {
                    let code = &error["error"]["code"];
                    assert_eq!((status, code), (503, &"model_restarting".into()), "{error}");
                }
            }
            assert!(std::time::Instant::now() < until, "no cell was started again");
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        assert_eq!(again, first);
    }
    let page = agent.get(format!("{url}/metrics")).call().unwrap().body_mut().read_to_string();
    let page = page.unwrap();
    for name in ["embedder", "ranker"] {
        let line = format!("allod_encoder_restarts_total{{model=\"{name}\"}} 1\n");
        assert!(page.contains(&line), "{line} in {page}");
    }
}

#[test]
fn without_a_layer_no_model_that_reads_is_loaded() {
    if !is_whole() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (embedder, gguf) = (folder.path().join("embedder"), folder.path().join("files"));
    tiny::write_embedder(&embedder);
    let writer = tiny::write_gguf(&gguf);
    let (embedder, writer) = (embedder.to_str().unwrap(), writer.to_str().unwrap());
    for words in [
        &["serve", "--listen", "127.0.0.1:0", "--embedder", embedder][..],
        &["embed", "--model", embedder],
        &["generate", "--model", writer, "--prompt", "ab"],
    ] {
        let output = run_without(Layer::Seccomp, command(folder.path(), words));
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", told(&output));
        let said = told(&output);
        assert!(said.contains(&format!("missing: {}", Layer::Seccomp.name())), "{words:?}: {said}");
    }
}

#[test]
fn without_a_layer_no_model_is_run() {
    if !is_whole() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = tiny::write_gguf(&folder.path().join("files"));
    let words = ["ask", "What does a stall cost?", "--model", model.to_str().unwrap()];
    for layer in [Layer::Landlock, Layer::Seccomp] {
        let output = run_without(layer, command(folder.path(), &words));
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(told(&output).contains(&format!("missing: {}", layer.name())), "{}", told(&output));
        let mut weaker = command(folder.path(), &words);
        weaker.arg("--allow-weaker-sandbox");
        let output = run_without(layer, weaker);
        assert!(told(&output).contains("WARNING"), "{}", told(&output));
        let shown = json(&run(&mut command(folder.path(), &["--json", "ledger", "show", "0"]), 0));
        let named = &shown["receipt"]["software"]["confinement"]["weaknesses"][0];
        assert_eq!(named, &format!("model: {}", Layer::Landlock.name()), "{shown}");
    }
}
