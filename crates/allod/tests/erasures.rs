//! A backup that is put back brings nobody back who was erased.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{Server, allod, json, run, small_library, told};
use serde_json::Value;

const STALL: &str = "What does a stall cost at the market?";

fn said(data: &Path, words: &[&str], code: i32) -> Value {
    json(&run(allod(data).arg("--json").args(words), code))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// The words of the first receipt, as far as they are kept.
fn words(data: &Path) -> Value {
    said(data, &["ledger", "show", "0", "--payload"], 0)["payload"]["prompt"].clone()
}

#[test]
fn a_backup_that_is_put_back_is_erased_again() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let file = folder.path().join("erasures.jsonl");
    let file = file.to_str().unwrap();
    small_library(&data);
    run(allod(&data).args(["ask", STALL]), 0);
    copy(&data, &backup);
    run(allod(&data).args(["ledger", "erase", "--subject", "operator"]), 0);
    assert_eq!(words(&data), Value::Null);
    let written = said(&data, &["ledger", "erasures", "--export", file], 0);
    assert_eq!(written["erasures"], 1, "{written}");

    assert!(words(&backup).to_string().contains("stall"), "the backup has the words");
    let again = said(&backup, &["ledger", "erase", "--again", file], 0);
    assert_eq!((&again["known"], &again["erased"][0]["subject"]), (&1.into(), &"operator".into()));
    assert_eq!(words(&backup), Value::Null);
    let again = said(&backup, &["ledger", "erase", "--again", file], 0);
    assert_eq!(again["erased"], serde_json::json!([]), "once is enough");
    run(allod(&backup).args(["ledger", "verify"]), 0);

    let other = folder.path().join("other");
    small_library(&other);
    run(allod(&other).args(["ask", STALL]), 0);
    let refused = allod(&other).args(["ledger", "erase", "--again", file]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(told(&refused).contains("of another log"), "{}", told(&refused));
    run(allod(&other).args(["ledger", "erase"]), 2);
    run(allod(&other).args(["ledger", "erase", "--again", file, "--subject", "operator"]), 2);
}

#[test]
fn a_server_does_not_go_on_from_a_log_that_was_seen_longer() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    small_library(&data);
    run(allod(&data).args(["ask", STALL]), 0);
    copy(&data, &backup);
    run(allod(&data).args(["ask", STALL]), 0);
    // What a witness would have cosigned since; the log's own signature is what counts here.
    let seen = backup.join("witnessed");
    fs::create_dir_all(&seen).unwrap();
    fs::copy(backup.join("ledger/head"), seen.join("00000001.checkpoint")).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    drop(Server::start(allod(&backup).args(serve)));
    fs::copy(data.join("ledger/head"), seen.join("00000002.checkpoint")).unwrap();
    let refused = allod(&backup).args(serve).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let why = told(&refused);
    for part in ["has 1 entries", "00000002.checkpoint", "it had 2", "ledger erase --again FILE"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    fs::rename(seen.join("00000002.checkpoint"), folder.path().join("kept")).unwrap();
    drop(Server::start(allod(&backup).args(serve)));
}
