//! Values as Python's `repr` writes them: what a template prints that is no text.

use super::json::float;
use minijinja::Value;
use minijinja::value::{Tuple, ValueKind};
use regex::Regex;
use std::fmt::{Result, Write};
use std::sync::LazyLock;

/// Characters that Python escapes (`str.isprintable`): all others and separators but the space.
static HIDDEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[\p{C}\p{Z}&&[^ ]]").expect("the expression is right"));

/// The text of a value that has another here than in Python's `str`; none of texts themselves.
pub(super) fn text(value: &Value) -> Option<String> {
    if matches!(value.kind(), ValueKind::String | ValueKind::Undefined) {
        return None;
    }
    let mut out = String::new();
    write(&mut out, value).ok().map(|()| out)
}

fn write(out: &mut String, value: &Value) -> Result {
    match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) => write_text(out, text),
        (ValueKind::Map, _) => write_map(out, value),
        (ValueKind::Seq, _) => write_list(out, value),
        (ValueKind::Iterable, _) if value.len().is_some() => write_list(out, value),
        (ValueKind::None, _) => out.write_str("None"),
        (ValueKind::Bool, _) => out.write_str(if value.is_true() { "True" } else { "False" }),
        (ValueKind::Number, _) if !value.is_integer() => match f64::try_from(value.clone()) {
            Ok(number) => out.write_str(&float(number)),
            Err(_) => write!(out, "{value}"),
        },
        _ => write!(out, "{value}"),
    }
}

fn write_list(out: &mut String, value: &Value) -> Result {
    let (open, close) = match (value.downcast_object_ref::<Tuple>(), value.len()) {
        (Some(_), Some(1)) => ('(', ",)"),
        (Some(_), _) => ('(', ")"),
        (None, _) => ('[', "]"),
    };
    out.write_char(open)?;
    for (place, item) in value.try_iter().into_iter().flatten().enumerate() {
        out.write_str(if place > 0 { ", " } else { "" })?;
        write(out, &item)?;
    }
    out.write_str(close)
}

fn write_map(out: &mut String, value: &Value) -> Result {
    out.write_char('{')?;
    for (place, key) in value.try_iter().into_iter().flatten().enumerate() {
        out.write_str(if place > 0 { ", " } else { "" })?;
        write(out, &key)?;
        out.write_str(": ")?;
        write(out, &value.get_item(&key).unwrap_or_default())?;
    }
    out.write_char('}')
}

/// In single quotes, unless there are such and no double ones in the text.
fn write_text(out: &mut String, text: &str) -> Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.write_char(quote)?;
    for character in text.chars() {
        match character {
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\\' => out.write_str("\\\\")?,
            _ if character == quote => write!(out, "\\{character}")?,
            ' '..='~' => out.write_char(character)?,
            _ => write_other(out, character)?,
        }
    }
    out.write_char(quote)
}

fn write_other(out: &mut String, character: char) -> Result {
    match (HIDDEN.is_match(character.encode_utf8(&mut [0; 4])), character as u32) {
        (false, _) => out.write_char(character),
        (true, code @ 0..=0xFF) => write!(out, "\\x{code:02x}"),
        (true, code @ 0x100..=0xFFFF) => write!(out, "\\u{code:04x}"),
        (true, code) => write!(out, "\\U{code:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_python_writes_them() {
        let value = serde_json::json!({
            "plain": "a b", "quote": "it's", "both": "'\"", "lines": "a\n\t\\\r",
            "hidden": "\u{7f}\u{a0}\u{200b}\u{e000}\u{10ffff}é中😀",
            "numbers": [1, -2, 1.5, 1e-7, 1e16], "flags": [true, false, null], "none": {}
        });
        let out = text(&Value::from(minijinja::value::Serde(value))).unwrap();
        for part in [
            r"'plain': 'a b'",
            r#"'quote': "it's""#,
            r#"'both': '\'"'"#,
            r"'lines': 'a\n\t\\\r'",
            r"'hidden': '\x7f\xa0\u200b\ue000\U0010ffffé中😀'",
            r"'numbers': [1, -2, 1.5, 1e-07, 1e+16]",
            r"'flags': [True, False, None]",
            r"'none': {}",
        ] {
            assert!(out.contains(part), "{part} in {out}");
        }
    }
}
