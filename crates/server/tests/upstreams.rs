//! Turns of a chat on their way to the servers that the policy names: what goes there, what comes
//! back, what keeps a turn with a person, and what is counted.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;
#[path = "common/stub.rs"]
mod stub;

use std::sync::Arc;
use std::time::Duration;

use allod_answer::{Deriver, Rederived};
use allod_policy::{AttemptEnd, Facts, RouteFacts};
use common::{Client, House, events};
use serde_json::{Value, json};
use stub::{Act, Stub, responds, says};

/// Asks for reasoning, and for nothing that only documents may answer.
const COMPLEX: &str = "Please compare a cat with a dog step by step.";

/// A policy whose complex questions go to a server, with more keys of it and of its own.
fn policy(url: &str, more: &str, own: &str) -> String {
    format!(
        "retrieval: {{required_for_policy_answers: false}}\nlogging: {{citations: optional}}\n\
         routing:\n  escalate_on: [complex_reasoning, user_request]\n  \
         escalate_to: {{complex_reasoning: strong}}\n{own}upstreams:\n  - name: strong\n    \
         url: {url}\n    model: big\n    retries: 1\n{more}"
    )
}

fn chat(client: &Client, text: &str) -> Value {
    let body = json!({"model": "tiny", "max_tokens": 6,
        "messages": [{"role": "user", "content": text}]});
    let answer = client.post("/v1/chat/completions", &body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn content(reply: &Value) -> &str {
    reply["choices"][0]["message"]["content"].as_str().unwrap()
}

/// The rules and the route of a reply's receipt, which must follow from its facts again.
fn recorded(house: &House, reply: &Value) -> (Vec<String>, Option<RouteFacts>) {
    let index = reply["allod"]["receipt"]["index"].as_u64().unwrap();
    let receipt = house.desk.ledger().read(index).unwrap();
    let mut deriver = Deriver::new(Arc::clone(house.desk.store()));
    assert_eq!(deriver.rederive(&receipt).unwrap(), Rederived::Same, "{receipt:?}");
    let rules = receipt.rules.iter().map(|rule| rule.id.clone()).collect();
    let facts: Facts = serde_json::from_value(receipt.facts).unwrap();
    (rules, facts.route)
}

fn line(page: &str, name: &str) -> f64 {
    let found = page.lines().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name} in {page}")).trim().parse().unwrap()
}

#[test]
fn a_turn_that_needs_reasoning_is_answered_by_the_upstream() {
    let stub = Stub::doing(&[says("Cats purr.")]);
    let prices = "    budget: {cost_per_million_prompt_tokens: 500, \
                  cost_per_million_completion_tokens: 1500, currency: CHF}\n";
    let house = House::with_models_and_policy(&policy(&stub.url, prices, ""));
    let server = house.serve();
    let client = server.client();
    let reply = chat(&client, &format!("{COMPLEX} AHV 756.9217.0769.85, 4111 1111 1111 1111."));
    assert_eq!(content(&reply), "Cats purr.");
    assert_eq!(reply["usage"]["prompt_tokens"], 1000);
    assert_eq!(reply["allod"]["outcome"], "answered");
    let (rules, route) = recorded(&house, &reply);
    assert_eq!(rules, ["routing.complex_reasoning"]);
    let route = route.unwrap();
    assert_eq!((route.upstream.as_str(), route.cost), ("strong", 650_000));
    assert_eq!((route.hidden["ahv"], route.hidden["credit_card"]), (1, 1));
    let sent = stub.asked()[0].to_string();
    assert!(!sent.contains("9217") && !sent.contains("4111"), "{sent}");
    assert_eq!(stub.asked()[0]["model"], "big");
    // What needs no reasoning stays with the model here.
    let reply = chat(&client, "ab");
    let (rules, route) = recorded(&house, &reply);
    assert!(rules.is_empty() && route.is_none() && stub.asked().len() == 1);

    let page = client.get("/metrics").text;
    for (name, value) in [
        ("requests_total{upstream=\"strong\"}", 1.0),
        ("errors_total{upstream=\"strong\"}", 0.0),
        ("retries_total{upstream=\"strong\"}", 0.0),
        ("breaker_open{upstream=\"strong\"}", 0.0),
        ("tokens_total{upstream=\"strong\",kind=\"prompt\"}", 1000.0),
        ("tokens_total{upstream=\"strong\",kind=\"completion\"}", 100.0),
        ("cost_total{upstream=\"strong\",currency=\"CHF\"}", 0.65),
        ("tokens_today{upstream=\"strong\"}", 1100.0),
        ("cost_today{upstream=\"strong\"}", 0.65),
    ] {
        assert_eq!(line(&page, &format!("allod_upstream_{name}")), value, "{name}");
    }
}

#[test]
fn a_stream_ends_with_what_the_upstream_wrote() {
    let stub = Stub::doing(&[says("Cats purr.")]);
    let house = House::with_models_and_policy(&policy(&stub.url, "", ""));
    let server = house.serve();
    let body = json!({"model": "tiny", "stream": true,
                      "messages": [{"role": "user", "content": COMPLEX}]});
    let answer = server.client().post("/v1/chat/completions", &body);
    let events = events(&answer.text);
    let parsed = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
    let parsed: Vec<Value> = parsed.collect();
    let text: String = parsed
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, "Cats purr.", "{}", answer.text);
    let last = parsed.iter().find(|event| !event["allod"].is_null()).unwrap();
    assert_eq!(recorded(&house, last).0, ["routing.complex_reasoning"]);
}

/// Whatever goes wrong, a person has the turn, nothing of the server's is shown, and the receipt
/// says why.
#[test]
fn what_goes_wrong_at_the_upstream_leaves_the_turn_with_a_person() {
    let long = format!("{{\"choices\": [], \"x\": \"{}\"}}", "a".repeat(17 << 20));
    let elsewhere = Stub::doing(&[says("I am somewhere else.")]);
    let moved = format!("Location: {}/chat/completions\r\n", elsewhere.url);
    let cut = Act::Send("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"choices\"".into());
    let garbled = Act::Send("SSH-2.0-OpenSSH\r\n\r\n".into());
    for (act, end, asked) in [
        (responds("500 Internal Server Error", "", "secret"), AttemptEnd::Failed, 1),
        (responds("401 Unauthorized", "", "secret"), AttemptEnd::Failed, 1),
        (responds("429 Too Many Requests", "", ""), AttemptEnd::TurnedAway, 1),
        (responds("503 Service Unavailable", "Retry-After: 0\r\n", ""), AttemptEnd::TurnedAway, 2),
        (responds("200 OK", "", "{\"choices\": []}"), AttemptEnd::Failed, 1),
        (responds("200 OK", "", "[[[[[[[["), AttemptEnd::Failed, 1),
        (responds("200 OK", "", &long), AttemptEnd::Failed, 1),
        (responds("307 Temporary Redirect", &moved, ""), AttemptEnd::Failed, 1),
        (cut, AttemptEnd::Failed, 1),
        (garbled, AttemptEnd::Failed, 1),
        (Act::Wait(Duration::from_secs(3)), AttemptEnd::Failed, 1),
    ] {
        let stub = Stub::doing(&[act]);
        let more = "    timeout_ms: 1500\n";
        let house = House::with_models_and_policy(&policy(&stub.url, more, ""));
        let server = house.serve();
        let reply = chat(&server.client(), COMPLEX);
        assert_eq!(reply["allod"]["outcome"], "escalated", "{end:?}: {reply}");
        assert!(reply["allod"]["review"].is_string(), "{reply}");
        assert!(!reply.to_string().contains("secret"), "{reply}");
        let (rules, route) = recorded(&house, &reply);
        assert!(rules.contains(&"upstreams.failed".to_owned()), "{rules:?}");
        let route = route.unwrap();
        assert_eq!(route.attempts.last().unwrap().end, end, "{route:?}");
        assert_eq!((route.attempts.len(), stub.asked().len()), (asked, asked), "{route:?}");
        assert_eq!((route.cost, route.completion_tokens), (0, 0));
        let page = server.client().get("/metrics").text;
        assert_eq!(line(&page, "allod_upstream_errors_total{upstream=\"strong\"}"), 1.0);
        let retries = line(&page, "allod_upstream_retries_total{upstream=\"strong\"}");
        assert_eq!(retries, asked as f64 - 1.0);
    }
    assert!(elsewhere.asked().is_empty(), "a redirect was followed");
}

#[test]
fn what_may_not_go_there_is_not_sent() {
    let quiet = Stub::doing(&[says("Cats purr.")]);
    let held = |more: &str, own: &str, text: &str, rule: &str| {
        let house = House::with_models_and_policy(&policy(&quiet.url, more, own));
        let server = house.serve();
        let reply = chat(&server.client(), text);
        assert_eq!(reply["allod"]["outcome"], "escalated", "{rule}: {reply}");
        let (rules, route) = recorded(&house, &reply);
        assert!(rules.iter().any(|id| id == rule), "{rule}: {rules:?}");
        let reason = rule.strip_prefix("upstreams.").filter(|_| route.is_some());
        if let Some(reason) = reason {
            let page = server.client().get("/metrics").text;
            let name =
                format!("allod_upstream_held_total{{upstream=\"strong\",reason=\"{reason}\"}}");
            assert_eq!(line(&page, &name), 1.0);
        }
    };
    let private = format!("{COMPLEX} AHV 756.9217.0769.85");
    held("    privacy: block\n", "", &private, "upstreams.personal_data");
    held("    budget: {tokens_per_day: 5}\n", "", COMPLEX, "upstreams.budget");
    // One of two reasons goes to the queue, so both do.
    let person = format!("{COMPLEX} I want to talk to a person.");
    held("", "", &person, "routing.user_request");
    // Citations that only documents give are required, and a chat has none.
    let strict = policy(&quiet.url, "", "").replace("optional", "required");
    let house = House::with_models_and_policy(&strict);
    let server = house.serve();
    let reply = chat(&server.client(), COMPLEX);
    assert_eq!(reply["allod"]["outcome"], "escalated", "{reply}");
    assert!(recorded(&house, &reply).1.is_none(), "it was not even made ready");
    assert!(quiet.asked().is_empty());
}

#[test]
fn an_upstream_that_fails_is_left_alone_and_then_tried_with_one_request() {
    let broken = responds("500 Internal Server Error", "", "");
    let stub = Stub::doing(&[broken.clone(), broken, says("Cats purr.")]);
    let more = "    breaker: {failures: 2, pause_ms: 700}\n";
    let house = House::with_models_and_policy(&policy(&stub.url, more, ""));
    let server = house.serve();
    let client = server.client();
    let rule = |reply: &Value| recorded(&house, reply).0.last().unwrap().clone();
    assert_eq!(rule(&chat(&client, COMPLEX)), "upstreams.failed");
    assert_eq!(rule(&chat(&client, COMPLEX)), "upstreams.failed");
    assert_eq!(rule(&chat(&client, COMPLEX)), "upstreams.breaker");
    let open = "allod_upstream_breaker_open{upstream=\"strong\"}";
    assert_eq!(line(&client.get("/metrics").text, open), 1.0);
    assert_eq!(stub.asked().len(), 2, "it was left alone");
    std::thread::sleep(Duration::from_millis(800));
    assert_eq!(content(&chat(&client, COMPLEX)), "Cats purr.");
    assert_eq!(line(&client.get("/metrics").text, open), 0.0);
}

/// The server that runs the policy's model.
fn main_policy(url: &str, more: &str) -> String {
    format!(
        "model: main\nruntime: openai-compatible\nretrieval: {{required_for_policy_answers: \
         false}}\nlogging: {{citations: optional}}\nupstream:\n  url: {url}\n{more}"
    )
}

fn post(client: &Client) -> common::Answer {
    let body = json!({"model": "main", "messages": [{"role": "user", "content": "Hello there"}]});
    client.post("/v1/chat/completions", &body)
}

#[test]
fn the_server_of_the_model_is_asked_in_the_same_way() {
    let busy = responds("503 Service Unavailable", "Retry-After: 0\r\n", "");
    let broken = responds("500 Internal Server Error", "", "secret");
    let stub = Stub::doing(&[busy, says("Hello."), broken, says("Hello again.")]);
    let more = "  retries: 1\n  breaker: {failures: 1, pause_ms: 900}\n  budget: \
                {cost_per_million_prompt_tokens: 500, currency: CHF}\n";
    let house = House::with_policy(Some(&main_policy(&stub.url, more)));
    let server = house.serve();
    let client = server.client();
    let reply = post(&client);
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(content(&reply.json()), "Hello.");
    let index = reply.json()["allod"]["receipt"]["index"].as_u64().unwrap();
    let facts = house.desk.ledger().read(index).unwrap().facts;
    let server_facts = serde_json::from_value::<Facts>(facts).unwrap().server.unwrap();
    let ends: Vec<AttemptEnd> = server_facts.attempts.iter().map(|one| one.end).collect();
    assert_eq!(ends, [AttemptEnd::TurnedAway, AttemptEnd::Answered]);
    assert_eq!(server_facts.cost, 500_000);

    let failed = post(&client);
    assert_eq!((failed.status, failed.error_code().as_str()), (502, "upstream_failed"));
    assert!(!failed.text.contains("secret"), "{}", failed.text);
    let held = post(&client);
    assert_eq!((held.status, held.error_code().as_str()), (503, "upstream_held"));
    assert_eq!(held.header("retry-after"), Some("1"));
    assert_eq!(stub.asked().len(), 3, "it was left alone");
    std::thread::sleep(Duration::from_millis(1000));
    assert_eq!(content(&post(&client).json()), "Hello again.");
    let page = client.get("/metrics").text;
    for (name, value) in [("requests", 3.0), ("errors", 1.0), ("retries", 1.0), ("cost", 1.0)] {
        let labels = if name == "cost" { ",currency=\"CHF\"" } else { "" };
        let name = format!("allod_upstream_{name}_total{{upstream=\"upstream\"{labels}}}");
        assert_eq!(line(&page, &name), value, "{name}");
    }
}

#[test]
fn the_budget_of_the_server_of_the_model_is_kept() {
    let stub = Stub::doing(&[says("Hello.")]);
    let more = "  budget: {tokens_per_day: 1500}\n";
    let house = House::with_policy(Some(&main_policy(&stub.url, more)));
    let server = house.serve();
    assert_eq!(post(&server.client()).status, 200);
    // 1100 of 1500 are spent, and an answer alone may take 512.
    let held = post(&server.client());
    assert_eq!((held.status, held.error_code().as_str()), (503, "upstream_held"));
    let seconds: u64 = held.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&seconds), "{seconds}");
    assert_eq!(stub.asked().len(), 1);
}
