//! What can go wrong in a run, and what to do about it.

use std::path::PathBuf;

/// The result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a run could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the training data could not be read.
    #[error("{file}: cannot be read: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A line of the training data is not what it should be.
    #[error("{file}, line {line}: {what}")]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The data do not suffice for the recipe.
    #[error("the training data do not suffice: {0}")]
    Data(String),
    /// The artifact could not be made.
    #[error(transparent)]
    Artifact(#[from] allod_lm::Error),
    /// The threads could not be started.
    #[error("{threads} threads could not be started: {what}; ask for fewer")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// What the operating system said.
        what: String,
    },
}
