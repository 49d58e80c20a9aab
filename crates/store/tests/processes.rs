//! Several processes on one folder, and one that is killed while it writes.
//!
//! Each test starts this test program again with the same test's name; an environment variable
//! tells the child what to do.

#![allow(clippy::unwrap_used)] // helpers of tests, outside a test function

use allod_store::{SqliteStore, Store};
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const FOLDER: &str = "ALLOD_STORE_TEST_FOLDER";
const WRITES: usize = 40;

fn child(test: &str, folder: &Path, name: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .env("ALLOD_STORE_TEST_NAME", name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// In a child: its folder and name.
fn role() -> Option<(String, String)> {
    Some((env::var(FOLDER).ok()?, env::var("ALLOD_STORE_TEST_NAME").ok()?))
}

#[test]
fn processes_open_and_write_one_folder_together() {
    if let Some((folder, name)) = role() {
        let store = SqliteStore::open(Path::new(&folder)).unwrap();
        for number in 0..WRITES {
            store.set_setting(&format!("{name}/{number}"), &name).unwrap();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let test = "processes_open_and_write_one_folder_together";
    let children: Vec<_> = (0..4).map(|number| child(test, &data, &number.to_string())).collect();
    for started in children {
        assert!(started.wait_with_output().unwrap().status.success());
    }
    let store = SqliteStore::open(&data).unwrap();
    for name in 0..4 {
        for number in 0..WRITES {
            let key = format!("{name}/{number}");
            assert_eq!(store.setting(&key).unwrap(), Some(name.to_string()));
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if let Some((folder, _)) = role() {
        let store = SqliteStore::open(Path::new(&folder)).unwrap();
        // Directly to standard output, past the test harness: the parent reads each line.
        let mut output = std::io::stdout();
        for number in 0_u64.. {
            store.set_setting(&number.to_string(), "kept").unwrap();
            writeln!(output, "ack {number}").unwrap();
            output.flush().unwrap();
        }
    }
    for round in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = child("what_was_acknowledged_survives_a_kill", folder.path(), "writer");
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let acknowledged = lines
            .map_while(Result::ok)
            .filter_map(|line| line.split_once("ack ")?.1.parse::<u64>().ok())
            .nth(5 + 7 * round)
            .unwrap();
        writer.kill().unwrap();
        writer.wait().unwrap();
        let store = SqliteStore::open(folder.path()).unwrap();
        store.check().unwrap();
        for number in 0..=acknowledged {
            assert_eq!(store.setting(&number.to_string()).unwrap().as_deref(), Some("kept"));
        }
    }
}
