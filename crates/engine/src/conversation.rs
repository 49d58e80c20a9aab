//! Puts a conversation into the shape that a chat template reads. Templates agree on the names of
//! things, less on what they hold, and some know nothing of tools.

use crate::dialect::Calls;
use allod_lm::TemplateInput;
use serde_json::{Value, json};

/// Where a template hears of tools, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'a> {
    /// The template's source; none for models that have no template.
    pub source: Option<&'a str>,
    /// How calls are written, where the template does not write them.
    pub calls: Calls,
}

impl Shape<'_> {
    /// The conversation as this template reads it.
    pub fn adapted(self, mut input: TemplateInput) -> TemplateInput {
        let tools = input.tools.take().unwrap_or_default();
        if self.reads("tools") || self.reads("xml_tools") {
            self.give(&mut input, &tools);
        } else if !tools.is_empty() {
            describe(&mut input.messages, &tools, self.calls);
        }
        let knows_results = ["'tool'", "\"tool\"", "ipython"].iter().any(|word| self.knows(word));
        match knows_results {
            true => input.messages.iter_mut().for_each(|message| self.adapt(message)),
            false => input.messages = told(std::mem::take(&mut input.messages), self.calls),
        }
        input
    }

    fn reads(self, variable: &str) -> bool {
        template_reads(self.source, variable)
    }

    fn knows(self, word: &str) -> bool {
        self.source.is_some_and(|source| source.contains(word))
    }

    /// Hands the tools to the template.
    fn give(self, input: &mut TemplateInput, tools: &[Value]) {
        if tools.is_empty() {
            return;
        }
        // Some read a tool's name from the tool itself, not from the function in it.
        let whole = ["tool.function", "tool['function']", "tool[\"function\"]", "tool | tojson"];
        let whole = whole.iter().chain(&["tool|tojson", "t | tojson", "tools | tojson"]);
        let bare = self.knows("tool.name") && !whole.into_iter().any(|word| self.knows(word));
        let given =
            tools.iter().map(|tool| if bare { tool["function"].clone() } else { tool.clone() });
        let given: Vec<Value> = given.collect();
        if self.reads("xml_tools") {
            input.variables.insert("xml_tools".into(), given.clone().into());
        }
        input.tools = Some(given);
    }

    /// Arguments as the template writes them, identifiers as it wants them.
    fn adapt(self, message: &mut Value) {
        if self.knows("length != 9") {
            shorten(&mut message["tool_call_id"]);
        }
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        for call in calls.into_iter().flatten() {
            if self.knows("length != 9") {
                shorten(&mut call["id"]);
            }
            let arguments = &mut call["function"]["arguments"];
            let parsed = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
            if let Some(parsed) = parsed.filter(|_| self.wants_values()) {
                *arguments = parsed;
            }
        }
        // What is not there is absent, not null: templates ask whether it is defined.
        if let Some(members) = message.as_object_mut() {
            members.retain(|name, value| name == "content" || !value.is_null());
        }
    }

    /// Whether arguments are to be values; else they are put between other texts as they stand.
    fn wants_values(self) -> bool {
        let written = ["arguments | tojson", "arguments|tojson", "arguments | items"];
        let whole = ["arguments|items", "arguments.items", "function|tojson", "function | tojson"];
        let others =
            ["tool_call|tojson", "tool_call | tojson", "arguments is mapping", "_args.items()"];
        written.iter().chain(&whole).chain(&others).any(|word| self.knows(word))
    }
}

/// Whether a chat template, if there is one, reads a variable of this name.
pub fn template_reads(source: Option<&str>, variable: &str) -> bool {
    source.is_some_and(|source| reads(source, variable))
}

/// Whether a template reads a variable: whether its name stands in the template's code, by itself
/// and not as a text or a member of something else.
fn reads(source: &str, variable: &str) -> bool {
    let parts_of_names = |letter: char| letter.is_alphanumeric() || letter == '_';
    let in_code = |at: usize| {
        let opened = source[..at].rfind("{%").max(source[..at].rfind("{{"));
        let closed = source[..at].rfind("%}").max(source[..at].rfind("}}"));
        opened.is_some_and(|opened| closed.is_none_or(|closed| closed < opened))
    };
    source.match_indices(variable).any(|(at, _)| {
        let before = source[..at].chars().next_back();
        let after = source[at + variable.len()..].chars().next();
        let other = |letter: char| parts_of_names(letter) || matches!(letter, '.' | '"' | '\'');
        !before.is_some_and(other)
            && !after.is_some_and(|letter| parts_of_names(letter) || matches!(letter, '"' | '\''))
            && in_code(at)
    })
}

/// Nine letters and digits that stand for an identifier.
fn shorten(id: &mut Value) {
    let Some(text) = id.as_str() else { return };
    if text.len() == 9 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return;
    }
    // FNV-1a: the same identifier gives the same letters, and few give those of another.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let mut next = || {
        let digit = (hash % 36) as u8;
        hash /= 36;
        char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 })
    };
    *id = (0..9).map(|_| next()).collect::<String>().into();
}

/// Tells a model whose template knows no tools of them, in the system message.
fn describe(messages: &mut Vec<Value>, tools: &[Value], calls: Calls) {
    let listed: Vec<String> = tools.iter().map(|tool| tool["function"].to_string()).collect();
    let form = calls.all_written(&[("NAME".to_string(), "{ARGUMENTS}".to_string())]);
    let text = format!(
        "These functions can be called, described in JSON, one in each line:\n{}\n\nTo call one, \
         write exactly this, with its name and its arguments as JSON:\n{form}",
        listed.join("\n")
    );
    match messages.first_mut().filter(|message| message["role"] == "system") {
        Some(system) => {
            let before = system["content"].as_str().unwrap_or_default();
            system["content"] = [before, "\n\n", &text].concat().into();
        }
        None => messages.insert(0, json!({"role": "system", "content": text})),
    }
}

/// Calls and results as ordinary messages.
fn told(messages: Vec<Value>, calls: Calls) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for mut message in messages {
        if message["role"] == "tool" {
            let result = message["content"].as_str().unwrap_or_default();
            let result = format!("<tool_response>\n{result}\n</tool_response>");
            match out.last_mut().filter(|last| !last["result"].is_null()) {
                Some(last) => {
                    let before = last["content"].as_str().unwrap_or_default();
                    last["content"] = [before, "\n", &result].concat().into();
                }
                None => out.push(json!({"role": "user", "content": result, "result": true})),
            }
            continue;
        }
        if let Some(made) = message["tool_calls"].as_array() {
            let text = |call: &Value, key: &str| {
                call["function"][key].as_str().unwrap_or_default().to_string()
            };
            let made = made.iter().map(|call| (text(call, "name"), text(call, "arguments")));
            let written = calls.all_written(&made.collect::<Vec<_>>());
            let before = message["content"].as_str().unwrap_or_default();
            let gap = if before.is_empty() { "" } else { "\n" };
            message["content"] = [before, gap, &written].concat().into();
        }
        out.push(json!({"role": message["role"], "content": message["content"]}));
    }
    for message in &mut out {
        if let Some(members) = message.as_object_mut() {
            members.remove("result");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    const TOOL: &str = r#"{"type": "function", "function": {"name": "f", "parameters": {}}}"#;

    fn adapted(source: Option<&str>, messages: Value) -> TemplateInput {
        let shape = Shape { source, calls: Dialect::of(source).calls };
        shape.adapted(TemplateInput {
            messages: messages.as_array().unwrap().clone(),
            tools: Some(vec![serde_json::from_str(TOOL).unwrap()]),
            ..TemplateInput::new(&[])
        })
    }

    fn called() -> Value {
        json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "call_1", "type": "function",
                 "function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "name": "f", "content": "7"},
            {"role": "tool", "tool_call_id": "call_2", "name": "f", "content": "8"},
        ])
    }

    #[test]
    fn arguments_and_identifiers_are_what_the_template_wants() {
        let plain = "{% if tools %}{% endif %}{% if m.role == 'tool' %}{% endif %}";
        let input = adapted(Some(plain), called());
        assert_eq!(input.messages[1]["tool_calls"][0]["function"]["arguments"], "{\"x\": 1}");
        assert_eq!(input.tools.unwrap()[0]["function"]["name"], "f");
        let values = format!("{plain}{{{{ c.arguments | tojson }}}}{{{{ id | length != 9 }}}}");
        let messages = adapted(Some(&values), called()).messages;
        assert_eq!(messages[1]["tool_calls"][0]["function"]["arguments"], json!({"x": 1}));
        let id = messages[1]["tool_calls"][0]["id"].as_str().unwrap();
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        assert_eq!(messages[2]["tool_call_id"], id);
        assert_ne!(messages[3]["tool_call_id"], id);
        let bare = format!("{plain}{{{{ tool.name }}}}");
        assert_eq!(adapted(Some(&bare), called()).tools.unwrap()[0]["name"], "f");
    }

    #[test]
    fn a_template_without_tools_is_told_of_them_in_messages() {
        for source in [None, Some("{{ messages }} has no tools")] {
            let input = adapted(source, called());
            assert_eq!(input.tools, None);
            let roles: Vec<&Value> = input.messages.iter().map(|m| &m["role"]).collect();
            assert_eq!(roles, ["system", "user", "assistant", "user"]);
            let text = |at: usize| input.messages[at]["content"].as_str().unwrap();
            assert!(text(0).contains("\"name\":\"f\"") && text(0).contains("<tool_call>"));
            assert!(text(2).contains("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}"));
            let results = ["7", "8"].map(|x| format!("<tool_response>\n{x}\n</tool_response>"));
            assert_eq!(text(3), results.join("\n"));
        }
    }

    #[test]
    fn a_variable_is_read_where_its_name_stands_by_itself() {
        let source = "thinking {% if enable_thinking is defined and m.other %}{{ a['third'] }}";
        assert!(reads(source, "enable_thinking") && reads(source, "m"));
        for name in ["thinking", "other", "third", "defin"] {
            assert!(!reads(source, name), "{name}");
        }
    }
}
