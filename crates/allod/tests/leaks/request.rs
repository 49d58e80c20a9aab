//! Requests of many shapes, each with something planted in it.

use serde_json::{Value, json};

use crate::chance::Chance;

/// A request to the server.
#[derive(Debug)]
pub struct Request {
    pub shape: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

/// What is planted: as it is written, with words that say what it is, and in two parts.
pub struct Plant {
    pub written: String,
    pub said: String,
    pub parts: [String; 2],
    pub plain: String,
}

type Shape = (&'static str, fn(&Plant, &mut Chance) -> Request);

pub const SHAPES: [Shape; 30] = [
    ("chat", |plant, _| chat("chat", json!([user(&around(plant))]))),
    ("chat, streamed", |plant, _| {
        let messages = json!([user(&around(plant))]);
        with(chat("chat, streamed", messages), json!({"stream": true}))
    }),
    ("system", |plant, _| {
        chat("system", json!([{"role": "system", "content": plant.said}, user("What now?")]))
    }),
    ("developer", |plant, _| {
        chat("developer", json!([{"role": "developer", "content": plant.said}, user("And now?")]))
    }),
    ("earlier turns", |plant, _| {
        let answer = json!({"role": "assistant", "content": plant.said});
        chat("earlier turns", json!([user("Tell me."), answer, user("Again, please.")]))
    }),
    ("parts", |plant, _| {
        let part = |text: &str| json!({"type": "text", "text": text});
        let parts = json!([part("Look:"), part(&plant.said), part("What is it?")]);
        chat("parts", json!([{"role": "user", "content": parts}]))
    }),
    ("two parts", |plant, _| {
        let part = |text: &str| json!({"type": "text", "text": text});
        let parts = json!([part(&plant.parts[0]), part(&plant.parts[1])]);
        chat("two parts", json!([{"role": "user", "content": parts}]))
    }),
    ("two messages", |plant, _| {
        chat("two messages", json!([user(&plant.parts[0]), user(&plant.parts[1])]))
    }),
    ("system and user", |plant, _| {
        let system = json!({"role": "system", "content": plant.parts[0]});
        chat("system and user", json!([system, user(&plant.parts[1])]))
    }),
    ("reasoning", |plant, _| {
        let answer =
            json!({"role": "assistant", "content": "Yes.", "reasoning_content": plant.said});
        chat("reasoning", json!([user("Is it?"), answer, user("Sure?")]))
    }),
    ("arguments of a call", |plant, _| {
        let arguments = json!({"who": plant.said, "id": plant.written}).to_string();
        chat("arguments of a call", called("call_1", "look_up", &arguments, "found"))
    }),
    ("names in arguments", |plant, _| {
        let arguments = json!({plant.written.as_str(): 1}).to_string();
        chat("names in arguments", called("call_1", "look_up", &arguments, "found"))
    }),
    ("a number in arguments", |plant, _| {
        let digits: String = plant.plain.chars().filter(char::is_ascii_digit).collect();
        let arguments = format!("{{\"value\": {}}}", digits.trim_start_matches('0'));
        chat("a number in arguments", called("call_1", "look_up", &arguments, "found"))
    }),
    ("result of a tool", |plant, _| {
        let result = json!({"record": {"person": plant.said}}).to_string();
        chat("result of a tool", called("call_1", "look_up", "{}", &result))
    }),
    ("id of a call", |plant, _| {
        chat("id of a call", called(&plant.written, "look_up", "{}", "found"))
    }),
    ("name of a tool", |plant, _| {
        chat("name of a tool", called("call_1", &plant.written, "{}", "found"))
    }),
    ("stop", |plant, _| {
        let stop = json!({"stop": [plant.written, "END"]});
        with(chat("stop", json!([user("Count to ten.")])), stop)
    }),
    ("user and seed", |plant, _| {
        let digits: String = plant.plain.chars().filter(char::is_ascii_digit).collect();
        let more = json!({"user": plant.said, "temperature": 0.7,
                          "seed": digits.parse::<i64>().unwrap_or(1)});
        with(chat("user and seed", json!([user("Count to ten.")])), more)
    }),
    ("tools", |plant, _| {
        let schema = json!({"type": "object", "properties": {
            "id": {"type": "string", "description": plant.said, "enum": [plant.written]}}});
        let tools = json!({"tools": [{"type": "function", "function": {
            "name": "f", "description": plant.said, "parameters": schema}}]});
        with(chat("tools", json!([user("Call it.")])), tools)
    }),
    ("a format", |plant, _| {
        let schema = json!({"type": "object", "description": plant.said});
        let format = json!({"response_format": {"type": "json_schema", "json_schema": {
            "name": "x", "schema": schema}}});
        with(chat("a format", json!([user("Write it.")])), format)
    }),
    ("name of the model", |plant, _| {
        let named = json!({"model": plant.written});
        with(chat("name of the model", json!([user("Hello.")])), named)
    }),
    ("a field that there is not", |plant, _| {
        let unknown = json!({plant.written.as_str(): plant.said});
        with(chat("a field that there is not", json!([user("Hello.")])), unknown)
    }),
    ("responses", |plant, _| {
        let body = json!({"model": "m", "input": around(plant), "instructions": plant.said,
            "metadata": {"case": plant.said}, "user": plant.said});
        post("responses", "/v1/responses", body)
    }),
    ("items of responses", |plant, _| {
        let input = json!([
            {"role": "user", "content": [{"type": "input_text", "text": plant.said}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": plant.said},
            {"type": "function_call_output", "call_id": "c", "output": plant.said},
            {"role": "user", "content": "Go on."},
        ]);
        post("items of responses", "/v1/responses", json!({"model": "m", "input": input}))
    }),
    ("messages", |plant, _| {
        let body = json!({"model": "m", "max_tokens": 20, "system": plant.said,
            "metadata": {"user_id": plant.said}, "stop_sequences": [plant.written],
            "messages": [user(&around(plant))]});
        post("messages", "/v1/messages", body)
    }),
    ("blocks of messages", |plant, _| {
        let call = json!({"type": "tool_use", "id": "t", "name": "f",
                          "input": {"who": plant.said}});
        let result = json!({"type": "tool_result", "tool_use_id": "t", "content": plant.said});
        let body = json!({"model": "m", "max_tokens": 20, "messages": [
            user("Look it up."), {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result, {"type": "text", "text": "And?"}]}]});
        post("blocks of messages", "/v1/messages", body)
    }),
    ("a question to the documents", |plant, _| {
        let question = format!("How much does a stall cost? {}", plant.said);
        post("a question to the documents", "/api/ask", json!({"question": question}))
    }),
    ("documents by chat", |plant, _| {
        let question = format!("{} - how much does a stall cost?", plant.said);
        with(
            chat("documents by chat", json!([user(&question)])),
            json!({"model": "allod/documents"}),
        )
    }),
    ("headers", |plant, _| {
        let ascii: String = plant.said.chars().filter(|c| matches!(c, ' '..='~')).collect();
        let id: String = plant.written.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        Request {
            headers: vec![
                ("x-allod-subject", ascii.clone()),
                ("x-request-id", id),
                ("tracestate", format!("a={}", ascii.replace([' ', ',', '='], "_"))),
                ("user-agent", ascii),
            ],
            ..chat("headers", json!([user("Hello.")]))
        }
    }),
    ("an adapter", |plant, _| {
        let body = json!({"lora_name": plant.written, "lora_path": plant.said});
        post("an adapter", "/v1/load_lora_adapter", body)
    }),
];

fn around(plant: &Plant) -> String {
    format!("Please write a friendly note. {}. Thank you.", plant.said)
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn called(id: &str, name: &str, arguments: &str, result: &str) -> Value {
    let call = json!({"id": id, "type": "function",
                      "function": {"name": name, "arguments": arguments}});
    json!([user("Look it up."), {"role": "assistant", "content": null, "tool_calls": [call]},
           {"role": "tool", "tool_call_id": id, "content": result}])
}

fn chat(shape: &'static str, messages: Value) -> Request {
    let body = json!({"model": "m", "max_tokens": 20, "messages": messages});
    post(shape, "/v1/chat/completions", body)
}

fn post(shape: &'static str, path: &str, body: Value) -> Request {
    Request { shape, path: path.into(), headers: Vec::new(), body }
}

fn with(mut request: Request, more: Value) -> Request {
    let (Some(body), Value::Object(more)) = (request.body.as_object_mut(), more) else {
        panic!("both are objects");
    };
    body.extend(more);
    request
}
