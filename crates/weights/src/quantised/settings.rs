//! The settings of a quantisation, with errors that name file and key.

use super::unsupported;
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::Path;

/// Settings are a few kilobytes; lists of ignored modules can be longer.
const SETTINGS_BYTES: u64 = 16 << 20;

/// Settings by key.
#[derive(Debug, Clone)]
pub(super) struct Settings<'a> {
    file: &'a Path,
    /// The keys that lead here, for messages.
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Settings<'a> {
    pub fn new(file: &'a Path, path: &str, map: &'a Map<String, Value>) -> Settings<'a> {
        Settings { file, path: path.to_string(), map }
    }

    /// The file they stand in.
    pub fn file(&self) -> &'a Path {
        self.file
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    /// An error about `key`.
    pub fn bad(&self, key: &str, what: &str) -> Error {
        let what = format!("`{}` {what}", self.full(key));
        Error::Unsupported { file: self.file.to_path_buf(), what }
    }

    /// An error about these settings as a whole.
    pub fn whole(&self, what: &str) -> Error {
        let what = format!("`{}` {what}", self.path);
        Error::Unsupported { file: self.file.to_path_buf(), what }
    }

    /// An error about the value of `key`, which is understood but not read.
    pub fn refuse(&self, key: &str, supported: &str) -> Error {
        let value = self.map.get(key).unwrap_or(&Value::Null).to_string();
        let value: String = value.chars().take(100).collect();
        let what = format!("the setting `{}`: {value}", self.full(key));
        unsupported(self.file, &what, supported)
    }

    /// The value of the first of `keys` that is there and not null, with that key.
    fn get<'k>(&self, keys: &[&'k str]) -> Option<(&'k str, &'a Value)> {
        let found = |key: &&'k str| Some((*key, self.map.get(*key)?));
        keys.iter().filter_map(found).find(|(_, value)| !value.is_null())
    }

    /// Refuses any of `keys` that is there and neither null, false, zero nor empty.
    pub fn refuse_any(&self, keys: &[&str], supported: &str) -> Result<()> {
        let set = |key: &&&str| match self.map.get(**key) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
            Some(_) => true,
        };
        keys.iter().find(set).map_or(Ok(()), |key| Err(self.refuse(key, supported)))
    }

    /// The text of the first of `keys` that is there, in lower case.
    pub fn text(&self, keys: &[&str]) -> Result<Option<String>> {
        let Some((key, value)) = self.get(keys) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| self.bad(key, "is not a text"))?;
        Ok(Some(text.to_lowercase()))
    }

    /// The integer of the first of `keys` that is there.
    pub fn integer(&self, keys: &[&str]) -> Result<Option<i64>> {
        let Some((key, value)) = self.get(keys) else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| self.bad(key, "is not an integer"))
    }

    /// The truth value of `key`, if it is there.
    pub fn truth(&self, key: &str) -> Result<Option<bool>> {
        let Some((key, value)) = self.get(&[key]) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.bad(key, "is not true or false"))
    }

    /// The texts of `key`, if it is there.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&'a str>>> {
        let Some((_, value)) = self.get(&[key]) else { return Ok(None) };
        let texts = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
        texts.map(Some).ok_or_else(|| self.bad(key, "is not a list of texts"))
    }

    /// The positive integers of `key`, if it is there.
    pub fn sizes(&self, key: &str) -> Result<Option<Vec<usize>>> {
        let Some((_, value)) = self.get(&[key]) else { return Ok(None) };
        let size = |value: &Value| usize::try_from(value.as_u64()?).ok().filter(|size| *size > 0);
        let sizes = value.as_array().and_then(|list| list.iter().map(size).collect());
        sizes.map(Some).ok_or_else(|| self.bad(key, "is not a list of positive integers"))
    }

    /// The settings under `key`, if it is there.
    pub fn object(&self, key: &str) -> Result<Option<Settings<'a>>> {
        let Some((_, value)) = self.get(&[key]) else { return Ok(None) };
        let map = value.as_object().ok_or_else(|| self.bad(key, "is not an object"))?;
        Ok(Some(Settings { file: self.file, path: self.full(key), map }))
    }

    /// The keys, in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.map.keys().map(String::as_str)
    }
}

/// The method, under either of its names.
pub(super) fn method(map: &Map<String, Value>) -> Option<&str> {
    ["quant_method", "method"].iter().find_map(|key| map.get(*key)?.as_str())
}

/// Reads a JSON object from a file.
pub(super) fn read_object(path: &Path) -> Result<Map<String, Value>> {
    let io = |source| Error::Io { file: path.to_path_buf(), source };
    let length = std::fs::metadata(path).map_err(io)?.len();
    if length > SETTINGS_BYTES {
        let text =
            format!("the file has {length} bytes; {SETTINGS_BYTES} is the most that is read");
        return Err(io(std::io::Error::other(text)));
    }
    serde_json::from_slice(&std::fs::read(path).map_err(io)?).map_err(|error| Error::Malformed {
        file: path.to_path_buf(),
        at: 0,
        what: format!("not a JSON object: {error}"),
    })
}
