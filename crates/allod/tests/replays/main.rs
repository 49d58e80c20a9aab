//! Answers that the program gave, made again by the program: with every instruction set that this
//! processor has and, where it is said how to run the program elsewhere, there too.
//!
//! `ALLOD_REPLAYS=200` records so many, with as many models as there are; `ALLOD_ELSEWHERE` names
//! the other places: a command a line, up to and with the program. `cargo xtask replay` sets both.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../../engine/tests/common/mod.rs"]
mod bytes;
#[path = "../common/mod.rs"]
mod common;
mod models;
mod requests;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use allod_engine::Isa;
use common::{Server, allod, json, run, small_library};
use requests::{Request, SHAPES, request};
use serde_json::Value;

const POLICY: &str = "name: elsewhere\nlimits: {answer_tokens_max: 48}\nretrieval:\n  \
                      minimum_confidence: 0.01\nlogging:\n  citations: optional\n  \
                      prompts: retained\n";
/// How the server runs that is asked: none of it may show.
const MODES: [&[&str]; 6] = [
    &["--threads", "2", "--activation-dtype", "int8"],
    &["--threads", "1", "--activation-dtype", "bf16", "--prefix-mib", "0", "--step-tokens", "9"],
    &["--draft-tokens", "4", "--slots", "64"],
    &["--kv-cache-dtype", "f32", "--activation-dtype", "int8", "--slots", "3"],
    &["--kv-cache-dtype", "mxint8", "--activation-dtype", "bf16"],
    &["--kv-cache-dtype", "mxint8", "--activation-dtype", "int8"],
];
/// Callers at a time, so that requests are computed beside others.
const CALLERS: usize = 8;

fn wanted() -> usize {
    std::env::var("ALLOD_REPLAYS").map_or(0, |count| count.parse().unwrap())
}

/// Sends requests to a model; each must be answered.
fn record(data: &Path, model: &str, mode: &[&str], numbers: &[usize]) {
    let mut command = allod(data);
    command.args(["serve", "--listen", "127.0.0.1:0", "--context-tokens", "4000"]);
    let server = Server::start(command.args(["--model", model]).args(mode));
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent = config.timeout_global(Some(Duration::from_secs(120))).build().new_agent();
    let address = &server.address;
    let status = agent.get(format!("http://{address}/api/status")).call().unwrap();
    let status: Value = status.into_body().read_json().unwrap();
    // A file may call its model otherwise than it was called when it was imported.
    let served = &status["model"];
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let agent = agent.clone();
            scope.spawn(move || {
                for number in numbers.iter().skip(caller).step_by(CALLERS) {
                    send(&agent, address, served, request(*number, model));
                }
            });
        }
    });
}

fn send(agent: &ureq::Agent, address: &str, model: &Value, mut request: Request) {
    if request.path != "/api/ask" {
        request.body["model"] = model.clone();
    }
    let post = agent.post(format!("http://{address}{}", request.path));
    let mut response = post.send_json(&request.body).unwrap();
    let said = response.body_mut().read_to_string().unwrap();
    assert_eq!(response.status(), 200, "{model} {} {}: {said}", request.path, request.body);
}

/// What a replay of everything says.
fn replayed(data: &Path, mut command: Command) -> Value {
    command.arg("--data").arg(data).args(["--json", "replay", "--all"]);
    command.env_remove("ALLOD_ISA").env("ALLOD_ALLOW_WEAKER_SANDBOX", "1");
    json(&run(&mut command, 0))
}

/// The places: what they are called, and how the program is run there.
fn places() -> Vec<(String, Command)> {
    let here = Isa::available().into_iter().map(|isa| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_allod"));
        command.args(["--isa", isa.name()]);
        (isa.name().to_owned(), command)
    });
    let elsewhere = std::env::var("ALLOD_ELSEWHERE").unwrap_or_default();
    let there = elsewhere.lines().map(|line| {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().expect("a command"));
        command.args(words);
        (line.to_owned(), command)
    });
    here.chain(there).collect()
}

#[test]
fn what_was_answered_here_is_the_same_on_every_instruction_set() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    small_library(&data);
    std::fs::write(data.join("allod.yaml"), POLICY).unwrap();
    let mut models = models::import_all(&data, folder.path());
    let wanted = wanted().max(2 * SHAPES.len());
    // A short run asks few models, each in every shape.
    models.truncate(wanted / SHAPES.len());
    let numbers: Vec<usize> = (0..wanted).collect();
    let parts = numbers.chunks(wanted.div_ceil(models.len()));
    for ((at, model), numbers) in models.iter().enumerate().zip(parts) {
        record(&data, model, MODES[at % MODES.len()], numbers);
    }
    println!("{wanted} recorded with {}", models.join(", "));
    for (place, command) in places() {
        let begun = Instant::now();
        let told = replayed(&data, command);
        println!("{place}: {} of {wanted}, {:?}", told["identical"], begun.elapsed());
        assert_eq!(told["identical"], wanted, "{place}: {told}");
    }
}
