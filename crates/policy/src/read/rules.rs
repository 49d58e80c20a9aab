//! The policy's own rules.

use super::reader::{Field, Reader, Section};
use super::{CONDITION, RULE};
use crate::choice::choice;
use crate::classify::phrase;
use crate::node::{Node, Place, Value};
use crate::rule::{Condition, Consequence, Rule};
use std::collections::BTreeSet;

const RULES_MAX: usize = 200;
const WORDS_MAX: usize = 200;

choice! {
    /// Languages that can be told apart.
    Tongue {
        /// German.
        De => "de",
        /// French.
        Fr => "fr",
        /// Italian.
        It => "it",
        /// Romansh.
        Rm => "rm",
        /// English.
        En => "en",
        /// Any other.
        Other => "und",
    }
}

pub(super) fn read(reader: &mut Reader, root: &Section<'_>) -> Vec<Rule> {
    let Some(field) = root.field("rules") else {
        return Vec::new();
    };
    let Value::List(list) = &field.node.value else {
        let hint = "write a list whose items have the keys id, when, then, because";
        reader.reject(&field, format!("must be a list, but is {}", field.node.value.kind()), hint);
        return Vec::new();
    };
    if list.len() > RULES_MAX {
        let hint = format!("a policy has at most {RULES_MAX}");
        reader.reject(&field, format!("has {} rules", list.len()), hint);
        return Vec::new();
    }
    let mut ids = BTreeSet::new();
    list.iter()
        .enumerate()
        .filter_map(|(index, node)| rule(reader, &mut ids, index, node))
        .collect()
}

fn rule(
    reader: &mut Reader,
    ids: &mut BTreeSet<String>,
    index: usize,
    node: &Node,
) -> Option<Rule> {
    let field = Field { path: format!("rules[{index}]"), place: node.place, node };
    let section = reader.group(&field, RULE)?;
    for key in RULE.iter().filter(|key| section.field(key).is_none()) {
        let hint = format!("every rule has the keys {}", RULE.join(", "));
        reader.reject(&field, format!("has no `{key}`"), hint);
    }
    let id = reader.word(&section, "id");
    if let (Some(id), Some(field)) = (&id, section.field("id"))
        && !ids.insert(id.clone())
    {
        let problem = format!("is `{id}`, which an earlier rule has too");
        reader.reject(&field, problem, "give each rule an id of its own");
    }
    let when = section.field("when").and_then(|field| condition(reader, &field));
    let then = reader.choice::<Consequence>(&section, "then");
    let because = reader.text(&section, "because");
    Some(Rule { id: id?, when: when?, then: then?, because: because? })
}

fn condition(reader: &mut Reader, field: &Field<'_>) -> Option<Condition> {
    let section = reader.group(field, CONDITION)?;
    let languages = reader.choices::<Tongue>(&section, "language");
    let condition = Condition {
        language: languages.iter().map(|tongue| tongue.word().to_owned()).collect(),
        contains_any: phrases(reader, &section),
        label: plain(reader.texts(&section, "label")),
        signal: reader.choices(&section, "signal"),
    };
    let empty = |key: &&&str| {
        let field = section.field(key);
        field.is_none_or(|field| matches!(&field.node.value, Value::List(list) if list.is_empty()))
    };
    if CONDITION.iter().filter(empty).count() == CONDITION.len() {
        let hint = format!("give at least one of {}", CONDITION.join(", "));
        reader.reject(field, "has no condition, so the rule would always fire".to_owned(), hint);
        return None;
    }
    Some(condition)
}

fn plain(texts: Vec<(Place, String)>) -> Vec<String> {
    texts.into_iter().map(|(_, text)| text).collect()
}

/// The words to look for; each must hold a letter or digit, or it could never be found.
fn phrases(reader: &mut Reader, section: &Section<'_>) -> Vec<String> {
    let texts = reader.texts(section, "contains_any");
    let Some(field) = section.field("contains_any") else {
        return Vec::new();
    };
    if texts.len() > WORDS_MAX {
        let hint = format!("a rule has at most {WORDS_MAX}; write two rules");
        reader.reject(&field, format!("has {} entries", texts.len()), hint);
    }
    for (place, text) in texts.iter().filter(|(_, text)| phrase(text).is_none()) {
        let message = format!("`{}` has `{text}`, which can never be found", field.path);
        reader.note(*place, message, "write words; only the last sign of a word may be `*`");
    }
    plain(texts)
}
