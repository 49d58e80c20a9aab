//! A process that is killed while it appends: what it acknowledged is there afterwards.

#![allow(clippy::unwrap_used)] // helpers of tests are not seen as tests

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use allod_ledger::{Ledger, verify};
use common::{ORIGIN, short_receipt};
use tempfile::TempDir;

/// Set for the process that is to be killed: the folder of its ledger.
const CHILD: &str = "ALLOD_LEDGER_CRASH_CHILD";

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
        let mut children: Vec<Child> =
            (0..1 + u64::from(round % 3 == 0)).map(|_| child(&dir)).collect();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros(5_000 + (seed >> 33) % 60_000));
        children.iter_mut().for_each(|child| child.kill().unwrap());
        let lines: Vec<(u64, String)> = children.into_iter().flat_map(acknowledgements).collect();
        let ledger = Ledger::open(&dir, ORIGIN).unwrap();
        for (index, id) in &lines {
            assert_eq!(&ledger.read(*index).unwrap().request.id, id, "round {round}");
        }
        drop(ledger);
        verify(&dir).unwrap_or_else(|fault| panic!("round {round}: {fault}"));
        acknowledged += lines.len();
    }
    assert!(acknowledged > 100, "only {acknowledged} receipts in all: the test shows little");
    assert!(verify(&dir).unwrap().size >= acknowledged as u64);
}

fn child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["killed_at_random_instants", "--exact", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// What the child said before it died: index and identifier of each receipt.
fn acknowledgements(mut child: Child) -> Vec<(u64, String)> {
    let output = BufReader::new(child.stdout.take().unwrap());
    let lines = output.lines().map_while(Result::ok).filter_map(|line| {
        let (index, id) = line.strip_prefix("ack ")?.strip_suffix(" end")?.split_once(' ')?;
        Some((index.parse().ok()?, id.to_owned()))
    });
    let lines = lines.collect();
    child.wait().unwrap();
    lines
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
                    let leaf = ledger.append(&short_receipt(&id)).unwrap();
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
