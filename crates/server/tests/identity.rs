//! Who may have what: keys, tenants, labels, roles, and pages of other origins.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::sync::Arc;

use allod_server::{Error, Keyless, ServeOptions, serve_until};
use common::{House, SECRET_QUESTION, WASTE_QUESTION};
use serde_json::json;

#[test]
fn off_loopback_the_server_does_not_start_without_a_key() {
    let house = House::new();
    let try_to = || {
        let options =
            ServeOptions { listen: "0.0.0.0:0".parse().unwrap(), ..ServeOptions::default() };
        serve_until(Arc::clone(&house.desk), options, |_| {}, async {})
    };
    let error = try_to().unwrap_err();
    assert!(matches!(error, Error::NoKeys { .. }), "{error}");
    assert!(error.to_string().contains("allod key create"));
    let secret = house.key("local", &[], "user");
    try_to().unwrap();
    let id = secret.split('_').nth(1).unwrap();
    assert!(house.desk.store().revoke_key(id).unwrap());
    assert!(try_to().is_err(), "a revoked key is no key");
}

#[test]
fn on_loopback_no_key_is_the_operator_and_a_wrong_key_is_nobody() {
    let house = House::new();
    let key = house.key("office", &["confidential"], "user");
    let server = house.serve();
    let caller = |client: common::Client| client.get("/api/status").json()["caller"].clone();
    let operator = caller(server.client());
    assert_eq!((&operator["role"], &operator["labels"]), (&json!("operator"), &json!([])));
    let known = caller(server.client_with(&key));
    assert_eq!((&known["role"], &known["tenant"]), (&json!("user"), &json!("office")));
    let wrong = server.client_with(&format!("{}x", &key[..key.len() - 1])).get("/v1/models");
    assert_eq!((wrong.status, wrong.error_code().as_str()), (401, "invalid_api_key"));
    assert_eq!(wrong.header("www-authenticate"), Some("Bearer"));
    let basic = server.client().get_with("/v1/models", &[("Authorization", "Basic YTpi")]);
    assert_eq!(basic.status, 401);
}

#[test]
fn where_a_key_is_needed_only_health_and_the_console_go_without() {
    let house = House::new();
    let key = house.key("office", &[], "user");
    let options = ServeOptions { keyless: Keyless::Refused, ..ServeOptions::default() };
    let server = house.serve_with(options);
    for path in ["/", "/app.js", "/style.css", "/healthz"] {
        assert_eq!(server.client().get(path).status, 200, "{path}");
    }
    for path in [
        "/v1/models",
        "/metrics",
        "/openapi.json",
        "/api/status",
        "/api/documents",
        "/api/documents/sha256:00",
        "/api/receipts",
        "/api/receipts/0",
        "/api/receipts/0/verify",
        "/api/receipts/0/proof",
        "/api/ledger/verify",
        "/api/reviews",
        "/api/reviews/x",
        "/ledger/checkpoint",
    ] {
        let answer = server.client().get(path);
        assert_eq!((answer.status, answer.error_code().as_str()), (401, "no_api_key"), "{path}");
    }
    for path in ["/v1/chat/completions", "/api/ask", "/api/reviews/x/resolve"] {
        assert_eq!(server.client().post(path, &json!({})).status, 401, "{path}");
    }
    assert_eq!(server.client_with(&key).get("/v1/models").status, 200);
}

#[test]
fn pages_of_other_origins_cannot_use_the_operator() {
    let house = House::new();
    let server = house.serve();
    let client = server.client();
    let own = format!("http://{}", server.address);
    let rebound = client.get_with("/api/status", &[("Host", "evil.example")]);
    assert_eq!((rebound.status, rebound.error_code().as_str()), (403, "not_local"));
    let json_type = ("Content-Type", "application/json");
    let ask = |origin: &str| {
        let body = json!({"question": WASTE_QUESTION}).to_string();
        client.post_with("/api/ask", &body, &[json_type, ("Origin", origin)])
    };
    assert_eq!(ask("http://evil.example").error_code(), "cross_site");
    assert_eq!(ask("null").error_code(), "cross_site");
    assert_eq!(ask(&own).status, 200);
    let proxied = client.get_with("/api/status", &[("X-Forwarded-For", "203.0.113.9")]);
    assert_eq!(proxied.status, 401);
    assert_eq!(house.desk.ledger().checkpoint().size, 1);
}

#[test]
fn a_restricted_document_is_as_absent_to_those_without_its_label() {
    let house = House::new();
    let cleared = house.key("office", &["confidential"], "user");
    let plain = house.key("office", &[], "reviewer");
    let server = house.serve();
    let digest = house.digest_of("harbour.md");
    let (cleared, plain) = (server.client_with(&cleared), server.client_with(&plain));
    let seen = cleared.ask(SECRET_QUESTION);
    assert!(seen.to_string().contains("123456"), "{seen}");
    for client in [&plain, &server.client()] {
        let reply = client.ask(SECRET_QUESTION).to_string();
        assert!(!reply.contains("123456") && !reply.contains("harbour.md"), "{reply}");
        let list = client.get("/api/documents").text;
        assert!(list.contains("library.md") && !list.contains("arbour"), "{list}");
        let hidden = client.get(&format!("/api/documents/{digest}"));
        let absent = client.get(&format!("/api/documents/sha256:{}", "0".repeat(64)));
        assert_eq!((hidden.status, &hidden.text), (404, &absent.text));
        let index = seen["receipt"]["index"].as_u64().unwrap();
        let receipts = client.get("/api/receipts").text;
        assert!(!receipts.contains(&format!("\"index\":{index},")), "{receipts}");
        let hidden = client.get(&format!("/api/receipts/{index}"));
        let absent = client.get("/api/receipts/999");
        assert_eq!((hidden.status, &hidden.text), (404, &absent.text));
        assert_eq!(client.get(&format!("/api/receipts/{index}/verify")).status, 404);
        assert_eq!(client.get(&format!("/api/receipts/{index}/proof")).status, 404);
        let size = house.desk.ledger().publish().unwrap().size;
        let bundle = client.get(&format!("/ledger/tile/entries/000.p/{size}"));
        assert_eq!(bundle.status, 404, "{}", bundle.text);
    }
    assert!(cleared.get("/api/documents").text.contains("harbour.md"));
    assert_eq!(cleared.get(&format!("/api/documents/{digest}")).status, 200);
}

#[test]
fn a_tenant_sees_its_own_receipts_and_an_operator_all() {
    let house = House::new();
    let keys = [("a", "user"), ("b", "reviewer"), ("c", "operator")];
    let [a, b, operator] = keys.map(|(tenant, role)| house.key(tenant, &[], role));
    let server = house.serve();
    server.client_with(&a).ask(WASTE_QUESTION);
    assert_eq!(server.client_with(&a).get("/api/receipts/0").status, 200);
    assert_eq!(server.client_with(&b).get("/api/receipts/0").status, 404);
    assert_eq!(server.client_with(&b).get("/api/receipts").json()["receipts"], json!([]));
    assert_eq!(server.client_with(&operator).get("/api/receipts/0").status, 200);
    assert_eq!(server.client_with(&b).get("/api/ledger/verify").status, 403);
    let colleague = house.key("a", &[], "user");
    let seen = server.client_with(&colleague).get("/api/receipts/0").json();
    assert_eq!(seen["question"], json!(null), "a colleague sees the receipt, not the words");
}

/// A house whose every answer a person must approve.
fn careful_house() -> House {
    House::with_policy(Some("logging:\n  citations: optional\n  human_review: required_for_all\n"))
}

#[test]
fn a_review_is_decided_once_by_a_reviewer_of_the_tenant() {
    let house = careful_house();
    let keys = [("a", "user"), ("a", "reviewer"), ("b", "reviewer"), ("a", "user")];
    let keys = keys.map(|(tenant, role)| house.key(tenant, &[], role));
    let server = house.serve();
    let [asker, reviewer, stranger, colleague] = keys.map(|key| server.client_with(&key));
    let reply = asker.ask(WASTE_QUESTION);
    assert_eq!(reply["outcome"], "human_review", "{reply}");
    let path = format!("/api/reviews/{}", reply["review"].as_str().unwrap());
    let resolve = format!("{path}/resolve");
    let approve = json!({"verdict": "approve", "note": "checked"});
    for client in [&stranger, &colleague] {
        assert_eq!(client.get(&path).status, 404);
        assert_eq!(client.get("/api/reviews").json()["reviews"], json!([]));
    }
    assert_eq!(stranger.post(&resolve, &approve).status, 404);
    for client in [&asker, &colleague] {
        assert_eq!(client.post(&resolve, &approve).error_code(), "not_reviewer");
    }
    let own = asker.get(&path);
    assert!(!own.text.contains("2.40"), "who asked must not see the draft: {}", own.text);
    let draft = reviewer.get(&path).json()["draft"].clone();
    assert!(draft["answer"].as_str().unwrap().contains("2.40"));
    assert!(draft["citations"][0]["quote"].is_string());
    for wrong in [
        json!({"verdict": "amend"}),
        json!({"verdict": "perhaps"}),
        json!({"verdict": "reject", "answer": "no", "note": "no"}),
        json!({"verdict": "reject"}),
        json!({"verdict": "reject", "note": " "}),
    ] {
        assert_eq!(reviewer.post(&resolve, &wrong).status, 400, "{wrong}");
    }
    let resolved = reviewer.post(&resolve, &approve);
    assert_eq!(resolved.status, 200, "{}", resolved.text);
    assert_eq!(resolved.json()["state"], "resolved");
    assert_eq!(reviewer.post(&resolve, &approve).error_code(), "conflict");
    assert_eq!(asker.get(&path).json()["answer"], draft["answer"]);
    assert_eq!(reviewer.get("/api/reviews?state=open").json()["reviews"], json!([]));
}

#[test]
fn a_draft_under_review_is_not_in_the_receipt_of_who_asked() {
    let house = careful_house();
    let key = house.key("a", &[], "user");
    let server = house.serve();
    let asker = server.client_with(&key);
    let reply = asker.ask(WASTE_QUESTION);
    assert!(!reply.to_string().contains("2.40"), "{reply}");
    let receipt = asker.get("/api/receipts/0");
    assert_eq!(receipt.json()["question"], WASTE_QUESTION);
    assert!(!receipt.text.contains("2.40"), "{}", receipt.text);
}

#[test]
fn the_person_whom_a_request_names_is_the_data_subject() {
    let house = House::new();
    let key = house.key("a", &[], "user");
    let server = house.serve();
    let client = server.client_with(&key);
    let subject = |body: serde_json::Value, path: &str| {
        let answer = client.post(path, &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let index = answer.json()["allod"]["receipt"]["index"].as_u64().unwrap();
        house.desk.ledger().read(index).unwrap().request.subject
    };
    let anna = house.desk.store().pseudonym("a", "anna").unwrap();
    let messages = json!([{"role": "user", "content": WASTE_QUESTION}]);
    let chat = json!({"model": "allod/documents", "messages": messages, "user": "anna"});
    assert_eq!(subject(chat.clone(), "/v1/chat/completions"), anna);
    let response =
        json!({"model": "allod/documents", "input": WASTE_QUESTION, "safety_identifier": "anna"});
    assert_eq!(subject(response, "/v1/responses"), anna);
    let message = json!({"model": "allod/documents", "messages": messages, "max_tokens": 512,
                         "metadata": {"user_id": "anna"}});
    assert_eq!(subject(message, "/v1/messages"), anna);
    let mut nobody = chat;
    nobody["user"] = json!(" ");
    assert!(!subject(nobody.clone(), "/v1/chat/completions").starts_with("u-"));
    nobody["user"] = json!(7);
    assert_eq!(client.post("/v1/chat/completions", &nobody).status, 400);
}
