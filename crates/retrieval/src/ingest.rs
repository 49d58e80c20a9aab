//! Ingest: files in, versions in the store, passages in the index.
//!
//! A batch goes in an order that a crash at any point leaves safe: first the intent is recorded,
//! then every document of the batch that leaves a compartment is removed from it, then the store
//! takes the rows, then the index takes the passages, then the intent is cleared. The next ingest
//! completes what an intent left open.

mod files;
mod lock;
mod prepare;
mod reader;
mod rows;
mod write;

#[cfg(test)]
mod tests;

use crate::error::Result;
use crate::library::Library;
use allod_corpus::Document;
use allod_store::{DocumentRow, DocumentState};
use files::{Found, Stamp};
pub use reader::{InProcess, ReadFile, ReadPart};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use write::Writer;

/// So many bytes of files are read, written and committed together, more only for one large file.
const BATCH_BYTES: u64 = 24 << 20;
/// And at most so many files.
const BATCH_FILES: usize = 400;

/// Documents that are no files are often single passages.
const ADDED_DOCUMENTS: usize = 8192;

/// Which files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reread {
    /// Only those that are new or look changed by size, time or content.
    #[default]
    Changed,
    /// All, as after an update of the parsers.
    All,
}

/// How to ingest.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// Which files are read.
    pub reread: Reread,
    /// Who reads them: this process, unless another one is given.
    pub reader: Arc<dyn ReadFile>,
}

impl Default for IngestOptions {
    fn default() -> IngestOptions {
        IngestOptions { reread: Reread::default(), reader: Arc::new(InProcess) }
    }
}

/// Told how far an ingest is; called from several threads.
pub trait Progress: Sync {
    /// So many files will be looked at.
    fn begin(&self, files: usize);
    /// One file is done.
    fn advance(&self, path: &str);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _files: usize) {}
    fn advance(&self, _path: &str) {}
}

/// What an ingest did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct IngestReport {
    /// Documents that were not there before, or were retired.
    pub added: usize,
    /// Documents with new text or new metadata.
    pub changed: usize,
    /// Documents left as they were.
    pub unchanged: usize,
    /// Documents whose files are gone.
    pub retired: usize,
    /// Files that could not be read, and why; unchanged ones are named again.
    pub unreadable: Vec<UnreadableFile>,
    /// Documents that were read but lack something: scanned pages, attachments; what they lack.
    pub incomplete: Vec<UnreadableFile>,
    /// Time taken.
    pub seconds: f64,
}

/// A file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadableFile {
    /// Its path.
    pub path: String,
    /// Why, and what to do.
    pub reason: String,
}

pub(crate) fn run(
    library: &Library,
    roots: &[PathBuf],
    options: &IngestOptions,
    progress: &dyn Progress,
) -> Result<IngestReport> {
    let begin = Instant::now();
    let _lock = lock::take(&library.index_folder)?;
    let found = files::find(roots)?;
    let mut writer = Writer::open(library)?;
    let rows = library.store.documents()?;
    let known = Known::of_rows(&rows);
    progress.begin(found.files.len());
    let mut report = IngestReport { unreadable: found.refused.clone(), ..IngestReport::default() };
    let mut to_read = Vec::new();
    let mut there: BTreeSet<String> = BTreeSet::new();
    for file in &found.files {
        let before = known.of(&file.path);
        let is_unchanged = |row: &&DocumentRow| looks_unchanged(row, &file.stamp);
        let all_unchanged = !before.is_empty() && before.iter().all(is_unchanged);
        if options.reread == Reread::Changed && all_unchanged {
            for row in before {
                count_unchanged(&mut report, row);
                there.insert(row.path.clone());
            }
            progress.advance(&file.path);
        } else {
            to_read.push(file);
        }
    }
    for batch in batches(&to_read) {
        let prepared = prepare::batch(&batch, &known, options, progress);
        there.extend(prepared.iter().map(|prepared| prepared.row.path.clone()));
        writer.write(prepared, &mut report)?;
    }
    retire(&mut writer, &found, &rows, &there, &mut report)?;
    writer.finish()?;
    report.unreadable.sort_by(|a, b| a.path.cmp(&b.path));
    report.seconds = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// Takes documents in that are no files: each with the path that it shall be known by.
pub(crate) fn add(
    library: &Library,
    documents: &mut dyn Iterator<Item = (String, Document)>,
) -> Result<IngestReport> {
    let begin = Instant::now();
    let _lock = lock::take(&library.index_folder)?;
    let mut writer = Writer::open(library)?;
    let mut report = IngestReport::default();
    loop {
        let mut bytes = 0;
        let mut batch = Vec::new();
        while batch.len() < ADDED_DOCUMENTS && bytes < BATCH_BYTES {
            let Some((path, document)) = documents.next() else { break };
            bytes += document.text.len() as u64;
            batch.push((path, document));
        }
        if batch.is_empty() {
            break;
        }
        let known = |path: &str| library.store.document(path);
        writer.write(prepare::given(batch, known)?, &mut report)?;
    }
    writer.finish()?;
    report.seconds = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// The documents that the store knows and that are not retired.
struct Known<'a>(BTreeMap<&'a str, &'a DocumentRow>);

impl<'a> Known<'a> {
    fn of_rows(rows: &'a [DocumentRow]) -> Known<'a> {
        let current = rows.iter().filter(|row| row.state != DocumentState::Retired);
        Known(current.map(|row| (row.path.as_str(), row)).collect())
    }

    /// The documents of a file: its own, and those in it.
    fn of(&self, path: &str) -> Vec<&'a DocumentRow> {
        let own = self.0.get(path).copied();
        let folder = format!("{path}/");
        let inside = self.0.range(folder.as_str()..).map(|(_, row)| *row);
        own.into_iter().chain(inside.take_while(|row| row.path.starts_with(&folder))).collect()
    }
}

fn looks_unchanged(row: &DocumentRow, stamp: &Stamp) -> bool {
    row.source_bytes == stamp.bytes && row.modified_ns == stamp.modified_ns
}

fn count_unchanged(report: &mut IngestReport, row: &DocumentRow) {
    match unreadable(row) {
        Some(file) => report.unreadable.push(file),
        None => report.unchanged += 1,
    }
}

fn unreadable(row: &DocumentRow) -> Option<UnreadableFile> {
    (row.state == DocumentState::Unreadable).then(|| UnreadableFile {
        path: row.path.clone(),
        reason: row.reason.clone().unwrap_or_default(),
    })
}

fn batches<'a>(files: &[&'a files::File]) -> Vec<Vec<&'a files::File>> {
    let mut batches: Vec<Vec<&files::File>> = Vec::new();
    let mut bytes = 0;
    for file in files {
        bytes += file.stamp.bytes;
        match batches.last_mut() {
            Some(batch) if bytes <= BATCH_BYTES && batch.len() < BATCH_FILES => batch.push(file),
            _ => {
                bytes = file.stamp.bytes;
                batches.push(vec![file]);
            }
        }
    }
    batches
}

/// Retires the documents under the given roots whose files are gone, or that their files hold no
/// longer.
fn retire(
    writer: &mut Writer,
    found: &Found,
    rows: &[DocumentRow],
    there: &BTreeSet<String>,
    report: &mut IngestReport,
) -> Result<()> {
    let gone: Vec<&DocumentRow> = rows
        .iter()
        .filter(|row| row.state != DocumentState::Retired && !there.contains(&row.path))
        .filter(|row| found.covers(&row.path))
        .collect();
    for rows in gone.chunks(BATCH_FILES) {
        writer.retire(rows)?;
        report.retired += rows.len();
    }
    Ok(())
}

/// What an I/O failure on a file means for the report.
fn reason(error: &std::io::Error) -> String {
    format!("cannot be read: {error}")
}
