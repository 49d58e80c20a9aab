//! A text as plain words.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Longer texts are cut; a question that long is refused anyway.
const CHARS_MAX: usize = 100_000;

/// A word without case and accents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// Whether a sentence begins with it.
    pub(super) starts: bool,
}

/// The words of a text: folded, split at everything that is no letter or digit.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut starts = true;
    let mut before = ' ';
    for c in folded(text) {
        // A full stop ends a sentence only before a blank: not in 12.5 or in an address.
        let ends = before == '.' && c.is_whitespace() || matches!(c, '?' | '!' | ';' | ':' | '\n');
        before = c;
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            let text = std::mem::take(&mut word);
            tokens.push(Token { text, starts });
            starts = false;
        }
        starts |= ends;
    }
    if !word.is_empty() {
        tokens.push(Token { text: word, starts });
    }
    tokens
}

/// Lower case, accents and ligatures taken apart and dropped: `Gebühr`, `gebuhr` and the
/// decomposed spelling become one; `ß` becomes `ss`.
fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars()
        .take(CHARS_MAX)
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .flat_map(|c| {
            let (first, second) = match c {
                'ß' => ('s', Some('s')),
                'œ' => ('o', Some('e')),
                'æ' => ('a', Some('e')),
                other => (other, None),
            };
            std::iter::once(first).chain(second)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
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
        let starts: Vec<_> =
            tokens(text).into_iter().filter(|token| token.starts).map(|token| token.text).collect();
        assert_eq!(starts, ["bitte", "art", "3", "ja", "gut"]);
    }
}
