//! The numbers that dashboards for vLLM show, under a load whose numbers are known.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::collections::BTreeMap;

use common::{Client, House};
use serde_json::{Value, json};

const TEMPLATE: &str = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";

/// Each has one sample for a request.
const HISTOGRAMS: [&str; 9] = [
    "time_to_first_token_seconds",
    "request_queue_time_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
    "request_inference_time_seconds",
    "request_prompt_tokens",
    "request_generation_tokens",
    "request_params_n",
    "request_params_max_tokens",
];

/// The samples of the page by their names and labels, without those that all have.
fn samples(client: &Client) -> BTreeMap<String, f64> {
    let page = client.get("/metrics").text;
    let lines = page.lines().filter_map(|line| line.strip_prefix("vllm:"));
    let pairs = lines.map(|line| line.rsplit_once(' ').unwrap());
    let plain = |name: &str| name.replace("model_name=\"tiny\",engine=\"0\"", "");
    pairs.map(|(name, value)| (plain(name), value.parse().unwrap())).collect()
}

fn usage(client: &Client, body: Value) -> (f64, f64) {
    let answer = client.post("/v1/completions", &body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let usage = answer.json()["usage"].clone();
    (usage["prompt_tokens"].as_f64().unwrap(), usage["completion_tokens"].as_f64().unwrap())
}

#[test]
fn a_known_load_gives_the_numbers_that_it_must() {
    let house = House::with_writer(TEMPLATE, &[], &[]);
    let server = house.serve();
    let client = server.client();
    let before = samples(&client);
    for reason in ["stop", "length", "abort"] {
        assert_eq!(before[&format!("request_success_total{{,finished_reason=\"{reason}\"}}")], 0.0);
    }
    let long = "one two three ".repeat(20);
    let (mut read, mut written) = (0.0, 0.0);
    for body in [
        json!({"prompt": "ab", "max_tokens": 5, "guided_regex": "[a-z]{9}"}),
        json!({"prompt": "abc", "max_tokens": 7, "guided_regex": "[a-z]{9}", "n": 3}),
        json!({"prompt": long, "max_tokens": 2, "guided_regex": "[a-z]{9}"}),
        json!({"prompt": long, "max_tokens": 9, "guided_choice": ["yes"]}),
    ] {
        let mut body = body;
        body["model"] = json!("tiny");
        let (prompt, completion) = usage(&client, body);
        read += prompt;
        written += completion;
    }
    let after = samples(&client);
    let more = |name: &str| after[name] - before.get(name).copied().unwrap_or(0.0);
    for (name, expected) in [
        ("prompt_tokens_total{}", read),
        ("generation_tokens_total{}", written),
        // Three answers are three sequences, each of which looks its prompt up.
        ("request_success_total{,finished_reason=\"length\"}", 5.0),
        ("request_success_total{,finished_reason=\"stop\"}", 1.0),
        ("request_success_total{,finished_reason=\"abort\"}", 0.0),
        ("request_prompt_tokens_sum{}", read),
        ("request_generation_tokens_sum{}", written),
        ("request_params_max_tokens_sum{}", 23.0),
        ("request_params_n_sum{}", 6.0),
        ("num_requests_running{}", 0.0),
        ("num_requests_waiting{}", 0.0),
        ("kv_cache_usage_perc{}", 0.0),
        ("num_preemptions_total{}", 0.0),
        ("corrupted_requests_total{}", 0.0),
        ("admission_rejections_total{}", 0.0),
    ] {
        assert_eq!(more(name), expected, "{name}");
    }
    for name in HISTOGRAMS {
        assert_eq!(more(&format!("{name}_count{{}}")), 4.0, "{name}");
        assert_eq!(more(&format!("{name}_bucket{{,le=\"+Inf\"}}")), 4.0, "{name}");
    }
    // The long prompt came twice: but for its last part it had been computed.
    let hits = more("prefix_cache_hits_total{}");
    assert!(hits > long.len() as f64 / 2.0 && hits < long.len() as f64, "{hits}");
    let queue_and_run =
        more("request_queue_time_seconds_sum{}") + more("request_inference_time_seconds_sum{}");
    assert!(queue_and_run <= more("e2e_request_latency_seconds_sum{}") + 1e-3, "{queue_and_run}");
    let inference = more("request_inference_time_seconds_sum{}");
    let parts =
        more("request_prefill_time_seconds_sum{}") + more("request_decode_time_seconds_sum{}");
    assert!((inference - parts).abs() < 1e-3, "{inference} {parts}");
}
