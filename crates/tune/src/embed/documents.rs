//! The training data's files: documents as JSON lines, and two texts aligned line by line.

use super::parallel::Parallel;
use crate::error::{Error, Result};
use allod_lm::digest_bytes;
use allod_privacy::Shield;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Languages of the training data; the number stands in counts and texts.
pub(super) const LANGUAGES: [&str; 5] = ["de", "fr", "it", "rm", "en"];
pub(super) const GERMAN: usize = 0;
pub(super) const ROMANSH: usize = 3;
/// The languages that are read from documents. Those in Romansh are left out: most are under a
/// share-alike licence; Romansh is learned from the aligned lines of official texts.
const READ: [usize; 4] = [0, 1, 2, 4];

/// One document, whole.
#[derive(Debug)]
pub(super) struct Document {
    /// Without the language and the number of a part.
    pub(super) id: String,
    pub(super) language: usize,
    pub(super) title: String,
    pub(super) text: String,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) documents: Vec<Document>,
    /// German and Romansh, line by line.
    pub(super) lines: Vec<[String; 2]>,
    /// Texts in several languages.
    pub(super) parallel: Vec<Parallel>,
    /// Digest and licences of each file, by its name.
    pub(super) facts: BTreeMap<String, FileFacts>,
}

/// What the artifact says of a training file.
#[derive(Debug, Default, serde::Serialize)]
pub(super) struct FileFacts {
    pub(super) digest: String,
    /// Documents or lines by source and licence.
    pub(super) licences: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Line {
    id: String,
    source: String,
    license: String,
    title: String,
    text: String,
}

impl Files {
    /// Reads `de|fr|it|en.train.jsonl` and `GT.de` with `GT.rm` from the folders that hold them.
    ///
    /// # Errors
    /// If nothing is there, or a file is damaged.
    pub(super) fn read(folders: &[PathBuf]) -> Result<Files> {
        let mut files = Files::default();
        for language in READ {
            let name = format!("{}.train.jsonl", LANGUAGES[language]);
            if let Some(path) = find(folders, &name) {
                files.read_documents(&path, &name, language)?;
            }
        }
        if let (Some(german), Some(romansh)) = (find(folders, "GT.de"), find(folders, "GT.rm")) {
            files.read_lines(&german, &romansh)?;
        }
        files.parallel = Parallel::read(folders, &mut files.facts)?;
        match files.documents.is_empty() {
            true => Err(Error::Data(
                "no de, fr, it or en.train.jsonl lies in the folders (unpack .zst files first)"
                    .to_string(),
            )),
            false => Ok(files),
        }
    }

    /// Hides personal data; a text that may go nowhere is left out.
    pub(super) fn hide(&mut self, shield: &Shield) {
        let hidden = |text: &str| shield.cover("training").hide(text).ok();
        self.documents.retain_mut(|document| {
            let texts = hidden(&document.title).zip(hidden(&document.text));
            texts.map(|(title, text)| (document.title, document.text) = (title, text)).is_some()
        });
        self.lines.retain_mut(|lines| {
            let both = hidden(&lines[0]).zip(hidden(&lines[1]));
            both.map(|(one, two)| *lines = [one, two]).is_some()
        });
        self.parallel.iter_mut().for_each(|text| text.hide(shield));
    }

    fn read_documents(&mut self, path: &Path, name: &str, language: usize) -> Result<()> {
        let text = read(path)?;
        let mut facts = FileFacts { digest: digest_bytes(text.as_bytes()), ..Default::default() };
        let mut parts: BTreeMap<String, (usize, String, BTreeMap<usize, String>)> = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line: Line = serde_json::from_str(line).map_err(|error| Error::Line {
                file: path.to_path_buf(),
                line: number + 1,
                what: error.to_string(),
            })?;
            *facts.licences.entry(format!("{}: {}", line.source, line.license)).or_default() += 1;
            let (id, part) = whole_and_part(&line.id);
            let place = parts.entry(id).or_insert((number, line.title, BTreeMap::new()));
            place.2.insert(part, line.text);
        }
        self.facts.insert(name.to_string(), facts);
        let mut wholes: Vec<_> = parts.into_iter().collect();
        wholes.sort_by_key(|(_, (number, _, _))| *number);
        self.documents.extend(wholes.into_iter().map(|(id, (_, title, parts))| {
            let parts: Vec<String> = parts.into_values().collect();
            Document { id, language, title, text: parts.join("\n\n") }
        }));
        Ok(())
    }

    fn read_lines(&mut self, german: &Path, romansh: &Path) -> Result<()> {
        let texts = [read(german)?, read(romansh)?];
        let counts = [texts[0].lines().count(), texts[1].lines().count()];
        if counts[0] != counts[1] {
            let what = format!("it has {} lines, the other language {}", counts[0], counts[1]);
            return Err(Error::Line { file: german.to_path_buf(), line: counts[0], what });
        }
        for (name, text) in ["GT.de", "GT.rm"].into_iter().zip(&texts) {
            let licence = "ZurichNLP/RumantschCorpora: public domain (Art. 5 URG/LDA)".to_string();
            let licences = BTreeMap::from([(licence, counts[0])]);
            let facts = FileFacts { digest: digest_bytes(text.as_bytes()), licences };
            self.facts.insert(name.to_string(), facts);
        }
        let pairs = texts[0].lines().zip(texts[1].lines());
        self.lines = pairs.map(|(a, b)| [a.to_string(), b.to_string()]).collect();
        Ok(())
    }
}

/// "swiss:101:de#2/3" is part 2 of "swiss:101".
fn whole_and_part(id: &str) -> (String, usize) {
    let (base, part) = id.split_once('#').unwrap_or((id, "1"));
    let part = part.split('/').next().and_then(|part| part.parse().ok()).unwrap_or(1);
    let whole: Vec<&str> = base.split(':').take(2).collect();
    (whole.join(":"), part)
}

pub(super) fn find(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

pub(super) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| Error::Io { file: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_privacy::Action;

    #[test]
    fn personal_data_is_hidden_or_its_text_left_out() {
        let files = || Files {
            documents: vec![Document {
                id: "a".into(),
                language: 0,
                title: "Brief".into(),
                text: "AHV 756.9217.0769.85".into(),
            }],
            lines: vec![["Guten Tag".into(), "Bun di anna@example.ch".into()]],
            ..Files::default()
        };
        let mut redacted = files();
        redacted.hide(&Shield::new(Action::Redact, &[]).unwrap());
        assert_eq!(redacted.documents[0].text, "AHV [AHV]");
        assert!(!redacted.lines[0][1].contains('@'));
        let mut blocked = files();
        blocked.hide(&Shield::new(Action::Block, &[]).unwrap());
        assert!(blocked.documents.is_empty() && blocked.lines.is_empty());
    }
}
