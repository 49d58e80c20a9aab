//! Filters and tests that Jinja has and the engine has not, or has in another way.

use super::bound::Meter;
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, filters};

/// Puts them into `environment`.
pub(super) fn install(environment: &mut Environment, meter: &Meter) {
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    for name in ["length", "count"] {
        environment.add_filter(name, |value: &Value| match value.is_undefined() {
            true => Ok(0),
            false => filters::length(value),
        });
    }
    environment.add_filter("items", |value: Value| match value.is_undefined() {
        true => Ok(Value::from(Vec::<Value>::new())),
        false => filters::items(&value),
    });
    for name in ["e", "escape", "forceescape"] {
        let own = meter.clone();
        environment.add_filter(name, move |value: Value| {
            if value.is_safe() && name != "forceescape" {
                return Ok(value);
            }
            let text = own.text(value)?;
            own.charge(text.len().saturating_mul(5))?;
            Ok::<_, Error>(Value::from_safe_string(escaped(&text)))
        });
    }
    let own = meter.clone();
    environment.add_filter("replace", move |text: Value, rest: Rest<Value>, named: Kwargs| {
        replace(&own, text, &rest, &named)
    });
    let own = meter.clone();
    environment.add_filter(
        "join",
        move |state: &mut State, items: Value, rest: Rest<Value>, named: Kwargs| {
            join(&own, state, items, &rest, &named)
        },
    );
    let own = meter.clone();
    environment.add_filter("indent", move |text: Value, rest: Rest<Value>, named: Kwargs| {
        indent(&own, text, &rest, &named)
    });
    let own = meter.clone();
    environment.add_filter("batch", move |items: Value, count: usize, fill: Option<Value>| {
        batch(&own, items, count, fill)
    });
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.to_string())
}

/// An argument by its place or its name.
fn argument(
    rest: &[Value],
    named: &Kwargs,
    place: usize,
    name: &str,
) -> Result<Option<Value>, Error> {
    let named: Option<Value> = named.get(name)?;
    Ok(named.or_else(|| rest.get(place).cloned()))
}

/// A whole number, or what stands for one where there is none.
fn int(value: Value, rest: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let default = argument(&rest, &named, 0, "default")?.unwrap_or(Value::from(0));
    named.assert_all_used()?;
    let cut = |number: f64| number.is_finite().then(|| Value::from(number.trunc() as i128));
    let found = match (value.kind(), value.as_str().map(str::trim)) {
        (_, Some(text)) => match text.parse::<i64>() {
            Ok(number) => Some(Value::from(number)),
            Err(_) => text.parse().ok().and_then(cut),
        },
        (ValueKind::Bool, _) => Some(Value::from(i64::from(value.is_true()))),
        (ValueKind::Number, _) if value.is_integer() => Some(value),
        (ValueKind::Number, _) => f64::try_from(value).ok().and_then(cut),
        _ => None,
    };
    Ok(found.unwrap_or(default))
}

/// A number with a point, or what stands for one where there is none.
fn float(value: Value, rest: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let default = argument(&rest, &named, 0, "default")?.unwrap_or(Value::from(0.0));
    named.assert_all_used()?;
    let found = match (value.kind(), value.as_str()) {
        (_, Some(text)) => text.trim().parse().ok(),
        (ValueKind::Bool, _) => Some(f64::from(u8::from(value.is_true()))),
        (ValueKind::Number, _) => f64::try_from(value).ok(),
        _ => None,
    };
    Ok(found.map_or(default, |number: f64| Value::from(number)))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '\'' => out += "&#39;",
            '"' => out += "&#34;",
            letter => out.push(letter),
        }
    }
    out
}

fn replace(meter: &Meter, text: Value, rest: &[Value], named: &Kwargs) -> Result<String, Error> {
    let given = |place: usize, name: &str| argument(rest, named, place, name);
    let (Some(old), Some(new)) = (given(0, "old")?, given(1, "new")?) else {
        return Err(wrong("replace: it needs what to replace and by what"));
    };
    let most = given(2, "count")?.filter(|count| !count.is_none());
    named.assert_all_used()?;
    let (text, old, new) = (meter.text(text)?, meter.text(old)?, meter.text(new)?);
    meter.check_replace(&text, &old, &new)?;
    match most.map(i64::try_from).transpose()?.and_then(|most| usize::try_from(most).ok()) {
        Some(most) => Ok(text.replacen(&*old, &new, most)),
        None => Ok(text.replace(&*old, &new)),
    }
}

fn join(
    meter: &Meter,
    state: &mut State,
    items: Value,
    rest: &[Value],
    named: &Kwargs,
) -> Result<Value, Error> {
    let joiner = argument(rest, named, 0, "d")?.unwrap_or_default();
    let attribute = argument(rest, named, 1, "attribute")?.filter(|name| !name.is_none());
    named.assert_all_used()?;
    let items = match attribute {
        Some(path) => {
            let path = path.to_string();
            let walk = |item: Value| {
                path.split('.').try_fold(item, |item, name| match name.parse::<usize>() {
                    Ok(place) => item.get_item(&Value::from(place)),
                    Err(_) => item.get_attr(name),
                })
            };
            items.try_iter()?.map(walk).collect::<Result<Value, Error>>()?
        }
        None => items,
    };
    let joiner = if joiner.is_undefined() { Value::from("") } else { joiner };
    meter.check_join(&items, &joiner.to_string())?;
    Value::from_function(filters::join).call(state, &[items, joiner])
}

/// Puts blanks, or a text, before each line but the first, and those that are empty.
fn indent(meter: &Meter, text: Value, rest: &[Value], named: &Kwargs) -> Result<String, Error> {
    let given = |place: usize, name: &str| argument(rest, named, place, name);
    let (width, first, blank) = (given(0, "width")?, given(1, "first")?, given(2, "blank")?);
    named.assert_all_used()?;
    let holds = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let (first, blank, text) = (holds(first), holds(blank), meter.text(text)?);
    let lines: Vec<&str> =
        text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let width = width.unwrap_or(Value::from(4));
    let count = usize::try_from(width.clone()).unwrap_or(0);
    let bytes = width.as_str().map_or(count, str::len);
    meter.charge(lines.len().saturating_mul(bytes).saturating_add(text.len()))?;
    let before = width.as_str().map_or_else(|| " ".repeat(count), str::to_string);
    let line = |(at, line): (usize, &&str)| match at {
        0 if first => [&before, *line].concat(),
        0 => (*line).to_string(),
        _ if line.is_empty() && !blank => String::new(),
        _ => [&before, *line].concat(),
    };
    Ok(lines.iter().enumerate().map(line).collect::<Vec<String>>().join("\n"))
}

fn batch(meter: &Meter, items: Value, count: usize, fill: Option<Value>) -> Result<Value, Error> {
    if count == 0 {
        return Err(wrong("batch: the count is zero"));
    }
    let items: Vec<Value> = meter.check(items)?.try_iter()?.collect();
    let mut rows: Vec<Vec<Value>> = items.chunks(count).map(<[Value]>::to_vec).collect();
    if let (Some(fill), Some(last)) = (fill.filter(|fill| !fill.is_none()), rows.last_mut()) {
        meter.charge(count.saturating_mul(size_of::<Value>()))?;
        last.resize(count, fill);
    }
    Ok(Value::from(rows))
}
