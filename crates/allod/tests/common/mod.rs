//! What the tests of the binary share.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The binary with a data folder.
pub fn allod(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_allod"));
    command.arg("--data").arg(data);
    command.env_remove("ALLOD_DATA").env_remove("ALLOD_POLICY").env_remove("ALLOD_LISTEN");
    // What these tests are about is not the sandbox, which a machine may lack.
    command.env("ALLOD_ALLOW_WEAKER_SANDBOX", "1");
    command
}

/// Runs and gives standard output; fails the test when the exit code is another.
pub fn run(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

pub fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The sample documents of the checkout.
pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/documents").canonicalize().unwrap()
}

/// Data that may not be shipped, when it stands beside the checkout.
pub fn shared(path: &str) -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if place.exists() {
        return Some(place);
    }
    println!("skipped: ../shared/{path} is not here");
    None
}

/// A folder with two small regulations, ingested.
pub fn small_library(data: &Path) {
    let documents = data.join("documents");
    std::fs::create_dir_all(&documents).unwrap();
    let market = "---\ntitle: Market rules\nlanguage: en\n---\n\n# Market rules\n\n\
                  ## Article 1 Stalls\n\nA stall costs CHF 35 a day.\n\n\
                  ## Article 2 Opening\n\nThe market opens at seven in the morning on Saturdays.\n";
    let dogs = "---\ntitle: Hundereglement\nlanguage: de\n---\n\n# Hundereglement\n\n\
                ## Art. 1 Steuer\n\nDie Hundesteuer beträgt CHF 120 im Jahr.\n\n\
                ## Art. 2 Leinenpflicht\n\nIm Wald sind Hunde von April bis Juli an der Leine zu \
                führen.\n";
    std::fs::write(documents.join("market.md"), market).unwrap();
    std::fs::write(documents.join("dogs.md"), dogs).unwrap();
    run(allod(data).arg("ingest").arg(&documents), 0);
}

/// A server that is killed when it goes out of scope.
pub struct Server {
    pub child: Child,
    pub address: String,
}

impl Server {
    pub fn start(command: &mut Command) -> Server {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(|line| line.unwrap())
            .find_map(|line| Some(line.split_once("http://")?.1.split('/').next()?.to_owned()))
            .expect("the server says where it listens");
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Server { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
