//! One writer at a time, across processes: a lock on a file beside the private key.
//!
//! It lies outside the ledger's folder, since every byte in there is checked and this one has none.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The file that is locked.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: File,
    path: PathBuf,
}

/// The lock, while it is held.
#[derive(Debug)]
pub(crate) struct Held<'a>(&'a File);

impl LockFile {
    /// Opens the lock file that belongs to a key file, and creates it if it is not there.
    pub fn open(key_file: &Path) -> Result<LockFile> {
        let path = lock_path(key_file);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| Error::file("open", &path, error))?;
        Ok(LockFile { file, path })
    }

    /// Opens the lock file for reading only, if it is there and may be read.
    pub fn find(key_file: &Path) -> Option<LockFile> {
        let path = lock_path(key_file);
        let file = File::open(&path).ok()?;
        Some(LockFile { file, path })
    }

    /// Waits until nobody else holds the lock.
    pub fn exclusive(&self) -> Result<Held<'_>> {
        self.file.lock().map_err(|error| Error::file("lock", &self.path, error))?;
        Ok(Held(&self.file))
    }

    /// Waits until nobody writes. Several may hold this one.
    pub fn shared(&self) -> Option<Held<'_>> {
        self.file.lock_shared().ok()?;
        Some(Held(&self.file))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // The lock ends with the file at the latest; nothing can be done here about a failure.
        let _ = self.0.unlock();
    }
}

fn lock_path(key_file: &Path) -> PathBuf {
    key_file.with_extension("lock")
}
