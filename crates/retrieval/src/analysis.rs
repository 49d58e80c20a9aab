//! From text to words: lower-cased, without accents, stemmed by language, numbers and articles
//! recognised. The same analysis serves the index, the question and the quote.

mod fold;
mod memory;
mod stem;
mod stop_words;

use allod_corpus::Language;
use std::ops::Range;

pub use fold::fold;
pub use stem::stem;
pub use stop_words::{is_stop_word, is_weak_word};

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where it stands, in bytes of the text that was analysed.
    pub range: Range<usize>,
    /// Lower case, without accents; numbers in one form (`1'200,50` is `1200.50`).
    pub folded: String,
    /// Stem by the text's language, folded; equal to `folded` where there is no stemmer.
    pub stem: String,
    /// Whether it begins with an upper-case letter.
    pub capital: bool,
}

impl Word {
    /// Whether it begins with a digit.
    #[must_use]
    pub fn is_number(&self) -> bool {
        self.folded.starts_with(|c: char| c.is_ascii_digit())
    }
}

/// The words of a text, in order. `Art. 12` gives `12` and, before it, `art_12`; `§ 5` gives
/// `art_5`, `Abs. 3` (`al. 3`, `cpv. 3`, and the bracket of `Art. 12(3)`) gives `abs_3`.
#[must_use]
pub fn words(text: &str, language: Language) -> Vec<Word> {
    let mut words = Vec::with_capacity(text.len() / 7 + 1);
    let mut sign: Option<Range<usize>> = None;
    for piece in Pieces::new(text) {
        let raw = &text[piece.clone()];
        if raw == "§" {
            sign = Some(piece);
            continue;
        }
        let word = word(raw, piece, language);
        if word.is_number() {
            let reference = match sign.take() {
                Some(sign) => Some((sign.start, "art")),
                None if is_bracketed(text, &word.range, &words) => Some((word.range.start, "abs")),
                None => {
                    words.last().and_then(|w: &Word| Some((w.range.start, place_kind(&w.folded)?)))
                }
            };
            if let Some((start, kind)) = reference {
                words.push(reference_word(start, kind, &word));
            }
        }
        sign = None;
        words.push(word);
    }
    words
}

/// Whether a number is the paragraph in `Art. 30(1)`: in brackets right after an article's number.
fn is_bracketed(text: &str, number: &Range<usize>, before: &[Word]) -> bool {
    let [.., article, last] = before else { return false };
    article.folded.starts_with("art_")
        && article.range.end == last.range.end
        && text[last.range.end..number.start].trim() == "("
        && text[number.end..].starts_with(')')
}

/// Which kind of place a word announces: an article (`art`) or a paragraph of one (`abs`).
fn place_kind(folded: &str) -> Option<&'static str> {
    Some(match folded {
        "art" | "artikel" | "artikels" | "article" | "articles" | "articolo" | "articoli"
        | "artitgel" | "artitgels" | "paragraf" | "section" | "sec" => "art",
        "abs" | "absatz" | "al" | "alinea" | "cpv" | "capoverso" | "para" | "paragraph"
        | "paragraphe" => "abs",
        _ => return None,
    })
}

fn reference_word(start: usize, kind: &str, number: &Word) -> Word {
    let token = format!("{kind}_{}", number.folded);
    Word { range: start..number.range.end, folded: token.clone(), stem: token, capital: false }
}

fn word(raw: &str, range: Range<usize>, language: Language) -> Word {
    let capital = raw.starts_with(char::is_uppercase);
    if raw.starts_with(|c: char| c.is_ascii_digit()) {
        let number = fold::number(raw);
        return Word { range, folded: number.clone(), stem: number, capital };
    }
    let (folded, stem) = memory::recall(raw, language, || {
        let lower = raw.to_lowercase();
        let folded = fold(&lower);
        let stem = stem(&lower, &folded, language);
        (folded, stem)
    });
    Word { range, folded, stem, capital }
}

/// Splits a text into runs of letters and digits; a number keeps its inner separators.
struct Pieces<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Pieces<'a> {
    fn new(text: &'a str) -> Pieces<'a> {
        Pieces { text, at: 0 }
    }

    /// End of the number that starts at `start`: digits with `.`, `,`, `'` or `’` between digits,
    /// and letters that follow at once (`12a`, `5bis`).
    fn number_end(&self, start: usize) -> usize {
        let rest = &self.text[start..];
        let mut end = 0;
        let mut characters = rest.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let next_is_digit = characters.peek().is_some_and(|(_, c)| c.is_ascii_digit());
            let inner = matches!(character, '.' | ',' | '\'' | '’') && next_is_digit;
            if !character.is_alphanumeric() && !inner {
                break;
            }
            end = at + character.len_utf8();
        }
        start + end
    }

    fn word_end(&self, start: usize) -> usize {
        let rest = &self.text[start..];
        let part = |c: char| c.is_alphanumeric() || is_combining(c);
        start + rest.find(|c: char| !part(c)).unwrap_or(rest.len())
    }
}

/// Combining marks belong to the letter before them (canonical text is NFC; questions may not be).
fn is_combining(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

impl Iterator for Pieces<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let rest = &self.text[self.at..];
        let start = self.at + rest.find(|c: char| c.is_alphanumeric() || c == '§')?;
        let first = self.text[start..].chars().next()?;
        let end = match first {
            '§' => start + first.len_utf8(),
            c if c.is_ascii_digit() => self.number_end(start),
            _ => self.word_end(start),
        };
        self.at = end;
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(text: &str, language: Language) -> Vec<String> {
        words(text, language).into_iter().map(|w| w.stem).collect()
    }

    #[test]
    fn numbers_and_articles_are_tokens() {
        let tokens = stems("Gemäss Art. 12 Abs. 3 kostet es CHF 1'200,50; § 5 UrhG", Language::De);
        for expected in ["art_12", "12", "abs_3", "1200.50", "art_5"] {
            assert!(tokens.iter().any(|t| t == expected), "{expected} in {tokens:?}");
        }
        assert!(stems("selon l’art. 7 al. 2", Language::Fr).contains(&"abs_2".to_owned()));
        assert!(stems("l'articolo 12a cpv. 1", Language::It).contains(&"art_12a".to_owned()));
        let bracketed = stems("GDPR Art 30(1)(b)", Language::En);
        assert!(["art_30", "abs_1"].iter().all(|t| bracketed.iter().any(|b| b == t)));
        assert!(!stems("in 2020 (3) times", Language::En).contains(&"abs_3".to_owned()));
    }

    #[test]
    fn elision_parts_from_the_word() {
        let words = words("l’école, d'argent, dell'abitazione", Language::Fr);
        let folded: Vec<&str> = words.iter().map(|w| w.folded.as_str()).collect();
        assert_eq!(folded, ["l", "ecole", "d", "argent", "dell", "abitazione"]);
        assert!(is_stop_word("dell", Language::It) && is_stop_word("l", Language::Fr));
    }

    #[test]
    fn each_language_has_its_stemmer() {
        assert_eq!(stems("Gebühren", Language::De), stems("Gebühr", Language::De));
        assert_eq!(stems("demandes", Language::Fr), stems("demande", Language::Fr));
        assert_eq!(stems("domande", Language::It), stems("domanda", Language::It));
        assert_eq!(stems("permits", Language::En), stems("permit", Language::En));
        assert_eq!(stems("scolas", Language::Rm), stems("scola", Language::Rm));
        assert_eq!(stems("gebuehr", Language::Other), ["gebuehr"]);
    }

    #[test]
    fn ranges_point_into_the_text() {
        let text = "Über 3.5 Öfen, 12.03.2026!";
        let words = words(text, Language::De);
        let raw: Vec<&str> = words.iter().map(|w| &text[w.range.clone()]).collect();
        assert_eq!(raw, ["Über", "3.5", "Öfen", "12.03.2026"]);
    }
}
