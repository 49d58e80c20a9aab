//! Puts a conversation into the shape that a chat template reads. Templates agree on the names of
//! things, less on what they hold, and some know nothing of tools.

use crate::dialect::Calls;
use crate::habits::{Arguments, Habits, Tools, give};
use allod_lm::TemplateInput;
use serde_json::{Value, json};

/// What a template makes of what it is given, and what is told in texts instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub habits: Habits,
    /// How calls are written, where the template does not write them.
    pub calls: Calls,
}

impl Shape {
    /// The conversation as this template reads it.
    pub fn adapted(self, mut input: TemplateInput) -> TemplateInput {
        let mut tools = input.tools.take().unwrap_or_default();
        if self.habits.described {
            tools.iter_mut().for_each(describe_tool);
        }
        match self.habits.tools {
            _ if tools.is_empty() => {}
            Tools::Unread => describe(&mut input.messages, &tools, self.calls),
            how => give(&mut input, how, &tools),
        }
        input.messages = self.messages(std::mem::take(&mut input.messages));
        if !self.habits.system {
            fold_system(&mut input.messages);
        }
        input
    }

    fn messages(self, given: Vec<Value>) -> Vec<Value> {
        let mut out: Vec<Value> = Vec::new();
        let mut given = given.into_iter().peekable();
        while let Some(mut message) = given.next() {
            let calls = message["tool_calls"].as_array().map_or(0, Vec::len);
            if message["role"] == "tool" && !self.habits.results {
                tell_result(&mut out, &message);
                continue;
            }
            if calls > 0 && self.habits.arguments.is_none() {
                tell_calls(&mut message, self.calls);
            }
            self.adapt(&mut message);
            if calls < 2 || self.habits.arguments.is_none() || self.habits.many {
                out.push(message);
                continue;
            }
            let mut results = Vec::new();
            while let Some(result) = given.next_if(|next| next["role"] == "tool") {
                results.push(result);
            }
            for message in one_by_one(message, results) {
                match message["role"] == "tool" && !self.habits.results {
                    true => tell_result(&mut out, &message),
                    false => out.push(self.adapted_message(message)),
                }
            }
        }
        for member in out.iter_mut().filter_map(Value::as_object_mut) {
            member.remove(TOLD);
        }
        out
    }

    fn adapted_message(self, mut message: Value) -> Value {
        self.adapt(&mut message);
        message
    }

    /// Arguments as the template writes them, identifiers and reasoning as it wants them.
    fn adapt(self, message: &mut Value) {
        if self.habits.nine {
            shorten(&mut message["tool_call_id"]);
        }
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        for call in calls.into_iter().flatten() {
            if self.habits.nine {
                shorten(&mut call["id"]);
            }
            let arguments = &mut call["function"]["arguments"];
            let wanted = self.habits.arguments == Some(Arguments::Values);
            let parsed = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
            if let Some(parsed) = parsed.filter(|_| wanted) {
                *arguments = parsed;
            }
        }
        let has_calls = !message["tool_calls"].is_null();
        let has_text = message["content"].as_str().is_some_and(|text| !text.is_empty());
        let Some(members) = message.as_object_mut() else { return };
        // What is not there is absent, not null: templates ask whether it is defined.
        members.retain(|name, value| name == "content" || !value.is_null());
        let name = self.habits.reasoning;
        if name != WRITTEN
            && let Some(thought) = members.remove(WRITTEN)
            // Where a channel is for both, the text before a call is what was shown.
            && !(has_calls && has_text)
        {
            members.insert(name.to_string(), thought);
        }
    }
}

/// What interfaces call the reasoning of earlier messages.
const WRITTEN: &str = "reasoning_content";
/// Marks a message of the user's that tells results.
const TOLD: &str = "told";

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

/// Gives a tool without a description an empty one.
fn describe_tool(tool: &mut Value) {
    let Some(function) = tool["function"].as_object_mut() else { return };
    if !function.contains_key("description") {
        let rest = std::mem::take(function).into_iter();
        let (name, rest): (Vec<_>, Vec<_>) = rest.partition(|(key, _)| key == "name");
        let empty = ("description".to_string(), Value::from(""));
        function.extend(name.into_iter().chain([empty]).chain(rest));
    }
}

/// Puts calls into the text of their message.
fn tell_calls(message: &mut Value, calls: Calls) {
    let made = message["tool_calls"].take();
    let text =
        |call: &Value, key: &str| call["function"][key].as_str().unwrap_or_default().to_string();
    let made = made.as_array().into_iter().flatten();
    let made = made.map(|call| (text(call, "name"), text(call, "arguments")));
    let written = calls.all_written(&made.collect::<Vec<_>>());
    let before = message["content"].as_str().unwrap_or_default();
    let gap = if before.is_empty() { "" } else { "\n" };
    message["content"] = [before, gap, &written].concat().into();
}

/// A result as a message of the user's; neighbours are one message.
fn tell_result(out: &mut Vec<Value>, message: &Value) {
    let result = message["content"].as_str().unwrap_or_default();
    let result = format!("<tool_response>\n{result}\n</tool_response>");
    match out.last_mut().filter(|last| !last[TOLD].is_null()) {
        Some(last) => {
            let before = last["content"].as_str().unwrap_or_default();
            last["content"] = [before, "\n", &result].concat().into();
        }
        None => out.push(json!({"role": "user", "content": result, TOLD: true})),
    }
}

/// The calls of one message as a message each, followed by what came of it.
fn one_by_one(mut message: Value, mut results: Vec<Value>) -> Vec<Value> {
    let Value::Array(calls) = message["tool_calls"].take() else { return vec![message] };
    let mut out = Vec::new();
    for call in calls {
        let id = call["id"].clone();
        let mut one = message.clone();
        one["tool_calls"] = json!([call]);
        if !out.is_empty() {
            one = json!({"role": one["role"], "content": "", "tool_calls": one["tool_calls"]});
        }
        out.push(one);
        let (own, others) = results.into_iter().partition(|result| result["tool_call_id"] == id);
        results = others;
        out.extend::<Vec<Value>>(own);
    }
    out.extend(results);
    out
}

/// Puts what stands in the first message, the system's, before what the user says.
fn fold_system(messages: &mut Vec<Value>) {
    let leads = messages.first().is_some_and(|message| message["role"] == "system");
    if !leads || messages.get(1).is_none_or(|message| message["role"] != "user") {
        return;
    }
    let system = messages.remove(0);
    let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_string();
    let both = [text(&system), text(&messages[0])].map(|text| text.trim().to_string());
    messages[0]["content"] = both.join("\n\n").into();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use allod_lm::ChatTemplate;
    use std::collections::BTreeMap;

    const TOOL: &str = r#"{"type": "function", "function": {"name": "f", "parameters": {}}}"#;

    fn adapted(source: Option<&str>, messages: Value) -> TemplateInput {
        let template = match source {
            Some(source) => ChatTemplate::new(source.to_string(), BTreeMap::new()).unwrap(),
            None => ChatTemplate::plain(),
        };
        let shape = Shape { habits: Habits::of(&template), calls: Dialect::of(source).calls };
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

    /// A template that writes each call by `call`, and tools by `tool`.
    fn template(tool: &str, call: &str) -> String {
        [
            "{% for t in tools or [] %}{{ ",
            tool,
            " }}{% endfor %}{% for m in messages %}{{ m.role }}: {{ m.content }}",
            "{% for c in m.tool_calls or [] %}",
            call,
            "{% endfor %}\n{% endfor %}",
        ]
        .concat()
    }

    #[test]
    fn arguments_and_identifiers_are_what_the_template_wants() {
        let wrapped = "t | tojson";
        let arguments = |source: &str| {
            let input = adapted(Some(source), called());
            input.messages[1]["tool_calls"][0]["function"]["arguments"].clone()
        };
        for (call, wanted) in [
            ("{{ c.function.name ~ c.function.arguments }}", json!("{\"x\": 1}")),
            ("{{ c['function']['arguments']|tojson }}", json!({"x": 1})),
            ("{% set g = c.function %}{{ g | tojson }}", json!({"x": 1})),
            (
                "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }}{% endfor %}",
                json!({"x": 1}),
            ),
        ] {
            assert_eq!(arguments(&template(wrapped, call)), wanted, "{call}");
        }
        let source = template(wrapped, "{{ c.function.arguments | tojson }}");
        let strict = "{% for m in messages if m.tool_call_id and m.tool_call_id|length != 9 %}\
                      {{ raise_exception('nine') }}{% endfor %}";
        let input = adapted(Some(&(source + strict)), called());
        assert_eq!(input.tools.unwrap()[0]["function"]["name"], "f");
        let messages = input.messages;
        let id = messages[1]["tool_calls"][0]["id"].as_str().unwrap();
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        assert_eq!(messages[2]["tool_call_id"], id);
        assert_ne!(messages[3]["tool_call_id"], id);
        let bare = template("t.name ~ t.parameters", "{{ c.function.arguments | tojson }}");
        assert_eq!(adapted(Some(&bare), called()).tools.unwrap()[0]["name"], "f");
        let strict = template("t.function.name ~ t.function.parameters", "")
            + "{% for t in tools or [] %}{{ '// ' + t.function.description }}{% endfor %}";
        let given = adapted(Some(&strict), called()).tools.unwrap()[0]["function"].to_string();
        assert_eq!(given, r#"{"name":"f","description":"","parameters":{}}"#);
        let xml = "{% for t in xml_tools or [] %}{{ t }}{% endfor %}";
        let input = adapted(Some(xml), called());
        assert_eq!(input.variables["xml_tools"][0]["function"]["name"], "f");
    }

    #[test]
    fn a_template_without_tools_is_told_of_them_in_messages() {
        let strict = "{% for m in messages %}{% if m.role in ['system', 'user', 'assistant'] %}\
                      {{ m.content }}{% endif %}{% endfor %}";
        for source in [None, Some(strict)] {
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
    fn results_are_left_to_a_template_that_knows_tools_and_writes_no_calls() {
        let source = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}";
        let roles = |source: &str| {
            let messages = adapted(Some(source), called()).messages;
            messages.iter().map(|m| m["role"].as_str().unwrap().to_string()).collect::<Vec<_>>()
        };
        // A template that writes whatever role there is knows nothing of results.
        assert_eq!(roles(source), ["system", "user", "assistant", "user"]);
        let source = format!("{source}{{{{ tools | tojson if tools }}}}");
        assert_eq!(roles(&source), ["user", "assistant", "tool", "tool"]);
        let messages = adapted(Some(&source), called()).messages;
        assert!(messages[1]["content"].as_str().unwrap().starts_with("<tool_call>"));
        assert_eq!(
            (&messages[1]["tool_calls"], &messages[2]["content"]),
            (&Value::Null, &json!("7"))
        );
        let within =
            "{% for m in messages %}{{ m.role ~ m.content ~ (m.tools or '') }}{% endfor %}";
        let messages = adapted(Some(within), called()).messages;
        assert!(messages[0]["tools"].as_str().unwrap().starts_with("[{\"name\":\"f\""));
    }

    #[test]
    fn calls_stand_one_by_one_where_a_template_takes_one() {
        let call = "{{ c.function.arguments | tojson }}{% if m.tool_calls|length > 1 %}\
                    {{ raise_exception('one call only') }}{% endif %}";
        let source = template("t | tojson", call);
        let mut messages = called();
        let second = json!({"id": "call_2", "type": "function",
            "function": {"name": "f", "arguments": "{\"x\": 2}"}});
        messages[1]["tool_calls"].as_array_mut().unwrap().push(second);
        messages[1]["content"] = "so".into();
        let messages = adapted(Some(&source), messages).messages;
        let shown = |m: &Value| match m["tool_calls"][0]["function"]["arguments"]["x"].as_i64() {
            Some(x) => format!("{}{x}", m["content"].as_str().unwrap()),
            None => m["content"].as_str().unwrap().to_string(),
        };
        let shown: Vec<String> = messages.iter().map(shown).collect();
        assert_eq!(shown, ["a", "so1", "7", "2", "8"]);
    }

    #[test]
    fn a_system_message_that_is_refused_leads_the_users() {
        let source = "{% for m in messages %}{% if m.role == 'system' %}\
                      {{ raise_exception('none') }}{% endif %}{{ m.content }}{% endfor %}";
        let messages = json!([{"role": "system", "content": "Be brief."},
                              {"role": "user", "content": "Why?"}]);
        let input = adapted(Some(source), messages);
        let [only] = &input.messages[..] else { panic!("{:?}", input.messages) };
        let text = only["content"].as_str().unwrap();
        assert!(text.starts_with("Be brief.\n\nThese functions") && text.ends_with("\n\nWhy?"));
    }

    #[test]
    fn reasoning_has_the_name_that_the_template_reads() {
        for name in ["reasoning_content", "thinking", "reasoning"] {
            let call = format!("{{{{ c.function.arguments | tojson }}}}{{{{ m.{name} }}}}");
            let source = template("t | tojson", &call);
            let mut messages = called();
            messages[1]["reasoning_content"] = "why".into();
            assert_eq!(adapted(Some(&source), messages).messages[1][name], "why");
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
