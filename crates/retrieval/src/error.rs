//! What can go wrong, and what to do about it.

use std::io;
use std::path::PathBuf;

/// A failure of the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] allod_store::Error),
    /// The index failed.
    #[error(
        "the index {folder} failed: {source}; run `allod ingest` again, it rebuilds what is missing"
    )]
    Index {
        /// Folder of the compartment.
        folder: PathBuf,
        /// What tantivy said.
        source: tantivy::TantivyError,
    },
    /// A file or folder of the data folder cannot be used.
    #[error("cannot use {path}: {source}; give a data folder that you may write to")]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A root that was given is not there.
    #[error("there is no file or folder {path}; check the path (nothing was retired)")]
    NoSuchRoot {
        /// The path as given.
        path: PathBuf,
    },
    /// A root's name is not valid Unicode.
    #[error("the path {path:?} is not valid UTF-8; rename it")]
    NameNotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// Another ingest runs over the same data folder.
    #[error("another ingest is running over this data folder ({lock}); wait for it to end")]
    Busy {
        /// The lock file.
        lock: PathBuf,
    },
    /// The encoder failed.
    #[error("the encoder {encoder} failed: {detail}; choose another one, or search without one")]
    Encoder {
        /// Its identity.
        encoder: String,
        /// What it said.
        detail: String,
    },
    /// A list of documents, or something that it names, is not kept here.
    #[error("{digest} is not kept here")]
    Gone {
        /// The digest.
        digest: String,
    },
    /// A list of documents that cannot be used.
    #[error("{digest} {what}")]
    Manifest {
        /// The digest of the list, or of what it names.
        digest: String,
        /// What is wrong with it.
        what: String,
    },
    /// A stored row does not mean what this version expects.
    #[error("what is stored about {path} cannot be read ({detail}); ingest that file again")]
    Row {
        /// Path of the document.
        path: String,
        /// What was found.
        detail: String,
    },
}

/// The result of a library operation.
pub type Result<T> = std::result::Result<T, Error>;
