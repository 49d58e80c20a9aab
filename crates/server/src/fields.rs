//! The fields of a request: each is honoured or refused by its name, never ignored.

use serde_json::{Map, Value};

use crate::problem::Problem;

/// The fields of a request; one that is null is not there.
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// Refuses every field that is neither `honoured` nor asks, as `harmless` sees it, for what
    /// happens anyway. A null asks for nothing.
    pub(crate) fn only(
        &self,
        honoured: &[&str],
        harmless: impl Fn(&str, &Value) -> bool,
    ) -> Result<(), Problem> {
        let taken = |name: &str, value: &Value| {
            value.is_null() || honoured.contains(&name) || harmless(name, value)
        };
        match self.0.iter().find(|(name, value)| !taken(name, value)) {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().take(60).collect();
                let message =
                    format!("`{shown}` is not supported here with this value; leave it out");
                Err(Problem::field(shown, message))
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn required_text(&self, name: &str) -> Result<String, Problem> {
        let text = self.get(name).and_then(Value::as_str);
        let wrong = || Problem::field(name, format!("`{name}` must be a text"));
        text.map(str::to_owned).ok_or_else(wrong)
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<bool, Problem> {
        let Some(value) = self.get(name) else { return Ok(false) };
        let wrong = || Problem::field(name, format!("`{name}` must be true or false"));
        value.as_bool().ok_or_else(wrong)
    }

    pub(crate) fn number(&self, name: &str, least: f64, most: f64) -> Result<Option<f64>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_f64().filter(|number| (least..=most).contains(number));
        let bounds = if least == f64::MIN_POSITIVE { "above 0".into() } else { format!("{least}") };
        let wrong = || format!("`{name}` must be a number from {bounds} to {most}");
        number.map(Some).ok_or_else(|| Problem::field(name, wrong()))
    }

    pub(crate) fn whole(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        let wrong = || match most {
            u64::MAX => format!("`{name}` must be an integer of {least} or more"),
            most if most == least => format!("`{name}` must be {least}"),
            _ => format!("`{name}` must be an integer from {least} to {most}"),
        };
        number.map(Some).ok_or_else(|| Problem::field(name, wrong()))
    }

    /// A text, if it is there.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let wrong = || Problem::field(name, format!("`{name}` must be a text"));
        value.as_str().map(|text| Some(text.to_owned())).ok_or_else(wrong)
    }

    /// A text or up to `most`, none of them empty.
    pub(crate) fn stops(&self, name: &str, most: usize) -> Result<Vec<String>, Problem> {
        let wrong = || {
            let message = format!("`{name}` must be a text or up to {most}, none empty");
            Problem::field(name, message)
        };
        let texts = match self.get(name) {
            None => Some(Vec::new()),
            Some(Value::String(text)) => Some(vec![text.clone()]),
            Some(value) => texts(value),
        };
        let fits =
            |texts: &Vec<String>| texts.len() <= most && texts.iter().all(|text| !text.is_empty());
        texts.filter(fits).ok_or_else(wrong)
    }

    /// A number of tokens, one or more.
    pub(crate) fn tokens(&self, name: &str, least: u64) -> Result<Option<usize>, Problem> {
        let tokens = self.whole(name, least, u64::MAX)?;
        Ok(tokens.map(|tokens| usize::try_from(tokens).unwrap_or(usize::MAX)))
    }
}

/// A list of texts.
pub(crate) fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}
