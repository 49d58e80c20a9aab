//! Patterns of words.
//!
//! A pattern is a row of elements, separated by blanks, that must be found one after the other
//! within one sentence:
//!
//! | element | stands for |
//! |---|---|
//! | `word` | this word, whatever its case and accents |
//! | `wor*` | every word that begins so |
//! | `a\|b*` | either of them |
//! | `(a\|b)` | either of them, or nothing |
//! | `#` | a number |
//! | `..` | up to eight words |
//! | `^` (first) | the beginning of a sentence |

use super::places::{Places, bits};
use super::tokens::{Token, Tokens};

/// Most words that `..` stands for.
const GAP_WORDS_MAX: usize = 8;

/// One way to match a word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    Whole(String),
    Beginning(String),
    Number,
}

impl Word {
    fn takes(&self, token: Token<'_>) -> bool {
        match self {
            Word::Whole(whole) => *whole == token.text,
            Word::Beginning(beginning) => token.text.starts_with(beginning.as_str()),
            Word::Number => token.text.starts_with(|c: char| c.is_ascii_digit()),
        }
    }
}

/// A part of a pattern; `W` says which words it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element<W> {
    Word(W),
    Optional(W),
    Gap,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern<W = Vec<Word>> {
    anchored: bool,
    elements: Vec<Element<W>>,
}

impl Pattern {
    /// Compiles a line of a word list; `None` if it is malformed.
    pub(super) fn parse(line: &str) -> Option<Pattern> {
        let (anchored, rest) = match line.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let elements: Option<Vec<_>> = rest.split_whitespace().map(element).collect();
        let elements = elements.filter(|elements| is_bounded(elements))?;
        Some(Pattern { anchored, elements })
    }

    /// Compiles plain text of a policy: words as they stand, `*` at a word's end.
    pub(super) fn phrase(text: &str) -> Option<Pattern> {
        let words = text.split_whitespace().map(phrase_words);
        let words: Option<Vec<Vec<Word>>> = words.collect();
        let elements: Vec<_> =
            words?.into_iter().flatten().map(|word| Element::Word(vec![word])).collect();
        (!elements.is_empty()).then_some(Pattern { anchored: false, elements })
    }

    /// Whether the pattern is found anywhere in the text, of which `starts` are the beginnings of
    /// sentences.
    pub(crate) fn is_in(&self, text: &Tokens) -> bool {
        let starts = Places::of(text, |token| token.starts);
        let rows = self.elements.iter().map(|element| match element {
            Element::Word(words) | Element::Optional(words) => {
                Places::of(text, |token| words.iter().any(|word| word.takes(token)))
            }
            Element::Gap => Places::default(),
        });
        let rows: Vec<Places> = rows.collect();
        let elements = self.elements.iter().zip(&rows).map(|(element, row)| match element {
            Element::Word(_) => Element::Word(row),
            Element::Optional(_) => Element::Optional(row),
            Element::Gap => Element::Gap,
        });
        let pattern = Pattern { anchored: self.anchored, elements: elements.collect() };
        pattern.is_found(&starts.0, |row| Some(&row.0))
    }
}

impl<W> Pattern<W> {
    /// The words that a match ends with.
    pub(super) fn last(&self) -> Option<&W> {
        match self.elements.last() {
            Some(Element::Word(words)) => Some(words),
            _ => None,
        }
    }

    /// The same pattern with other names for the words that it takes.
    pub(super) fn map<V>(self, mut name: impl FnMut(W) -> V) -> Pattern<V> {
        let elements = self.elements.into_iter().map(|element| match element {
            Element::Word(words) => Element::Word(name(words)),
            Element::Optional(words) => Element::Optional(name(words)),
            Element::Gap => Element::Gap,
        });
        Pattern { anchored: self.anchored, elements: elements.collect() }
    }

    /// Whether the pattern is found in a text. `starts` are the words that begin a sentence, `row`
    /// gives those that an element takes, if any: a bit for each word, and one bit more.
    ///
    /// All beginnings are followed at once: after each element a bit stands for each word that may
    /// come next. Only the first word of a match may begin a sentence, so no match crosses from
    /// one into the next.
    pub(super) fn is_found<'a>(
        &self,
        starts: &[u64],
        row: impl Fn(&W) -> Option<&'a [u64]>,
    ) -> bool {
        let needed = |element: &Element<W>| match element {
            Element::Word(words) => row(words).is_some(),
            Element::Optional(_) | Element::Gap => true,
        };
        if !self.elements.iter().all(needed) {
            return false;
        }
        let all = [!0_u64];
        let begin = if self.anchored { starts.iter() } else { all[..].iter() };
        // Where a match may begin, and where one that has begun may go on.
        let mut first: Vec<u64> = begin.cycle().take(starts.len()).copied().collect();
        let mut later = vec![0; starts.len()];
        for element in &self.elements {
            match element {
                Element::Word(words) => {
                    let row = row(words).unwrap_or_default();
                    if !bits::step(&mut first, &mut later, starts, row) {
                        return false;
                    }
                }
                Element::Optional(words) => {
                    if let Some(row) = row(words) {
                        bits::step_or_stay(&first, &mut later, starts, row);
                    }
                }
                Element::Gap => {
                    later.iter_mut().zip(&first).for_each(|(later, first)| *later |= first);
                    first.fill(0);
                    (0..GAP_WORDS_MAX).for_each(|_| bits::skip(&mut later, starts));
                }
            }
        }
        true
    }
}

/// A pattern must not begin with a gap, must end with a word, and no two gaps stand side by side.
fn is_bounded(elements: &[Element<Vec<Word>>]) -> bool {
    let adjacent = |pair: &[Element<Vec<Word>>]| pair[0] == Element::Gap && pair[1] == Element::Gap;
    elements.first() != Some(&Element::Gap)
        && matches!(elements.last(), Some(Element::Word(_)))
        && !elements.windows(2).any(adjacent)
}

fn element(text: &str) -> Option<Element<Vec<Word>>> {
    if text == ".." {
        return Some(Element::Gap);
    }
    let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let words: Option<Vec<Word>> = inner.unwrap_or(text).split('|').map(word).collect();
    words.map(|words| match inner {
        Some(_) => Element::Optional(words),
        None => Element::Word(words),
    })
}

fn word(text: &str) -> Option<Word> {
    if text == "#" {
        return Some(Word::Number);
    }
    let mut words = phrase_words(text)?;
    let only = words.pop()?;
    words.is_empty().then_some(only)
}

/// What stands between two blanks: several words if there are hyphens or apostrophes in it.
fn phrase_words(text: &str) -> Option<Vec<Word>> {
    let bare = text.strip_suffix('*');
    let tokens = Tokens::of(bare.unwrap_or(text));
    let mut words: Vec<Word> =
        tokens.iter().map(|token| Word::Whole(token.text.to_owned())).collect();
    if text.contains('*') {
        let inside = bare.is_none_or(|bare| bare.contains('*'));
        let Some(Word::Whole(last)) = words.pop().filter(|_| !inside) else {
            return None;
        };
        words.push(Word::Beginning(last));
    }
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> bool {
        Pattern::parse(pattern).unwrap().is_in(&Tokens::of(text))
    }

    #[test]
    fn each_element() {
        assert!(found("mein gesuch", "Ist MEIN Gesuch da?"));
        assert!(!found("mein gesuch", "meine Gesuche"));
        assert!(found("gesuch*", "Gesuche"));
        assert!(found("ja|nein", "nein"));
        assert!(found("bitte (sofort|gleich) kommen", "Bitte kommen"));
        assert!(found("bitte (sofort|gleich) kommen", "Bitte gleich kommen"));
        assert!(found("# franken", "45 Franken") && !found("# franken", "viele Franken"));
        assert!(found("wird .. bewilligt", "wird bewilligt"));
        assert!(found("wird .. bewilligt", "wird a b c d e f g h bewilligt"));
        assert!(!found("wird .. bewilligt", "wird a b c d e f g h i bewilligt"));
        assert!(found("^lehnen sie", "Guten Tag. Lehnen Sie ab"));
        assert!(!found("^lehnen sie", "Warum lehnen Sie ab?"));
    }

    #[test]
    fn no_match_crosses_sentences() {
        assert!(!found("mein gesuch", "Das ist mein. Gesuch liegt bei."));
        assert!(!found("wird .. bewilligt", "Was wird? Es ist bewilligt."));
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for line in ["", "^", "..", ".. a", "a ..", "a .. .. b", "(a)", "*", "a|", "x*y", "l'a"] {
            assert!(Pattern::parse(line).is_none(), "{line}");
        }
    }

    #[test]
    fn phrases_are_plain_text() {
        let found =
            |phrase: &str, text: &str| Pattern::phrase(phrase).unwrap().is_in(&Tokens::of(text));
        assert!(found("l'asilo", "per l’asilo nido"));
        assert!(found("Baubewilligung*", "die Baubewilligungen"));
        assert!(found("(a|b)", "a b") && !found("(a|b)", "a"));
        for nothing in ["", "?!", "*", "a*b", "**"] {
            assert!(Pattern::phrase(nothing).is_none(), "{nothing}");
        }
    }

    /// The definition: the elements match the beginning of `text`.
    fn matches(elements: &[Element<Vec<Word>>], text: &[Token], first: bool) -> bool {
        let Some((element, rest)) = elements.split_first() else { return true };
        let takes = |words: &[Word]| {
            let token = text.first().filter(|token| first || !token.starts);
            token.is_some_and(|token| words.iter().any(|word| word.takes(*token)))
        };
        match element {
            Element::Word(words) => takes(words) && matches(rest, &text[1..], false),
            Element::Optional(words) => {
                takes(words) && matches(rest, &text[1..], false) || matches(rest, text, first)
            }
            Element::Gap => {
                let near = text.iter().take(GAP_WORDS_MAX);
                let inside = near.take_while(|token| !token.starts).count();
                (0..=inside).any(|skipped| matches(rest, &text[skipped..], false))
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn following_all_beginnings_at_once_finds_what_following_each_does(
            pattern in "\\^?[ab](( \\.\\.)?( [ab]| a\\|c| \\([ac]\\)| b\\*| #)){0,4}",
            text in "([abcd ]|ba |a\\. |1 ){0,90}",
        ) {
            let Some(pattern) = Pattern::parse(&pattern) else { return Ok(()) };
            let tokens = Tokens::of(&text);
            let all: Vec<Token> = tokens.iter().collect();
            let expected = (0..all.len()).any(|start| {
                (!pattern.anchored || all[start].starts)
                    && matches(&pattern.elements, &all[start..], true)
            });
            proptest::prop_assert_eq!(pattern.is_in(&tokens), expected);
        }
    }

    #[test]
    fn many_gaps_on_a_long_text_are_quick() {
        let text = Tokens::of(&"a b ".repeat(20_000));
        let pattern = Pattern::parse("a .. a .. a .. zzz").unwrap();
        let start = std::time::Instant::now();
        assert!(!pattern.is_in(&text));
        assert!(start.elapsed().as_secs() < 5);
    }
}
