//! Grammars that were compiled lately: most requests of a house come with one of a few schemas.

use crate::grammar::{Constraint, Guide};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Guides that are kept, each at the beginning of a text.
const KEPT_MAX: usize = 64;
/// What is longer is compiled every time.
const KEY_BYTES_MAX: usize = 64 << 10;

/// Guides by what they keep to.
#[derive(Default)]
pub(crate) struct Compiled {
    guides: HashMap<String, Kept>,
    clock: u64,
}

struct Kept {
    guide: Guide,
    used: u64,
}

impl Compiled {
    /// The guide that is known under a key.
    pub fn find(&mut self, key: &str) -> Option<Guide> {
        let kept = self.guides.get_mut(key)?;
        self.clock += 1;
        kept.used = self.clock;
        Some(kept.guide.clone())
    }

    /// Keeps a guide; the one that was not used for longest makes room for it.
    pub fn keep(&mut self, key: String, guide: &Guide) {
        if key.len() > KEY_BYTES_MAX {
            return;
        }
        if self.guides.len() >= KEPT_MAX && !self.guides.contains_key(&key) {
            let oldest = self.guides.iter().min_by_key(|(_, kept)| kept.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.guides.remove(&oldest);
            }
        }
        self.clock += 1;
        self.guides.insert(key, Kept { guide: guide.clone(), used: self.clock });
    }
}

/// What tells a constraint from all others: a schema without its blanks, but with the order of its
/// members, which is that of the text.
pub(crate) fn key(constraint: &Constraint) -> String {
    described(constraint).to_string()
}

fn described(constraint: &Constraint) -> Value {
    match constraint {
        Constraint::JsonSchema(schema) => json!(["schema", schema]),
        Constraint::Regex(expression) => json!(["regex", expression]),
        Constraint::Lark(grammar) => json!(["lark", grammar]),
        Constraint::Parts { whole, parts } => {
            let parts = parts.iter().map(|(name, part)| json!([name, described(part)]));
            json!(["parts", whole, parts.collect::<Vec<Value>>()])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_constraints_apart_and_pass_over_blanks() {
        let schema = |text: &str| Constraint::JsonSchema(serde_json::from_str(text).unwrap());
        let one = schema(r#"{"type": "object", "properties": {"a": {}, "b": {}}}"#);
        assert_eq!(key(&one), key(&schema(r#"{"type":"object","properties":{"a":{},"b":{}}}"#)));
        let other = schema(r#"{"type": "object", "properties": {"b": {}, "a": {}}}"#);
        let part = |part: &Constraint| Constraint::Parts {
            whole: "start: @a".to_string(),
            parts: vec![("a".to_string(), part.clone())],
        };
        let all = [
            key(&one),
            key(&other),
            key(&Constraint::Regex("a".into())),
            key(&Constraint::Lark("a".into())),
            key(&part(&one)),
            key(&part(&other)),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{one}");
        }
    }
}
