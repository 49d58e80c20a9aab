//! Why something could not be taken in, found or taken away.

use std::path::{Path, PathBuf};

/// The result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be taken in, found or taken away.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{path}: {doing}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A name that cannot be one.
    #[error(
        "`{0}` cannot be a name: use up to 100 of the letters a to z, A to Z, 0 to 9, `-`, `_`, \
         `.` and `:`, the first a letter or number"
    )]
    Name(String),
    /// Nothing has this name.
    #[error("nothing is called `{name}`{known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The name stands for something else.
    #[error(
        "the name `{name}` stands for sha256:{digest} already; give another name, or remove it \
         first"
    )]
    Taken {
        /// The name.
        name: String,
        /// The digest of what it stands for.
        digest: crate::Digest,
    },
    /// Another process is changing the registry.
    #[error("{path}: another import or removal is running; try again when it has ended")]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// A file of the registry is not what was written.
    #[error("{path}: damaged: {what}; remove the name and import the files again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// What was to be taken in is not sound.
    #[error("{0}")]
    Refused(String),
}

/// Says what was tried on which file.
pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io { path, doing, source }
}
