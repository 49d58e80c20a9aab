//! JSON text as Python's `json.dumps` writes it.

use serde_json::Value;
use std::fmt::Write;

/// `json.dumps(value, ensure_ascii=False, indent=indent)`.
pub(super) fn dumps(value: &Value, indent: Option<usize>) -> String {
    let mut out = String::new();
    write(&mut out, value, indent, 0);
    out
}

fn write(out: &mut String, value: &Value, indent: Option<usize>, depth: usize) {
    match value {
        Value::Array(items) => {
            let items = items.iter().map(|item| (None, item));
            write_items(out, ['[', ']'], items, indent, depth);
        }
        Value::Object(members) => {
            let items = members.iter().map(|(key, item)| (Some(key.as_str()), item));
            write_items(out, ['{', '}'], items, indent, depth);
        }
        Value::String(text) => write_text(out, text),
        other => *out += &other.to_string(),
    }
}

fn write_items<'a>(
    out: &mut String,
    brackets: [char; 2],
    items: impl Iterator<Item = (Option<&'a str>, &'a Value)>,
    indent: Option<usize>,
    depth: usize,
) {
    out.push(brackets[0]);
    let mut empty = true;
    for (key, item) in items {
        if !empty {
            *out += if indent.is_some() { "," } else { ", " };
        }
        empty = false;
        new_line(out, indent, depth + 1);
        if let Some(key) = key {
            write_text(out, key);
            *out += ": ";
        }
        write(out, item, indent, depth + 1);
    }
    if !empty {
        new_line(out, indent, depth);
    }
    out.push(brackets[1]);
}

fn new_line(out: &mut String, indent: Option<usize>, depth: usize) {
    if let Some(indent) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent * depth));
    }
}

/// Python escapes quotes, backslashes and control characters, and nothing else.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => *out += "\\\"",
            '\\' => *out += "\\\\",
            '\n' => *out += "\\n",
            '\r' => *out += "\\r",
            '\t' => *out += "\\t",
            '\u{8}' => *out += "\\b",
            '\u{c}' => *out += "\\f",
            other if (other as u32) < 0x20 => {
                write!(out, "\\u{:04x}", other as u32).expect("a string takes all text");
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn separators_escapes_and_order_are_those_of_python() {
        let value = json!({"b": "<x> & 'é'\n\u{1}", "a": [1, 2.0, true, null], "c": {}, "d": []});
        let expected = r#"{"b": "<x> & 'é'\n\u0001", "a": [1, 2.0, true, null], "c": {}, "d": []}"#;
        assert_eq!(dumps(&value, None), expected);
    }

    #[test]
    fn indented_output_has_lines() {
        let value = json!({"a": [1, {"b": 2}], "c": []});
        let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ],\n  \"c\": []\n}";
        assert_eq!(dumps(&value, Some(2)), expected);
    }
}
