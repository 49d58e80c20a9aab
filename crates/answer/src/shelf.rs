//! What receipts name by digest is put into the store before they are written.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use allod_store::{ArtifactRow, Store};

use crate::error::Error;

/// Remembers what is in the store already.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashSet<String>>);

impl Shelf {
    /// Keeps what `digest` names, and what that names; durable when it returns.
    pub(crate) fn keep(
        &self,
        store: &dyn Store,
        digest: &str,
        rows: impl FnOnce() -> Vec<ArtifactRow>,
    ) -> Result<(), Error> {
        // A thread that panicked has added nothing that is not in the store.
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(digest) {
            return Ok(());
        }
        store.put_artifacts(&rows())?;
        known().insert(digest.to_owned());
        Ok(())
    }
}
