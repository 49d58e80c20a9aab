//! The settings of a checkpoint, whichever file they stand in.

mod lists;

use crate::error::{Error, Result};
use allod_weights::{Metadata, Value};
use serde_json::Map;
use std::path::Path;

/// Where settings stand.
#[derive(Clone, Copy)]
enum Source<'a> {
    Json(&'a Map<String, serde_json::Value>),
    Gguf(&'a Metadata),
}

/// Settings by key, with errors that name file and key.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    file: &'a Path,
    source: Source<'a>,
}

impl<'a> Settings<'a> {
    /// From a JSON object.
    pub fn json(file: &'a Path, map: &'a Map<String, serde_json::Value>) -> Settings<'a> {
        Settings { file, source: Source::Json(map) }
    }

    /// From GGUF metadata.
    pub fn gguf(file: &'a Path, metadata: &'a Metadata) -> Settings<'a> {
        Settings { file, source: Source::Gguf(metadata) }
    }

    /// The file they stand in.
    pub fn file(&self) -> &'a Path {
        self.file
    }

    /// An error about `key`.
    pub fn bad(&self, key: &str, what: impl Into<String>) -> Error {
        Error::Setting { file: self.file.to_path_buf(), key: key.to_string(), what: what.into() }
    }

    /// An error about a value that is understood but not computed.
    pub fn unsupported(&self, what: impl Into<String>, supported: &str) -> Error {
        let (what, supported) = (what.into(), supported.to_string());
        Error::Unsupported { file: self.file.to_path_buf(), what, supported }
    }

    /// Whether `key` is there and not null.
    pub fn has(&self, key: &str) -> bool {
        match self.source {
            Source::Json(map) => map.get(key).is_some_and(|value| !value.is_null()),
            Source::Gguf(metadata) => metadata.get(key).is_some(),
        }
    }

    /// The settings under `key`, if that is an object.
    pub fn object(&self, key: &str) -> Result<Option<Settings<'a>>> {
        match self.source {
            Source::Json(map) if self.has(key) => match map[key].as_object() {
                Some(map) => Ok(Some(Settings::json(self.file, map))),
                None => Err(self.bad(key, "is not an object")),
            },
            _ => Ok(None),
        }
    }

    /// The text of `key`.
    pub fn text(&self, key: &str) -> Result<&'a str> {
        self.text_if_any(key)?.ok_or_else(|| self.bad(key, "is missing"))
    }

    /// The text of `key`, if it is there.
    pub fn text_if_any(&self, key: &str) -> Result<Option<&'a str>> {
        let text = match self.source {
            _ if !self.has(key) => return Ok(None),
            Source::Json(map) => map.get(key).and_then(|value| value.as_str()),
            Source::Gguf(metadata) => metadata.text(key),
        };
        text.map(Some).ok_or_else(|| self.bad(key, "is not a text"))
    }

    /// The non-negative integer of `key`.
    pub fn size(&self, key: &str) -> Result<usize> {
        self.size_if_any(key)?.ok_or_else(|| self.bad(key, "is missing"))
    }

    /// The non-negative integer of `key`, if it is there.
    pub fn size_if_any(&self, key: &str) -> Result<Option<usize>> {
        let number = match self.source {
            _ if !self.has(key) => return Ok(None),
            Source::Json(map) => map.get(key).and_then(|value| value.as_u64()),
            Source::Gguf(metadata) => metadata.number(key).and_then(|number| number.as_u64()),
        };
        let size = number.and_then(|number| usize::try_from(number).ok());
        size.map(Some).ok_or_else(|| self.bad(key, "is not a non-negative integer"))
    }

    /// The number of `key`.
    pub fn float(&self, key: &str) -> Result<f64> {
        self.float_if_any(key)?.ok_or_else(|| self.bad(key, "is missing"))
    }

    /// The number of `key`, if it is there.
    pub fn float_if_any(&self, key: &str) -> Result<Option<f64>> {
        let number = match self.source {
            _ if !self.has(key) => return Ok(None),
            Source::Json(map) => map.get(key).and_then(|value| value.as_f64()),
            Source::Gguf(metadata) => metadata.number(key).and_then(|number| number.as_f64()),
        };
        number.map(Some).ok_or_else(|| self.bad(key, "is not a number"))
    }

    /// The truth value of `key`; false when it is not there.
    pub fn truth(&self, key: &str) -> Result<bool> {
        Ok(self.truth_if_any(key)?.unwrap_or(false))
    }

    /// The truth value of `key`, if it is there.
    pub fn truth_if_any(&self, key: &str) -> Result<Option<bool>> {
        let truth = match self.source {
            _ if !self.has(key) => return Ok(None),
            Source::Json(map) => map.get(key).and_then(|value| value.as_bool()),
            Source::Gguf(metadata) => metadata.truth(key),
        };
        truth.map(Some).ok_or_else(|| self.bad(key, "is not true or false"))
    }

    /// Refuses settings that would change the result if they were passed over: any of `keys` that
    /// is there and neither null, false, zero nor empty.
    pub fn refuse<K: AsRef<str>>(
        &self,
        keys: impl IntoIterator<Item = K>,
        supported: &str,
    ) -> Result<()> {
        match keys.into_iter().map(|key| key.as_ref().to_string()).find(|key| self.is_set(key)) {
            Some(key) => Err(self.unsupported(format!("the setting `{key}`"), supported)),
            None => Ok(()),
        }
    }

    fn is_set(&self, key: &str) -> bool {
        match self.source {
            Source::Json(map) => map.get(key).is_some_and(|value| match value {
                serde_json::Value::Null | serde_json::Value::Bool(false) => false,
                serde_json::Value::Number(number) => number.as_f64() != Some(0.0),
                serde_json::Value::Array(list) => !list.is_empty(),
                serde_json::Value::Object(map) => !map.is_empty(),
                _ => true,
            }),
            Source::Gguf(metadata) => metadata.get(key).is_some_and(|value| match value {
                Value::Number(number) => number.as_f64() != Some(0.0),
                _ => true,
            }),
        }
    }
}
