//! JSON schemas made a little narrower before they are followed, so that what is written can be
//! read by every program: numbers that fit its types, days that there are.

use serde_json::{Map, Value, json};

/// Whole numbers up to here have a 64-bit floating-point number each.
const NUMBER_MAX: i64 = (1 << 53) - 1;

/// Space between two parts of a value: a line's end and an indentation. Without a bound, a model
/// that has lost its way writes spaces for ever.
const SPACE: &str = r"[ \n\r\t]{1,40}";

/// Members of a schema that hold a schema.
const ONE: [&str; 3] = ["items", "additionalProperties", "propertyNames"];
/// A list of schemas.
const LISTS: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
/// Schemas by name.
const NAMED: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];

/// A day that there is, from the year 1 on.
const DATE: &str = concat!(
    r"((000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-",
    r"((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|",
    r"02-(0[1-9]|1[0-9]|2[0-8]))|([0-9]{2}(0[48]|[2468][048]|[13579][26])|",
    r"(0[48]|[2468][048]|[13579][26])00)-02-29)"
);
/// The time of a day, without the second that is put in now and then, with a zone.
const TIME: &str = concat!(
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?",
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
);
/// A part of a host's name.
const LABEL: &str = "[A-Za-z0-9]{1,15}(-[A-Za-z0-9]{1,15}){0,2}";
/// What stands before the host's name in an address.
const MAILBOX: &str = r"[A-Za-z0-9_+-]{1,30}(\.[A-Za-z0-9_+-]{1,30})?";

/// The schema with bounds to its numbers and patterns to its formats, where it has none of its own,
/// and to the space between them. All that it allows then, it allowed before.
pub(crate) fn narrowed(schema: &Value) -> Value {
    // `true` allows what no member at all does.
    let mut schema = if schema == true { json!({}) } else { schema.clone() };
    narrow(&mut schema);
    if let Some(members) = schema.as_object_mut() {
        // The options of the crate that follows it.
        members.insert("x-guidance".into(), json!({"whitespace_pattern": SPACE}));
    }
    schema
}

fn narrow(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    bound_numbers(members);
    pattern_formats(members);
    for (name, value) in members.iter_mut() {
        let name = name.as_str();
        match value {
            Value::Array(schemas) if LISTS.contains(&name) => schemas.iter_mut().for_each(narrow),
            Value::Object(schemas) if NAMED.contains(&name) => {
                schemas.values_mut().for_each(narrow);
            }
            value if ONE.contains(&name) => narrow(value),
            _ => {}
        }
    }
}

fn is_of(members: &Map<String, Value>, kinds: &[&str]) -> bool {
    let is = |kind: &Value| kind.as_str().is_some_and(|kind| kinds.contains(&kind));
    match members.get("type") {
        Some(Value::Array(all)) => all.iter().any(is),
        Some(kind) => is(kind),
        None => false,
    }
}

fn bound_numbers(members: &mut Map<String, Value>) {
    if !is_of(members, &["number", "integer"]) {
        return;
    }
    for (names, bound) in [
        (["minimum", "exclusiveMinimum"], -NUMBER_MAX),
        (["maximum", "exclusiveMaximum"], NUMBER_MAX),
    ] {
        if !names.iter().any(|name| members.contains_key(*name)) {
            members.insert(names[0].into(), json!(bound));
        }
    }
}

fn pattern_formats(members: &mut Map<String, Value>) {
    if !is_of(members, &["string"]) || members.contains_key("pattern") {
        return;
    }
    let pattern = match members.get("format").and_then(Value::as_str) {
        Some("date") => DATE.to_string(),
        Some("time") => TIME.to_string(),
        Some("date-time") => format!("{DATE}T{TIME}"),
        Some("hostname") => format!(r"({LABEL}\.){{0,3}}{LABEL}"),
        Some("email") => format!(r"{MAILBOX}@({LABEL}\.){{1,3}}[A-Za-z]{{2,10}}"),
        _ => return,
    };
    members.insert("pattern".into(), json!(format!("^({pattern})$")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_bounds_and_formats_patterns_wherever_they_stand() {
        let schema = json!({"anyOf": [{"type": ["integer", "null"], "minimum": 2}],
            "properties": {"type": {"type": "number"}, "at": {"type": "string", "format": "time"},
                           "number": {"enum": [1]}},
            "items": {"type": "string", "format": "uuid"}});
        let narrow = narrowed(&schema);
        let integer = &narrow["anyOf"][0];
        assert_eq!((&integer["minimum"], &integer["maximum"]), (&json!(2), &json!(NUMBER_MAX)));
        assert_eq!(narrow["properties"]["type"]["minimum"], -NUMBER_MAX);
        assert!(narrow["properties"]["at"]["pattern"].is_string());
        assert_eq!(narrow["properties"]["number"], json!({"enum": [1]}));
        assert_eq!(narrow["items"], schema["items"]);
        assert!(narrow["x-guidance"]["whitespace_pattern"].is_string());
        assert_eq!(narrowed(&json!(true)), narrowed(&json!({})));
    }
}
