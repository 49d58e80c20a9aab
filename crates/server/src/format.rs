//! What an answer is to keep to, as OpenAI's interfaces and vLLM write it.

use allod_engine::Constraint;
use serde_json::{Value, json};

use crate::fields::{Fields, texts};
use crate::gbnf;
use crate::problem::Problem;
use crate::speaking::Speaking;

/// vLLM's fields.
pub(crate) const GUIDED_FIELDS: [&str; 5] =
    ["structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar"];

/// Texts that can be chosen from.
const CHOICES_MAX: usize = 1_024;

/// Reads the format that a field asks for, and vLLM's fields: one at most.
pub(crate) fn read(
    fields: &Fields,
    field: Option<&'static str>,
    speaking: &mut Speaking,
) -> Result<(), Problem> {
    let mut found: Option<(&'static str, Constraint)> = None;
    let names = field.into_iter().chain(GUIDED_FIELDS);
    for name in names {
        let Some(value) = fields.get(name) else { continue };
        let constraint = match name {
            "structured_outputs" => structured(value)?,
            "text" => text(value)?,
            _ if Some(name) == field => response_format(name, value, value.get("json_schema"))?,
            _ => guided(name, &name["guided_".len()..], value).map(Some)?,
        };
        let Some(constraint) = constraint else { continue };
        if let Some((other, _)) = found {
            let message = format!("`{name}` and `{other}` cannot both be kept to; leave one out");
            return Err(Problem::field(name, message));
        }
        found = Some((name, constraint));
    }
    speaking.names.format = found.as_ref().map(|(name, _)| *name);
    speaking.options.format = found.map(|(_, constraint)| constraint);
    Ok(())
}

/// Reads the format that a message of Anthropic's asks for: `output_config`, which may hold
/// `format`, or `output_format`, as the interface had it before.
pub(crate) fn of_message(fields: &Fields, speaking: &mut Speaking) -> Result<(), Problem> {
    let config = match fields.get("output_config") {
        None => None,
        Some(config) => {
            let wrong = || Problem::field("output_config", "it may hold `format` only");
            let members = config.as_object().ok_or_else(wrong)?;
            if members.iter().any(|(name, value)| name != "format" && !value.is_null()) {
                return Err(wrong());
            }
            members.get("format").filter(|format| !format.is_null())
        }
    };
    let (name, format) = match (config, fields.get("output_format")) {
        (None, None) => return Ok(()),
        (Some(format), None) => ("output_config", format),
        (None, Some(format)) => ("output_format", format),
        (Some(_), Some(_)) => {
            let message = "`output_config` says the format too; leave one out";
            return Err(Problem::field("output_format", message));
        }
    };
    speaking.options.format = response_format(name, format, Some(format))?;
    speaking.names.format = speaking.options.format.is_some().then_some(name);
    Ok(())
}

/// The field `text` of a response: it may hold `format`.
fn text(value: &Value) -> Result<Option<Constraint>, Problem> {
    let wrong = || Problem::field("text", "`text` may hold `format` only");
    let members = value.as_object().ok_or_else(wrong)?;
    let is_idle =
        |name: &str, value: &Value| value.is_null() || (name == "verbosity" && *value == "medium");
    if members.iter().any(|(name, value)| name != "format" && !is_idle(name, value)) {
        return Err(wrong());
    }
    match members.get("format").filter(|format| !format.is_null()) {
        None => Ok(None),
        Some(format) => response_format("text", format, Some(format)),
    }
}

/// `{"type": …}`; the schema stands in `described`.
fn response_format(
    name: &'static str,
    value: &Value,
    described: Option<&Value>,
) -> Result<Option<Constraint>, Problem> {
    let wrong = |what: &str| Problem::field(name, format!("`{name}`: {what}"));
    match value.get("type").and_then(Value::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(any_object())),
        Some("json_schema") => {
            let schema = described.and_then(|described| described.get("schema"));
            let schema = schema.filter(|schema| schema.is_object() || schema.is_boolean());
            let schema = schema.ok_or_else(|| wrong("there is no `schema`, an object"))?;
            Ok(Some(Constraint::JsonSchema(schema.clone())))
        }
        _ => Err(wrong("the type must be text, json_object or json_schema")),
    }
}

fn any_object() -> Constraint {
    Constraint::JsonSchema(json!({"type": "object"}))
}

/// vLLM's `structured_outputs`: one of its kinds.
fn structured(value: &Value) -> Result<Option<Constraint>, Problem> {
    let name = "structured_outputs";
    let wrong = || {
        let message = "it must hold one of json, json_object, regex, choice and grammar";
        Problem::field(name, message)
    };
    let given = value.as_object().ok_or_else(wrong)?;
    let mut given = given.iter().filter(|(_, value)| !value.is_null() && **value != false);
    let (Some((kind, value)), None) = (given.next(), given.next()) else { return Err(wrong()) };
    match kind.as_str() {
        "json_object" if *value == true => Ok(Some(any_object())),
        kind @ ("json" | "regex" | "choice" | "grammar") => guided(name, kind, value).map(Some),
        _ => Err(wrong()),
    }
}

fn guided(name: &'static str, kind: &str, value: &Value) -> Result<Constraint, Problem> {
    let wrong = |what: &str| Problem::field(name, format!("`{name}`: {what}"));
    let text = || value.as_str().map(str::to_owned);
    match kind {
        "json" => {
            // A schema may also come as the text of one.
            let parsed = text().and_then(|text| serde_json::from_str(&text).ok());
            let schema = parsed.unwrap_or_else(|| value.clone());
            match schema.is_object() || schema.is_boolean() {
                true => Ok(Constraint::JsonSchema(schema)),
                false => Err(wrong("it must be a JSON schema")),
            }
        }
        "regex" => text().map(Constraint::Regex).ok_or_else(|| wrong("it must be a text")),
        "choice" => {
            let fits = |texts: &Vec<String>| {
                (1..=CHOICES_MAX).contains(&texts.len())
                    && texts.iter().all(|text| !text.is_empty())
            };
            let choices = texts(value).filter(fits);
            let wrong = || wrong("it must be a list of one text or more, none empty");
            let choices = choices.ok_or_else(wrong)?.into_iter().map(Value::from);
            let choices: Vec<String> = choices.map(|choice| choice.to_string()).collect();
            Ok(Constraint::Lark(format!("start: {}\n", choices.join(" | "))))
        }
        _ => {
            let grammar = text().ok_or_else(|| wrong("it must be a text"))?;
            match grammar.contains("::=") {
                true => gbnf::lark(&grammar).map(Constraint::Lark).map_err(|why| wrong(&why)),
                false => Ok(Constraint::Lark(grammar)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(fields: Value, field: Option<&'static str>) -> Result<Option<Constraint>, Problem> {
        let fields = fields.as_object().unwrap().clone();
        let mut speaking = Speaking::default();
        read(&Fields(&fields), field, &mut speaking)?;
        assert_eq!(speaking.names.format.is_some(), speaking.options.format.is_some());
        Ok(speaking.options.format)
    }

    #[test]
    fn formats_are_read_in_the_words_of_each_interface() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "null"}}});
        let wanted = Some(Constraint::JsonSchema(schema.clone()));
        let chat = json!({"response_format": {"type": "json_schema",
            "json_schema": {"name": "n", "strict": true, "schema": schema}}});
        let response = json!({"text": {"format":
            {"type": "json_schema", "name": "n", "strict": true, "schema": schema}}});
        assert_eq!(read_all(chat, Some("response_format")).unwrap(), wanted);
        assert_eq!(read_all(response, Some("text")).unwrap(), wanted);
        for fields in [
            json!({"guided_json": schema}),
            json!({"guided_json": schema.to_string()}),
            json!({"structured_outputs": {"json": schema, "regex": null}}),
        ] {
            assert_eq!(read_all(fields, None).unwrap(), wanted);
        }
        let object = Some(any_object());
        let asked = json!({"response_format": {"type": "json_object"}});
        assert_eq!(read_all(asked, Some("response_format")).unwrap(), object);
        let asked = json!({"structured_outputs": {"json_object": true}});
        assert_eq!(read_all(asked, None).unwrap(), object);
        let plain = json!({"response_format": {"type": "text"}, "text": {}});
        assert_eq!(read_all(plain.clone(), Some("response_format")).unwrap(), None);
        assert_eq!(read_all(plain, Some("text")).unwrap(), None);
        let choice = read_all(json!({"guided_choice": ["a\"", "b"]}), None).unwrap();
        assert_eq!(choice, Some(Constraint::Lark("start: \"a\\\"\" | \"b\"\n".into())));
        let regex = read_all(json!({"guided_regex": "[ab]+"}), None).unwrap();
        assert_eq!(regex, Some(Constraint::Regex("[ab]+".into())));
    }

    #[test]
    fn a_message_says_its_format_in_one_place() {
        let read = |fields: Value| {
            let fields = fields.as_object().unwrap().clone();
            let mut speaking = Speaking::default();
            of_message(&Fields(&fields), &mut speaking).map(|()| speaking.options.format)
        };
        let format = json!({"type": "json_schema", "schema": {"type": "null"}});
        let wanted = Some(Constraint::JsonSchema(json!({"type": "null"})));
        assert_eq!(read(json!({"output_config": {"format": format}})).unwrap(), wanted);
        assert_eq!(read(json!({"output_format": format})).unwrap(), wanted);
        assert_eq!(read(json!({"output_config": {"format": null}})).unwrap(), None);
        for (fields, param) in [
            (json!({"output_config": {"effort": "low"}}), "output_config"),
            (json!({"output_config": 1}), "output_config"),
            (
                json!({"output_config": {"format": format}, "output_format": format}),
                "output_format",
            ),
            (json!({"output_format": {"type": "json_schema"}}), "output_format"),
        ] {
            assert_eq!(
                read(fields.clone()).unwrap_err().body()["error"]["param"],
                param,
                "{fields}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        for (fields, param) in [
            (json!({"response_format": {"type": "xml"}}), "response_format"),
            (json!({"response_format": {"type": "json_schema"}}), "response_format"),
            (json!({"guided_json": 7}), "guided_json"),
            (json!({"guided_choice": []}), "guided_choice"),
            (json!({"guided_regex": 1}), "guided_regex"),
            (json!({"guided_grammar": "root ::= <"}), "guided_grammar"),
            (json!({"structured_outputs": {}}), "structured_outputs"),
            (json!({"structured_outputs": {"regex": "a", "json": {}}}), "structured_outputs"),
            (json!({"guided_regex": "a", "guided_json": {}}), "guided_regex"),
        ] {
            let body = read_all(fields.clone(), Some("response_format")).unwrap_err().body();
            assert_eq!(body["error"]["param"], param, "{fields}");
        }
        let verbose = json!({"text": {"verbosity": "low"}});
        assert_eq!(read_all(verbose, Some("text")).unwrap_err().body()["error"]["param"], "text");
    }
}
