//! A server on a free loopback port with a few small documents, and a client to ask it.
#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod adapter;
pub mod browser;
#[path = "../../../engine/tests/common/mod.rs"]
mod bytes;
mod ranker;
#[path = "../../../allod/tests/common/tiny.rs"]
mod tiny;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use allod_answer::{Desk, DeskOptions, ModelChoice};
use allod_engine::Options;
use allod_retrieval::{IngestOptions, Silent};
use allod_server::{Error, ServeOptions, serve_until};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const WASTE_QUESTION: &str = "Wie viel kostet ein 35-Liter-Kehrichtsack?";
pub const LIBRARY_QUESTION: &str = "When is the library open on Saturday?";
pub const SECRET_QUESTION: &str = "What is the salary of the harbour master?";

const DOCUMENTS: [(&str, &str); 4] = [
    (
        "abfall.md",
        "---\ntitle: Abfallreglement\nlanguage: de\nvalid_from: 2019-01-01\n---\n\
         # Abfallreglement\n\n## Art. 1 Zweck\n\n1 Dieses Reglement ordnet die Entsorgung der \
         Siedlungsabfälle in der Gemeinde.\n\n## Art. 2 Kehrichtsäcke\n\n1 Kehricht gehört in \
         gebührenpflichtige Säcke.\n\n2 Ein 35-Liter-Kehrichtsack kostet CHF 2.40.\n\n\
         ## Art. 3 Sperrgut\n\n1 Sperrgut wird am ersten Donnerstag des Monats abgeholt.\n",
    ),
    (
        "library.md",
        "---\ntitle: Library rules\nlanguage: en\n---\n# Library rules\n\n## Opening hours\n\n\
         The library is open on Saturday from 09:00 to 12:00. It is closed on Sunday.\n\n\
         ## Fees\n\nA library card costs CHF 20 a year.\n",
    ),
    (
        "harbour.md",
        "---\ntitle: Harbour salaries\nlanguage: en\nlabel: confidential\n---\n\
         # Harbour salaries\n\nThe salary of the harbour master is CHF 123456 a year.\n",
    ),
    ("map.pdf", "%PDF-1.4 not readable here"),
];

/// Models under `folder`: `writer.gguf`, `embedder`, `ranker`.
fn tiny_models(folder: &Path) -> DeskOptions {
    let (embedder, ranker) = (folder.join("embedder"), folder.join("ranker"));
    tiny::write_embedder(&embedder);
    ranker::write_folder(&ranker);
    let model = ModelChoice {
        path: Some(tiny::write_gguf(folder)),
        threads: Some(1),
        ..ModelChoice::default()
    };
    DeskOptions {
        model,
        embedder: Some(embedder),
        reranker: Some(ranker),
        ..DeskOptions::default()
    }
}

/// A data folder with documents in it.
pub struct House {
    folder: TempDir,
    pub desk: Arc<Desk>,
}

impl House {
    pub fn new() -> House {
        House::with_policy(None)
    }

    /// A house with a model that writes, one for vectors and one that ranks, all of them tiny.
    pub fn with_models() -> House {
        let models = tempfile::tempdir().unwrap();
        let options = tiny_models(models.path());
        House::open(None, options)
    }

    /// A house with the same models and this policy.
    pub fn with_models_and_policy(policy: &str) -> House {
        let models = tempfile::tempdir().unwrap();
        let options = tiny_models(models.path());
        House::open(Some(policy), options)
    }

    /// A house whose model runs like this.
    pub fn with_engine(engine: Options) -> House {
        let models = tempfile::tempdir().unwrap();
        let mut options = tiny_models(models.path());
        options.model.engine = engine;
        House::open(None, options)
    }

    /// A house whose writer knows every byte and some more tokens, and has this chat template.
    pub fn with_writer(template: &str, specials: &[&str], added: &[&str]) -> House {
        let models = tempfile::tempdir().unwrap();
        let path = models.path().join("writer.gguf");
        std::fs::write(&path, bytes::model_with(template, specials, added).build()).unwrap();
        let engine = Options { context_tokens: Some(4_000), ..Options::default() };
        let model =
            ModelChoice { path: Some(path), threads: Some(1), engine, ..ModelChoice::default() };
        House::open(None, DeskOptions { model, ..DeskOptions::default() })
    }

    pub fn with_policy(policy: Option<&str>) -> House {
        House::open(policy, DeskOptions::default())
    }

    fn open(policy: Option<&str>, options: DeskOptions) -> House {
        let folder = tempfile::tempdir().unwrap();
        let sources = folder.path().join("sources");
        std::fs::create_dir(&sources).unwrap();
        for (name, text) in DOCUMENTS {
            std::fs::write(sources.join(name), text).unwrap();
        }
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if let Some(policy) = policy {
            std::fs::write(data.join("allod.yaml"), policy).unwrap();
        }
        let desk = Desk::open(&data, &options).unwrap();
        desk.library().ingest(&[sources], &IngestOptions::default(), &Silent).unwrap();
        House { folder, desk: Arc::new(desk) }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn key(&self, tenant: &str, labels: &[&str], role: &str) -> String {
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        self.desk.store().create_key("test", tenant, &labels, role).unwrap().1
    }

    pub fn digest_of(&self, end: &str) -> String {
        let rows = self.desk.store().documents().unwrap();
        let row = rows.into_iter().find(|row| row.path.ends_with(end)).unwrap();
        row.digest.unwrap()
    }

    pub fn serve(&self) -> Server {
        self.serve_with(ServeOptions::default())
    }

    pub fn serve_with(&self, options: ServeOptions) -> Server {
        self.serve_at(ServeOptions { listen: "127.0.0.1:0".parse().unwrap(), ..options })
    }

    /// Serves where the options say.
    pub fn serve_at(&self, options: ServeOptions) -> Server {
        let desk = Arc::clone(&self.desk);
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let ready = move |address| tell.send(address).unwrap();
            serve_until(desk, options, ready, async move { drop(stopped.await) })
        });
        let address = told.recv_timeout(Duration::from_secs(20)).unwrap();
        Server { address, stop: Some(stop), thread: Some(thread) }
    }
}

/// A running server; stopped when dropped.
pub struct Server {
    pub address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Server {
    pub fn begin_to_stop(&mut self) {
        drop(self.stop.take());
    }

    pub fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }

    pub fn client(&self) -> Client {
        Client { base: format!("http://{}", self.address), key: None }
    }

    pub fn client_with(&self, key: &str) -> Client {
        Client { key: Some(key.to_owned()), ..self.client() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.begin_to_stop();
        if let Some(thread) = self.thread.take() {
            // A test that failed must not hide behind another failure here.
            drop(thread.join());
        }
    }
}

/// Asks a server, with or without a key.
#[derive(Clone)]
pub struct Client {
    base: String,
    key: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn error_code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().get(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.call().unwrap())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &body.to_string(), &[("Content-Type", "application/json")])
    }

    pub fn post_with(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().post(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send(body).unwrap())
    }

    pub fn ask(&self, question: &str) -> Value {
        let answer = self.post("/api/ask", &json!({"question": question}));
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(60)));
    config.build().new_agent()
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| {
        (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned())
    });
    let (status, headers) = (response.status().as_u16(), headers.collect());
    let bytes = response.body_mut().read_to_vec().unwrap();
    Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

/// The events of a stream: the data of each.
pub fn events(text: &str) -> Vec<String> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    let data = blocks.filter_map(|block| block.strip_prefix("data: "));
    data.map(str::to_owned).collect()
}

/// The events of a stream whose events bear names: the name and the data of each.
pub fn named_events(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {name} in {block}"))
    };
    let event = |block: &str| {
        let data = serde_json::from_str(&field(block, "data: ")).unwrap();
        (field(block, "event: "), data)
    };
    // A comment keeps a slow stream open.
    blocks.filter(|block| !block.starts_with(':')).map(event).collect()
}
