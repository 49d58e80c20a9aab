//! The indexes that replays search: that of the data folder, and those built from lists.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use allod_engine::InProcess;
use allod_retrieval::Library;
use allod_store::{SqliteStore, Store};

use crate::encoder::EncoderChoice;
use crate::error::Error;

/// Indexes in use, so that receipts that take turns need not wait for them.
const INDEXES_MAX: usize = 8;

struct Known {
    digest: String,
    library: Arc<Library>,
    /// Where it lies, if it was built for this.
    folder: Option<PathBuf>,
}

impl Drop for Known {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // What cannot be removed goes with the scratch folder.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Indexes by the digest of their list.
pub(super) struct Indexes {
    scratch: PathBuf,
    made: usize,
    /// The one in use comes last.
    known: Vec<Known>,
    living: Option<(EncoderChoice, Arc<Library>)>,
}

impl Indexes {
    /// With one of no documents.
    pub(super) fn new(scratch: &Path) -> Result<Indexes, Error> {
        let empty = Library::open(&scratch.join("empty"), memory()?)?;
        let known = vec![Known { digest: String::new(), library: Arc::new(empty), folder: None }];
        Ok(Indexes { scratch: scratch.to_owned(), made: 0, known, living: None })
    }

    pub(super) fn current(&self) -> &Library {
        &self.known.last().expect("there is always one").library
    }

    /// Makes the one of this digest the current one, if it is known.
    pub(super) fn take(&mut self, digest: &str) -> bool {
        let found = self.known.iter().position(|known| known.digest == digest);
        if let Some(at) = found {
            let index = self.known.remove(at);
            self.known.push(index);
        }
        found.is_some()
    }

    /// Nothing is searched.
    pub(super) fn take_none(&mut self) {
        let _ = self.take("");
    }

    pub(super) fn put(&mut self, digest: &str, library: Arc<Library>, folder: Option<PathBuf>) {
        if self.known.len() >= INDEXES_MAX {
            let oldest = self.known.iter().position(|known| !known.digest.is_empty());
            self.known.remove(oldest.expect("only one is empty"));
        }
        self.known.push(Known { digest: digest.to_owned(), library, folder });
    }

    /// A folder for the next.
    pub(super) fn folder(&mut self) -> PathBuf {
        self.made += 1;
        self.scratch.join(format!("index-{}", self.made))
    }

    /// The index of the data folder.
    pub(super) fn living(
        &mut self,
        data: &Path,
        store: &Arc<dyn Store>,
        encoder: &EncoderChoice,
    ) -> Result<Arc<Library>, Error> {
        if let Some((known, library)) = &self.living
            && known == encoder
        {
            return Ok(Arc::clone(library));
        }
        let library = with_encoder(Library::open(data, Arc::clone(store))?, encoder)?;
        let library = Arc::new(library);
        self.living = Some((encoder.clone(), Arc::clone(&library)));
        Ok(library)
    }
}

pub(super) fn memory() -> Result<Arc<dyn Store>, Error> {
    Ok(Arc::new(SqliteStore::in_memory()?))
}

pub(super) fn with_encoder(library: Library, encoder: &EncoderChoice) -> Result<Library, Error> {
    // Only the built-in one can be had again, so no model is loaded.
    Ok(match encoder.open((&InProcess, None))? {
        Some(encoder) => library.with_encoder(encoder),
        None => library,
    })
}
