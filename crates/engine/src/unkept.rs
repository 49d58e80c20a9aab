//! What of a JSON schema cannot be kept to, by its keyword and its place: it is refused before
//! anything is written, and never passed over.

use crate::error::{Error, Result};
use crate::schema::{LISTS, NAMED, NUMBER_MAX, ONE};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Keywords that allow less, and that no grammar here follows. Those of older drafts are among them
/// whatever `$schema` says: who writes one means it.
const UNKEPT: [&str; 18] = [
    "not",
    "if",
    "then",
    "else",
    "contains",
    "minContains",
    "maxContains",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "unevaluatedItems",
    "unevaluatedProperties",
    "$dynamicRef",
    "$recursiveRef",
    "extends",
    "disallow",
    "divisibleBy",
];

/// Keywords whose numbers are kept to as 64-bit floating-point ones.
const NUMBERS: [&str; 8] = [
    "const",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "divisibleBy",
];

/// Refuses a schema that says more than can be kept to.
///
/// # Errors
/// Which keyword it is, and where.
pub(crate) fn check(schema: &Value) -> Result<()> {
    let mut walk = Walk { root: schema, followed: BTreeSet::new() };
    walk.check(schema, "#")
}

/// Over all schemas that count: a definition does once something refers to it.
struct Walk<'a> {
    root: &'a Value,
    followed: BTreeSet<&'a str>,
}

impl<'a> Walk<'a> {
    fn check(&mut self, schema: &'a Value, place: &str) -> Result<()> {
        let Some(members) = schema.as_object() else { return Ok(()) };
        // `not: true` would allow nothing; `unevaluatedItems: true` allows everything.
        let says = |keyword: &str| {
            let idle = keyword.starts_with("unevaluated");
            members.get(keyword).is_some_and(|value| !(idle && *value == true))
        };
        if let Some(keyword) = UNKEPT.iter().find(|keyword| says(keyword)) {
            return Err(refused(keyword, place, "nothing here follows it; leave it out"));
        }
        check_counts(members, place)?;
        check_numbers(members, place)?;
        check_format(members, place)?;
        if place != "#" && members.contains_key("$id") && refers(schema) {
            return Err(refused("$id", place, "references are read from the whole schema only"));
        }
        self.follow(members, place)?;
        for (name, value) in members {
            let name = name.as_str();
            let below = format!("{place}/{name}");
            match value {
                Value::Array(all) if LISTS.contains(&name) || ONE.contains(&name) => {
                    for (at, schema) in all.iter().enumerate() {
                        self.check(schema, &format!("{below}/{at}"))?;
                    }
                }
                Value::Object(all) if NAMED.contains(&name) => {
                    for (name, schema) in all {
                        self.check(schema, &format!("{below}/{name}"))?;
                    }
                }
                value if ONE.contains(&name) => self.check(value, &below)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// References that lead back to the first of them say nothing.
    fn check_ring(&self, mut target: &'a Value, first: &str, place: &str) -> Result<()> {
        const LONGEST: usize = 64;
        for _ in 0..LONGEST {
            let Some(next) = target.get("$ref").and_then(Value::as_str) else { return Ok(()) };
            let path = next.strip_prefix('#').filter(|path| !path.is_empty() && *path != "/");
            match path.and_then(|path| self.root.pointer(path)) {
                Some(next) => target = next,
                None => return Ok(()),
            }
        }
        Err(refused("$ref", place, &format!("`{first}` leads only back to itself")))
    }

    fn follow(&mut self, members: &'a Map<String, Value>, place: &str) -> Result<()> {
        let Some(reference) = members.get("$ref") else { return Ok(()) };
        let reference = reference.as_str().unwrap_or_default();
        let path = match reference.strip_prefix('#') {
            Some("" | "/") => "",
            Some(path) if path.starts_with('/') => path,
            _ => return Err(refused("$ref", place, "it must be a place in this schema, `#/…`")),
        };
        let target = match path {
            "" => Some(self.root),
            path => self.root.pointer(path),
        };
        let target = target
            .ok_or_else(|| refused("$ref", place, &format!("there is nothing at `{reference}`")))?;
        self.check_ring(target, reference, place)?;
        match self.followed.insert(reference) {
            true => self.check(target, reference),
            false => Ok(()),
        }
    }
}

/// Members under one name are one member to who reads them, so open ones cannot be counted.
fn check_counts(members: &Map<String, Value>, place: &str) -> Result<()> {
    let unique = members.get("uniqueItems").is_some_and(|unique| *unique != false);
    if unique && members.get("maxItems").and_then(Value::as_u64).is_none_or(|most| most > 1) {
        return Err(refused("uniqueItems", place, "nothing here follows it; leave it out"));
    }
    let Some(least) = members.get("minProperties").and_then(Value::as_u64) else { return Ok(()) };
    let required = members.get("required").and_then(Value::as_array).map_or(0, Vec::len) as u64;
    match least > required + 1 {
        true => {
            let why = "name the members with `required`; beyond those one can be asked for";
            Err(refused("minProperties", place, why))
        }
        false => Ok(()),
    }
}

fn check_numbers(members: &Map<String, Value>, place: &str) -> Result<()> {
    if members.get("enum").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        return Err(refused("enum", place, "it holds no value"));
    }
    let far = |keyword: &str, sign: f64| {
        let number = members.get(keyword).and_then(Value::as_f64);
        number.is_some_and(|number| number * sign > NUMBER_MAX as f64)
    };
    for (keyword, sign) in
        [("minimum", 1.0), ("exclusiveMinimum", 1.0), ("maximum", -1.0), ("exclusiveMaximum", -1.0)]
    {
        if far(keyword, sign) {
            return Err(refused(keyword, place, "only numbers up to 2^53 are written"));
        }
    }
    let minimum = ["minimum", "exclusiveMinimum"];
    let maximum = ["maximum", "exclusiveMaximum"];
    for keyword in NUMBERS {
        let Some(value) = members.get(keyword) else { continue };
        let wide = widest(value);
        // Bounds far out are brought nearer instead.
        let is_outer =
            minimum.contains(&keyword) && wide < 0 || maximum.contains(&keyword) && wide > 0;
        if wide.abs() > i128::from(NUMBER_MAX) + 1 && !is_outer {
            let why = format!("{wide} is beyond 2^53; write it as a text");
            return Err(refused(keyword, place, &why));
        }
    }
    Ok(())
}

/// The whole number farthest from zero in a value.
fn widest(value: &Value) -> i128 {
    let widest_of = |values: &mut dyn Iterator<Item = &Value>| {
        values.map(widest).max_by_key(|number| number.abs()).unwrap_or(0)
    };
    match value {
        Value::Number(number) => {
            let signed = number.as_i64().map(i128::from);
            signed.or_else(|| number.as_u64().map(i128::from)).unwrap_or(0)
        }
        Value::Array(values) => widest_of(&mut values.iter()),
        Value::Object(members) => widest_of(&mut members.values()),
        _ => 0,
    }
}

/// Formats of texts that are followed.
const FORMATS: [&str; 10] =
    ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"];

fn check_format(members: &Map<String, Value>, place: &str) -> Result<()> {
    let is_text = |kind: &Value| *kind == "string";
    let of_texts = match members.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(is_text),
        Some(kind) => is_text(kind),
        None => true,
    };
    match members.get("format").and_then(Value::as_str) {
        Some(format) if of_texts && !FORMATS.contains(&format) => {
            let why = format!("`{format}` is not known; there are {}", FORMATS.join(", "));
            Err(refused("format", place, &why))
        }
        _ => Ok(()),
    }
}

fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.contains_key("$ref") || members.values().any(refers),
        Value::Array(values) => values.iter().any(refers),
        _ => false,
    }
}

fn refused(keyword: &str, place: &str, why: &str) -> Error {
    Error::Constraint { what: format!("the schema's `{keyword}` at `{place}`: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn why(schema: &Value) -> String {
        check(schema).unwrap_err().to_string()
    }

    #[test]
    fn a_keyword_is_refused_where_it_counts() {
        let deep = json!({"properties": {"tags": {"$ref": "#/$defs/tags"}},
            "$defs": {"tags": {"type": "array", "items": {"not": {}}}, "unused": {"not": {}}}});
        assert!(why(&deep).contains("`not` at `#/$defs/tags/items`"), "{}", why(&deep));
        for schema in [
            json!({"properties": {"not": {"type": "null"}, "if": true}}),
            json!({"$defs": {"unused": {"not": {}}}}),
            json!({"const": {"not": 1}}),
            json!({"uniqueItems": false}),
            json!({"uniqueItems": true, "maxItems": 1}),
            json!({"type": "integer", "format": "int64"}),
            json!({"minimum": -9_223_372_036_854_775_808_i64, "maximum": u64::MAX}),
        ] {
            assert!(check(&schema).is_ok(), "{schema}");
        }
    }

    #[test]
    fn a_reference_leads_somewhere_in_the_schema() {
        assert!(check(&json!({"anyOf": [{"$ref": "#"}, {"type": "null"}]})).is_ok());
        for reference in ["#/$defs/none", "#name", "other.json", ""] {
            assert!(why(&json!({"$ref": reference})).contains("`$ref` at `#`"), "{reference}");
        }
    }
}
