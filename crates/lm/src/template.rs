//! Chat templates: messages to text, by the Jinja template that a model ships.
//!
//! Templates come from files and are not trusted: they run with a limit on steps, see no files and
//! no clock. A model without a template gets a plain one, a line `ROLE: CONTENT` per message.

mod json;

use crate::error::{Error, Result};
use jiff::civil::Date;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, context};
use serde::{Deserialize, Serialize};
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

/// What a template rendered: see [`crate::Tokenizer::encode_rendered`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub(crate) text: String,
    /// Stands within everything in messages that spells a special token, so that it is not one.
    guard: Option<char>,
}

impl Rendered {
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
        template.environment(None)?;
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
        let specials: Vec<&str> = specials.filter(|special| !special.is_empty()).collect();
        let (messages, guard) = guarded(messages, &specials)?;
        let Some(_) = &self.source else {
            let mut text: String =
                messages.iter().map(|m| format!("{}: {}\n", m.role, m.content)).collect();
            text += "assistant:";
            return Ok(Rendered { text, guard });
        };
        let environment = self.environment(date)?;
        let template = environment.get_template(NAME).map_err(failed)?;
        let context = context! {
            messages => Value::from(Serde(&messages)),
            add_generation_prompt => true,
            ..Value::from(Serde(&self.variables))
        };
        let text = template.render(context).map_err(failed)?;
        Ok(Rendered { text, guard })
    }

    fn environment(&self, date: Option<Date>) -> Result<Environment<'static>> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(failed)?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        environment.add_filter("tojson", tojson);
        environment.add_function("raise_exception", raise);
        if let Some(date) = date {
            environment.add_function("strftime_now", move |format: &str| strftime(date, format));
        }
        // Marks for training only; what stands between them is ordinary text.
        let source = self.source.as_deref().unwrap_or_default();
        let source = without_tag(&without_tag(source, "generation"), "endgeneration");
        environment.add_template_owned(NAME, source).map_err(failed)?;
        Ok(environment)
    }
}

/// The messages with a guard within every special token's text, after its first character.
fn guarded(messages: &[Message], specials: &[&str]) -> Result<(Vec<Message>, Option<char>)> {
    let texts = || messages.iter().flat_map(|message| [&message.role, &message.content]);
    if !texts().any(|text| specials.iter().any(|special| text.contains(special))) {
        return Ok((messages.to_vec(), None));
    }
    let guard = GUARDS.into_iter().find(|guard| !texts().any(|text| text.contains(*guard)));
    let Some(guard) = guard else {
        let what = "messages hold every character from U+FDD0 to U+FDEF".to_string();
        return Err(Error::Text(what));
    };
    let guarded = |text: &str| {
        let mut text = text.to_string();
        for special in specials {
            let first = special.chars().next().map_or(0, char::len_utf8);
            let parted = format!("{}{guard}{}", &special[..first], &special[first..]);
            text = text.replace(special, &parted);
        }
        text
    };
    let guard_message = |message: &Message| Message {
        role: guarded(&message.role),
        content: guarded(&message.content),
    };
    Ok((messages.iter().map(guard_message).collect(), Some(guard)))
}

/// Removes `{% name %}` in all its spellings.
fn without_tag(source: &str, name: &str) -> String {
    let (mut out, mut rest) = (String::new(), source);
    while let Some(start) = rest.find("{%") {
        let tag = rest[start + 2..].find("%}").map(|length| &rest[start + 2..start + 2 + length]);
        let Some(tag) = tag else { break };
        let end = start + tag.len() + 4;
        let is_it = tag.trim_matches(['-', '+', ' ', '\n', '\t']) == name;
        out += &rest[..if is_it { start } else { end }];
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

/// JSON as Hugging Face's templates expect it: `json.dumps(value, ensure_ascii=False)`.
fn tojson(
    value: &Value,
    Rest(_): Rest<Value>,
    options: Kwargs,
) -> std::result::Result<Value, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    let _: Option<bool> = options.get("ensure_ascii")?;
    let _: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    let value = serde_json::to_value(value)
        .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(Value::from(json::dumps(&value, indent)))
}

#[cfg(test)]
mod tests;
