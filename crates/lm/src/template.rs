//! Chat templates: messages to text, by the Jinja template that a model ships.
//!
//! Templates come from files and are not trusted: they run with a limit on steps and on memory, see
//! no files and no clock. A model without a template gets a plain one, a line `ROLE: CONTENT` per
//! message.

mod bound;
mod builtins;
mod json;
mod methods;
mod namespaces;
mod repr;

use crate::error::{Error, Result};
use bound::Meter;
use jiff::civil::Date;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, context};
use namespaces::Namespaces;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Steps that a template may take: a published one takes a few hundred per message.
const FUEL: u64 = 5_000_000;
const RECURSION: usize = 128;
/// The largest published template has some 20 kB.
const SOURCE_BYTES: usize = 1 << 20;
const NAME: &str = "chat template";
/// Characters that Unicode keeps for a program's own use and that text does not hold.
const GUARDS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks: `system`, `user` or `assistant`.
    pub role: String,
    /// What they say.
    pub content: String,
}

/// What a template is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateInput {
    /// The conversation, each message an object with `role` and what the template reads beside it.
    pub messages: Vec<Json>,
    /// The tools that the model may call, as the template expects them; none is `tools = none`.
    pub tools: Option<Vec<Json>>,
    /// Whether the text ends where the model's next message begins.
    pub add_generation_prompt: bool,
    /// Variables of this template's own, such as `enable_thinking`.
    pub variables: BTreeMap<String, Json>,
    /// What `strftime_now` gives; without it that function is not defined.
    pub date: Option<Date>,
}

impl TemplateInput {
    /// A conversation that the model is to answer, without tools.
    pub fn new(messages: &[Message]) -> TemplateInput {
        let object = |m: &Message| serde_json::json!({"role": m.role, "content": m.content});
        TemplateInput {
            messages: messages.iter().map(object).collect(),
            tools: None,
            add_generation_prompt: true,
            variables: BTreeMap::new(),
            date: None,
        }
    }

    /// Calls `see` with every text, names of members too.
    fn each_text(&self, see: &mut dyn FnMut(&str)) {
        let all = self.messages.iter().chain(self.tools.iter().flatten());
        all.chain(self.variables.values()).for_each(|value| each_text(value, see));
    }

    /// Replaces every text.
    fn map_texts(&mut self, map: &dyn Fn(&str) -> String) {
        let all = self.messages.iter_mut().chain(self.tools.iter_mut().flatten());
        all.chain(self.variables.values_mut()).for_each(|value| map_texts(value, map));
    }
}

fn each_text(value: &Json, see: &mut dyn FnMut(&str)) {
    match value {
        Json::String(text) => see(text),
        Json::Array(items) => items.iter().for_each(|item| each_text(item, see)),
        Json::Object(members) => members.iter().for_each(|(name, value)| {
            see(name);
            each_text(value, see);
        }),
        _ => {}
    }
}

fn map_texts(value: &mut Json, map: &dyn Fn(&str) -> String) {
    match value {
        Json::String(text) => *text = map(text),
        Json::Array(items) => items.iter_mut().for_each(|item| map_texts(item, map)),
        Json::Object(members) => {
            for (name, mut value) in std::mem::take(members) {
                map_texts(&mut value, map);
                members.insert(map(&name), value);
            }
        }
        _ => {}
    }
}

/// What a template rendered: see [`crate::Tokenizer::encode_rendered`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub(crate) text: String,
    /// Stands within everything in messages that spells a special token, so that it is not one.
    guard: Option<char>,
}

impl Rendered {
    /// Text whose special tokens are meant.
    pub(crate) fn trusted(text: &str) -> Rendered {
        Rendered { text: text.to_string(), guard: None }
    }

    /// The text, as a person would read it.
    pub fn text(&self) -> String {
        self.without_guard(&self.text)
    }

    pub(crate) fn without_guard(&self, text: &str) -> String {
        match self.guard {
            Some(guard) => text.replace(guard, ""),
            None => text.to_string(),
        }
    }
}

/// A model's chat template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatTemplate {
    source: Option<String>,
    /// Variables such as `bos_token`.
    variables: BTreeMap<String, String>,
}

impl ChatTemplate {
    /// A template from its Jinja source; `variables` holds the texts of special tokens by the
    /// names that templates use (`bos_token`, `eos_token`, …).
    ///
    /// # Errors
    /// If the source is not a template.
    pub fn new(source: String, variables: BTreeMap<String, String>) -> Result<ChatTemplate> {
        if source.len() > SOURCE_BYTES {
            let length = source.len();
            return Err(Error::Template(format!("it has {length} bytes, {SOURCE_BYTES} at most")));
        }
        let template = ChatTemplate { source: Some(source), variables };
        template.environment(None, None, Meter::new(0), &Namespaces::default())?;
        Ok(template)
    }

    /// The template for models that have none: `ROLE: CONTENT` lines, then `assistant:`.
    pub fn plain() -> ChatTemplate {
        ChatTemplate { source: None, variables: BTreeMap::new() }
    }

    /// The Jinja source; none for the plain template.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The text that asks the model for the next message. `date` is what `strftime_now` gives;
    /// without it that function is not defined, and templates that ask use their own date.
    /// `specials` are the texts that messages must not be able to spell.
    ///
    /// # Errors
    /// What the template raises, and what it takes too many steps for.
    pub fn render<'a>(
        &self,
        messages: &[Message],
        date: Option<Date>,
        specials: impl Iterator<Item = &'a str>,
    ) -> Result<Rendered> {
        self.render_input(TemplateInput { date, ..TemplateInput::new(messages) }, specials)
    }

    /// The text for everything that a template can be given. `specials` are the texts that no
    /// text in `input` must be able to spell.
    ///
    /// # Errors
    /// What the template raises, and what it takes too many steps or too much memory for.
    pub fn render_input<'a>(
        &self,
        mut input: TemplateInput,
        specials: impl Iterator<Item = &'a str>,
    ) -> Result<Rendered> {
        let specials: Vec<&str> = specials.filter(|special| !special.is_empty()).collect();
        let guard = put_guards(&mut input, &specials)?;
        if self.source.is_none() {
            return Ok(Rendered { text: plain_text(&input), guard });
        }
        let mut bytes = 0;
        input.each_text(&mut |text| bytes += text.len());
        let namespaces = Namespaces::default();
        let environment = self.environment(input.date, guard, Meter::new(bytes), &namespaces)?;
        let template = environment.get_template(NAME).map_err(failed)?;
        let own = self.variables.iter().map(|(name, text)| (name.clone(), text.as_str().into()));
        let mut variables: BTreeMap<String, Json> = own.collect();
        variables.append(&mut input.variables);
        let context = context! {
            messages => Value::from(Serde(&input.messages)),
            tools => Value::from(Serde(&input.tools)),
            documents => Value::from(()),
            add_generation_prompt => input.add_generation_prompt,
            ..Value::from(Serde(&variables))
        };
        let text = template.render(context);
        namespaces.clear().map_err(failed)?;
        Ok(Rendered { text: text.map_err(failed)?, guard })
    }

    fn environment(
        &self,
        date: Option<Date>,
        guard: Option<char>,
        meter: Meter,
        namespaces: &Namespaces,
    ) -> Result<Environment<'static>> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let syntax = syntax.map_err(failed)?;
        environment.set_syntax(syntax.clone());
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        bound::install(&mut environment, &meter);
        namespaces.install(&mut environment, &meter);
        environment.set_recursion_limit(RECURSION);
        environment.add_filter(
            "tojson",
            move |value: Value, rest: Rest<Value>, options: Kwargs| {
                tojson(&meter.check(value)?, rest, options, guard)
            },
        );
        environment.add_function("raise_exception", raise);
        if let Some(date) = date {
            environment.add_function("strftime_now", move |format: &str| strftime(date, format));
        }
        // Jinja takes every end of a line for the same.
        let source = self.source.as_deref().unwrap_or_default();
        let source = source.replace("\r\n", "\n").replace('\r', "\n");
        // Marks for training only; what stands between them is a block of its own.
        let source = renamed_tag(&source, "generation", "with");
        let source = renamed_tag(&source, "endgeneration", "endwith");
        let (source, steps) = bound::bounded(&source, &syntax, FUEL).map_err(failed)?;
        environment.set_fuel(Some(steps));
        environment.add_template_owned(NAME, source).map_err(failed)?;
        Ok(environment)
    }
}

/// `ROLE: CONTENT` lines.
fn plain_text(input: &TemplateInput) -> String {
    let text = |message: &Json, key: &str| message[key].as_str().unwrap_or_default().to_string();
    let line = |m: &Json| format!("{}: {}\n", text(m, "role"), text(m, "content"));
    let mut text: String = input.messages.iter().map(line).collect();
    if input.add_generation_prompt {
        text += "assistant:";
    }
    text
}

/// Puts a guard within every special token's text, after its first character.
fn put_guards(input: &mut TemplateInput, specials: &[&str]) -> Result<Option<char>> {
    let (mut spelled, mut free) = (false, GUARDS.collect::<Vec<char>>());
    input.each_text(&mut |text| {
        spelled |= specials.iter().any(|special| text.contains(special));
        free.retain(|guard| !text.contains(*guard));
    });
    if !spelled {
        return Ok(None);
    }
    let Some(guard) = free.first().copied() else {
        let what = "messages hold every character from U+FDD0 to U+FDEF".to_string();
        return Err(Error::Text(what));
    };
    input.map_texts(&|text| {
        let mut text = text.to_string();
        for special in specials {
            let first = special.chars().next().map_or(0, char::len_utf8);
            let parted = format!("{}{guard}{}", &special[..first], &special[first..]);
            text = text.replace(special, &parted);
        }
        text
    });
    Ok(Some(guard))
}

/// Makes `{% name %}` another tag, in all its spellings.
fn renamed_tag(source: &str, name: &str, other: &str) -> String {
    let (mut out, mut rest) = (String::new(), source);
    while let Some(start) = rest.find("{%") {
        let tag = rest[start + 2..].find("%}").map(|length| &rest[start + 2..start + 2 + length]);
        let Some(tag) = tag else { break };
        let end = start + tag.len() + 4;
        let is_it = tag.trim_matches(['-', '+', ' ', '\n', '\t']) == name;
        match is_it {
            true => out += &[&rest[..start], &rest[start..end].replace(name, other)].concat(),
            false => out += &rest[..end],
        }
        rest = &rest[end..];
    }
    out + rest
}

fn failed(error: minijinja::Error) -> Error {
    let place = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    Error::Template(format!("{error}{place}"))
}

fn raise(message: &str) -> std::result::Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message.to_string()))
}

fn strftime(date: Date, format: &str) -> std::result::Result<String, minijinja::Error> {
    let moment = date.at(0, 0, 0, 0);
    jiff::fmt::strtime::format(format, moment)
        .map_err(|error| minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// JSON as Hugging Face's templates expect it: `json.dumps` with `ensure_ascii`, `indent`,
/// `separators` and `sort_keys`, by name or in this order.
fn tojson(
    value: &Value,
    Rest(positional): Rest<Value>,
    options: Kwargs,
    guard: Option<char>,
) -> std::result::Result<Value, minijinja::Error> {
    let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let given = |index: usize| -> std::result::Result<Option<Value>, minijinja::Error> {
        let named: Option<Value> = options.get(names[index])?;
        let value = named.or_else(|| positional.get(index).cloned());
        Ok(value.filter(|value| !value.is_none() && !value.is_undefined()))
    };
    let wrong = |what: &str| minijinja::Error::new(ErrorKind::InvalidOperation, what.to_string());
    let indent = given(1)?.map(usize::try_from).transpose()?;
    if indent.is_some_and(|indent| indent > json::INDENT) {
        return Err(wrong("tojson: `indent` is too large"));
    }
    let separators = match given(2)? {
        Some(pair) => {
            let pair: Vec<String> = pair.try_iter()?.map(|text| text.to_string()).collect();
            <[String; 2]>::try_from(pair).map_err(|_| wrong("tojson: `separators` are two"))?
        }
        None if indent.is_some() => [",".to_string(), ": ".to_string()],
        None => [", ".to_string(), ": ".to_string()],
    };
    let truth = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let (ascii, sorted) = (truth(given(0)?), truth(given(3)?));
    options.assert_all_used()?;
    let value = serde_json::to_value(value)
        .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let form = json::Form { indent, separators, ascii, sorted, kept: guard };
    Ok(Value::from(json::dumps(&value, &form)))
}

#[cfg(test)]
mod tests;
