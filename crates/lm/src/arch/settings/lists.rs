//! Settings that are lists.

use super::{Settings, Source};
use crate::error::Result;
use allod_weights::Number;

impl<'a> Settings<'a> {
    /// The truth values of `key`, if it is a list of them.
    pub fn truths_if_any(&self, key: &str) -> Result<Option<Vec<bool>>> {
        let Source::Gguf(metadata) = self.source else { return Ok(None) };
        let Some(list) = metadata.array(key) else { return Ok(None) };
        let truth = |number| match number {
            Number::Bool(value) => Some(value),
            other => other.as_u64().map(|value| value != 0),
        };
        let truths: Option<Vec<bool>> = list.numbers().map(truth).collect();
        let truths = truths.filter(|truths| truths.len() == list.len());
        truths.map(Some).ok_or_else(|| self.bad(key, "is not a list of truth values"))
    }

    /// The numbers of `key`, if it is there: a list, or one number as a list of one.
    pub fn floats_if_any(&self, key: &str) -> Result<Option<Vec<f64>>> {
        let floats = match self.source {
            _ if !self.has(key) => return Ok(None),
            Source::Json(map) => match &map[key] {
                serde_json::Value::Array(list) => list.iter().map(|value| value.as_f64()).collect(),
                value => value.as_f64().map(|value| vec![value]),
            },
            Source::Gguf(metadata) => match metadata.array(key) {
                Some(list) if list.numbers().count() < list.len() => None,
                Some(list) => list.numbers().map(|number| number.as_f64()).collect(),
                None => metadata.number(key).and_then(|n| n.as_f64()).map(|value| vec![value]),
            },
        };
        floats.map(Some).ok_or_else(|| self.bad(key, "is not a list of numbers"))
    }

    /// The numbers of `key`, in single precision.
    pub fn singles(&self, key: &str) -> Result<Vec<f32>> {
        let floats = self.floats_if_any(key)?.ok_or_else(|| self.bad(key, "is missing"))?;
        Ok(floats.into_iter().map(|value| value as f32).collect())
    }

    /// The texts of `key`, if it is there.
    pub fn texts_if_any(&self, key: &str) -> Result<Option<Vec<&'a str>>> {
        let texts: Option<Vec<&str>> = match self.source {
            _ if !self.has(key) => return Ok(None),
            Source::Json(map) => map[key]
                .as_array()
                .and_then(|list| list.iter().map(|value| value.as_str()).collect()),
            Source::Gguf(metadata) => {
                metadata.texts(key).map(|texts| texts.iter().map(String::as_str).collect())
            }
        };
        texts.map(Some).ok_or_else(|| self.bad(key, "is not a list of texts"))
    }
}
