//! What people write about themselves reaches neither an upstream nor the log: requests of many
//! shapes, through the program as it is shipped, to a server that keeps every byte.
//!
//! `ALLOD_FUZZED_REQUESTS=10000` sends so many; `ALLOD_FUZZ_SEED` draws others.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod chance;
#[path = "../common/mod.rs"]
mod common;
mod identifier;
mod look;
mod request;
mod spelling;
mod stub;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chance::Chance;
use identifier::{Identifier, identifier};
use look::Planted;
use request::{Plant, Request, SHAPES};
use spelling::{FOUND, OPEN, Spelling};
use stub::Stub;

/// The program, serving, and every line that it writes.
struct Program {
    child: Child,
    address: String,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Program {
    fn start(data: &Path) -> Program {
        let mut command = common::allod(data);
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("ALLOD_LOG", "debug");
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let listens = line.split_once("http://").filter(|_| line.contains("listen"));
                if let Some(address) = listens.and_then(|(_, rest)| rest.split('/').next()) {
                    let _ = tell.send(address.to_owned());
                }
                kept.lock().unwrap().push(line);
            }
        });
        let address = told.recv_timeout(Duration::from_secs(60)).expect("it says where it listens");
        Program { child, address, lines }
    }

    /// Its log, once it has ended.
    fn log(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        self.lines.lock().unwrap().join("\n")
    }
}

/// What was planted in one request.
struct Sent {
    shape: &'static str,
    spelling: &'static str,
    identifier: Identifier,
    status: u16,
}

/// What came of a run: what was sent, and of which requests something was seen, and where.
struct Run {
    sent: Vec<Sent>,
    upstream: Vec<usize>,
    log: Vec<usize>,
    reached: usize,
}

fn plant(identifier: &Identifier, spelling: &Spelling, chance: &mut Chance) -> Plant {
    let written = (spelling.write)(&identifier.plain, chance);
    // Where nothing but its form says what it is, it is written as it is printed.
    let bare = matches!(spelling.name, "plain" | "full width" | "entities") && chance.below(3) == 0;
    let lead = if bare { "" } else { identifier.lead };
    let (first, second) = identifier.plain.split_at(identifier.plain.len() / 2);
    let first = (spelling.write)(first, chance);
    let second = (spelling.write)(second, chance);
    Plant {
        said: format!("{lead} {written}").trim().to_owned(),
        parts: [format!("{lead} {first}"), second],
        plain: identifier.plain.clone(),
        written,
    }
}

fn send(agent: &ureq::Agent, address: &str, request: &Request) -> u16 {
    // A connection that was idle for long is closed by the server just when it is used again.
    for _ in 0..5 {
        let mut post = agent.post(format!("http://{address}{}", request.path));
        for (name, value) in &request.headers {
            post = post.header(*name, value);
        }
        if let Ok(mut response) = post.send_json(&request.body) {
            let _ = response.body_mut().read_to_string();
            return response.status().as_u16();
        }
    }
    panic!("the server does not answer: {}", request.shape);
}

fn policy(privacy: &str, stub: &Stub) -> String {
    format!(
        "model: m\nruntime: vllm\nupstream:\n  url: {}\nprivacy:\n{privacy}retrieval:\n  \
         minimum_confidence: 0.0\n  required_for_policy_answers: false\nrouting:\n  escalate_on: \
         []\nlogging:\n  citations: optional\n  human_review: not_required\n",
        stub.url
    )
}

/// Sends requests under what a policy says of privacy, and looks for what was planted.
fn run(privacy: &str, spellings: &[Spelling], count: usize, chance: &mut Chance) -> Run {
    let (folder, stub) = (tempfile::tempdir().unwrap(), Stub::start());
    let mut planted = Planted::default();
    common::small_library(folder.path());
    std::fs::write(folder.path().join("allod.yaml"), policy(privacy, &stub)).unwrap();
    let program = Program::start(folder.path());
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent = config.timeout_global(Some(Duration::from_secs(60))).build().new_agent();
    let mut sent = Vec::new();
    for number in 0..count {
        let identifier = identifier(chance);
        let spelling = &spellings[chance.below(spellings.len())];
        let (shape, make) = SHAPES[number % SHAPES.len()];
        let request = make(&plant(&identifier, spelling, chance), chance);
        planted.add(number, &identifier.plain);
        let status = send(&agent, &program.address, &request);
        sent.push(Sent { shape, spelling: spelling.name, identifier, status });
    }
    let log = planted.within(&program.log());
    let got = stub.got();
    let mut upstream: Vec<usize> = got.iter().flat_map(|one| planted.within(one)).collect();
    upstream.sort_unstable();
    upstream.dedup();
    Run { sent, upstream, log, reached: got.len() }
}

/// What was seen, by how it was written and where it was planted.
fn told(run: &Run, seen: &[usize]) -> String {
    let mut all = BTreeMap::<String, usize>::new();
    for one in seen.iter().map(|number| &run.sent[*number]) {
        let Sent { shape, spelling, identifier, .. } = one;
        *all.entry(format!("{spelling}, {}, in: {shape}", identifier.kind)).or_default() += 1;
    }
    all.iter().map(|(what, count)| format!("{count} x {what}\n")).collect()
}

fn number(variable: &str, standard: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(standard)
}

/// What was seen under an action of the policy, in words; nothing if nothing was.
fn leaked(action: &str, count: usize, mut chance: Chance) -> String {
    let run = run(&format!("  upstream: {action}\n"), &FOUND, count, &mut chance);
    let (sent, reached) = (run.sent.len(), run.reached);
    let answered = run.sent.iter().filter(|one| one.status == 200).count();
    println!("{action}: {sent} sent, {answered} answered, {reached} reached the upstream");
    // Who blocks sends less; but a test in which nothing is sent would show nothing.
    let least = if action == "block" { sent / 30 } else { sent / 2 };
    assert!(reached >= least, "{action}: {reached} of {sent} reached the upstream");
    let places = [("the upstream", &run.upstream), ("the log", &run.log)];
    let seen = places.into_iter().filter(|(_, seen)| !seen.is_empty());
    seen.map(|(place, seen)| format!("{action}, in {place}:\n{}", told(&run, seen))).collect()
}

#[test]
fn nothing_planted_reaches_the_upstream_or_the_log() {
    let count = number("ALLOD_FUZZED_REQUESTS", 500) as usize / 3 + 1;
    let seed = number("ALLOD_FUZZ_SEED", 1);
    let bad: String = std::thread::scope(|scope| {
        let begin = |(place, action): (u64, &'static str)| {
            scope.spawn(move || leaked(action, count, Chance(seed * 3 + place)))
        };
        let actions = (0..).zip(["redact", "pseudonymise", "block"]).map(begin);
        let running: Vec<_> = actions.collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(bad.is_empty(), "{bad}");
}

/// The look would see it: without any protection, what is planted arrives, and nearly all is seen.
#[test]
fn what_is_not_hidden_is_seen() {
    let run = run("  upstream: keep\n  logs: keep\n", &FOUND, 120, &mut Chance(7));
    assert!(run.upstream.len() * 10 > run.reached * 7, "{} of {}", run.upstream.len(), run.reached);
    assert!(!run.log.is_empty());
}

/// What is known not to be found: counted, so that the docs can say how much of it gets through.
#[test]
fn what_is_written_so_that_nobody_sees_it_gets_through() {
    let run = run(
        "  upstream: redact\n",
        &OPEN,
        number("ALLOD_FUZZED_OPEN", 90) as usize,
        &mut Chance(9),
    );
    println!("{} of {}", run.reached, run.sent.len());
    // Only what the look can read is counted; the rest is not read by it either.
    println!("{}", told(&run, &run.upstream));
    assert!(run.log.is_empty(), "{}", told(&run, &run.log));
}
