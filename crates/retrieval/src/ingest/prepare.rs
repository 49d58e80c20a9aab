//! Reads and parses a batch of files, on all cores.

use super::files::File;
use super::{IngestOptions, Known, Progress, ReadFile, ReadPart, Reread, reason};
use crate::analysis::{self, is_stop_word, words};
use crate::compartment::{DocumentEntry, PassageEntry, PreparedDocument, PreparedPassage};
use crate::question::term;
use crate::suspicion::{attempts, clear_line};
use allod_corpus::{Digest, Document, Language, Passage, Source};
use allod_store::{DocumentRow, DocumentState, VersionRow};
use rayon::prelude::*;
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

/// Looks at every file of the batch, in order; a file may hold several documents.
pub(super) fn batch(
    files: &[&File],
    known: &Known,
    options: &IngestOptions,
    progress: &dyn Progress,
) -> Vec<Prepared> {
    let prepared = files.par_iter().map(|file| {
        let prepared = prepare(file, &known.of(&file.path), options);
        progress.advance(&file.path);
        prepared
    });
    prepared.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// Documents that are no files, in order.
pub(super) fn given(
    documents: Vec<(String, Document)>,
    known: impl Fn(&str) -> allod_store::Result<Option<DocumentRow>>,
) -> Result<Vec<Prepared>, allod_store::Error> {
    let mut before = Vec::with_capacity(documents.len());
    for (path, _) in &documents {
        before.push(known(path)?.is_some_and(|row| row.state != DocumentState::Retired));
    }
    let one = |((path, document), known): (&(String, Document), &bool)| {
        let version = version_row(path, document);
        let row = DocumentRow {
            path: path.clone(),
            source_digest: version.digest.clone(),
            source_bytes: document.text.len() as u64,
            modified_ns: 0,
            state: DocumentState::Current,
            digest: Some(version.digest.clone()),
            reason: None,
        };
        let document = index_entries(path, document);
        let outcome = Outcome::Version(Box::new(Version { row: version, document }));
        Prepared { row, outcome, known: *known }
    };
    Ok(documents.par_iter().zip(&before).map(one).collect())
}

/// The documents of a file: those that it holds now.
fn prepare(file: &File, before: &[&DocumentRow], options: &IngestOptions) -> Vec<Prepared> {
    let row = DocumentRow {
        path: file.path.clone(),
        source_digest: String::new(),
        source_bytes: file.stamp.bytes,
        modified_ns: file.stamp.modified_ns,
        state: DocumentState::Current,
        digest: None,
        reason: None,
    };
    let known = |path: &str| before.iter().any(|row| row.path == path);
    let bytes = match read_bytes(file) {
        Ok(bytes) => bytes,
        Err(reason) => {
            let known = known(&row.path);
            let (row, outcome) = unreadable(row, reason);
            return vec![Prepared { row, outcome, known }];
        }
    };
    let row = DocumentRow { source_digest: bytes.digest(), ..row };
    let is_same = |before: &&DocumentRow| before.source_digest == row.source_digest;
    if options.reread == Reread::Changed && !before.is_empty() && before.iter().all(is_same) {
        let same = before.iter().map(|before| {
            let (row, outcome) = same(row.clone(), before);
            Prepared { row, outcome, known: true }
        });
        return same.collect();
    }
    let parsed = parse(row, &bytes, options.reader.as_ref()).into_iter().map(|(row, outcome)| {
        let known = known(&row.path);
        Prepared { row, outcome, known }
    });
    parsed.collect()
}

fn unreadable(row: DocumentRow, reason: String) -> (DocumentRow, Outcome) {
    let row = DocumentRow { state: DocumentState::Unreadable, reason: Some(reason), ..row };
    (row, Outcome::Unreadable)
}

fn same(row: DocumentRow, before: &DocumentRow) -> (DocumentRow, Outcome) {
    let DocumentRow { path, state, digest, reason, .. } = before.clone();
    (DocumentRow { path, state, digest, reason, ..row }, Outcome::Same)
}

fn parse(
    row: DocumentRow,
    bytes: &FileBytes,
    reader: &dyn ReadFile,
) -> Vec<(DocumentRow, Outcome)> {
    let sidecar = match bytes.sidecar.as_deref().map(std::str::from_utf8).transpose() {
        Ok(sidecar) => sidecar,
        Err(_) => return vec![unreadable(row, "its .meta.yaml is not UTF-8".to_owned())],
    };
    let source = Source { path: &row.path, bytes: &bytes.own, sidecar };
    let mut parts = reader.read(&source);
    if parts.is_empty() {
        parts.push(ReadPart::refused("nothing is in it"));
    }
    parts.into_iter().map(|part| part_row(&row, part)).collect()
}

/// The row of a document in a file: its path is the file's and the way from there.
fn part_row(file: &DocumentRow, part: ReadPart) -> (DocumentRow, Outcome) {
    let path = match part.path.as_str() {
        "" => file.path.clone(),
        inside => format!("{}/{inside}", file.path),
    };
    let row = DocumentRow { path, ..file.clone() };
    match part.document {
        Err(reason) => unreadable(row, reason),
        Ok(document) => {
            let version = version_row(&row.path, &document);
            let reason = lacks(&document);
            let row = DocumentRow { digest: Some(version.digest.clone()), reason, ..row };
            let document = index_entries(&row.path, &document);
            (row, Outcome::Version(Box::new(Version { row: version, document })))
        }
    }
}

/// What a document that was read lacks, in words.
fn lacks(document: &Document) -> Option<String> {
    let pages = document.pages.as_ref().and_then(|pages| pages.lacks());
    let left_out = &document.metadata.left_out;
    let left_out = (!left_out.is_empty()).then(|| format!("not read: {}", left_out.join(", ")));
    pages.or(left_out)
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
        state: document.metadata.work.clone().zip(document.metadata.valid_from),
    };
    PreparedDocument {
        path: path.to_owned(),
        title: clear_line(&document.metadata.title, document.metadata.language),
        entry: serde_json::to_string(&own).expect("an entry has only string keys"),
        digest: own.digest,
        passages: passages.iter().map(|passage| prepare_passage(path, document, passage)).collect(),
    }
}

fn prepare_passage(path: &str, document: &Document, passage: &Passage) -> PreparedPassage {
    let metadata = &document.metadata;
    let text = document.slice(passage.range);
    let clear = |line: &str| clear_line(line, metadata.language);
    let entry = PassageEntry {
        path: path.to_owned(),
        title: clear(&metadata.title),
        digest: document.digest.to_string(),
        language: metadata.language,
        source: metadata.source.clone(),
        start: passage.range.start,
        end: passage.range.end,
        place: passage.place.clone(),
        heading_path: passage.heading_path.iter().map(|heading| clear(heading)).collect(),
        introduction: passage.introduction.map(|range| clear(document.slice(range))),
        valid_from: metadata.valid_from,
        valid_until: metadata.valid_until,
        text: text.to_owned(),
        attempts: Some(attempts(text, metadata.language)),
    };
    let body = words(&entry.clear_text(), entry.language);
    let head = words(&entry.above(), entry.language);
    PreparedPassage {
        // The empty stem counts the passages of a language.
        body: terms(&body, entry.language) + " " + &term("", entry.language),
        head: terms(&head, entry.language),
        plain: plain(&body, entry.language) + &plain(&head, entry.language),
        meaning: entry.meaning(),
        codes: None,
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
