//! Acts with their articles in every language that has them, prose, and aligned lines.

use super::articles::{Article, Manner, articles};
use super::documents::{Document, Files, GERMAN, ROMANSH};
use super::parallel::Parallel;
use std::collections::{BTreeSet, HashMap};

/// Paragraphs of prose shorter than this many bytes are left out.
const PROSE_BYTES: usize = 80;
/// One document in so many is taken from prose.
const PROSE_EVERY: usize = 4;
/// Aligned lines shorter than this many bytes say too little.
const LINE_BYTES: usize = 15;
/// The constitution is a measure in five languages: it is never trained on.
const CONSTITUTION: [&str; 2] =
    ["swiss:101", "Bundesverfassung der Schweizerischen Eidgenossenschaft"];

/// An article in one language.
#[derive(Debug, Default)]
pub(super) struct Version {
    pub(super) language: usize,
    pub(super) title: String,
    pub(super) heading: String,
    pub(super) lines: Vec<String>,
}

/// What the articles of a work are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Swiss,
    German,
    European,
    Romansh,
    Declaration,
}

/// An act: its articles, each in one or more languages.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) kind: Kind,
    pub(super) articles: Vec<Vec<Version>>,
    /// Where the article of a number stands.
    places: HashMap<String, usize>,
}

/// All that is trained on.
#[derive(Debug, Default)]
pub(super) struct Works {
    pub(super) works: Vec<Work>,
    /// Language and paragraphs of each work of prose.
    pub(super) prose: Vec<(usize, Vec<String>)>,
    /// German and Romansh lines of one act after the other.
    pub(super) lines: Vec<[String; 2]>,
}

impl Works {
    /// What stands in the files, without the acts whose numbers are held out.
    pub(super) fn of(files: Files, held_out: &BTreeSet<String>) -> Works {
        let mut works = Works::default();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut novels = 0;
        for document in files.documents {
            let Some(kind) = kind_of(&document.id) else {
                novels += 1;
                if novels % PROSE_EVERY == 0 {
                    works.prose.push((document.language, paragraphs(&document.text)));
                }
                continue;
            };
            if !is_held_out(&document.id, held_out) {
                let place = *places.entry(document.id.clone()).or_insert_with(|| {
                    works.works.push(Work::new(kind));
                    works.works.len() - 1
                });
                works.works[place].add(document);
            }
        }
        works.add_lines(&files.lines);
        works.works.extend(files.parallel.into_iter().map(Parallel::work));
        works.works.retain(|work| work.articles.len() > 1);
        works
    }

    /// Cuts the aligned lines into acts and articles; both languages have the same marks.
    fn add_lines(&mut self, lines: &[[String; 2]]) {
        let mut act = String::new();
        for [german, romansh] in lines {
            if let Some(title) = mark(german) {
                if title != act {
                    act = title.to_string();
                    self.works.push(Work::new(Kind::Romansh));
                }
                let titles = [title, mark(romansh).unwrap_or_default()];
                self.last_articles().push(empty_versions(titles));
            } else if !act.is_empty() && !act.starts_with(CONSTITUTION[1]) {
                self.add_line(german, romansh);
            }
        }
        for work in self.works.iter_mut().filter(|work| work.kind == Kind::Romansh) {
            work.articles.retain(|versions| versions.iter().all(|one| !one.lines.is_empty()));
        }
    }

    fn last_articles(&mut self) -> &mut Vec<Vec<Version>> {
        &mut self.works.last_mut().expect("a mark opened an act").articles
    }

    fn add_line(&mut self, german: &str, romansh: &str) {
        let Some(versions) = self.last_articles().last_mut() else { return };
        let heads = german.starts_with("Art. ") && german.len() < 200;
        for (version, line) in versions.iter_mut().zip([german, romansh]) {
            match heads {
                true => version.heading = line.splitn(3, ' ').nth(2).unwrap_or("").trim().into(),
                false => version.lines.push(bare(line)),
            }
        }
        if !heads && german.len() > LINE_BYTES {
            self.lines.push([bare(german), bare(romansh)]);
        }
    }
}

impl Work {
    pub(super) fn new(kind: Kind) -> Work {
        Work { kind, articles: vec![], places: HashMap::new() }
    }

    /// The versions of the article with a number.
    fn versions(&mut self, key: &str) -> &mut Vec<Version> {
        let next = self.articles.len();
        let place = *self.places.entry(key.to_string()).or_insert(next);
        if place == next {
            self.articles.push(vec![]);
        }
        &mut self.articles[place]
    }

    /// Adds a document's articles beside the same articles of other languages.
    fn add(&mut self, document: Document) {
        let manner = match self.kind {
            Kind::European => Manner::European,
            _ => Manner::National,
        };
        let mut seen = BTreeSet::new();
        for Article { key, heading, lines } in articles(&document.text, manner) {
            if seen.insert(key.clone()) {
                let title = document.title.clone();
                let version = Version { language: document.language, title, heading, lines };
                self.versions(&key).push(version);
            }
        }
    }
}

fn kind_of(id: &str) -> Option<Kind> {
    match id.split(':').next()? {
        "swiss" => Some(Kind::Swiss),
        "gesetze" => Some(Kind::German),
        "eu" => Some(Kind::European),
        _ => None,
    }
}

fn is_held_out(id: &str, held_out: &BTreeSet<String>) -> bool {
    let number = id.split_once(':').map_or(id, |(_, number)| number);
    id == CONSTITUTION[0] || held_out.contains(number)
}

fn paragraphs(text: &str) -> Vec<String> {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    paragraphs.filter(|paragraph| paragraph.len() > PROSE_BYTES).collect()
}

/// The title in a line "title: Art. 5" that opens an article of the aligned lines.
fn mark(line: &str) -> Option<&str> {
    let (title, place) = line.rsplit_once(": ")?;
    let opens = place.starts_with("Art. ") || place == "Titel";
    (opens && line.len() < 400).then_some(title)
}

fn empty_versions(titles: [&str; 2]) -> Vec<Version> {
    let version = |(language, title): (usize, &str)| Version {
        language,
        title: title.to_string(),
        ..Version::default()
    };
    [GERMAN, ROMANSH].into_iter().zip(titles).map(version).collect()
}

fn bare(line: &str) -> String {
    line.trim().trim_start_matches('^').to_string()
}
