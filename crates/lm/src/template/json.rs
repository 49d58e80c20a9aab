//! JSON text as Python's `json.dumps` writes it.

use serde_json::Value;
use std::fmt::Write;

/// The widest indent; templates use 2 or 4.
pub(super) const INDENT: usize = 64;

/// The options of `json.dumps`.
pub(super) struct Form {
    pub indent: Option<usize>,
    /// Between items, and between a name and its value.
    pub separators: [String; 2],
    /// Whether characters beyond ASCII are escaped.
    pub ascii: bool,
    /// Whether members are in the order of their names.
    pub sorted: bool,
    /// Stays as it is, escaped or not.
    pub kept: Option<char>,
}

/// The value in a form.
pub(super) fn dumps(value: &Value, form: &Form) -> String {
    let mut out = String::new();
    form.write(&mut out, value, 0);
    out
}

/// A number as Python's `repr` writes it: the fewest digits that mean it, with an exponent of two
/// digits or more below 0.0001 and from 1e16 on.
pub(super) fn float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific.to_lowercase();
    };
    match exponent.parse::<i32>() {
        Ok(-4..16) => format!("{number:?}"),
        Ok(exponent) => format!("{digits}e{exponent:+03}"),
        Err(_) => scientific,
    }
}

impl Form {
    fn write(&self, out: &mut String, value: &Value, depth: usize) {
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| (None, item)).collect();
                self.write_items(out, ['[', ']'], items, depth);
            }
            Value::Object(members) => {
                let items = members.iter().map(|(key, item)| (Some(key.as_str()), item));
                let mut items: Vec<_> = items.collect();
                if self.sorted {
                    items.sort_by_key(|(key, _)| *key);
                }
                self.write_items(out, ['{', '}'], items, depth);
            }
            Value::String(text) => self.write_text(out, text),
            Value::Number(number) if number.is_f64() => {
                *out += &float(number.as_f64().unwrap_or_default());
            }
            other => *out += &other.to_string(),
        }
    }

    fn write_items(
        &self,
        out: &mut String,
        brackets: [char; 2],
        items: Vec<(Option<&str>, &Value)>,
        depth: usize,
    ) {
        out.push(brackets[0]);
        let empty = items.is_empty();
        for (index, (key, item)) in items.into_iter().enumerate() {
            if index > 0 {
                *out += &self.separators[0];
            }
            self.new_line(out, depth + 1);
            if let Some(key) = key {
                self.write_text(out, key);
                *out += &self.separators[1];
            }
            self.write(out, item, depth + 1);
        }
        if !empty {
            self.new_line(out, depth);
        }
        out.push(brackets[1]);
    }

    fn new_line(&self, out: &mut String, depth: usize) {
        if let Some(indent) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    }

    /// Python escapes quotes, backslashes and control characters, and, if asked, all but ASCII.
    fn write_text(&self, out: &mut String, text: &str) {
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
                other if (other as u32) < 0x20 || self.escapes(other) => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04x}").expect("a string takes all text");
                    }
                }
                other => out.push(other),
            }
        }
        out.push('"');
    }

    fn escapes(&self, character: char) -> bool {
        self.ascii && !character.is_ascii() && Some(character) != self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form(indent: Option<usize>) -> Form {
        let comma = if indent.is_some() { "," } else { ", " };
        let separators = [comma.to_string(), ": ".to_string()];
        Form { indent, separators, ascii: false, sorted: false, kept: None }
    }

    #[test]
    fn separators_escapes_and_order_are_those_of_python() {
        let value = json!({"b": "<x> & 'é'\n\u{1}", "a": [1, 2.0, true, null], "c": {}, "d": []});
        let expected = r#"{"b": "<x> & 'é'\n\u0001", "a": [1, 2.0, true, null], "c": {}, "d": []}"#;
        assert_eq!(dumps(&value, &form(None)), expected);
    }

    #[test]
    fn numbers_are_those_of_python() {
        let numbers = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (1e-4, "0.0001"),
            (1.25e-5, "1.25e-05"),
            (-1e-7, "-1e-07"),
            (123_456_789_012_345.6, "123456789012345.6"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (number, expected) in numbers {
            assert_eq!(float(number), expected);
        }
        assert_eq!(dumps(&json!([1e-7, 2, 1e22]), &form(None)), "[1e-07, 2, 1e+22]");
    }

    #[test]
    fn indented_output_has_lines() {
        let value = json!({"a": [1, {"b": 2}], "c": []});
        let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ],\n  \"c\": []\n}";
        assert_eq!(dumps(&value, &form(Some(2))), expected);
    }
}
