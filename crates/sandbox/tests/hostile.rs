//! Hostile code inside a cell: a reader that was taken over does what it likes, after it has read.
//! The test is its own cell program, so it has a `main` of its own.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use allod_sandbox::{
    Cells, Error, Grounds, Inside, Layer, Limits, Missing, Prepared, Purpose, Resident, Setup,
    Shelf, Words, attempt_all, self_test,
};

/// What one file leaves in its reader's memory.
static MARK: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    if let Some(code) = allod_sandbox::enter(read) {
        return code;
    }
    if let Some(code) = allod_sandbox::enter_resident(live) {
        return code;
    }
    if std::env::args().nth(1).as_deref() == Some(SEALED) {
        return sealed();
    }
    let missing = self_test(&Setup::default(), Path::new("/var")).map(|report| report.missing);
    if !missing.as_ref().is_ok_and(Vec::is_empty) {
        println!("skipped: this system lacks a layer of the sandbox: {missing:?}");
        return ExitCode::SUCCESS;
    }
    let tests: &[(&str, fn())] = &[
        ("code_that_a_file_brings_can_do_nothing", code_that_a_file_brings_can_do_nothing),
        ("one_file_does_not_meet_another", one_file_does_not_meet_another),
        ("a_forged_second_answer_is_refused", a_forged_second_answer_is_refused),
        ("code_in_a_resident_can_do_nothing", code_in_a_resident_can_do_nothing),
        ("a_resident_is_handed_what_lies_ready", a_resident_is_handed_what_lies_ready),
        ("how_a_resident_ended_is_said", how_a_resident_ended_is_said),
        ("each_layer_of_a_resident_is_missed", each_layer_of_a_resident_is_missed),
        ("a_sealed_program_gets_nothing_out", a_sealed_program_gets_nothing_out),
        ("here_the_same_code_can_do_most_of_it", here_the_same_code_can_do_most_of_it),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

const SEALED: &str = "sealed";

/// A program of its own, since sealing cannot be undone.
fn a_sealed_program_gets_nothing_out() {
    let program = std::env::current_exe().unwrap();
    let run = std::process::Command::new(program).arg(SEALED).output().unwrap();
    assert!(run.status.success(), "{run:?}");
}

fn sealed() -> ExitCode {
    let denied = allod_sandbox::seal(&std::env::temp_dir()).unwrap();
    assert!(denied.len() >= 10, "{denied:?}");
    let prepared = Prepared::new(&std::env::temp_dir(), 0);
    let done = attempt_all(&prepared.grounds);
    for act in ["connect_ipv4", "connect_ipv6", "connect_unix", "connect_abstract", "send_udp"] {
        assert!(!done.iter().any(|name| name == act), "{act}");
    }
    // What a server needs is left: a port, and programs that it starts, sealed as well.
    assert!(done.iter().any(|name| name == "listen_tcp"), "{done:?}");
    let cells = Cells::new(Setup::default()).unwrap();
    assert_eq!(cells.ask(b"next").unwrap(), b"NEXT");
    ExitCode::SUCCESS
}

/// A reader with a hole: what stands after "attack" is done.
fn read(request: &[u8]) -> Vec<u8> {
    let words = request.to_ascii_uppercase();
    if let Some(grounds) = request.strip_prefix(b"attack ") {
        let grounds: Grounds = serde_json::from_slice(grounds).unwrap();
        return serde_json::to_vec(&attempt_all(&grounds)).unwrap();
    }
    match request {
        b"leave a mark" => MARK.store(true, Relaxed),
        b"look for a mark" => return vec![u8::from(MARK.load(Relaxed))],
        b"answer twice" => {
            // A whole frame: done, one byte long.
            let _ = std::io::stderr().write_all(&[2, 1, 0, 0, 0, b'X']);
        }
        _ => {}
    }
    words
}

/// What hostile code in a cell got done.
fn attack(cells: &Cells) -> Vec<String> {
    let prepared = Prepared::new(&std::env::temp_dir(), 2 << 30);
    let grounds = serde_json::to_vec(&prepared.grounds).unwrap();
    let done = cells.ask(&[b"attack ", &grounds[..]].concat()).unwrap();
    serde_json::from_slice(&done).unwrap()
}

fn code_that_a_file_brings_can_do_nothing() {
    let cells = Cells::new(Setup::default()).unwrap();
    let done = attack(&cells);
    assert!(done.is_empty(), "hostile code could do: {done:?}");
    assert_eq!(cells.ask(b"next").unwrap(), b"NEXT");
}

/// A resident with a hole, which answers line by line.
fn live(inside: Inside) -> ExitCode {
    let mut replies = &inside.replies;
    for line in BufReader::new(&inside.requests).lines() {
        let line = line.unwrap();
        let said = match line.split_once(' ').unwrap_or((&line, "")) {
            ("attack", grounds) => {
                let grounds: Grounds = serde_json::from_str(grounds).unwrap();
                serde_json::to_string(&attempt_all(&grounds)).unwrap()
            }
            ("read", path) => {
                let about = std::fs::metadata(path).map(|about| (about.len(), about.is_file()));
                let text = std::fs::read_to_string(path);
                format!("{about:?} {text:?}").replace('\n', " ")
            }
            ("thread", _) => std::thread::spawn(|| "from a thread").join().unwrap().to_owned(),
            ("memory", _) => vec!["x"; 1 << 30].concat(),
            ("panic", _) => panic!("in so many words"),
            _ => std::process::abort(),
        };
        writeln!(replies, "{said}").unwrap();
    }
    ExitCode::SUCCESS
}

/// Says a line to a resident and gives the answer; none if it has fallen.
fn say(words: &mut Words, line: &str) -> Option<String> {
    writeln!(words.requests, "{line}").unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while words.replies.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        answer.extend(byte);
    }
    (byte == *b"\n").then(|| String::from_utf8(answer).unwrap())
}

fn resident() -> Setup {
    Setup { purpose: Purpose::Resident, ..Setup::default() }
}

fn code_in_a_resident_can_do_nothing() {
    let (_resident, mut words) = Resident::start(&resident(), &Arc::default()).unwrap();
    let prepared = Prepared::new(&std::env::temp_dir(), 2 << 30).of(Purpose::Resident);
    let grounds = serde_json::to_string(&prepared.grounds).unwrap();
    let done = say(&mut words, &format!("attack {grounds}")).unwrap();
    assert_eq!(done, "[]", "hostile code could do this");
    assert_eq!(say(&mut words, "thread").unwrap(), "from a thread");
}

fn a_resident_is_handed_what_lies_ready() {
    let folder = std::env::temp_dir().join(format!("allod-handed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (weights, secret) = (folder.join("weights"), folder.join("secret"));
    std::fs::write(&weights, "0.5").unwrap();
    std::fs::write(&secret, "no").unwrap();
    let shelf: Arc<Shelf> = Arc::default();
    let (allowed, inside) = (weights.clone(), folder.clone());
    shelf.put("model", Box::new(move |path| path == allowed || path == inside));
    let (_resident, mut words) = Resident::start(&resident(), &shelf).unwrap();
    let mut read = |path: &Path| say(&mut words, &format!("read {}", path.display())).unwrap();
    assert_eq!(read(&weights), "Ok((3, true)) Ok(\"0.5\")");
    // A second reader begins at the beginning.
    assert_eq!(read(&weights), "Ok((3, true)) Ok(\"0.5\")");
    for other in [&secret, Path::new("/etc/passwd"), Path::new("/proc/self/mem")] {
        let said = read(other);
        assert!(!said.contains("Ok") && said.contains("NotFound"), "{said}");
    }
    let said = read(&folder);
    assert!(said.starts_with("Ok((0, false)) Err("), "{said}");
    std::fs::remove_dir_all(&folder).unwrap();
}

fn how_a_resident_ended_is_said() {
    let limits = Limits { memory_bytes: 512 << 20, ..Limits::default() };
    let setup = Setup { limits, ..resident() };
    for (line, expected) in
        [("memory", "512 MiB of memory"), ("panic", "in so many words"), ("abort", "crashed")]
    {
        let (resident, mut words) = Resident::start(&setup, &Arc::default()).unwrap();
        assert_eq!(say(&mut words, line), None);
        let error = resident.fallen().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

fn each_layer_of_a_resident_is_missed() {
    let report = self_test(&resident(), Path::new("/var")).unwrap();
    assert!(report.holds(), "{report:#?}");
    assert!(report.denied.len() >= 60 && !report.acts.contains_key("thread"));
    for layer in [Layer::Privileges, Layer::Limits, Layer::Landlock, Layer::Seccomp] {
        let report = self_test(&resident().without(layer), Path::new("/var")).unwrap();
        assert!(!report.holds() && report.missing == [layer], "{report:#?}");
        let weak = resident().without(layer);
        let (resident, mut words) = Resident::start(&weak, &Arc::default()).unwrap();
        assert_eq!(say(&mut words, "thread"), None);
        let error = resident.fallen().to_string();
        assert!(error.contains(&format!("lacks {}", layer.name())), "{error}");
    }
}

/// The control: without a sandbox the same code succeeds, so the acts are real.
fn here_the_same_code_can_do_most_of_it() {
    let setup = Setup { missing: Missing::GoOn, ..Setup::default().only(&[]) };
    let done = attack(&Cells::new(setup).unwrap());
    // What any user may do on any Linux; the rest depends on root and on the kernel.
    for act in [
        "connect_ipv4",
        "connect_unix",
        "connect_abstract",
        "send_udp",
        "listen_tcp",
        "read_passwd",
        "read_file",
        "stat_file",
        "write_tmp",
        "write_file",
        "change_mode",
        "make_symlink",
        "remove_file",
        "open_device",
        "read_environment",
        "execute",
        "fork",
        "thread",
        "take_memory",
        "run_memory",
        "watch_files",
    ] {
        assert!(done.iter().any(|name| name == act), "{act} is not in {done:?}");
    }
}

fn one_file_does_not_meet_another() {
    let cells = Cells::new(Setup::default()).unwrap();
    cells.ask(b"leave a mark").unwrap();
    assert_eq!(cells.ask(b"look for a mark").unwrap(), [0]);
}

/// Bytes beyond the answer could be taken for the answer to the next file.
fn a_forged_second_answer_is_refused() {
    let cells = Cells::new(Setup::default()).unwrap();
    let error = cells.ask(b"answer twice").unwrap_err();
    assert!(matches!(error, Error::Garbled { .. }), "{error}");
    assert_eq!(cells.ask(b"next").unwrap(), b"NEXT");
}
