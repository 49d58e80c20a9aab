//! Reads and parses a batch of files, on all cores.

use super::files::File;
use super::{IngestOptions, Progress, ReadFile, ReadPart, Reread, reason};
use crate::analysis::{self, is_stop_word, words};
use crate::compartment::{DocumentEntry, PassageEntry, PreparedDocument, PreparedPassage};
use crate::question::term;
use allod_corpus::{Digest, Document, Language, Passage, Source};
use allod_store::{DocumentRow, DocumentState, VersionRow};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io::Read;

/// The largest file that is read; the parsers have the same limit.
const FILE_BYTES: u64 = 64 << 20;

/// A file that was looked at.
pub(super) struct Prepared {
    /// Its new row.
    pub(super) row: DocumentRow,
    pub(super) outcome: Outcome,
    /// Whether there was a row that was not retired.
    pub(super) known: bool,
}

/// What looking at a file gave.
pub(super) enum Outcome {
    /// The same bytes as before.
    Same,
    /// A version to write. Boxed, because it is large.
    Version(Box<Version>),
    /// It could not be read; the row says why.
    Unreadable,
}

/// A version to write to the store and to the index.
pub(super) struct Version {
    pub(super) row: VersionRow,
    pub(super) document: PreparedDocument,
}

/// Looks at every file of the batch, in order.
pub(super) fn batch(
    files: &[&File],
    known: &BTreeMap<&str, &DocumentRow>,
    options: &IngestOptions,
    progress: &dyn Progress,
) -> Vec<Prepared> {
    files
        .par_iter()
        .map(|file| {
            let prepared = prepare(file, known.get(file.path.as_str()).copied(), options);
            progress.advance(&file.path);
            prepared
        })
        .collect()
}

fn prepare(file: &File, before: Option<&DocumentRow>, options: &IngestOptions) -> Prepared {
    let before = before.filter(|row| row.state != DocumentState::Retired);
    let row = DocumentRow {
        path: file.path.clone(),
        source_digest: String::new(),
        source_bytes: file.stamp.bytes,
        modified_ns: file.stamp.modified_ns,
        state: DocumentState::Current,
        digest: None,
        reason: None,
    };
    let (row, outcome) = match read_bytes(file) {
        Err(reason) => unreadable(row, reason),
        Ok(bytes) => {
            let row = DocumentRow { source_digest: bytes.digest(), ..row };
            let may_skip = options.reread == Reread::Changed;
            match before.filter(|b| may_skip && b.source_digest == row.source_digest) {
                Some(before) => same(row, before),
                None => parse(row, &bytes, options.reader.as_ref()),
            }
        }
    };
    Prepared { row, outcome, known: before.is_some() }
}

fn unreadable(row: DocumentRow, reason: String) -> (DocumentRow, Outcome) {
    let row = DocumentRow { state: DocumentState::Unreadable, reason: Some(reason), ..row };
    (row, Outcome::Unreadable)
}

fn same(row: DocumentRow, before: &DocumentRow) -> (DocumentRow, Outcome) {
    let DocumentRow { state, digest, reason, .. } = before.clone();
    (DocumentRow { state, digest, reason, ..row }, Outcome::Same)
}

fn parse(row: DocumentRow, bytes: &FileBytes, reader: &dyn ReadFile) -> (DocumentRow, Outcome) {
    let sidecar = match bytes.sidecar.as_deref().map(std::str::from_utf8).transpose() {
        Ok(sidecar) => sidecar,
        Err(_) => return unreadable(row, "its .meta.yaml is not UTF-8".to_owned()),
    };
    let source = Source { path: &row.path, bytes: &bytes.own, sidecar };
    let read = reader.read(&source).pop().unwrap_or_else(|| ReadPart::refused("nothing is in it"));
    match read.document {
        Err(reason) => unreadable(row, reason),
        Ok(document) => {
            let version = version_row(&row.path, &document);
            let reason = document.pages.as_ref().and_then(|pages| pages.lacks());
            let row = DocumentRow { digest: Some(version.digest.clone()), reason, ..row };
            let document = index_entries(&row.path, &document);
            (row, Outcome::Version(Box::new(Version { row: version, document })))
        }
    }
}

struct FileBytes {
    own: Vec<u8>,
    sidecar: Option<Vec<u8>>,
}

impl FileBytes {
    /// Digest of the file and its sidecar.
    fn digest(&self) -> String {
        let own = Digest::of(&self.own).to_string();
        match &self.sidecar {
            None => own,
            Some(sidecar) => {
                Digest::of(format!("{own} {}", Digest::of(sidecar)).as_bytes()).to_string()
            }
        }
    }
}

fn read_bytes(file: &File) -> Result<FileBytes, String> {
    let limit = FILE_BYTES;
    if file.stamp.bytes > limit {
        return Err(format!(
            "the file has {} bytes, the limit is {limit}: split it into smaller documents",
            file.stamp.bytes
        ));
    }
    let read = |place: &std::path::Path| -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let mut open = std::fs::File::open(place).map_err(|e| reason(&e))?.take(limit + 1);
        open.read_to_end(&mut bytes).map_err(|e| reason(&e))?;
        Ok(bytes)
    };
    let sidecar = file.sidecar.as_deref().map(read).transpose()?;
    Ok(FileBytes { own: read(&file.place)?, sidecar })
}

fn version_row(path: &str, document: &Document) -> VersionRow {
    let metadata = &document.metadata;
    let json = "metadata, blocks and pages have only string keys";
    VersionRow {
        digest: document.digest.to_string(),
        path: path.to_owned(),
        title: metadata.title.clone(),
        language: metadata.language.code().to_owned(),
        label: metadata.label.clone(),
        valid_from: metadata.valid_from.map(|date| date.to_string()),
        valid_until: metadata.valid_until.map(|date| date.to_string()),
        metadata_json: serde_json::to_string(metadata).expect(json),
        blocks_json: serde_json::to_string(&document.blocks).expect(json),
        pages_json: document.pages.as_ref().map(|pages| serde_json::to_string(pages).expect(json)),
        text: document.text.clone(),
        ingested_at: jiff::Timestamp::now().to_string(),
    }
}

/// A document's entries in the index.
pub(super) fn index_entries(path: &str, document: &Document) -> PreparedDocument {
    let passages = allod_corpus::passages(document);
    let own = DocumentEntry {
        path: path.to_owned(),
        digest: document.digest.to_string(),
        passages: passages.len(),
        amends: document.metadata.amends.clone(),
    };
    PreparedDocument {
        path: path.to_owned(),
        entry: serde_json::to_string(&own).expect("an entry has only string keys"),
        digest: own.digest,
        passages: passages.iter().map(|passage| prepare_passage(path, document, passage)).collect(),
    }
}

fn prepare_passage(path: &str, document: &Document, passage: &Passage) -> PreparedPassage {
    let metadata = &document.metadata;
    let entry = PassageEntry {
        path: path.to_owned(),
        title: metadata.title.clone(),
        digest: document.digest.to_string(),
        language: metadata.language,
        start: passage.range.start,
        end: passage.range.end,
        place: passage.place.clone(),
        heading_path: passage.heading_path.clone(),
        introduction: passage.introduction.map(|range| document.slice(range).to_owned()),
        valid_from: metadata.valid_from,
        valid_until: metadata.valid_until,
        text: document.slice(passage.range).to_owned(),
    };
    let body = words(&entry.text, entry.language);
    let head = words(&entry.above(), entry.language);
    PreparedPassage {
        // The empty stem counts the passages of a language.
        body: terms(&body, entry.language) + " " + &term("", entry.language),
        head: terms(&head, entry.language),
        plain: plain(&body, entry.language) + &plain(&head, entry.language),
        entry: serde_json::to_string(&entry).expect("an entry has only string keys"),
    }
}

fn terms(words: &[analysis::Word], language: Language) -> String {
    let content = words.iter().filter(|word| !is_stop_word(&word.folded, language));
    content.map(|word| term(&word.stem, language)).collect::<Vec<_>>().join(" ")
}

/// Words that may be asked for in another language: numbers, names, and words of some length.
fn plain(words: &[analysis::Word], language: Language) -> String {
    let mut plain = String::new();
    let content = words.iter().filter(|word| word.folded.len() > 2 || word.is_number());
    for word in content.filter(|word| !is_stop_word(&word.folded, language)) {
        plain.push_str(&word.folded);
        plain.push(' ');
    }
    plain
}
