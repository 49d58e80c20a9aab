//! The passages that cases are made from: acts and documents as they lie in folders.

use std::path::{Path, PathBuf};

use allod_corpus::{ByteRange, Language, sentences};
use serde::Deserialize;

/// A paragraph of an act or document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Paragraph {
    /// The act or document.
    pub(super) document: String,
    /// The article or heading that it stands under.
    pub(super) place: String,
    pub(super) language: Language,
    pub(super) text: String,
}

/// A sentence with the paragraph and the article that it stands in.
#[derive(Clone, Debug)]
pub(super) struct Passage {
    pub(super) document: String,
    pub(super) place: String,
    pub(super) language: Language,
    pub(super) sentence: String,
    pub(super) paragraph: String,
    pub(super) article: String,
}

/// An article longer than this is cut: nobody cites more.
const ARTICLE_BYTES: usize = 2_400;
/// Folders are walked so deep and no deeper.
const DEPTH: usize = 8;
/// Files larger than this are not read.
const FILE_BYTES: u64 = 4 << 20;

/// The passages of all documents under a folder, in the order of their paths.
pub(super) fn passages(folder: &Path) -> std::io::Result<Vec<Passage>> {
    let mut files = Vec::new();
    walk(folder, DEPTH, &mut files)?;
    files.sort();
    let mut passages = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        passages.extend(of_paragraphs(&paragraphs(&file, &text)));
    }
    Ok(passages)
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() && depth > 0 {
            walk(&path, depth - 1, files)?;
        } else if kind.is_file() && entry.metadata()?.len() <= FILE_BYTES {
            files.push(path);
        }
    }
    Ok(())
}

fn paragraphs(path: &Path, text: &str) -> Vec<Paragraph> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let shown = path.to_string_lossy();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl") if name == "articles.jsonl" => articles(text),
        Some("rm") => lines(text),
        Some("md") => markdown(&shown, text),
        Some("html") if name == "en.html" || name == "fr.html" => html(&shown, text),
        _ => Vec::new(),
    }
}

#[derive(Deserialize)]
struct Article {
    art: String,
    lang: Language,
    text: String,
    #[serde(default)]
    law: String,
}

/// One article a line. Two halves of an act count as two documents, so that one can be fitted on
/// and the other reported.
fn articles(text: &str) -> Vec<Paragraph> {
    let read = |line: &str| serde_json::from_str::<Article>(line).ok();
    text.lines()
        .filter_map(read)
        .map(|article| {
            let number: u32 =
                article.art.trim_end_matches(char::is_alphabetic).parse().unwrap_or(0);
            Paragraph {
                document: format!("{} articles {}", article.law, number / 60),
                place: article.art,
                language: article.lang,
                text: article.text,
            }
        })
        .collect()
}

/// Aligned lines: a heading `Act: Art. 5`, then the lines of the article.
fn lines(text: &str) -> Vec<Paragraph> {
    let (mut document, mut place) = (String::new(), String::new());
    let mut paragraphs = Vec::new();
    for line in text.lines().map(str::trim) {
        match line.rsplit_once(": ") {
            Some((act, article)) if article.starts_with("Art. ") && line.len() < 200 => {
                (document, place) = (act.to_owned(), article.to_owned());
            }
            _ => {
                let text = line.trim_start_matches('^').to_owned();
                let (document, place) = (document.clone(), place.clone());
                paragraphs.push(Paragraph { document, place, language: Language::Rm, text });
            }
        }
    }
    paragraphs
}

/// Markdown: paragraphs under headings and `**Art. 5**` lines; tables and front matter are left
/// out.
fn markdown(path: &str, text: &str) -> Vec<Paragraph> {
    let body = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---"));
    let body = body.map_or(text, |(_, rest)| rest);
    let language = Language::detect(body);
    let mut paragraphs = Vec::new();
    let mut place = String::new();
    for block in body.split("\n\n") {
        let joined = block.split_whitespace().collect::<Vec<_>>().join(" ");
        if joined.starts_with('#') || (joined.starts_with("**") && joined.len() < 160) {
            place = joined;
        } else if !joined.starts_with(['|', ':', '>', '<']) {
            let text = joined.replace("**", "").replace('*', "");
            let (document, place) = (path.to_owned(), place.clone());
            paragraphs.push(Paragraph { document, place, language, text });
        }
    }
    paragraphs
}

/// Official acts in HTML: the paragraphs, without tags; a line `Article 5` begins an article.
fn html(path: &str, text: &str) -> Vec<Paragraph> {
    let language = if path.ends_with("en.html") { Language::En } else { Language::Fr };
    let mut place = String::new();
    let mut paragraphs = Vec::new();
    for piece in text.split("<p").skip(1) {
        let inner = piece.split_once('>').map_or("", |(_, rest)| rest);
        let inner = inner.split_once("</p>").map_or(inner, |(inner, _)| inner);
        let text = plain(inner);
        if text.starts_with("Article ") && text.len() < 20 {
            place = text;
        } else {
            let (document, place) = (path.to_owned(), place.clone());
            paragraphs.push(Paragraph { document, place, language, text });
        }
    }
    paragraphs
}

fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for character in html.chars() {
        match character {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => text.push(character),
            _ => {}
        }
    }
    let text = text.replace("&nbsp;", " ").replace("&#160;", " ").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn of_paragraphs(paragraphs: &[Paragraph]) -> Vec<Passage> {
    let mut passages = Vec::new();
    let place = |p: &Paragraph| (p.document.clone(), p.place.clone(), p.language);
    for run in paragraphs.chunk_by(|a, b| place(a) == place(b)) {
        let article = run.iter().map(|p| p.text.as_str()).collect::<Vec<_>>().join("\n");
        let article = cut(&article).to_owned();
        for paragraph in run {
            if paragraph.text.len() > ARTICLE_BYTES || !article.contains(&paragraph.text) {
                continue;
            }
            for sentence in sentences_of(&paragraph.text, paragraph.language) {
                if is_usable(sentence) {
                    passages.push(Passage {
                        document: paragraph.document.clone(),
                        place: paragraph.place.clone(),
                        language: paragraph.language,
                        sentence: bare(sentence).to_owned(),
                        paragraph: paragraph.text.clone(),
                        article: article.clone(),
                    });
                }
            }
        }
    }
    passages
}

fn sentences_of(text: &str, language: Language) -> impl Iterator<Item = &str> {
    let whole = ByteRange::new(0, text.len());
    sentences(text, whole, language).into_iter().map(|range| &text[range.start..range.end])
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(ARTICLE_BYTES)]
}

/// A sentence without its number.
fn bare(sentence: &str) -> &str {
    sentence.trim_start_matches(|c: char| c.is_ascii_digit() || "()^.- ".contains(c)).trim()
}

/// Whole sentences of a usual length, without the footnotes that some conversions leave in them.
fn is_usable(sentence: &str) -> bool {
    let text = bare(sentence);
    const NOTES: [&str; 14] = [
        "SR ",
        "AS ",
        "BBl",
        "RS ",
        "RO ",
        "FF ",
        "CS ",
        "Fassung",
        "Nouvelle teneur",
        "Nuovo testo",
        "Eingefügt",
        "Introduit",
        "Aufgehoben",
        "OJ ",
    ];
    let words = text.split(' ').count();
    (40..=280).contains(&text.len())
        && words >= 6
        && text.ends_with('.')
        && !text.ends_with("..")
        && text.starts_with(char::is_uppercase)
        && !NOTES.iter().any(|note| text.contains(note))
        && !text.contains([':', ';', '[', '|', '…', '«', '"'])
}
