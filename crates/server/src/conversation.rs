//! Messages as OpenAI's and Anthropic's interfaces write them, read into a conversation: objects
//! as OpenAI's chat completions have them, which chat templates know.

use serde_json::{Map, Value, json};

use crate::problem::Problem;

/// Messages and their lengths stay within the body's limit; their number within this.
const MESSAGES_MAX: usize = 1_000;

/// How an interface writes messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// What the list is called.
    pub(crate) list: &'static str,
    /// The roles that there are.
    pub(crate) roles: &'static [&'static str],
    /// The types of parts that hold text.
    pub(crate) parts: &'static [&'static str],
    /// Fields of a message or part, besides role, content, type and text, that change nothing.
    pub(crate) idle: &'static [&'static str],
    /// Whether messages hold calls and their results as chat completions write them.
    pub(crate) calls: Calls,
}

/// Whether messages hold calls and their results as chat completions write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    Held,
    /// They stand beside messages, or there are none.
    Apart,
}

/// A message with a text.
pub(crate) fn message(role: &str, content: impl Into<String>) -> Value {
    json!({"role": role, "content": content.into()})
}

/// A call as a message of the assistant holds it.
pub(crate) fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

/// A list of one thing or more.
pub(crate) fn list<'a>(name: &str, value: Option<&'a Value>) -> Result<&'a [Value], Problem> {
    let given = value.and_then(Value::as_array).filter(|messages| !messages.is_empty());
    let wrong = || Problem::field(name, format!("`{name}` must be a list of one message or more"));
    let given = given.ok_or_else(wrong)?;
    if given.len() > MESSAGES_MAX {
        let message = format!("there are {} messages, at most {MESSAGES_MAX} go", given.len());
        return Err(Problem::field(name, message));
    }
    Ok(given)
}

/// A list of messages, at least one.
pub(crate) fn read(manner: Manner, value: Option<&Value>) -> Result<Vec<Value>, Problem> {
    let given = list(manner.list, value)?.iter().enumerate();
    let mut messages =
        given.map(|(at, value)| read_message(manner, at, value)).collect::<Result<Vec<_>, _>>()?;
    name_results(manner.list, &mut messages)?;
    Ok(messages)
}

/// One message, the one at `at`.
pub(crate) fn read_message(manner: Manner, at: usize, value: &Value) -> Result<Value, Problem> {
    let place = |field: &str| format!("{}[{at}]{field}", manner.list);
    let object = value.as_object();
    let object = object.ok_or_else(|| Problem::field(place(""), "a message is an object"))?;
    let role = object.get("role").and_then(Value::as_str);
    let role = role.filter(|role| manner.roles.contains(role)).ok_or_else(|| {
        let message = format!("the role must be one of {}", manner.roles.join(", "));
        Problem::field(place(".role"), message)
    })?;
    let own: &[&str] = match (manner.calls, role) {
        (Calls::Held, "assistant") => &["tool_calls", "reasoning_content", "reasoning"],
        (Calls::Held, "tool") => &["tool_call_id", "name"],
        _ => &[],
    };
    // What a client echoes from an earlier answer may hold empty fields.
    let is_known = |name: &str, value: &Value| {
        let kind = name == "type" && value == "message" && manner.idle.contains(&"type");
        matches!(name, "role" | "content")
            || value.is_null()
            || *value == json!([])
            || kind
            || own.contains(&name)
            || (name != "type" && manner.idle.contains(&name))
    };
    if let Some((name, _)) = object.iter().find(|(name, value)| !is_known(name, value)) {
        let message = "a message of this role may not hold this";
        return Err(Problem::field(place(&format!(".{name}")), message));
    }
    let calls = object.get("tool_calls").filter(|calls| !calls.is_null() && **calls != json!([]));
    let content = object.get("content").filter(|content| !content.is_null());
    let content = match content {
        None if calls.is_some() => Some(String::new()),
        content => content.and_then(|content| text_of(manner, content)),
    };
    let content = content
        .ok_or_else(|| Problem::field(place(".content"), no_text(manner, object.get("content"))))?;
    let role = if role == "developer" { "system" } else { role };
    let mut read = message(role, content);
    if let Some(calls) = calls {
        read["tool_calls"] = read_calls(&place(".tool_calls"), calls)?;
    }
    keep_texts(&place(""), object, &mut read)?;
    Ok(read)
}

/// Why a content holds no text: a part of another type is named.
pub(crate) fn no_text(manner: Manner, content: Option<&Value>) -> String {
    let types = manner.parts.join("\" or \"");
    let wanted = format!("the content must be a text, or a list of parts of type \"{types}\"");
    let parts = content.and_then(Value::as_array).into_iter().flatten();
    let mut kinds = parts.filter_map(|part| part.get("type").and_then(Value::as_str));
    match kinds.find(|kind| !manner.parts.contains(kind)) {
        Some(other) => format!("{wanted}; one of type \"{}\" is not taken", shown(other)),
        None => wanted,
    }
}

/// What a request calls something, as a message can repeat it.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(60).collect()
}

/// Reasoning and what a result belongs to.
fn keep_texts(place: &str, from: &Map<String, Value>, to: &mut Value) -> Result<(), Problem> {
    for (name, kept) in [
        ("reasoning", "reasoning_content"),
        ("reasoning_content", "reasoning_content"),
        ("tool_call_id", "tool_call_id"),
        ("name", "name"),
    ] {
        match from.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => to[kept] = json!(text),
            Some(_) => return Err(Problem::field(format!("{place}.{name}"), "it must be a text")),
        }
    }
    if to["role"] == "tool" && to["tool_call_id"].is_null() {
        let message = "a result must say which call it belongs to";
        return Err(Problem::field(format!("{place}.tool_call_id"), message));
    }
    Ok(())
}

fn read_calls(place: &str, calls: &Value) -> Result<Value, Problem> {
    let wrong = || {
        let message = "each is {\"id\", \"type\": \"function\", \"function\": {\"name\", \
                       \"arguments\"}}, the arguments a text";
        Problem::field(place, message)
    };
    let one = |given: &Value| {
        let function = given.get("function")?;
        let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
        let is_function = given.get("type").is_none_or(|kind| kind == "function");
        let (id, name) = (text(given, "id")?, text(function, "name")?);
        is_function.then(|| Some(call(&id, &name, &text(function, "arguments")?)))?
    };
    let calls = calls.as_array().ok_or_else(wrong)?.iter();
    calls.map(one).collect::<Option<Vec<Value>>>().map(Value::from).ok_or_else(wrong)
}

/// Gives each result the name of the tool whose it is: some templates read it. A result without a
/// call before it is refused.
pub(crate) fn name_results(list: &str, messages: &mut [Value]) -> Result<(), Problem> {
    let mut called: Vec<(Value, Value)> = Vec::new();
    for (at, message) in messages.iter_mut().enumerate() {
        let calls = message.get("tool_calls").and_then(Value::as_array);
        let calls = calls.into_iter().flatten();
        called.extend(calls.map(|call| (call["id"].clone(), call["function"]["name"].clone())));
        if message["role"] != "tool" {
            continue;
        }
        let id = &message["tool_call_id"];
        let Some((_, name)) = called.iter().rev().find(|(known, _)| known == id) else {
            let problem = "no call before it has this id";
            return Err(Problem::field(format!("{list}[{at}].tool_call_id"), problem));
        };
        message["name"] = name.clone();
    }
    Ok(())
}

/// A text, or the texts of a list of text parts, a line each.
pub(crate) fn text_of(manner: Manner, content: &Value) -> Option<String> {
    if let Some(text) = content.as_str() {
        return Some(text.to_owned());
    }
    let is_known = |name: &str, value: &Value| {
        matches!(name, "type" | "text")
            || manner.idle.contains(&name)
            || value.is_null()
            || *value == json!([])
    };
    let part = |part: &Value| {
        let object = part.as_object()?;
        let kind = object.get("type")?.as_str()?;
        let plain = object.iter().all(|(name, value)| is_known(name, value));
        let taken = plain && manner.parts.contains(&kind);
        object.get("text")?.as_str().filter(|_| taken).map(str::to_owned)
    };
    let parts: Option<Vec<String>> = content.as_array()?.iter().map(part).collect();
    parts.map(|parts| parts.join("\n"))
}
