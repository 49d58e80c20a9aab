//! A text as plain words.

use std::sync::LazyLock;

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// Longer texts are cut; a question that long is refused anyway.
const CHARS_MAX: usize = 100_000;

/// The words of a text without case and accents, one after the other, so that a word costs no
/// memory of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    text: String,
    /// Where each word ends, and whether a sentence begins with it.
    ends: Vec<(usize, bool)>,
}

/// A word without case and accents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// Whether a sentence begins with it.
    pub(super) starts: bool,
}

impl Tokens {
    /// The words of a text: folded, split at everything that is no letter or digit.
    pub(crate) fn of(text: &str) -> Tokens {
        let mut reader = Reader {
            tokens: Tokens { text: String::with_capacity(text.len()), ends: Vec::new() },
            starts: true,
            before: ' ',
        };
        reader.tokens.ends.reserve(text.len() / 5);
        let end = match text.len() > CHARS_MAX {
            true => text.char_indices().nth(CHARS_MAX).map(|(end, _)| end),
            false => None,
        };
        let mut rest = &text[..end.unwrap_or(text.len())];
        while let Some(char) = rest.chars().next() {
            let ascii = reader.take_ascii(rest);
            rest = &rest[ascii..];
            if ascii == 0 {
                rest = &rest[char.len_utf8()..];
                match LATIN.get(char as usize).filter(|_| !char.is_ascii()) {
                    Some(folded) => folded.chars().for_each(|folded| reader.take(folded)),
                    None => fold(char, &mut |folded| reader.take(folded)),
                }
            }
        }
        reader.end_word();
        reader.tokens
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The words in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Token<'_>> {
        let begins = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        begins
            .zip(&self.ends)
            .map(|(begin, (end, starts))| Token { text: &self.text[begin..*end], starts: *starts })
    }
}

/// Parts folded letters into words.
struct Reader {
    tokens: Tokens,
    starts: bool,
    before: char,
}

/// What letters become that have few bytes: nearly all that there are in texts.
static LATIN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folded = |char: char| {
        let mut text = String::new();
        fold(char, &mut |folded| text.push(folded));
        text
    };
    ('\0'..'\u{180}').map(folded).collect()
});

impl Reader {
    /// Takes the letters of ASCII that a text begins with; says how many.
    fn take_ascii(&mut self, text: &str) -> usize {
        for (at, byte) in text.bytes().enumerate() {
            if !byte.is_ascii() {
                return at;
            }
            let small = char::from(byte.to_ascii_lowercase());
            if byte.is_ascii_alphanumeric() {
                self.tokens.text.push(small);
                self.before = small;
            } else {
                self.take(small);
            }
        }
        text.len()
    }

    fn take(&mut self, char: char) {
        let before = std::mem::replace(&mut self.before, char);
        if char.is_alphanumeric() {
            self.tokens.text.push(char);
            return;
        }
        self.end_word();
        // A full stop ends a sentence only before a blank: not in 12.5 or in an address.
        self.starts |=
            before == '.' && char.is_whitespace() || matches!(char, '?' | '!' | ';' | ':' | '\n');
    }

    fn end_word(&mut self) {
        let end = self.tokens.text.len();
        if end > self.tokens.ends.last().map_or(0, |(end, _)| *end) {
            self.tokens.ends.push((end, std::mem::take(&mut self.starts)));
        }
    }
}

/// Lower case, accents and ligatures taken apart and dropped: `Gebühr`, `gebuhr` and the
/// decomposed spelling become one; `ß` becomes `ss`.
///
/// Each letter is taken apart by itself: the order of marks, which is all that more letters would
/// change, does not matter where marks are dropped.
fn fold(char: char, out: &mut impl FnMut(char)) {
    if char.is_ascii() {
        return out(char.to_ascii_lowercase());
    }
    decompose_compatible(char, |part| {
        for lower in part.to_lowercase().filter(|_| !is_combining_mark(part)) {
            match lower {
                'ß' => "ss".chars().for_each(&mut *out),
                'œ' => "oe".chars().for_each(&mut *out),
                'æ' => "ae".chars().for_each(&mut *out),
                other => out(other),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Tokens::of(text).iter().map(|token| token.text.to_owned()).collect()
    }

    #[test]
    fn spelling_does_not_matter() {
        assert_eq!(words("GEBÜHR Gebu\u{308}hr gebuhr"), ["gebuhr"; 3]);
        assert_eq!(words("Ai-je droit à l’œuvre ?"), ["ai", "je", "droit", "a", "l", "oeuvre"]);
        assert_eq!(words("Straße"), ["strasse"]);
        assert!(words(" ?! \u{301}").is_empty());
    }

    #[test]
    fn sentences_begin_after_their_ends() {
        let text = "Bitte nein. Art. 3: ja, 12.5 Prozent? Gut";
        let tokens = Tokens::of(text);
        let starts: Vec<_> =
            tokens.iter().filter(|token| token.starts).map(|token| token.text).collect();
        assert_eq!(starts, ["bitte", "art", "3", "ja", "gut"]);
    }
    /// What [`fold`] rests on: whatever is put into another order is a mark, and is dropped; and
    /// the whole of Unicode taken apart at once gives what its letters do.
    #[test]
    fn letters_are_taken_apart_one_by_one_as_all_together() {
        use unicode_normalization::UnicodeNormalization as _;
        use unicode_normalization::char::canonical_combining_class;
        let all = || '\0'..=char::MAX;
        assert!(all().all(|c| canonical_combining_class(c) == 0 || is_combining_mark(c)));
        let text: String = all().filter(|c| !c.is_control()).collect();
        let together: String = text
            .nfkd()
            .filter(|c| !is_combining_mark(*c))
            .flat_map(char::to_lowercase)
            .collect::<String>()
            .replace('ß', "ss")
            .replace('œ', "oe")
            .replace('æ', "ae");
        let mut apart = String::new();
        text.chars().for_each(|c| fold(c, &mut |folded| apart.push(folded)));
        assert_eq!(apart, together);
    }
}
