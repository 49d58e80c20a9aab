//! The tools of a request and which of them are to be called, as each interface writes it.

use allod_engine::{Parallel, TOOLS_MAX, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use crate::fields::Fields;
use crate::problem::Problem;
use crate::speaking::Speaking;

/// What OpenAI's interfaces call it.
pub(crate) const OPENAI_FIELDS: [&str; 3] = ["tools", "tool_choice", "parallel_tool_calls"];
/// And Anthropic's.
pub(crate) const ANTHROPIC_FIELDS: [&str; 2] = ["tools", "tool_choice"];

/// Where an interface puts what a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dress {
    /// `{"type": "function", "function": {…}}`, as chat completions have it.
    Wrapped,
    /// `{"type": "function", "name": …}`, as responses have it.
    Bare,
}

/// Reads tools as OpenAI's interfaces write them.
pub(crate) fn openai(
    fields: &Fields,
    dress: Dress,
    speaking: &mut Speaking,
) -> Result<(), Problem> {
    let tools = list(fields, |place, tool| openai_tool(place, tool, dress))?;
    let choice = openai_choice(fields.get("tool_choice"), dress)?;
    let parallel =
        fields.get("parallel_tool_calls").is_none() || fields.boolean("parallel_tool_calls")?;
    let parallel = if parallel { Parallel::Many } else { Parallel::One };
    set(tools, choice, parallel, speaking)
}

/// Reads tools as Anthropic's interface writes them.
pub(crate) fn anthropic(fields: &Fields, speaking: &mut Speaking) -> Result<(), Problem> {
    let tools = list(fields, anthropic_tool)?;
    let (choice, parallel) = anthropic_choice(fields.get("tool_choice"))?;
    set(tools, choice, parallel, speaking)
}

fn set(
    tools: Vec<Tool>,
    choice: Option<ToolChoice>,
    parallel: Parallel,
    speaking: &mut Speaking,
) -> Result<(), Problem> {
    let problem = |message: String| Problem::field("tool_choice", message);
    match &choice {
        Some(ToolChoice::Named(name)) if !tools.iter().any(|tool| tool.name == *name) => {
            let shown: String = name.chars().take(80).collect();
            return Err(problem(format!("`{shown}` is none of `tools`")));
        }
        Some(ToolChoice::Required) if tools.is_empty() => {
            return Err(problem("a call is required, and there are no `tools`".into()));
        }
        _ => {}
    }
    speaking.names.tools = (!tools.is_empty()).then_some("tools");
    speaking.options.tools = tools;
    speaking.options.choice = choice.unwrap_or_default();
    speaking.options.parallel = parallel;
    Ok(())
}

fn list(
    fields: &Fields,
    read: impl Fn(&str, &Map<String, Value>) -> Result<Tool, Problem>,
) -> Result<Vec<Tool>, Problem> {
    let Some(value) = fields.get("tools") else { return Ok(Vec::new()) };
    let fits = value.as_array().filter(|tools| tools.len() <= TOOLS_MAX);
    let wrong = || Problem::field("tools", format!("`tools` must be a list of up to {TOOLS_MAX}"));
    let tools = fits.ok_or_else(wrong)?.iter().enumerate();
    let mut read_tools: Vec<Tool> = Vec::new();
    for (at, tool) in tools {
        let place = format!("tools[{at}]");
        let object = tool.as_object();
        let object = object.ok_or_else(|| Problem::field(&place, "a tool is an object"))?;
        let tool = read(&place, object)?;
        if read_tools.iter().any(|other| other.name == tool.name) {
            let message = "there is another tool of this name";
            return Err(Problem::field(format!("{place}.name"), message));
        }
        read_tools.push(tool);
    }
    Ok(read_tools)
}

/// Refuses fields of a tool that are not known.
fn only(place: &str, object: &Map<String, Value>, known: &[&str]) -> Result<(), Problem> {
    let strange =
        |(name, value): &(&String, &Value)| !value.is_null() && !known.contains(&name.as_str());
    match object.iter().find(strange) {
        None => Ok(()),
        Some((name, _)) => {
            let shown: String = name.chars().take(60).collect();
            let message = "this field of a tool is not known; leave it out";
            Err(Problem::field(format!("{place}.{shown}"), message))
        }
    }
}

fn openai_tool(place: &str, object: &Map<String, Value>, dress: Dress) -> Result<Tool, Problem> {
    if object.get("type").and_then(Value::as_str) != Some("function") {
        let message = "only tools of the type `function` are taken";
        return Err(Problem::field(format!("{place}.type"), message));
    }
    let known = ["name", "description", "parameters", "strict"];
    match dress {
        Dress::Bare => {
            only(place, object, &[&known[..], &["type"]].concat())?;
            tool(place, object, "parameters")
        }
        Dress::Wrapped => {
            only(place, object, &["type", "function"])?;
            let place = format!("{place}.function");
            let function = object.get("function").and_then(Value::as_object);
            let wrong = || Problem::field(&place, "a function is an object");
            let function = function.ok_or_else(wrong)?;
            only(&place, function, &known)?;
            tool(&place, function, "parameters")
        }
    }
}

fn anthropic_tool(place: &str, object: &Map<String, Value>) -> Result<Tool, Problem> {
    if object.get("type").is_some_and(|kind| *kind != "custom" && !kind.is_null()) {
        let message = "only tools of the caller's own are taken";
        return Err(Problem::field(format!("{place}.type"), message));
    }
    let known = ["type", "name", "description", "input_schema", "cache_control", "strict"];
    only(place, object, &known)?;
    tool(place, object, "input_schema")
}

/// Arguments are valid under the schema whether `strict` is asked for or not.
fn tool(place: &str, object: &Map<String, Value>, schema: &str) -> Result<Tool, Problem> {
    let name = object.get("name").and_then(Value::as_str).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
        let message = "a name has 1 to 64 letters, digits, `_` or `-`";
        return Err(Problem::field(format!("{place}.name"), message));
    }
    let parameters = match object.get(schema).filter(|schema| !schema.is_null()) {
        None => json!({"type": "object", "properties": {}}),
        Some(schema) if schema.is_object() => schema.clone(),
        Some(_) => {
            let message = "the arguments are described by a JSON schema, an object";
            return Err(Problem::field(format!("{place}.{schema}"), message));
        }
    };
    let description = object.get("description").and_then(Value::as_str).map(str::to_owned);
    Ok(Tool { name: name.to_owned(), description, parameters })
}

fn openai_choice(value: Option<&Value>, dress: Dress) -> Result<Option<ToolChoice>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let named = |value: &Value| {
        let function = match dress {
            Dress::Wrapped => value.get("function")?,
            Dress::Bare => value,
        };
        let is_function = value.get("type")?.as_str()? == "function";
        let name = function.get("name")?.as_str().filter(|_| is_function)?;
        Some(ToolChoice::Named(name.to_owned()))
    };
    let choice = match value.as_str() {
        Some("none") => Some(ToolChoice::None),
        Some("auto") => Some(ToolChoice::Auto),
        Some("required") => Some(ToolChoice::Required),
        Some(_) => None,
        None => named(value),
    };
    let wrong = || {
        let message = "`tool_choice` must be none, auto, required, or name a function";
        Problem::field("tool_choice", message)
    };
    choice.map(Some).ok_or_else(wrong)
}

fn anthropic_choice(value: Option<&Value>) -> Result<(Option<ToolChoice>, Parallel), Problem> {
    let Some(value) = value else { return Ok((None, Parallel::Many)) };
    let wrong = || {
        let message = "`tool_choice` must have the type auto, any, none, or tool with a name";
        Problem::field("tool_choice", message)
    };
    let choice = match value.get("type").and_then(Value::as_str) {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Required,
        Some("none") => ToolChoice::None,
        Some("tool") => {
            let name = value.get("name").and_then(Value::as_str).ok_or_else(wrong)?;
            ToolChoice::Named(name.to_owned())
        }
        _ => return Err(wrong()),
    };
    let parallel = match value.get("disable_parallel_tool_use") {
        None | Some(Value::Null | Value::Bool(false)) => Parallel::Many,
        Some(Value::Bool(true)) => Parallel::One,
        Some(_) => return Err(wrong()),
    };
    Ok((Some(choice), parallel))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: Value, dress: Option<Dress>) -> Result<Speaking, Problem> {
        let fields = fields.as_object().unwrap().clone();
        let (fields, mut speaking) = (Fields(&fields), Speaking::default());
        match dress {
            Some(dress) => openai(&fields, dress, &mut speaking),
            None => anthropic(&fields, &mut speaking),
        }
        .map(|()| speaking)
    }

    #[test]
    fn every_interface_says_the_same_in_its_own_words() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
        let function = json!({"name": "f", "description": "d", "parameters": schema});
        let bare = json!({"type": "function", "name": "f", "description": "d",
                          "parameters": schema, "strict": true});
        let tool = json!({"name": "f", "description": "d", "input_schema": schema});
        let wrapped = json!({"tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "parallel_tool_calls": false});
        let response = json!({"tools": [bare], "tool_choice": {"type": "function", "name": "f"},
            "parallel_tool_calls": false});
        let message = json!({"tools": [tool],
            "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true}});
        for (fields, dress) in
            [(wrapped, Some(Dress::Wrapped)), (response, Some(Dress::Bare)), (message, None)]
        {
            let options = read(fields, dress).unwrap().options;
            assert_eq!(options.choice, ToolChoice::Named("f".into()));
            assert_eq!(options.parallel, Parallel::One);
            let expected = Tool {
                name: "f".into(),
                description: Some("d".into()),
                parameters: schema.clone(),
            };
            assert_eq!(options.tools, [expected]);
        }
        let any = json!({"tools": [{"name": "f"}], "tool_choice": {"type": "any"}});
        assert_eq!(read(any, None).unwrap().options.choice, ToolChoice::Required);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        let function =
            |function: Value| json!({"tools": [{"type": "function", "function": function}]});
        for (fields, param) in [
            (json!({"tools": {}}), "tools"),
            (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
            (function(json!({"name": "a b"})), "tools[0].function.name"),
            (function(json!({"name": "f", "parameters": 1})), "tools[0].function.parameters"),
            (function(json!({"name": "f", "extra": 1})), "tools[0].function.extra"),
            (json!({"tool_choice": "required"}), "tool_choice"),
            (json!({"tool_choice": "some"}), "tool_choice"),
            (json!({"parallel_tool_calls": 1}), "parallel_tool_calls"),
        ] {
            let body = read(fields.clone(), Some(Dress::Wrapped)).unwrap_err().body();
            assert_eq!(body["error"]["param"], param, "{fields}");
        }
        for (fields, param) in [
            (json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}), "tools[0].type"),
            (json!({"tools": [{"name": "f"}, {"name": "f"}]}), "tools[1].name"),
            (
                json!({"tools": [{"name": "f"}], "tool_choice": {"type": "tool", "name": "g"}}),
                "tool_choice",
            ),
        ] {
            let body = read(fields.clone(), None).unwrap_err().body();
            assert_eq!(body["error"]["param"], param, "{fields}");
        }
    }
}
