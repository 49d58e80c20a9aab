//! Finds fixed texts, the longest first, and cuts a text at them.

use std::collections::HashMap;

/// A set of texts that stand for tokens.
#[derive(Default)]
pub(super) struct Splitter {
    /// By first byte, longest first.
    by_first_byte: HashMap<u8, Vec<Entry>>,
}

/// A text and its token.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub text: String,
    pub id: u32,
    /// Whether white space before the token belongs to it.
    pub takes_space_before: bool,
    /// Whether white space after the token belongs to it.
    pub takes_space_after: bool,
}

impl Entry {
    pub fn plain(text: &str, id: u32) -> Entry {
        let text = text.to_string();
        Entry { text, id, takes_space_before: false, takes_space_after: false }
    }
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fragment<'a> {
    Text(&'a str),
    Token(u32),
}

impl Splitter {
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Splitter {
        let mut by_first_byte: HashMap<u8, Vec<Entry>> = HashMap::new();
        for entry in entries {
            if let Some(first) = entry.text.bytes().next() {
                by_first_byte.entry(first).or_default().push(entry);
            }
        }
        for entries in by_first_byte.values_mut() {
            entries.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then(a.id.cmp(&b.id)));
        }
        Splitter { by_first_byte }
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.by_first_byte.values().flatten().map(|entry| entry.text.as_str())
    }

    pub fn id(&self, text: &str) -> Option<u32> {
        let entries = self.by_first_byte.get(text.as_bytes().first()?)?;
        entries.iter().find(|entry| entry.text == text).map(|entry| entry.id)
    }

    fn at(&self, text: &str, position: usize) -> Option<&Entry> {
        let rest = &text.as_bytes()[position..];
        let entries = self.by_first_byte.get(rest.first()?)?;
        entries.iter().find(|entry| rest.starts_with(entry.text.as_bytes()))
    }

    /// The length of the entry that `text` begins with.
    pub fn length_at(&self, text: &str) -> Option<usize> {
        self.at(text, 0).map(|entry| entry.text.len())
    }

    /// Cuts `text` at the tokens in it; no text fragment is empty.
    pub fn split<'a>(&self, text: &'a str) -> Vec<Fragment<'a>> {
        let (mut fragments, mut start, mut position) = (Vec::new(), 0, 0);
        let push = |fragments: &mut Vec<Fragment<'a>>, text: &'a str| {
            if !text.is_empty() {
                fragments.push(Fragment::Text(text));
            }
        };
        while position < text.len() {
            let Some(entry) = self.at(text, position) else {
                position += 1;
                continue;
            };
            let before = &text[start..position];
            push(&mut fragments, if entry.takes_space_before { before.trim_end() } else { before });
            fragments.push(Fragment::Token(entry.id));
            start = position + entry.text.len();
            if entry.takes_space_after {
                start = text.len() - text[start..].trim_start().len();
            }
            position = start;
        }
        push(&mut fragments, &text[start..]);
        fragments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_wins_and_space_is_taken() {
        let greedy = Entry { takes_space_after: true, ..Entry::plain("<b>", 3) };
        let splitter = Splitter::new([Entry::plain("<a>", 1), Entry::plain("<a>x", 2), greedy]);
        let found = splitter.split("é<a>x y<b>  z<a>");
        use Fragment::{Text, Token};
        assert_eq!(found, [Text("é"), Token(2), Text(" y"), Token(3), Text("z"), Token(1)]);
        assert_eq!(splitter.split(""), []);
        assert_eq!(splitter.id("<b>"), Some(3));
    }
}
