//! A model writes, here a stub behind the OpenAI chat API: what the documents support stays, the
//! rest is cut, and the receipt says which was which.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use allod_answer::{Ask, Caller, Desk, DeskOptions, Error, Mode, Outcome};
use allod_ledger::receipt::Verdict;
use allod_retrieval::{Clearance, IngestOptions, Silent};
use serde_json::{Value, json};

/// A server that answers every chat completion with `text` and keeps what it was asked.
struct Stub {
    url: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Stub {
    fn saying(text: &str) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (text, kept) = (text.to_owned(), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                kept.lock().unwrap().push(read_request(&mut BufReader::new(&stream)));
                let body = json!({
                    "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 11, "completion_tokens": 7},
                })
                .to_string();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
                write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
            }
        });
        Stub { url, asked }
    }
}

fn read_request(reader: &mut impl BufRead) -> Value {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn desk(folder: &Path, policy: &str) -> Result<Desk, Error> {
    let documents = folder.join("documents");
    std::fs::create_dir_all(&documents).unwrap();
    let text = "---\nlanguage: en\n---\n\n# Market rules\n\n## Article 1 Stalls\n\nA stall costs \
        CHF 35 \
                a day.\n\n## Article 2 Opening\n\nThe market opens at seven in the morning on \
                Saturdays.\n";
    std::fs::write(documents.join("market.md"), text).unwrap();
    std::fs::write(folder.join("allod.yaml"), policy).unwrap();
    let desk = Desk::open(folder, &DeskOptions::default())?;
    desk.library().ingest(&[documents], &IngestOptions::default(), &Silent).unwrap();
    Ok(desk)
}

fn with_stub(folder: &Path, stub: &Stub) -> Desk {
    let policy = format!("model: m\nruntime: vllm\nupstream:\n  url: {}\n", stub.url);
    desk(folder, &policy).unwrap()
}

fn ask(question: &str) -> Ask {
    Ask {
        question: question.into(),
        caller: Caller::operator(Clearance::default()),
        on: None,
        language: None,
    }
}

#[test]
fn sentences_that_the_evidence_does_not_support_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let stub = Stub::saying(
        "A stall costs CHF 35 a day [1]. A stall costs CHF 53 a day [1]. Dogs may enter for free.",
    );
    let desk = with_stub(folder.path(), &stub);
    let reply = desk.ask(&ask("How much does a stall cost?")).unwrap();
    assert_eq!(reply.outcome, Outcome::Answered, "{reply:?}");
    assert_eq!(reply.mode, Mode::Upstream);
    assert_eq!(reply.answer, "A stall costs CHF 35 a day. [1]");
    assert_eq!(reply.citations.len(), 1);
    assert_eq!(reply.citations[0].quote, "A stall costs CHF 35 a day.");
    assert_eq!((reply.tokens.prompt, reply.tokens.completion), (11, 7));

    let receipt = desk.ledger().read(reply.receipt.index).unwrap();
    let verdicts: Vec<Verdict> = receipt.checks.iter().map(|check| check.verdict).collect();
    assert_eq!(verdicts[0], Verdict::Supported);
    assert_ne!(verdicts[1], Verdict::Supported);
    assert_eq!(verdicts[2], Verdict::Unsupported);
    assert_eq!(receipt.model.unwrap().name, "m");

    let asked = stub.asked.lock().unwrap();
    let prompt = asked[0]["messages"][1]["content"].as_str().unwrap();
    assert!(prompt.contains("How much does a stall cost?") && prompt.contains("[1] Market rules"));
}

#[test]
fn nothing_supported_is_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let stub = Stub::saying("A stall costs CHF 99 a day [1].");
    let desk = with_stub(folder.path(), &stub);
    let reply = desk.ask(&ask("How much does a stall cost?")).unwrap();
    assert_eq!(reply.outcome, Outcome::Refused, "{reply:?}");
    assert!(reply.citations.is_empty() && !reply.answer.contains("99"), "{reply:?}");
    let receipt = desk.ledger().read(reply.receipt.index).unwrap();
    assert_eq!(receipt.checks.len(), 1);
}

#[test]
fn an_upstream_that_fails_answers_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "model: m\nruntime: vllm\nupstream:\n  url: http://127.0.0.1:9/v1\n";
    let desk = desk(folder.path(), policy).unwrap();
    let error = desk.ask(&ask("How much does a stall cost?")).unwrap_err();
    assert!(matches!(error, Error::Upstream { .. }), "{error}");
}

#[test]
fn prompts_do_not_leave_the_region() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "model: m\nruntime: vllm\nregion: ch\nupstream:\n  url: https://llm.example/v1\n  \
                  region: us\nlogging:\n  prompts: retained_in_region\n";
    let Err(error) = desk(folder.path(), policy) else { panic!("the desk opened") };
    let said = error.to_string();
    assert!(said.contains("us") && said.contains("ch"), "{said}");
}
