//! What SentencePiece does to a text before it cuts it into pieces.

use super::Place;
use super::charsmap::Charsmap;
use super::splitter::{Fragment, Splitter};

/// The options of SentencePiece's `NormalizerSpec`.
#[derive(Debug)]
pub(super) struct Normaliser {
    pub charsmap: Option<Charsmap>,
    /// Whether a text begins with a space that it does not have (`add_dummy_prefix`).
    pub space_before: bool,
    /// Whether runs of spaces become one and those at the ends none (`remove_extra_whitespaces`).
    pub collapses: bool,
}

/// Stands for a space in pieces.
const SPACE: char = '▁';

impl Normaliser {
    /// The text with `▁` for spaces. What `kept` finds stays as it is.
    pub fn apply(&self, text: &str, place: Place, kept: &Splitter) -> String {
        let mut rest = text;
        while self.collapses && !rest.is_empty() {
            let (chunk, length) = self.next(rest, kept);
            if chunk != " " {
                break;
            }
            rest = &rest[length..];
        }
        if rest.is_empty() {
            return String::new();
        }
        let mut out = String::with_capacity(rest.len() * 3 / 2);
        if self.space_before && place == Place::Start {
            out.push(SPACE);
        }
        let mut after_space = self.collapses;
        while !rest.is_empty() {
            let (chunk, length) = self.next(rest, kept);
            let chunk = if after_space { chunk.trim_start_matches(' ') } else { chunk };
            if !chunk.is_empty() {
                out.extend(chunk.chars().map(|c| if c == ' ' { SPACE } else { c }));
                after_space = self.collapses && chunk.ends_with(' ');
            }
            rest = &rest[length..];
        }
        if self.collapses {
            out.truncate(out.trim_end_matches(SPACE).len());
        }
        out
    }

    /// What the beginning of `text` becomes, and how many bytes that beginning has.
    fn next<'a>(&'a self, text: &'a str, kept: &Splitter) -> (&'a str, usize) {
        if let Some(length) = kept.length_at(text) {
            return (&text[..length], length);
        }
        if let Some(found) = self.charsmap.as_ref().and_then(|map| map.longest(text)) {
            return found;
        }
        let length = text.chars().next().map_or(0, char::len_utf8);
        (&text[..length], length)
    }
}

/// Fragments of normalised text: what `defined` finds, and what lies between.
pub(super) fn pieces(
    text: &str,
    defined: &Splitter,
    ids: &mut Vec<u32>,
    mut encode: impl FnMut(&str, &mut Vec<u32>),
) {
    for fragment in defined.split(text) {
        match fragment {
            Fragment::Token(id) => ids.push(id),
            Fragment::Text(text) => encode(text, ids),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::charsmap::tests::blob;
    use super::*;

    fn normaliser(space_before: bool, collapses: bool) -> Normaliser {
        let charsmap = Charsmap::new(&blob(&[(b'\t', " "), (b'A', "a"), (b'\r', "")])).unwrap();
        Normaliser { charsmap: Some(charsmap), space_before, collapses }
    }

    fn apply(normaliser: &Normaliser, text: &str) -> String {
        normaliser.apply(text, Place::Start, &Splitter::default())
    }

    #[test]
    fn spaces_are_marked_collapsed_and_put_before() {
        let collapsing = normaliser(true, true);
        assert_eq!(apply(&collapsing, "  A \t b\r "), "▁a▁b");
        assert_eq!(apply(&collapsing, " \t "), "");
        let plain = normaliser(true, false);
        assert_eq!(apply(&plain, " A  b "), "▁▁a▁▁b▁");
        assert_eq!(apply(&plain, ""), "");
        let none = Splitter::default();
        assert_eq!(plain.apply("A", Place::AfterSpecial, &none), "a");
        assert_eq!(apply(&normaliser(false, false), "A b"), "a▁b");
    }

    #[test]
    fn what_a_user_defined_is_not_replaced() {
        let kept = Splitter::new([super::super::splitter::Entry::plain("<A>", 1)]);
        assert_eq!(normaliser(false, false).apply("A<A>", Place::Start, &kept), "a<A>");
    }
}
