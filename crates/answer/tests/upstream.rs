//! A model writes, here a stub behind the OpenAI chat API: what the documents support stays, the
//! rest is cut, and the receipt says which was which.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufReader, Write};
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
                let body = common::read_body(&mut BufReader::new(&stream));
                kept.lock().unwrap().push(serde_json::from_str(&body).unwrap());
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

/// Identifiers that are seeded into requests, each typed in ways that people and attackers use.
fn seeded(number: usize) -> (String, Vec<String>) {
    let plain = [
        "7569217076985",
        "CH9300762011623852957",
        "4111111111111111",
        "86095742719",
        "255081416802538",
        "RSSMRA85T10A562S",
        "T220001293",
        "anna.muster@example.ch",
        "+41446681800",
    ][number % 9];
    let spread = |mark: &str, every: usize| -> String {
        let letters: Vec<char> = plain.chars().collect();
        let groups: Vec<String> =
            letters.chunks(every).map(|group| group.iter().collect()).collect();
        groups.join(mark)
    };
    let entity =
        |text: &str| -> String { text.chars().map(|char| format!("&#{};", char as u32)).collect() };
    let wide = |text: &str| -> String {
        let wide = |char: char| match char.to_digit(10) {
            Some(digit) => char::from_u32(0xff10 + digit).unwrap(),
            None => char,
        };
        text.chars().map(wide).collect()
    };
    let is_mail = plain.contains('@');
    let typed = match (number / 9) % 7 {
        1 if !is_mail => spread(" ", 4),
        2 if !is_mail => spread("-", 3),
        3 => spread("\u{200b}", 2),
        4 => wide(plain),
        5 => entity(plain),
        6 if !is_mail => spread("\n", 4),
        _ => plain.to_owned(),
    };
    let typed = match plain.starts_with('+') && (number / 9) % 7 == 6 {
        true => plain.to_owned(),
        false => typed,
    };
    (typed.clone(), vec![plain.to_owned(), typed])
}

/// What a reader of the record would see: letters and digits only.
fn read_as(text: &str) -> String {
    text.chars().filter(|char| char.is_alphanumeric()).collect()
}

fn seed_requests(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let stub = Stub::saying("A stall costs CHF 35 a day [1].");
    let policy = format!(
        "model: m\nruntime: vllm\nupstream:\n  url: {}\nprivacy:\n  upstream: redact\n\
         retrieval:\n  minimum_confidence: 0.0\n",
        stub.url
    );
    let desk = desk(folder.path(), &policy).unwrap();
    let around = ["How much does a stall cost?", "I am writing about a stall:", "market stall"];
    for number in 0..count {
        let (typed, _) = seeded(number);
        let question = match number % 3 {
            0 => format!("{} {typed}", around[number % around.len()]),
            1 => format!("{typed}, how much does a stall cost?"),
            _ => format!("How much does a stall cost, ({typed})?"),
        };
        let reply = desk.ask(&ask(&question));
        assert!(reply.is_ok(), "{question:?}: {reply:?}");
    }
    let asked = stub.asked.lock().unwrap();
    assert!(asked.len() * 2 > count, "{} of {count} reached the upstream", asked.len());
    let sent: Vec<String> = asked.iter().map(Value::to_string).collect();
    for number in 0..count.min(63) {
        for secret in seeded(number).1 {
            for body in &sent {
                assert!(!body.contains(&secret), "{secret} in {body}");
                assert!(!read_as(body).contains(&read_as(&secret)), "{secret} in {body}");
            }
        }
    }
}

/// Ten thousand were run by hand with `ALLOD_SEEDED_REQUESTS=10000`.
#[test]
fn nothing_seeded_in_requests_reaches_the_upstream() {
    let count = std::env::var("ALLOD_SEEDED_REQUESTS").ok().and_then(|text| text.parse().ok());
    seed_requests(count.unwrap_or(126));
}

#[test]
fn a_pseudonym_is_mapped_back_in_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let stub = Stub::saying("A stall costs CHF 35 a day [1].");
    let policy = format!(
        "model: m\nruntime: vllm\nupstream:\n  url: {}\nprivacy:\n  upstream: pseudonymise\n\
         logging:\n  citations: optional\n",
        stub.url
    );
    let desk = desk(folder.path(), &policy).unwrap();
    let asked = "How much does a stall cost? AHV 756.9217.0769.85, again 7569217076985";
    desk.ask(&ask(asked)).unwrap();
    let sent = stub.asked.lock().unwrap()[0].to_string();
    assert!(!sent.contains("9217"), "{sent}");
    let marks: Vec<&str> = sent.split("[AHV:").skip(1).map(|rest| &rest[..8]).collect();
    assert_eq!(marks.len(), 2, "{sent}");
    assert_eq!(marks[0], marks[1], "the same value has the same pseudonym");
}

#[test]
fn what_the_policy_blocks_is_sent_nowhere_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let stub = Stub::saying("A stall costs CHF 35 a day [1].");
    let policy = format!(
        "model: m\nruntime: vllm\nupstream:\n  url: {}\nprivacy:\n  upstream: block\n  \
         kinds: [ahv]\n",
        stub.url
    );
    let desk = desk(folder.path(), &policy).unwrap();
    let error = desk.ask(&ask("How much does a stall cost? 756.9217.0769.85")).unwrap_err();
    assert!(matches!(error, Error::Private(_)) && error.to_string().contains("ahv"), "{error}");
    assert!(!error.to_string().contains("9217"));
    assert!(stub.asked.lock().unwrap().is_empty());
    assert!(desk.ask(&ask("How much does a stall cost?")).is_ok());
}
