//! The articles of a SQuAD file as documents, and where their paragraphs stand in them.

use std::collections::BTreeMap;
use std::path::Path;

use allod_corpus::ByteRange;

use crate::squad::{Article, Squad};

/// Writes each article as a Markdown file: its title, then its paragraphs. The files' names are
/// their articles' numbers and titles.
///
/// # Errors
/// When a file cannot be written.
pub fn write_articles(squad: &Squad, folder: &Path) -> std::io::Result<()> {
    for (number, article) in squad.articles.iter().enumerate() {
        std::fs::write(folder.join(file_name(number, article)), markdown(number, article))?;
    }
    Ok(())
}

/// The article that a document's path names.
#[must_use]
pub fn article_of(path: &str) -> Option<usize> {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('-').next()?.parse().ok()
}

fn file_name(number: usize, article: &Article) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let title: String = article.title.chars().take(60).map(plain).collect();
    format!("{number:04}-{title}.md")
}

fn markdown(number: usize, article: &Article) -> String {
    let title = match article.title.replace('_', " ") {
        title if title.trim().is_empty() => format!("Article {number}"),
        title => title,
    };
    let mut text = format!("# {}\n", literal(&title));
    for paragraph in article.paragraphs.iter().filter(|p| !p.context.trim().is_empty()) {
        text.push('\n');
        text.push_str(&literal(&paragraph.context));
        text.push('\n');
    }
    text
}

/// The text so that Markdown shows it as it is: every sign escaped, no line broken.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + text.len() / 16);
    for word in text.split_whitespace() {
        if !literal.is_empty() {
            literal.push(' ');
        }
        for character in word.chars() {
            if character.is_ascii_punctuation() {
                literal.push('\\');
            }
            literal.push(character);
        }
    }
    literal
}

/// Where the paragraphs of an article stand in its canonical text; `None` for one that is not
/// there. Blanks are no part of the comparison.
#[must_use]
pub fn places(canonical: &str, article: &Article) -> Vec<Option<ByteRange>> {
    let text = Packed::new(canonical);
    let mut from = 0;
    let mut place = |context: &str| {
        let wanted = Packed::new(context).text;
        let at = text.find(&wanted, from).or_else(|| text.find(&wanted, 0))?;
        from = at + wanted.len();
        Some(text.range(at, wanted.len()))
    };
    article.paragraphs.iter().map(|paragraph| place(&paragraph.context)).collect()
}

/// A text without its blanks.
struct Packed {
    text: String,
    /// Where each byte stood.
    places: Vec<usize>,
}

impl Packed {
    fn new(source: &str) -> Packed {
        let mut packed = Packed { text: String::with_capacity(source.len()), places: Vec::new() };
        for (at, character) in source.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            packed.text.push(character);
            packed.places.extend(at..at + character.len_utf8());
        }
        packed
    }

    fn find(&self, wanted: &str, from: usize) -> Option<usize> {
        if wanted.is_empty() {
            return None;
        }
        self.text.get(from..)?.find(wanted).map(|at| at + from)
    }

    fn range(&self, at: usize, length: usize) -> ByteRange {
        ByteRange { start: self.places[at], end: self.places[at + length - 1] + 1 }
    }
}

/// The paragraphs of all articles of a corpus, by the digest of the document.
#[derive(Clone, Debug, Default)]
pub struct Paragraphs {
    by_digest: BTreeMap<String, (usize, Vec<Option<ByteRange>>)>,
    lost: usize,
}

impl Paragraphs {
    /// Notes where an article's paragraphs stand in the document of that digest.
    pub fn note(&mut self, digest: &str, number: usize, canonical: &str, article: &Article) {
        let places = places(canonical, article);
        let lost = places.iter().zip(&article.paragraphs);
        let lost = lost.filter(|(place, p)| place.is_none() && !p.context.trim().is_empty());
        self.lost += lost.count();
        self.by_digest.insert(digest.to_owned(), (number, places));
    }

    /// Whether a place of a document lies in a paragraph of an article.
    #[must_use]
    pub fn lies_in(&self, digest: &str, place: (usize, usize), of: (usize, usize)) -> bool {
        let Some((article, places)) = self.by_digest.get(digest) else { return false };
        let paragraph = places.get(of.1).copied().flatten();
        *article == of.0
            && paragraph.is_some_and(|range| range.start < place.1 && place.0 < range.end)
    }

    /// How many paragraphs were not found in their documents.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::squad::Paragraph;

    fn article(contexts: &[&str]) -> Article {
        let paragraph =
            |context: &&str| Paragraph { context: (*context).to_owned(), questions: Vec::new() };
        Article { title: "A_b".into(), paragraphs: contexts.iter().map(paragraph).collect() }
    }

    #[test]
    fn paragraphs_are_found_in_the_text_that_a_parser_makes() {
        let article = article(&["1. It *was*  so,\nor [not] <b>.", "| a | # b", "1. It *was* so"]);
        let text = markdown(3, &article);
        let bytes = text.as_bytes();
        let source = allod_corpus::Source { path: "a.md", bytes, sidecar: None };
        let document = allod_corpus::read(&source).unwrap();
        let places = places(&document.text, &article);
        let shown = |at: usize| places[at].map(|r| &document.text[r.start..r.end]);
        assert_eq!(shown(0), Some("1. It *was* so, or [not] <b>."));
        assert_eq!(shown(1), Some("| a | # b"));
        assert_eq!(shown(2), Some("1. It *was* so"));
        assert_eq!(document.metadata.title, "A b");
        assert_eq!(article_of(&format!("/x/{}", file_name(3, &article))), Some(3));
    }

    #[test]
    fn a_place_lies_in_its_paragraph_only() {
        let mut paragraphs = Paragraphs::default();
        paragraphs.note("d", 0, "A b\n\nOne two.\n\nThree.", &article(&["One  two.", "Three."]));
        assert!(
            paragraphs.lies_in("d", (5, 8), (0, 0)) && !paragraphs.lies_in("d", (5, 8), (0, 1))
        );
        assert!(
            !paragraphs.lies_in("d", (5, 8), (1, 0)) && !paragraphs.lies_in("e", (5, 8), (0, 0))
        );
        assert_eq!(paragraphs.lost(), 0);
    }
}
