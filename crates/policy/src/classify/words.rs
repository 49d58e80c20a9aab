//! The word lists: one file per language.

use super::pattern::Pattern;
use crate::choice::Choice;

const FILES: [(&str, &str); 5] = [
    ("de", include_str!("words/de.txt")),
    ("fr", include_str!("words/fr.txt")),
    ("it", include_str!("words/it.txt")),
    ("rm", include_str!("words/rm.txt")),
    ("en", include_str!("words/en.txt")),
];

/// What a pattern shows: the section of the file that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Needs reasoning over several rules.
    ComplexReasoning,
    /// Asks to decide a person's case.
    RegulatedDecision,
    /// Asks for an act against a person.
    AdverseAction,
    /// Announces an act against a person.
    AdverseAnswer,
    /// Asks for a person.
    UserRequest,
    /// Asks about a rule, right, duty, fee or deadline.
    PolicyQuestion,
}

impl Choice for Kind {
    const ALL: &'static [(&'static str, Kind)] = &[
        ("complex_reasoning", Kind::ComplexReasoning),
        ("regulated_decision", Kind::RegulatedDecision),
        ("adverse_action", Kind::AdverseAction),
        ("adverse_answer", Kind::AdverseAnswer),
        ("user_request", Kind::UserRequest),
        ("policy_question", Kind::PolicyQuestion),
    ];
}

/// A line of a list.
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// As it stands in facts and receipts: `de: wird mein* .. bewilligt`.
    pub(super) name: String,
    pub(super) pattern: Pattern,
}

/// The patterns of all languages.
pub(super) fn lists() -> impl Iterator<Item = Entry> {
    let lists = FILES.iter().map(|(language, text)| list(language, text));
    lists.flat_map(|list| list.expect("a test reads every list"))
}

/// Reads a list; `Err` is the first bad line.
fn list(language: &str, text: &str) -> Result<Vec<Entry>, String> {
    let mut kind = None;
    let mut entries = Vec::new();
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("//")) {
        let section = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(word) = section {
            kind = Some(Kind::from_word(word).ok_or_else(|| line.to_owned())?);
            continue;
        }
        let (Some(kind), Some(pattern)) = (kind, Pattern::parse(line)) else {
            return Err(line.to_owned());
        };
        let name = format!("{language}: {line}");
        entries.push(Entry { kind, name, pattern });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_list_is_well_formed_and_has_every_section() {
        for (language, text) in FILES {
            let entries = list(language, text).unwrap();
            let names: BTreeSet<_> =
                entries.iter().map(|entry| (entry.kind, &entry.name)).collect();
            assert_eq!(names.len(), entries.len(), "{language} has a line twice");
            for (word, kind) in Kind::ALL {
                assert!(entries.iter().any(|entry| entry.kind == *kind), "{language} {word}");
            }
        }
    }

    #[test]
    fn bad_lines_are_named() {
        assert_eq!(list("de", "word").err().as_deref(), Some("word"));
        assert_eq!(list("de", "[nothing]").err().as_deref(), Some("[nothing]"));
        assert_eq!(list("de", "[user_request]\na ..").err().as_deref(), Some("a .."));
    }
}
