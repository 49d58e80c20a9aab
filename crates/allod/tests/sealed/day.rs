//! A day's work, one thing after the other, as a person and a program would do it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bytes;
use crate::common::{self, Server, samples, told};
use crate::tiny;
use crate::trap::HOST;

/// Every file of the console, and what it and others read.
const PAGES: [&str; 30] = [
    "/",
    "/style.css",
    "/icon.svg",
    "/app.js",
    "/api.js",
    "/ask.js",
    "/audit.js",
    "/dom.js",
    "/documents.js",
    "/feedback.js",
    "/parts.js",
    "/receipts.js",
    "/reviews.js",
    "/source.js",
    "/verify.js",
    "/words.js",
    "/healthz",
    "/api/status",
    "/api/documents",
    "/api/history",
    "/api/receipts",
    "/api/receipts/0",
    "/api/receipts/0/verify",
    "/api/receipts/0/proof",
    "/api/receipts/export",
    "/api/ledger/verify",
    "/api/reviews",
    "/ledger/checkpoint",
    "/metrics",
    "/v1/models",
];
const QUESTIONS: [&str; 5] = [
    "Wie viel kostet ein 35-Liter-Kehrichtsack?",
    "When is the waste collection centre open?",
    "Quels sont les horaires du guichet ?",
    "What is the capital of Mongolia?",
    "I want to speak to a person.",
];
const POLICY: &str = "name: day\nretrieval: {minimum_confidence: 0.01}\nrouting: {escalate_on: \
                      [user_request]}\nlogging:\n  prompts: retained\n  citations: optional\n";

/// The program, with a data folder, where the environment asks it to use the trap for everything.
pub fn allod(data: &Path) -> Command {
    let mut command = common::allod(data);
    let proxy = format!("http://{HOST}:3128");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
    {
        command.env(name, &proxy);
    }
    command.env("HF_ENDPOINT", format!("http://{HOST}")).env("HF_HUB_ENABLE_HF_TRANSFER", "1");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{HOST}:4318"));
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    command
}

/// Does what is asked; the exit code must be one of these.
fn done(data: &Path, words: &[&str], codes: &[i32]) -> String {
    let output = allod(data).args(words).output().unwrap();
    let code = output.status.code();
    assert!(code.is_some_and(|code| codes.contains(&code)), "{words:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The whole day; gives how many commands and requests it had.
pub fn live(folder: &Path) -> usize {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("allod.yaml"), POLICY).unwrap();
    let model = folder.join("tiny.gguf");
    std::fs::write(&model, bytes::model().build()).unwrap();
    let embedder = folder.join("embedder");
    tiny::write_embedder(&embedder);
    let mut count = prepare(&data, &model);
    let mut serve = allod(&data);
    serve.args(["serve", "--sealed", "--listen", "127.0.0.1:0", "--context-tokens", "4000"]);
    let server = Server::start(serve.args(["--model", "tiny", "--embedder"]).arg(&embedder));
    count += use_server(&data, &server);
    drop(server);
    count + look_back(&data, folder) + measure(&data, folder)
}

/// Documents, a model, keys.
fn prepare(data: &Path, model: &Path) -> usize {
    let samples = samples();
    let all: [&[&str]; 9] = [
        &["doctor"],
        &["model", "import", text(model)],
        &["model", "list"],
        &["model", "inspect", "tiny", "--verify"],
        &["ingest", text(&samples)],
        &["ingest", text(&samples)],
        &["key", "create", "--name", "a program"],
        &["policy", "check"],
        &["policy", "explain", QUESTIONS[0]],
    ];
    all.iter().for_each(|words| drop(done(data, words, &[0, 1])));
    all.len()
}

/// What people, the console and programs ask of the server, and documents taken in meanwhile.
fn use_server(data: &Path, server: &Server) -> usize {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
    let agent = config.timeout_global(Some(Duration::from_secs(60))).build().new_agent();
    let address = &server.address;
    let post = |path: &str, body: &Value| {
        let mut response = agent.post(format!("http://{address}{path}")).send_json(body).unwrap();
        let said = response.body_mut().read_to_string().unwrap();
        assert_eq!(response.status(), 200, "{path} {body}: {said}");
        said
    };
    for question in QUESTIONS {
        post("/api/ask", &json!({"question": question}));
    }
    let requests = requests();
    requests.iter().for_each(|(path, body)| drop(post(path, body)));
    done(data, &["ingest", text(&samples())], &[0]);
    let feedback = json!({"verdict": "up", "reason": "as it is"});
    post("/api/receipts/0/feedback", &feedback);
    for page in PAGES {
        let mut response = agent.get(format!("http://{address}{page}")).call().unwrap();
        let said = response.body_mut().read_to_string().unwrap();
        assert_eq!(response.status(), 200, "{page}: {said}");
    }
    let reviews = agent.get(format!("http://{address}/api/reviews")).call();
    let reviews: Value = reviews.unwrap().body_mut().read_json().unwrap();
    let waits = reviews.to_string();
    assert!(waits.contains("speak to a person"), "the wish for a person waits: {waits}");
    QUESTIONS.len() + requests.len() + PAGES.len() + 3
}

/// Requests to the model, to a model that reads, and for work.
fn requests() -> Vec<(&'static str, Value)> {
    let messages = json!([{"role": "user", "content": "ab"}]);
    let chat = |more: Value| {
        let mut body = json!({"model": "tiny", "messages": messages, "max_tokens": 6});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("/v1/chat/completions", body)
    };
    vec![
        chat(json!({})),
        chat(json!({"stream": true, "seed": 1})),
        chat(json!({"n": 2, "temperature": 1, "seed": 2})),
        ("/v1/completions", json!({"model": "tiny", "prompt": "ab", "max_tokens": 6})),
        ("/v1/messages", json!({"model": "tiny", "messages": messages, "max_tokens": 6})),
        ("/v1/responses", json!({"model": "tiny", "input": "ab", "max_output_tokens": 16})),
        ("/v1/embeddings", json!({"model": "embedder", "input": ["ab", "a"]})),
        ("/tokenize", json!({"model": "tiny", "prompt": "ab"})),
    ]
}

/// What an auditor does afterwards.
fn look_back(data: &Path, folder: &Path) -> usize {
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (bundle, erasures) = (file("bundle"), file("erasures"));
    let all: [&[&str]; 16] = [
        &["ledger", "verify"],
        &["ledger", "show", "0", "--payload"],
        &["ledger", "prove", "0"],
        &["replay", "--all"],
        &["policy", "replay"],
        &["export", "receipt", "0", "--bundle", &bundle],
        &["replay", "--bundle", &bundle],
        &["export", "feedback"],
        &["export", "subject", "operator"],
        &["review", "list"],
        &["search", "Kehrichtsack"],
        &["ask", QUESTIONS[0]],
        &["generate", "--model", "tiny", "--prompt", "ab", "--max-tokens", "4"],
        &["ledger", "erase", "--subject", "operator"],
        &["ledger", "erasures", "--export", &erasures],
        &["ledger", "erase", "--again", &erasures],
    ];
    all.iter().for_each(|words| drop(done(data, words, &[0, 3])));
    all.len()
}

/// Training and measuring.
fn measure(data: &Path, folder: &Path) -> usize {
    let (acts, squad) = (acts(folder), squad(folder));
    let table = folder.join("table.bin");
    let (embedder, lines) = (folder.join("embedder"), folder.join("lines"));
    std::fs::write(&lines, "ab\na\n").unwrap();
    let all: [&[&str]; 9] = [
        &["tune", "embed", "--data", text(&acts), "--out", text(&table), "--steps", "3"],
        &["eval", "qa", "--squad", text(&squad)],
        &["eval", "privacy", "--times", "1"],
        &["eval", "citations", "--most", "3"],
        &["eval", "injection", "--rounds", "1"],
        &["bench", "--model", "tiny", "--prompt", "8", "--generate", "4", "--in-cell"],
        &["embed", "--model", text(&embedder), "--input", text(&lines)],
        &["tokenize", "--model", "tiny", "ab"],
        &["demo", "--once"],
    ];
    all.iter().for_each(|words| drop(done(data, words, &[0])));
    all.len()
}

/// Small acts in two languages, in the layout that `tune embed` reads.
fn acts(folder: &Path) -> PathBuf {
    let acts = folder.join("acts");
    std::fs::create_dir_all(&acts).unwrap();
    for (language, words) in [
        ("de", ["Wasser", "Strasse", "Schule", "Wald"]),
        ("fr", ["eau", "route", "école", "forêt"]),
    ] {
        let mut lines = String::new();
        for act in 0..10 {
            let mut text = String::new();
            for (at, word) in words.iter().enumerate() {
                let other = words[(at + act + 1) % words.len()];
                write!(text, "Art. {at} {word}\n\n1 {word} {other} {act} {word}\n\n").unwrap();
            }
            let line = json!({"id": format!("swiss:{act}:{language}"), "source": "test",
                "license": "public domain", "title": format!("{language} {act}"), "text": text});
            writeln!(lines, "{line}").unwrap();
        }
        std::fs::write(acts.join(format!("{language}.train.jsonl")), lines).unwrap();
    }
    acts
}

/// A question with its answer, in the layout of SQuAD.
fn squad(folder: &Path) -> PathBuf {
    let context = "The library is open on Saturday from nine to twelve.";
    let answer = json!({"text": "from nine to twelve", "answer_start": 32});
    let question = json!({"id": "1", "question": "When is the library open on Saturday?",
        "answers": [answer], "is_impossible": false});
    let paragraph = json!({"context": context, "qas": [question]});
    let article = json!({"title": "Library", "paragraphs": [paragraph]});
    let path = folder.join("squad.json");
    std::fs::write(&path, json!({"version": "2.0", "data": [article]}).to_string()).unwrap();
    path
}
