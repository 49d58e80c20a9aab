//! The blocks that Anthropic's messages hold: texts, reasoning, calls of tools and their results.

use serde_json::{Value, json};

use crate::conversation::{self, Calls, Manner};
use crate::fields::Fields;
use crate::problem::Problem;

pub(crate) const MESSAGES: Manner = Manner {
    list: "messages",
    roles: &["user", "assistant"],
    parts: &["text"],
    // A hint on what to keep computed; it changes no answer. Citations are null or empty.
    idle: &["cache_control"],
    calls: Calls::Apart,
};

/// The system text and the messages. Messages of one role that follow each other are one turn.
pub(crate) fn read(fields: &Fields) -> Result<Vec<Value>, Problem> {
    let mut turns: Vec<Value> = Vec::new();
    if let Some(system) = fields.get("system") {
        let content = conversation::text_of(MESSAGES, system).ok_or_else(|| {
            Problem::field("system", "`system` must be a text or a list of text blocks")
        })?;
        turns.push(conversation::message("system", content));
    }
    let given = conversation::list("messages", fields.get("messages"))?;
    for (at, message) in given.iter().enumerate() {
        for read in split(at, message)? {
            add(&mut turns, read);
        }
    }
    if turns.last().is_some_and(|last| last["role"] == "assistant") {
        let message = "the last of `messages` must be the user's: an answer that was begun \
                       elsewhere is not continued here";
        return Err(Problem::field("messages", message));
    }
    conversation::name_results("messages", &mut turns)?;
    Ok(turns)
}

/// Adds a message; one of the same role as the last goes on with it.
fn add(turns: &mut Vec<Value>, message: Value) {
    let same = |last: &&mut Value| last["role"] == message["role"] && last["role"] != "tool";
    let Some(last) = turns.last_mut().filter(same) else { return turns.push(message) };
    let texts = [&last["content"], &message["content"]].map(|text| text.as_str().unwrap_or(""));
    let texts: Vec<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    last["content"] = texts.join("\n").into();
    for name in ["tool_calls", "reasoning_content"] {
        if !message[name].is_null() {
            last[name] = message[name].clone();
        }
    }
}

/// A message as chat completions have it; results of tools are messages of their own.
fn split(at: usize, message: &Value) -> Result<Vec<Value>, Problem> {
    let special = |block: &&Value| block.get("type").is_some_and(|kind| kind != "text");
    let blocks = message.get("content").and_then(Value::as_array);
    let blocks = blocks.map(Vec::as_slice).unwrap_or_default();
    if !blocks.iter().any(|block| special(&block)) {
        return Ok(vec![conversation::read_message(MESSAGES, at, message)?]);
    }
    let texts: Vec<Value> = blocks.iter().filter(|block| !special(block)).cloned().collect();
    let mut plain = message.clone();
    plain["content"] = if texts.is_empty() { json!("") } else { json!(texts) };
    let mut plain = conversation::read_message(MESSAGES, at, &plain)?;
    let mut results = Vec::new();
    for (number, block) in blocks.iter().enumerate().filter(|(_, block)| special(block)) {
        let place = format!("messages[{at}].content[{number}]");
        let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
        match (plain["role"].as_str().unwrap_or_default(), kind) {
            ("user", "tool_result") => results.push(result(&place, block)?),
            ("assistant", "tool_use") => {
                let call = tool_use(&place, block)?;
                match plain["tool_calls"].as_array_mut() {
                    Some(calls) => calls.push(call),
                    None => plain["tool_calls"] = json!([call]),
                }
            }
            ("assistant", "thinking") => {
                let text = block.get("thinking").and_then(Value::as_str).unwrap_or_default();
                plain["reasoning_content"] = json!(text);
            }
            _ => {
                let shown = conversation::shown(kind);
                let message =
                    format!("a block of the type `{shown}` is not taken here; leave it out");
                return Err(Problem::field(format!("messages[{at}].content"), message));
            }
        }
    }
    let silent = !results.is_empty() && plain["content"] == "";
    results.extend((!silent).then_some(plain));
    Ok(results)
}

fn tool_use(place: &str, block: &Value) -> Result<Value, Problem> {
    let text = |name: &str| block.get(name).and_then(Value::as_str);
    match (text("id"), text("name"), block.get("input").filter(|input| input.is_object())) {
        (Some(id), Some(name), Some(input)) => Ok(conversation::call(id, name, &input.to_string())),
        _ => Err(Problem::field(
            place,
            "a `tool_use` has an `id`, a `name` and an `input`, an object",
        )),
    }
}

fn result(place: &str, block: &Value) -> Result<Value, Problem> {
    let id = block.get("tool_use_id").and_then(Value::as_str);
    let id = id.ok_or_else(|| Problem::field(place, "a `tool_result` has a `tool_use_id`"))?;
    let content = match block.get("content").filter(|content| !content.is_null()) {
        None => Some(String::new()),
        Some(content) => conversation::text_of(MESSAGES, content),
    };
    let wrong = || Problem::field(place, conversation::no_text(MESSAGES, block.get("content")));
    let content = content.ok_or_else(wrong)?;
    let failed = block.get("is_error").is_some_and(|failed| *failed == true);
    let content = if failed { format!("Error: {content}") } else { content };
    Ok(json!({"role": "tool", "tool_call_id": id, "content": content}))
}
