//! The interfaces to the models themselves, with tiny models behind the desk.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::sync::OnceLock;

use allod_ledger::receipt::{Outcome, RequestKind};
use common::{Answer, Client, House, Server, WASTE_QUESTION, events, named_events};
use serde_json::{Value, json};

/// One server for all tests here: nothing in them depends on what others did.
fn shared() -> &'static (House, Server) {
    static SHARED: OnceLock<(House, Server)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let house = House::with_models();
        let server = house.serve();
        (house, server)
    })
}

fn client() -> Client {
    shared().1.client()
}

fn post(path: &str, body: Value) -> Answer {
    client().post(path, &body)
}

fn ok(path: &str, body: Value) -> Value {
    let answer = post(path, body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn kind_of(extension: &Value) -> RequestKind {
    let index = extension["receipt"]["index"].as_u64().unwrap();
    let receipt = shared().0.desk.ledger().read(index).unwrap();
    assert_eq!(receipt.outcome, Outcome::Answered);
    assert!(receipt.model.is_some());
    receipt.request.kind
}

#[test]
fn the_models_are_listed_by_name_and_each_does_its_own_work() {
    let listed = client().get("/v1/models").json();
    let names: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["allod/documents", "tiny", "embedder", "ranker"]);
    for (path, body) in [
        ("/v1/chat/completions", json!({"messages": [{"role": "user", "content": "a"}]})),
        ("/v1/completions", json!({"prompt": "a"})),
        ("/v1/responses", json!({"input": "a"})),
        (
            "/v1/messages",
            json!({"max_tokens": 600, "messages": [{"role": "user", "content": "a"}]}),
        ),
        ("/v1/rerank", json!({"query": "a", "documents": ["b"]})),
    ] {
        let mut body = body;
        body["model"] = json!("embedder");
        assert_eq!(post(path, body).status, 404, "{path}");
    }
    assert_eq!(post("/v1/embeddings", json!({"model": "tiny", "input": "a"})).status, 404);
}

#[test]
fn a_text_goes_on_and_its_stream_is_the_same_text() {
    let body = json!({"model": "tiny", "prompt": "ab a", "max_tokens": 6});
    let value = ok("/v1/completions", body.clone());
    assert_eq!(value["object"], "text_completion");
    let choice = &value["choices"][0];
    let reason = choice["finish_reason"].as_str().unwrap();
    assert!(matches!(reason, "length" | "stop"), "{value}");
    assert_eq!(kind_of(&value["allod"]), RequestKind::Generate);
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    streamed["echo"] = json!(true);
    streamed["stream_options"] = json!({"include_usage": true});
    let answer = post("/v1/completions", streamed);
    let mut sent = events(&answer.text);
    assert_eq!(sent.pop().unwrap(), "[DONE]");
    let chunks: Vec<Value> = sent.iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    let text: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert_eq!(text, format!("ab a{}", choice["text"].as_str().unwrap()));
    let (usage, rest) = chunks.split_last().unwrap();
    assert_eq!(usage["usage"]["total_tokens"], value["usage"]["total_tokens"]);
    assert!(rest.iter().all(|chunk| chunk["usage"].is_null()));
    assert_eq!(rest.last().unwrap()["choices"][0]["finish_reason"], reason);
}

#[test]
fn tokens_are_a_prompt_as_the_text_is_that_they_are_of() {
    let tokens = ok("/tokenize", json!({"prompt": "ab a"}));
    assert_eq!(
        tokens["count"].as_u64().unwrap() as usize,
        tokens["tokens"].as_array().unwrap().len()
    );
    assert_eq!(tokens["max_model_len"], 512);
    assert!(tokens["token_strs"].is_null());
    let complete = |prompt: &Value| {
        let value = ok("/v1/completions", json!({"model": "tiny", "prompt": prompt}));
        value["choices"][0]["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(complete(&tokens["tokens"]), complete(&json!("ab a")));
    let echo = json!({"model": "tiny", "prompt": [4, 5], "echo": true, "max_tokens": 0});
    assert_eq!(ok("/v1/completions", echo)["choices"][0]["text"], "ab");
    let strange = post("/v1/completions", json!({"model": "tiny", "prompt": [4, 99]}));
    assert_eq!((strange.status, &strange.json()["error"]["param"]), (400, &json!("prompt")));
}

#[test]
fn text_becomes_tokens_and_text_again() {
    let value =
        ok("/tokenize", json!({"model": "tiny", "prompt": "ab", "return_token_strs": true}));
    assert_eq!(value["tokens"][0], 1, "the text begins with a token of its own");
    assert_eq!(value["token_strs"][0], "<s>");
    let bare = ok("/tokenize", json!({"prompt": "ab", "add_special_tokens": false}));
    assert_eq!(bare["count"].as_u64().unwrap() + 1, value["count"].as_u64().unwrap());
    let text = ok("/detokenize", json!({"tokens": value["tokens"]}));
    assert_eq!(text["prompt"].as_str().unwrap().replace(' ', ""), "<s>ab");
    let messages = json!([{"role": "user", "content": "ab"}]);
    let chat = ok("/tokenize", json!({"messages": messages}));
    let counted = ok("/v1/messages/count_tokens", json!({"model": "tiny", "messages": messages}));
    assert_eq!(counted["input_tokens"], chat["count"]);
    for (body, param) in [
        (json!({}), "prompt"),
        (json!({"prompt": "a", "messages": messages}), "prompt"),
        (json!({"messages": messages, "add_generation_prompt": false}), "add_generation_prompt"),
        (json!({"prompt": "a", "model": "other"}), "model"),
    ] {
        assert_eq!(post("/tokenize", body.clone()).json()["error"]["param"], param, "{body}");
    }
    assert_eq!(post("/detokenize", json!({"tokens": [99]})).status, 400);
    assert_eq!(post("/tokenize", json!({"prompt": "a", "surprise": 1})).status, 400);
}

#[test]
fn a_chat_streams_what_it_says_whole() {
    let body = json!({"model": "tiny", "max_tokens": 5, "temperature": 1, "seed": 3,
                      "messages": [{"role": "user", "content": "ab"}]});
    let value = ok("/v1/chat/completions", body.clone());
    assert_eq!(kind_of(&value["allod"]), RequestKind::Chat);
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let answer = post("/v1/chat/completions", streamed);
    let sent = events(&answer.text);
    let chunks: Vec<Value> =
        sent[..sent.len() - 1].iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    let text: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, value["choices"][0]["message"]["content"].as_str().unwrap());
}

#[test]
fn a_response_and_its_events_say_the_same() {
    let body = json!({"model": "tiny", "input": "ab", "instructions": "a",
                      "max_output_tokens": 5, "metadata": {"k": "v"}});
    let value = ok("/v1/responses", body.clone());
    assert_eq!(value["object"], "response");
    assert_eq!(value["metadata"], json!({"k": "v"}));
    let content = &value["output"][0]["content"][0];
    assert_eq!(content["type"], "output_text");
    assert_eq!(kind_of(&value["allod"]), RequestKind::Chat);
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let sent = named_events(&post("/v1/responses", streamed).text);
    let numbers: Vec<u64> =
        sent.iter().map(|(_, data)| data["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..sent.len() as u64).collect::<Vec<u64>>());
    assert!(sent.iter().all(|(name, data)| data["type"] == *name));
    let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    let opening = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ];
    assert_eq!(names[..4], opening);
    let deltas: String = sent.iter().filter_map(|(_, data)| data["delta"].as_str()).collect();
    assert_eq!(deltas, content["text"].as_str().unwrap());
    let (last, response) = sent.last().unwrap();
    assert_eq!(last, &format!("response.{}", value["status"].as_str().unwrap()));
    let total = |response: &Value| response["usage"]["total_tokens"].clone();
    assert_eq!(total(&response["response"]), total(&value));
    let kept = post(
        "/v1/responses",
        json!({"model": "tiny", "input": "a",
                                            "previous_response_id": "resp_1"}),
    );
    assert_eq!(kept.json()["error"]["param"], "previous_response_id");
}

#[test]
fn a_message_and_its_events_say_the_same() {
    let body = json!({"model": "tiny", "max_tokens": 5, "system": "a",
                      "messages": [{"role": "user", "content": "ab"}]});
    let value = ok("/v1/messages", body.clone());
    assert_eq!((&value["type"], &value["role"]), (&json!("message"), &json!("assistant")));
    assert_eq!(kind_of(&value["allod"]), RequestKind::Chat);
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let sent = named_events(&post("/v1/messages", streamed).text);
    let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["message_start", "content_block_start"]);
    let ending = ["content_block_stop", "message_delta", "message_stop"];
    assert_eq!(names[names.len() - 3..], ending);
    let read = |usage: &Value| {
        usage["input_tokens"].as_u64().unwrap() + usage["cache_read_input_tokens"].as_u64().unwrap()
    };
    assert!(read(&value["usage"]) > 0);
    assert_eq!(read(&sent[0].1["message"]["usage"]), read(&value["usage"]));
    let text: String = sent.iter().filter_map(|(_, data)| data["delta"]["text"].as_str()).collect();
    assert_eq!(text, value["content"][0]["text"].as_str().unwrap());
    let (_, last) = &sent[sent.len() - 2];
    assert_eq!(last["delta"]["stop_reason"], value["stop_reason"]);
    assert!(last["allod"]["receipt"]["index"].is_u64());
}

#[test]
fn a_message_says_which_stop_text_ended_it() {
    let whole = json!({"model": "tiny", "max_tokens": 40, "temperature": 1, "seed": 1,
                       "messages": [{"role": "user", "content": "ab"}]});
    let text = ok("/v1/messages", whole.clone())["content"][0]["text"].as_str().unwrap().to_owned();
    let stop: String = text.chars().skip(text.chars().count() / 2).take(1).collect();
    assert!(!stop.is_empty(), "the model wrote {text:?}");
    let mut stopped = whole;
    stopped["stop_sequences"] = json!(["never", stop]);
    let value = ok("/v1/messages", stopped);
    assert_eq!(value["stop_reason"], "stop_sequence", "{value}");
    assert_eq!(value["stop_sequence"], stop);
    assert!(!value["content"][0]["text"].as_str().unwrap().contains(&stop));
}

#[test]
fn the_documents_answer_through_every_interface_for_conversations() {
    let house = House::new();
    let server = house.serve();
    let post = |path: &str, body: Value| server.client().post(path, &body);
    let response =
        post("/v1/responses", json!({"model": "allod/documents", "input": WASTE_QUESTION})).json();
    let text = response["output"][0]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("2.40"), "{text}");
    assert_eq!(response["allod"]["citations"].as_array().unwrap().len(), 1);
    let asked = json!({"model": "allod/documents", "max_tokens": 4_000, "stream": true,
                       "messages": [{"role": "user", "content": WASTE_QUESTION}]});
    let sent = named_events(&post("/v1/messages", asked).text);
    let text: String = sent.iter().filter_map(|(_, data)| data["delta"]["text"].as_str()).collect();
    assert!(text.contains("2.40"), "{text}");
    let plain = post(
        "/v1/completions",
        json!({"model": "allod/documents", "prompt": "a",
                                               "max_tokens": 4_000}),
    );
    assert_eq!((plain.status, &plain.json()["error"]["param"]), (400, &json!("model")));
}

#[test]
fn every_family_is_told_of_a_problem_in_its_own_words() {
    let message = post(
        "/v1/messages",
        json!({"model": "tiny", "max_tokens": 5, "tools": {},
                                              "messages": [{"role": "user", "content": "a"}]}),
    );
    assert_eq!(message.status, 400);
    let body = message.json();
    assert_eq!(body["type"], "error");
    assert_eq!(body["error"]["type"], "invalid_request_error");
    assert!(body["error"]["message"].as_str().unwrap().contains("`tools`"));
    assert_eq!(body["request_id"].as_str(), message.header("request-id"));
    let no_key = client().post_with(
        "/v1/messages",
        "{}",
        &[("content-type", "application/json"), ("x-api-key", "allod_no_such")],
    );
    assert_eq!(
        (no_key.status, &no_key.json()["error"]["type"]),
        (401, &json!("authentication_error"))
    );
    let ranked = post("/v1/rerank", json!({"model": "ranker", "query": "", "documents": ["a"]}));
    assert_eq!(ranked.json()["message"], ranked.json()["error"]["message"]);
    let named = client().post_with(
        "/v1/embeddings",
        "{}",
        &[("content-type", "application/json"), ("x-request-id", "mine-1")],
    );
    assert_eq!(named.header("x-request-id"), Some("mine-1"));
    assert!(named.json()["type"].is_null());
}

#[test]
fn a_key_of_anthropics_header_is_a_key() {
    let (house, server) = shared();
    let key = house.key("elsewhere", &[], "user");
    let body = json!({"model": "tiny", "max_tokens": 2,
                      "messages": [{"role": "user", "content": "a"}]});
    let headers = [("content-type", "application/json"), ("x-api-key", key.as_str())];
    let answer = server.client().post_with("/v1/messages", &body.to_string(), &headers);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let index = answer.json()["allod"]["receipt"]["index"].as_u64().unwrap();
    assert_eq!(house.desk.ledger().read(index).unwrap().request.tenant, "elsewhere");
}

#[test]
fn vectors_come_as_numbers_or_as_base64_and_are_the_same() {
    let body = json!({"model": "embedder", "input": ["ab", "a b", "ab"], "dimensions": 8});
    let value = ok("/v1/embeddings", body.clone());
    let data = value["data"].as_array().unwrap();
    assert_eq!(data.len(), 3);
    let vector: Vec<f32> = serde_json::from_value(data[0]["embedding"].clone()).unwrap();
    assert_eq!(vector.len(), 8);
    assert_eq!(data[0]["embedding"], data[2]["embedding"]);
    assert!(value["usage"]["total_tokens"].as_u64().unwrap() > 3);
    assert_eq!(kind_of(&value["allod"]), RequestKind::Embed);
    let mut packed = body.clone();
    packed["encoding_format"] = json!("base64");
    let packed = ok("/v1/embeddings", packed);
    let text = packed["data"][0]["embedding"].as_str().unwrap();
    assert_eq!(text.len(), (8_usize * 4).div_ceil(3) * 4);
    let asked = json!({"model": "embedder", "input": "ab", "input_type": "query"});
    assert_ne!(ok("/v1/embeddings", asked)["data"][0]["embedding"], data[0]["embedding"]);
    for (name, wrong) in [("dimensions", json!(4)), ("input", json!([1])), ("user_agent", json!(1))]
    {
        let mut body = body.clone();
        body[name] = wrong;
        assert_eq!(post("/v1/embeddings", body).json()["error"]["param"], name);
    }
    let long = json!({"model": "embedder", "input": "ab ".repeat(900)});
    let long = post("/v1/embeddings", long);
    assert_eq!(long.status, 400, "{}", long.text);
}

#[test]
fn documents_are_ranked_best_first() {
    let documents = json!(["cat sat", {"text": "dog on mat"}, "a", "cat sat"]);
    let body = json!({"model": "ranker", "query": "cat", "documents": documents,
                      "return_documents": true});
    let value = ok("/v1/rerank", body.clone());
    let results = value["results"].as_array().unwrap();
    let scores: Vec<f64> =
        results.iter().map(|result| result["relevance_score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let mut indices: Vec<u64> = results.iter().map(|r| r["index"].as_u64().unwrap()).collect();
    let place = |index: u64| indices.iter().position(|found| *found == index).unwrap();
    assert_eq!(place(0) + 1, place(3), "equal texts stay in their order");
    let dog = place(1);
    assert_eq!(results[dog]["document"]["text"], "dog on mat");
    indices.sort_unstable();
    assert_eq!(indices, [0, 1, 2, 3]);
    assert_eq!(kind_of(&value["allod"]), RequestKind::Rerank);
    let mut best = body;
    best["top_n"] = json!(1);
    assert_eq!(ok("/v1/rerank", best)["results"].as_array().unwrap().len(), 1);
}

#[test]
fn the_record_of_a_text_can_be_read_again() {
    let value = ok("/v1/completions", json!({"model": "tiny", "prompt": "ab c", "max_tokens": 2}));
    let index = value["allod"]["receipt"]["index"].as_u64().unwrap();
    let receipt = client().get(&format!("/api/receipts/{index}")).json();
    assert_eq!(receipt["question"], "ab c");
    assert_eq!(receipt["answer"], value["choices"][0]["text"]);
}

#[test]
fn what_the_model_did_is_counted_under_the_names_of_vllm() {
    let body = json!({"model": "tiny", "prompt": "ab", "max_tokens": 30, "temperature": 1});
    ok("/v1/completions", body);
    let page = client().get("/metrics").text;
    for name in [
        "vllm:time_to_first_token_seconds_count",
        "vllm:inter_token_latency_seconds_bucket",
        "vllm:request_queue_time_seconds_sum",
        "vllm:request_prefill_time_seconds_sum",
        "vllm:request_decode_time_seconds_sum",
        "vllm:request_inference_time_seconds_sum",
        "vllm:request_prompt_tokens_sum",
        "vllm:request_generation_tokens_sum",
        "vllm:request_params_max_tokens_sum",
        "vllm:request_params_n_sum",
        "vllm:request_success_total",
        "vllm:kv_cache_usage_perc",
        "vllm:prefix_cache_queries_total",
        "vllm:prefix_cache_hits_total",
        "vllm:num_preemptions_total",
        "vllm:num_requests_running",
        "vllm:prompt_tokens_total",
    ] {
        let line = page.lines().find(|line| line.starts_with(&format!("{name}{{")));
        let line = line.unwrap_or_else(|| panic!("no {name} in\n{page}"));
        assert!(line.contains("model_name=\"tiny\",engine=\"0\""), "{line}");
    }
    assert!(page.contains("finished_reason="));
}

#[test]
fn a_bias_decides_what_is_written_and_a_tenant_reads_its_own_prompts_only() {
    let (house, server) = shared();
    let keys = [house.key("left", &[], "user"), house.key("right", &[], "user")];
    // The tiny model's page is as long as a prompt of this many tokens.
    let prompt = "ab a c ".repeat(40);
    let body = json!({"model": "tiny", "prompt": prompt, "max_tokens": 4,
                      "logit_bias": {"9": 100}, "frequency_penalty": 0.5});
    let mut cached = Vec::new();
    for key in [&keys[0], &keys[0], &keys[1]] {
        let answer = server.client_with(key).post("/v1/completions", &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let value = answer.json();
        assert_eq!(value["choices"][0]["text"], "cccc");
        cached.push(value["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap());
    }
    assert_eq!((cached[0], cached[2]), (0, 0), "nothing was computed for them before");
    assert!(cached[1] > 0, "{cached:?}");
}

#[test]
fn who_else_is_served_changes_nothing() {
    let asked = |seed: u64, tenant: &str| {
        let messages =
            json!([{"role": "user", "content": format!("ab {}", "c".repeat(seed as usize))}]);
        let body = json!({"model": "tiny", "max_tokens": 20, "temperature": 1.5, "seed": seed,
                          "messages": messages});
        let answer = shared().1.client_with(tenant).post("/v1/chat/completions", &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    let house = &shared().0;
    let keys: Vec<String> =
        ["one", "two", "three"].map(|tenant| house.key(tenant, &[], "user")).to_vec();
    let alone: Vec<String> = (0..12).map(|seed| asked(seed, &keys[0])).collect();
    let together: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12_u64)
            .map(|seed| {
                let key = &keys[seed as usize % keys.len()];
                scope.spawn(move || asked(seed, key))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(together, alone);
}

#[test]
fn the_metrics_have_the_names_that_dashboards_for_vllm_know() {
    post("/v1/completions", json!({"model": "tiny", "prompt": "ab", "max_tokens": 3, "n": 2}));
    let page = client().get("/metrics").text;
    let sample = |name: &str, labels: &str| {
        let is = |line: &str| {
            let begins = format!("{name}{{model_name=\"tiny\",engine=\"0\"{labels}");
            line.starts_with(&begins)
        };
        assert!(page.lines().any(is), "{name} is missing in\n{page}");
    };
    for name in [
        "num_requests_running",
        "num_requests_waiting",
        "kv_cache_usage_perc",
        "prefix_cache_queries_total",
        "prefix_cache_hits_total",
        "num_preemptions_total",
        "prompt_tokens_total",
        "generation_tokens_total",
        "corrupted_requests_total",
        "admission_rejections_total",
        "spec_decode_num_drafts_total",
        "spec_decode_num_draft_tokens_total",
        "spec_decode_num_accepted_tokens_total",
    ] {
        sample(&format!("vllm:{name}"), "} ");
    }
    sample("vllm:request_success_total", ",finished_reason=\"");
    sample("vllm:lora_requests_info", ",max_lora=\"1024\",waiting_lora_adapters=\"\",running_lora");
    sample("vllm:cache_config_info", ",block_size=\"");
    for name in [
        "iteration_tokens_total",
        "time_to_first_token_seconds",
        "time_per_output_token_seconds",
        "inter_token_latency_seconds",
        "e2e_request_latency_seconds",
        "request_queue_time_seconds",
        "request_prefill_time_seconds",
        "request_decode_time_seconds",
        "request_inference_time_seconds",
        "request_prompt_tokens",
        "request_generation_tokens",
        "request_params_n",
        "request_params_max_tokens",
    ] {
        sample(&format!("vllm:{name}_bucket"), ",le=\"");
        sample(&format!("vllm:{name}_sum"), "} ");
        sample(&format!("vllm:{name}_count"), "} ");
        let kind = format!("# TYPE vllm:{name} histogram");
        assert_eq!(page.lines().filter(|line| *line == kind).count(), 1, "{name}");
    }
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    assert!(samples.clone().all(|line| line.rsplit(' ').next().unwrap().parse::<f64>().is_ok()));
    let names: std::collections::BTreeSet<&str> =
        samples.clone().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(names.len(), samples.count(), "a sample comes twice");
}
