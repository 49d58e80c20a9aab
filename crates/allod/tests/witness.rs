//! A log and a witness of it, as two processes of two organisations.
#![allow(clippy::unwrap_used)]

mod common;

use common::{allod, json, run, small_library};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// A witness that is ended when dropped.
struct Witness {
    process: Child,
    policy: String,
}

impl Witness {
    fn start(data: &Path, vkey: &str) -> Witness {
        let mut command = allod(data);
        command.args(["witness", "--name", "w.example", "--listen", "127.0.0.1:0", "--log", vkey]);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let policy = lines.by_ref().skip(1).take(3).map(|line| line.unwrap() + "\n").collect();
        std::thread::spawn(move || lines.for_each(drop));
        Witness { process, policy }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn ask(data: &Path) {
    run(allod(data).args(["ask", "How much does a stall cost?"]), 0);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_witness_cosigns_a_log_that_grows_and_catches_one_that_was_put_back() {
    let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = home.path();
    small_library(data);
    ask(data);
    ask(data);
    let vkey = std::fs::read_to_string(data.join("ledger/vkey")).unwrap();
    let witness = Witness::start(elsewhere.path(), vkey.trim());
    std::fs::write(data.join("allod.yaml"), &witness.policy).unwrap();
    run(allod(data).args(["policy", "check"]), 0);
    let cosigned = json(&run(allod(data).args(["ledger", "witness", "--json"]), 0));
    assert_eq!(cosigned["witnesses"][0]["witness"], "w.example", "{cosigned}");
    let size = cosigned["witnesses"][0]["size"].as_u64().unwrap();

    // Everyone who has the proof sees that the witness has seen the entry.
    let proof = run(allod(data).args(["ledger", "prove", "0"]), 0);
    assert!(proof.contains("— w.example "), "{proof}");
    let kept = data.join("kept");
    std::fs::write(&kept, proof.split_once("\n\n").unwrap().1).unwrap();

    // The whole folder as it is now; the log goes on; then the folder is put back.
    let backup = tempfile::tempdir().unwrap();
    copy(data, backup.path());
    ask(data);
    run(allod(data).args(["ledger", "witness"]), 0);
    let verify = ["ledger", "verify", "--json", "--checkpoint"];
    assert_eq!(json(&run(allod(data).args(verify).arg(&kept), 0))["verified"], true);
    let newest = data.join("witnessed");
    let newest = std::fs::read_dir(newest).unwrap().next().unwrap().unwrap().path();
    let newer = elsewhere.path().join("newer");
    std::fs::copy(newest, &newer).unwrap();

    let back = backup.path();
    assert_eq!(json(&run(allod(back).args(verify).arg(&kept), 0))["verified"], true);
    let cut = json(&run(allod(back).args(verify).arg(&newer), 1));
    assert_eq!(cut["verified"], false, "{cut}");
    let refused = json(&run(allod(back).args(["ledger", "witness", "--json"]), 1));
    let said = refused["witnesses"][0]["error"].as_str().unwrap();
    assert!(said.contains("cut or put back"), "{said}");
    // Other entries in the place of those that were cut away.
    ask(back);
    let fork = json(&run(allod(back).args(["ledger", "witness", "--json"]), 1));
    let said = fork["witnesses"][0]["error"].as_str().unwrap();
    assert!(said.contains("forked"), "{said}");
    ask(back);
    let fork = json(&run(allod(back).args(["ledger", "witness", "--json"]), 1));
    let said = fork["witnesses"][0]["error"].as_str().unwrap();
    assert!(said.contains("does not continue"), "{said}");
    assert!(size > 0);
}
