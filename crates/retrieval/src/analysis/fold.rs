//! Folding: one spelling for what a reader takes for the same word.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Removes accents from lower-case text and opens ligatures: `é` is `e`, `ß` is `ss`, `œ` is `oe`.
#[must_use]
pub fn fold(lower: &str) -> String {
    if lower.is_ascii() {
        return lower.to_owned();
    }
    let mut folded = String::with_capacity(lower.len());
    for character in lower.nfkd().filter(|c| !is_combining_mark(*c)) {
        match character {
            'ß' => folded.push_str("ss"),
            'œ' => folded.push_str("oe"),
            'æ' => folded.push_str("ae"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            other => folded.push(other),
        }
    }
    folded
}

/// One form for a number: no thousands marks, a point before decimals, lower-case letters after it.
pub(super) fn number(raw: &str) -> String {
    raw.chars()
        .filter(|c| !matches!(c, '\'' | '’'))
        .map(|c| if c == ',' { '.' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_ligatures_are_folded() {
        assert_eq!(fold("gebühr straße cœur perchè zürich"), "gebuhr strasse coeur perche zurich");
        assert_eq!(fold("e\u{301}te\u{301}"), "ete");
        assert_eq!(number("1’200,5A"), "1200.5a");
    }
}
