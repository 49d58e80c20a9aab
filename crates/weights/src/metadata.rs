//! Typed key-value metadata, as GGUF holds it.

use std::collections::BTreeMap;

/// The width and kind of a number in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum NumberKind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Bool,
}

impl NumberKind {
    /// Bytes that one such number takes.
    pub fn bytes(self) -> usize {
        match self {
            NumberKind::U8 | NumberKind::I8 | NumberKind::Bool => 1,
            NumberKind::U16 | NumberKind::I16 => 2,
            NumberKind::U32 | NumberKind::I32 | NumberKind::F32 => 4,
            NumberKind::U64 | NumberKind::I64 | NumberKind::F64 => 8,
        }
    }

    /// Reads a number from exactly [`NumberKind::bytes`] little-endian bytes.
    pub(crate) fn read(self, bytes: &[u8]) -> Number {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let low = u64::from_le_bytes(wide);
        match self {
            NumberKind::U8 | NumberKind::U16 | NumberKind::U32 | NumberKind::U64 => {
                Number::Unsigned(low)
            }
            NumberKind::I8 => Number::Signed(i64::from(low as u8 as i8)),
            NumberKind::I16 => Number::Signed(i64::from(low as u16 as i16)),
            NumberKind::I32 => Number::Signed(i64::from(low as u32 as i32)),
            NumberKind::I64 => Number::Signed(low as i64),
            NumberKind::F32 => Number::Float(f64::from(f32::from_bits(low as u32))),
            NumberKind::F64 => Number::Float(f64::from_bits(low)),
            NumberKind::Bool => Number::Bool(low != 0),
        }
    }
}

/// A number with its sort.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// From an unsigned integer.
    Unsigned(u64),
    /// From a signed integer.
    Signed(i64),
    /// From a 32- or 64-bit float.
    Float(f64),
    /// From a truth value.
    Bool(bool),
}

impl Number {
    /// The value as an unsigned integer, if it is a non-negative integer.
    pub fn as_u64(self) -> Option<u64> {
        match self {
            Number::Unsigned(value) => Some(value),
            Number::Signed(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// The value as a float, if it is a number.
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Number::Unsigned(value) => Some(value as f64),
            Number::Signed(value) => Some(value as f64),
            Number::Float(value) => Some(value),
            Number::Bool(_) => None,
        }
    }
}

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number or truth value.
    Number(Number),
    /// UTF-8 text.
    Text(String),
    /// A list.
    Array(Array),
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Number(Number::Unsigned(u64::from(value)))
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Value {
        Value::Number(Number::Float(f64::from(value)))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Number(Number::Bool(value))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_string())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Value {
        Value::Array(Array::Texts(texts))
    }
}

impl From<Vec<f32>> for Value {
    fn from(values: Vec<f32>) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Value::Array(Array::Numbers(NumberKind::F32, bytes))
    }
}

impl From<Vec<i32>> for Value {
    fn from(values: Vec<i32>) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Value::Array(Array::Numbers(NumberKind::I32, bytes))
    }
}

impl From<Vec<u8>> for Value {
    fn from(values: Vec<u8>) -> Value {
        Value::Array(Array::Numbers(NumberKind::U8, values))
    }
}

impl From<Vec<bool>> for Value {
    fn from(values: Vec<bool>) -> Value {
        let bytes = values.into_iter().map(u8::from).collect();
        Value::Array(Array::Numbers(NumberKind::Bool, bytes))
    }
}

/// A list of values of one type. Numbers stay as the file holds them, so that a list takes no
/// more memory than its file.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Numbers, little endian, back to back.
    Numbers(NumberKind, Vec<u8>),
    /// Texts.
    Texts(Vec<String>),
    /// Lists of lists.
    Nested(Vec<Array>),
}

impl Array {
    /// The list's numbers; none for other lists.
    pub fn numbers(&self) -> impl Iterator<Item = Number> + '_ {
        let (kind, bytes) = match self {
            Array::Numbers(kind, bytes) => (*kind, bytes.as_slice()),
            _ => (NumberKind::U8, [].as_slice()),
        };
        bytes.chunks_exact(kind.bytes()).map(move |bytes| kind.read(bytes))
    }

    /// How many values the list has.
    pub fn len(&self) -> usize {
        match self {
            Array::Numbers(kind, bytes) => bytes.len() / kind.bytes(),
            Array::Texts(texts) => texts.len(),
            Array::Nested(lists) => lists.len(),
        }
    }

    /// Whether the list has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The metadata of a file by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata(pub(crate) BTreeMap<String, Value>);

impl Metadata {
    /// Adds a value, or puts it in the place of the one that `key` has.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(key.into(), value.into());
    }

    /// Takes a value away, if there is one.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The text of `key`, if it is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of `key`, if it is one.
    pub fn number(&self, key: &str) -> Option<Number> {
        match self.get(key)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value of `key`, if it is one.
    pub fn truth(&self, key: &str) -> Option<bool> {
        match self.number(key)? {
            Number::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The list of `key`, if it is one.
    pub fn array(&self, key: &str) -> Option<&Array> {
        match self.get(key)? {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The texts of `key`, if it is a list of texts.
    pub fn texts(&self, key: &str) -> Option<&[String]> {
        match self.array(key)? {
            Array::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// All keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}
