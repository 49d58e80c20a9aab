//! Texts that say the same in several languages, part by part: a declaration by its articles,
//! sentences by their lines.

use super::documents::{FileFacts, find, read};
use super::works::{Kind, Version, Work};
use crate::error::{Error, Result};
use allod_lm::digest_bytes;
use allod_privacy::Shield;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The Universal Declaration of Human Rights, as `udhr2.zip` of NLTK holds it: a file's name and
/// its language. Its Romansh is of one valley and not the written standard that acts are in.
const DECLARATION: [(&str, usize); 4] =
    [("deu.txt", 0), ("fra.txt", 1), ("ita.txt", 2), ("eng.txt", 4)];
/// What its articles begin with.
const ARTICLES: [&str; 3] = ["Artikel ", "Article ", "Articolo "];
/// And how long such a line is at most, in bytes.
const ARTICLE_BYTES: usize = 40;

/// A text in several languages.
#[derive(Debug)]
pub(super) struct Parallel {
    pub(super) kind: Kind,
    /// For each part, its language and lines, once for each language.
    pub(super) parts: Vec<Vec<(usize, Vec<String>)>>,
}

impl Parallel {
    /// What lies in the folders, with digests and licences of the files.
    ///
    /// # Errors
    /// If a file cannot be read or its parts do not fit those of the other languages.
    pub(super) fn read(
        folders: &[PathBuf],
        facts: &mut BTreeMap<String, FileFacts>,
    ) -> Result<Vec<Parallel>> {
        let mut parts: Vec<Vec<(usize, Vec<String>)>> = Vec::new();
        for (name, language) in DECLARATION {
            let Some(path) = find(folders, name) else { continue };
            let text = read(&path)?;
            let licence = "nltk_data udhr2: public domain".to_string();
            let articles = articles(&text);
            if !parts.is_empty() && parts.len() != articles.len() {
                let what = format!("it has {} articles, not {}", articles.len(), parts.len());
                return Err(Error::Line { file: path, line: text.lines().count(), what });
            }
            parts.resize_with(articles.len(), Vec::new);
            let licences = BTreeMap::from([(licence, articles.len())]);
            let digest = digest_bytes(text.as_bytes());
            facts.insert(name.to_string(), FileFacts { digest, licences });
            let sides = articles.into_iter().map(|lines| (language, lines));
            parts.iter_mut().zip(sides).for_each(|(part, side)| part.push(side));
        }
        let declaration = Parallel { kind: Kind::Declaration, parts };
        Ok(if declaration.parts.is_empty() { vec![] } else { vec![declaration] })
    }

    /// Hides personal data; a part that may go nowhere is left out.
    pub(super) fn hide(&mut self, shield: &Shield) {
        let hidden = |text: &String| shield.cover("training").hide(text).ok();
        for (_, lines) in self.parts.iter_mut().flatten() {
            *lines = lines.iter().filter_map(hidden).collect();
        }
    }

    /// The text as an act without titles and headings.
    pub(super) fn work(self) -> Work {
        let version = |(language, lines)| Version { language, lines, ..Version::default() };
        let mut work = Work::new(self.kind);
        work.articles =
            self.parts.into_iter().map(|part| part.into_iter().map(version).collect()).collect();
        work
    }
}

/// The lines of the preamble and of each article.
fn articles(text: &str) -> Vec<Vec<String>> {
    let mut articles = vec![Vec::new()];
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if ARTICLES.iter().any(|word| line.starts_with(word)) && line.len() < ARTICLE_BYTES {
            articles.push(Vec::new());
        } else if let Some(article) = articles.last_mut() {
            article.push(line.to_string());
        }
    }
    articles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declaration(texts: &[(&str, &str)]) -> (Result<Vec<Parallel>>, usize) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in texts {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut facts = BTreeMap::new();
        (Parallel::read(&[folder.path().to_owned()], &mut facts), facts.len())
    }

    #[test]
    fn articles_of_a_declaration_stand_side_by_side() {
        let german = "Erklärung\n\n   Artikel 1\n   Alle sind frei.\n   Artikel 2\n   Alle\n";
        let english = "Declaration\n   Article 1\n   All are free.\n   Article 2\n   All\n";
        let (read, files) = declaration(&[("deu.txt", german), ("eng.txt", english)]);
        let work = read.unwrap().remove(0).work();
        assert_eq!((work.articles.len(), files), (3, 2));
        let lines: Vec<&[String]> = work.articles[1].iter().map(|v| v.lines.as_slice()).collect();
        assert_eq!(lines, [["Alle sind frei."], ["All are free."]]);
        assert!(declaration(&[]).0.unwrap().is_empty());
    }

    #[test]
    fn a_declaration_that_lacks_an_article_is_refused() {
        let (read, _) = declaration(&[("deu.txt", "Artikel 1\nA\n"), ("fra.txt", "Titre\n")]);
        assert!(matches!(read, Err(Error::Line { .. })));
    }
}
