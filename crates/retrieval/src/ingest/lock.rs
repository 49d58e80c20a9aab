//! One ingest at a time per data folder.

use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;

/// Takes the lock; it is given back when the file is closed, by a crash too.
pub(super) fn take(index_folder: &Path) -> Result<File> {
    let path = index_folder.join("ingest.lock");
    let io = |source| Error::Folder { path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { lock: path }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}
