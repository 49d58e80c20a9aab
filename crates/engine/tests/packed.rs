//! Packed weights beside a model: the same completions, and what happens to them is noticed.
#![allow(dead_code, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use allod_engine::{Engine, Generated, Options};
use allod_lm::{Checkpoint, Isa};
use common::{model, request, run};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

fn engine(path: &Path) -> Engine {
    Engine::load(path, Options { threads: Some(1), ..Options::default() }).unwrap()
}

fn written(engine: &Engine) -> (String, Vec<u32>) {
    let Generated { text, tokens, .. } = run(engine, &request("abc"));
    (text, tokens)
}

fn change(path: &Path, place: SeekFrom) {
    // The system's clock for files goes in steps of some milliseconds.
    std::thread::sleep(Duration::from_millis(30));
    let mut file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    file.seek(place).unwrap();
    file.write_all(&[0x5a; 3]).unwrap();
}

#[test]
fn completions_are_the_same_and_other_bytes_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, model().build()).unwrap();
    let expected = written(&engine(&path));

    let (packed, bytes) = Checkpoint::open(&path).unwrap().write_packed(Isa::detect()).unwrap();
    assert_eq!(packed, folder.path().join("model.gguf.packed"));
    let checkpoint = Checkpoint::open(&path).unwrap();
    checkpoint.map_packed().unwrap();
    assert!(bytes > 1000 && checkpoint.is_settled());
    let mapped = engine(&path);
    assert_eq!(written(&mapped), expected);
    assert_eq!(mapped.overwritten(), None);

    // Whoever replaces it changes nothing for those who have it open.
    Checkpoint::open(&path).unwrap().write_packed(Isa::detect()).unwrap();
    assert_eq!(mapped.overwritten(), None, "its name is another file's now");
    let mapped = engine(&path);
    change(&packed, SeekFrom::Start(70));
    assert_eq!(mapped.overwritten(), Some(packed.clone()), "written to while it is used");
    let altered = engine(&path);
    run(&altered, &request("abc"));
    assert_eq!(altered.overwritten(), Some(packed.clone()), "altered before it is used");

    // One that does not belong to the model is not used.
    change(&path, SeekFrom::End(-3));
    assert!(Checkpoint::open(&path).unwrap().map_packed().is_err());
    assert_eq!(engine(&path).overwritten(), None);
    std::fs::write(&packed, "allod-packed-1\r\n").unwrap();
    let why = Checkpoint::open(&path).unwrap().map_packed().unwrap_err().to_string();
    assert!(why.contains("model.gguf.packed") && why.contains("allod model pack"), "{why}");
    Checkpoint::open(&path).unwrap().remove_packed().unwrap();
    assert!(Checkpoint::open(&path).unwrap().remove_packed().is_err());
}
