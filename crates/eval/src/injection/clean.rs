//! Texts that hold no attack, to count false alarms on.

use std::path::Path;

use allod_corpus::Source;

use crate::squad::Squad;

/// A text that holds no attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanText {
    /// The set that it is of.
    pub set: String,
    /// The text.
    pub text: String,
}

/// The paragraphs of a file in SQuAD layout, or the blocks of a document, or of all documents of a
/// folder. What cannot be read is left out.
///
/// # Errors
/// When the file or folder cannot be read.
pub fn clean_texts(path: &Path) -> std::io::Result<Vec<CleanText>> {
    let set = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut texts = Vec::new();
    collect(path, &mut texts)?;
    Ok(texts.into_iter().map(|text| CleanText { set: set.clone(), text }).collect())
}

fn collect(path: &Path, texts: &mut Vec<String>) -> std::io::Result<()> {
    if path.is_dir() {
        let mut paths: Vec<_> =
            std::fs::read_dir(path)?.flatten().map(|file| file.path()).collect();
        paths.sort();
        return paths.iter().try_for_each(|path| collect(path, texts));
    }
    let bytes = std::fs::read(path)?;
    if path.extension().is_some_and(|ending| ending == "json") {
        let squad = std::str::from_utf8(&bytes).ok().and_then(|text| Squad::parse(text).ok());
        let articles = squad.into_iter().flat_map(|squad| squad.articles);
        texts.extend(articles.flat_map(|a| a.paragraphs).map(|paragraph| paragraph.context));
        return Ok(());
    }
    let name = path.to_string_lossy();
    let source = Source { path: &name, bytes: &bytes, sidecar: None };
    if let Ok(document) = allod_corpus::read(&source) {
        let block = |block: &allod_corpus::Block| block.range.slice(&document.text).map(Into::into);
        texts.extend(document.blocks.iter().filter_map(block));
    }
    Ok(())
}
