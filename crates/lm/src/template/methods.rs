//! Methods of Python's texts, lists and dictionaries that the engine does not bring itself.

use super::bound::Meter;
use minijinja::value::{Kwargs, Tuple, Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, filters};

/// What the method gives; none where it is not one of these.
pub(super) fn call(
    meter: &Meter,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Option<Value>, Error> {
    match (value.kind(), value.as_str(), method) {
        (_, Some(_), "split" | "rsplit") => split(value, method, args).map(Some),
        (_, Some(text), _) => match of_text(text, method, args)? {
            None => padded(meter, text, method, args),
            found => Ok(found),
        },
        (ValueKind::Map, _, "copy") => {
            from_args::<()>(args)?;
            meter.check(value.clone()).map(Some)
        }
        // A sum of lists is one that is made as it is read.
        (ValueKind::Seq | ValueKind::Iterable, _, "copy") => {
            from_args::<()>(args)?;
            meter.check(value.clone())?;
            Ok(Some(value.try_iter()?.collect()))
        }
        (ValueKind::Seq | ValueKind::Iterable, _, "index") => {
            let (wanted,): (&Value,) = from_args(args)?;
            let place = value.try_iter()?.position(|item| item == *wanted);
            place.map(|place| Some(place.into())).ok_or_else(|| wrong("index: it is not there"))
        }
        (ValueKind::Iterable, _, "count") => {
            let (wanted,): (&Value,) = from_args(args)?;
            Ok(Some(value.try_iter()?.filter(|item| item == wanted).count().into()))
        }
        _ => Ok(None),
    }
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.to_string())
}

/// `split` and `rsplit`, with separator and number of cuts by place or by name.
fn split(value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator, most, named): (Option<Value>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = separator.or(named.get("sep")?).filter(|separator| !separator.is_none());
    let most = most.or(named.get("maxsplit")?);
    named.assert_all_used()?;
    let text = value.as_str().unwrap_or_default();
    let separator = separator.as_ref().and_then(Value::as_str);
    if separator == Some("") {
        return Err(wrong("split: the separator is empty"));
    }
    let cuts = most.and_then(|most| usize::try_from(most).ok());
    let (true, Some(cuts)) = (method == "rsplit", cuts) else {
        let parts = filters::split(value, separator.map(Into::into), most)?;
        return Ok(parts.try_iter()?.collect());
    };
    let mut parts: Vec<&str> = match separator {
        Some(separator) => text.rsplitn(cuts.saturating_add(1), separator).collect(),
        None => words_from_the_end(text, cuts),
    };
    parts.reverse();
    Ok(parts.into_iter().map(Value::from).collect())
}

/// The last words of a text, and what stands before them; from the end.
fn words_from_the_end(text: &str, cuts: usize) -> Vec<&str> {
    let (mut rest, mut words) = (text.trim_end(), Vec::new());
    while !rest.is_empty() {
        match rest.rfind(char::is_whitespace).filter(|_| words.len() < cuts) {
            Some(at) => {
                let (before, word) = rest.split_at(at);
                words.push(word.trim_start());
                rest = before.trim_end();
            }
            None => {
                words.push(rest);
                rest = "";
            }
        }
    }
    words
}

/// Methods whose result is not longer than the text.
fn of_text(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let one = || from_args::<(&str,)>(args).map(|(text,)| text);
    let parted = |at: Option<usize>, length: usize, found: [usize; 3]| {
        let parts = match at {
            Some(at) => [&text[..at], &text[at..at + length], &text[at + length..]],
            None => found.map(|place| if place == 0 { text } else { "" }),
        };
        Value::from(Tuple::from(parts.map(Value::from)))
    };
    let letters = |at: Option<usize>| match at {
        Some(at) => Ok(Value::from(text[..at].chars().count())),
        None => Err(wrong("index: it is not there")),
    };
    Ok(Some(match method {
        "partition" => parted(text.find(one()?), one()?.len(), [0, 1, 1]),
        "rpartition" => parted(text.rfind(one()?), one()?.len(), [1, 1, 0]),
        "removeprefix" => text.strip_prefix(one()?).unwrap_or(text).into(),
        "removesuffix" => text.strip_suffix(one()?).unwrap_or(text).into(),
        "index" => letters(text.find(one()?))?,
        "rindex" => letters(text.rfind(one()?))?,
        "swapcase" => from_args::<()>(args).map(|()| swapped(text).into())?,
        _ => return Ok(None),
    }))
}

fn swapped(text: &str) -> String {
    let turn = |letter: char| match letter.is_uppercase() {
        true => letter.to_lowercase().collect::<String>(),
        false => letter.to_uppercase().collect(),
    };
    text.chars().map(turn).collect()
}

/// Methods that make a text as wide as is asked.
fn padded(meter: &Meter, text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    if !matches!(method, "ljust" | "rjust" | "center" | "zfill") {
        return Ok(None);
    }
    let (width, fill): (i64, Option<char>) = from_args(args)?;
    let width = usize::try_from(width).unwrap_or(0);
    let missing = width.saturating_sub(text.chars().count());
    let fill = if method == "zfill" { '0' } else { fill.unwrap_or(' ') };
    meter.charge(missing.saturating_mul(fill.len_utf8()).saturating_add(text.len()))?;
    let (sign, text) = match method == "zfill" && text.starts_with(['+', '-']) {
        true => text.split_at(1),
        false => ("", text),
    };
    let left = match method {
        "ljust" => 0,
        "center" => missing / 2 + (missing & width & 1),
        _ => missing,
    };
    let filled = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    Ok(Some([sign, &filled(left), text, &filled(missing - left)].concat().into()))
}
