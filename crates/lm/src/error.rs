//! What can be wrong with a model, where, and what to do about it.

use std::path::PathBuf;

/// The result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tensor file is at fault.
    #[error(transparent)]
    Weights(#[from] allod_weights::Error),
    /// A file beside the weights could not be read.
    #[error("{file}: cannot be read: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A model folder lacks files.
    #[error("{folder}: lacks {missing}; a model folder holds {needed}")]
    Incomplete {
        /// The folder.
        folder: PathBuf,
        /// What is not there.
        missing: String,
        /// What should be there.
        needed: &'static str,
    },
    /// A setting is missing, of the wrong type or out of range.
    #[error("{file}: `{key}` {what}")]
    Setting {
        /// The file.
        file: PathBuf,
        /// The setting.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// The model needs something that is not computed here.
    #[error("{file}: {what} is not supported; {supported}")]
    Unsupported {
        /// The file.
        file: PathBuf,
        /// What the model needs.
        what: String,
        /// What is supported instead.
        supported: String,
    },
    /// The tensors do not fit the settings.
    #[error("{file}: {what}; the weights and the settings do not belong together")]
    Tensors {
        /// The file.
        file: PathBuf,
        /// The tensor at fault and what was expected.
        what: String,
    },
    /// The model cannot be written as asked.
    #[error("{file}: cannot be converted: {what}")]
    Convert {
        /// The file that was to be written, or what it was to hold.
        file: PathBuf,
        /// What stands in the way.
        what: String,
    },
    /// An adapter does not fit the model, or contradicts itself.
    #[error("{file}: the adapter cannot be used: {what}")]
    Adapter {
        /// The adapter's file or folder.
        file: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The tokenizer's file is at fault.
    #[error("{file}: the tokenizer cannot be used: {what}")]
    Tokenizer {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Text that cannot be turned into tokens.
    #[error("the text cannot be turned into tokens: {0}")]
    Text(String),
    /// The chat template failed.
    #[error("the chat template failed: {0}")]
    Template(String),
    /// A table of words cannot be read or written.
    #[error("the table of words cannot be used: {0}")]
    Table(String),
    /// A batch that cannot be run.
    #[error("the batch cannot be run: {0}")]
    Batch(String),
    /// The weights cannot be trained.
    #[error(transparent)]
    Training(#[from] allod_nn::Error),
    /// There is no room for the weights.
    #[error("no memory for {bytes} bytes of weights: {source}; take a smaller model or format")]
    Memory {
        /// Bytes asked for.
        bytes: usize,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The thread pool could not be started.
    #[error("{threads} threads could not be started: {what}; ask for fewer")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// What the operating system said.
        what: String,
    },
}
