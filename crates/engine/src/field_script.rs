//! The grammar of arguments that are written one after the other.

use crate::dialect::Fields;
use crate::fields::{Field, Form, Need};
use crate::grammar::Constraint;
use crate::speech::{Script, pattern};
use serde_json::Value;

/// Writes the rules for one tool's arguments, in Lark's format.
pub(crate) struct FieldScript<'a> {
    pub script: &'a Script<'a>,
    pub fields: Fields,
    /// The tool's.
    pub number: usize,
}

impl FieldScript<'_> {
    /// The first rule's name, and the rules: one for the rest of the arguments from each on.
    pub fn rules(&self, fields: &[Field]) -> (String, String) {
        let number = self.number;
        let mut rules = format!("rest{number}_{}: \"\"\n", fields.len());
        for (at, field) in fields.iter().enumerate() {
            let head = [self.fields.before, &field.name, self.fields.middle].concat();
            let (value, own) = self.value(at, field);
            let next = format!("rest{number}_{}", at + 1);
            let without = match field.need {
                Need::Required => String::new(),
                Need::Optional => format!(" | {next}"),
            };
            let head = self.script.literal(&head);
            rules += &format!("rest{number}_{at}: {head} {value} {next}{without}\n{own}");
        }
        (format!("rest{number}_0"), rules)
    }

    /// What the rules call: the schemas of arguments that are JSON.
    pub fn parts(&self, fields: &[Field]) -> Vec<(String, Constraint)> {
        let written = fields.iter().enumerate().filter(|(_, field)| field.form == Form::Json);
        let part = |(at, field): (usize, &Field)| {
            (self.part(at), Constraint::JsonSchema(field.schema.clone()))
        };
        written.map(part).collect()
    }

    fn part(&self, at: usize) -> String {
        format!("argument{}x{at}", self.number)
    }

    /// A value with the mark after it, and the rules that it takes.
    fn value(&self, at: usize, field: &Field) -> (String, String) {
        let (after, number) = (self.fields.after, self.number);
        let close = self.script.literal(after);
        if field.form == Form::Json {
            return (format!("@{} {close}", self.part(at)), String::new());
        }
        if let Some(choices) = choices(&field.schema) {
            let all = choices.iter().map(|choice| self.script.literal(&[choice, after].concat()));
            return (format!("({})", all.collect::<Vec<String>>().join(" | ")), String::new());
        }
        let lengths = lengths(&field.schema);
        let null = if field.form == Form::TextOrNull { "null|" } else { "" };
        let (body, not_end) = (format!("({null}(?s:.{lengths}))"), self.not_end());
        let name = format!("TEXT{number}X{at}");
        if self.script.is_all_plain(after) {
            let after = pattern(after);
            let rule = format!("{name}: /{body}{after}/ & ~/(?s:.*){after}(?s:.+)/{not_end}\n");
            return (name, rule);
        }
        // No text of a lexer is empty.
        let filled = format!("{name}: /{body}/ & /(?s:.+)/{not_end}\n");
        let least = field.schema["minLength"].as_u64().unwrap_or(0);
        let may_miss = if least == 0 { "?" } else { "" };
        (format!("{name}{may_miss} {close}"), filled)
    }

    /// Not what a reader would take for the end of the value.
    fn not_end(&self) -> String {
        let (mark, next) = (self.fields.after.trim(), self.fields.before);
        let last = self.script.dialect.calls.after.trim_start();
        let [mark, next, last] = [mark, next, last].map(pattern);
        format!(r" & ~/(?s:.*){mark}[ \t\r\n]*({next}|{last})(?s:.*)/")
    }
}

/// The texts that there can be, where a schema names them.
fn choices(schema: &Value) -> Option<Vec<&str>> {
    match (&schema["enum"], &schema["const"]) {
        (Value::Array(choices), _) => Some(choices.iter().filter_map(Value::as_str).collect()),
        (_, Value::String(only)) => Some(vec![only]),
        _ => None,
    }
}

/// How many letters there can be, as a regular expression has it.
fn lengths(schema: &Value) -> String {
    let least = schema["minLength"].as_u64().unwrap_or(0);
    match schema["maxLength"].as_u64() {
        Some(most) => format!("{{{least},{most}}}"),
        None if least > 0 => format!("{{{least},}}"),
        None => "*".to_string(),
    }
}
