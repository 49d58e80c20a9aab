//! Prompts that were computed once are not computed again after a restart: the same bits, nobody
//! else's, and nothing of who was erased.
#![allow(clippy::unwrap_used)]

#[path = "../../server/tests/common/adapter.rs"]
mod adapter;
mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use allod_lm::ActivationForm;
use allod_weights::make::GgufBuilder;
use common::{Server, allod, json, run, told};
use serde_json::{Value, json};

/// A data folder, a model, and how it is served.
struct Place {
    folder: tempfile::TempDir,
    more: Vec<String>,
}

impl Place {
    fn new(more: &[&str]) -> Place {
        let folder = tempfile::tempdir().unwrap();
        tiny::write_gguf(folder.path());
        adapter::write(&folder.path().join("adapters/formal"), 1);
        Place { folder, more: more.iter().map(ToString::to_string).collect() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn pages(&self) -> PathBuf {
        self.data().join("prefixes")
    }

    fn command(&self, model: &str, more: &[&str]) -> Command {
        let mut command = allod(&self.data());
        command.args(["serve", "--listen", "127.0.0.1:0", "--context-tokens", "600"]);
        command.arg("--model").arg(self.folder.path().join(model));
        command.arg("--adapters").arg(self.folder.path().join("adapters"));
        command.args(&self.more).args(more);
        command
    }

    fn serve(&self) -> Server {
        Server::start(&mut self.command("tiny.gguf", &["--prefix-disk-mib", "8"]))
    }
}

/// All files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// 200 tokens of a prompt: six whole pages.
fn prompt() -> Value {
    json!({"model": "tiny", "prompt": "abc".repeat(70), "max_tokens": 12, "logprobs": 3,
           "temperature": 1.3, "seed": 7})
}

/// The choices, with every log probability, and the tokens that were not computed.
fn complete(server: &Server, key: Option<&str>, body: &Value) -> (Value, u64) {
    let mut request = ureq::post(format!("http://{}/v1/completions", server.address));
    if let Some(key) = key {
        request = request.header("Authorization", format!("Bearer {key}"));
    }
    let mut response = request.send_json(body).unwrap();
    let answer = json(&response.body_mut().read_to_string().unwrap());
    let cached = answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    (answer["choices"].clone(), cached)
}

fn metric(server: &Server, name: &str) -> u64 {
    let mut page = ureq::get(format!("http://{}/metrics", server.address)).call().unwrap();
    let page = page.body_mut().read_to_string().unwrap();
    let value = page.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    value.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// Waits until so many pages were written.
fn written(server: &Server, pages: u64) {
    let until = Instant::now() + Duration::from_secs(20);
    while metric(server, "allod_prefix_disk_written_total") < pages {
        assert!(Instant::now() < until, "the pages are not written");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends the server in good order.
fn stop(mut server: Server) {
    let id = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    server.child.wait().unwrap();
}

fn key(data: &Path, tenant: &str) -> String {
    let arguments = ["--json", "key", "create", "--name", "k", "--tenant", tenant];
    json(&run(allod(data).args(arguments), 0))["secret"].as_str().unwrap().to_owned()
}

#[test]
fn a_prompt_is_not_computed_again_after_a_restart_and_no_bit_changes() {
    for (form, activations) in [("bf16", "int8"), ("mxint8", "bf16"), ("f32", "int8")] {
        let place = Place::new(&["--kv-cache-dtype", form, "--activation-dtype", activations]);
        let plain = Server::start(&mut place.command("tiny.gguf", &[]));
        let (expected, cached) = complete(&plain, None, &prompt());
        assert_eq!(cached, 0);
        stop(plain);
        assert!(!place.pages().exists(), "off if not asked for");
        let first = place.serve();
        assert_eq!(complete(&first, None, &prompt()), (expected.clone(), 0));
        assert_eq!(files(&place.pages()).len(), 0, "what is asked once is not written");
        let (again, cached) = complete(&first, None, &prompt());
        assert_eq!(again, expected);
        assert!(cached >= 128, "{cached}");
        // At the end, what is still to be written is written.
        stop(first);
        assert_eq!(files(&place.pages()).len() as u64, cached / 32);
        for _ in 0..3 {
            let mut next = place.serve();
            assert_eq!(complete(&next, None, &prompt()), (expected.clone(), cached), "{form}");
            assert_eq!(metric(&next, "allod_prefix_disk_read_total"), cached / 32);
            assert_eq!(complete(&next, None, &prompt()), (expected.clone(), cached));
            // And where it dies.
            next.child.kill().unwrap();
            next.child.wait().unwrap();
        }
        damaged(&place, (expected, cached));
    }
}

/// What is damaged is not taken, and is written again.
fn damaged(place: &Place, expected: (Value, u64)) {
    for (number, path) in files(&place.pages()).iter().enumerate() {
        let mut bytes = fs::read(path).unwrap();
        match number % 3 {
            0 => bytes[40] ^= 1,
            1 => bytes.truncate(100),
            _ => bytes.clear(),
        }
        fs::write(path, bytes).unwrap();
    }
    let server = place.serve();
    let (choices, cached) = complete(&server, None, &prompt());
    assert_eq!((choices, cached), (expected.0.clone(), 0));
    assert!(metric(&server, "allod_prefix_disk_refused_total") >= 1);
    assert_eq!(complete(&server, None, &prompt()), expected);
    stop(server);
    let server = place.serve();
    // Those that no request came to yet are still damaged.
    assert_eq!(complete(&server, None, &prompt()).0, expected.0);
}

#[test]
fn pages_of_another_tenant_adapter_model_or_form_are_never_taken() {
    let place = Place::new(&[]);
    let (own, other) = (key(&place.data(), "city"), key(&place.data(), "other"));
    let first = place.serve();
    let (expected, _) = complete(&first, Some(&own), &prompt());
    let (_, cached) = complete(&first, Some(&own), &prompt());
    assert!(cached >= 128);
    written(&first, cached / 32);
    stop(first);
    let mut adapted = prompt();
    adapted["model"] = json!("formal");
    let adapted_too = ["--prefix-disk-mib", "8", "--adapter", "formal"];
    let with_adapter = || Server::start(&mut place.command("tiny.gguf", &adapted_too));
    let second = with_adapter();
    assert_eq!(complete(&second, Some(&other), &prompt()), (expected.clone(), 0));
    assert_eq!(complete(&second, Some(&own), &adapted).1, 0);
    assert_eq!(complete(&second, None, &prompt()), (expected.clone(), 0));
    assert_eq!(metric(&second, "allod_prefix_disk_read_total"), 0);
    assert_eq!(complete(&second, Some(&own), &prompt()), (expected.clone(), cached));
    // The adapter's own pages are kept as well.
    let (changed, _) = complete(&second, Some(&own), &adapted);
    assert_ne!(changed, expected);
    stop(second);
    let third = with_adapter();
    assert_eq!(complete(&third, Some(&own), &adapted), (changed, cached));
    drop(third);

    let file = tiny::gguf_file(tiny::gguf_keys(GgufBuilder::new().text("general.name", "other")));
    fs::write(place.folder.path().join("other.gguf"), file).unwrap();
    let disk = ["--prefix-disk-mib", "8"];
    let others = ActivationForm::ALL.into_iter().filter(|form| *form != ActivationForm::fastest());
    let other_form = others.map(ActivationForm::name).next().unwrap();
    for (model, more) in [
        ("other.gguf", &[][..]),
        ("tiny.gguf", &["--kv-cache-dtype", "f32"]),
        ("tiny.gguf", &["--kv-cache-dtype", "mxint8"]),
        ("tiny.gguf", &["--activation-dtype", other_form]),
    ] {
        let server = Server::start(&mut place.command(model, &[&disk, more].concat()));
        let mut asked = prompt();
        asked["model"] = json!(model.strip_suffix(".gguf").unwrap());
        assert_eq!(complete(&server, Some(&own), &asked).1, 0, "{model} {more:?}");
        assert_eq!(metric(&server, "allod_prefix_disk_refused_total"), 0);
    }
    assert_eq!(complete(&place.serve(), Some(&own), &prompt()), (expected, cached));
}

#[test]
fn an_erasure_takes_the_pages_of_the_tenant_while_a_server_runs() {
    let place = Place::new(&[]);
    let data = place.data();
    let other = key(&data, "other");
    let server = place.serve();
    let pages = {
        complete(&server, None, &prompt());
        complete(&server, Some(&other), &prompt());
        complete(&server, Some(&other), &prompt());
        complete(&server, None, &prompt()).1 / 32
    };
    written(&server, 2 * pages);
    let before = files(&place.pages());
    let sealed: Vec<Vec<u8>> = before.iter().map(|path| fs::read(path).unwrap()).collect();
    run(allod(&data).args(["ledger", "erase", "--subject", "operator"]), 0);
    let left = files(&place.pages());
    assert_eq!(left.len() as u64, pages, "those of the other tenant");
    let all: Vec<Vec<u8>> = files(&data).iter().map(|path| fs::read(path).unwrap()).collect();
    for (path, bytes) in before.iter().zip(&sealed).filter(|(path, _)| !left.contains(path)) {
        // The nonce, without which nothing opens, stands nowhere any more.
        let nonce = &bytes[16..40];
        let stands = |file: &Vec<u8>| file.windows(nonce.len()).any(|window| window == nonce);
        assert!(!all.iter().any(stands), "{}", path.display());
        let id = path.parent().unwrap().file_name().unwrap().to_str().unwrap().as_bytes();
        let names = |file: &Vec<u8>| file.windows(id.len()).any(|window| window == id);
        assert!(!all.iter().any(names), "the key's row is gone");
    }
    // What is asked afterwards is kept under another key.
    complete(&server, None, &prompt());
    written(&server, 3 * pages);
    stop(server);
    let server = place.serve();
    assert_eq!(complete(&server, None, &prompt()).1, 32 * pages);
    assert_eq!(complete(&server, Some(&other), &prompt()).1, 32 * pages);
}

#[test]
fn many_that_begin_alike_after_a_restart_read_the_pages_once() {
    let place = Place::new(&[]);
    let first = place.serve();
    let (expected, _) = complete(&first, None, &prompt());
    let (_, cached) = complete(&first, None, &prompt());
    stop(first);
    let server = place.serve();
    std::thread::scope(|scope| {
        let ask = || assert_eq!(complete(&server, None, &prompt()), (expected.clone(), cached));
        (0..8).for_each(|_| drop(scope.spawn(ask)));
    });
    assert_eq!(metric(&server, "allod_prefix_disk_read_total"), cached / 32);
}

/// Whatever instant it is: the next start answers with the same bits.
#[test]
fn kill_9_while_pages_are_written_harms_no_start() {
    let place = Place::new(&[]);
    let mut asked = prompt();
    let (expected, mut found) = (complete(&place.serve(), None, &asked).0, 0);
    for round in 0..12 {
        let mut server = place.serve();
        let (choices, cached) = complete(&server, None, &prompt());
        assert_eq!(choices, expected, "round {round}");
        found += cached;
        assert_eq!(complete(&server, None, &prompt()).0, expected);
        // Others, whose pages are still to be written.
        for other in 0..4 {
            asked["prompt"] = json!(format!("{}{other}", "bca".repeat(60 + round)));
            (0..2).for_each(|_| drop(complete(&server, None, &asked)));
        }
        std::thread::sleep(Duration::from_millis(round as u64 * 5));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }
    assert!(found > 0, "nothing survived");
    let server = place.serve();
    assert_eq!(complete(&server, None, &prompt()).0, expected);
    assert_eq!(metric(&server, "allod_prefix_disk_failed_total"), 0);
}

#[test]
fn where_no_prompts_are_kept_no_prefixes_are() {
    let place = Place::new(&[]);
    fs::create_dir(place.data()).unwrap();
    let policy = "logging:\n  prompts: not_retained\n";
    fs::write(place.data().join("allod.yaml"), policy).unwrap();
    let output = place.command("tiny.gguf", &["--prefix-disk-mib", "8"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("prefixes cannot be kept on disk"), "{}", told(&output));
}

#[test]
fn a_folder_that_cannot_be_used_costs_no_answer() {
    let place = Place::new(&[]);
    fs::create_dir(place.data()).unwrap();
    fs::write(place.pages(), "no folder").unwrap();
    let server = place.serve();
    let (expected, _) = complete(&server, None, &prompt());
    assert_eq!(complete(&server, None, &prompt()).0, expected);
    assert_eq!(metric(&server, "allod_prefix_disk_written_total"), 0);
    assert!(metric(&server, "allod_prefix_disk_failed_total") >= 2);
}
