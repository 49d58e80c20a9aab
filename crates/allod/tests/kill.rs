//! What was acknowledged survives `kill -9`: the server is killed at random instants under load,
//! and every acknowledged answer has its receipt.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Server, allod, json, run, small_library};

const ROUNDS: u32 = 50;
const CLIENTS: usize = 3;

#[test]
fn acknowledged_answers_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    small_library(data);
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        // A spread over start, first answers and full load, without a random source.
        let alive = Duration::from_millis(20 + u64::from(round * 37 % 300));
        acknowledged.extend(answers_until_killed(data, alive));
        check(data, &acknowledged);
    }
    assert!(acknowledged.len() > ROUNDS as usize, "only {} answers", acknowledged.len());
    println!("{} acknowledged answers over {ROUNDS} kills", acknowledged.len());
}

/// Asks from several threads until the server is killed; gives the receipts acknowledged.
fn answers_until_killed(data: &Path, alive: Duration) -> Vec<(u64, String)> {
    let mut server = Server::start(allod(data).args(["serve", "--listen", "127.0.0.1:0"]));
    let (acknowledged, killed) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let url = format!("http://{}/api/ask", server.address);
            let (acknowledged, killed) = (&acknowledged, &killed);
            scope.spawn(move || {
                while !killed.load(Ordering::SeqCst) {
                    match ask(&url, client) {
                        Some(receipt) => acknowledged.lock().unwrap().push(receipt),
                        None => std::thread::sleep(Duration::from_millis(2)),
                    }
                }
            });
        }
        std::thread::sleep(alive);
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        killed.store(true, Ordering::SeqCst);
    });
    acknowledged.into_inner().unwrap()
}

fn ask(url: &str, client: usize) -> Option<(u64, String)> {
    let questions =
        ["How much does a stall cost?", "Wie hoch ist die Hundesteuer?", "When is the moon full?"];
    let body = serde_json::json!({"question": questions[client % questions.len()]});
    let text = ureq::post(url).send_json(&body).ok()?.body_mut().read_to_string().ok()?;
    let reply: serde_json::Value = serde_json::from_str(&text).ok()?;
    let receipt = &reply["receipt"];
    Some((receipt["index"].as_u64()?, receipt["leaf"].as_str()?.to_owned()))
}

fn check(data: &Path, acknowledged: &[(u64, String)]) {
    let verified = json(&run(allod(data).args(["ledger", "verify", "--json"]), 0));
    let size = verified["size"].as_u64().unwrap();
    let ledger = allod_ledger::Ledger::open(&data.join("ledger"), allod_answer::LEDGER_ORIGIN);
    let ledger = ledger.unwrap();
    for (index, leaf) in acknowledged {
        assert!(*index < size, "the receipt {index} was acknowledged and is gone");
        let entry = ledger.entry(*index).unwrap();
        assert_eq!(&allod_ledger::Hash::leaf(&entry).to_string(), leaf, "entry {index}");
    }
}
