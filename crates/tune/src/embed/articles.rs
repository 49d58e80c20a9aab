//! Acts cut into articles: Swiss ("Art. 5 Zweck"), German ("§ 5 Zweck") and European ("Article 5"
//! with its subject on the next line, recitals before).

/// An article of one act in one language.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Article {
    /// What the article is called in every language: "5", "5a", "r12" for a recital.
    pub(super) key: String,
    /// May be empty.
    pub(super) heading: String,
    /// Paragraphs and list items.
    pub(super) lines: Vec<String>,
}

/// How an act is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    National,
    European,
}

/// Bytes of an article's number at most.
const KEY_BYTES: usize = 8;
/// Bytes of a heading at most.
const HEADING_BYTES: usize = 200;
/// What titles of chapters and annexes begin with, after a number where one stands before.
const DIVISIONS: [&str; 23] = [
    "Section",
    "Chapitre",
    "Titre",
    "Partie",
    "Capitolo",
    "Sezione",
    "Titolo",
    "Parte",
    "Annex",
    "Anhang",
    "Allegato",
    "Abschnitt",
    "Kapitel",
    "Titel",
    "Teil",
    "CHAPTER",
    "TITLE",
    "CHAPITRE",
    "TITRE",
    "SECTION",
    "ANNEX",
    "Chapter",
    "Part ",
];
/// What ends the articles.
const ENDS: [&str; 6] = ["Anhang", "Annex", "Allegato", "ANNEX", "Done at", "Fait à"];

pub(super) fn articles(text: &str, manner: Manner) -> Vec<Article> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut articles = match manner {
        Manner::National => national(lines),
        Manner::European => european(lines),
    };
    articles.retain(|article| !article.lines.is_empty());
    articles
}

fn national<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Article> {
    let mut articles: Vec<Article> = Vec::new();
    let mut open = false;
    for line in lines {
        if let Some(article) = national_start(line) {
            articles.push(article);
            open = true;
        } else if is_division(line) {
            open &= !ends(line);
        } else if let (true, Some(article)) = (open, articles.last_mut()) {
            article.lines.push(line.to_string());
        }
    }
    articles
}

fn national_start(line: &str) -> Option<Article> {
    let rest = line.strip_prefix("Art. ").or_else(|| line.strip_prefix("§ "))?;
    let (key, heading) = rest.split_once(' ').unwrap_or((rest, ""));
    let fits = is_number(key) && heading.len() <= HEADING_BYTES;
    let article = || Article { key: key.into(), heading: heading.trim().into(), lines: vec![] };
    fits.then(article)
}

fn is_number(key: &str) -> bool {
    key.len() < KEY_BYTES && key.starts_with(|letter: char| letter.is_ascii_digit())
}

fn european<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Article> {
    let mut articles: Vec<Article> = Vec::new();
    let mut at = Place::Preamble;
    for line in lines {
        if let Some(key) = european_key(line) {
            articles.push(Article { key: key.to_string(), ..Article::default() });
            at = Place::Heading;
            continue;
        }
        if at == Place::Preamble {
            articles.extend(recital(line));
            continue;
        }
        if ends(line) {
            at = Place::After;
        }
        let heads = at == Place::Heading && is_subject(line);
        if at == Place::Heading {
            at = Place::Body;
        }
        let Some(article) = articles.last_mut() else { continue };
        if heads {
            article.heading = line.to_string();
        } else if at == Place::Body && !is_division(line) {
            article.lines.push(line.to_string());
        }
    }
    articles
}

/// Where a line of a European act stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Preamble,
    Heading,
    Body,
    After,
}

fn european_key(line: &str) -> Option<&str> {
    match line.strip_prefix("Article ")? {
        "premier" => Some("1"),
        key => is_number(key).then_some(key),
    }
}

/// "(12) Whereas …"
fn recital(line: &str) -> Option<Article> {
    let (number, text) = line.strip_prefix('(')?.split_once(')')?;
    let counts = !number.is_empty() && number.len() < 4;
    let counts = counts && number.chars().all(|letter| letter.is_ascii_digit());
    let lines = vec![text.trim().to_string()];
    counts.then(|| Article { key: format!("r{number}"), heading: String::new(), lines })
}

/// Whether the line after "Article 5" is its subject and not yet its text.
fn is_subject(line: &str) -> bool {
    line.len() < 160
        && !line.ends_with(['.', ':', ';'])
        && !line.starts_with(|letter: char| letter.is_ascii_digit() || letter == '(')
}

/// Whether a line is the title of a chapter or an annex.
fn is_division(line: &str) -> bool {
    let begins = |line: &str| DIVISIONS.iter().any(|word| line.starts_with(word));
    let after_number = || {
        let (number, rest) = line.split_once(". ")?;
        number.chars().all(|letter| letter.is_ascii_digit()).then(|| begins(rest))
    };
    line.len() <= 120 && (begins(line) || after_number().unwrap_or(false))
}

fn ends(line: &str) -> bool {
    ENDS.iter().any(|word| line.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn article(key: &str, heading: &str, lines: &[&str]) -> Article {
        let lines = lines.iter().map(|line| line.to_string()).collect();
        Article { key: key.into(), heading: heading.into(), lines }
    }

    #[test]
    fn national_acts_are_cut_at_their_articles() {
        let text = "Gesetz über Wege\n\n1. Abschnitt: Allgemeines\n\n\
                    Art. 1 Zweck\n\n1 Es regelt Wege.\na. Stege\n\n\
                    Art. 2a\n\nWege sind frei.\n\nAnhang 1\n\nListe";
        let expected = vec![
            article("1", "Zweck", &["1 Es regelt Wege.", "a. Stege"]),
            article("2a", "", &["Wege sind frei."]),
        ];
        assert_eq!(articles(text, Manner::National), expected);
        assert_eq!(articles("§ 3 Gebühr\nSie ist klein.", Manner::National)[0].heading, "Gebühr");
    }

    #[test]
    fn european_acts_have_recitals_and_subjects() {
        let text = "REGULATION\n(1) Roads matter.\nArticle premier\n\nSubject\n\n\
                    1. It lays down rules.\n\nArticle 2\n1. Roads are free.\n\
                    Done at Bern\nThe President";
        let expected = vec![
            article("r1", "", &["Roads matter."]),
            article("1", "Subject", &["1. It lays down rules."]),
            article("2", "", &["1. Roads are free."]),
        ];
        assert_eq!(articles(text, Manner::European), expected);
    }
}
