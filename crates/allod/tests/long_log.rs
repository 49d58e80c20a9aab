//! What goes through all receipts takes time in proportion to them, and no more memory for more of
//! them. With `ALLOD_RECEIPTS=100000 … -- --nocapture` this is measured;
//! `ALLOD_LONG_LOG=FOLDER` keeps the log, so that other programs can be tried on it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use allod_answer::{Ask, Caller, Desk, DeskOptions};
use allod_retrieval::Clearance;
use common::{Server, allod, json, small_library};
use serde_json::Value;

const CALLERS: usize = 8;
const QUESTIONS: [&str; 6] = [
    "What does a stall cost at the market?",
    "Wie hoch ist die Hundesteuer?",
    "Who discovered the moon?",
    "When does the market open on Saturdays?",
    "Bitte verbinden Sie mich mit einem Mitarbeiter.",
    "Wo müssen Hunde an die Leine?",
];

/// Another policy than the one that decided: some questions go to a person.
const STRICTER: &str = "name: stricter\nlogging: {prompts: retained}\nrules:\n  \
                        - {id: stalls, when: {contains_any: [stall, Hunde*]}, \
                        then: escalate, because: delicate}\n";

fn record(data: &Path, count: usize) {
    std::fs::create_dir_all(data).unwrap();
    std::fs::write(data.join("allod.yaml"), "name: long\nlogging: {prompts: retained}\n").unwrap();
    small_library(data);
    let desk = Desk::open(data, &DeskOptions::default()).unwrap();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let desk = &desk;
            scope.spawn(move || {
                for number in (caller..count).step_by(CALLERS) {
                    let caller = Caller {
                        tenant: format!("tenant-{}", number % 4),
                        subject: format!("subject-{}", number % 50),
                        clearance: Clearance::public(),
                    };
                    let question = QUESTIONS[number % QUESTIONS.len()].to_owned();
                    desk.ask(&Ask { question, caller, on: None, language: None }).unwrap();
                }
            });
        }
    });
    println!("{count} questions answered and recorded: {:.1} s", begun.elapsed().as_secs_f64());
}

/// The most memory that a process had, in MiB; 0 where the system does not say.
fn most_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) >> 10
}

/// Runs a command to its end, and tells how long it took and the most memory that it was seen with.
fn measured(command: &mut Command, what: &str) -> Value {
    let begun = Instant::now();
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut child = command.stdout(Stdio::from(out.reopen().unwrap())).spawn().unwrap();
    let mut most = 0;
    let status = loop {
        most = most.max(most_memory(child.id()));
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    println!("{what}: {:.2} s, {most} MiB", begun.elapsed().as_secs_f64());
    let said = std::fs::read_to_string(out.path()).unwrap();
    assert!(status.success(), "{what}: {said}");
    json(&said)
}

/// Pages of a list, to its end.
fn paged(url: &str, mut page: impl FnMut(&str) -> Option<String>) -> (usize, Duration) {
    let (begun, mut pages, mut longest, mut before) =
        (Instant::now(), 0, Duration::ZERO, String::new());
    loop {
        let at = Instant::now();
        let next = page(&format!("{url}{before}"));
        longest = longest.max(at.elapsed());
        pages += 1;
        match next {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    println!(
        "{pages} pages: {:.2} s, the longest {:.3} s",
        begun.elapsed().as_secs_f64(),
        longest.as_secs_f64()
    );
    (pages, longest)
}

fn searched(server: &Server, terms: &str) -> usize {
    println!("search {terms}");
    let mut found = 0;
    paged(&format!("http://{}/api/receipts?{terms}", server.address), |url| {
        let mut answer = ureq::get(url).call().unwrap();
        let page: Value = answer.body_mut().with_config().limit(1 << 28).read_json().unwrap();
        found += page["receipts"].as_array().unwrap().len();
        page["before"].as_u64().map(|before| before.to_string())
    });
    found
}

fn exported(server: &Server) -> usize {
    println!("export with proofs");
    let mut lines = 0;
    paged(&format!("http://{}/api/receipts/export?last=1000", server.address), |url| {
        let mut answer = ureq::get(url).call().unwrap();
        let before = answer.headers().get("x-allod-before");
        let before = before.map(|before| before.to_str().unwrap().to_owned());
        let text = answer.body_mut().with_config().limit(1 << 28).read_to_string().unwrap();
        lines += text.lines().count();
        before
    });
    lines
}

#[test]
fn a_long_log_is_gone_through_once_and_not_kept_in_memory() {
    let count = std::env::var("ALLOD_RECEIPTS").map_or(300, |count| count.parse().unwrap());
    let scratch = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("ALLOD_LONG_LOG").map(PathBuf::from);
    let folder = kept.unwrap_or_else(|| scratch.path().to_owned());
    let data = folder.join("data");
    record(&data, count);
    let stricter = folder.join("stricter.yaml");
    std::fs::write(&stricter, STRICTER).unwrap();
    let ran =
        |arguments: &[&str], what: &str| measured(allod(&data).arg("--json").args(arguments), what);
    let replayed = ran(&["policy", "replay"], "policy replay");
    assert_eq!((&replayed["decisions"], &replayed["same"]), (&count.into(), &count.into()));
    let (old, new) = (data.join("allod.yaml"), stricter.to_str().unwrap().to_owned());
    let changed = ran(&["policy", "diff", old.to_str().unwrap(), &new], "policy diff");
    assert_eq!(changed["requests"], count);
    assert!(changed["changed"].as_u64().unwrap() > 0, "{changed}");
    let verified = ran(&["ledger", "verify"], "ledger verify");
    assert_eq!(verified["size"], count);

    let server = Server::start(allod(&data).args(["serve", "--listen", "127.0.0.1:0"]));
    println!("the server at its start: {} MiB", most_memory(server.child.id()));
    assert_eq!(searched(&server, "model=none-such"), 0);
    assert_eq!(searched(&server, "kind=ask&last=200"), count);
    assert_eq!(exported(&server), count);
    println!("the server at the end: {} MiB", most_memory(server.child.id()));
}
