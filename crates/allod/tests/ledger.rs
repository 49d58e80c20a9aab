//! `allod ledger` on data folders that someone meddled with.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{allod, json, run, small_library};

fn ask(data: &Path, times: usize) {
    for _ in 0..times {
        run(allod(data).args(["ask", "What does a stall cost at the market?"]), 0);
    }
}

fn verify(data: &Path, code: i32) -> serde_json::Value {
    json(&run(allod(data).args(["--json", "ledger", "verify"]), code))
}

/// What a command that fails says.
fn failing(data: &Path, arguments: &[&str]) -> String {
    let failed = allod(data).args(arguments).output().unwrap();
    assert_eq!(failed.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(failed.stderr).unwrap()
}

/// Whoever puts an older head back over a longer log makes it look like what a crash leaves behind.
#[test]
fn verify_does_not_clear_away_the_traces_of_a_log_that_was_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let file = |name: &str| data.join("ledger").join(name);
    small_library(data);
    ask(data, 2);
    let older = ["head", "checkpoint", "tile/0/000.p/2", "tile/entries/000.p/2"];
    let older = older.map(|name| (file(name), fs::read(file(name)).unwrap()));
    ask(data, 2);
    older.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    let tail = fs::read(file("tail.0")).unwrap();

    let said = verify(data, 1)["fault"].to_string();
    assert!(said.contains("the log was cut: it holds 2 entries, 4 were seen before"), "{said}");
    run(allod(data).args(["ledger", "prove", "0"]), 1);
    run(allod(data).args(["ledger", "show"]), 1);
    // Nor is a second history written over it, which would in time be as long.
    run(allod(data).args(["ask", "What does a stall cost at the market?"]), 1);
    assert_eq!(fs::read(file("tail.0")).unwrap(), tail, "the entries are still there");
}

#[test]
fn a_log_that_was_deleted_is_missed_and_none_is_begun_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    small_library(data);
    let said = failing(data, &["ledger", "verify"]);
    assert!(said.contains("no ledger yet"), "{said}");
    ask(data, 2);
    for gone in ["ledger", "keys/ledger.key"] {
        fs::rename(data.join(gone), data.join(gone.replace('/', "-") + "-away")).unwrap();
        let said = failing(data, &["ledger", "verify"]);
        assert!(said.contains("the store remembers 2 receipts"), "{said}");
        let said = failing(data, &["ask", "What does a stall cost?"]);
        assert!(said.contains("it holds 0 entries, 2 were seen before"), "{said}");
        assert!(!data.join("ledger").exists(), "no new log was begun");
    }
}

#[test]
fn a_file_that_is_no_checkpoint_of_this_log_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path(), folder.path().join("notes.txt"));
    small_library(data);
    ask(data, 1);
    fs::write(&file, "Buy milk.\n").unwrap();
    let verify = ["--json", "ledger", "verify", "--checkpoint", file.to_str().unwrap()];
    let said = json(&run(allod(data).args(verify), 1))["fault"].to_string();
    assert!(said.contains("notes.txt bears no checkpoint"), "{said}");
    fs::copy(data.join("ledger/checkpoint"), &file).unwrap();
    run(allod(data).args(verify), 0);
}

/// The index holds the words of all documents.
#[cfg(unix)]
#[test]
fn a_data_folder_and_its_index_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (documents, data) = (folder.path().join("documents"), folder.path().join("made"));
    fs::create_dir(&documents).unwrap();
    fs::write(documents.join("a.md"), "# Market\n\nA stall costs CHF 35 a day.\n").unwrap();
    run(allod(&data).arg("ingest").arg(&documents), 0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join("index"))), (0o700, 0o700));
    // One that was made with a wider mode by an earlier version gets this one.
    fs::set_permissions(data.join("index"), fs::Permissions::from_mode(0o755)).unwrap();
    ask(&data, 1);
    assert_eq!(mode(&data.join("index")), 0o700);
}

#[test]
fn a_key_or_a_store_that_is_gone_is_a_fault_but_a_copy_of_the_log_alone_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    small_library(data);
    ask(data, 1);
    assert_eq!(verify(data, 0)["remembered"], 1);
    for (name, blamed) in [("keys/ledger.key", "ledger.key"), ("allod.db", "allod.db")] {
        let away = data.join("away");
        fs::rename(data.join(name), &away).unwrap();
        let said = verify(data, 1)["fault"].to_string();
        assert!(said.contains(blamed), "{said}");
        fs::rename(away, data.join(name)).unwrap();
    }
    let copy = data.join("copy");
    fs::create_dir(&copy).unwrap();
    fs::rename(data.join("ledger"), copy.join("ledger")).unwrap();
    assert!(verify(&copy, 0)["remembered"].is_null());
}
