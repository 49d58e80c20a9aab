//! Calls of tools, formats and reasoning through every interface, with a tiny model that knows how
//! to write none of them: what is valid here is so because nothing else can be written.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::sync::OnceLock;

use common::{Client, House, Server, WASTE_QUESTION, events, named_events};
use serde_json::{Value, json};

const TEMPLATE: &str = "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}\
     {{ m.role }}: {{ m.content }}{% for c in m.tool_calls %}<tool_call>{{ c.function.name }} \
     {{ c.function.arguments | tojson }}{% endfor %}{% endfor %}{# 'tool' </think> #}\
     {% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}\
     {% if enable_thinking %}<think>{% endif %}";
/// The first of the added tokens.
const CLOSE: usize = 265;

fn shared() -> &'static (House, Server) {
    static SHARED: OnceLock<(House, Server)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let house = House::with_writer(TEMPLATE, &[], &["</think>", "<tool_call>"]);
        let server = house.serve();
        (house, server)
    })
}

fn client() -> Client {
    shared().1.client()
}

fn ok(path: &str, body: &Value) -> Value {
    let answer = client().post(path, body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn refused(path: &str, body: &Value) -> String {
    let answer = client().post(path, body);
    assert_eq!(answer.status, 400, "{}", answer.text);
    answer.json()["error"]["param"].as_str().unwrap_or_default().to_owned()
}

fn schema() -> Value {
    json!({"type": "object", "required": ["place", "days"], "additionalProperties": false,
           "properties": {"place": {"type": "string", "maxLength": 5},
                          "days": {"enum": [1, 2, 3]}}})
}

fn is_valid(arguments: &Value) -> bool {
    let object = arguments.as_object().unwrap();
    let days = [1, 2, 3].map(Value::from);
    let place = object["place"].as_str().unwrap();
    object.len() == 2 && days.contains(&object["days"]) && place.chars().count() <= 5
}

fn chat(extra: Value) -> Value {
    let function = json!({"name": "weather", "description": "tells", "parameters": schema()});
    let mut body = json!({"model": "tiny", "temperature": 1.5, "seed": 4,
        "messages": [{"role": "user", "content": "ab"}],
        "tools": [{"type": "function", "function": function}],
        "chat_template_kwargs": {"enable_thinking": false}});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

fn chunks(body: &Value) -> Vec<Value> {
    let mut body = body.clone();
    body["stream"] = json!(true);
    let answer = client().post("/v1/chat/completions", &body);
    let sent = events(&answer.text);
    assert_eq!(sent.last().unwrap(), "[DONE]", "{}", answer.text);
    sent[..sent.len() - 1].iter().map(|e| serde_json::from_str(e).unwrap()).collect()
}

#[test]
fn a_chat_calls_the_tool_that_it_has_to() {
    let named = json!({"type": "function", "function": {"name": "weather"}});
    for choice in [json!("required"), named] {
        let body = chat(json!({"tool_choice": choice, "parallel_tool_calls": false}));
        let value = ok("/v1/chat/completions", &body);
        let (answer, message) = (&value["choices"][0], &value["choices"][0]["message"]);
        assert_eq!(
            (&answer["finish_reason"], &message["content"]),
            (&json!("tool_calls"), &Value::Null)
        );
        let calls = message["tool_calls"].as_array().unwrap();
        assert_eq!((calls.len(), &calls[0]["function"]["name"]), (1, &json!("weather")));
        let written = calls[0]["function"]["arguments"].as_str().unwrap();
        assert!(is_valid(&serde_json::from_str(written).unwrap()), "{written}");
        let chunks = chunks(&body);
        let deltas: Vec<&Value> =
            chunks.iter().map(|c| &c["choices"][0]["delta"]["tool_calls"][0]).collect();
        let begun = deltas.iter().find(|delta| delta["id"].is_string()).unwrap();
        assert_eq!(begun["function"]["name"], "weather");
        let told = deltas.iter().filter_map(|delta| delta["function"]["arguments"].as_str());
        assert_eq!(told.collect::<String>(), written);
        assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
    }
}

#[test]
fn results_go_back_and_the_receipt_holds_what_was_asked() {
    let call = json!({"id": "c1", "type": "function",
                      "function": {"name": "weather", "arguments": "{\"place\": \"x\"}"}});
    let messages = json!([
        {"role": "user", "content": "ab"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ]);
    let body = chat(json!({"messages": messages, "tool_choice": "none", "max_tokens": 3}));
    let value = ok("/v1/chat/completions", &body);
    assert_eq!(value["choices"][0]["message"]["tool_calls"], Value::Null);
    let body = chat(json!({"tool_choice": "required"}));
    let value = ok("/v1/chat/completions", &body);
    let desk = &shared().0.desk;
    let index = value["allod"]["receipt"]["index"].as_u64().unwrap();
    let receipt = desk.ledger().read(index).unwrap();
    let kept = desk.store().payload(&receipt.prompt_commitment).unwrap().unwrap().content;
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["tools"][0]["function"]["name"], "weather");
    assert_eq!(kept["template_variables"]["enable_thinking"], false);
    assert_eq!(kept["constraint"]["parts"]["arguments0"]["json_schema"], schema());
    let commitment = receipt.answer_commitment.unwrap();
    let answer = desk.store().payload(&commitment).unwrap().unwrap().content;
    assert!(answer.contains("<tool_call>"), "the log holds what the model wrote: {answer}");
}

#[test]
fn a_response_calls_and_its_events_say_the_same() {
    let body = json!({"model": "tiny", "input": "ab", "temperature": 1.5, "seed": 2,
        "reasoning": {"effort": "none"}, "tool_choice": "required", "parallel_tool_calls": false,
        "tools": [{"type": "function", "name": "weather", "parameters": schema()}]});
    let value = ok("/v1/responses", &body);
    let item = &value["output"][0];
    assert_eq!((&item["type"], &item["name"]), (&json!("function_call"), &json!("weather")));
    let written = item["arguments"].as_str().unwrap();
    assert!(is_valid(&serde_json::from_str(written).unwrap()), "{written}");
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let sent = named_events(&client().post("/v1/responses", &streamed).text);
    let of =
        |name: &str| sent.iter().filter(|(n, _)| n == name).map(|(_, v)| v).collect::<Vec<_>>();
    let deltas = of("response.function_call_arguments.delta");
    let told: String = deltas.iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(told, written);
    assert_eq!(of("response.function_call_arguments.done")[0]["arguments"], written);
    let done = of("response.output_item.done")[0]["item"].clone();
    assert_eq!(done["status"], "completed");
    assert_eq!(sent.last().unwrap().1["response"]["output"][0], done);
    let again = json!({"model": "tiny", "max_output_tokens": 3, "input": [
        {"role": "user", "content": "ab"}, item,
        {"type": "function_call_output", "call_id": item["call_id"], "output": "rain"},
    ]});
    assert_eq!(ok("/v1/responses", &again)["output"][0]["type"], "message");
}

#[test]
fn a_message_calls_and_its_events_say_the_same() {
    let body = json!({"model": "tiny", "max_tokens": 400, "temperature": 1, "seed": 2,
        "messages": [{"role": "user", "content": "ab"}], "tool_choice": {"type": "any"},
        "tools": [{"name": "weather", "input_schema": schema()}]});
    let value = ok("/v1/messages", &body);
    assert_eq!(value["stop_reason"], "tool_use");
    let block = &value["content"][0];
    assert!(block["type"] == "tool_use" && is_valid(&block["input"]), "{value}");
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let sent = named_events(&client().post("/v1/messages", &streamed).text);
    let deltas = sent.iter().filter_map(|(_, event)| event["delta"]["partial_json"].as_str());
    let starts: Vec<&Value> = sent
        .iter()
        .filter(|(name, _)| name == "content_block_start")
        .map(|(_, event)| &event["content_block"])
        .collect();
    assert_eq!((&starts[0]["type"], &starts[0]["name"]), (&json!("tool_use"), &json!("weather")));
    let first = deltas.collect::<String>();
    assert!(first.starts_with('{'), "{first}");
    let counted = |body: &Value| {
        let names = ["model", "messages", "tools", "tool_choice"];
        let kept = names.map(|name| (name.to_owned(), body[name].clone()));
        let body = Value::Object(kept.into_iter().collect());
        ok("/v1/messages/count_tokens", &body)["input_tokens"].as_u64().unwrap()
    };
    let mut bare = body.clone();
    bare["tools"] = json!([]);
    bare["tool_choice"] = json!(null);
    assert!(counted(&body) > counted(&bare) + 50, "tools are read too");
    let again = json!({"model": "tiny", "max_tokens": 3, "messages": [
        {"role": "user", "content": "ab"},
        {"role": "assistant", "content": [block]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "rain"}]},
    ]});
    assert_eq!(ok("/v1/messages", &again)["content"][0]["type"], "text");
}

#[test]
fn answers_keep_to_formats() {
    let plain = |extra: Value| {
        let mut body = chat(extra);
        body["tools"] = json!([]);
        let value = ok("/v1/chat/completions", &body);
        assert_eq!(value["choices"][0]["finish_reason"], "stop", "{value}");
        value["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    let described = json!({"name": "n", "strict": true, "schema": schema()});
    let format = json!({"type": "json_schema", "json_schema": described});
    for extra in [
        json!({"response_format": format}),
        json!({"guided_json": schema()}),
        json!({"structured_outputs": {"json": schema()}}),
    ] {
        let text = plain(extra);
        assert!(is_valid(&serde_json::from_str(&text).unwrap()), "{text}");
    }
    assert!(["ja", "nein"].contains(&plain(json!({"guided_choice": ["ja", "nein"]})).as_str()));
    let text = plain(json!({"guided_regex": "[0-9]{3}/x"}));
    assert!(text.len() == 5 && text.ends_with("/x"), "{text}");
    let text = plain(json!({"guided_grammar": "root ::= part-a{2} \".\"\npart-a ::= [ab] \"-\""}));
    assert!(text.len() == 5 && text.ends_with("-."), "{text}");
    let response = json!({"model": "tiny", "input": "ab", "temperature": 1.5, "seed": 1,
        "reasoning": {"effort": "none"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": schema()}}});
    let value = ok("/v1/responses", &response);
    let text = value["output"][0]["content"][0]["text"].as_str().unwrap();
    assert!(is_valid(&serde_json::from_str(text).unwrap()), "{text}");
    let text = json!({"model": "tiny", "prompt": "ab", "max_tokens": 99, "temperature": 1.5,
                      "guided_choice": ["eins", "zwei"]});
    let value = ok("/v1/completions", &text);
    assert!(["eins", "zwei"].contains(&value["choices"][0]["text"].as_str().unwrap()));
}

#[test]
fn reasoning_stands_apart() {
    let thinks = json!({"enable_thinking": true});
    let bias = json!({CLOSE.to_string(): 6});
    let body = chat(json!({"chat_template_kwargs": thinks, "tools": [], "logit_bias": bias,
                           "max_tokens": 500}));
    let value = ok("/v1/chat/completions", &body);
    let message = &value["choices"][0]["message"];
    let reasoning = message["reasoning_content"].as_str().unwrap();
    assert!(!reasoning.contains("</think>"), "{message}");
    let usage = &value["usage"]["completion_tokens_details"];
    assert!(usage["reasoning_tokens"].as_u64().unwrap() > 0, "{usage}");
    let told = |name: &str, chunks: &[Value]| -> String {
        chunks.iter().filter_map(|c| c["choices"][0]["delta"][name].as_str()).collect()
    };
    let chunks = chunks(&body);
    assert_eq!(told("reasoning_content", &chunks), reasoning);
    assert_eq!(told("content", &chunks), message["content"].as_str().unwrap());
    let body = json!({"model": "tiny", "max_tokens": 500, "temperature": 1, "seed": 4,
        "thinking": {"type": "enabled", "budget_tokens": 400}, "logit_bias": null,
        "messages": [{"role": "user", "content": "ab"}]});
    let value = ok("/v1/messages", &body);
    assert_eq!(value["content"][0]["type"], "thinking", "{value}");
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let sent = named_events(&client().post("/v1/messages", &streamed).text);
    let told: String =
        sent.iter().filter_map(|(_, event)| event["delta"]["thinking"].as_str()).collect();
    assert_eq!(told, value["content"][0]["thinking"].as_str().unwrap());
    let body = json!({"model": "tiny", "input": "ab", "reasoning": {"effort": "high"},
                      "max_output_tokens": 400, "temperature": 1.5, "seed": 4});
    assert_eq!(ok("/v1/responses", &body)["output"][0]["type"], "reasoning");
}

#[test]
fn reasoning_ends_when_its_tokens_are_used_up() {
    let tool = json!({"name": "weather", "input_schema": schema()});
    let body = json!({"model": "tiny", "max_tokens": 900, "temperature": 1, "seed": 4,
        "thinking": {"type": "enabled", "budget_tokens": 8}, "tools": [tool],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "messages": [{"role": "user", "content": "ab"}]});
    let value = ok("/v1/messages", &body);
    let thinking = value["content"][0]["thinking"].as_str().unwrap();
    // Each token is a letter or less of one; a letter is not cut.
    assert!((1..=11).contains(&thinking.chars().count()), "{value}");
    assert_eq!(
        (&value["content"][1]["type"], &value["stop_reason"]),
        (&json!("tool_use"), &json!("tool_use"))
    );
    assert!(is_valid(&value["content"][1]["input"]), "{value}");
    let mut longer = body;
    longer["thinking"]["budget_tokens"] = json!(100);
    let value = ok("/v1/messages", &longer);
    assert!(value["content"][0]["thinking"].as_str().unwrap().len() > 11, "{value}");
}

#[test]
fn a_format_is_kept_after_reasoning() {
    let thinks = json!({"enable_thinking": true});
    let bias = json!({CLOSE.to_string(): 6});
    let body = chat(json!({"chat_template_kwargs": thinks, "tools": [], "logit_bias": bias,
                           "guided_json": schema()}));
    let message = &ok("/v1/chat/completions", &body)["choices"][0]["message"];
    let text = message["content"].as_str().unwrap();
    assert!(is_valid(&serde_json::from_str(text).unwrap()), "{message}");
    assert!(message["reasoning_content"].is_string(), "{message}");
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let path = "/v1/chat/completions";
    let unknown = json!({"chat_template_kwargs": {"mood": "good"}});
    assert_eq!(refused(path, &chat(unknown)), "chat_template_kwargs.mood");
    let bad = json!({"guided_json": {"type": "string", "unevaluatedItems": false, "not": {}}});
    assert_eq!(refused(path, &chat(bad)), "guided_json");
    let bad = json!({"guided_regex": "a("});
    assert_eq!(refused(path, &chat(bad)), "guided_regex");
    let named = json!({"tool_choice": {"type": "function", "function": {"name": "other"}}});
    assert_eq!(refused(path, &chat(named)), "tool_choice");
    let documents = |extra: Value| {
        let mut body = json!({"model": "allod/documents",
                              "messages": [{"role": "user", "content": WASTE_QUESTION}]});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let tools = chat(json!({}))["tools"].clone();
    assert_eq!(refused(path, &documents(json!({"tools": tools}))), "tools");
    assert_eq!(refused(path, &documents(json!({"guided_choice": ["a"]}))), "guided_choice");
    assert_eq!(refused(path, &documents(json!({"reasoning_effort": "low"}))), "reasoning_effort");
}
