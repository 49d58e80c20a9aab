//! Arguments that are written one after the other, each between marks: texts as they are, all else
//! as JSON. What is which, the tools' schemas say.

use crate::dialect::{Calls, Fields};
use crate::error::{Error, Result};
use crate::reader::{Begins, Depth, Part, begins, doubtful, emit};
use crate::speech::Tool;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Members of a tool's schema that fields can keep to; annotations among them.
const KNOWN: [&str; 12] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "$schema",
    "$comment",
];
/// Members of a text's schema that are kept to without JSON.
const TEXT: [&str; 9] = [
    "type",
    "enum",
    "const",
    "minLength",
    "maxLength",
    "title",
    "description",
    "default",
    "examples",
];

/// An argument of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub name: String,
    /// What it keeps to, by itself.
    pub schema: Value,
    pub need: Need,
    pub form: Form,
}

/// Whether an argument may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
}

/// How an argument is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is.
    Text,
    /// As it is, and `null` is none.
    TextOrNull,
    /// As JSON.
    Json,
}

/// The arguments of a tool, in the order of its schema.
///
/// # Errors
/// If the schema says what cannot be kept to in this form.
pub(crate) fn fields_of(tool: &Tool) -> Result<Vec<Field>> {
    let refused = |what: String| {
        let what = format!(
            "the tool `{}`: {what}; this model writes arguments one by one, so their schema must \
             be a plain list of `properties`",
            tool.name
        );
        Err(Error::Constraint { what })
    };
    let empty = Map::new();
    let schema = tool.parameters.as_object().unwrap_or(&empty);
    if let Some(strange) = schema.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return refused(format!("`{strange}` cannot be kept to"));
    }
    let given = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required: Vec<&str> = match schema.get("required").and_then(Value::as_array) {
        Some(names) => names.iter().filter_map(Value::as_str).collect(),
        None => Vec::new(),
    };
    let other = schema.get("additionalProperties").cloned().unwrap_or(json!({}));
    let more = required.iter().filter(|name| !given.contains_key(**name));
    let given = given.iter().map(|(name, schema)| (name.as_str(), schema.clone()));
    let mut fields = Vec::new();
    for (name, own) in given.chain(more.map(|name| (*name, other.clone()))) {
        let need = if required.contains(&name) { Need::Required } else { Need::Optional };
        let strange = |letter: char| matches!(letter, '<' | '>' | '"') || letter.is_control();
        match own {
            Value::Bool(false) if need == Need::Optional => continue,
            Value::Bool(false) => return refused(format!("there can be no `{name}`")),
            _ if name.is_empty() || name.contains(strange) => {
                return refused("a name in it has signs that mean something else".to_string());
            }
            own => fields.push(field(name, own, need, schema)),
        }
    }
    Ok(fields)
}

fn field(name: &str, mut schema: Value, need: Need, whole: &Map<String, Value>) -> Field {
    let form = form_of(&schema);
    if let Some(members) = schema.as_object_mut() {
        for shared in ["$defs", "definitions"] {
            if let (Some(schemas), false) = (whole.get(shared), members.contains_key(shared)) {
                members.insert(shared.to_string(), schemas.clone());
            }
        }
    }
    Field { name: name.to_string(), schema, need, form }
}

fn form_of(schema: &Value) -> Form {
    let Some(members) = schema.as_object() else { return Form::Json };
    if members.keys().any(|name| !TEXT.contains(&name.as_str())) {
        return Form::Json;
    }
    let texts = |values: &[Value]| values.iter().all(Value::is_string);
    let choices_fit = match (members.get("enum"), members.get("const")) {
        (Some(Value::Array(choices)), None) => texts(choices),
        (None, Some(only)) => only.is_string(),
        (None, None) => true,
        _ => false,
    };
    let nullable = json!(["string", "null"]);
    let reversed = json!(["null", "string"]);
    match members.get("type") {
        _ if !choices_fit => Form::Json,
        None if members.contains_key("enum") || members.contains_key("const") => Form::Text,
        Some(Value::String(kind)) if kind == "string" => Form::Text,
        Some(kinds) if *kinds == nullable || *kinds == reversed => Form::TextOrNull,
        _ => Form::Json,
    }
}

/// How the arguments of the tools are written, by the tools' names and their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Forms(BTreeMap<String, BTreeMap<String, Form>>);

impl Forms {
    /// Of these tools.
    ///
    /// # Errors
    /// As [`fields_of`].
    pub fn of<'a>(tools: impl Iterator<Item = &'a Tool>) -> Result<Forms> {
        let of = |tool: &Tool| {
            let forms = fields_of(tool)?.into_iter().map(|field| (field.name, field.form));
            Ok((tool.name.clone(), forms.collect()))
        };
        Ok(Forms(tools.map(of).collect::<Result<_>>()?))
    }

    pub fn knows(&self, tool: &str) -> bool {
        self.0.contains_key(tool)
    }

    fn form(&self, tool: &str, argument: &str) -> Form {
        let found = self.0.get(tool).and_then(|forms| forms.get(argument));
        found.copied().unwrap_or(Form::Json)
    }
}

/// Reads the arguments of one call, and gives them as a JSON object.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct FieldReader {
    tool: String,
    /// Fields that were begun.
    count: usize,
    place: Place,
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Before a field, or after the last.
    #[default]
    Between,
    Name,
    /// Before a value.
    Start(Form),
    Value(Form),
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    More,
    Wait,
    /// The arguments are over.
    Over,
}

/// Where a value ends.
enum End {
    /// It ends here, and what follows begins there.
    At(usize, usize),
    /// Only up to here it is certain to go on.
    After(usize),
}

impl FieldReader {
    pub fn new(tool: String) -> FieldReader {
        FieldReader { tool, ..FieldReader::default() }
    }

    /// Reads one thing from the beginning of `held`.
    pub fn step(
        &mut self,
        held: &mut String,
        (calls, fields): (&Calls, &Fields),
        forms: &Forms,
        parts: &mut Vec<Part>,
    ) -> Step {
        match self.place {
            Place::Between => self.between(held, (calls, fields), parts),
            Place::Name => self.name(held, fields, forms, parts),
            Place::Start(form) => self.start(held, fields, form),
            Place::Value(form) => self.value(held, (calls, fields), form, parts),
        }
    }

    fn between(
        &mut self,
        held: &mut String,
        (calls, fields): (&Calls, &Fields),
        parts: &mut Vec<Part>,
    ) -> Step {
        let blanks = held.len() - held.trim_start().len();
        let rest = &held[blanks..];
        let ends = begins(rest, calls.after.trim_start());
        match (begins(rest, fields.before), ends) {
            (Begins::With, _) => {
                held.drain(..blanks + fields.before.len());
                self.place = Place::Name;
                Step::More
            }
            (_, Begins::Maybe) | (Begins::Maybe, Begins::Not) => Step::Wait,
            _ => {
                emit(parts, Part::Arguments, if self.count == 0 { "{}" } else { "}" });
                Step::Over
            }
        }
    }

    fn name(
        &mut self,
        held: &mut String,
        fields: &Fields,
        forms: &Forms,
        parts: &mut Vec<Part>,
    ) -> Step {
        let middle = fields.middle.trim();
        let Some(at) = held.find(middle) else { return Step::Wait };
        let name = held[..at].trim().to_string();
        held.drain(..at + middle.len());
        let form = forms.form(&self.tool, &name);
        let before = if self.count == 0 { "{" } else { ", " };
        let quote = if form == Form::Text { "\"" } else { "" };
        emit(parts, Part::Arguments, &format!("{before}{}: {quote}", Value::from(name)));
        self.count += 1;
        self.place = Place::Start(form);
        Step::More
    }

    /// The line's end before a value is not a part of it.
    fn start(&mut self, held: &mut String, fields: &Fields, form: Form) -> Step {
        if held.is_empty() {
            return Step::Wait;
        }
        if fields.middle.ends_with('\n') && held.starts_with('\n') {
            held.drain(..1);
        }
        self.place = Place::Value(form);
        Step::More
    }

    fn value(
        &mut self,
        held: &mut String,
        marks: (&Calls, &Fields),
        form: Form,
        parts: &mut Vec<Part>,
    ) -> Step {
        let end = match form {
            Form::Text | Form::TextOrNull => end_of(held, marks, |_| true),
            Form::Json => end_of(held, marks, is_whole),
        };
        let lines = marks.1.after.starts_with('\n');
        let bare = |text: &str| text.len() - usize::from(lines && text.ends_with('\n'));
        match end {
            End::At(at, next) => {
                let text = &held[..bare(&held[..at])];
                let written = match form {
                    Form::Text => escaped(text) + "\"",
                    Form::TextOrNull if text == "null" => text.to_string(),
                    Form::TextOrNull => Value::from(text).to_string(),
                    Form::Json => as_json(text),
                };
                emit(parts, Part::Arguments, &written);
                held.drain(..next);
                self.place = Place::Between;
                Step::More
            }
            End::After(at) => {
                // The last line's end may be the mark's.
                let sure = bare(&held[..at]);
                if form == Form::Text {
                    emit(parts, Part::Arguments, &escaped(&held[..sure]));
                    held.drain(..sure);
                }
                Step::Wait
            }
        }
    }

    /// What is left of arguments that were cut.
    pub fn finish(&self, held: &str) -> String {
        match self.place {
            Place::Value(Form::Text) => escaped(held),
            Place::Value(Form::TextOrNull) => format!("\"{}", escaped(held)),
            Place::Value(Form::Json) => held.to_string(),
            Place::Between | Place::Name | Place::Start(_) => String::new(),
        }
    }
}

/// The end of a value: its mark, and then what can follow it. The mark alone may stand in a text.
/// `is_whole` says whether what stands before it can be all.
fn end_of(held: &str, (calls, fields): (&Calls, &Fields), is_whole: impl Fn(&str) -> bool) -> End {
    let (mark, nexts) = (fields.after.trim(), [fields.before, calls.after.trim_start()]);
    let mut from = 0;
    while let Some(found) = held[from..].find(mark) {
        let at = from + found;
        let rest = held[at + mark.len()..].trim_start();
        if nexts.iter().any(|next| rest.starts_with(next)) && is_whole(&held[..at]) {
            return End::At(at, held.len() - rest.len());
        }
        if nexts.iter().any(|next| next.starts_with(rest)) {
            return End::After(at);
        }
        from = at + mark.len();
    }
    End::After(held.len() - doubtful(held, mark))
}

/// Whether a text is no JSON that goes on.
fn is_whole(text: &str) -> bool {
    let text = text.trim();
    !text.starts_with(['{', '[', '"']) || Depth::default().end(text).is_some()
}

/// JSON as it stands; what is none is a text.
fn as_json(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(_) => text.trim().to_string(),
        Err(_) => Value::from(text).to_string(),
    }
}

/// A text as it stands within quotes.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::reader::{Calling, Opening, Reader};
    use std::sync::Arc;

    const CODER: &str = "<function=<parameter=";
    const GLM: &str = "<arg_key><arg_value>";
    const TIGHT: &str = "</arg_key><arg_value>";
    const MINIMAX: &str = "<minimax:tool_call><invoke name=";

    fn tool(parameters: Value) -> Tool {
        Tool { name: "write".into(), description: None, parameters }
    }

    fn write() -> Tool {
        tool(json!({
            "type": "object",
            "required": ["path", "text"],
            "properties": {
                "path": {"type": "string"},
                "text": {"type": "string", "description": "all of it"},
                "note": {"type": ["string", "null"]},
                "lines": {"type": "array", "items": {"type": "string"}},
                "mode": {"type": "integer"},
            },
        }))
    }

    /// Reads a text in pieces of so many letters: the text, and the calls' names and arguments.
    fn read(template: &str, text: &str, letters: usize) -> (String, Vec<(String, String)>) {
        let forms = Arc::new(Forms::of([write()].iter()).unwrap());
        let dialect = Dialect::of(Some(template));
        let mut reader = Reader::new(dialect, Calling::Possible, Opening::Closed, forms);
        let letter: Vec<char> = text.chars().collect();
        let mut parts = Vec::new();
        for piece in letter.chunks(letters) {
            parts.extend(reader.push(&piece.iter().collect::<String>()));
        }
        parts.extend(reader.finish());
        let (mut said, mut calls) = (String::new(), Vec::<(String, String)>::new());
        for part in parts {
            match part {
                Part::Text(text) | Part::Reasoning(text) => said += &text,
                Part::Call(name) => calls.push((name, String::new())),
                Part::Arguments(more) => calls.last_mut().unwrap().1 += &more,
            }
        }
        (said, calls)
    }

    fn check(template: &str, text: &str, said: &str, expected: &[Value]) {
        for letters in [1, 2, 3, 7, 1000] {
            let (found, calls) = read(template, text, letters);
            assert_eq!(found, said, "{text} by {letters}");
            let arguments = calls.iter().map(|(name, arguments)| {
                assert_eq!(name, "write");
                serde_json::from_str::<Value>(arguments).unwrap_or_else(|_| panic!("{arguments}"))
            });
            assert_eq!(arguments.collect::<Vec<Value>>(), expected, "{text} by {letters}");
        }
    }

    #[test]
    fn transcripts_are_read_in_each_familys_form() {
        let one = json!({"path": "/a b.txt", "text": "x < 1\n\n  \"y\"\n", "mode": 420,
                         "lines": ["<b>", "\\"]});
        let two = json!({"path": "null", "text": "", "note": null});
        let coder = "I will.\n\n<tool_call>\n<function=write>\n<parameter=path>\n/a b.txt\n\
            </parameter>\n<parameter=text>\nx < 1\n\n  \"y\"\n\n</parameter>\n\
            <parameter=mode>\n420\n</parameter>\n\
            <parameter=lines>\n[\"<b>\", \"\\\\\"]\n</parameter>\n</function>\n</tool_call>\n\
            <tool_call>\n<function=write>\n<parameter=path>\nnull\n</parameter>\n\
            <parameter=text>\n\n</parameter>\n<parameter=note>\nnull\n</parameter>\n</function>\n\
            </tool_call>";
        check(CODER, coder, "I will.", &[one.clone(), two.clone()]);
        let glm = "I will.\n<tool_call>write\n<arg_key>path</arg_key>\n<arg_value>/a b.txt\
            </arg_value>\n<arg_key>text</arg_key>\n<arg_value>x < 1\n\n  \"y\"\n</arg_value>\n\
            <arg_key>mode</arg_key>\n<arg_value>420</arg_value>\n<arg_key>lines</arg_key>\n\
            <arg_value>[\"<b>\", \"\\\\\"]</arg_value>\n</tool_call>\n<tool_call>write\n\
            <arg_key>path</arg_key>\n<arg_value>null</arg_value>\n<arg_key>text</arg_key>\n\
            <arg_value></arg_value>\n<arg_key>note</arg_key>\n<arg_value>null</arg_value>\n\
            </tool_call>";
        check(GLM, glm, "I will.", &[one.clone(), two.clone()]);
        let lines = [">\n<arg_key>", ">\n<arg_value>", ">\n</tool_call>", "write\n", ">\n<tool_"];
        let tight = lines
            .iter()
            .fold(glm.to_string(), |text, line| text.replace(line, &line.replace('\n', "")));
        check(TIGHT, &tight, "I will.", &[one.clone(), two.clone()]);
        let minimax = "I will.\n<minimax:tool_call>\n<invoke name=\"write\">\n\
            <parameter name=\"path\">/a b.txt</parameter>\n\
            <parameter name=\"text\">x < 1\n\n  \"y\"\n</parameter>\n\
            <parameter name=\"mode\">420</parameter>\n\
            <parameter name=\"lines\">[\"<b>\", \"\\\\\"]</parameter>\n</invoke>\n\
            <invoke name=\"write\">\n<parameter name=\"path\">null</parameter>\n\
            <parameter name=\"text\"></parameter>\n<parameter name=\"note\">null</parameter>\n\
            </invoke>\n</minimax:tool_call>";
        check(MINIMAX, minimax, "I will.", &[one, two]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let arguments = json!({"path": "a", "text": "\nb\n", "lines": ["c"], "note": "d"});
        let calls = vec![("write".to_string(), arguments.to_string()); 2];
        for template in [CODER, GLM, TIGHT, MINIMAX] {
            let written = Dialect::of(Some(template)).calls.all_written(&calls);
            check(template, &written, "", &[arguments.clone(), arguments.clone()]);
        }
    }

    #[test]
    fn marks_within_a_value_do_not_end_it() {
        let text = "a </parameter> b\n</parameter>\n</function> c <arg_value> </arg_value> d";
        let expected = json!({"path": "p", "text": text, "lines": ["</parameter>\n<parameter=x>"]});
        let calls = [("write".to_string(), expected.to_string())];
        // Where a schema says that it is JSON, what stands in its texts counts for nothing.
        let lines = json!({"lines": ["</arg_value>\n</tool_call>", "</parameter>\n</invoke>"]});
        let json = [("write".to_string(), lines.to_string())];
        for template in [GLM, TIGHT, MINIMAX] {
            let form = Dialect::of(Some(template)).calls;
            check(template, &form.all_written(&calls), "", std::slice::from_ref(&expected));
            check(template, &form.all_written(&json), "", std::slice::from_ref(&lines));
        }
        let coder = json!({"path": "p", "text": "a </parameter> b\n</parameter>\nc </function>"});
        let form = Dialect::of(Some(CODER)).calls;
        let calls = [("write".to_string(), coder.to_string())];
        check(CODER, &form.all_written(&calls), "", &[coder]);
    }

    #[test]
    fn what_is_cut_or_no_call_is_told_as_far_as_it_goes() {
        let cut = "<tool_call>write\n<arg_key>path</arg_key>\n<arg_value>a \"b\" </arg_v";
        for letters in [1, 3, 1000] {
            let (_, calls) = read(GLM, cut, letters);
            assert_eq!(calls[0].1, r#"{"path": "a \"b\" </arg_v"#);
        }
        check(GLM, "A <tool_call> is a tag", "A is a tag", &[]);
        check(CODER, "A <tool_call>\n{\"name\": \"write\"}", "A\n{\"name\": \"write\"}", &[]);
        check(GLM, "<tool_call>write\n</tool_call>", "", &[json!({})]);
        // What no schema names, and JSON that is none.
        let strange = "<tool_call>write\n<arg_key>other</arg_key>\n<arg_value>1 + 1</arg_value>\n\
                       <arg_key>mode</arg_key>\n<arg_value>many</arg_value>\n</tool_call>";
        check(GLM, strange, "", &[json!({"other": "1 + 1", "mode": "many"})]);
    }

    #[test]
    fn schemas_say_how_arguments_are_written() {
        let fields = fields_of(&write()).unwrap();
        let forms: Vec<Form> = fields.iter().map(|field| field.form).collect();
        assert_eq!(forms, [Form::Text, Form::Text, Form::TextOrNull, Form::Json, Form::Json]);
        assert_eq!((fields[1].need, fields[2].need), (Need::Required, Need::Optional));
        for (schema, form) in [
            (json!({"type": "string", "enum": ["a"]}), Form::Text),
            (json!({"type": "string", "pattern": "a"}), Form::Json),
            (json!({"enum": ["a", 1]}), Form::Json),
            (json!({"enum": ["a", "b"]}), Form::Text),
            (json!({"const": "a"}), Form::Text),
            (json!({}), Form::Json),
            (json!({"$ref": "#/$defs/a"}), Form::Json),
            (json!(true), Form::Json),
        ] {
            assert_eq!(form_of(&schema), form, "{schema}");
        }
        let shared = json!({"$defs": {"a": {"type": "string"}}, "required": ["c"],
                            "properties": {"b": {"$ref": "#/$defs/a"}}});
        let fields = fields_of(&tool(shared)).unwrap();
        assert!(fields[0].schema["$defs"]["a"].is_object(), "{fields:?}");
        assert_eq!((fields[1].name.as_str(), fields[1].need), ("c", Need::Required));
        for wrong in [
            json!({"anyOf": [{"type": "object"}]}),
            json!({"properties": {"a<b": {}}}),
            json!({"required": ["a"], "additionalProperties": false}),
        ] {
            let message = fields_of(&tool(wrong)).unwrap_err().to_string();
            assert!(message.contains("write"), "{message}");
        }
    }
}
