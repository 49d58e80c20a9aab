//! How acts number their parts: articles, paragraphs, list items.

use crate::Language;

/// The words before an article's number, as they are written.
const ARTICLE_WORDS: &[&str] = &[
    "§§", "§", "Artikel", "Article", "Articolo", "Artitgel", "ARTIKEL", "ARTICLE", "Art.", "ART.",
    "Art",
];

/// The same for acts in English that have sections instead.
const SECTION_WORDS: &[&str] = &["Section", "SECTION", "Sec."];

/// Additions to a number: "5bis", "Art. 1er".
const ADDITIONS: &[&str] = &[
    "bis",
    "ter",
    "quater",
    "quinquies",
    "sexies",
    "septies",
    "octies",
    "novies",
    "decies",
    "er",
    "re",
];

/// Words after "Art. 5" that make it a reference, not a heading.
const REFERENCES: &[&str] = &[
    "abs",
    "absatz",
    "absätze",
    "bst",
    "buchstabe",
    "ziff",
    "ziffer",
    "nr",
    "satz",
    "und",
    "oder",
    "bis",
    "ff",
    "f",
    "al",
    "alinéa",
    "let",
    "lettre",
    "ch",
    "cpv",
    "capoverso",
    "lett",
    "lit",
    "para",
    "paragraph",
    "paragraphs",
    "point",
    "of",
    "and",
    "or",
    "to",
    "des",
    "der",
    "du",
    "de",
    "del",
    "della",
    "dello",
    "dal",
    "da",
    "et",
    "ou",
    "à",
    "e",
    "ed",
    "o",
    "u",
    "a",
    "i.v.m",
    "gilt",
];

/// An article's number with a footnote's digits at its end ("Art. 106" with note 50 is "10650") has
/// at most this many digits; a marker's has fewer.
const MAX_DIGITS: usize = 6;
const MAX_MARKER_DIGITS: usize = 4;

/// An article's label at the start of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label<'a> {
    /// "Art.", "§", "Article".
    pub word: &'a str,
    /// "7a", "5 bis", "18–24": as written.
    pub number: &'a str,
    /// What follows, without separators.
    pub rest: &'a str,
}

impl Label<'_> {
    /// The number without blanks.
    pub(crate) fn plain_number(&self) -> String {
        self.number.split_whitespace().collect()
    }

    /// The whole number that it starts with.
    pub(crate) fn ordinal(&self) -> u32 {
        let digits = self.number.bytes().take_while(u8::is_ascii_digit).count();
        self.number[..digits].parse().unwrap_or(0)
    }

    /// Whether what follows can be the title of an article, or nothing.
    pub(crate) fn has_title(&self) -> bool {
        self.rest.is_empty() || is_title(self.rest)
    }

    /// Whether this is a mention of an article: "Art. 5 Abs. 2 gilt …", "§ 7 des Gesetzes".
    pub(crate) fn is_reference(&self) -> bool {
        let first = self.rest.split_whitespace().next().unwrap_or_default();
        let word = first.trim_end_matches(['.', ',', ';', ':', ')']);
        let starts_lower =
            word.starts_with(char::is_lowercase) || first.starts_with([',', ';', ')']);
        let is_act = word.len() >= 2 && word.chars().all(|c| c.is_uppercase());
        let is_prose = !is_title(self.rest);
        starts_lower
            || REFERENCES.contains(&word.to_lowercase().as_str())
            || (is_act && is_prose && !self.rest.is_empty())
    }
}

/// Whether a text reads like a heading: short, without the end of a sentence.
pub(crate) fn is_title(text: &str) -> bool {
    let text = text.trim();
    let is_abbreviated = ["etc.", "usw.", "ecc."].iter().any(|end| text.ends_with(end));
    let ends = text.ends_with(['.', ';', ',', ':', '!']) && !is_abbreviated;
    let is_numbered = text.starts_with(|c: char| c.is_ascii_digit() || c == '(');
    !text.is_empty() && text.len() <= 240 && !ends && (is_numbered || !text.contains(". "))
}

/// The language to look for articles with: in an English act that has articles, a "Section" is one
/// of its parts and not an article.
pub(crate) fn dialect<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    language: Language,
) -> Language {
    let is_article =
        |text: &str| article(text, Language::Other).is_some_and(|label| !label.is_reference());
    match language {
        Language::En if texts.into_iter().any(is_article) => Language::Other,
        _ => language,
    }
}

/// The article label that `text` starts with.
pub(crate) fn article(text: &str, language: Language) -> Option<Label<'_>> {
    let text = text.trim_start();
    let sections = if language == Language::En { SECTION_WORDS } else { &[] };
    let word = ARTICLE_WORDS.iter().chain(sections).find(|word| text.starts_with(**word))?;
    let (word, after) = text.split_at(word.len());
    let tail = after.trim_start_matches([' ', '\t', '\n']);
    let is_word = word.ends_with(|c: char| c.is_alphabetic());
    if is_word && tail.len() == after.len() {
        return None;
    }
    let length = number_length(tail)?;
    let (number, rest) = tail.split_at(length);
    // A footnote's digit may stick to the letter: "Art. 5a2".
    let lettered = number.ends_with(|c: char| c.is_ascii_lowercase());
    let rest = if lettered { rest.trim_start_matches(|c: char| c.is_ascii_digit()) } else { rest };
    let rest = rest.trim_start_matches(is_raised_digit);
    let separators = |c: char| c.is_whitespace() || matches!(c, '.' | ':' | '–' | '—' | '-');
    if !rest.is_empty() && !rest.starts_with(|c: char| separators(c) || c == '*') {
        return None;
    }
    Some(Label { word, number, rest: rest.trim_start_matches(separators).trim_end() })
}

fn is_raised_digit(character: char) -> bool {
    matches!(character, '⁰' | '¹' | '²' | '³' | '⁴'..='⁹')
}

/// The length of "7", "7a", "5 bis", "18–24".
fn number_length(text: &str) -> Option<usize> {
    let first = simple_number_length(text)?;
    for dash in ["–", "-", " – ", " - "] {
        if let Some(after) = text[first..].strip_prefix(dash)
            && let Some(second) = simple_number_length(after)
        {
            return Some(first + dash.len() + second);
        }
    }
    Some(first)
}

fn simple_number_length(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > MAX_DIGITS {
        return None;
    }
    let after = &text[digits..];
    if let Some(length) = addition_length(after) {
        return Some(digits + length);
    }
    let letter = after.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let ends = !after.chars().nth(1).is_some_and(char::is_alphabetic);
    if !letter {
        return Some(digits);
    }
    match ends {
        true => Some(digits + 1),
        false => addition_length(&after[1..]).map(|length| digits + 1 + length),
    }
}

fn addition_length(text: &str) -> Option<usize> {
    let blank = usize::from(text.starts_with(' '));
    let fits = |word: &&&str| {
        let after = text[blank..].strip_prefix(**word);
        after.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let word = ADDITIONS.iter().find(fits)?;
    // "Art. 5 er …" is not an addition: the ordinal endings stand close.
    let close = matches!(*word, "er" | "re");
    let next_is_number =
        text[blank + word.len()..].trim_start().starts_with(|c: char| c.is_ascii_digit());
    (!(blank == 1 && (close || next_is_number))).then_some(blank + word.len())
}

/// A marker at the start of a text: which kind, its number or letter, and its length with blanks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker<'a> {
    pub kind: MarkerKind,
    /// "3", "2bis", "a", "-".
    pub value: &'a str,
    /// Bytes of the marker and the blanks after it.
    pub length: usize,
}

/// How a marker is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkerKind {
    /// "3 Text", "^3 Text", "(3) Text".
    Paragraph,
    /// "3. Text", "3) Text".
    Number,
    /// "a. Text", "b) Text", "(c) Text".
    Letter,
    /// "- Text", "• Text".
    Bullet,
}

/// The marker that `text` starts with.
pub(crate) fn marker(text: &str) -> Option<Marker<'_>> {
    let bullets = ['-', '–', '—', '•', '*', '·', '▪', '●', '○', '‣'];
    if let Some(bullet) = text.chars().next().filter(|c| bullets.contains(c)) {
        return finish(text, MarkerKind::Bullet, 0, bullet.len_utf8(), bullet.len_utf8());
    }
    let open = usize::from(text.starts_with(['(', '^']));
    let body = &text[open..];
    let (length, is_letter) = match simple_number_length(body) {
        Some(length) if is_short(&body[..length]) => (length, false),
        _ => (letter_length(body)?, true),
    };
    let value_end = open + length;
    let close = text[value_end..].chars().next()?;
    let kind = match (text.as_bytes()[0], close) {
        (b'(', ')') if is_letter => MarkerKind::Letter,
        (b'(', ')') => MarkerKind::Paragraph,
        (b'(', _) => return None,
        (_, '.' | ')') if is_letter => MarkerKind::Letter,
        (_, '.' | ')') if open == 0 => MarkerKind::Number,
        (_, ' ' | '\t' | '\n') if !is_letter => {
            return finish(text, MarkerKind::Paragraph, open, value_end, value_end);
        }
        _ => return None,
    };
    finish(text, kind, open, value_end, value_end + 1)
}

fn finish(text: &str, kind: MarkerKind, from: usize, to: usize, end: usize) -> Option<Marker<'_>> {
    let rest = text[end..].trim_start();
    let blanks = text.len() - end - rest.len();
    (blanks > 0 && !rest.is_empty()).then(|| Marker {
        kind,
        value: &text[from..to],
        length: end + blanks,
    })
}

fn is_short(number: &str) -> bool {
    number.bytes().filter(u8::is_ascii_digit).count() <= MAX_MARKER_DIGITS
}

/// The length of "a", "aa", "abis".
fn letter_length(text: &str) -> Option<usize> {
    let first = text.bytes().next().filter(u8::is_ascii_lowercase)?;
    if let Some(length) = addition_length(&text[1..]).filter(|_| !text[1..].starts_with(' ')) {
        return Some(1 + length);
    }
    let doubled = text.as_bytes().get(1) == Some(&first);
    let length = 1 + usize::from(doubled);
    (!text[length..].starts_with(char::is_alphanumeric)).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(&str, String, &str)> {
        article(text, Language::De).map(|label| (label.word, label.plain_number(), label.rest))
    }

    #[test]
    fn article_labels() {
        let cases = [
            ("Art. 1 Zweck", "Art.", "1", "Zweck"),
            ("Art. 7a   Gebühren", "Art.", "7a", "Gebühren"),
            ("§ 12b", "§", "12b", ""),
            ("§5 Abfall", "§", "5", "Abfall"),
            ("Art. 5 bis Tarif", "Art.", "5bis", "Tarif"),
            ("Art. 1er But", "Art.", "1er", "But"),
            ("Art. 5abis X", "Art.", "5abis", "X"),
            ("Article 3 – Scope", "Article", "3", "Scope"),
            ("Art 91c", "Art", "91c", ""),
            ("Art. 5a2    Subsidiarität", "Art.", "5a", "Subsidiarität"),
            ("Art. 6³ Ruhe", "Art.", "6", "Ruhe"),
            ("Art. 18–24", "Art.", "18–24", ""),
            ("Artikel 4: Dauer", "Artikel", "4", "Dauer"),
        ];
        for (text, word, number, rest) in cases {
            assert_eq!(parts(text), Some((word, number.to_owned(), rest)), "{text}");
        }
        for text in
            ["Artisten 5", "Art. gut", "Article premier", "Section 4", "Arte 5", "Art. 5xyz"]
        {
            assert_eq!(parts(text), None, "{text}");
        }
        assert!(article("Section 4 Fees", Language::En).is_some());
    }

    #[test]
    fn references_are_not_headings() {
        for text in
            ["Art. 5 Abs. 2 gilt.", "Art. 5 gilt.", "§ 7 des Gesetzes", "Art. 12 ZGB regelt das."]
        {
            assert!(article(text, Language::De).unwrap().is_reference(), "{text}");
        }
        for text in ["Art. 5 Gebühren", "Art. 5", "§ 3 Die Gemeinde hilft."] {
            assert!(!article(text, Language::De).unwrap().is_reference(), "{text}");
        }
    }

    #[test]
    fn markers() {
        let cases = [
            ("1 Die", MarkerKind::Paragraph, "1"),
            ("^2 Ella", MarkerKind::Paragraph, "2"),
            ("2bis Es", MarkerKind::Paragraph, "2bis"),
            ("(3) Wer", MarkerKind::Paragraph, "3"),
            ("4. Stufe", MarkerKind::Number, "4"),
            ("4) Stufe", MarkerKind::Number, "4"),
            ("a. dass", MarkerKind::Letter, "a"),
            ("aa) dass", MarkerKind::Letter, "aa"),
            ("abis. dass", MarkerKind::Letter, "abis"),
            ("(b) that", MarkerKind::Letter, "b"),
            ("- Brot", MarkerKind::Bullet, "-"),
        ];
        for (text, kind, value) in cases {
            let found = marker(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.kind, found.value), (kind, value), "{text}");
        }
        for text in ["", "a", "1", "Die", "12345 x", "-x", "ab. x", "1.5 x", "(1 x", "08:30 x"] {
            assert_eq!(marker(text), None, "{text}");
        }
    }
}
