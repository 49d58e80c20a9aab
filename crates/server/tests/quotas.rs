//! How much a tenant may use: requests in a minute, tokens in a day.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::{Answer, Client, House, LIBRARY_QUESTION};
use serde_json::json;

const POLICY: &str = "logging: {citations: optional}\nquotas:\n  - requests_per_minute: 3\n  \
                      - tenants: [budget]\n    tokens_per_day: 20\n  - tenants: [free]\n    \
                      requests_per_minute: 1000000\n";

fn ask(client: &Client) -> Answer {
    client.post("/api/ask", &json!({"question": LIBRARY_QUESTION}))
}

fn write(client: &Client, stream: bool) -> Answer {
    let body = json!({"model": "tiny", "prompt": "ab", "max_tokens": 6, "stream": stream,
                      "logit_bias": {"2": -100}});
    client.post("/v1/completions", &body)
}

fn seconds(answer: &Answer) -> u64 {
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[test]
fn a_tenant_that_asks_too_often_is_told_when_there_is_room_and_no_other_notices() {
    let house = House::with_policy(Some(POLICY));
    let keys = ["a", "a", "b", "free"].map(|tenant| house.key(tenant, &[], "user"));
    let server = house.serve();
    let [one, colleague, other, free] = keys.map(|key| server.client_with(&key));
    let asked = [&one, &colleague, &one, &colleague, &one].map(ask);
    let taken = asked.iter().take_while(|answer| answer.status == 200).count();
    assert_eq!(taken, 3, "the keys of a tenant count together");
    for answer in &asked[taken..] {
        assert_eq!((answer.status, answer.error_code().as_str()), (429, "rate_limit_exceeded"));
        assert!((1..=60).contains(&seconds(answer)), "{:?}", answer.headers);
    }
    assert_eq!(one.get("/api/receipts").status, 200, "what runs no model does not count");
    for client in [&other, &free] {
        assert_eq!(ask(client).status, 200);
    }
    assert_eq!([&free; 4].map(|client| ask(client).status), [200; 4]);
}

#[test]
fn the_tokens_of_a_day_are_counted_across_restarts_and_tenants_apart() {
    let house = House::with_models_and_policy(POLICY);
    let keys = ["budget", "free"].map(|tenant| house.key(tenant, &[], "user"));
    let mut written = 0;
    // Each time another server: what was used is kept in the data folder.
    let spent = loop {
        let server = house.serve();
        let answer = write(&server.client_with(&keys[0]), written % 2 == 1);
        if answer.status != 200 {
            break answer;
        }
        written += 1;
        assert!(written < 10, "a budget without end");
    };
    assert!(written >= 2, "{}", spent.text);
    assert_eq!((spent.status, spent.error_code().as_str()), (429, "insufficient_quota"));
    assert!((1..=86_400).contains(&seconds(&spent)));
    assert!(spent.text.contains("20 tokens a day"), "{}", spent.text);
    let server = house.serve();
    assert_eq!(write(&server.client_with(&keys[1]), false).status, 200);
    assert_eq!(write(&server.client_with(&keys[0]), true).status, 429, "a stream counts as well");
}
