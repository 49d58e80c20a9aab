//! Cells, tried from outside. The test is its own cell program, so it has a `main` of its own.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::exit,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use allod_sandbox::{Cells, Error, Layer, Limits, Missing, Report, Setup, lack, self_test};

fn main() -> ExitCode {
    if let Some(code) = allod_sandbox::enter(work) {
        return code;
    }
    let missing = self_test(&Setup::default(), Path::new("/var")).map(|report| report.missing);
    if !missing.as_ref().is_ok_and(Vec::is_empty) {
        println!("skipped: this system lacks a layer of the sandbox: {missing:?}");
        return ExitCode::SUCCESS;
    }
    let tests: &[(&str, fn())] = &[
        ("answers", answers),
        ("a_panic_is_an_error", a_panic_is_an_error),
        ("a_crash_is_an_error", a_crash_is_an_error),
        ("too_much_memory_is_an_error", too_much_memory_is_an_error),
        ("a_stack_that_runs_out_is_an_error", a_stack_that_runs_out_is_an_error),
        ("too_much_time_is_an_error", too_much_time_is_an_error),
        ("what_is_not_as_agreed_is_an_error", what_is_not_as_agreed_is_an_error),
        ("a_program_that_cannot_start_itself_says_so", a_program_that_cannot_start_itself_says_so),
        ("a_keeper_that_died_is_replaced", a_keeper_that_died_is_replaced),
        ("all_acts_are_denied", all_acts_are_denied),
        ("each_layer_that_is_left_out_is_missed", each_layer_that_is_left_out_is_missed),
        ("each_layer_that_a_system_lacks_is_missed", each_layer_that_a_system_lacks_is_missed),
        ("without_a_required_layer_nothing_is_read", without_a_required_layer_nothing_is_read),
    ];
    for (name, test) in tests {
        let begin = Instant::now();
        test();
        println!("test {name} ... ok ({} ms)", begin.elapsed().as_millis());
    }
    ExitCode::SUCCESS
}

/// What the cells of this test do.
fn work(request: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(request).into_owned();
    match text.split_once(' ').unwrap_or((&text, "")) {
        ("echo", rest) => rest.as_bytes().to_vec(),
        ("reverse", rest) => rest.bytes().rev().collect(),
        ("panic", rest) => panic!("{rest}"),
        ("abort", _) => std::process::abort(),
        ("exit", _) => std::process::exit(0),
        ("memory", _) => vec![1; 4 << 30],
        ("stack", _) => vec![deep(1)],
        ("spin", _) => loop {
            std::hint::spin_loop();
        },
        ("shout", _) => {
            eprintln!("not part of the answer");
            Vec::new()
        }
        ("flood", _) => vec![7; 3 << 20],
        _ => Vec::new(),
    }
}

fn deep(level: u64) -> u8 {
    let page = std::hint::black_box([level as u8; 4096]);
    if level == u64::MAX { 0 } else { deep(level + 1).wrapping_add(page[17]) }
}

fn small() -> Setup {
    let limits = Limits {
        memory_bytes: 512 << 20,
        cpu_seconds: 1,
        wall: Duration::from_secs(120),
        request_bytes_max: 8 << 20,
        answer_bytes_max: 2 << 20,
    };
    Setup { limits, ..Setup::default() }
}

fn report(setup: &Setup) -> Report {
    self_test(setup, Path::new("/var")).unwrap()
}

fn answers() {
    let cells = Cells::new(small()).unwrap();
    assert_eq!(cells.ask(b"echo Gemeinde").unwrap(), b"Gemeinde");
    assert_eq!(cells.ask(b"reverse abc").unwrap(), b"cba");
    // More than a pipe holds, both ways at once.
    let mut long = b"echo ".to_vec();
    long.resize(2 << 20, b'x');
    assert_eq!(cells.ask(&long).unwrap().len(), long.len() - 5);
    let error = cells.ask(&vec![b'x'; (8 << 20) + 1]).unwrap_err();
    assert!(matches!(error, Error::RequestTooLong { .. }), "{error}");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let cells = &cells;
            scope.spawn(move || {
                for round in 0..10 {
                    let text = format!("{number} {round}");
                    assert_eq!(
                        cells.ask(format!("echo {text}").as_bytes()).unwrap(),
                        text.as_bytes()
                    );
                }
            });
        }
    });
}

fn a_panic_is_an_error() {
    let cells = Cells::new(small()).unwrap();
    let error = cells.ask(b"panic table 7 has no header").unwrap_err();
    assert!(matches!(error, Error::Panicked { .. }), "{error}");
    assert!(error.to_string().contains("table 7 has no header at "), "{error}");
    assert_eq!(cells.ask(b"echo on").unwrap(), b"on");
}

fn a_crash_is_an_error() {
    let cells = Cells::new(small()).unwrap();
    let error = cells.ask(b"abort").unwrap_err();
    assert!(matches!(error, Error::Crashed { .. }), "{error}");
    assert_eq!(cells.ask(b"echo on").unwrap(), b"on");
}

fn too_much_memory_is_an_error() {
    let cells = Cells::new(small()).unwrap();
    let error = cells.ask(b"memory").unwrap_err();
    assert!(matches!(error, Error::Memory { mebibytes: 512 }), "{error}");
    assert_eq!(cells.ask(b"echo on").unwrap(), b"on");
}

fn a_stack_that_runs_out_is_an_error() {
    let cells = Cells::new(small()).unwrap();
    let error = cells.ask(b"stack").unwrap_err();
    assert!(matches!(error, Error::Stack), "{error}");
    assert_eq!(cells.ask(b"echo on").unwrap(), b"on");
}

fn too_much_time_is_an_error() {
    let cells = Cells::new(small()).unwrap();
    let error = cells.ask(b"spin").unwrap_err();
    assert!(matches!(error, Error::CpuTime { seconds: 1 }), "{error}");
    let limits = Limits { wall: Duration::from_millis(200), ..small().limits };
    let cells = Cells::new(Setup { limits, ..small() }).unwrap();
    let begin = Instant::now();
    let error = cells.ask(b"spin").unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(cells.ask(b"echo on").unwrap(), b"on");
}

fn what_is_not_as_agreed_is_an_error() {
    let cells = Cells::new(small()).unwrap();
    for request in [&b"exit"[..], b"shout"] {
        let error = cells.ask(request).unwrap_err();
        assert!(matches!(error, Error::Garbled { .. }), "{error}");
    }
    let error = cells.ask(b"flood").unwrap_err();
    assert!(matches!(error, Error::AnswerTooLong { .. }), "{error}");
    assert_eq!(cells.ask(b"echo on").unwrap(), b"on");
}

/// As under an emulator: what is started is not this program.
fn a_program_that_cannot_start_itself_says_so() {
    for (program, how) in [("/bin/false", "(exit code 1)"), ("/bin/ls", "(exit code 2: ")] {
        let cells = Cells::new(Setup { program: program.into(), ..small() }).unwrap();
        let error = cells.ask(b"echo on").unwrap_err();
        assert!(matches!(error, Error::NotBegun { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains(how) && said.contains("emulator"), "{said}");
        assert!(!said.contains("report this"), "{said}");
    }
}

fn a_keeper_that_died_is_replaced() {
    let cells = Cells::new(small()).unwrap();
    assert_eq!(cells.ask(b"echo 1").unwrap(), b"1");
    let keepers = children();
    assert_eq!(keepers.len(), 1);
    for keeper in keepers {
        rustix::process::kill_process(keeper, rustix::process::Signal::KILL).unwrap();
    }
    assert_eq!(cells.ask(b"echo 2").unwrap(), b"2");
    drop(cells);
    assert_eq!(children(), [], "no process is left");
}

/// The processes that this one started and that still run.
fn children() -> Vec<rustix::process::Pid> {
    let own = std::process::id().to_string();
    let is_own = |stat: &str| {
        // After the name in brackets come the state and the parent.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let words: Vec<&str> = rest.split_whitespace().take(2).collect();
        words.first() != Some(&"Z") && words.get(1) == Some(&own.as_str())
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let own = processes.filter(|entry| {
        std::fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| is_own(&stat))
    });
    let numbers = own.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(rustix::process::Pid::from_raw).collect()
}

fn all_acts_are_denied() {
    let report = report(&small());
    assert!(report.holds(), "{}", report.summary());
    assert!(report.denied.len() >= 60, "{:?}", report.denied);
    assert!(report.acts.values().all(|act| !act.denied_alone_by.is_empty()), "{report:?}");
}

/// An act that only this layer denies, or that it denies alone.
fn sign(layer: Layer) -> &'static str {
    match layer {
        Layer::Environment => "read_environment",
        Layer::Privileges => "change_root (by privileges alone)",
        Layer::Namespaces => "",
        Layer::Limits => "take_memory",
        Layer::Landlock => "read_passwd (by landlock alone)",
        Layer::Seccomp => "run_memory",
    }
}

fn must_be_missed(report: &Report, layer: Layer) {
    assert_eq!(report.holds(), !layer.is_required(), "{}: {report:?}", layer.name());
    assert_eq!(report.missing.contains(&layer), layer.is_required(), "{}", layer.name());
    let sign = sign(layer);
    assert!(sign.is_empty() || report.failed.iter().any(|failed| failed == sign), "{report:?}");
    assert!(report.layers[layer.name()].starts_with("missing: "), "{report:?}");
}

fn each_layer_that_is_left_out_is_missed() {
    for layer in Layer::ALL {
        must_be_missed(&report(&small().without(layer)), layer);
    }
}

fn each_layer_that_a_system_lacks_is_missed() {
    for layer in Layer::ALL.into_iter().filter(|layer| *layer != Layer::Environment) {
        in_a_system_without(layer, move || must_be_missed(&report(&small()), layer));
    }
}

fn without_a_required_layer_nothing_is_read() {
    for layer in [Layer::Landlock, Layer::Seccomp, Layer::Limits, Layer::Privileges] {
        in_a_system_without(layer, move || {
            let error = Cells::new(small()).unwrap().ask(b"echo on").unwrap_err();
            assert!(matches!(error, Error::Layers { .. }), "{error}");
            assert!(error.to_string().contains(layer.name()), "{error}");
            let weaker = Setup { missing: Missing::GoOn, ..small() };
            assert_eq!(Cells::new(weaker).unwrap().ask(b"echo on").unwrap(), b"on");
        });
    }
}

fn in_a_system_without(layer: Layer, test: impl FnOnce() + Send + 'static) {
    let lacking = move || {
        lack(layer).unwrap();
        test();
    };
    std::thread::spawn(lacking).join().unwrap();
}
