//! A headless Chromium. `ALLOD_CHROMIUM` names one that is not in PATH.
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Server;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// A browser that has not ended by then is ended.
const PATIENCE: Duration = Duration::from_secs(90);

/// The browser, if there is one here.
pub fn chromium() -> Option<String> {
    let named = std::env::var("ALLOD_CHROMIUM").ok();
    let found = named.into_iter().chain(NAMES.map(str::to_owned)).find(|name| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        println!("skipped: there is no Chromium here");
    }
    found
}

/// The page at `path` as the browser has it once its scripts are done.
pub fn page(chromium: &str, server: &Server, path: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut browser = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--lang=en-US",
            "--virtual-time-budget=10000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://{}/{path}", server.address))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = browser.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut page = Vec::new();
        output.read_to_end(&mut page).unwrap();
        String::from_utf8_lossy(&page).into_owned()
    });
    let begun = Instant::now();
    while browser.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            browser.kill().unwrap();
            browser.wait().unwrap();
            panic!("the browser did not end in {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    reader.join().unwrap()
}
