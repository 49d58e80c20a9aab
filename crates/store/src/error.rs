//! What can go wrong, and what to do about it.

use rusqlite::ErrorCode;
use std::io;
use std::path::{Path, PathBuf};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data folder or a file in it cannot be made or opened.
    #[error(
        "cannot use {path}: {source}; give a folder that you may write to (--data or ALLOD_DATA)"
    )]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not an intact database.
    #[error(
        "the database {path} is damaged ({detail}); stop all programs that use it, keep a copy of \
         the folder, and restore allod.db from a backup"
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The file is a database of some other program.
    #[error(
        "{path} is a database of another program (application id {found:#x}); give another folder"
    )]
    Foreign {
        /// The database.
        path: PathBuf,
        /// Its application id.
        found: i32,
    },
    /// The database was written by a newer version of Allod.
    #[error(
        "the database {path} has schema {found}, but this version of allod knows only up to \
         {known}; use the newer version of allod that wrote it"
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i32,
        /// The newest schema that this version knows.
        known: i32,
    },
    /// No room is left.
    #[error("no room left to write {path}; free some space on that disk and try again")]
    DiskFull {
        /// The database.
        path: PathBuf,
    },
    /// The disk did not take or give what the database needs. Some systems say so of a full disk.
    #[error(
        "the disk failed for {path} ({detail}); is it full? Free some space and try again; if \
         there is room, look for what the system says of the disk"
    )]
    Disk {
        /// The database.
        path: PathBuf,
        /// What the database said.
        detail: String,
    },
    /// The database may not be written.
    #[error("{path} is read-only; give this user the right to write to it and to its folder")]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// Another process held the database for too long.
    #[error(
        "another process has kept {path} locked for {waited_ms} ms; wait for it to end, or stop it"
    )]
    Busy {
        /// The database.
        path: PathBuf,
        /// How long we waited.
        waited_ms: u64,
    },
    /// A document names a version that is not stored.
    #[error("a document's `digest` names no stored version of its path; give the version with it")]
    UnknownVersion,
    /// There is no such review.
    #[error("there is no review {id}; `allod review list` shows the queue")]
    NoSuchReview {
        /// The id that was asked for.
        id: String,
    },
    /// A review can be resolved only once.
    #[error("review {id} was already resolved by {by} at {at}")]
    AlreadyResolved {
        /// The review.
        id: String,
        /// Who resolved it.
        by: String,
        /// When.
        at: String,
    },
    /// A number does not fit the database.
    #[error("{what} is {value}, more than the database can hold ({})", i64::MAX)]
    TooLarge {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: u64,
    },
    /// The operator's key cannot be used.
    #[error(
        "the operator's key that opens the stored words cannot be used: {reason}; put back \
         keys/operator.key of the data folder or give the right key in ALLOD_OPERATOR_KEY (64 \
         hexadecimal digits) or its file in ALLOD_OPERATOR_KEY_FILE"
    )]
    OperatorKey {
        /// What is wrong with it.
        reason: String,
    },
    /// Something that was sealed does not open.
    #[error("what was sealed does not open ({}); it was changed", what.replace('\0', " "))]
    Sealed {
        /// What it was sealed as.
        what: String,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    NoRandomness(getrandom::Error),
    /// Anything else that the database reports.
    #[error("the database {path} failed: {source}")]
    Database {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}

impl Error {
    /// Turns a failure of the database into what it means for the person who runs Allod.
    pub(crate) fn from_database(path: &Path, source: rusqlite::Error, waited_ms: u64) -> Error {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Error::DiskFull { path },
            Some(ErrorCode::SystemIoFailure) => Error::Disk { path, detail: source.to_string() },
            Some(ErrorCode::ReadOnly) => Error::ReadOnly { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Error::Busy { path, waited_ms }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                let detail = source.to_string();
                Error::Corrupt { path, detail }
            }
            Some(ErrorCode::ConstraintViolation) if is_foreign_key(&source) => {
                Error::UnknownVersion
            }
            _ if is_conversion(&source) => {
                let detail = source.to_string();
                Error::Corrupt { path, detail }
            }
            _ => Error::Database { path, source },
        }
    }
}

/// Whether a row holds something that no version of Allod writes.
fn is_conversion(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(
        error,
        E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::InvalidColumnType(..)
    )
}

fn is_foreign_key(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A full disk shows as this where the file that SQLite shares between processes cannot grow.
    #[test]
    fn a_disk_that_fails_says_what_to_do() {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
        let source = rusqlite::Error::SqliteFailure(code, None);
        let told = Error::from_database(Path::new("x/allod.db"), source, 0).to_string();
        assert!(told.contains("x/allod.db") && told.contains("Free some space"), "{told}");
    }
}
