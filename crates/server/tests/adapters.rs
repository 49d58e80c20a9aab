//! Adapters: loaded by operators from one folder, asked for by name, told apart in the record.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::{Client, House, adapter};
use serde_json::{Value, json};

const LOAD: &str = "/v1/load_lora_adapter";
const UNLOAD: &str = "/v1/unload_lora_adapter";

fn house(adapters: usize) -> House {
    let house = House::with_models();
    for number in 0..adapters {
        adapter::write(&house.data().join(format!("adapters/a{number}")), number);
    }
    house
}

fn load(client: &Client, name: &str) -> u16 {
    client.post(LOAD, &json!({"lora_name": name})).status
}

fn complete(client: &Client, model: &str) -> Value {
    let body = json!({"model": model, "prompt": "ab a b", "max_tokens": 12, "logprobs": 0});
    let answer = client.post("/v1/completions", &body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// What was written, to the bit.
fn written(completion: &Value) -> (Value, Value) {
    let choice = &completion["choices"][0];
    (choice["text"].clone(), choice["logprobs"]["token_logprobs"].clone())
}

#[test]
fn an_adapter_is_a_model_of_its_own_until_it_is_unloaded() {
    let house = house(2);
    let server = house.serve();
    let client = server.client();
    let plain = written(&complete(&client, "tiny"));
    let answer = client.post(LOAD, &json!({"lora_name": "helper", "lora_path": "a0"}));
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["parent"], "tiny");
    let listed = client.get("/v1/models/helper").json();
    assert_eq!((&listed["parent"], &listed["digest"]), (&json!("tiny"), &answer.json()["digest"]));
    let helped = complete(&client, "helper");
    assert_eq!(helped["model"], "helper");
    assert_ne!(written(&helped), plain);
    assert_eq!(written(&complete(&client, "tiny")), plain, "the model itself is not changed");
    let index = helped["allod"]["receipt"]["index"].as_u64().unwrap();
    let model = house.desk.ledger().read(index).unwrap().model.unwrap();
    let used = model.adapter.unwrap();
    assert_eq!((model.name.as_str(), used.name.as_str()), ("tiny", "helper"));
    assert_eq!(json!(used.digest), listed["digest"]);
    let chat =
        json!({"model": "helper", "max_tokens": 2, "messages": [{"role": "user", "content": "a"}]});
    assert_eq!(client.post("/v1/chat/completions", &chat).status, 200);
    assert_eq!(client.post("/v1/messages", &chat).status, 200);
    assert_eq!(client.post("/tokenize", &json!({"model": "helper", "prompt": "a"})).status, 200);
    assert_eq!(client.post(UNLOAD, &json!({"lora_name": "helper"})).status, 200);
    let gone = client.post("/v1/chat/completions", &chat);
    assert_eq!((gone.status, gone.error_code().as_str()), (404, "model_not_found"));
    assert_eq!(client.post(UNLOAD, &json!({"lora_name": "helper"})).status, 404);
}

#[test]
fn what_cannot_be_loaded_is_refused_and_says_why() {
    let house = house(1);
    let folder = house.data().join("adapters");
    std::fs::create_dir(folder.join("empty")).unwrap();
    std::fs::write(folder.join("broken.gguf"), "GGUF and no more").unwrap();
    let config = r#"{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "lora_alpha": 1}"#;
    std::fs::create_dir(folder.join("half")).unwrap();
    std::fs::write(folder.join("half/adapter_config.json"), config).unwrap();
    let server = house.serve();
    let client = server.client();
    assert_eq!(load(&client, "a0"), 200);
    for (body, status) in [
        (json!({"lora_name": "a0"}), 409),
        (json!({"lora_name": "tiny", "lora_path": "a0"}), 409),
        (json!({"lora_name": "embedder", "lora_path": "a0"}), 409),
        (json!({"lora_name": "allod/documents", "lora_path": "a0"}), 400),
        (json!({"lora_name": "x", "lora_path": "nowhere"}), 404),
        (json!({"lora_name": "x", "lora_path": "../writer.gguf"}), 400),
        (json!({"lora_name": "x", "lora_path": "/etc/passwd"}), 400),
        (json!({"lora_name": "x", "lora_path": ".."}), 400),
        (json!({"lora_name": "../x", "lora_path": "a0"}), 400),
        (json!({"lora_name": "", "lora_path": "a0"}), 400),
        (json!({"lora_name": "x\u{0}", "lora_path": "a0"}), 400),
        (json!({"lora_name": "x", "lora_path": "empty"}), 400),
        (json!({"lora_name": "x", "lora_path": "half"}), 400),
        (json!({"lora_name": "x", "lora_path": "broken"}), 400),
        (json!({"lora_name": "x", "load_inplace": true}), 400),
        (json!({"lora_name": 7}), 400),
        (json!({}), 400),
    ] {
        let answer = client.post(LOAD, &body);
        assert_eq!(answer.status, status, "{body} {}", answer.text);
        let data = house.data();
        assert!(!answer.text.contains(data.to_str().unwrap()), "{}", answer.text);
    }
    let models = client.get("/v1/models").json();
    assert_eq!(models["data"].as_array().unwrap().len(), 5, "{models}");
}

#[test]
fn only_operators_load_and_unload() {
    let house = house(1);
    let (user, reviewer) = (house.key("t", &[], "user"), house.key("t", &[], "reviewer"));
    let operator = house.key("t", &[], "operator");
    let server = house.serve();
    for key in [&user, &reviewer] {
        for path in [LOAD, UNLOAD] {
            let answer = server.client_with(key).post(path, &json!({"lora_name": "a0"}));
            assert_eq!((answer.status, answer.error_code().as_str()), (403, "not_operator"));
        }
    }
    assert_eq!(load(&server.client_with(&operator), "a0"), 200);
    complete(&server.client_with(&user), "a0");
}

#[test]
fn two_hundred_adapters_are_told_apart_in_one_batch() {
    let house = house(200);
    let server = house.serve();
    let client = server.client();
    (0..200).for_each(|number| assert_eq!(load(&client, &format!("a{number}")), 200));
    let metrics = client.get("/metrics").text;
    assert!(metrics.contains("max_lora=\"1024\""), "{metrics}");
    let asked: Vec<usize> = (0..200).step_by(17).collect();
    let alone: Vec<(Value, Value)> =
        asked.iter().map(|number| written(&complete(&client, &format!("a{number}")))).collect();
    let threads: Vec<_> = asked
        .iter()
        .map(|number| {
            let (client, model) = (client.clone(), format!("a{number}"));
            std::thread::spawn(move || written(&complete(&client, &model)))
        })
        .collect();
    let together: Vec<(Value, Value)> =
        threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(together, alone);
    let different: std::collections::BTreeSet<String> =
        alone.iter().map(|(text, scores)| format!("{text}{scores}")).collect();
    assert_eq!(different.len(), asked.len());
}
