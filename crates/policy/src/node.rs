//! The policy file as a tree whose every value knows its place.
//!
//! The typed reader stops at the first mistake; a tree lets us find them all.

use crate::mistake::Mistake;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Location, MergeKeyPolicy, NonFiniteFloatPolicy, Spanned};
use std::fmt;

/// Longest policy file in bytes; a long one has some ten thousand.
const BYTES_MAX: usize = 256 * 1024;
const DEPTH_MAX: usize = 16;
const NODES_MAX: usize = 20_000;

/// Where something stands, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    pub(crate) const START: Place = Place { line: 1, column: 1 };

    fn of(location: Location) -> Place {
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX).max(1);
        Place { line: number(location.line()), column: number(location.column()) }
    }
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// A key, its place and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Nothing,
    Truth(bool),
    Whole(i128),
    Decimal(f64),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

impl Value {
    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Nothing => "nothing",
            Value::Truth(_) => "true or false",
            Value::Whole(_) => "a whole number",
            Value::Decimal(_) => "a decimal number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Table(_) => "a group of keys",
        }
    }
}

/// Reads the tree. A mistake in the YAML itself ends the reading, so there is only one.
pub(crate) fn parse(text: &str) -> Result<Node, Mistake> {
    if text.len() > BYTES_MAX {
        let message = format!("the file has {} bytes", text.len());
        return Err(at(Place::START, message, format!("a policy has at most {BYTES_MAX}")));
    }
    serde_saphyr::from_str_with_options::<Spanned<Value>>(text, options())
        .map(Node::from)
        .map_err(|error| explain(&error))
}

/// No anchors, aliases or merge keys: a policy says in each place what it means, and nothing can
/// blow up.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_anchors: 0,
            max_aliases: 0,
            max_merge_keys: 0,
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 4 * NODES_MAX,
            max_documents: 1,
            max_total_scalar_bytes: BYTES_MAX,
        },
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn explain(error: &serde_saphyr::Error) -> Mistake {
    let error = error.without_snippet();
    let place = error.location().map_or(Place::START, Place::of);
    let (message, hint) = match error {
        serde_saphyr::Error::DuplicateMappingKey { key, .. } => (
            match key {
                Some(key) => format!("the key `{}` stands here a second time", clipped(key)),
                None => "a key stands here a second time".to_owned(),
            },
            "keep one of them",
        ),
        serde_saphyr::Error::Budget { breach, .. } => excess(breach),
        other => (
            format!("this is not valid YAML: {}", plain(other)),
            "check indentation, colons and quotation marks near this place",
        ),
    };
    at(place, message, hint.to_owned())
}

/// What the file has too much of.
fn excess(breach: &BudgetBreach) -> (String, &'static str) {
    match breach {
        BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => (
            "the file uses an anchor (`&`) or an alias (`*`)".to_owned(),
            "write every value out where it belongs; put text that begins so in quotation marks",
        ),
        BudgetBreach::Depth { .. } => (
            format!("the file is nested more than {DEPTH_MAX} levels deep"),
            "docs/policy.md shows which keys stand where",
        ),
        BudgetBreach::Documents { .. } => (
            "a second document begins here".to_owned(),
            "a policy is one document: remove what follows `---`",
        ),
        _ => (
            "the file holds more than any policy needs".to_owned(),
            "docs/policy.md shows what a policy says",
        ),
    }
}

/// The beginning of a text that may be long.
pub(crate) fn clipped(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The first line of an error's text, without the place, which we show ourselves.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let line = line
        .split_once(": ")
        .filter(|(head, _)| head.starts_with("line "))
        .map_or(line, |(_, tail)| tail);
    line.split(" at line ").next().unwrap_or(line).to_owned()
}

pub(crate) fn at(place: Place, message: String, hint: String) -> Mistake {
    Mistake { line: place.line, column: place.column, message, hint }
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Node {
        Node { place: Place::of(spanned.referenced), value: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Truth(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Whole(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        // No setting is near either bound.
        Ok(Value::Whole(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Decimal(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Value>>()? {
            list.push(item.into());
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut table = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value::<Spanned<Value>>()?;
            table.push(Entry {
                place: Place::of(key.referenced),
                key: key.value,
                node: value.into(),
            });
        }
        Ok(Value::Table(table))
    }
}
