//! Canonical JSON (RFC 8785): one text for one value, so that it can be hashed.

use std::fmt::Write;

use serde_json::{Map, Number, Value};

use crate::error::{Error, Result};

/// The largest integer that every JSON reader takes in exactly (RFC 8785, section 3.1).
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Writes `value` as canonical JSON in UTF-8.
///
/// # Errors
/// If an integer lies beyond ±(2^53 − 1): a reader with doubles would not get it back.
pub fn to_vec(value: &Value) -> Result<Vec<u8>> {
    let mut text = String::new();
    write_value(&mut text, value)?;
    Ok(text.into_bytes())
}

/// Whether `bytes` are a JSON value in exactly the canonical form.
#[must_use]
pub fn is_canonical(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return false };
    to_vec(&value).is_ok_and(|canonical| canonical == bytes)
}

fn write_value(text: &mut String, value: &Value) -> Result<()> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => write_number(text, number)?,
        Value::String(string) => write_string(text, string),
        Value::Array(items) => write_array(text, items)?,
        Value::Object(members) => write_object(text, members)?,
    }
    Ok(())
}

fn write_array(text: &mut String, items: &[Value]) -> Result<()> {
    text.push('[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        write_value(text, item)?;
    }
    text.push(']');
    Ok(())
}

/// Members stand in the order of their names' UTF-16 code units (RFC 8785, section 3.2.3).
fn write_object(text: &mut String, members: &Map<String, Value>) -> Result<()> {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
    text.push('{');
    for (position, (name, value)) in sorted.into_iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        write_string(text, name);
        text.push(':');
        write_value(text, value)?;
    }
    text.push('}');
    Ok(())
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            control if control < ' ' => {
                write!(text, "\\u{:04x}", u32::from(control)).expect("a string takes any text");
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

fn write_number(text: &mut String, number: &Number) -> Result<()> {
    if let Some(integer) = number.as_i64() {
        return write_integer(text, integer < 0, integer.unsigned_abs());
    }
    if let Some(integer) = number.as_u64() {
        return write_integer(text, false, integer);
    }
    let double = number.as_f64().filter(|double| double.is_finite());
    let double = double.ok_or_else(|| Error::Number { number: number.to_string() })?;
    write_double(text, double);
    Ok(())
}

fn write_integer(text: &mut String, negative: bool, magnitude: u64) -> Result<()> {
    let sign = if negative { "-" } else { "" };
    if magnitude > INTEGER_MAX {
        return Err(Error::Number { number: format!("{sign}{magnitude}") });
    }
    write!(text, "{sign}{magnitude}").expect("a string takes any text");
    Ok(())
}

/// ECMAScript's `Number::toString` for a finite double (ECMA-262, section 6.1.6.1.20).
fn write_double(text: &mut String, double: f64) {
    if double == 0.0 {
        text.push('0'); // minus zero too
        return;
    }
    if double < 0.0 {
        text.push('-');
    }
    // Rust's `{:e}` gives the shortest digits that read back as the same double, as ECMAScript asks.
    let scientific = format!("{:e}", double.abs());
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let digits: String = mantissa.chars().filter(|&character| character != '.').collect();
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a decimal exponent");
    lay_out(text, &digits, exponent + 1);
}

/// Writes `0.digits × 10^point` in ECMAScript's way.
fn lay_out(text: &mut String, digits: &str, point: i32) {
    let count = i32::try_from(digits.len()).expect("a double has at most 17 digits");
    match point {
        point if count <= point && point <= 21 => {
            text.push_str(digits);
            text.extend(std::iter::repeat_n('0', (point - count).unsigned_abs() as usize));
        }
        1..=21 => {
            let (whole, fraction) = digits.split_at(point.unsigned_abs() as usize);
            text.extend([whole, ".", fraction]);
        }
        -5..=0 => {
            text.push_str("0.");
            text.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
            text.push_str(digits);
        }
        _ => write_exponent(text, digits, point - 1),
    }
}

fn write_exponent(text: &mut String, digits: &str, exponent: i32) {
    let (first, rest) = digits.split_at(1);
    text.push_str(first);
    if !rest.is_empty() {
        text.extend([".", rest]);
    }
    write!(text, "e{exponent:+}").expect("a string takes any text");
}
