//! The files of a model's folder are named in receipts: whoever changes one is told which.
#![allow(clippy::unwrap_used)]

#[path = "../../allod/tests/common/tiny.rs"]
mod tiny;

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allod_answer::{Bundle, Caller, Chat, Choices, Desk, DeskOptions, ModelChoice};
use allod_answer::{ReplayOptions, Replayed, Replayer};
use allod_engine::{EmbedTexts, InProcess, LoadEncoder, Message, Prompt, Sampling};
use allod_ledger::Receipt;
use allod_lm::{EmbedOptions, FileList, Isa, Model, Use, settings_files};
use allod_store::Store;
use tempfile::TempDir;

/// Files that a folder may hold, read or not.
const KNOWN: [&str; 17] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "tekken.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "model.safetensors.index.json",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "README.md",
];

/// A model folder, and an answer of the model in a data folder.
struct House {
    folder: TempDir,
    store: Arc<dyn Store>,
    receipt: Receipt,
    bundle: String,
}

impl House {
    fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let (data, model) = (folder.path().join("data"), folder.path().join("model"));
        tiny::write_folder(&model);
        fs::create_dir(&data).unwrap();
        let policy = "name: swaps\nlogging: {prompts: retained, citations: optional}\n";
        fs::write(data.join("allod.yaml"), policy).unwrap();
        let choice = ModelChoice { path: Some(model), ..ModelChoice::default() };
        let options = DeskOptions { model: choice, ..DeskOptions::default() };
        let desk = Desk::open(&data, &options).unwrap();
        desk.chat(&chat(), &mut |_| ControlFlow::Continue(())).unwrap();
        let receipt = desk.ledger().read(0).unwrap();
        let proof = desk.ledger().prove(0).unwrap();
        let bundle = Bundle::write(desk.store().as_ref(), desk.ledger(), 0, proof).unwrap();
        let store = Arc::clone(desk.store());
        House { folder, store, receipt, bundle }
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("model")
    }

    fn replayer(&self, store: &Arc<dyn Store>, scratch: &Path) -> Replayer {
        let options = ReplayOptions {
            data: None,
            scratch: scratch.to_owned(),
            model: ModelChoice { path: Some(self.model()), ..ModelChoice::default() },
            models: self.folder.path().join("models"),
            adapters: self.folder.path().join("adapters"),
        };
        Replayer::new(Arc::clone(store), options).unwrap()
    }

    fn replay(&self) -> Replayed {
        let scratch = tempfile::tempdir().unwrap();
        self.replayer(&self.store, scratch.path()).replay(&self.receipt).unwrap()
    }

    fn list(&self) -> FileList {
        let digest = self.receipt.model.as_ref().unwrap().files.as_deref().unwrap();
        FileList::read(&self.store.artifact(digest).unwrap().unwrap().content).unwrap()
    }

    fn change_store(&self, statement: &str) {
        let database = rusqlite::Connection::open(self.folder.path().join("data/allod.db"));
        assert!(database.unwrap().execute(statement, []).unwrap() > 0, "{statement}");
    }
}

fn chat() -> Chat {
    let message = Message { role: "user".into(), content: "abc ab".into() };
    Chat {
        prompt: Prompt::Chat(vec![message]),
        caller: Caller { tenant: "t".into(), ..Caller::default() },
        sampling: Sampling::default(),
        max_tokens: 6,
        stop: Vec::new(),
        constraint: None,
        spelled: Vec::new(),
        thought: None,
        choices: Choices::default(),
        adapter: None,
    }
}

fn told(replayed: &Replayed) -> String {
    match replayed {
        Replayed::Differs(difference) => difference.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_file_on_which_the_answer_depends_is_listed() {
    let house = House::new();
    let names: Vec<String> = house.list().files().iter().map(|file| file.name.clone()).collect();
    assert_eq!(
        names,
        [
            "chat_template.jinja",
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json"
        ]
    );
    assert_eq!(house.replay(), Replayed::Identical);
    let recorded = house.receipt.model.clone().unwrap();
    let (digest, list) = FileList::of_model(&house.model()).unwrap();
    assert_eq!((Some(digest), list.unwrap().digest()), (recorded.digest, house.list().digest()));
}

/// A byte of the weights is overwritten while the model is open: no answer, no receipt.
#[test]
fn weights_that_are_overwritten_in_place_answer_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, model) = (folder.path().join("data"), folder.path().join("model"));
    tiny::write_folder(&model);
    fs::create_dir(&data).unwrap();
    fs::write(data.join("allod.yaml"), "name: open\nlogging: {citations: optional}\n").unwrap();
    let choice = ModelChoice { path: Some(model.clone()), ..ModelChoice::default() };
    let options = DeskOptions { model: choice, ..DeskOptions::default() };
    let desk = Desk::open(&data, &options).unwrap();
    let ask = || desk.chat(&chat(), &mut |_| ControlFlow::Continue(()));
    ask().unwrap();
    let weights = model.join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    // As people change a model: another file takes the name. The open one is what it was.
    fs::write(model.join("other"), vec![0; bytes.len()]).unwrap();
    fs::rename(&weights, model.join("kept")).unwrap();
    fs::rename(model.join("other"), &weights).unwrap();
    ask().unwrap();
    fs::rename(model.join("kept"), &weights).unwrap();
    ask().unwrap();
    assert_eq!(desk.ledger().checkpoint().size, 3);

    std::thread::sleep(std::time::Duration::from_millis(30));
    let mut file = fs::File::options().write(true).open(&weights).unwrap();
    file.seek(SeekFrom::End(-1)).unwrap();
    file.write_all(&[bytes[bytes.len() - 1] ^ 1]).unwrap();
    for _ in 0..2 {
        let said = ask().unwrap_err().to_string();
        assert!(said.contains("model.safetensors was written to"), "{said}");
        // Not even when the byte is put back: who knows what was computed in between.
        file.seek(SeekFrom::End(-1)).unwrap();
        file.write_all(&bytes[bytes.len() - 1..]).unwrap();
    }
    assert_eq!(desk.ledger().checkpoint().size, 3, "without a receipt");
}

/// What cannot be read any more makes loading fail if, and only if, it is listed.
#[test]
fn what_is_not_listed_is_not_read() {
    let model = |path: &Path| Model::load(path).map(drop).map_err(|error| error.to_string());
    let embedder = |path: &Path| {
        let options = EmbedOptions { threads: 1, isa: Isa::detect() };
        let loaded: Result<Box<dyn EmbedTexts>, _> = InProcess.load_embedder(path, options);
        loaded.map(drop).map_err(|error| error.to_string())
    };
    type Loads<'a> = &'a dyn Fn(&Path) -> Result<(), String>;
    for (wanted, loads) in [(Use::Write, &model as Loads<'_>), (Use::Read, &embedder)] {
        for name in KNOWN {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("model");
            match wanted {
                Use::Write => tiny::write_folder(&path),
                Use::Read => tiny::write_embedder(&path),
            }
            loads(&path).unwrap();
            fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
            fs::write(path.join(name), "{% {").unwrap();
            let listed = settings_files(&path, wanted).iter().any(|listed| listed == name);
            assert_eq!(loads(&path).is_err(), listed, "{name} {wanted:?}");
        }
    }
}

/// Numbers that look random: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

/// Changes one file in a random way, gives its name and what it held.
fn alter(random: &mut Random, folder: &Path, names: &[String]) -> (String, Option<Vec<u8>>) {
    let name = names[random.below(names.len())].clone();
    let path = folder.join(&name);
    let before = fs::read(&path).unwrap();
    let mut after = before.clone();
    match random.below(7) {
        0..=2 => {
            let place = random.below(after.len());
            after[place] ^= 1 << random.below(8);
        }
        3 => after.truncate(random.below(before.len())),
        4 => after.extend(std::iter::repeat_n(b'\n', 1 + random.below(3))),
        5 => {
            let other = names[random.below(names.len())].clone();
            after = fs::read(folder.join(other)).unwrap();
        }
        _ => {
            // A file that was not there: sound settings that change how answers end, or are put.
            let name = "generation_config.json";
            fs::write(folder.join(name), r#"{"eos_token_id": 3}"#).unwrap();
            return (name.to_owned(), None);
        }
    }
    if random.below(12) == 0 {
        fs::remove_file(&path).unwrap();
    } else if after == before {
        // The file was put in its own place.
        after.push(b' ');
        fs::write(&path, after).unwrap();
    } else {
        fs::write(&path, after).unwrap();
    }
    (name, Some(before))
}

#[test]
fn whoever_swaps_a_file_of_the_model_is_told_which() {
    let house = House::new();
    let names: Vec<String> = house.list().files().iter().map(|file| file.name.clone()).collect();
    let wanted = std::env::var("ALLOD_MANIPULATIONS").ok().and_then(|count| count.parse().ok());
    let mut random = Random(6);
    for round in 0..wanted.unwrap_or(300) {
        let (name, before) = alter(&mut random, &house.model(), &names);
        let told = told(&house.replay());
        let path = house.model().join(&name);
        let now = fs::read(&path).ok();
        assert!(
            told.starts_with(&format!("the model's file {name}: ")),
            "round {round}, {name}, {now:?}: {told}"
        );
        match before {
            Some(before) => fs::write(&path, before).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }
    assert_eq!(house.replay(), Replayed::Identical);
}

#[test]
fn a_bundle_names_the_file_as_well() {
    let house = House::new();
    let bundle = Bundle::read(&house.bundle, None).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let mut replayer = house.replayer(bundle.store(), scratch.path());
    assert_eq!(replayer.replay(&bundle.receipt).unwrap(), Replayed::Identical);
    let mut settings = tiny::config();
    settings["rms_norm_eps"] = 0.5.into();
    fs::write(house.model().join("config.json"), settings.to_string()).unwrap();
    let mut replayer = house.replayer(bundle.store(), scratch.path());
    let told = told(&replayer.replay(&bundle.receipt).unwrap());
    assert!(told.starts_with("the model's file config.json: another file"), "{told}");
}

#[test]
fn a_list_that_was_changed_or_is_gone_does_not_hide_it() {
    let house = House::new();
    let config = house.model().join("config.json");
    let before = fs::read_to_string(&config).unwrap();
    fs::write(&config, before.clone() + " ").unwrap();
    house.change_store("DELETE FROM artifacts WHERE kind = 'model-files'");
    let said = told(&house.replay());
    assert!(said.contains("list of the model's files, which is not kept any longer"), "{said}");
    fs::write(&config, before).unwrap();
    // The digest still says that all are the same.
    assert_eq!(house.replay(), Replayed::Identical);

    let house = House::new();
    house.change_store("UPDATE artifacts SET content = replace(content, 'a', 'b')");
    let said = told(&house.replay());
    assert!(said.contains("which was changed"), "{said}");
}

#[test]
fn a_receipt_of_an_older_version_says_what_was_not_compared() {
    let house = House::new();
    let mut older = house.receipt.clone();
    older.model.as_mut().unwrap().files = None;
    let scratch = tempfile::tempdir().unwrap();
    let mut replayer = house.replayer(&house.store, scratch.path());
    assert_eq!(replayer.replay(&older).unwrap(), Replayed::Identical);
    assert!(replayer.unchecked().unwrap().contains("config.json"));
    assert_eq!(replayer.replay(&house.receipt).unwrap(), Replayed::Identical);
    assert_eq!(replayer.unchecked(), None);
    // The entry of such a receipt reads as it did.
    let entry = older.to_entry().unwrap();
    assert!(!String::from_utf8(entry.clone()).unwrap().contains("\"files\""));
    assert_eq!(Receipt::from_entry(&entry).unwrap(), older);
}
