//! Several answers to one request, and how likely their tokens are.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use common::{House, Server, events, named_events};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const TEXT: &str = "/v1/completions";
const RESPONSE: &str = "/v1/responses";

/// One server for all tests here: nothing in them depends on what others did.
fn shared() -> &'static (House, Server) {
    static SHARED: OnceLock<(House, Server)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let house = House::with_models();
        let server = house.serve();
        (house, server)
    })
}

fn chat(extra: Value) -> Value {
    with(
        json!({"model": "tiny", "max_tokens": 8, "temperature": 1, "seed": 3,
                "messages": [{"role": "user", "content": "ab"}]}),
        extra,
    )
}

fn text(extra: Value) -> Value {
    with(
        json!({"model": "tiny", "max_tokens": 8, "temperature": 1, "seed": 3, "prompt": "ab"}),
        extra,
    )
}

fn with(mut body: Value, extra: Value) -> Value {
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

fn ok(path: &str, body: &Value) -> Value {
    let answer = shared().1.client().post(path, body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn chunks(path: &str, body: &Value) -> Vec<Value> {
    let body = with(body.clone(), json!({"stream": true}));
    let answer = shared().1.client().post(path, &body);
    let mut sent = events(&answer.text);
    assert_eq!(sent.pop().unwrap(), "[DONE]", "{}", answer.text);
    sent.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

/// What each answer of a stream says, its scored tokens, and why it ended.
fn put_together(chunks: &[Value], text: &str) -> BTreeMap<u64, (String, Vec<Value>, Value)> {
    let mut answers: BTreeMap<u64, (String, Vec<Value>, Value)> = BTreeMap::new();
    for choice in chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap()) {
        let answer = answers.entry(choice["index"].as_u64().unwrap()).or_default();
        answer.0 += choice.pointer(text).and_then(Value::as_str).unwrap_or_default();
        let scored = choice["logprobs"]["content"].as_array();
        answer.1.extend(scored.into_iter().flatten().cloned());
        assert!(answer.2.is_null(), "nothing comes after the end");
        answer.2 = choice["finish_reason"].clone();
    }
    answers
}

#[test]
fn a_stream_of_several_answers_is_what_comes_whole() {
    let body = chat(json!({"n": 3, "logprobs": true, "top_logprobs": 2}));
    let whole = ok(CHAT, &body);
    let answers = put_together(&chunks(CHAT, &body), "/delta/content");
    assert_eq!(answers.len(), 3);
    for choice in whole["choices"].as_array().unwrap() {
        let (text, scores, reason) = &answers[&choice["index"].as_u64().unwrap()];
        assert_eq!(choice["message"]["content"], *text);
        assert_eq!(choice["logprobs"]["content"], json!(scores));
        assert_eq!(choice["finish_reason"], *reason);
        for token in scores {
            assert_eq!(token["top_logprobs"].as_array().unwrap().len(), 2);
            assert!(token["logprob"].as_f64().unwrap() < 0.0, "{token}");
            let best = token["top_logprobs"][0]["logprob"].as_f64().unwrap();
            assert!(best >= token["logprob"].as_f64().unwrap());
        }
    }
    let alone = ok(CHAT, &chat(json!({"n": 1})));
    let content = |value: &Value| value["choices"][0]["message"]["content"].clone();
    assert_eq!(content(&alone), content(&whole), "the first answer is what one alone would be");
    assert!(alone["choices"][0]["logprobs"].is_null());
    assert!(
        whole["usage"]["completion_tokens"].as_u64() > alone["usage"]["completion_tokens"].as_u64()
    );
}

#[test]
fn several_answers_are_all_in_the_receipt() {
    let house = &shared().0;
    let whole = ok(CHAT, &chat(json!({"n": 2, "best_of": 3})));
    let receipt =
        house.desk.ledger().read(whole["allod"]["receipt"]["index"].as_u64().unwrap()).unwrap();
    let kept = |commitment: &str| {
        let payload = house.desk.store().payload(commitment).unwrap().unwrap();
        serde_json::from_str::<Value>(&payload.content).unwrap()
    };
    let answers = kept(receipt.answer_commitment.as_deref().unwrap());
    let told: Vec<&Value> = whole["choices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|choice| &choice["message"]["content"])
        .collect();
    assert_eq!(answers.as_array().unwrap().iter().collect::<Vec<_>>(), told);
    let asked = kept(&receipt.prompt_commitment);
    assert_eq!((&asked["n"], &asked["best_of"]), (&json!(2), &json!(3)));
    assert_eq!(receipt.limits["answer_choices_max"], 8);
    assert_eq!(json!(receipt.tokens.completion), whole["usage"]["completion_tokens"]);
}

#[test]
fn a_text_says_how_likely_it_was() {
    let body = text(json!({"logprobs": 1, "n": 2}));
    let whole = ok(TEXT, &body);
    for choice in whole["choices"].as_array().unwrap() {
        let scores = &choice["logprobs"];
        let tokens = scores["tokens"].as_array().unwrap();
        let said: String = tokens.iter().map(|token| token.as_str().unwrap()).collect();
        // Special tokens are told as they are spelled, and are no text.
        let said = ["<s>", "<unk>"].iter().fold(said, |said, special| said.replace(special, ""));
        assert_eq!(said.trim_start(), choice["text"].as_str().unwrap().trim_start());
        for (token, top) in tokens.iter().zip(scores["top_logprobs"].as_array().unwrap()) {
            assert!(top.get(token.as_str().unwrap()).is_some(), "{top}");
        }
        assert_eq!(scores["text_offset"][0], 0);
    }
    let streamed = chunks(TEXT, &body);
    for index in 0..2 {
        let offsets = streamed
            .iter()
            .flat_map(|chunk| chunk["choices"].as_array().unwrap())
            .filter(|choice| choice["index"] == index)
            .flat_map(|choice| {
                choice["logprobs"]["text_offset"].as_array().cloned().unwrap_or_default()
            });
        let offsets: Vec<Value> = offsets.collect();
        assert_eq!(json!(offsets), whole["choices"][index]["logprobs"]["text_offset"]);
    }
    let echo = chunks(TEXT, &text(json!({"n": 2, "echo": true})));
    let answers = put_together(&echo, "/text");
    assert!(answers.values().all(|(text, ..)| text.starts_with("ab")), "{answers:?}");
}

#[test]
fn the_best_of_several_is_the_likeliest() {
    let mean = |choice: &Value| {
        let scores = choice["logprobs"]["token_logprobs"].as_array().unwrap();
        scores.iter().map(|score| score.as_f64().unwrap()).sum::<f64>() / scores.len() as f64
    };
    let best = ok(TEXT, &text(json!({"best_of": 4, "logprobs": 0})));
    let all = ok(TEXT, &text(json!({"n": 4, "logprobs": 0})));
    let means = all["choices"].as_array().unwrap().iter().map(mean);
    let likeliest = means.fold(f64::NEG_INFINITY, f64::max);
    assert!((mean(&best["choices"][0]) - likeliest).abs() < 1e-6, "{best}");
    assert_eq!(best["usage"]["completion_tokens"], all["usage"]["completion_tokens"]);
}

#[test]
fn a_response_includes_how_likely_it_was() {
    let body = json!({"model": "tiny", "input": "ab", "max_output_tokens": 5, "top_logprobs": 1,
                      "include": ["message.output_text.logprobs"]});
    let whole = ok(RESPONSE, &body);
    let scores = whole["output"][0]["content"][0]["logprobs"].clone();
    assert_eq!(scores.as_array().unwrap().len() as u64, whole["usage"]["output_tokens"]);
    assert_eq!(whole["top_logprobs"], 1);
    let streamed = with(body, json!({"stream": true}));
    let sent = named_events(&shared().1.client().post(RESPONSE, &streamed).text);
    let of = |name: &str| {
        let events = sent.iter().filter(|(event, _)| event == name);
        let scores = events.flat_map(|(_, data)| data["logprobs"].as_array().unwrap().clone());
        Value::Array(scores.collect())
    };
    assert_eq!(of("response.output_text.delta"), scores);
    assert_eq!(of("response.output_text.done"), scores);
    let plain = ok(RESPONSE, &json!({"model": "tiny", "input": "ab", "max_output_tokens": 5}));
    assert_eq!(plain["output"][0]["content"][0]["logprobs"], json!([]));
}

#[test]
fn more_answers_than_the_policy_allows_are_refused_by_name() {
    for (path, body, param) in [
        (CHAT, chat(json!({"n": 9})), "n"),
        (CHAT, chat(json!({"n": 2, "best_of": 9})), "best_of"),
        (TEXT, text(json!({"best_of": 129})), "best_of"),
        (TEXT, text(json!({"best_of": 2, "stream": true})), "best_of"),
        (
            CHAT,
            chat(json!({"model": "allod/documents", "temperature": 0, "max_tokens": 512, "n": 2})),
            "n",
        ),
    ] {
        let answer = shared().1.client().post(path, &body);
        assert_eq!(
            (answer.status, &answer.json()["error"]["param"]),
            (400, &json!(param)),
            "{body}"
        );
    }
}
