//! A process that is killed while it appends: what it acknowledged is there afterwards.

#![allow(clippy::unwrap_used)] // helpers of tests are not seen as tests

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use allod_ledger::{Leaf, Ledger, Prepared, Receipt, verify};
use common::{ORIGIN, short_receipt};
use tempfile::TempDir;

/// Set for the process that is to be killed: the folder of its ledger.
const CHILD: &str = "ALLOD_LEDGER_CRASH_CHILD";

/// What receipts with words commit to.
const WITH_WORDS: &str = "sha256:words";

const ROUNDS: u64 = 50;
const THREADS: u64 = 4;

#[test]
fn killed_at_random_instants() {
    if let Some(dir) = std::env::var_os(CHILD) {
        append_until_killed(Path::new(&dir));
    }
    let data = TempDir::new().unwrap();
    let dir = data.path().join("ledger");
    let (mut acknowledged, mut seed) = (0, 7_u64);
    for round in 0..ROUNDS {
        // Every third round two processes append to the same ledger.
        let count = if round % 3 == 0 { 2 } else { 1 };
        let mut children: Vec<Running> = (0..count).map(|_| Running::start(&dir)).collect();
        // Every fifth round they may be killed while they open it.
        if round % 5 != 4 {
            children.iter_mut().for_each(Running::wait_for_a_receipt);
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros((seed >> 33) % 40_000));
        children.iter_mut().for_each(|running| running.child.kill().unwrap());
        let lines: Vec<(u64, String)> = children.into_iter().flat_map(Running::receipts).collect();
        let ledger = Ledger::open(&dir, ORIGIN).unwrap();
        for (index, id) in &lines {
            assert_eq!(&ledger.read(*index).unwrap().request.id, id, "round {round}");
        }
        expect_words(&ledger);
        drop(ledger);
        verify(&dir).unwrap_or_else(|fault| panic!("round {round}: {fault}"));
        acknowledged += lines.len();
    }
    println!("{acknowledged} receipts acknowledged in {ROUNDS} rounds");
    assert!(acknowledged as u64 >= ROUNDS, "only {acknowledged}: the test shows little");
    assert!(verify(&dir).unwrap().size >= acknowledged as u64);
}

/// A process that appends, and what it has said so far.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
    said: Vec<String>,
}

impl Running {
    fn start(dir: &Path) -> Running {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed_at_random_instants", "--exact", "--nocapture"])
            .env(CHILD, dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Running { child, output, said: Vec::new() }
    }

    fn wait_for_a_receipt(&mut self) {
        let mut line = String::new();
        while !line.starts_with("ack ") {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the process has ended");
        }
        self.said.push(line.trim_end().to_owned());
    }

    /// Index and identifier of each receipt that was acknowledged before the process died.
    fn receipts(mut self) -> Vec<(u64, String)> {
        self.said.extend(self.output.lines().map_while(Result::ok));
        self.child.wait().unwrap();
        let receipt = |line: &String| {
            let (index, id) = line.strip_prefix("ack ")?.strip_suffix(" end")?.split_once(' ')?;
            Some((index.parse().ok()?, id.to_owned()))
        };
        self.said.iter().filter_map(receipt).collect()
    }
}

/// Words that a receipt stands on are written beside it.
fn append_with_words(ledger: &Ledger, id: &str) -> Leaf {
    let receipt = Receipt { prompt_commitment: WITH_WORDS.into(), ..short_receipt(id) };
    let receipt = Prepared::new(&receipt).unwrap();
    let path = ledger.dir().with_file_name(id);
    let mut write = || std::fs::write(&path, id).is_ok();
    let mut leaves = ledger.append_beside(&[receipt], &mut write).unwrap();
    leaves.remove(0).unwrap()
}

/// Whatever is in the log, acknowledged or not, has its words.
fn expect_words(ledger: &Ledger) {
    for index in 0..ledger.checkpoint().size {
        let receipt = ledger.read(index).unwrap();
        if receipt.prompt_commitment == WITH_WORDS {
            let id = &receipt.request.id;
            let words = std::fs::read_to_string(ledger.dir().with_file_name(id));
            assert_eq!(words.unwrap(), *id);
        }
    }
}

fn append_until_killed(dir: &Path) -> ! {
    let ledger = Ledger::open(dir, ORIGIN).unwrap();
    let process = std::process::id();
    let deadline = Instant::now() + Duration::from_secs(30);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let ledger = &ledger;
            scope.spawn(move || {
                for turn in 0_u64.. {
                    let id = format!("{process}-{thread}-{turn}");
                    let leaf = match turn % 2 {
                        0 => ledger.append(&short_receipt(&id)).unwrap(),
                        _ => append_with_words(ledger, &id),
                    };
                    let line = format!("ack {} {id} end\n", leaf.index);
                    // One write, past the test harness: the line is in the pipe or not at all.
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                    if thread == 0 && turn % 7 == 6 {
                        ledger.publish().unwrap();
                    }
                    assert!(Instant::now() < deadline, "nobody killed this process");
                }
            });
        }
    });
    unreachable!("the threads append for ever")
}
