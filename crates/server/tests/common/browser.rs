//! A headless Chromium. `ALLOD_CHROMIUM` names one that is not in PATH.
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

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

/// A browser that is told what to do, over the two pipes of its debugging interface
/// (`--remote-debugging-pipe`: JSON with a zero byte after each message).
pub struct Driven {
    browser: Child,
    commands: File,
    replies: Receiver<Value>,
    page: String,
    number: u64,
    _profile: tempfile::TempDir,
}

impl Driven {
    /// Starts it with an empty page.
    pub fn new(chromium: &str) -> Driven {
        let profile = tempfile::tempdir().unwrap();
        let pipe = |name: &str| {
            let path = profile.path().join(name);
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            path
        };
        let (to, from) = (pipe("to"), pipe("from"));
        let flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
                     --disable-background-networking --disable-component-update --disable-sync \
                     --disable-dev-shm-usage --lang=en-US --remote-debugging-pipe";
        // The browser reads its third descriptor and writes its fourth.
        let script = format!("exec \"$0\" {flags} --user-data-dir=\"$1\" 3<>\"$2\" 4<>\"$3\"");
        let browser = Command::new("sh")
            .args(["-c", &script, chromium])
            .args([profile.path().join("profile").as_path(), &to, &from])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let both = |path: &std::path::Path| OpenOptions::new().read(true).write(true).open(path);
        let (commands, replies) = (both(&to).unwrap(), heard(both(&from).unwrap()));
        let (page, number) = (String::new(), 0);
        let mut driven = Driven { browser, commands, replies, page, number, _profile: profile };
        let target = driven.tell("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let page = driven.tell("Target.attachToTarget", target);
        driven.page = page["sessionId"].as_str().unwrap().to_owned();
        driven
    }

    /// Goes to an address.
    pub fn go(&mut self, address: &str) {
        self.tell("Page.navigate", json!({"url": address}));
    }

    /// What an expression of JavaScript gives in the page as it is now.
    pub fn run(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "userGesture": true});
        self.tell("Runtime.evaluate", asked)["result"]["value"].clone()
    }

    /// Waits until the page shows a text; gives all that it shows.
    pub fn shows(&mut self, text: &str) -> String {
        self.waits(text, |page| page.contains(text))
    }

    /// Waits until the page does as `holds` says; gives all that it shows.
    pub fn waits(&mut self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let page = self.run("document.body ? document.body.innerText : ''");
            let page = page.as_str().unwrap_or_default();
            if holds(page) {
                return page.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{what} does not come; the page shows\n{page}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn tell(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if !self.page.is_empty() {
            message["sessionId"] = json!(self.page);
        }
        self.commands.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let reply = self.replies.recv_timeout(PATIENCE).expect("the browser answers");
            if reply["id"] == self.number {
                assert!(reply["error"].is_null(), "{method}: {reply}");
                return reply["result"].clone();
            }
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}

/// The messages that come out of a pipe.
fn heard(pipe: File) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let messages = BufReader::new(pipe).split(0).map_while(Result::ok);
        for message in messages.filter_map(|message| serde_json::from_slice(&message).ok()) {
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    receiver
}
