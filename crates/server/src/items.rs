//! The items that a response's `input` holds: messages, calls, their results, reasoning.

use serde_json::{Map, Value, json};

use crate::conversation::{self, Calls, Manner};
use crate::problem::Problem;

const ITEMS: Manner = Manner {
    list: "input",
    roles: &["system", "developer", "user", "assistant"],
    parts: &["input_text", "output_text", "text"],
    // An item that a client echoes from an earlier response has an id and a status.
    idle: &["type", "id", "status", "annotations", "logprobs"],
    calls: Calls::Apart,
};

/// Reads `input`: a text, or a list of items.
pub(crate) fn read(value: Option<&Value>) -> Result<Vec<Value>, Problem> {
    if let Some(text) = value.and_then(Value::as_str) {
        return Ok(vec![conversation::message("user", text)]);
    }
    if !value.is_some_and(Value::is_array) {
        return Err(Problem::field("input", "`input` must be a text or a list of items"));
    }
    let mut messages: Vec<Value> = Vec::new();
    for (at, item) in conversation::list("input", value)?.iter().enumerate() {
        match item.get("type").and_then(Value::as_str) {
            None | Some("message") => {
                let read = conversation::read_message(ITEMS, at, item)?;
                let open = messages.last_mut().filter(|last| is_open(last, &read));
                match open {
                    Some(last) => last["content"] = read["content"].clone(),
                    None => messages.push(read),
                }
            }
            Some("function_call") => {
                let [id, name, arguments] = texts(at, item, ["call_id", "name", "arguments"])?;
                let call = conversation::call(&id, &name, &arguments);
                assistant(&mut messages, "tool_calls")["tool_calls"]
                    .as_array_mut()
                    .expect("it was put there")
                    .push(call);
            }
            Some("function_call_output") => {
                let [id] = texts(at, item, ["call_id"])?;
                let content =
                    item.get("output").and_then(|output| conversation::text_of(ITEMS, output));
                let wrong = || {
                    let message = "the output must be a text or a list of texts";
                    Problem::field(format!("input[{at}].output"), message)
                };
                let content = content.ok_or_else(wrong)?;
                messages.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
            }
            Some("reasoning") => {
                if let Some(text) = reasoning(item) {
                    messages.push(json!({"role": "assistant", "content": "",
                                         "reasoning_content": text}));
                }
            }
            Some(_) => {
                let message = "only messages, function calls, their outputs and reasoning are \
                               taken; leave this item out";
                return Err(Problem::field(format!("input[{at}].type"), message));
            }
        }
    }
    conversation::name_results("input", &mut messages)?;
    Ok(messages)
}

/// Whether a message of the assistant goes on one that holds only its reasoning.
fn is_open(last: &Value, read: &Value) -> bool {
    read["role"] == "assistant"
        && !last["reasoning_content"].is_null()
        && last["content"] == ""
        && last["tool_calls"].is_null()
}

/// The assistant's message at the end that holds calls, made where there is none.
fn assistant<'a>(messages: &'a mut Vec<Value>, field: &str) -> &'a mut Value {
    if messages.last().is_none_or(|last| last["role"] != "assistant") {
        messages.push(conversation::message("assistant", ""));
    }
    let last = messages.last_mut().expect("there is one");
    if last[field].is_null() {
        last[field] = json!([]);
    }
    last
}

fn texts<const N: usize>(
    at: usize,
    item: &Value,
    names: [&str; N],
) -> Result<[String; N], Problem> {
    let empty = Map::new();
    let members = item.as_object().unwrap_or(&empty);
    let idle = ["type", "id", "status", "output"];
    let known = |name: &&String| names.contains(&name.as_str()) || idle.contains(&name.as_str());
    if let Some(name) = members.keys().find(|name| !known(name) && !members[*name].is_null()) {
        let message = "this field of an item is not known; leave it out";
        return Err(Problem::field(format!("input[{at}].{name}"), message));
    }
    let mut read = std::array::from_fn(|_| String::new());
    for (text, name) in read.iter_mut().zip(names) {
        let wrong = || Problem::field(format!("input[{at}].{name}"), "it must be a text");
        *text = item.get(name).and_then(Value::as_str).ok_or_else(wrong)?.to_owned();
    }
    Ok(read)
}

/// The text of an item of reasoning that a client echoes.
fn reasoning(item: &Value) -> Option<String> {
    let parts = item.get("content")?.as_array()?.iter();
    let texts: Vec<&str> = parts.filter_map(|part| part.get("text")?.as_str()).collect();
    (!texts.is_empty()).then(|| texts.concat())
}
