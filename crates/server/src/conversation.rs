//! Messages as OpenAI's and Anthropic's interfaces write them, read into a conversation.

use allod_engine::Message;
use serde_json::{Value, json};

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
}

/// A list of messages, at least one.
pub(crate) fn read(manner: Manner, value: Option<&Value>) -> Result<Vec<Message>, Problem> {
    let list = manner.list;
    let given = value.and_then(Value::as_array).filter(|messages| !messages.is_empty());
    let wrong = || Problem::field(list, format!("`{list}` must be a list of one message or more"));
    let given = given.ok_or_else(wrong)?;
    if given.len() > MESSAGES_MAX {
        let message = format!("there are {} messages, at most {MESSAGES_MAX} go", given.len());
        return Err(Problem::field(list, message));
    }
    given.iter().enumerate().map(|(at, message)| read_message(manner, at, message)).collect()
}

fn read_message(manner: Manner, at: usize, value: &Value) -> Result<Message, Problem> {
    let place = |field: &str| format!("{}[{at}]{field}", manner.list);
    let object = value.as_object();
    let object = object.ok_or_else(|| Problem::field(place(""), "a message is an object"))?;
    // What a client echoes from an earlier answer may hold empty fields.
    let is_known = |name: &str, value: &Value| {
        let kind = name == "type" && value == "message" && manner.idle.contains(&"type");
        matches!(name, "role" | "content")
            || value.is_null()
            || *value == json!([])
            || kind
            || (name != "type" && manner.idle.contains(&name))
    };
    if let Some((name, _)) = object.iter().find(|(name, value)| !is_known(name, value)) {
        let message = "a message may hold `role` and `content` only";
        return Err(Problem::field(place(&format!(".{name}")), message));
    }
    let role = object.get("role").and_then(Value::as_str);
    let role = role.filter(|role| manner.roles.contains(role)).ok_or_else(|| {
        let message = format!("the role must be one of {}", manner.roles.join(", "));
        Problem::field(place(".role"), message)
    })?;
    let role = if role == "developer" { "system" } else { role };
    let content = object.get("content").and_then(|content| text_of(manner, content));
    let content = content.ok_or_else(|| {
        let types = manner.parts.join("\" or \"");
        let message = format!("the content must be a text, or a list of parts of type \"{types}\"");
        Problem::field(place(".content"), message)
    })?;
    Ok(Message { role: role.into(), content })
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
