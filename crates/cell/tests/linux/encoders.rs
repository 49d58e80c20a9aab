//! Models that read, in cells.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use allod_cell::InCell;
use allod_engine::{EmbedTexts, Error, InProcess, LoadEncoder, RankTexts};
use allod_lm::{EmbedOptions, Isa, Purpose};
use allod_sandbox::Setup;
use rustix::process::Signal;

use super::{
    cells, folder_of, impatient, is_stuck, nothing_is_done, send, until_answered, write_hostile,
};
use crate::{ranker, tiny};

pub const TESTS: &[(&str, fn())] = &[
    ("vectors_and_scores_have_the_same_bits", vectors_and_scores_have_the_same_bits),
    ("an_encoder_refuses_in_the_same_words", an_encoder_refuses_in_the_same_words),
    ("an_encoder_that_dies_is_started_again", an_encoder_that_dies_is_started_again),
    ("an_encoder_that_is_stuck_is_ended", an_encoder_that_is_stuck_is_ended),
    ("code_that_an_encoder_brings_can_do_nothing", code_that_an_encoder_brings_can_do_nothing),
    ("a_file_that_is_no_encoder_is_named", a_file_that_is_no_encoder_is_named),
];

fn options(threads: usize) -> EmbedOptions {
    EmbedOptions { threads, isa: Isa::detect() }
}

/// A folder for each kind.
fn write_encoders() -> [PathBuf; 2] {
    let folder = folder_of(std::process::id());
    let _ = std::fs::remove_dir_all(&folder);
    let (embedder, ranker) = (folder.join("embedder"), folder.join("ranker"));
    tiny::write_embedder(&embedder);
    ranker::write_folder(&ranker);
    [embedder, ranker]
}

fn there(path: &Path) -> Box<dyn EmbedTexts> {
    InCell::new(Setup::default()).load_embedder(path, options(1)).unwrap()
}

/// More than go into one message, of many lengths.
fn texts() -> Vec<String> {
    (1..150).map(|count| ["ab", "c", "a b", "abc c"][count % 4].repeat(1 + count % 17)).collect()
}

fn bits(vectors: &[Vec<f32>]) -> Vec<Vec<u32>> {
    vectors.iter().map(|vector| vector.iter().map(|x| x.to_bits()).collect()).collect()
}

fn vectors_and_scores_have_the_same_bits() {
    let [embedder, ranker] = write_encoders();
    let here = InProcess.load_embedder(&embedder, options(1)).unwrap();
    let there = InCell::new(Setup::default()).load_embedder(&embedder, options(2)).unwrap();
    assert_eq!((there.profile(), there.digest()), (here.profile(), here.digest()));
    let owned = texts();
    let texts: Vec<&str> = owned.iter().map(String::as_str).collect();
    for purpose in [Purpose::Any, Purpose::Query, Purpose::Document] {
        let (one, other) = (here.embed(purpose, &texts), there.embed(purpose, &texts));
        assert_eq!(bits(&one.unwrap()), bits(&other.unwrap()));
        let (one, other) = (here.text_tokens(purpose, &texts), there.text_tokens(purpose, &texts));
        assert_eq!(one.unwrap(), other.unwrap());
    }
    assert_eq!(there.embed(Purpose::Any, &[]).unwrap(), Vec::<Vec<f32>>::new());

    let here = InProcess.load_ranker(&ranker, options(1)).unwrap();
    let there = InCell::new(Setup::default()).load_ranker(&ranker, options(2)).unwrap();
    assert_eq!((there.profile(), there.digest()), (here.profile(), here.digest()));
    let owned: Vec<String> = (0..100).map(|count| "cat dog sat ".repeat(1 + count % 5)).collect();
    let documents: Vec<&str> = owned.iter().map(String::as_str).collect();
    let scored = |model: &dyn RankTexts| {
        let scores = model.scores("a cat", &documents).unwrap();
        let tokens = model.pair_tokens("a cat", &documents).unwrap();
        (scores.into_iter().map(f32::to_bits).collect::<Vec<u32>>(), tokens)
    };
    assert_eq!(scored(here.as_ref()), scored(there.as_ref()));
}

fn an_encoder_refuses_in_the_same_words() {
    let [embedder, ranker] = write_encoders();
    let here = InProcess.load_embedder(&embedder, options(1)).unwrap();
    let there = there(&embedder);
    let words = |model: &dyn EmbedTexts, text: &str| {
        model.embed(Purpose::Document, &["ab", text]).map(drop).map_err(|error| error.to_string())
    };
    for text in ["", "ab"] {
        assert_eq!(words(here.as_ref(), text), words(there.as_ref(), text), "{text}");
    }
    // One does not say how its tokens become a vector, one has no head for scores, two are absent.
    let bare = embedder.with_file_name("bare");
    tiny::write_folder(&bare);
    let cells = InCell::new(Setup::default());
    for path in [&bare, &embedder.join("absent")] {
        let here = said(InProcess.load_embedder(path, options(1)));
        assert_eq!(said(cells.load_embedder(path, options(1))), here);
    }
    for path in [&embedder, &ranker.join("absent")] {
        let here = said(InProcess.load_ranker(path, options(1)));
        assert_eq!(said(cells.load_ranker(path, options(1))), here);
    }
}

fn said<T>(loaded: Result<T, Error>) -> String {
    loaded.map(drop).map_err(|error| error.to_string()).unwrap_err()
}

fn an_encoder_that_dies_is_started_again() {
    let [embedder, _] = write_encoders();
    let there = there(&embedder);
    let expected = bits(&there.embed(Purpose::Query, &["abc"]).unwrap());
    let digest = there.digest().to_owned();
    // The next one gets the same files, whatever lies under their names.
    std::fs::remove_file(embedder.join("config.json")).unwrap();
    std::fs::write(embedder.join("config.json"), "{}").unwrap();
    let cell = cells().pop().unwrap();
    send(Signal::STOP, &cell);
    let error = std::thread::scope(|scope| {
        let asked = scope.spawn(|| there.embed(Purpose::Query, &["abc"]).unwrap_err());
        std::thread::sleep(Duration::from_millis(100));
        send(Signal::KILL, &cell);
        asked.join().unwrap()
    });
    assert!(matches!(&error, Error::Down { what, .. } if what.contains("SIGKILL")), "{error}");
    let again = until_answered(|| there.embed(Purpose::Query, &["abc"]));
    assert_eq!((bits(&again), there.restarts()), (expected, 1));
    assert_eq!(there.digest(), digest);
}

fn an_encoder_that_is_stuck_is_ended() {
    let [_, ranker] = write_encoders();
    let there = impatient().load_ranker(&ranker, options(1)).unwrap();
    let expected = there.scores("a cat", &["a dog"]).unwrap();
    send(Signal::STOP, &cells().pop().unwrap());
    let since = Instant::now();
    is_stuck(&there.scores("a cat", &["a dog"]).unwrap_err(), since);
    assert_eq!(until_answered(|| there.scores("a cat", &["a dog"])), expected);
}

fn code_that_an_encoder_brings_can_do_nothing() {
    let folder = write_hostile(tiny::write_embedder);
    let there = there(&folder);
    nothing_is_done(|| there.embed(Purpose::Any, &["abc"]).map(drop));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// What a hostile file may be: cut, of another kind, or of sizes that nobody has.
fn a_file_that_is_no_encoder_is_named() {
    let [embedder, _] = write_encoders();
    let weights = std::fs::read(embedder.join("model.safetensors")).unwrap();
    let mut huge = weights.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    for (name, bytes) in [
        ("model.safetensors", weights[..weights.len() / 2].to_vec()),
        ("model.safetensors", huge),
        ("model.safetensors", b"GGUF".to_vec()),
        ("config.json", b"{\"hidden_size\": 1e300}".to_vec()),
        ("tokenizer.json", vec![b'['; 1 << 20]),
        ("modules.json", b"[{\"path\": \"../..\", \"type\": \"x.Transformer\"}]".to_vec()),
    ] {
        let [embedder, _] = write_encoders();
        std::fs::write(embedder.join(name), bytes).unwrap();
        let loaded = InCell::new(Setup::default()).load_embedder(&embedder, options(1));
        let Err(error) = loaded else { panic!("{name} was loaded") };
        assert!(matches!(error, Error::Unfit { .. }), "{name}: {error}");
        let here = InProcess.load_embedder(&embedder, options(1)).map(drop).unwrap_err();
        assert_eq!(error.to_string(), here.to_string());
    }
}
