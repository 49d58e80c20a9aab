//! Recorded answers made again: the same to the last bit, and whoever changed something is named.
#![allow(clippy::unwrap_used)]

#[path = "../../engine/tests/common/mod.rs"]
mod bytes;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allod_answer::{Ask, Bundle, Caller, Chat, Choices, Desk, DeskOptions, ModelChoice};
use allod_answer::{ReplayOptions, Replayed, Replayer};
use allod_corpus::Language;
use allod_engine::{
    ActivationForm, CacheForm, Constraint, Dry, Isa, Message, Options, Prompt, Sampling,
};
use allod_retrieval::{Clearance, IngestOptions, Silent};
use serde_json::json;
use tempfile::TempDir;

const POLICY: &str = "name: replay\nlimits: {answer_tokens_max: 24}\nretrieval:\n  \
                      minimum_confidence: 0.01\nlogging:\n  citations: optional\n  \
                      prompts: retained\n";
const QUESTIONS: [&str; 6] = [
    "Wie viel kostet ein 35-Liter-Kehrichtsack?",
    "When is the library open on Saturday?",
    "What is the salary of the harbour master?",
    "Wer hat den Mond entdeckt?",
    "Bitte verbinden Sie mich mit einem Mitarbeiter.",
    "Was kostet das?",
];

/// A data folder with documents, and a model beside it.
struct House {
    folder: TempDir,
    model: Option<PathBuf>,
}

impl House {
    fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sources")).unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data/allod.yaml"), POLICY).unwrap();
        let house = House { folder, model: None };
        house.write(
            "abfall.md",
            "---\ntitle: Abfallreglement\nlanguage: de\n---\n# Abfallreglement\n\n## Art. 2 \
             Kehrichtsäcke\n\n1 Kehricht gehört in gebührenpflichtige Säcke.\n\n2 Ein \
             35-Liter-Kehrichtsack kostet CHF 2.40.\n",
        );
        house.write(
            "library.md",
            "---\ntitle: Library rules\nlanguage: en\n---\n# Library rules\n\n## Opening hours\n\n\
             The library is open on Saturday from 09:00 to 12:00.\n",
        );
        house.write(
            "harbour.md",
            "---\ntitle: Salaries\nlanguage: en\nlabel: secret\n---\n# Salaries\n\nThe salary of \
             the harbour master is CHF 123456 a year.\n",
        );
        house
    }

    fn with_model() -> House {
        House::with_file(&bytes::model().build())
    }

    fn with_file(model: &[u8]) -> House {
        let house = House::new();
        let path = house.folder.path().join("writer.gguf");
        std::fs::write(&path, model).unwrap();
        House { model: Some(path), ..house }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join("sources").join(name), text).unwrap();
    }

    fn choice(&self, engine: Options) -> ModelChoice {
        let none = self.model.is_none();
        // Tokens of this model are bytes.
        let engine = Options { context_tokens: Some(4000), ..engine };
        ModelChoice { path: self.model.clone(), engine, none, ..ModelChoice::default() }
    }

    fn desk(&self, engine: Options) -> Desk {
        let options = DeskOptions { model: self.choice(engine), ..DeskOptions::default() };
        Desk::open(&self.data(), &options).unwrap()
    }

    fn ingest(&self, desk: &Desk) {
        let roots = [self.folder.path().join("sources")];
        desk.library().ingest(&roots, &IngestOptions::default(), &Silent).unwrap();
    }

    fn replayer(&self, engine: Options, data: Option<PathBuf>) -> (Replayer, TempDir) {
        let scratch = tempfile::tempdir().unwrap();
        let options = ReplayOptions {
            data,
            scratch: scratch.path().to_owned(),
            model: self.choice(engine),
            models: self.data().join("models"),
            adapters: self.data().join("adapters"),
        };
        let store = allod_answer::open_store(&self.data()).unwrap();
        (Replayer::new(store, options).unwrap(), scratch)
    }

    /// Replays every receipt and gives what came of each.
    fn replay_all(&self, desk: &Desk, engine: Options, data: Option<PathBuf>) -> Vec<Replayed> {
        self.replay(desk, engine, data, usize::MAX)
    }

    /// Replays so many receipts, spread over all.
    fn replay(
        &self,
        desk: &Desk,
        engine: Options,
        data: Option<PathBuf>,
        most: usize,
    ) -> Vec<Replayed> {
        let (mut replayer, _scratch) = self.replayer(engine, data);
        let size = desk.ledger().checkpoint().size as usize;
        let which = (0..size).step_by(size.div_ceil(most).max(1));
        let read = |index: usize| desk.ledger().read(index as u64).unwrap();
        which.map(|index| replayer.replay(&read(index)).unwrap()).collect()
    }

    fn change(&self, statement: &str) {
        let database = rusqlite::Connection::open(self.data().join("allod.db")).unwrap();
        assert!(database.execute(statement, []).unwrap() > 0, "{statement}");
    }
}

fn ask(question: &str, labels: &[&str], language: Option<Language>) -> Ask {
    let clearance = Clearance::of(labels.iter().copied());
    let caller = Caller { tenant: "t".into(), subject: "s".into(), clearance };
    let on = Some(jiff::civil::date(2026, 3, 1));
    Ask { question: question.into(), caller, on, language }
}

fn chat(number: usize) -> Chat {
    let words = "abc ab cab ".repeat(1 + number * 7 % 40);
    let message =
        |role: &str, content: &str| Message { role: role.into(), content: content.into() };
    let prompt = match number % 3 {
        0 => Prompt::Chat(vec![message("system", "abba"), message("user", &words)]),
        1 => Prompt::Text(words),
        _ => Prompt::Tokens((3..20 + number as u32 % 50).collect()),
    };
    let mut sampling = Sampling { seed: number as u64, ..Sampling::default() };
    if number % 2 == 1 {
        sampling = Sampling { temperature: 0.9, top_p: 0.95, min_p: 0.0123456, ..sampling };
    }
    if number.is_multiple_of(5) {
        sampling.dry = Some(Dry::default());
        sampling.logit_bias.insert(7, 1.25);
    }
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    Chat {
        prompt,
        caller: Caller { tenant: format!("tenant {}", number % 4), ..Caller::default() },
        sampling,
        max_tokens: 1 + number * 5 % 23,
        stop: if number.is_multiple_of(4) { vec!["ab".into()] } else { Vec::new() },
        constraint: (number % 6 == 1).then_some(Constraint::JsonSchema(schema)),
        spelled: Vec::new(),
        thought: None,
        choices: match number % 7 {
            3 => Choices { n: 2, best_of: 3, top_logprobs: None },
            _ => Choices::default(),
        },
        adapter: None,
    }
}

/// Several callers at a time, so that requests are computed beside others.
fn record(desk: &Desk, count: usize, callers: usize) {
    std::thread::scope(|scope| {
        for caller in 0..callers {
            scope.spawn(move || {
                for number in (caller..count).step_by(callers) {
                    desk.chat(&chat(number), &mut |_| ControlFlow::Continue(())).unwrap();
                    let question = QUESTIONS[number % QUESTIONS.len()];
                    let labels: &[&str] = if number % 2 == 0 { &["secret"] } else { &[] };
                    let language = (number % 5 == 0).then_some(Language::De);
                    desk.ask(&ask(question, labels, language)).unwrap();
                }
            });
        }
    });
}

fn identical(all: &[Replayed]) {
    let other: Vec<_> = all.iter().filter(|one| **one != Replayed::Identical).collect();
    assert!(other.is_empty() && !all.is_empty(), "{} of {}: {other:?}", other.len(), all.len());
}

/// How many requests are recorded: `ALLOD_REPLAYS` where more are wanted than a test has time for.
fn wanted() -> usize {
    std::env::var("ALLOD_REPLAYS").map_or(64, |count| count.parse().unwrap())
}

#[test]
fn answers_are_the_same_whoever_was_beside_them_and_however_it_is_computed() {
    let activations = |form| Options { activations: Some(form), ..Options::default() };
    let modes = [
        (7, Options { threads: Some(2), slots: Some(6), ..Options::default() }),
        (
            1,
            Options {
                threads: Some(1),
                prefix_bytes: Some(0),
                step_tokens: Some(9),
                ..Options::default()
            },
        ),
        (64, Options { draft_tokens: Some(4), slots: Some(64), ..Options::default() }),
        (4, Options { cache: Some(CacheForm::F32), prefix_bytes: Some(0), ..Options::default() }),
        (7, Options { cache: Some(CacheForm::Mxint8), ..Options::default() }),
        (7, activations(ActivationForm::Bf16)),
        (7, activations(ActivationForm::Int8)),
    ];
    let template = "{% for m in messages %}<|x|>{{ m.role }}: {{ m.content }}{% endfor %}<|x|>";
    let models = [bytes::model(), bytes::model_with(template, &["<|x|>"], &[])];
    // A turn and a question for each.
    let each = wanted() / (2 * models.len() * modes.len());
    for model in models {
        let house = House::with_file(&model.build());
        for (callers, mode) in modes {
            let desk = house.desk(mode);
            house.ingest(&desk);
            record(&desk, each, callers);
        }
        let desk = house.desk(Options::default());
        for (threads, data) in [(1, Some(house.data())), (2, None)] {
            let engine = Options { threads: Some(threads), ..Options::default() };
            identical(&house.replay_all(&desk, engine, data));
        }
        for isa in Isa::available() {
            let engine = Options { isa: Some(isa), ..Options::default() };
            identical(&house.replay(&desk, engine, None, 100));
        }
    }
}

#[test]
fn quotes_are_the_same_after_the_documents_changed() {
    let house = House::new();
    let desk = house.desk(Options::default());
    house.ingest(&desk);
    let all = |desk: &Desk| {
        for question in QUESTIONS {
            desk.ask(&ask(question, &["secret"], None)).unwrap();
            desk.ask(&ask(question, &[], None)).unwrap();
        }
    };
    all(&desk);
    let replays = || house.replay_all(&desk, Options::default(), Some(house.data()));
    identical(&replays());
    house.write("library.md", "---\ntitle: Other rules\nlanguage: en\n---\n# No library\n");
    house.write(
        "harbour.md",
        "---\ntitle: Wages\nlanguage: en\n---\n# Salaries\n\nThe salary of the harbour master is \
         CHF 123456 a year.\n",
    );
    std::fs::remove_file(house.folder.path().join("sources/abfall.md")).unwrap();
    house.ingest(&desk);
    identical(&replays());
    all(&desk);
    identical(&replays());
}

#[test]
fn a_turn_that_its_caller_ended_is_the_same_as_far_as_it_went() {
    let house = House::with_model();
    let desk = house.desk(Options::default());
    let mut left = 3;
    let asked = Chat { max_tokens: 20, stop: Vec::new(), constraint: None, ..chat(1) };
    let reply = desk.chat(&asked, &mut |piece| {
        left -= usize::from(piece.token.is_some());
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(reply.unwrap().tokens.completion, 3);
    identical(&house.replay_all(&desk, Options::default(), None));
}

/// The one difference that comes of a change.
fn blamed(house: &House, desk: &Desk) -> String {
    let all = house.replay_all(desk, Options::default(), None);
    match all.as_slice() {
        [Replayed::Differs(difference)] => difference.to_string(),
        other => panic!("{other:?}"),
    }
}

fn one_answer(house: &House) -> Desk {
    let desk = house.desk(Options::default());
    house.ingest(&desk);
    desk.ask(&ask(QUESTIONS[0], &[], None)).unwrap();
    desk
}

#[test]
fn whoever_changed_something_is_told_what() {
    for (statement, blame) in [
        (
            "UPDATE payloads SET sealed = zeroblob(99) WHERE kind = 'prompt'",
            "the payload of the prompt, which was changed",
        ),
        (
            "UPDATE payloads SET sealed = zeroblob(99) WHERE kind = 'answer'",
            "the payload of the answer, which was changed",
        ),
        (
            "UPDATE payloads SET sealed = zeroblob(99) WHERE kind = 'output'",
            "the payload of the output, which was changed",
        ),
        (
            "UPDATE artifacts SET content = replace(content, '0.01', '0.02') WHERE kind = 'policy'",
            "the policy, which was changed",
        ),
        ("UPDATE artifacts SET content = content || ' ' WHERE kind = 'calibration'", ""),
        (
            "UPDATE artifacts SET content = content || ' ' WHERE kind = 'index'",
            "the list of documents: sha256:",
        ),
        (
            "UPDATE artifacts SET content = replace(content, 'library', 'museum') \
          WHERE kind = 'index-page'",
            "the list of documents: sha256:",
        ),
        ("UPDATE versions SET text = replace(text, '2.40', '9.90')", "was changed"),
    ] {
        let writes = statement.contains("output");
        let house = if writes { House::with_model() } else { House::new() };
        let desk = one_answer(&house);
        house.change(statement);
        if blame.is_empty() {
            // The calibration that comes with the program is not read from the store.
            identical(&house.replay_all(&desk, Options::default(), None));
        } else {
            let told = blamed(&house, &desk);
            assert!(told.contains(blame), "{statement}: {told}");
        }
    }
}

#[test]
fn another_model_file_is_told_from_the_one_that_wrote() {
    let house = House::with_model();
    let desk = house.desk(Options::default());
    desk.chat(&chat(3), &mut |_| ControlFlow::Continue(())).unwrap();
    drop(desk);
    let path = house.model.clone().unwrap();
    let mut weights = std::fs::read(&path).unwrap();
    let last = weights.len() - 7;
    weights[last] ^= 1;
    std::fs::write(&path, weights).unwrap();
    let told = blamed(&house, &house.desk(Options::default()));
    assert!(
        told.starts_with("the model's weights: another file than the one that wrote"),
        "{told}"
    );
}

fn impossible(house: &House, desk: &Desk) -> String {
    let all = house.replay_all(desk, Options::default(), None);
    match all.as_slice() {
        [Replayed::Impossible(reason)] => reason.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_made_again_says_why() {
    let house = House::with_model();
    let desk = one_answer(&house);
    std::fs::remove_file(house.model.as_ref().unwrap()).unwrap();
    let reason = impossible(&house, &desk);
    assert!(reason.contains("is not here: give it with --model FILE"), "{reason}");
    for (statement, because) in [
        ("DELETE FROM artifacts WHERE kind = 'index-page'", "are not all kept here"),
        ("DELETE FROM artifacts WHERE kind = 'policy'", "is not in the store"),
        ("DELETE FROM payloads", "the prompt is not kept"),
    ] {
        let house = House::new();
        let desk = one_answer(&house);
        house.change(statement);
        let reason = impossible(&house, &desk);
        assert!(reason.contains(because), "{statement}: {reason}");
    }
}

fn bundle(desk: &Desk) -> String {
    let proof = desk.ledger().prove(0).unwrap();
    Bundle::write(desk.store().as_ref(), desk.ledger(), 0, proof).unwrap()
}

fn replay_bundle(text: &str, model: ModelChoice, scratch: &Path) -> Replayed {
    let bundle = Bundle::read(text, None).unwrap();
    let options = ReplayOptions {
        data: None,
        scratch: scratch.to_owned(),
        model,
        models: scratch.join("models"),
        adapters: scratch.join("adapters"),
    };
    let mut replayer = Replayer::new(Arc::clone(bundle.store()), options).unwrap();
    replayer.replay(&bundle.receipt).unwrap()
}

#[test]
fn a_bundle_is_enough_with_the_weights() {
    for house in [House::with_model(), House::new()] {
        let desk = one_answer(&house);
        let text = bundle(&desk);
        assert!(!text.contains("harbour"), "what the caller may not read is not in it");
        let scratch = tempfile::tempdir().unwrap();
        let replayed = replay_bundle(&text, house.choice(Options::default()), scratch.path());
        assert_eq!(replayed, Replayed::Identical);
    }
}

#[test]
fn a_bundle_that_was_changed_is_no_proof() {
    let house = House::new();
    let text = bundle(&one_answer(&house));
    for (from, to) in [
        ("\"outcome\\\":\\\"answered", "\"outcome\\\":\\\"refused."),
        ("CHF 2.40", "CHF 9.90"),
        ("Library rules", "Library pules"),
        ("minimum_confidence: 0.01", "minimum_confidence: 0.02"),
    ] {
        assert!(text.contains(from), "{from}");
        let changed = text.replace(from, to);
        let scratch = tempfile::tempdir().unwrap();
        let caught = match Bundle::read(&changed, None) {
            Err(error) => error.to_string(),
            Ok(_) => match replay_bundle(&changed, ModelChoice::default(), scratch.path()) {
                Replayed::Differs(difference) => difference.to_string(),
                other => panic!("{from}: {other:?}"),
            },
        };
        assert!(caught.contains("changed") || caught.contains("proves nothing"), "{caught}");
    }
    let other = House::new();
    let vkey = one_answer(&other).ledger().vkey();
    let error = Bundle::read(&text, Some(&vkey)).err().unwrap().to_string();
    assert!(error.contains("is of another log"), "{error}");
}
