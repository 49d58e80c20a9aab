//! Writes batches to the store and to the index, in an order that a crash leaves safe.

use super::prepare::{Outcome, Prepared, Version, index_entries};
use super::rows::{Rows, encode_all};
use super::{IngestReport, UnreadableFile};
use crate::compartment::{Compartment, FORMAT, PreparedDocument, Stamp};
use crate::encoder::Encoder;
use crate::error::Result;
use crate::library::{GENERATION, INTENT, Library, open_compartments};
use crate::manifest::document_of;
use allod_store::{DocumentRow, DocumentState, VersionRow};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tantivy::{IndexWriter, Term};

/// Memory of one compartment's writer. One thread writes, so that the order of passages is the same
/// each time.
const WRITER_BYTES: usize = 64 << 20;

/// A label, `None` for public.
type Label = Option<String>;

/// A batch that has begun.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    generation: u64,
    paths: Vec<String>,
}

/// The compartments as an ingest writes them.
pub(super) struct Writer<'a> {
    library: &'a Library,
    generation: u64,
    open: BTreeMap<Label, Open>,
}

/// A compartment that is written to.
struct Open {
    compartment: Compartment,
    writer: Option<IndexWriter>,
    /// Its documents: path and digest.
    paths: HashMap<String, String>,
    rows: Rows,
}

impl<'a> Writer<'a> {
    /// Opens all compartments and completes what a crash left open.
    pub(super) fn open(library: &'a Library) -> Result<Writer<'a>> {
        let setting = library.store.setting(GENERATION)?;
        let generation = setting.and_then(|g| generation_of(&g)).unwrap_or(0);
        let mut writer = Writer { library, generation, open: BTreeMap::new() };
        let intent = library.store.setting(INTENT)?.unwrap_or_default();
        let intent: Option<Intent> = serde_json::from_str(&intent).ok();
        let current = writer.current_digests()?;
        let trusted = writer.open_trusted(intent.as_ref())?;
        let stale = writer.stale_paths(&current, &trusted, intent.as_ref());
        if !stale.is_empty() {
            writer.rebuild(&stale)?;
        }
        Ok(writer)
    }

    /// Opens the compartments whose last commit is one that the store knows of; the others are
    /// emptied. Returns the labels of those that can be trusted.
    fn open_trusted(&mut self, intent: Option<&Intent>) -> Result<BTreeSet<Label>> {
        let mut trusted = BTreeSet::new();
        let mut made_vectors = false;
        let encoder = self.library.encoder.as_deref();
        let newest = intent.map_or(self.generation, |i| i.generation.max(self.generation));
        for compartment in open_compartments(&self.library.index_folder)? {
            let label = compartment.label.clone();
            let stamp = compartment.stamp()?;
            let known = |s: &Stamp| s.format == FORMAT && s.generation <= newest;
            if stamp.as_ref().is_some_and(known) {
                let paths = compartment.digests()?;
                let (rows, made) = Rows::open(&compartment, encoder)?;
                made_vectors |= made;
                self.open.insert(label.clone(), Open { compartment, writer: None, paths, rows });
                trusted.insert(label);
            } else {
                self.open.insert(label, Open::empty(compartment, encoder)?);
            }
        }
        if made_vectors {
            // Searches read the index again.
            self.generation += 1;
            self.publish()?;
        }
        for (label, open) in &mut self.open {
            if !trusted.contains(label) {
                open.writer()?.delete_all_documents().map_err(|e| open.compartment.failed(e))?;
            }
        }
        Ok(trusted)
    }

    /// Path and digest of each current document, by the store.
    fn current_digests(&self) -> Result<BTreeMap<String, String>> {
        let rows = self.library.store.documents()?;
        let current = rows.into_iter().filter(|row| row.state == DocumentState::Current);
        Ok(current.filter_map(|row| Some((row.path, row.digest?))).collect())
    }

    /// The documents that the index may hold otherwise than the store: those of an open intent,
    /// those of no compartment, and those of a compartment that the store does not know.
    fn stale_paths(
        &self,
        current: &BTreeMap<String, String>,
        trusted: &BTreeSet<Label>,
        intent: Option<&Intent>,
    ) -> BTreeSet<String> {
        let mut stale: BTreeSet<String> =
            intent.into_iter().flat_map(|intent| intent.paths.iter().cloned()).collect();
        let held: BTreeMap<&String, &String> = self
            .open
            .iter()
            .filter(|(label, _)| trusted.contains(*label))
            .flat_map(|(_, open)| open.paths.iter())
            .collect();
        let missing = current.iter().filter(|(path, digest)| held.get(path) != Some(digest));
        stale.extend(missing.map(|(path, _)| path.clone()));
        stale.extend(held.into_keys().filter(|path| !current.contains_key(*path)).cloned());
        stale
    }

    /// Brings the index entries of these documents in line with the store.
    fn rebuild(&mut self, paths: &BTreeSet<String>) -> Result<()> {
        let intent =
            Intent { generation: self.generation + 1, paths: paths.iter().cloned().collect() };
        self.begin(&intent)?;
        self.remove(|_, path| paths.contains(path))?;
        for path in paths {
            let row = self.library.store.document(path)?;
            let current = row.filter(|row| row.state == DocumentState::Current);
            let Some(digest) = current.and_then(|row| row.digest) else { continue };
            if let Some(version) = self.library.store.version(&digest, Some(path))? {
                let mut document = index_entries(path, &document_of(&version)?);
                encode_all(self.library.encoder.as_deref(), &mut [&mut document])?;
                self.add(version.label.clone(), &document)?;
            }
        }
        self.end(&intent)
    }

    /// Writes a batch.
    pub(super) fn write(&mut self, batch: Vec<Prepared>, report: &mut IngestReport) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::with_capacity(batch.len());
        let mut documents: Vec<(Label, PreparedDocument)> = Vec::new();
        let mut leaving = BTreeMap::new();
        for prepared in batch {
            count(&prepared, report);
            let Prepared { row, outcome, .. } = prepared;
            match outcome {
                Outcome::Same => rows.push((row, None)),
                Outcome::Unreadable => {
                    leaving.insert(row.path.clone(), None);
                    rows.push((row, None));
                }
                Outcome::Version(version) => {
                    let Version { row: version, document } = *version;
                    leaving.insert(row.path.clone(), Some(version.label.clone()));
                    documents.push((version.label.clone(), document));
                    rows.push((row, Some(version)));
                }
            }
        }
        let mut unencoded: Vec<&mut PreparedDocument> =
            documents.iter_mut().map(|(_, document)| document).collect();
        encode_all(self.library.encoder.as_deref(), &mut unencoded)?;
        self.apply(&rows, &leaving, &documents)
    }

    /// Retires documents whose files are gone.
    pub(super) fn retire(&mut self, rows: &[&DocumentRow]) -> Result<()> {
        let gone = |row: &&DocumentRow| DocumentRow {
            state: DocumentState::Retired,
            reason: Some("its file is gone".to_owned()),
            ..(*row).clone()
        };
        let leaving = rows.iter().map(|row| (row.path.clone(), None)).collect();
        let rows: Vec<(DocumentRow, Option<VersionRow>)> =
            rows.iter().map(|row| (gone(row), None)).collect();
        self.apply(&rows, &leaving, &[])
    }

    /// One batch: intent, removal where a document may not stay, store, index, end of intent.
    /// `leaving` says where each document goes to, `None` for nowhere.
    fn apply(
        &mut self,
        rows: &[(DocumentRow, Option<VersionRow>)],
        leaving: &BTreeMap<String, Option<Label>>,
        documents: &[(Label, PreparedDocument)],
    ) -> Result<()> {
        if leaving.is_empty() {
            return Ok(self.library.store.put_documents(rows)?);
        }
        let paths = leaving.keys().cloned().collect();
        let intent = Intent { generation: self.generation + 1, paths };
        self.begin(&intent)?;
        self.remove(|label, path| leaving.get(path).is_some_and(|to| to.as_ref() != Some(label)))?;
        self.library.store.put_documents(rows)?;
        self.remove_pending(|_, path| leaving.contains_key(path))?;
        for (label, document) in documents {
            self.add(label.clone(), document)?;
        }
        self.end(&intent)
    }

    fn begin(&self, intent: &Intent) -> Result<()> {
        let json = serde_json::to_string(intent).expect("an intent has only string keys");
        Ok(self.library.store.set_setting(INTENT, &json)?)
    }

    /// Commits every compartment that was written to, then lets searches see it.
    fn end(&mut self, intent: &Intent) -> Result<()> {
        self.commit(intent.generation)?;
        self.generation = intent.generation;
        self.publish()?;
        Ok(self.library.store.set_setting(INTENT, "")?)
    }

    fn publish(&self) -> Result<()> {
        let generation = self.generation.to_string();
        Ok(self.library.store.set_setting(GENERATION, &generation)?)
    }

    fn commit(&mut self, generation: u64) -> Result<()> {
        let stamp = Stamp { format: FORMAT, generation };
        let stamp = serde_json::to_string(&stamp).expect("a stamp has only string keys");
        for open in self.open.values_mut() {
            let Some(writer) = &mut open.writer else { continue };
            // Before the passages that they belong to.
            open.rows.write()?;
            let commit = |writer: &mut IndexWriter| {
                let mut prepared = writer.prepare_commit()?;
                prepared.set_payload(&stamp);
                prepared.commit()
            };
            commit(writer).map_err(|e| open.compartment.failed(e))?;
        }
        Ok(())
    }

    /// Removes documents at once, so that no search that begins later finds them.
    fn remove(&mut self, which: impl Fn(&Label, &str) -> bool) -> Result<()> {
        if self.remove_pending(which)? {
            self.commit(self.generation + 1)?;
            // Searches read the index again when this changes; the batch's own number comes later.
            let moving = format!("{}.removing", self.generation);
            self.library.store.set_setting(GENERATION, &moving)?;
        }
        Ok(())
    }

    /// Removes documents with the next commit. True if there were any.
    fn remove_pending(&mut self, which: impl Fn(&Label, &str) -> bool) -> Result<bool> {
        let mut any = false;
        for (label, open) in &mut self.open {
            let paths: Vec<String> =
                open.paths.keys().filter(|path| which(label, path)).cloned().collect();
            for path in paths {
                let term = Term::from_field_text(open.compartment.fields.path, &path);
                open.writer()?.delete_term(term);
                open.paths.remove(&path);
                any = true;
            }
        }
        Ok(any)
    }

    fn add(&mut self, label: Label, document: &PreparedDocument) -> Result<()> {
        if !self.open.contains_key(&label) {
            let root = &self.library.index_folder;
            let compartment = Compartment::open_or_create(root, label.as_deref())?;
            let open = Open::empty(compartment, self.library.encoder.as_deref())?;
            self.open.insert(label.clone(), open);
        }
        let open = self.open.get_mut(&label).expect("it was opened above");
        let fields = open.compartment.fields;
        open.paths.insert(document.path.clone(), document.digest.clone());
        let rows = open.rows.take(document);
        for entry in document.index_documents(fields, &rows) {
            open.writer()?.add_document(entry).map_err(|e| open.compartment.failed(e))?;
        }
        Ok(())
    }

    /// Merges the segments that hold removed passages: their words must not count any longer.
    pub(super) fn finish(mut self) -> Result<()> {
        let mut merged = false;
        for (_, open) in std::mem::take(&mut self.open) {
            merged |= open.finish()?;
        }
        if merged {
            self.generation += 1;
            self.publish()?;
        }
        Ok(())
    }
}

impl Open {
    /// A compartment whose documents, if it has any, are not to be trusted.
    fn empty(compartment: Compartment, encoder: Option<&dyn Encoder>) -> Result<Open> {
        let rows = Rows::empty(&compartment, encoder)?;
        Ok(Open { compartment, writer: None, paths: HashMap::new(), rows })
    }

    fn writer(&mut self) -> Result<&mut IndexWriter> {
        if self.writer.is_none() {
            let writer = self.compartment.index.writer_with_num_threads(1, WRITER_BYTES);
            self.writer = Some(writer.map_err(|e| self.compartment.failed(e))?);
        }
        Ok(self.writer.as_mut().expect("it was made above"))
    }

    fn finish(self) -> Result<bool> {
        let Open { compartment, writer, .. } = self;
        let failed = |e| compartment.failed(e);
        let Some(mut writer) = writer else { return Ok(false) };
        let metas = compartment.index.load_metas().map_err(failed)?;
        let deleted: Vec<_> =
            metas.segments.iter().filter(|s| s.num_deleted_docs() > 0).map(|s| s.id()).collect();
        let merged = !deleted.is_empty();
        if merged {
            writer.merge(&deleted).wait().map_err(failed)?;
        }
        writer.wait_merging_threads().map_err(failed)?;
        Ok(merged)
    }
}

/// The generation that a setting names; `5.removing` is on the way from 5 to 6.
fn generation_of(setting: &str) -> Option<u64> {
    setting.split('.').next()?.parse().ok()
}

fn count(prepared: &Prepared, report: &mut IngestReport) {
    if let (DocumentState::Current, Some(reason)) = (prepared.row.state, &prepared.row.reason) {
        let (path, reason) = (prepared.row.path.clone(), reason.clone());
        report.incomplete.push(UnreadableFile { path, reason });
    }
    match (&prepared.outcome, prepared.known, prepared.row.state) {
        (_, _, DocumentState::Unreadable) => report.unreadable.push(UnreadableFile {
            path: prepared.row.path.clone(),
            reason: prepared.row.reason.clone().unwrap_or_default(),
        }),
        (Outcome::Same, ..) => report.unchanged += 1,
        (_, true, _) => report.changed += 1,
        (_, false, _) => report.added += 1,
    }
}
