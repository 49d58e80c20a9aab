//! What one tenant can find out of another, each test named for where others let it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::{Answer, Client, House, SECRET_QUESTION, Server, WASTE_QUESTION};
use serde_json::{Value, json};

/// Nothing else here has this name.
const VICTIM: &str = "quarry";

/// A house whose every answer a person approves, and what the victim left in it.
struct Scene {
    house: House,
    server: Server,
    review: String,
    /// Who asked, as records name them.
    subject: String,
}

impl Scene {
    fn new() -> Scene {
        let policy = "logging:\n  citations: optional\n  human_review: required_for_all\n";
        let house = House::with_policy(Some(policy));
        let key = house.key(VICTIM, &["confidential"], "reviewer");
        let server = house.serve();
        let victim = server.client_with(&key);
        victim.ask(SECRET_QUESTION);
        let review = victim.ask(WASTE_QUESTION)["review"].as_str().unwrap().to_owned();
        house.desk.ledger().publish().unwrap();
        let subject = victim.get("/api/status").json()["caller"]["subject"].clone();
        Scene { house, server, review, subject: subject.as_str().unwrap().to_owned() }
    }

    fn stranger(&self, role: &str) -> Client {
        self.server.client_with(&self.house.key("other", &[], role))
    }

    /// That the answer says nothing that only the victim knows.
    fn check(&self, path: &str, answer: &Answer) {
        let words = [VICTIM, "Kehricht", "123456", "2.40", "arbour", &self.review, &self.subject];
        for word in words {
            assert!(!answer.text.contains(word), "{path} tells {word}: {}", answer.text);
        }
    }
}

const ROLES: [&str; 4] = ["user", "reviewer", "auditor", "monitor"];

#[test]
fn ragflow_15027_records_of_another_tenant_cannot_be_had_by_their_number() {
    let scene = Scene::new();
    for role in ROLES {
        let stranger = scene.stranger(role);
        for (path, absent) in [
            ("/api/receipts/1", "/api/receipts/999"),
            ("/api/receipts/1/verify", "/api/receipts/999/verify"),
            ("/api/receipts/1/proof", "/api/receipts/999/proof"),
            (&format!("/api/reviews/{}", scene.review), "/api/reviews/000000000000"),
            ("/ledger/tile/entries/000.p/2", "/ledger/tile/entries/000.p/99"),
        ] {
            let (hidden, absent) = (stranger.get(path), stranger.get(absent));
            assert!(matches!(hidden.status, 403 | 404), "{path} as {role}: {}", hidden.text);
            assert_eq!((hidden.status, &hidden.text), (absent.status, &absent.text), "{path}");
        }
        let resolve = format!("/api/reviews/{}/resolve", scene.review);
        let answer = stranger.post(&resolve, &json!({"verdict": "approve"}));
        assert!(matches!(answer.status, 403 | 404), "{}", answer.text);
        let feedback = |index: u64| {
            let path = format!("/api/receipts/{index}/feedback");
            stranger.post(&path, &json!({"verdict": "up"}))
        };
        let (hidden, absent) = (feedback(1), feedback(999));
        assert!(matches!(hidden.status, 403 | 404), "{}", hidden.text);
        assert_eq!((hidden.status, &hidden.text), (absent.status, &absent.text));
    }
    let operator = scene.house.key("other", &["confidential"], "operator");
    assert_eq!(scene.server.client_with(&operator).get("/api/receipts/1").status, 200);
}

#[test]
fn ragflow_15267_a_document_cannot_be_looked_at_by_its_digest() {
    let scene = Scene::new();
    let digest = scene.house.digest_of("harbour.md");
    let stranger = scene.stranger("user");
    let hidden = stranger.get(&format!("/api/documents/{digest}"));
    let absent = stranger.get(&format!("/api/documents/sha256:{}", "0".repeat(64)));
    assert_eq!((hidden.status, &hidden.text), (404, &absent.text));
    let listed = stranger.get("/api/documents?limit=1000");
    assert!(!listed.text.contains("arbour"), "{}", listed.text);
    for role in ["auditor", "monitor"] {
        let public = scene.house.digest_of("abfall.md");
        let answer = scene.stranger(role).get(&format!("/api/documents/{public}"));
        assert_eq!(answer.status, 403, "{}", answer.text);
    }
}

#[test]
fn ragflow_15268_15269_no_list_and_no_message_tells_of_another_tenant() {
    let scene = Scene::new();
    for role in ROLES {
        let stranger = scene.stranger(role);
        for path in [
            "/api/receipts",
            "/api/receipts?last=200&before=99",
            "/api/receipts?outcome=human_review&kind=ask",
            "/api/receipts?id=1",
            "/api/receipts/export",
            "/api/receipts/export?policy=sha256:",
            "/api/receipts/0",
            "/api/receipts/x",
            "/api/reviews",
            "/api/reviews?state=open",
            "/api/history",
            "/api/status",
            "/api/ledger/verify",
            "/ledger/checkpoint",
            "/ledger/tile/entries/000.p/1",
            "/v1/models",
            "/v1/models/quarry-adapter",
            "/metrics",
        ] {
            let answer = stranger.get(path);
            // What was asked for may be repeated.
            if !path.contains(VICTIM) {
                scene.check(path, &answer);
            }
        }
        let body = json!({"model": "nothing", "messages": [{"role": "user", "content": "x"}]});
        scene.check("chat", &stranger.post("/v1/chat/completions", &body));
    }
    // Nor does a whole answer to the same question: it is made again, and is this tenant's own.
    let own = scene.stranger("user").ask(WASTE_QUESTION);
    assert_ne!(own["review"], json!(scene.review));
}

#[test]
fn vllm_53347_no_request_says_itself_whose_kept_prompts_it_may_use() {
    let house = House::with_models();
    let key = house.key("other", &[], "user");
    let server = house.serve();
    let client = server.client_with(&key);
    for (path, field) in [("/v1/completions", "prompt"), ("/v1/chat/completions", "messages")] {
        for name in ["cache_salt", "tenant", "prefix_cache"] {
            let mut body = json!({"model": "tiny", "max_tokens": 1, name: VICTIM});
            body[field] = match field {
                "prompt" => json!("ab"),
                _ => json!([{"role": "user", "content": "ab"}]),
            };
            let answer = client.post(path, &body);
            assert_eq!(answer.status, 400, "{}", answer.text);
            assert_eq!(answer.json()["error"]["param"], name);
        }
    }
    // The field that clients send to name a user has no effect.
    let body = json!({"model": "tiny", "max_tokens": 1, "user": VICTIM,
                      "messages": [{"role": "user", "content": "ab"}]});
    let answer = client.post("/v1/chat/completions", &body).json();
    let index = answer["allod"]["receipt"]["index"].as_u64().unwrap();
    assert_eq!(house.desk.ledger().read(index).unwrap().request.tenant, "other");
}

#[test]
fn metrics_are_for_those_who_run_the_server_and_name_nobody() {
    let scene = Scene::new();
    for role in ["user", "reviewer"] {
        let answer = scene.stranger(role).get("/metrics");
        assert_eq!((answer.status, answer.error_code().as_str()), (403, "not_monitor"));
    }
    for role in ["auditor", "monitor", "operator"] {
        let page = scene.stranger(role).get("/metrics");
        assert_eq!(page.status, 200);
        scene.check("/metrics", &page);
    }
}

#[test]
fn onyx_2784_who_has_a_label_of_another_name_has_none() {
    let house = House::new();
    let server = house.serve();
    for labels in [vec![], vec![""], vec!["*"], vec!["Confidential"], vec!["confidential "]] {
        let client = server.client_with(&house.key("other", &labels, "user"));
        let reply: Value = client.ask(SECRET_QUESTION);
        assert!(!reply.to_string().contains("123456"), "{labels:?}: {reply}");
    }
}
