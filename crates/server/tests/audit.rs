//! What people say of answers, and what an auditor finds of all that.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::{House, LIBRARY_QUESTION, WASTE_QUESTION};
use serde_json::{Value, json};

/// The lines of an export.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn who_asked_says_whether_the_answer_helped_and_nobody_else_of_the_tenant_but_a_reviewer() {
    let house = House::new();
    let [anna, bea, eva, auditor] =
        ["user", "user", "reviewer", "auditor"].map(|role| house.key("t", &[], role));
    let server = house.serve();
    let index = server.client_with(&anna).ask(WASTE_QUESTION)["receipt"]["index"].clone();
    let path = format!("/api/receipts/{index}/feedback");
    let say = |key: &str, body: Value| server.client_with(key).post(&path, &body);
    let given = say(&anna, json!({"verdict": "down", "reason": " alt ", "correction": "CHF 2.50"}));
    assert_eq!(given.status, 200, "{}", given.text);
    assert_eq!(say(&bea, json!({"verdict": "up"})).status, 403);
    assert_eq!(say(&auditor, json!({"verdict": "up"})).status, 403);
    assert_eq!(say(&eva, json!({"verdict": "up"})).status, 200);
    for wrong in [json!({"verdict": "meh"}), json!({}), json!({"verdict": "up", "stars": 5})] {
        assert_eq!(say(&anna, wrong.clone()).status, 400, "{wrong}");
    }
    let long = json!({"verdict": "down", "reason": "x".repeat(10_001)});
    assert_eq!(say(&anna, long).json()["error"]["param"], "reason");
    let own = given.json()["receipt"]["index"].clone();
    let about_itself = format!("/api/receipts/{own}/feedback");
    let answer = server.client_with(&anna).post(&about_itself, &json!({"verdict": "up"}));
    assert_eq!(answer.json()["error"]["code"], "no_answer");

    let records = house.desk.feedback(Some("t")).unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].question.as_deref(), Some(WASTE_QUESTION));
    assert_eq!(records[0].correction.as_deref(), Some("CHF 2.50"));
    assert_eq!(records[0].reason.as_deref(), Some("alt"));
    assert!(house.desk.feedback(Some("other")).unwrap().is_empty());
    // The log and the auditor see that there was feedback, and none of its words.
    let shown = server.client_with(&auditor).get(&format!("/api/receipts/{own}"));
    assert_eq!(shown.json()["receipt"]["facts"]["feedback"]["verdict"], "down");
    assert!(!shown.text.contains("2.50") && !shown.text.contains("Kehricht"), "{}", shown.text);
}

#[test]
fn receipts_are_found_by_what_an_auditor_looks_for() {
    let house = House::new();
    let [user, auditor] = ["user", "auditor"].map(|role| house.key("t", &[], role));
    let server = house.serve();
    let client = server.client_with(&user);
    client.ask(WASTE_QUESTION);
    client.ask(LIBRARY_QUESTION);
    client.ask("Wer gewann 1987 die Tour de Suisse?");
    client.post("/api/receipts/0/feedback", &json!({"verdict": "up"}));
    let auditor = server.client_with(&auditor);
    let found = |terms: &str| -> Vec<u64> {
        let page = auditor.get(&format!("/api/receipts?{terms}")).json();
        let receipts = page["receipts"].as_array().unwrap().clone();
        receipts.iter().map(|receipt| receipt["index"].as_u64().unwrap()).collect()
    };
    assert_eq!(found(""), [3, 2, 1, 0]);
    assert_eq!(found("outcome=answered&kind=ask"), [1, 0]);
    assert_eq!(found("outcome=refused"), [2]);
    assert_eq!(found("kind=feedback"), [3]);
    let policy = house.desk.policy().digest().to_owned();
    assert_eq!(found(&format!("policy={policy}")).len(), 4);
    let bare = policy.trim_start_matches("sha256:");
    assert_eq!(found(&format!("policy={}&before=2", &bare[..10])), [1, 0]);
    assert!(found("policy=other").is_empty());
    assert!(found("model=anything").is_empty(), "no model answered");
    let id = house.desk.ledger().read(1).unwrap().request.id;
    assert_eq!(found(&format!("id={id}")), [1]);
    assert_eq!(found("id=2"), [2]);
    let today = house.desk.ledger().read(0).unwrap().time.to_string()[..10].to_owned();
    assert_eq!(found(&format!("until={today}")).len(), 4);
    assert!(found("until=2020-01-01").is_empty());
    assert_eq!(found("from=2020-01-01&outcome=&model=").len(), 4, "a blank says nothing");
    let wrong = auditor.get("/api/receipts?from=yesterday");
    assert_eq!((wrong.status, &wrong.json()["error"]["param"]), (400, &json!("from")));
    assert_eq!(auditor.get("/api/receipts?colour=red").status, 400);
}

#[test]
fn an_export_proves_each_of_its_receipts_and_holds_no_words() {
    let house = House::new();
    let [user, auditor, other] = [("t", "user"), ("t", "auditor"), ("other", "auditor")]
        .map(|(tenant, role)| house.key(tenant, &[], role));
    let server = house.serve();
    server.client_with(&user).ask(WASTE_QUESTION);
    server.client_with(&user).ask(LIBRARY_QUESTION);
    let all = server.client_with(&auditor).get("/api/receipts/export?outcome=answered");
    assert!(!all.text.contains("Kehricht") && !all.text.contains("library is"), "{}", all.text);
    let exported = lines(&all.text);
    assert_eq!(exported.len(), 2);
    for line in &exported {
        let text = |field: &str| line[field].as_str().unwrap();
        let proven =
            allod_ledger::check_proof(text("proof"), text("vkey"), text("entry").as_bytes());
        assert_eq!(Some(proven.unwrap().index), line["index"].as_u64());
    }
    let one = lines(&server.client_with(&auditor).get("/api/receipts/export?last=1").text);
    assert_eq!(one.len(), 1);
    let none = server.client_with(&other).get("/api/receipts/export");
    assert_eq!((none.status, none.text.as_str()), (200, ""), "another tenant's are not there");
    assert_eq!(server.client_with(&user).get("/api/receipts/export").status, 403);
}
