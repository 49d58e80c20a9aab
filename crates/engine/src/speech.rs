//! What a completion may say beside text: calls of tools, answers in a format, reasoning.

use crate::dialect::{Arguments, Calls, Dialect};
use crate::error::{Error, Result};
use crate::field_script::FieldScript;
use crate::fields::{Forms, fields_of};
use crate::grammar::Constraint;
use crate::reader::{Calling, Opening, Reader};
use crate::thought::{Thought, ThoughtBound};
use allod_lm::Tokenizer;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most tools that one request can name.
pub const TOOLS_MAX: usize = 128;

/// A function that a model may ask its caller to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The schema of its arguments: an object.
    pub parameters: Value,
}

/// Which tools are called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ToolChoice {
    /// None.
    None,
    /// As the model decides.
    #[default]
    Auto,
    /// At least one.
    Required,
    /// This one, once.
    Named(String),
}

/// Whether one message may hold several calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parallel {
    /// As many as the model decides.
    #[default]
    Many,
    /// One at most.
    One,
}

/// What a completion may say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpeechOptions {
    /// The tools that there are.
    pub tools: Vec<Tool>,
    /// Which of them are called.
    pub choice: ToolChoice,
    /// And how many times.
    pub parallel: Parallel,
    /// What the text keeps to.
    pub format: Option<Constraint>,
    /// Most tokens of reasoning, where it is bounded by more than the completion's length.
    pub thought_tokens: Option<usize>,
}

/// How a completion is to be asked for, and how it is read.
#[derive(Debug, Clone)]
pub struct Speech {
    /// What it keeps to: for [`crate::GenerateRequest::constraint`].
    pub constraint: Option<Constraint>,
    /// The special tokens that are part of the form: for [`crate::GenerateRequest::spelled`].
    pub spelled: Vec<u32>,
    /// The bound on its reasoning: for [`crate::GenerateRequest::thought`].
    pub thought: Option<Thought>,
    /// Takes it apart.
    pub reader: Reader,
}

impl SpeechOptions {
    /// Whether the completion can hold calls.
    fn calling(&self) -> Calling {
        match self.tools.is_empty() || self.choice == ToolChoice::None {
            true => Calling::Impossible,
            false => Calling::Possible,
        }
    }

    /// The tools that may be called.
    fn callable(&self) -> impl Iterator<Item = &Tool> {
        let callable = |tool: &&Tool| match &self.choice {
            ToolChoice::Named(name) => tool.name == *name,
            _ => true,
        };
        self.tools.iter().filter(callable)
    }

    fn check(&self) -> Result<()> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let named =
            |tool: &&Tool| (1..=64).contains(&tool.name.len()) && tool.name.bytes().all(plain);
        let refused = |what: String| Err(Error::Constraint { what });
        if let Some(tool) = self.tools.iter().find(|tool| !named(tool)) {
            let shown: String = tool.name.chars().take(80).collect();
            return refused(format!(
                "the tool name `{shown}` must have 1 to 64 letters, digits, `_` or `-`"
            ));
        }
        if self.tools.len() > TOOLS_MAX {
            return refused(format!("there are {} tools, at most {TOOLS_MAX}", self.tools.len()));
        }
        match self.choice {
            ToolChoice::Auto | ToolChoice::None => Ok(()),
            _ if self.callable().next().is_none() => {
                refused("the tool that is to be called is not among the tools".to_string())
            }
            _ => Ok(()),
        }
    }
}

/// What of a [`Speech`] only a tokenizer and a chat template can tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What the completion keeps to.
    pub constraint: Option<Constraint>,
    /// The special tokens that are part of the form.
    pub spelled: Vec<u32>,
    /// How the prompt leaves reasoning.
    pub opening: Opening,
    /// The bound on reasoning, where there can be some.
    pub thought: Option<ThoughtBound>,
}

impl Speech {
    /// How to ask a model that speaks `dialect`, from what its tokenizer and template tell.
    ///
    /// # Errors
    /// If the options contradict each other.
    pub fn of(told: Told, dialect: Dialect, options: &SpeechOptions) -> Result<Speech> {
        options.check()?;
        let calling = options.calling();
        let forms = match (dialect.calls.arguments, calling) {
            (Arguments::Fields(_), Calling::Possible) => Forms::of(options.callable())?,
            _ => Forms::default(),
        };
        let reader = Reader::new(dialect, calling, told.opening, Arc::new(forms));
        let thought = told.thought.map(|bound| bound.thought(dialect));
        Ok(Speech { constraint: told.constraint, spelled: told.spelled, thought, reader })
    }
}

/// What can be told of asking a model that speaks `dialect` after a prompt that leaves reasoning as
/// `opening`.
///
/// # Errors
/// If the options contradict each other.
pub(crate) fn told(
    tokenizer: &Tokenizer,
    dialect: Dialect,
    opening: Opening,
    options: &SpeechOptions,
) -> Result<Told> {
    options.check()?;
    let calling = options.calling();
    let mut spelled: Vec<u32> =
        dialect.marks().flat_map(|mark| Atoms { tokenizer, rest: mark }).filter_map(id).collect();
    spelled.sort_unstable();
    spelled.dedup();
    let plain = calling == Calling::Impossible;
    let constraint = match (&options.format, plain) {
        (None, true) => None,
        (Some(format), true) if dialect.thought.is_none() && dialect.text.is_empty() => {
            Some(format.clone())
        }
        _ => Some(Script { tokenizer, dialect, opening, options }.constraint()?),
    };
    let thought = bound(tokenizer, dialect, opening, options)?;
    Ok(Told { constraint, spelled, opening, thought })
}

/// The bound on reasoning, where there can be some.
fn bound(
    tokenizer: &Tokenizer,
    dialect: Dialect,
    opening: Opening,
    options: &SpeechOptions,
) -> Result<Option<ThoughtBound>> {
    let (Some(thought), Some(most)) = (dialect.thought, options.thought_tokens) else {
        return Ok(None);
    };
    let mut close = Vec::new();
    for atom in (Atoms { tokenizer, rest: thought.close }) {
        match atom {
            Atom::Token(id) => close.push(id),
            Atom::Text(text) => close.extend(tokenizer.encode_text(text)?),
        }
    }
    Ok((opening != Opening::Closed).then_some(ThoughtBound { most, close, opening }))
}

/// A literal text, in pieces that are special tokens and pieces that are not.
struct Atoms<'a> {
    tokenizer: &'a Tokenizer,
    rest: &'a str,
}

enum Atom<'a> {
    Text(&'a str),
    Token(u32),
}

fn id(atom: Atom) -> Option<u32> {
    match atom {
        Atom::Token(id) => Some(id),
        Atom::Text(_) => None,
    }
}

impl<'a> Iterator for Atoms<'a> {
    type Item = Atom<'a>;

    fn next(&mut self) -> Option<Atom<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let at = |special: &'a str| Some((self.rest.find(special)?, special.len()));
        let specials = self.tokenizer.special_texts().filter(|special| !special.is_empty());
        let first = specials.filter_map(at).min_by_key(|(at, length)| (*at, usize::MAX - length));
        let (atom, rest) = match first {
            Some((0, length)) => {
                let (special, rest) = self.rest.split_at(length);
                let id = self.tokenizer.special_id(special).expect("it is one of the specials");
                (Atom::Token(id), rest)
            }
            other => {
                let (text, rest) = self.rest.split_at(other.map_or(self.rest.len(), |(at, _)| at));
                (Atom::Text(text), rest)
            }
        };
        self.rest = rest;
        Some(atom)
    }
}

/// Writes the grammar of a whole message, in Lark's format.
pub(crate) struct Script<'a> {
    tokenizer: &'a Tokenizer,
    pub dialect: Dialect,
    opening: Opening,
    options: &'a SpeechOptions,
}

/// The rule that the format is under.
const FORMAT: &str = "format";
/// As many blanks may stand between parts of a message.
const BLANKS: &str = r"[ \t\r\n]{0,4}";

impl Script<'_> {
    fn constraint(&self) -> Result<Constraint> {
        let mut rules = vec![format!("start: {}\n", self.start()), "ANY: /(?s:.+)/\n".to_string()];
        rules.push(self.thought());
        let calls = self.calls()?;
        let mut body: Vec<String> = Vec::new();
        let may_stay_silent = matches!(self.options.choice, ToolChoice::Auto | ToolChoice::None);
        if may_stay_silent || calls.is_none() {
            let text = self.literal(self.dialect.text);
            match self.options.format {
                Some(_) => body.push(format!("{text} @{FORMAT}")),
                None => {
                    body.push(format!("{text} TEXT?"));
                    rules.push(format!("TEXT: {}\n", self.text()));
                }
            }
        }
        if let Some((lead, calls)) = calls {
            rules.extend([lead, calls]);
            body.push("lead calls".to_string());
        }
        rules.push(format!("body: {}\n", body.join(" | ")));
        Ok(Constraint::Parts { whole: rules.concat(), parts: self.parts()? })
    }

    fn start(&self) -> &'static str {
        match (self.opening, self.dialect.thought) {
            (Opening::Closed, _) | (_, None) => "body",
            (Opening::Free, _) => "thought? body",
            (Opening::Opened, _) => "thought body",
        }
    }

    /// The rule for reasoning, with the blanks after it.
    fn thought(&self) -> String {
        let Some(thought) = self.dialect.thought else { return String::new() };
        let open = if self.opening == Opening::Free { thought.open } else { "" };
        let close = self.literal(thought.close);
        if self.plain(thought.close) {
            let (open, close) = (pattern(open), pattern(thought.close));
            return format!(
                "thought: THOUGHT\nTHOUGHT: /{open}(?s:.*){close}{BLANKS}/ & \
                 ~/(?s:.*){close}(?s:.*)[^ \\t\\r\\n](?s:.*)/\n"
            );
        }
        format!(
            "thought: {} ANY? {close} BLANKS?\nBLANKS: /[ \\t\\r\\n]{{1,4}}/\n",
            self.literal(open)
        )
    }

    /// Text that is not a call, nor reasoning.
    fn text(&self) -> String {
        let mut text = "/(?s:.+)/".to_string();
        let mark = self.dialect.calls.mark;
        if self.options.calling() == Calling::Possible {
            if mark.is_empty() {
                text += r#" & ~/[ \t\r\n]*\{[ \t\r\n]*"(name|type|function)(?s:.*)/"#;
            } else if self.plain(mark) {
                text += &format!(" & ~/(?s:.*){}(?s:.*)/", pattern(mark));
            }
        }
        text + &self.not_reasoning()
    }

    fn not_reasoning(&self) -> String {
        match self.dialect.thought {
            Some(thought) if self.opening == Opening::Free && self.plain(thought.open) => {
                format!(" & ~/{}(?s:.*)/", pattern(thought.open))
            }
            _ => String::new(),
        }
    }

    /// The rules for what comes before the calls, and for them.
    fn calls(&self) -> Result<Option<(String, String)>> {
        if self.options.calling() == Calling::Impossible {
            return Ok(None);
        }
        let Calls { mark, open, between, close, .. } = self.dialect.calls;
        let forced = self.options.choice != ToolChoice::Auto;
        let bare = forced || mark.is_empty() || !self.dialect.text.is_empty();
        let lead = match (bare, self.plain(mark)) {
            (true, _) => format!("lead: {}\n", self.literal(mark)),
            (false, false) => format!("lead: ANY? {}\n", self.literal(mark)),
            (false, true) => {
                let mark = pattern(mark);
                let reasoning = self.not_reasoning();
                format!("lead: LEAD\nLEAD: /(?s:.*){mark}/ & ~/(?s:.*){mark}(?s:.+)/{reasoning}\n")
            }
        };
        let single = matches!(self.options.choice, ToolChoice::Named(_))
            || self.options.parallel == Parallel::One;
        let more = match single {
            true => String::new(),
            false => format!("({} call)*", self.literal(between)),
        };
        let (open, close) = (self.literal(open), self.literal(close));
        let calls = format!("calls: {open} call {more} {close}\n");
        Ok(Some((lead, calls + &self.call()?)))
    }

    /// A call of one tool or another.
    fn call(&self) -> Result<String> {
        let Calls { before, id, middle, arguments, after, .. } = self.dialect.calls;
        let (mut all, mut rules) = (Vec::new(), String::new());
        if !id.is_empty() {
            rules += "ID: /[a-zA-Z0-9]{9}/\n";
        }
        for (number, tool) in self.options.callable().enumerate() {
            let head = match id {
                "" => self.literal(&[before, &tool.name, middle].concat()),
                _ => {
                    let [name, id, middle] =
                        [&[before, &tool.name].concat(), id, middle].map(|text| self.literal(text));
                    format!("{name} ({id} ID)? {middle}")
                }
            };
            let written = match arguments {
                Arguments::Json => format!("@arguments{number}"),
                Arguments::Fields(fields) => {
                    let script = FieldScript { script: self, fields, number };
                    let (name, own) = script.rules(&fields_of(tool)?);
                    rules += &own;
                    name
                }
            };
            all.push(format!("{head} {written} {}", self.literal(after)));
        }
        Ok(format!("call: {}\n{rules}", all.join(" | ")))
    }

    fn parts(&self) -> Result<Vec<(String, Constraint)>> {
        let arguments = |(number, tool): (usize, &Tool)| {
            let schema = Constraint::JsonSchema(object(&tool.parameters));
            (format!("arguments{number}"), schema)
        };
        let mut parts = Vec::new();
        match (self.options.calling(), self.dialect.calls.arguments) {
            (Calling::Impossible, _) => {}
            (Calling::Possible, Arguments::Json) => {
                parts.extend(self.options.callable().enumerate().map(arguments));
            }
            (Calling::Possible, Arguments::Fields(fields)) => {
                for (number, tool) in self.options.callable().enumerate() {
                    let script = FieldScript { script: self, fields, number };
                    parts.extend(script.parts(&fields_of(tool)?));
                }
            }
        }
        parts.extend(self.options.format.clone().map(|format| (FORMAT.to_string(), format)));
        Ok(parts)
    }

    /// Whether there is no special token in a text.
    pub fn is_all_plain(&self, text: &str) -> bool {
        !(Atoms { tokenizer: self.tokenizer, rest: text })
            .any(|atom| matches!(atom, Atom::Token(_)))
    }

    /// Whether a text begins with no special token.
    fn plain(&self, text: &str) -> bool {
        let first = Atoms { tokenizer: self.tokenizer, rest: text }.next();
        matches!(first, None | Some(Atom::Text(_)))
    }

    /// A text as it stands, as Lark writes it.
    pub fn literal(&self, text: &str) -> String {
        let atoms = Atoms { tokenizer: self.tokenizer, rest: text };
        let written = atoms.map(|atom| match atom {
            Atom::Text(text) => Value::from(text).to_string(),
            Atom::Token(id) => format!("<[{id}]>"),
        });
        written.collect::<Vec<String>>().join(" ")
    }
}

/// A schema of objects only: arguments are nothing else.
fn object(schema: &Value) -> Value {
    let mut schema = schema.clone();
    match schema.as_object_mut() {
        Some(members) if !members.is_empty() => {
            members.entry("type").or_insert(json!("object"));
            schema
        }
        _ => json!({"type": "object"}),
    }
}

/// A text as a regular expression has it, between slashes.
pub(crate) fn pattern(text: &str) -> String {
    let escaped = text.chars().map(|letter| match letter {
        '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$'
        | '/' => {
            format!("\\{letter}")
        }
        '\n' => "\\n".to_string(),
        letter => letter.to_string(),
    });
    escaped.collect()
}
