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
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else { return false };
    read_as_doubles(&mut value);
    to_vec(&value).is_ok_and(|canonical| canonical == bytes)
}

/// Turns integers beyond ±(2^53 − 1) into the doubles that RFC 8785 reads them as.
fn read_as_doubles(value: &mut Value) {
    match value {
        Value::Number(number) if to_vec(&Value::Number(number.clone())).is_err() => {
            if let Some(double) = number.as_f64().and_then(Number::from_f64) {
                *number = double;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(read_as_doubles),
        Value::Object(members) => members.values_mut().for_each(read_as_doubles),
        _ => {}
    }
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
    let (digits, exponent) = shortest_digits(double.abs());
    lay_out(text, &digits, exponent + 1);
}

/// The fewest digits that read back as the same double, and the exponent of the first. Where two
/// such numbers are equally near, the even one, as ECMAScript asks and Rust does not.
fn shortest_digits(double: f64) -> (String, i32) {
    let (digits, exponent) = scientific(&format!("{double:e}"));
    let count = digits.len();
    if scientific(&format!("{double:.count$e}")).0.ends_with('5') {
        // No double has more than 767 digits, so these are all there are.
        let all = scientific(&format!("{double:.800e}")).0;
        let (lower, rest) = all.split_at(count);
        let halfway = rest.trim_end_matches('0') == "5";
        let even = lower.bytes().last().is_some_and(|digit| digit % 2 == 0);
        if halfway && even && reads_back(lower, exponent, double) {
            return (lower.to_owned(), exponent);
        }
    }
    (digits, exponent)
}

/// Takes `d.ddde-x` apart.
fn scientific(text: &str) -> (String, i32) {
    let (mantissa, exponent) = text.split_once('e').expect("`{:e}` writes an exponent");
    let digits = mantissa.chars().filter(|&character| character != '.').collect();
    (digits, exponent.parse().expect("`{:e}` writes a decimal exponent"))
}

fn reads_back(digits: &str, exponent: i32, double: f64) -> bool {
    let (first, rest) = digits.split_at(1);
    format!("{first}.{rest}e{exponent}").parse() == Ok(double)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn double(bits: u64) -> String {
        let mut text = String::new();
        write_double(&mut text, f64::from_bits(bits));
        text
    }

    /// RFC 8785, appendix B.
    #[test]
    fn numbers_of_the_rfc() {
        for (bits, text) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(double(bits), text);
        }
    }

    /// RFC 8785, section 3.2.2 and 3.2.4.
    #[test]
    fn the_sample_object_of_the_rfc() {
        let input = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let expected = concat!(
            r#"{"literals":[null,true,false],"#,
            r#""numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
            r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        let value: Value = serde_json::from_str(input).unwrap();
        assert_eq!(String::from_utf8(to_vec(&value).unwrap()).unwrap(), expected);
        assert!(is_canonical(expected.as_bytes()));
        assert!(!is_canonical(input.as_bytes()));
    }

    /// RFC 8785, section 3.2.3: by UTF-16 code units, so the emoji comes before U+FB33.
    #[test]
    fn the_order_of_names_of_the_rfc() {
        let input = r#"{"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6,
            "\u00f6": 7}"#;
        let value: Value = serde_json::from_str(input).unwrap();
        let text = String::from_utf8(to_vec(&value).unwrap()).unwrap();
        let order: Vec<u64> = text
            .split([':', ','])
            .filter_map(|part| part.trim_end_matches('}').parse().ok())
            .collect();
        assert_eq!(order, [2, 4, 6, 7, 1, 5, 3]);
    }

    #[test]
    fn integers_that_a_double_cannot_hold_are_refused() {
        let largest = INTEGER_MAX as i64;
        for integer in [largest, -largest, 0, 17] {
            assert_eq!(to_vec(&integer.into()).unwrap(), integer.to_string().as_bytes());
        }
        assert!(to_vec(&(largest + 1).into()).is_err());
        assert!(to_vec(&(-largest - 1).into()).is_err());
        assert!(to_vec(&u64::MAX.into()).is_err());
    }

    #[test]
    fn other_writings_are_not_canonical() {
        for text in [
            "{\"a\":1,\"a\":1}",
            "{\"b\":1,\"a\":1}",
            "{ }",
            "[1 ]",
            "1.0",
            "1e0",
            "-0",
            "01",
            "\"\\u0041\"",
            "\"\\/\"",
            "[1]\n",
            "",
            "{",
            "\"\\u000A\"",
            "1.50",
            "0.10",
            "9007199254740993",
        ] {
            assert!(!is_canonical(text.as_bytes()), "{text}");
        }
        for text in ["{}", "[]", "null", "-1.5", "\"ö\"", "{\"a\":{\"b\":[]}}", "1e+21"] {
            assert!(is_canonical(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn doubles_read_back(bits: u64) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let text = double(bits);
            prop_assert_eq!(text.parse::<f64>().unwrap(), number);
            prop_assert!(is_canonical(text.as_bytes()), "{}", text);
        }

        #[test]
        fn strings_read_back(string: String) {
            let bytes = to_vec(&Value::from(string.clone())).unwrap();
            prop_assert_eq!(serde_json::from_slice::<String>(&bytes).unwrap(), string);
            prop_assert!(is_canonical(&bytes));
        }
    }
}
