//! The OpenAI-compatible interface and the console's own, over real connections.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::{House, LIBRARY_QUESTION, WASTE_QUESTION, events};
use serde_json::{Value, json};

fn completion(question: &str, extra: Value) -> Value {
    let mut body = json!({
        "model": "allod/documents",
        "messages": [{"role": "user", "content": question}],
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

#[test]
fn a_question_is_answered_with_citations_and_a_receipt() {
    let house = House::new();
    let server = house.serve();
    let reply = server.client().ask(WASTE_QUESTION);
    assert_eq!(reply["outcome"], "answered", "{reply}");
    assert!(reply["answer"].as_str().unwrap().contains("2.40"));
    let citation = &reply["citations"][0];
    let shown =
        server.client().get(&format!("/api/documents/{}", citation["digest"].as_str().unwrap()));
    let text = shown.json()["text"].as_str().unwrap().to_owned();
    let at = |field: &str| citation[field].as_u64().unwrap() as usize;
    assert_eq!(&text[at("start")..at("end")], citation["quote"].as_str().unwrap());
    assert_eq!(reply["receipt"]["index"], 0);
}

#[test]
fn a_completion_has_the_shape_of_openai_and_the_extension() {
    let house = House::new();
    let server = house.serve();
    let answer =
        server.client().post("/v1/chat/completions", &completion(WASTE_QUESTION, json!({})));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let value = answer.json();
    assert_eq!(value["object"], "chat.completion");
    assert!(value["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!(value["model"], "allod/documents");
    let choice = &value["choices"][0];
    assert_eq!((&choice["index"], &choice["finish_reason"]), (&json!(0), &json!("stop")));
    assert_eq!(choice["message"]["role"], "assistant");
    assert!(choice["message"]["content"].as_str().unwrap().contains("CHF 2.40"));
    assert!(value["usage"]["total_tokens"].is_u64());
    let extension = &value["allod"];
    assert_eq!((&extension["outcome"], &extension["mode"]), (&json!("answered"), &json!("quote")));
    assert!(extension["confidence"].as_f64().unwrap() > 0.0);
    assert!(extension["citations"][0]["quote"].as_str().unwrap().contains("35-Liter"));
    assert_eq!(extension["receipt"]["leaf"].as_str().unwrap().len(), 64);
}

#[test]
fn a_stream_gives_the_same_answer_and_ends_as_openai_ends_it() {
    let house = House::new();
    let server = house.serve();
    let body = completion(
        LIBRARY_QUESTION,
        json!({
            "stream": true, "stream_options": {"include_usage": true},
        }),
    );
    let answer = server.client().post("/v1/chat/completions", &body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
    let mut events = events(&answer.text);
    assert_eq!(events.pop().unwrap(), "[DONE]");
    let chunks: Vec<Value> = events.iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let (usage, rest) = chunks.split_last().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert!(usage["usage"]["total_tokens"].is_u64());
    let (last, text) = rest.split_last().unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert_eq!(last["allod"]["outcome"], "answered");
    assert!(text.iter().all(|chunk| chunk["choices"][0]["finish_reason"].is_null()));
    let text: String =
        text.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert!(text.contains("09:00 to 12:00"), "{text}");
    let index = last["allod"]["receipt"]["index"].as_u64().unwrap();
    assert!(house.desk.ledger().read(index).is_ok());
}

#[test]
fn errors_name_the_field_and_the_models_that_there_are() {
    let house = House::new();
    let server = house.serve();
    let post = |body: &Value| server.client().post("/v1/chat/completions", body);
    let unknown = post(&completion("x", json!({"model": "gpt-5"})));
    assert_eq!((unknown.status, unknown.error_code().as_str()), (404, "model_not_found"));
    let message = unknown.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("gpt-5") && message.contains("allod/documents"), "{message}");
    let refused = post(&completion("x", json!({"logprobs": true})));
    assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!("logprobs")));
    let drawn = post(&completion("x", json!({"temperature": 0.7})));
    assert_eq!((drawn.status, &drawn.json()["error"]["param"]), (400, &json!("temperature")));
    let empty = post(&completion("  ", json!({})));
    assert_eq!(empty.status, 400, "{}", empty.text);
    assert_eq!(
        server.client().post("/api/ask", &json!({"question": "x", "as": "root"})).status,
        400
    );
    let nothing_recorded = house.desk.ledger().checkpoint().size;
    assert_eq!(nothing_recorded, 0);
}

#[test]
fn what_is_no_json_or_too_long_or_elsewhere_is_refused_in_the_same_form() {
    let house = House::new();
    let server = house.serve();
    let client = server.client();
    let json_type = [("Content-Type", "application/json")];
    let broken = client.post_with("/api/ask", "{", &json_type);
    assert_eq!((broken.status, broken.error_code().as_str()), (400, "invalid_json"));
    let plain =
        client.post_with("/api/ask", "{\"question\":\"x\"}", &[("Content-Type", "text/plain")]);
    assert_eq!((plain.status, plain.error_code().as_str()), (415, "not_json"));
    let long = client.post_with("/api/ask", &" ".repeat((1 << 20) + 1), &json_type);
    assert_eq!((long.status, long.error_code().as_str()), (413, "too_long"));
    let deep = client.post_with("/api/ask", &"[".repeat(100_000), &json_type);
    assert_eq!(deep.status, 400);
    assert_eq!(client.get("/nothing/here").error_code(), "not_found");
    assert_eq!(client.get("/api/ask").error_code(), "method_not_allowed");
    let address = client.get("/api/receipts/minus-one");
    assert_eq!((address.status, address.error_code().as_str()), (400, "invalid_address"));
    assert_eq!(client.get("/api/receipts?surprise=1").status, 400);
    assert_eq!(client.get("/api/receipts/7").error_code(), "not_found");
}

#[test]
fn models_are_listed() {
    let house = House::new();
    let server = house.serve();
    let list = server.client().get("/v1/models").json();
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"][0]["id"], "allod/documents");
    assert_eq!(server.client().get("/v1/models/allod/documents").json()["object"], "model");
    assert_eq!(server.client().get("/v1/models/other").error_code(), "model_not_found");
}

#[test]
fn receipts_are_listed_opened_proved_and_verified() {
    let house = House::new();
    let server = house.serve();
    let client = server.client();
    let reply = client.ask(WASTE_QUESTION);
    client.ask("What colour is the moon?");
    let list = client.get("/api/receipts?last=1").json();
    assert_eq!(list["receipts"].as_array().unwrap().len(), 1);
    assert_eq!(list["receipts"][0]["index"], 1);
    assert_eq!(list["before"], 1);
    let older = client.get("/api/receipts?before=1").json();
    assert_eq!(older["receipts"][0]["question"], WASTE_QUESTION);
    let one = client.get("/api/receipts/0").json();
    assert_eq!(one["question"], WASTE_QUESTION);
    assert_eq!(one["answer"], reply["answer"]);
    let verified = client.get("/api/receipts/0/verify").json();
    assert_eq!(verified["verified"], true, "{verified}");
    assert_eq!(verified["leaf"], reply["receipt"]["leaf"]);
    let proof = client.get("/api/receipts/0/proof").text;
    let (vkey, entry) = (verified["vkey"].as_str().unwrap(), verified["entry"].as_str().unwrap());
    assert_eq!(allod_ledger::check_proof(&proof, vkey, entry.as_bytes()).unwrap().index, 0);
    let altered = entry.replacen("answered", "refused!", 1);
    assert!(allod_ledger::check_proof(&proof, vkey, altered.as_bytes()).is_err());
    assert_eq!(client.get("/api/ledger/verify").json()["verified"], true);
}

#[test]
fn the_log_is_served_as_tiles() {
    let house = House::new();
    let server = house.serve();
    let client = server.client();
    client.ask(WASTE_QUESTION);
    let checkpoint = client.get("/ledger/checkpoint");
    assert!(checkpoint.text.lines().nth(1) == Some("1"), "{}", checkpoint.text);
    assert_eq!(client.get("/ledger/tile/0/000.p/1").status, 200);
    assert!(client.get("/ledger/tile/entries/000.p/1").text.contains("allod-receipt-1"));
    for path in ["head", "vkey", "..%2Fkeys%2Fledger.key", "tile/0/..%2F..%2Fhead", "tile/0/009"] {
        assert_eq!(client.get(&format!("/ledger/{path}")).status, 404, "{path}");
    }
}

#[test]
fn health_metrics_and_description_are_there() {
    let house = House::new();
    let server = house.serve();
    let client = server.client();
    client.ask(WASTE_QUESTION);
    client.ask("What colour is the moon?");
    assert_eq!(client.get("/healthz").text, "ok");
    let metrics = client.get("/metrics").text;
    for line in [
        "allod_requests_total{kind=\"ask\",outcome=\"answered\"} 1",
        "allod_requests_total{kind=\"ask\",outcome=\"refused\"} 1",
        "allod_request_duration_seconds_count 2",
        "allod_requests_in_flight 0",
        "allod_ledger_receipts 2",
        "allod_http_responses_total{status=\"200\"} 3",
    ] {
        assert!(metrics.lines().any(|written| written == line), "{line} in\n{metrics}");
    }
    let description = client.get("/openapi.json").json();
    assert!(description["paths"]["/v1/chat/completions"]["post"].is_object());
}

#[test]
fn responses_keep_browsers_careful() {
    let house = House::new();
    let server = house.serve();
    let page = server.client().get("/");
    assert!(page.text.contains("<title>Allod</title>"));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-cache"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe"));
    let status = server.client().get("/api/status");
    assert_eq!(status.header("cache-control"), Some("no-store"));
    assert!(status.header("access-control-allow-origin").is_none());
    let ids = [&page, &status].map(|answer| answer.header("x-request-id").unwrap().to_owned());
    assert_ne!(ids[0], ids[1]);
}
