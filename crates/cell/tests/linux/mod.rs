//! The tests themselves.

mod encoders;

use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use allod_cell::InCell;
use allod_engine::{
    ActivationForm, Completion, Constraint, Engine, Error, Framing, GenerateRequest, LoadEngine,
    Message, Numerics, Options, Piece, Prompt, Runner, SpeechOptions, Tool,
};
use allod_lm::{Checkpoint, Isa};
use allod_sandbox::{Grounds, Inside, Prepared, Purpose, Setup, attempt_all, self_test};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::{adapter, bytes, tiny};

pub fn main() -> ExitCode {
    if let Some(code) = allod_sandbox::enter(|_| Vec::new()) {
        return code;
    }
    // A cell cannot ask for it any more.
    let parent = std::os::unix::process::parent_id();
    if let Some(code) = allod_sandbox::enter_resident(|inside| live(inside, parent)) {
        return code;
    }
    let missing = self_test(&Setup::default(), Path::new("/var")).map(|report| report.missing);
    if !missing.as_ref().is_ok_and(Vec::is_empty) {
        println!("skipped: this system lacks a layer of the sandbox: {missing:?}");
        return ExitCode::SUCCESS;
    }
    let tests: &[(&str, fn())] = &[
        ("a_cell_gives_the_same_bits", a_cell_gives_the_same_bits),
        ("a_cell_says_the_same_of_its_model", a_cell_says_the_same_of_its_model),
        ("pages_outlive_a_cell", pages_outlive_a_cell),
        ("adapters_are_handed_over", adapters_are_handed_over),
        ("a_cell_refuses_in_the_same_words", a_cell_refuses_in_the_same_words),
        ("who_wants_no_more_gets_no_more", who_wants_no_more_gets_no_more),
        ("a_cell_that_dies_fails_its_requests", a_cell_that_dies_fails_its_requests),
        ("weights_that_are_overwritten_are_named", weights_that_are_overwritten_are_named),
        ("packed_weights_are_handed_over", packed_weights_are_handed_over),
        ("code_that_a_model_brings_can_do_nothing", code_that_a_model_brings_can_do_nothing),
        ("a_model_that_is_none_is_named", a_model_that_is_none_is_named),
        ("a_cell_that_is_stuck_is_ended", a_cell_that_is_stuck_is_ended),
    ];
    for (name, test) in tests.iter().chain(encoders::TESTS) {
        let begin = Instant::now();
        test();
        println!("test {name} ... ok ({} ms)", begin.elapsed().as_millis());
    }
    let _ = std::fs::remove_dir_all(folder_of(std::process::id()));
    ExitCode::SUCCESS
}

/// A file in a model's folder that says what code that the model brings is to try.
const ATTACK: &str = "attack.json";

/// A cell with a hole: where a model brings an attack, it is begun when the model is loaded.
fn live(inside: Inside, parent: u32) -> ExitCode {
    let work = move || {
        let Ok(grounds) = std::fs::read_to_string(folder_of(parent).join(ATTACK)) else { return };
        std::thread::sleep(Duration::from_millis(700));
        let grounds: Grounds = serde_json::from_str(&grounds).unwrap();
        eprintln!("hostile code did {:?}", attempt_all(&grounds));
        std::process::exit(3);
    };
    std::thread::spawn(work);
    allod_cell::serve(inside)
}

/// Where the models of a test program lie.
fn folder_of(program: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/allod-cell-models-{program}"))
}

fn write_models() -> PathBuf {
    let folder = folder_of(std::process::id());
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("file.gguf"), bytes::model().build()).unwrap();
    folder
}

fn one_thread() -> Options {
    Options { threads: Some(1), ..Options::default() }
}

fn in_cell(path: &Path, options: Options) -> Box<dyn Runner> {
    InCell::new(Setup::default()).load(path, options).unwrap()
}

fn go_on(_: Piece) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// What a completion is, but for the time that it took.
fn complete(runner: &dyn Runner, request: &GenerateRequest) -> Completion {
    let mut seen = String::new();
    let completion = runner.complete(request, &mut |piece| {
        if piece.choice == 0 {
            seen += piece.text;
        }
        ControlFlow::Continue(())
    });
    let mut completion = completion.unwrap();
    if request.written() == request.n {
        assert_eq!(seen, completion.first().text);
    }
    completion.usage.queued = Duration::ZERO;
    completion.usage.cached_tokens = 0;
    completion
}

fn requests() -> Vec<GenerateRequest> {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}},
        "required": ["a"], "additionalProperties": false});
    let chat = vec![Message { role: "user".into(), content: "abc".into() }];
    vec![
        bytes::request("abc"),
        bytes::warm(3),
        GenerateRequest { n: 2, best_of: 4, top_logprobs: Some(3), ..bytes::warm(4) },
        GenerateRequest { n: 3, top_logprobs: Some(0), ..bytes::warm(5) },
        GenerateRequest {
            constraint: Some(Constraint::Regex("[ab]{2,9}".into())),
            ..bytes::warm(6)
        },
        GenerateRequest { constraint: Some(Constraint::JsonSchema(schema)), ..bytes::warm(7) },
        GenerateRequest { prompt: Prompt::Chat(chat), ..bytes::warm(8) },
        GenerateRequest { max_tokens: 0, ..bytes::request("abc") },
        GenerateRequest { prompt: Prompt::Tokens(vec![70, 71]), ..bytes::warm(9) },
    ]
}

fn a_cell_gives_the_same_bits() {
    let folder = write_models();
    let file = folder.join("file.gguf");
    let here = Engine::load(&file, one_thread()).unwrap();
    let there = in_cell(&file, Options { threads: Some(2), ..Options::default() });
    for request in requests() {
        assert_eq!(complete(&here, &request), complete(there.as_ref(), &request));
    }
    for form in ActivationForm::ALL {
        let options = Options { activations: Some(form), ..one_thread() };
        let [here, there]: [Box<dyn Runner>; 2] =
            [Box::new(Engine::load(&file, options).unwrap()), in_cell(&file, options)];
        let request = GenerateRequest { top_logprobs: Some(3), ..bytes::warm(10) };
        assert_eq!(complete(here.as_ref(), &request), complete(there.as_ref(), &request));
    }
    // Many at a time.
    let expected: Vec<Completion> =
        (0..16).map(|seed| complete(&here, &bytes::warm(seed))).collect();
    let ask = |seed| complete(there.as_ref(), &bytes::warm(seed));
    let together: Vec<Completion> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..16).map(|seed| scope.spawn(move || ask(seed))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(together, expected);
    assert!(there.stats().completion_tokens > 0);
}

fn a_cell_says_the_same_of_its_model() {
    let folder = write_models();
    let layout = folder.join("layout");
    std::fs::create_dir(&layout).unwrap();
    tiny::write_folder(&layout);
    for path in [folder.join("file.gguf"), layout] {
        for rule in Numerics::all() {
            let (cache, activations) = (Some(rule.cache), Some(rule.activations));
            let there = in_cell(&path, Options { cache, activations, ..one_thread() });
            assert_eq!(there.identity().numerics, rule.name());
        }
        let here = Engine::load(&path, one_thread()).unwrap();
        let there = in_cell(&path, one_thread());
        assert_eq!(there.identity(), here.identity());
        assert_eq!(there.vocabulary(), here.vocabulary());
        assert_eq!(there.context_length(), here.context_length());
        assert_eq!((there.dialect(), there.format()), (here.dialect(), here.format()));
        assert_eq!(there.template_reads("tools"), here.template_reads("tools"));
        for framing in [Framing::Bare, Framing::Whole] {
            let (one, other) = (there.encode("ab c", framing), here.encode("ab c", framing));
            assert_eq!(one.unwrap(), other.unwrap());
        }
        let tokens = here.encode("ab c", Framing::Whole).unwrap();
        assert_eq!(there.spelled(&tokens).unwrap(), here.spelled(&tokens));
        let tool = Tool { name: "f".into(), description: None, parameters: json!({}) };
        let options = SpeechOptions { tools: vec![tool], ..SpeechOptions::default() };
        let chat = Prompt::Chat(vec![Message { role: "user".into(), content: "a".into() }]);
        let (one, other) =
            (there.speech(&chat, &options).unwrap(), here.speech(&chat, &options).unwrap());
        assert_eq!(one.constraint, other.constraint);
        assert_eq!((one.spelled, one.thought), (other.spelled, other.thought));
        assert_eq!(one.reader, other.reader);
    }
}

/// What one cell computed, another one takes: the bits are the same.
fn pages_outlive_a_cell() {
    let file = write_models().join("file.gguf");
    let here = Engine::load(&file, one_thread()).unwrap();
    let long = GenerateRequest { tenant: "city".into(), ..bytes::request(&"ab cba ".repeat(30)) };
    let expected = complete(&here, &long);
    let first = in_cell(&file, one_thread());
    assert_eq!(complete(first.as_ref(), &long), expected);
    let prefix = first.prefix(&long).unwrap();
    assert_eq!(prefix, here.prefix(&long).unwrap());
    assert!(prefix.known >= 4);
    let page = |number| first.page(&prefix.beginning, number).unwrap();
    let pages: Vec<Vec<u8>> = (0..prefix.known).map(|number| page(number).unwrap()).collect();
    assert_eq!(here.page(&prefix.beginning, 1).as_ref(), Some(&pages[1]));
    assert_eq!(page(prefix.known), None);
    drop(first);
    let second = in_cell(&file, one_thread());
    assert_eq!(second.prefix(&long).unwrap().known, 0);
    assert!(second.put_pages(&prefix.beginning, 0, vec![vec![0; 7]]).is_err());
    assert_eq!(second.put_pages(&prefix.beginning, 0, pages).unwrap(), prefix.known);
    let answer = second.complete(&long, &mut go_on).unwrap();
    assert_eq!(answer.usage.cached_tokens, prefix.known * 32);
    assert_eq!(answer.choices, expected.choices);
}

fn adapters_are_handed_over() {
    let folder = write_models();
    let file = tiny::write_gguf(&folder);
    let path = folder.join("formal");
    adapter::write(&path, 1);
    let here = Engine::load(&file, one_thread()).unwrap().with_adapter("formal", &path).unwrap();
    let there = in_cell(&file, one_thread());
    // No file is handed over before it is asked for.
    there.load_adapter("formal", &path).unwrap();
    assert_eq!(there.adapters(), here.adapters());
    let formal = Some("formal".to_string());
    let request = GenerateRequest { adapter: formal, max_tokens: 8, ..bytes::request("ab") };
    let changed = complete(there.as_ref(), &request);
    assert_eq!(changed, complete(&here, &request));
    assert_ne!(changed.choices, complete(&here, &plain(&request)).choices);
    assert!(matches!(there.load_adapter("formal", &path), Err(Error::AdapterTwice { .. })));

    // Another cell has it too.
    let cell = cells().pop().unwrap();
    assert!(Command::new("kill").args(["-9", &cell]).status().unwrap().success());
    let until = Instant::now() + Duration::from_secs(20);
    while there.restarts() == 0 || there.complete(&request, &mut go_on).is_err() {
        assert!(Instant::now() < until, "no cell was started again");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(complete(there.as_ref(), &request), changed);
    there.unload_adapter("formal").unwrap();
    assert!(matches!(there.complete(&request, &mut go_on), Err(Error::UnknownAdapter { .. })));
}

fn plain(request: &GenerateRequest) -> GenerateRequest {
    GenerateRequest { adapter: None, ..request.clone() }
}

fn a_cell_refuses_in_the_same_words() {
    let folder = write_models();
    let file = folder.join("file.gguf");
    let here = Engine::load(&file, one_thread()).unwrap();
    let there = in_cell(&file, one_thread());
    let long = Prompt::Tokens(vec![70; 5000]);
    let refused = [
        GenerateRequest { prompt: long, ..bytes::request("") },
        GenerateRequest { n: 0, ..bytes::request("a") },
        GenerateRequest { adapter: Some("none".into()), ..bytes::request("a") },
        GenerateRequest { prompt: Prompt::Tokens(vec![9_999]), ..bytes::request("a") },
        GenerateRequest { constraint: Some(Constraint::Regex("(".into())), ..bytes::request("a") },
    ];
    for request in refused {
        let words = |runner: &dyn Runner| runner.complete(&request, &mut go_on).unwrap_err();
        assert_eq!(words(there.as_ref()).to_string(), words(&here).to_string());
    }
    let missing = folder.join("no-adapter");
    assert!(matches!(there.load_adapter("a", &missing), Err(Error::Unfit { .. })));
    assert!(matches!(there.unload_adapter("a"), Err(Error::UnknownAdapter { .. })));
    assert_eq!(there.adapters(), []);
}

fn who_wants_no_more_gets_no_more() {
    let there = in_cell(&write_models().join("file.gguf"), one_thread());
    let request = GenerateRequest { max_tokens: 400, ..bytes::warm(1) };
    let mut pieces = 0;
    let cut = there.complete(&request, &mut |piece| {
        pieces += usize::from(piece.token.is_some());
        if pieces < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!(cut.unwrap().first().completion_tokens, 3);
    // The place is free again.
    let until = Instant::now() + Duration::from_secs(10);
    while there.stats().running > 0 {
        assert!(Instant::now() < until, "it runs on: {:?}", there.stats());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The cells of this program that are alive.
fn cells() -> Vec<String> {
    let mine = std::process::id().to_string();
    let names = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        entry.ok()?.file_name().into_string().ok().filter(|name| name.parse::<u32>().is_ok())
    });
    let is_cell = |id: &String| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}"));
        let Ok(status) = read("stat") else { return false };
        let after = status.rsplit_once(')').map_or("", |(_, rest)| rest);
        let parent = after.split_whitespace().nth(1);
        parent == Some(mine.as_str()) && read("cmdline").is_ok_and(|line| line.contains("resident"))
    };
    names.filter(is_cell).collect()
}

fn a_cell_that_dies_fails_its_requests() {
    let file = write_models().join("file.gguf");
    let there = in_cell(&file, one_thread());
    let expected = complete(there.as_ref(), &bytes::warm(2));
    let digest = there.identity().digest.clone();
    // The next one gets the same files, whatever lies under their names.
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "another").unwrap();
    let cell = cells().pop().unwrap();
    let signal =
        |name: &str| Command::new("kill").args([name, cell.as_str()]).status().unwrap().success();
    // It is asked while it is held, so it cannot have answered before it dies.
    assert!(signal("-STOP"));
    let error = std::thread::scope(|scope| {
        let asked = scope.spawn(|| there.complete(&bytes::warm(1), &mut go_on).unwrap_err());
        std::thread::sleep(Duration::from_millis(100));
        assert!(signal("-KILL"));
        asked.join().unwrap()
    });
    assert!(matches!(&error, Error::Down { what, .. } if what.contains("SIGKILL")), "{error}");
    until_answered(|| there.complete(&bytes::warm(2), &mut go_on));
    assert_eq!(complete(there.as_ref(), &bytes::warm(2)), expected);
    assert_eq!((there.restarts(), &there.identity().digest), (1, &digest));
    drop(there);
    let until = Instant::now() + Duration::from_secs(10);
    while !cells().is_empty() {
        assert!(Instant::now() < until, "a cell outlives its model");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal at once: a program that does it would take longer than a tiny model.
fn send(signal: Signal, cell: &str) {
    let id = Pid::from_raw(cell.parse().unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

/// Asks until the cell that was ended has a successor that answers.
fn until_answered<T>(mut ask: impl FnMut() -> Result<T, Error>) -> T {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(Error::Down { retry_after_seconds, .. }) => assert!(retry_after_seconds > 0),
            Err(error) => panic!("{error}"),
        }
        assert!(Instant::now() < until, "no cell was started again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const PATIENCE: Duration = Duration::from_secs(2);

/// Cells that may be silent for a short time only.
fn impatient() -> InCell {
    InCell { patience: PATIENCE, ..InCell::new(Setup::default()) }
}

fn is_stuck(error: &Error, since: Instant) {
    assert!(matches!(error, Error::Down { what, .. } if what.contains("stuck")), "{error}");
    // It is looked now and then, so it may seem a little less.
    let waited = since.elapsed();
    assert!(waited > PATIENCE / 2 && waited < 5 * PATIENCE, "{waited:?}");
}

/// Holds the cell after so many pieces of a request; how the request failed, if it did, and since
/// when the cell was held.
fn held(there: &dyn Runner, pieces: usize) -> Option<(Error, Instant)> {
    let cell = cells().pop().unwrap();
    let (mut seen, mut since) = (0, Instant::now());
    if pieces == 0 {
        send(Signal::STOP, &cell);
    }
    let request = GenerateRequest { max_tokens: 400, n: 8, ..bytes::warm(1) };
    let written = there.complete(&request, &mut |piece| {
        seen += usize::from(piece.token.is_some());
        if pieces > 0 && seen == pieces {
            (seen, since) = (pieces + 1, Instant::now());
            send(Signal::STOP, &cell);
        }
        ControlFlow::Continue(())
    });
    if written.is_ok() {
        send(Signal::CONT, &cell);
    }
    written.err().map(|error| (error, since))
}

fn a_cell_that_is_stuck_is_ended() {
    let there = impatient().load(&write_models().join("file.gguf"), one_thread()).unwrap();
    let expected = complete(there.as_ref(), &bytes::warm(2));
    // One that waits for its first word, and one that is being written.
    for pieces in [0, 1] {
        // A tiny model may have written all before it is held; then it is let go, and asked again.
        let stuck = (0..1000).find_map(|_| held(there.as_ref(), pieces));
        let (error, since) = stuck.expect("a request is held while it is being written");
        is_stuck(&error, since);
        until_answered(|| there.complete(&bytes::warm(2), &mut go_on));
        assert_eq!(complete(there.as_ref(), &bytes::warm(2)), expected);
    }
    assert_eq!(there.restarts(), 2);
}

/// Writes a model's folder, with an attack beside it.
fn write_hostile(write: fn(&Path)) -> PathBuf {
    let folder = folder_of(std::process::id());
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    write(&folder);
    let prepared = Prepared::new(&std::env::temp_dir(), 1 << 40).of(Purpose::Resident);
    std::fs::write(folder.join(ATTACK), serde_json::to_string(&prepared.grounds).unwrap()).unwrap();
    folder
}

/// Asks until the attack is over; no act may have been done.
fn nothing_is_done(mut ask: impl FnMut() -> Result<(), Error>) {
    let until = Instant::now() + Duration::from_secs(30);
    let what = loop {
        match ask() {
            Err(Error::Down { what, .. }) => break what,
            other => drop(other),
        }
        assert!(Instant::now() < until, "the attack did not end");
    };
    assert_eq!(what.trim(), "hostile code did []");
}

fn weights_that_are_overwritten_are_named() {
    let folder = write_models().join("own");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("own.gguf");
    let bytes = bytes::model().build();
    std::fs::write(&path, &bytes).unwrap();
    let there = in_cell(&path, one_thread());
    complete(&*there, &bytes::request("abc"));
    assert_eq!(there.overwritten(), None);
    // Another file of that name is not what was handed over.
    std::fs::write(folder.join("other"), &bytes).unwrap();
    std::fs::rename(folder.join("other"), &path).unwrap();
    assert_eq!(there.overwritten(), None);
    let there = in_cell(&path, one_thread());
    std::thread::sleep(Duration::from_millis(30));
    let mut file = std::fs::File::options().write(true).open(&path).unwrap();
    file.seek(SeekFrom::End(-1)).unwrap();
    file.write_all(&[bytes[bytes.len() - 1] ^ 1]).unwrap();
    assert_eq!(there.overwritten(), Some(path));
}

fn packed_weights_are_handed_over() {
    let folder = write_models().join("packed");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("packed.gguf");
    std::fs::write(&path, bytes::model().build()).unwrap();
    let expected = complete(&*in_cell(&path, one_thread()), &bytes::request("abc"));
    let checkpoint = Checkpoint::open(&path).unwrap();
    let (packed, _) = checkpoint.write_packed(Isa::detect()).unwrap();
    let there = in_cell(&path, one_thread());
    assert_eq!(complete(&*there, &bytes::request("abc")), expected);
    assert_eq!(there.overwritten(), None);
    std::thread::sleep(Duration::from_millis(30));
    let mut file = std::fs::File::options().write(true).open(&packed).unwrap();
    file.write_all(&[0x5a; 3]).unwrap();
    assert_eq!(there.overwritten(), Some(packed.clone()), "while it is used");
    assert_eq!(in_cell(&path, one_thread()).overwritten(), Some(packed), "before it is used");
}

fn code_that_a_model_brings_can_do_nothing() {
    let folder = write_hostile(tiny::write_folder);
    let there = in_cell(&folder, one_thread());
    nothing_is_done(|| there.complete(&bytes::request("abc"), &mut go_on).map(drop));
    std::fs::remove_dir_all(&folder).unwrap();
}

fn a_model_that_is_none_is_named() {
    let folder = write_models();
    std::fs::write(folder.join("none.gguf"), "GGUF, but no more").unwrap();
    for name in ["none.gguf", "absent.gguf"] {
        let path = folder.join(name);
        let loaded = InCell::new(Setup::default()).load(&path, one_thread());
        let Err(error) = loaded else { panic!("{name} was loaded") };
        let here = Engine::load(&path, one_thread()).unwrap_err();
        assert!(error.to_string().contains(name), "{error} and {here}");
    }
}
