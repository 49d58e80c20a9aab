//! Typed looks at the tree. Each notes what is wrong and goes on.

use super::SECTIONS;
use super::near::nearest;
use crate::choice::Choice;
use crate::mistake::{Mistake, Mistakes};
use crate::node::{Entry, Node, Place, Value, at, clipped};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

const TEXT_CHARS_MAX: usize = 500;
const MISTAKES_MAX: usize = 100;

/// A group of keys.
pub(super) struct Section<'n> {
    path: String,
    entries: &'n [Entry],
}

/// A key with its value.
pub(super) struct Field<'n> {
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) node: &'n Node,
}

impl<'n> Section<'n> {
    pub(super) const EMPTY: Section<'static> = Section { path: String::new(), entries: &[] };

    pub(super) fn field(&self, key: &str) -> Option<Field<'n>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(Field { path: join(&self.path, key), place: entry.place, node: &entry.node })
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Collects mistakes.
#[derive(Default)]
pub(super) struct Reader {
    mistakes: Vec<Mistake>,
    /// Paths whose value could not be read, so that nothing is concluded from their defaults.
    unsound: BTreeSet<String>,
}

impl Reader {
    /// The result, or all mistakes in the order of the file.
    pub(super) fn finish<T>(mut self, value: T) -> Result<T, Mistakes> {
        if self.mistakes.is_empty() {
            return Ok(value);
        }
        self.mistakes.sort();
        self.mistakes.truncate(MISTAKES_MAX);
        Err(Mistakes(self.mistakes))
    }

    /// Notes a mistake at a place.
    pub(super) fn note(&mut self, place: Place, message: String, hint: impl Into<String>) {
        self.mistakes.push(at(place, message, hint.into()));
    }

    /// Notes that a field's value will not do: "`path` …".
    pub(super) fn reject(&mut self, field: &Field<'_>, problem: String, hint: impl Into<String>) {
        // A missing value has no place of its own; its key has.
        let place = match field.node.value {
            Value::Nothing => field.place,
            _ => field.node.place,
        };
        self.reject_at(place, &field.path, problem, hint);
    }

    fn reject_at(&mut self, place: Place, path: &str, problem: String, hint: impl Into<String>) {
        self.note(place, format!("`{path}` {problem}"), hint);
        self.unsound.insert(path.to_owned());
    }

    /// Whether all these paths and what is under them were read without a mistake.
    pub(super) fn sound(&self, paths: &[&str]) -> bool {
        !self
            .unsound
            .iter()
            .any(|bad| paths.iter().any(|path| bad == path || bad.starts_with(&format!("{path}."))))
    }

    /// The whole file as a section.
    pub(super) fn root<'n>(&mut self, node: &'n Node, keys: &[&'static str]) -> Section<'n> {
        let see = "docs/policy.md has examples";
        match &node.value {
            Value::Table(entries) => return self.checked(String::new(), entries, keys),
            Value::Nothing => {
                let hint = format!("write at least a line like `name: town hall`; {see}");
                self.note(Place::START, "the file says nothing".to_owned(), hint);
            }
            other => {
                let message = format!("the file is {}, not a group of keys", other.kind());
                let hint = format!("write lines like `name: town hall`; {see}");
                self.note(node.place, message, hint);
            }
        }
        Section::EMPTY
    }

    /// The section at `key`, empty if it is not there.
    pub(super) fn section<'n>(
        &mut self,
        parent: &Section<'n>,
        key: &str,
        keys: &[&'static str],
    ) -> Section<'n> {
        self.child(parent, key, keys).unwrap_or(Section::EMPTY)
    }

    /// The section at `key`, if it is there.
    pub(super) fn child<'n>(
        &mut self,
        parent: &Section<'n>,
        key: &str,
        keys: &[&'static str],
    ) -> Option<Section<'n>> {
        let field = parent.field(key)?;
        self.group(&field, keys)
    }

    /// The field's value as a section.
    pub(super) fn group<'n>(
        &mut self,
        field: &Field<'n>,
        keys: &[&'static str],
    ) -> Option<Section<'n>> {
        match &field.node.value {
            Value::Table(entries) => Some(self.checked(field.path.clone(), entries, keys)),
            _ => {
                let hint = format!("indent keys under it: {}", keys.join(", "));
                self.wrong_kind(field, "a group of keys", &hint);
                None
            }
        }
    }

    fn checked<'n>(
        &mut self,
        path: String,
        entries: &'n [Entry],
        keys: &[&'static str],
    ) -> Section<'n> {
        for entry in entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            self.unknown_key(&path, entry, keys);
        }
        Section { path, entries }
    }

    fn unknown_key(&mut self, path: &str, entry: &Entry, keys: &[&'static str]) {
        let meant = nearest(&entry.key, keys.iter().copied());
        if let Some(key) = meant {
            // Its value stands under the wrong name; the default says nothing about the file.
            self.unsound.insert(join(path, key));
        }
        let elsewhere = SECTIONS
            .iter()
            .find(|(section, keys)| *section != path && keys.contains(&entry.key.as_str()));
        let hint = match (meant, elsewhere) {
            (Some(key), _) => format!("did you mean `{key}`?"),
            (None, Some(("", _))) => format!("`{}` stands at the left margin", entry.key),
            (None, Some((section, _))) => format!("`{}` belongs under `{section}`", entry.key),
            (None, None) => format!("known here: {}", keys.join(", ")),
        };
        let key = clipped(&entry.key);
        let message = match path {
            "" => format!("unknown key `{key}`"),
            _ => format!("unknown key `{key}` in `{path}`"),
        };
        self.note(entry.place, message, hint);
    }

    fn wrong_kind(&mut self, field: &Field<'_>, wanted: &str, hint: &str) {
        match &field.node.value {
            Value::Nothing => {
                let hint = format!("{hint}, or remove the key");
                self.reject(field, format!("has no value; it must be {wanted}"), hint);
            }
            other => {
                let problem = format!("must be {wanted}, but is {}", other.kind());
                self.reject(field, problem, hint);
            }
        }
    }

    /// A text: one line, not empty, not endless.
    pub(super) fn text(&mut self, section: &Section<'_>, key: &str) -> Option<String> {
        let field = section.field(key)?;
        let Value::Text(text) = &field.node.value else {
            self.wrong_kind(
                &field,
                "text",
                "write text, in quotation marks if it looks like a number",
            );
            return None;
        };
        self.good_text(&field.path, field.node.place, text)
    }

    fn good_text(&mut self, path: &str, place: Place, text: &str) -> Option<String> {
        let text = text.trim();
        let problem = if text.is_empty() {
            "is empty"
        } else if text.chars().count() > TEXT_CHARS_MAX {
            "is too long"
        } else if text.chars().any(char::is_control) {
            "has line breaks or control characters"
        } else {
            return Some(text.to_owned());
        };
        let hint = format!("write one line of 1 to {TEXT_CHARS_MAX} characters");
        self.reject_at(place, path, problem.to_owned(), hint);
        None
    }

    /// A name of lower-case letters, digits, dots, hyphens and underscores.
    pub(super) fn word(&mut self, section: &Section<'_>, key: &str) -> Option<String> {
        let text = self.text(section, key)?;
        let field = section.field(key)?;
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        if text.len() <= 64 && text.chars().all(good) {
            return Some(text);
        }
        let hint = "use at most 64 of a-z, 0-9, `.`, `-` and `_`";
        self.reject(&field, format!("is `{text}`, which is no simple name"), hint);
        None
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, section: &Section<'_>, key: &str) -> Option<bool> {
        let field = section.field(key)?;
        match field.node.value {
            Value::Truth(value) => Some(value),
            _ => {
                self.wrong_kind(&field, "true or false", "write `true` or `false`, without quotes");
                None
            }
        }
    }

    /// A whole number in a range.
    pub(super) fn whole<T: TryFrom<i128> + Copy + Into<i128>>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let field = section.field(key)?;
        let (low, high): (i128, i128) = ((*range.start()).into(), (*range.end()).into());
        let hint = format!("write a whole number from {low} to {high}");
        match field.node.value {
            Value::Whole(value) if (low..=high).contains(&value) => T::try_from(value).ok(),
            Value::Whole(value) => {
                self.reject(&field, format!("is {value}"), hint);
                None
            }
            _ => {
                self.wrong_kind(&field, "a whole number", &hint);
                None
            }
        }
    }

    /// A number from 0 to 1.
    pub(super) fn fraction(&mut self, section: &Section<'_>, key: &str) -> Option<f64> {
        let field = section.field(key)?;
        let hint = "write a number from 0 to 1, like 0.5";
        let value = match field.node.value {
            Value::Decimal(value) => value,
            Value::Whole(value) => value as f64,
            _ => {
                self.wrong_kind(&field, "a number from 0 to 1", hint);
                return None;
            }
        };
        if (0.0..=1.0).contains(&value) {
            return Some(value);
        }
        self.reject(&field, format!("is {value}"), hint);
        None
    }

    /// One of a few words.
    pub(super) fn choice<T: Choice>(&mut self, section: &Section<'_>, key: &str) -> Option<T> {
        let field = section.field(key)?;
        match &field.node.value {
            Value::Text(word) => self.known_word(&field.path, field.node.place, word),
            _ => {
                let hint = allowed::<T>();
                self.wrong_kind(&field, "one of a few words", &hint);
                None
            }
        }
    }

    /// A list of such words, each once; a single word is a list of one.
    pub(super) fn choices<T: Choice + PartialEq>(
        &mut self,
        section: &Section<'_>,
        key: &str,
    ) -> Vec<T> {
        let path = section.field(key).map_or(String::new(), |field| field.path);
        let mut values = Vec::new();
        for (place, word) in self.words(section, key, &allowed::<T>()) {
            match self.known_word::<T>(&path, place, &word) {
                Some(value) if values.contains(&value) => {
                    let problem = format!("names `{word}` a second time");
                    self.reject_at(place, &path, problem, "keep one of them");
                }
                Some(value) => values.push(value),
                None => {}
            }
        }
        values
    }

    /// A group of names, each with one of a few words, in the order of the file.
    pub(super) fn named_choices<T: Choice>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        most: usize,
    ) -> Vec<(String, T)> {
        let Some(field) = section.field(key) else {
            return Vec::new();
        };
        let Value::Table(entries) = &field.node.value else {
            let hint = format!("write lines like `name: word`; {}", allowed::<T>());
            self.wrong_kind(&field, "a group of names", &hint);
            return Vec::new();
        };
        if entries.len() > most {
            self.reject(&field, format!("has {} names", entries.len()), format!("at most {most}"));
            return Vec::new();
        }
        let mut named = Vec::new();
        for entry in entries {
            let path = join(&field.path, &clipped(&entry.key));
            let field = Field { path, place: entry.place, node: &entry.node };
            match &entry.node.value {
                Value::Text(word) => {
                    let value = self.known_word(&field.path, entry.node.place, word);
                    named.extend(value.map(|value| (entry.key.clone(), value)));
                }
                _ => self.wrong_kind(&field, "one of a few words", &allowed::<T>()),
            }
        }
        named
    }

    /// A list of texts; a single text is a list of one.
    pub(super) fn texts(&mut self, section: &Section<'_>, key: &str) -> Vec<(Place, String)> {
        let path = section.field(key).map_or(String::new(), |field| field.path);
        let items = self.words(section, key, "write texts, like `- parking permit`");
        let good = |(place, text): (Place, String)| {
            self.good_text(&path, place, &text).map(|text| (place, text))
        };
        items.into_iter().filter_map(good).collect()
    }

    fn words(&mut self, section: &Section<'_>, key: &str, hint: &str) -> Vec<(Place, String)> {
        let Some(field) = section.field(key) else {
            return Vec::new();
        };
        let list = match &field.node.value {
            Value::List(list) => list.as_slice(),
            Value::Text(_) => std::slice::from_ref(field.node),
            _ => {
                self.wrong_kind(&field, "a list", hint);
                return Vec::new();
            }
        };
        list.iter().filter_map(|item| self.item(&field, item, hint)).collect()
    }

    fn item(&mut self, field: &Field<'_>, item: &Node, hint: &str) -> Option<(Place, String)> {
        if let Value::Text(text) = &item.value {
            return Some((item.place, text.clone()));
        }
        let problem = format!("lists {}, but must list words", item.value.kind());
        self.reject_at(item.place, &field.path, problem, hint);
        None
    }

    fn known_word<T: Choice>(&mut self, path: &str, place: Place, word: &str) -> Option<T> {
        let known = T::from_word(word);
        if known.is_none() {
            let meant = nearest(word, T::ALL.iter().map(|(word, _)| *word));
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`? {}", allowed::<T>()),
                None => allowed::<T>(),
            };
            let problem = format!("does not know `{}`", clipped(word));
            self.reject_at(place, path, problem, hint);
        }
        known
    }
}

fn allowed<T: Choice>() -> String {
    let words: Vec<&str> = T::ALL.iter().map(|(word, _)| *word).collect();
    format!("allowed: {}", words.join(", "))
}
