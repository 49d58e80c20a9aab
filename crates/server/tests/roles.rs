//! Every address with every role: a new address without a decision here fails.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::collections::BTreeSet;

use common::{Client, House, WASTE_QUESTION};
use serde_json::{Value, json};

const ROLES: [(char, &str); 5] =
    [('u', "user"), ('r', "reviewer"), ('a', "auditor"), ('m', "monitor"), ('o', "operator")];

/// Who may: user, reviewer, auditor, monitor, operator.
const TABLE: [(&str, &str, &str); 35] = [
    ("post", "/v1/chat/completions", "uro"),
    ("post", "/v1/completions", "uro"),
    ("post", "/v1/responses", "uro"),
    ("post", "/v1/messages", "uro"),
    ("post", "/v1/messages/count_tokens", "uro"),
    ("post", "/v1/embeddings", "uro"),
    ("post", "/v1/rerank", "uro"),
    ("post", "/tokenize", "uro"),
    ("post", "/detokenize", "uro"),
    ("post", "/v1/load_lora_adapter", "o"),
    ("post", "/v1/unload_lora_adapter", "o"),
    ("get", "/v1/models", "uramo"),
    ("get", "/v1/models/{model}", "uramo"),
    ("post", "/api/ask", "uro"),
    ("get", "/api/work", "uro"),
    ("post", "/api/work", "uro"),
    ("get", "/api/status", "uramo"),
    ("get", "/api/documents", "uro"),
    ("get", "/api/documents/{digest}", "uro"),
    ("get", "/api/history", "ao"),
    ("get", "/api/policies/{digest}", "ao"),
    ("get", "/api/receipts", "urao"),
    ("get", "/api/receipts/export", "ao"),
    ("get", "/api/receipts/{index}", "urao"),
    ("post", "/api/receipts/{index}/feedback", "uro"),
    ("get", "/api/receipts/{index}/verify", "urao"),
    ("get", "/api/receipts/{index}/proof", "urao"),
    ("get", "/api/ledger/verify", "ao"),
    ("get", "/api/reviews", "uro"),
    ("get", "/api/reviews/{id}", "uro"),
    ("post", "/api/reviews/{id}/resolve", "ro"),
    ("get", "/ledger/{path}", "urao"),
    ("get", "/metrics", "amo"),
    ("get", "/openapi.json", "uramo"),
    // Anyone may know whether the server runs.
    ("get", "/healthz", "uramo"),
];

/// An address with something in the place of its parameters.
fn filled(path: &str) -> String {
    path.replace("{index}", "0").replace("{path}", "checkpoint").replace(['{', '}'], "")
}

fn addresses(client: &Client) -> BTreeSet<(String, String)> {
    let described = client.get("/openapi.json").json();
    let paths = described["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone()))
    });
    methods.collect()
}

#[test]
fn every_address_lets_in_the_roles_of_the_table_and_no_other() {
    let house = House::new();
    house.key("a", &[], "user");
    let clients = ROLES.map(|(letter, role)| (letter, role, house.key("a", &[], role)));
    let server = house.serve();
    server.client_with(&clients[0].2).ask(WASTE_QUESTION);
    let decided: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, path, _)| (method.to_string(), path.to_string())).collect();
    assert_eq!(addresses(&server.client()), decided);
    for (method, path, may) in TABLE {
        for (letter, role, key) in &clients {
            let client = server.client_with(key);
            let address = filled(path);
            let answer = match method {
                "get" => client.get(&address),
                _ => client.post(&address, &json!({})),
            };
            let let_in = !matches!(answer.status, 401 | 403);
            let expected = may.contains(*letter);
            assert_eq!(let_in, expected, "{method} {path} as {role}: {}", answer.text);
        }
    }
}

#[test]
fn an_auditor_verifies_everything_and_reads_nothing() {
    let house = House::new();
    let keys = ["user", "auditor"].map(|role| house.key("a", &[], role));
    let server = house.serve();
    let [user, auditor] = keys.map(|key| server.client_with(&key));
    user.ask(WASTE_QUESTION);
    user.ask(WASTE_QUESTION);
    let size = house.desk.ledger().publish().unwrap().size;
    let bundle = format!("/ledger/tile/entries/000.p/{size}");
    for path in [
        "/api/receipts",
        "/api/receipts/0",
        "/api/receipts/0/verify",
        "/api/receipts/1/proof",
        "/api/history",
        "/api/ledger/verify",
        "/ledger/checkpoint",
        "/ledger/tile/0/000.p/2",
        &bundle,
        "/metrics",
        "/api/status",
    ] {
        let answer = auditor.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        for word in ["Kehricht", "2.40", "kostet"] {
            assert!(!answer.text.contains(word), "{path} tells {word}: {}", answer.text);
        }
    }
    assert_eq!(auditor.get("/api/receipts/0/verify").json()["verified"], true);
    assert_eq!(auditor.get("/api/ledger/verify").json()["verified"], true);
    let metrics = auditor.get("/metrics").text;
    assert!(metrics.contains("allod_ledger_receipts 2") && !metrics.contains("requests_total"));
    let history = auditor.get("/api/history").json();
    let policy = &history["policies"][0];
    assert_eq!((&policy["receipts"], &policy["first"]["index"]), (&json!(2), &json!(0)));
    let path = format!("/api/policies/{}", policy["digest"].as_str().unwrap());
    let text = auditor.get(&path).json();
    assert_eq!(text["text"], house.desk.policy().text());
    assert_eq!(auditor.get("/api/policies/sha256:00").status, 404);
}

#[test]
fn an_auditor_of_one_tenant_sees_no_other_and_one_of_all_sees_all() {
    let house = House::new();
    let asker = house.key("a", &[], "user");
    let auditors = ["a", "b", "*"].map(|tenant| house.key(tenant, &[], "auditor"));
    let server = house.serve();
    server.client_with(&asker).ask(WASTE_QUESTION);
    let seen = auditors.map(|key| {
        let auditor = server.client_with(&key);
        let history = auditor.get("/api/history").json();
        assert_eq!(auditor.get("/api/receipts/0").status == 200, history["policies"] != json!([]));
        auditor.get("/api/receipts").json()["receipts"].as_array().map(Vec::len)
    });
    assert_eq!(seen, [Some(1), Some(0), Some(1)]);
}

#[test]
fn a_caller_is_told_what_the_role_may() {
    let house = House::new();
    let keys = ROLES.map(|(_, role)| house.key("a", &[], role));
    let server = house.serve();
    let may = keys.map(|key| {
        let caller: Value = server.client_with(&key).get("/api/status").json()["caller"].clone();
        caller["may"].as_array().unwrap().iter().any(|right| right == "ask")
    });
    assert_eq!(may, [true, true, false, false, true]);
}
