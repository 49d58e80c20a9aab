//! Escalated questions on their way to an approved server, here a stub: what is sent, tried again,
//! counted and held back, and that every decision follows again from its receipt.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use allod_answer::{
    Ask, Caller, Deriver, Desk, DeskOptions, Error, GoesOn, Mode, Outcome, Rederived, Reply,
};
use allod_policy::{AttemptEnd, Facts, Policy, RouteFacts};
use allod_retrieval::{Clearance, IngestOptions, Silent};
use serde_json::json;

/// Asks for reasoning over several rules.
const COMPLEX: &str = "What is the difference between the price of a stall on Saturday and the \
                       price of a stall on Sunday?";

/// A server that gives these responses in turn, and then the last for ever.
struct Stub {
    url: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

const ANSWER: &str =
    "A stall costs CHF 35 a day [1]. The price of a stall on Sunday is CHF 40 [1].";

fn response(status: &str, headers: &str, text: &str) -> String {
    let body = json!({
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
    })
    .to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn stub(responses: &[String]) -> Stub {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let (kept, responses) = (Arc::clone(&bodies), responses.to_vec());
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            kept.lock().unwrap().push(common::read_body(&mut BufReader::new(&stream)));
            let response = responses.get(number).or(responses.last()).unwrap();
            stream.write_all(response.as_bytes()).unwrap();
        }
    });
    Stub { url, bodies }
}

/// A policy whose complex questions go to a server, with more keys of it.
fn policy(url: &str, more: &str) -> String {
    format!(
        "retrieval: {{minimum_confidence: 0.01}}\nrouting:\n  escalate_on: [complex_reasoning]\n  \
         escalate_to: {{complex_reasoning: strong}}\nupstreams:\n  - name: strong\n    url: \
         {url}\n    model: big\n{more}"
    )
}

fn open(folder: &Path, policy: &str) -> Desk {
    let documents = folder.join("documents");
    let is_new = !documents.exists();
    std::fs::create_dir_all(&documents).unwrap();
    let text = "---\nlanguage: en\n---\n\n# Market rules\n\n## Article 1 Stalls\n\nA stall costs \
                CHF 35 a day.\n\n## Article 2 Price of a stall\n\nThe price of a stall on Sunday \
                is CHF 40.\n";
    std::fs::write(documents.join("market.md"), text).unwrap();
    std::fs::write(folder.join("allod.yaml"), policy).unwrap();
    let desk = Desk::open(folder, &DeskOptions::default()).unwrap();
    if is_new {
        desk.library().ingest(&[documents], &IngestOptions::default(), &Silent).unwrap();
    }
    desk
}

fn ask(desk: &Desk, question: &str) -> (Reply, RouteFacts) {
    let caller = Caller::operator(Clearance::default());
    let ask = Ask { question: question.into(), caller, on: None, language: None };
    let reply = desk.ask(&ask).unwrap();
    let receipt = desk.ledger().read(reply.receipt.index).unwrap();
    let mut deriver = Deriver::new(Arc::clone(desk.store()));
    assert_eq!(deriver.rederive(&receipt).unwrap(), Rederived::Same, "{reply:?}");
    let facts: Facts = serde_json::from_value(receipt.facts).unwrap();
    (reply, facts.route.unwrap_or_default())
}

fn rules(reply: &Reply) -> Vec<&str> {
    reply.rules.iter().map(|rule| rule.id.as_str()).collect()
}

#[test]
fn a_complex_question_is_answered_by_the_server_and_the_receipt_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let stub = stub(&[response("200 OK", "", ANSWER)]);
    let prices = "    budget:\n      cost_per_million_prompt_tokens: 500\n      \
                  cost_per_million_completion_tokens: 1500\n";
    let desk = open(folder.path(), &policy(&stub.url, prices));
    let question = format!("{COMPLEX} My AHV number is 756.9217.0769.85.");
    let (reply, route) = ask(&desk, &question);
    assert_eq!((reply.outcome, reply.mode), (Outcome::Answered, Mode::Upstream), "{reply:?}");
    assert!(reply.answer.contains("CHF") && !reply.citations.is_empty(), "{reply:?}");
    assert_eq!(route.hidden["ahv"], 1);
    assert_eq!((route.prompt_tokens, route.completion_tokens), (1000, 100));
    assert_eq!(route.cost, 650_000, "0.5 and 0.15 of the currency");
    assert_eq!(rules(&reply), ["routing.complex_reasoning"]);
    let receipt = desk.ledger().read(reply.receipt.index).unwrap();
    assert_eq!(receipt.model.unwrap().name, "big");
    assert!(!stub.bodies.lock().unwrap()[0].contains("9217"));
}

#[test]
fn a_server_that_turns_away_is_asked_again_and_one_that_failed_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let busy = response("429 Too Many Requests", "Retry-After: 0\r\n", "");
    let broken = response("500 Internal Server Error", "", "");
    let stub = stub(&[busy, response("200 OK", "", ANSWER), broken]);
    let desk = open(folder.path(), &policy(&stub.url, ""));
    let (reply, route) = ask(&desk, COMPLEX);
    assert_eq!(reply.outcome, Outcome::Answered, "{reply:?}");
    let ends: Vec<AttemptEnd> = route.attempts.iter().map(|attempt| attempt.end).collect();
    assert_eq!(ends, [AttemptEnd::TurnedAway, AttemptEnd::Answered]);
    assert!(route.attempts[1].waited_ms >= 125, "{route:?}");
    let (reply, route) = ask(&desk, COMPLEX);
    assert_eq!(reply.outcome, Outcome::Escalated);
    assert!(rules(&reply).contains(&"upstreams.failed") && reply.review.is_some(), "{reply:?}");
    assert_eq!(route.attempts.len(), 1);
    assert_eq!(stub.bodies.lock().unwrap().len(), 3);
}

#[test]
fn the_budget_of_a_day_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let stub = stub(&[response("200 OK", "", ANSWER)]);
    let policy = policy(&stub.url, "    budget: {tokens_per_day: 1500}\n");
    let (reply, route) = ask(&open(folder.path(), &policy), COMPLEX);
    assert_eq!((reply.outcome, route.spent_tokens), (Outcome::Answered, 0), "{reply:?}");
    // 1100 of 1500 are spent, and an answer alone may take 512.
    let (reply, route) = ask(&open(folder.path(), &policy), COMPLEX);
    assert_eq!((reply.outcome, route.spent_tokens), (Outcome::Escalated, 1100), "{route:?}");
    assert!(rules(&reply).contains(&"upstreams.budget"), "{reply:?}");
    assert_eq!(stub.bodies.lock().unwrap().len(), 1);
}

#[test]
fn a_server_that_is_not_there_is_left_alone_and_what_it_may_not_see_stays_here() {
    let folder = tempfile::tempdir().unwrap();
    let more = "    retries: 0\n    breaker: {failures: 1, pause_ms: 60000}\n    privacy: \
                block\nprivacy: {kinds: [ahv, iban]}\n";
    let desk = open(folder.path(), &policy("http://127.0.0.1:9/v1", more));
    let (reply, _) = ask(&desk, &format!("{COMPLEX} CH93 0076 2011 6238 5295 7"));
    assert!(rules(&reply).contains(&"upstreams.personal_data"), "{reply:?}");
    let (reply, route) = ask(&desk, COMPLEX);
    assert!(rules(&reply).contains(&"upstreams.failed"), "{reply:?}");
    assert_eq!(route.attempts[0].end, AttemptEnd::NoConnection);
    let (reply, route) = ask(&desk, COMPLEX);
    assert!(rules(&reply).contains(&"upstreams.breaker") && route.breaker_open, "{reply:?}");
    assert!(route.attempts.is_empty());
}

#[test]
fn what_the_documents_do_not_support_goes_to_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let stub = stub(&[response("200 OK", "", "Dogs pay CHF 900 [1].")]);
    let desk = open(folder.path(), &policy(&stub.url, ""));
    let (reply, _) = ask(&desk, COMPLEX);
    assert_eq!(reply.outcome, Outcome::Escalated, "{reply:?}");
    assert!(rules(&reply).contains(&"upstreams.unsupported") && !reply.answer.contains("900"));
}

/// A new policy is held against recorded requests that went to a server.
#[test]
fn another_policy_says_where_recorded_requests_would_go() {
    let folder = tempfile::tempdir().unwrap();
    let stub = stub(&[response("200 OK", "", ANSWER)]);
    let text = policy(&stub.url, "");
    let desk = open(folder.path(), &text);
    let (sent, _) = ask(&desk, COMPLEX);
    let queued =
        open(folder.path(), &text.replace("  escalate_to: {complex_reasoning: strong}\n", ""));
    let (kept, _) = ask(&queued, COMPLEX);
    let plain = ask(&queued, "How much does a stall cost?").0;
    assert_eq!((sent.outcome, kept.outcome), (Outcome::Answered, Outcome::Escalated));
    let mut deriver = Deriver::new(Arc::clone(queued.store()));
    let mut under = |policy: &str, reply: &Reply| {
        let policy = Policy::parse(policy).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let receipt = queued.ledger().read(reply.receipt.index).unwrap();
        let under = {
            let recalled = deriver.recall(&receipt).unwrap().unwrap();
            deriver.under(&policy, &receipt, &recalled)
        };
        (under.brief.outcome, under.goes_on)
    };
    let to = |name: &str| Some(GoesOn::Upstream(name.to_owned()));
    // Under the policy that sent it, it ended as it did; one that was queued would be sent.
    assert_eq!(under(&text, &sent), ("answered", None));
    assert_eq!(under(&text, &kept).1, to("strong"));
    assert_eq!(under(&text, &plain), ("answered", None));
    // Another server, a class of data that may not go there, a budget, no routing.
    let other = text.replace("strong", "other");
    assert_eq!(under(&other, &sent).1, to("other"));
    let nowhere = text.replace("  escalate_to: {complex_reasoning: strong}\n", "");
    assert_eq!(under(&nowhere, &sent), ("escalated", None));
    let never = text.replace("complex_reasoning", "user_request");
    assert_eq!(under(&never, &kept), ("answered", None), "what would be quoted is recorded");
    let reviewed = format!("{text}logging: {{human_review: required_for_all}}\n");
    assert_eq!(under(&reviewed, &sent), ("human_review", None));
    let own = "rules: [{id: stalls, when: {contains_any: [stall]}, then: escalate, because: b}]\n";
    assert_eq!(under(&format!("{text}{own}"), &sent), ("escalated", None), "a reason of its own");
    let poor = format!("{text}    budget: {{tokens_per_day: 10}}\n");
    assert_eq!(under(&poor, &sent), ("escalated", None), "what it took is recorded");
}

/// What the server of the model took is in the receipts, so its budget survives a restart.
#[test]
fn the_budget_of_the_server_of_the_model_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let stub = stub(&[response("200 OK", "", "A stall costs CHF 35 a day [1].")]);
    let text = format!(
        "model: m\nruntime: vllm\nupstream:\n  url: {}\n  budget: {{tokens_per_day: 1500}}\n",
        stub.url
    );
    let question = "How much does a stall cost?";
    let (reply, _) = ask(&open(folder.path(), &text), question);
    assert_eq!((reply.outcome, reply.mode), (Outcome::Answered, Mode::Upstream), "{reply:?}");
    let desk = open(folder.path(), &text);
    let receipt = desk.ledger().read(reply.receipt.index).unwrap();
    let facts: Facts = serde_json::from_value(receipt.facts).unwrap();
    let server = facts.server.unwrap();
    assert_eq!((server.upstream.as_str(), server.completion_tokens), ("upstream", 100));
    let caller = Caller::operator(Clearance::default());
    let asked = Ask { question: question.into(), caller, on: None, language: None };
    let error = desk.ask(&asked).unwrap_err();
    assert!(matches!(error, Error::Held { .. }), "{error}");
    assert_eq!(stub.bodies.lock().unwrap().len(), 1);
}
