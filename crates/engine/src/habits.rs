//! What a chat template makes of what it is given. Templates say it nowhere, so each is asked once,
//! with conversations whose every part can be told in what comes out.

use crate::conversation::template_reads;
use allod_lm::{ChatTemplate, TemplateInput};
use jiff::civil::Date;
use serde_json::{Value, json};

/// What a chat template makes of what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Habits {
    /// How it takes tools.
    pub tools: Tools,
    /// Whether every tool must have a description.
    pub described: bool,
    /// How it takes the arguments of calls; none if it writes no calls.
    pub arguments: Option<Arguments>,
    /// Whether it writes several calls of one message.
    pub many: bool,
    /// Whether identifiers of calls must have nine letters.
    pub nine: bool,
    /// Whether it writes results of tools.
    pub results: bool,
    /// Whether it takes a system message.
    pub system: bool,
    /// What it calls the reasoning of earlier messages.
    pub reasoning: &'static str,
}

/// How a template takes tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tools {
    /// Not at all.
    Unread,
    /// As the interface has them, under a variable of this name.
    Wrapped(&'static str),
    /// Each as the function alone.
    Bare(&'static str),
    /// The functions, as JSON, as `tools` of the system message.
    InSystem,
}

/// How a template takes the arguments of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arguments {
    /// As values.
    Values,
    /// As a text that is JSON.
    Text,
}

impl Habits {
    /// A model without a template: all is told in the texts of messages.
    pub const NONE: Habits = Habits {
        tools: Tools::Unread,
        described: false,
        arguments: None,
        many: false,
        nine: false,
        results: false,
        system: true,
        reasoning: REASONING[0],
    };

    /// The habits of a template.
    pub fn of(template: &ChatTemplate) -> Habits {
        let Some(source) = template.source() else { return Habits::NONE };
        let mut probe = Probe { template, tools: Tools::Unread };
        let lists =
            ["tools", "xml_tools"].into_iter().filter(|list| template_reads(Some(source), list));
        let forms = lists.flat_map(|list| [Tools::Wrapped(list), Tools::Bare(list)]);
        let mut forms = forms.chain([Tools::InSystem]);
        let user = json!([message("user", USER)]);
        let shows_tools = |tools: &Tools| {
            let shown = Probe { template, tools: *tools }.text(user.clone());
            shown.is_some_and(|text| text.contains(TOOL) && text.contains(PARAMETER))
        };
        probe.tools = forms.find(shows_tools).unwrap_or(Tools::Unread);
        let nine = [LONG, NINE].into_iter().find_map(|id| Some((id, probe.arguments(id)?)));
        let (id, arguments) = nine.map_or((LONG, None), |(id, found)| (id, Some(found)));
        let called = |count: usize| arguments.map(|arguments| called(id, arguments, count));
        let told = || json!([message("user", USER), message("assistant", ANSWER), result(id)]);
        let results = probe.text(called(1).unwrap_or_else(told));
        let many = called(2).and_then(|messages| probe.text(messages));
        Habits {
            tools: probe.tools,
            described: probe.tools != Tools::Unread && probe.with(&tool(None), user).is_none(),
            arguments,
            many: many.is_some_and(|text| text.contains(SECOND)),
            nine: id == NINE,
            results: results.is_some_and(|text| text.contains(RESULT))
                && (arguments.is_some() || probe.tools != Tools::Unread || !probe.takes_any_role()),
            system: probe.takes_system(),
            reasoning: probe.reasoning(called(1)),
        }
    }
}

/// Puts tools where a template that takes them so reads them.
pub(crate) fn give(input: &mut TemplateInput, how: Tools, tools: &[Value]) {
    let functions = || tools.iter().map(|tool| tool["function"].clone()).collect::<Vec<Value>>();
    let (list, given) = match how {
        Tools::Unread => return,
        Tools::Wrapped(list) => (list, tools.to_vec()),
        Tools::Bare(list) => (list, functions()),
        Tools::InSystem => {
            let leads = input.messages.first().is_some_and(|first| first["role"] == "system");
            if !leads {
                input.messages.insert(0, message("system", ""));
            }
            input.messages[0]["tools"] = Value::from(functions()).to_string().into();
            return;
        }
    };
    if list != "tools" {
        input.variables.insert(list.to_string(), given.clone().into());
    }
    input.tools = Some(given);
}

// Each can stand in what comes out for one reason only.
const USER: &str = "aquestionoftheprobe";
const SYSTEM: &str = "aninstructionoftheprobe";
const ANSWER: &str = "ananswerintheprobe";
const THOUGHT: &str = "athoughtintheprobe";
const TOOL: &str = "atoolintheprobe";
const PARAMETER: &str = "aparameterintheprobe";
const NAME: &str = "anargumentintheprobe";
const VALUE: &str = "avalueintheprobe";
const SECOND: &str = "anothervalueintheprobe";
const RESULT: &str = "aresultintheprobe";
const ROLE: &str = "aroleintheprobe";
const LONG: &str = "call_0123456789";
const NINE: &str = "abcdefgh1";
const DATE: Date = Date::constant(2024, 1, 1);
/// What templates call reasoning; interfaces write it by the first name.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

struct Probe<'a> {
    template: &'a ChatTemplate,
    tools: Tools,
}

fn message(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

fn result(id: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "name": TOOL, "content": RESULT})
}

/// A question, calls, the result of the last, and the next answer.
fn called(id: &str, how: Arguments, count: usize) -> Value {
    let call = |(number, value): (usize, &str)| {
        let arguments = json!({NAME: value});
        let arguments = match how {
            Arguments::Values => arguments,
            Arguments::Text => text_of(value).into(),
        };
        let id = [&id[..id.len() - 1], &(number + 1).to_string()].concat();
        json!({"id": id, "type": "function", "function": {"name": TOOL, "arguments": arguments}})
    };
    let calls: Vec<Value> = [VALUE, SECOND].into_iter().take(count).enumerate().map(call).collect();
    let results = calls.iter().map(|call| result(call["id"].as_str().unwrap_or_default()));
    let results: Vec<Value> = results.collect();
    let calls = json!({"role": "assistant", "content": "", "tool_calls": calls});
    [vec![message("user", USER), calls], results].concat().into()
}

/// Arguments as a text.
fn text_of(value: &str) -> String {
    format!("{{\"{NAME}\": \"{value}\"}}")
}

fn tool(description: Option<&str>) -> Value {
    let parameters = json!({"type": "object", "required": [PARAMETER], "properties":
        {PARAMETER: {"type": "string", "description": "A text."}}});
    let function = match description {
        Some(text) => json!({"name": TOOL, "description": text, "parameters": parameters}),
        None => json!({"name": TOOL, "parameters": parameters}),
    };
    json!({"type": "function", "function": function})
}

impl Probe<'_> {
    fn text(&self, messages: Value) -> Option<String> {
        self.with(&tool(Some("A tool.")), messages)
    }

    fn with(&self, tool: &Value, messages: Value) -> Option<String> {
        let Value::Array(messages) = messages else { return None };
        let mut input = TemplateInput { messages, date: Some(DATE), ..TemplateInput::new(&[]) };
        give(&mut input, self.tools, std::slice::from_ref(tool));
        Some(self.template.render_input(input, [].into_iter()).ok()?.text())
    }

    /// Values, wherever they come out as such, are what the model was trained on: in a text they
    /// would stand as a client wrote them.
    fn arguments(&self, id: &str) -> Option<Arguments> {
        let text = |how: Arguments| self.text(called(id, how, 1)).unwrap_or_default();
        let values = text(Arguments::Values);
        // In single quotes stands what Python makes of a dictionary: no model writes so.
        let python = values.contains(&format!("'{NAME}'"));
        if values.contains(NAME) && values.contains(VALUE) && !python {
            return Some(Arguments::Values);
        }
        text(Arguments::Text).contains(&text_of(VALUE)).then_some(Arguments::Text)
    }

    fn takes_system(&self) -> bool {
        let messages = json!([message("system", SYSTEM), message("user", USER)]);
        self.text(messages).is_some_and(|text| text.contains(SYSTEM) && text.contains(USER))
    }

    /// Whether a role says nothing of what the template knows.
    fn takes_any_role(&self) -> bool {
        let messages = json!([message("user", USER), message(ROLE, ANSWER)]);
        self.text(messages).is_some_and(|text| text.contains(ANSWER))
    }

    /// Reasoning that led to a call is what most templates keep.
    fn reasoning(&self, called: Option<Value>) -> &'static str {
        let answered = json!([message("user", USER), message("assistant", ANSWER)]);
        let shows = |name: &&str| {
            [called.clone(), Some(answered.clone())].into_iter().flatten().any(|mut messages| {
                messages[1][*name] = THOUGHT.into();
                self.text(messages).is_some_and(|text| text.contains(THOUGHT))
            })
        };
        REASONING.into_iter().find(shows).unwrap_or(REASONING[0])
    }
}
