//! Traces: nowhere unless the policy names where, and never a word of what was said.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::House;
use serde_json::{Value, json};

/// A collector: the paths and bodies of what it was sent.
fn collector() -> (u16, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head += &line;
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            sender.send((path, serde_json::from_slice(&body).unwrap())).unwrap();
        }
    });
    (port, receiver)
}

fn ask(house: &House) {
    ask_with(house, &[&[]]);
}

/// Asks once with each of these headers.
fn ask_with(house: &House, requests: &[&[(&str, &str)]]) {
    let server = house.serve();
    let body = json!({"model": "tiny", "max_tokens": 5, "stop": "secret stop",
                      "messages": [{"role": "user", "content": "secret question"}]});
    for headers in requests {
        let headers = [&[("content-type", "application/json")][..], *headers].concat();
        let answer = server.client().post_with("/v1/chat/completions", &body.to_string(), &headers);
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[test]
fn a_turn_is_told_where_the_policy_says_without_its_words() {
    let (port, told) = collector();
    let house = House::with_models_and_policy(&format!(
        "logging:\n  citations: optional\n\
         telemetry:\n  traces_url: http://127.0.0.1:{port}/v1/traces\n"
    ));
    // What waits is sent before the server ends.
    ask(&house);
    let (path, body) = told.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(path, "/v1/traces");
    assert!(!body.to_string().contains("secret"), "{body}");
    let span = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["name"], "chat tiny");
    assert_eq!(
        (span["traceId"].as_str().unwrap().len(), span["spanId"].as_str().unwrap().len()),
        (32, 16)
    );
    let nanoseconds = |name: &str| span[name].as_str().unwrap().parse::<u128>().unwrap();
    assert!(nanoseconds("startTimeUnixNano") <= nanoseconds("endTimeUnixNano"));
    let value = |name: &str| {
        let attributes = span["attributes"].as_array().unwrap();
        let found = attributes.iter().find(|attribute| attribute["key"] == name);
        found.unwrap_or_else(|| panic!("{name} in {span}"))["value"].clone()
    };
    assert_eq!(value("gen_ai.operation.name")["stringValue"], "chat");
    assert_eq!(value("gen_ai.request.model")["stringValue"], "tiny");
    assert_eq!(value("gen_ai.request.max_tokens")["intValue"], "5");
    let tokens = value("gen_ai.usage.input_tokens")["intValue"].as_str().unwrap().parse::<u64>();
    assert!(tokens.unwrap() > 0);
    let reasons = value("gen_ai.response.finish_reasons");
    assert_eq!(reasons["arrayValue"]["values"].as_array().unwrap().len(), 1);
    assert_eq!(value("allod.receipt")["intValue"], "0");
}

#[test]
fn a_turn_is_a_part_of_its_callers_trace_where_that_is_recorded() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";
    let (port, told) = collector();
    let house = House::with_models_and_policy(&format!(
        "logging:\n  citations: optional\n\
         telemetry:\n  traces_url: http://127.0.0.1:{port}/v1/traces\n"
    ));
    let parents = ["01", "00"].map(|flags| format!("00-{TRACE}-{SPAN}-{flags}"));
    let [recorded, not_recorded] = parents.each_ref().map(|parent| ("traceparent", &**parent));
    ask_with(
        &house,
        &[&[recorded, ("tracestate", "a=1")], &[not_recorded], &[("traceparent", "nonsense")]],
    );
    let mut spans = Vec::new();
    while spans.len() < 2 {
        let (_, body) = told.recv_timeout(Duration::from_secs(20)).unwrap();
        let sent = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
        spans.extend(sent.as_array().unwrap().clone());
    }
    assert_eq!(spans.len(), 2, "{spans:?}");
    let [own, free] = [&spans[0], &spans[1]];
    assert_eq!((&own["traceId"], &own["parentSpanId"]), (&json!(TRACE), &json!(SPAN)));
    assert_eq!((&own["traceState"], &own["flags"]), (&json!("a=1"), &json!(0x301)));
    assert!(own["spanId"] != SPAN && own["spanId"].as_str().unwrap().len() == 16, "{own}");
    assert!(free["traceId"] != TRACE && free["parentSpanId"].is_null(), "{free}");
}

#[test]
fn a_collector_that_is_gone_changes_no_answer() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    ask(&House::with_models_and_policy(&format!(
        "logging:\n  citations: optional\ntelemetry:\n  traces_url: http://127.0.0.1:{port}/\n"
    )));
}
