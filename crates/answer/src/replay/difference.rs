//! The first thing that is not as it was recorded.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// What differs, and how.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What it is: a member of the receipt, a token, a place in the answer.
    pub what: String,
    /// What was recorded; nothing where that would be someone's words.
    pub recorded: Value,
    /// What came of it now.
    pub replayed: Value,
}

impl Difference {
    /// One of which only the name is told.
    pub(crate) fn named(what: String) -> Difference {
        Difference { what, recorded: Value::Null, replayed: Value::Null }
    }

    pub(crate) fn of_digests(what: String, recorded: &str, replayed: &str) -> Difference {
        Difference { what, recorded: recorded.into(), replayed: replayed.into() }
    }

    /// The first place at which two values differ, with the way to it.
    pub(crate) fn between(at: &str, recorded: &Value, replayed: &Value) -> Option<Difference> {
        match (recorded, replayed) {
            (one, other) if one == other => None,
            (Value::Object(one), Value::Object(other)) => {
                let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
                let null = &Value::Null;
                names.into_iter().find_map(|name| {
                    let (a, b) = (one.get(name).unwrap_or(null), other.get(name).unwrap_or(null));
                    Difference::between(&format!("{at}.{name}"), a, b)
                })
            }
            (Value::Array(one), Value::Array(other)) => {
                let null = &Value::Null;
                (0..one.len().max(other.len())).find_map(|i| {
                    let (a, b) = (one.get(i).unwrap_or(null), other.get(i).unwrap_or(null));
                    Difference::between(&format!("{at}[{i}]"), a, b)
                })
            }
            _ => Some(Difference {
                what: at.to_owned(),
                recorded: recorded.clone(),
                replayed: replayed.clone(),
            }),
        }
    }

    /// The same without the values, which are someone's words.
    pub(crate) fn without_words(self) -> Difference {
        Difference::named(self.what)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.recorded, &self.replayed) {
            (Value::Null, Value::Null) => f.write_str(&self.what),
            (recorded, replayed) => {
                write!(f, "{}: recorded {recorded}, now {replayed}", self.what)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_by_its_place() {
        let recorded = json!({"a": 1, "b": [{"c": 2}, {"c": 3}], "d": 4});
        let replayed = json!({"a": 1, "b": [{"c": 2}, {"c": 5}], "d": 6});
        let found = Difference::between("facts", &recorded, &replayed).unwrap();
        assert_eq!(found.to_string(), "facts.b[1].c: recorded 3, now 5");
        assert_eq!(Difference::between("facts", &recorded, &recorded), None);
        let longer = json!({"a": 1, "b": [{"c": 2}, {"c": 3}, 7], "d": 4});
        let found = Difference::between("facts", &recorded, &longer).unwrap();
        assert_eq!(found.to_string(), "facts.b[2]: recorded null, now 7");
        assert_eq!(found.without_words().to_string(), "facts.b[2]");
    }
}
