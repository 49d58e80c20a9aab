//! The library: the store's documents and the index over them.

use crate::beside::beside;
use crate::clearance::{Clearance, label_of_folder};
use crate::compartment::{Compartment, Loaded};
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::evidence::{Evidence, EvidenceSet, Query};
use crate::ingest::{self, IngestOptions, IngestReport, Progress};
use crate::manifest::{Manifest, Pages};
use crate::search;
use crate::validity::Amendments;
use allod_corpus::Document;
use allod_store::{DocumentState, Store, VersionRow};
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// Setting that changes with every commit to any compartment.
pub(crate) const GENERATION: &str = "index.generation";
/// Setting that holds the batch being written, as JSON; empty between batches.
pub(crate) const INTENT: &str = "index.intent";

/// So many choices of compartments are kept ready.
const CHOICES_KEPT: usize = 64;

/// Documents and the index over them. Searches go on while an ingest runs, in this process or in
/// another one.
pub struct Library {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) index_folder: PathBuf,
    pub(crate) encoder: Option<Arc<dyn Encoder>>,
    snapshot: RwLock<Option<Arc<Snapshot>>>,
}

/// One state of the index.
struct Snapshot {
    generation: String,
    compartments: Vec<Loaded>,
    /// What ends documents or parts of them, for each choice of compartments that was searched.
    amendments: Mutex<HashMap<Vec<usize>, Arc<Amendments>>>,
    /// The documents of each compartment, once they were listed.
    pages: OnceLock<Vec<Pages>>,
}

impl Snapshot {
    /// The amendments that these compartments state; they stand at `at` among all.
    fn amendments(&self, at: Vec<usize>, permitted: &[&Loaded]) -> Arc<Amendments> {
        let mut known = self.amendments.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CHOICES_KEPT && !known.contains_key(&at) {
            known.clear();
        }
        let made = known.entry(at).or_insert_with(|| Arc::new(Amendments::of(permitted)));
        Arc::clone(made)
    }
}

/// How much the library holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Documents that are searched.
    pub documents: usize,
    /// Their passages.
    pub passages: usize,
    /// Documents whose file is gone.
    pub retired: usize,
    /// Documents that could not be read.
    pub unreadable: usize,
    /// Documents and passages of each compartment.
    pub compartments: Vec<CompartmentCount>,
}

/// How much a compartment holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompartmentCount {
    /// Its label; `None` = public.
    pub label: Option<String>,
    /// Documents that are searched.
    pub documents: usize,
    /// Their passages.
    pub passages: usize,
}

/// Makes a folder for its owner only, also if it was there with a wider mode: the index holds the
/// words of all documents, those with a label too.
fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mut permissions = std::fs::metadata(folder)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(0o700);
            std::fs::set_permissions(folder, permissions)?;
        }
    }
    Ok(())
}

impl Library {
    /// Opens the library in a data folder; the index is made when the first document comes.
    ///
    /// # Errors
    /// [`Error::Folder`] if the folder cannot be made.
    pub fn open(dir: &Path, store: Arc<dyn Store>) -> Result<Library> {
        let index_folder = dir.join("index");
        private_folder(&index_folder)
            .map_err(|source| Error::Folder { path: index_folder.clone(), source })?;
        Ok(Library { store, index_folder, encoder: None, snapshot: RwLock::new(None) })
    }

    /// The library with an encoder: passages get vectors when they are ingested (those that are
    /// there get them by the next ingest), and searches go by words and by meaning.
    #[must_use]
    pub fn with_encoder(self, encoder: Arc<dyn Encoder>) -> Library {
        Library { encoder: Some(encoder), snapshot: RwLock::new(None), ..self }
    }

    /// The encoder, if there is one.
    #[must_use]
    pub fn encoder(&self) -> Option<&Arc<dyn Encoder>> {
        self.encoder.as_ref()
    }

    /// Takes documents in that are no files, each with the path that it shall be known by. Nothing
    /// is retired.
    ///
    /// # Errors
    /// As [`Library::ingest`].
    pub fn add(
        &self,
        documents: &mut dyn Iterator<Item = (String, Document)>,
    ) -> Result<IngestReport> {
        ingest::add(self, documents)
    }

    /// Brings the files and folders of `roots` into the library: new and changed files are read,
    /// unchanged ones skipped, documents whose files are gone retired.
    ///
    /// # Errors
    /// [`Error::NoSuchRoot`], [`Error::Busy`] if another ingest runs, and what the store and the
    /// index say. A file that cannot be read is no error; the report names it.
    pub fn ingest(
        &self,
        roots: &[PathBuf],
        options: &IngestOptions,
        progress: &dyn Progress,
    ) -> Result<IngestReport> {
        ingest::run(self, roots, options, progress)
    }

    /// The passages that bear on a question, of those that the caller may read and that are in
    /// force.
    ///
    /// # Errors
    /// What the store and the index say.
    pub fn search(&self, query: &Query) -> Result<EvidenceSet> {
        self.search_in(&*self.snapshot()?, query)
    }

    /// As [`Library::search`], with the list of all documents that the caller could have found;
    /// `None` where that is not known, because documents were being taken in just then.
    ///
    /// # Errors
    /// As there.
    pub fn search_listed(&self, query: &Query) -> Result<(EvidenceSet, Option<Manifest>)> {
        let snapshot = self.snapshot()?;
        let found = self.search_in(&snapshot, query)?;
        Ok((found, self.listed_in(&snapshot, query.clearance)?))
    }

    /// The list of all documents that a caller can find; `None` while documents are taken in.
    ///
    /// # Errors
    /// What the store and the index say.
    pub fn listed(&self, clearance: &Clearance) -> Result<Option<Manifest>> {
        self.listed_in(&*self.snapshot()?, clearance)
    }

    fn listed_in(&self, snapshot: &Snapshot, clearance: &Clearance) -> Result<Option<Manifest>> {
        let Some(pages) = self.pages(snapshot)? else { return Ok(None) };
        let encoder = self.encoder.as_deref().map(Encoder::identity);
        let visible = pages.iter().filter(|pages| clearance.permits(pages.label.as_deref()));
        Ok(Some(Manifest::new(encoder, visible)))
    }

    /// The documents of each compartment of a snapshot; `None` while they change.
    fn pages<'s>(&self, snapshot: &'s Snapshot) -> Result<Option<&'s [Pages]>> {
        if let Some(pages) = snapshot.pages.get() {
            return Ok(Some(pages));
        }
        let settled = || -> Result<bool> {
            let intent = self.store.setting(INTENT)?.unwrap_or_default();
            let generation = self.store.setting(GENERATION)?.unwrap_or_default();
            Ok(intent.is_empty() && generation == snapshot.generation)
        };
        let is_whole = snapshot.compartments.iter().all(Loaded::is_whole);
        if !is_whole || !settled()? {
            return Ok(None);
        }
        let pages: Result<Option<Vec<Pages>>> =
            snapshot.compartments.iter().map(|one| Pages::of(one, self.store.as_ref())).collect();
        // What the store says belongs to the snapshot only if both stayed as they were.
        match (pages?, settled()?) {
            (Some(pages), true) => Ok(Some(snapshot.pages.get_or_init(|| pages))),
            _ => Ok(None),
        }
    }

    fn search_in(&self, snapshot: &Snapshot, query: &Query) -> Result<EvidenceSet> {
        let opens = |c: &Loaded| {
            let filter = query.filter.is_none_or(|filter| filter.opens(c.label.as_deref()));
            query.clearance.permits(c.label.as_deref()) && filter
        };
        let all = snapshot.compartments.iter().enumerate();
        let (at, permitted): (Vec<usize>, Vec<&Loaded>) = all.filter(|(_, c)| opens(c)).unzip();
        let amendments = snapshot.amendments(at, &permitted);
        search::search(&permitted, &amendments, query, self.encoder.as_deref())
    }

    /// What is needed to read a passage that is quoted: the paragraphs of the same article that
    /// `quoted` refers to and definitions of its words, at most two, all from the passage's own
    /// document and in force on the day.
    ///
    /// # Errors
    /// What the store and the index say.
    pub fn beside(
        &self,
        evidence: &Evidence,
        quoted: &str,
        query: &Query,
    ) -> Result<Vec<Evidence>> {
        let label = evidence.label.as_deref();
        if !query.clearance.permits(label) {
            return Ok(Vec::new());
        }
        let snapshot = self.snapshot()?;
        let all = snapshot.compartments.iter().enumerate();
        let permitted = all.filter(|(_, c)| query.clearance.permits(c.label.as_deref()));
        let (at, permitted): (Vec<usize>, Vec<&Loaded>) = permitted.unzip();
        let Some(own) = permitted.iter().find(|c| c.label.as_deref() == label) else {
            return Ok(Vec::new());
        };
        let amendments = snapshot.amendments(at, &permitted);
        beside(own, &amendments, query.on, evidence, quoted)
    }

    /// A document version by its digest, current or old, if the caller may read it. The same text
    /// may stand under several paths; one that the caller may read is enough.
    ///
    /// # Errors
    /// What the store says.
    pub fn show(&self, digest: &str, clearance: &Clearance) -> Result<Option<VersionRow>> {
        let Some(first) = self.store.version(digest, None)? else { return Ok(None) };
        if clearance.permits(first.label.as_deref()) {
            return Ok(Some(first));
        }
        for row in self.store.documents()? {
            if let Some(version) = self.store.version(digest, Some(&row.path))?
                && clearance.permits(version.label.as_deref())
            {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// How much the library holds.
    ///
    /// # Errors
    /// What the store and the index say.
    pub fn counts(&self) -> Result<Counts> {
        let snapshot = self.snapshot()?;
        let count = |c: &Loaded| CompartmentCount {
            label: c.label.clone(),
            documents: c.documents.len(),
            passages: c.passages,
        };
        let compartments: Vec<CompartmentCount> = snapshot.compartments.iter().map(count).collect();
        let rows = self.store.documents()?;
        let in_state = |state| rows.iter().filter(|row| row.state == state).count();
        Ok(Counts {
            documents: compartments.iter().map(|c| c.documents).sum(),
            passages: compartments.iter().map(|c| c.passages).sum(),
            retired: in_state(DocumentState::Retired),
            unreadable: in_state(DocumentState::Unreadable),
            compartments,
        })
    }

    /// The index as of its last commit; read again when that changed.
    fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let generation = self.store.setting(GENERATION)?.unwrap_or_default();
        let held = self.snapshot.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        if let Some(snapshot) = held.filter(|s| s.generation == generation) {
            return Ok(snapshot);
        }
        let mut compartments = Vec::new();
        for compartment in open_compartments(&self.index_folder)? {
            compartments.push(compartment.load(self.encoder.as_deref())?);
        }
        let (amendments, pages) = (Mutex::default(), OnceLock::new());
        let snapshot = Arc::new(Snapshot { generation, compartments, amendments, pages });
        *self.snapshot.write().unwrap_or_else(|poisoned| poisoned.into_inner()) =
            Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }
}

/// The compartments that are there, public first, then by folder.
pub(crate) fn open_compartments(index_folder: &Path) -> Result<Vec<Compartment>> {
    let io = |source| Error::Folder { path: index_folder.to_owned(), source };
    let mut labels = Vec::new();
    for entry in std::fs::read_dir(index_folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let folder = entry.file_name();
        if let Some(label) = folder.to_str().and_then(label_of_folder) {
            labels.push((label, entry.path()));
        }
    }
    labels.sort();
    let mut open = Vec::new();
    for (label, folder) in labels {
        open.extend(Compartment::open(&folder, label.as_deref())?);
    }
    Ok(open)
}
