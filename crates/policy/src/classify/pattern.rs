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

use super::tokens::{Token, tokens};

/// Most words that `..` stands for.
const GAP_WORDS_MAX: usize = 8;

/// One way to match a word.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Whole(String),
    Beginning(String),
    Number,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Element {
    Word(Vec<Word>),
    Optional(Vec<Word>),
    Gap,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    anchored: bool,
    elements: Vec<Element>,
}

impl Pattern {
    /// Compiles a line of a word list; `None` if it is malformed.
    pub(super) fn parse(line: &str) -> Option<Pattern> {
        let (anchored, rest) = match line.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let elements: Option<Vec<Element>> = rest.split_whitespace().map(element).collect();
        let elements = elements.filter(|elements| is_bounded(elements))?;
        Some(Pattern { anchored, elements })
    }

    /// Compiles plain text of a policy: words as they stand, `*` at a word's end.
    pub(super) fn phrase(text: &str) -> Option<Pattern> {
        let words = text.split_whitespace().map(phrase_words);
        let words: Option<Vec<Vec<Word>>> = words.collect();
        let elements: Vec<Element> =
            words?.into_iter().flatten().map(|word| Element::Word(vec![word])).collect();
        (!elements.is_empty()).then_some(Pattern { anchored: false, elements })
    }

    /// Whether the pattern is found anywhere in the text.
    pub(crate) fn is_in(&self, text: &[Token]) -> bool {
        (0..text.len()).any(|start| {
            (!self.anchored || text[start].starts) && matches(&self.elements, &text[start..], true)
        })
    }
}

/// A pattern must not begin with a gap, must end with a word, and no two gaps stand side by side.
fn is_bounded(elements: &[Element]) -> bool {
    let adjacent = |pair: &[Element]| pair[0] == Element::Gap && pair[1] == Element::Gap;
    elements.first() != Some(&Element::Gap)
        && matches!(elements.last(), Some(Element::Word(_)))
        && !elements.windows(2).any(adjacent)
}

fn element(text: &str) -> Option<Element> {
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
    let mut words: Vec<Word> =
        tokens(bare.unwrap_or(text)).into_iter().map(|token| Word::Whole(token.text)).collect();
    if text.contains('*') {
        let inside = bare.is_none_or(|bare| bare.contains('*'));
        let Some(Word::Whole(last)) = words.pop().filter(|_| !inside) else {
            return None;
        };
        words.push(Word::Beginning(last));
    }
    (!words.is_empty()).then_some(words)
}

/// Whether the elements match the beginning of `text`. Only the first word of a match may begin a
/// sentence, so no match crosses from one into the next.
fn matches(elements: &[Element], text: &[Token], first: bool) -> bool {
    let Some((element, rest)) = elements.split_first() else {
        return true;
    };
    match element {
        Element::Word(words) => takes(words, text, first) && matches(rest, &text[1..], false),
        Element::Optional(words) => {
            takes(words, text, first) && matches(rest, &text[1..], false)
                || matches(rest, text, first)
        }
        Element::Gap => {
            let near = text.iter().take(GAP_WORDS_MAX);
            let inside = near.take_while(|token| !token.starts).count();
            (0..=inside).any(|skipped| matches(rest, &text[skipped..], false))
        }
    }
}

fn takes(words: &[Word], text: &[Token], first: bool) -> bool {
    let Some(token) = text.first().filter(|token| first || !token.starts) else {
        return false;
    };
    words.iter().any(|word| match word {
        Word::Whole(whole) => *whole == token.text,
        Word::Beginning(beginning) => token.text.starts_with(beginning.as_str()),
        Word::Number => token.text.starts_with(|c: char| c.is_ascii_digit()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> bool {
        Pattern::parse(pattern).unwrap().is_in(&tokens(text))
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
            |phrase: &str, text: &str| Pattern::phrase(phrase).unwrap().is_in(&tokens(text));
        assert!(found("l'asilo", "per l’asilo nido"));
        assert!(found("Baubewilligung*", "die Baubewilligungen"));
        assert!(found("(a|b)", "a b") && !found("(a|b)", "a"));
        for nothing in ["", "?!", "*", "a*b", "**"] {
            assert!(Pattern::phrase(nothing).is_none(), "{nothing}");
        }
    }

    #[test]
    fn many_gaps_on_a_long_text_are_quick() {
        let text = tokens(&"a b ".repeat(20_000));
        let pattern = Pattern::parse("a .. a .. a .. zzz").unwrap();
        let start = std::time::Instant::now();
        assert!(!pattern.is_in(&text));
        assert!(start.elapsed().as_secs() < 5);
    }
}
