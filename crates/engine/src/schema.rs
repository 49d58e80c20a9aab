//! JSON schemas made a little narrower before they are followed, so that what is written can be
//! read by every program: numbers that fit its types, days that there are.

use serde_json::{Map, Value, json};

/// Whole numbers up to here have a 64-bit floating-point number each.
pub(crate) const NUMBER_MAX: i64 = (1 << 53) - 1;

/// Space between two parts of a value: a line's end and an indentation. Without a bound, a model
/// that has lost its way writes spaces for ever.
const SPACE: &str = r"[ \n\r\t]{1,40}";

/// Members of a schema that hold a schema.
pub(crate) const ONE: [&str; 3] = ["items", "additionalItems", "additionalProperties"];
/// A list of schemas.
pub(crate) const LISTS: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
/// Schemas by name.
pub(crate) const NAMED: [&str; 2] = ["properties", "patternProperties"];
/// Schemas by name that count once something refers to them.
const DEFINED: [&str; 2] = ["$defs", "definitions"];

/// Members that allow nothing less, where a schema that holds them was not refused.
const IDLE: [&str; 5] = [
    "uniqueItems",
    "unevaluatedItems",
    "unevaluatedProperties",
    "$dynamicAnchor",
    "$recursiveAnchor",
];

/// Any sign but the four that end a line: what `.` is in the patterns of JSON schemas.
const ANY_SIGN: &str = r"[^\n\r\u{2028}\u{2029}]";

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
    // It allows nothing less.
    for name in IDLE {
        members.remove(name);
    }
    bound_numbers(members);
    read_patterns(members);
    pattern_formats(members);
    for (name, value) in members.iter_mut() {
        let name = name.as_str();
        match value {
            Value::Array(schemas) if LISTS.contains(&name) || ONE.contains(&name) => {
                schemas.iter_mut().for_each(narrow);
            }
            Value::Object(schemas) if NAMED.contains(&name) || DEFINED.contains(&name) => {
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
    let is_set = ["const", "enum"].iter().any(|name| members.contains_key(*name));
    if !is_of(members, &["number", "integer"]) || is_set {
        return;
    }
    let bound = |members: &Map<String, Value>, names: [&str; 2]| {
        names.iter().find_map(|name| members.get(*name).and_then(Value::as_f64))
    };
    let (low, high) = (["minimum", "exclusiveMinimum"], ["maximum", "exclusiveMaximum"]);
    let (least, most) = (bound(members, low), bound(members, high));
    let end = NUMBER_MAX as f64;
    if least.is_none_or(|least| least < -end) {
        low.iter().for_each(|name| drop(members.remove(*name)));
        members.insert(low[0].into(), json!(-NUMBER_MAX));
    }
    if most.is_none_or(|most| most > end) {
        high.iter().for_each(|name| drop(members.remove(*name)));
        members.insert(high[0].into(), json!(NUMBER_MAX));
    }
}

/// Patterns as a JSON schema means them (ECMA-262), for who reads them otherwise.
fn read_patterns(members: &mut Map<String, Value>) {
    if let Some(Value::String(pattern)) = members.get_mut("pattern") {
        *pattern = read_pattern(pattern);
    }
    if let Some(Value::Object(named)) = members.get_mut("patternProperties") {
        let all = std::mem::take(named).into_iter();
        *named = all.map(|(pattern, schema)| (read_pattern(&pattern), schema)).collect();
    }
}

fn read_pattern(pattern: &str) -> String {
    let (mut read, mut in_class) = (String::with_capacity(pattern.len()), false);
    let mut signs = pattern.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '.' if !in_class => {
                read.push_str(ANY_SIGN);
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        read.push(sign);
        if sign == '\\' {
            read.extend(signs.next());
        }
    }
    read
}

fn pattern_formats(members: &mut Map<String, Value>) {
    if members.contains_key("type") && !is_of(members, &["string"]) {
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
    let pattern = json!(format!("^({pattern})$"));
    if !members.contains_key("pattern") {
        members.insert("pattern".into(), pattern);
        return;
    }
    // Beside a pattern of its own.
    let all = members.entry("allOf").or_insert_with(|| json!([]));
    if let Some(all) = all.as_array_mut() {
        all.push(json!({"pattern": pattern}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_far_out_come_nearer_and_others_stay() {
        let bounds = |schema: Value| {
            let narrow = narrowed(&schema);
            (narrow["minimum"].clone(), narrow["maximum"].clone())
        };
        let (low, high) = (json!(-NUMBER_MAX), json!(NUMBER_MAX));
        let wide = json!({"type": "integer", "minimum": i64::MIN, "maximum": u64::MAX});
        assert_eq!(bounds(wide), (low.clone(), high.clone()));
        assert_eq!(bounds(json!({"type": "integer", "const": 3})), (Value::Null, Value::Null));
        assert_eq!(bounds(json!({"type": "integer"})), (low, high));
    }

    #[test]
    fn patterns_are_read_as_json_schemas_mean_them() {
        assert_eq!(read_pattern(r"^a.\.[.]$"), format!(r"^a{ANY_SIGN}\.[.]$"));
        assert_eq!(read_pattern(r"[\].].\\."), format!(r"[\].]{ANY_SIGN}\\{ANY_SIGN}"));
        let both = narrowed(&json!({"type": "string", "format": "date", "pattern": "^2"}));
        assert_eq!(both["pattern"], "^2");
        assert!(both["allOf"][0]["pattern"].is_string(), "{both}");
    }

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
