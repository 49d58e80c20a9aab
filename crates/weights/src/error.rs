//! What can be wrong with a tensor file, where, and what to do about it.

use std::path::PathBuf;

/// The result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a tensor file could not be opened or written, or a tensor could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{file}: cannot be read: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The operating system refused to write.
    #[error("{file}: cannot be written: {source}; what was there before is unchanged")]
    Write {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Something that the format cannot hold, or other bytes than were announced.
    #[error("{file}: cannot be written: {what}")]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The operating system refused to delete.
    #[error("{file}: cannot be deleted: {source}")]
    Remove {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Packed weights that do not belong to the model.
    #[error("{file}: {what}; make it again with `allod model pack`, or delete it")]
    Stale {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Neither GGUF nor safetensors, or a kind of them that is not read.
    #[error("{file}: {what}; give a .gguf or .safetensors file, or a folder that holds one")]
    NotATensorFile {
        /// The file.
        file: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// The file contradicts its format or itself.
    #[error(
        "{file}: damaged or not written by the rules, at byte {at}: {what}; \
         fetch the file again and compare its SHA-256 with the publisher's"
    )]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Offset from the file's start.
        at: u64,
        /// What is wrong there.
        what: String,
    },
    /// A well-formed file of a kind that this version does not read.
    #[error("{file}: {what}")]
    Unsupported {
        /// The file.
        file: PathBuf,
        /// What it is and what to do.
        what: String,
    },
    /// A tensor was used whose element type has no kernel.
    #[error(
        "{file}: tensor `{tensor}` has type {data_type}, which cannot be computed with; \
         use a file in one of {}",
        format_names()
    )]
    UnsupportedType {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its element type.
        data_type: String,
    },
    /// The tensors of a quantised matrix do not fit its settings or each other.
    #[error("{file}: {what}; the tensors and the quantisation's settings do not belong together")]
    Quantised {
        /// The file, or the first of several.
        file: PathBuf,
        /// The tensor at fault and what was expected.
        what: String,
    },
    /// A tensor was used in a way that its shape does not allow.
    #[error("{file}: tensor `{tensor}` has shape {shape:?}: {what}")]
    Shape {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape, outermost dimension first.
        shape: Vec<usize>,
        /// What was needed.
        what: String,
    },
}

/// The formats that can be computed with, for a message.
fn format_names() -> String {
    allod_kernels::Format::ALL.map(allod_kernels::Format::name).join(", ")
}

/// A fault at a place in some bytes; becomes an [`Error::Malformed`] once the file is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub at: u64,
    pub what: String,
}

impl Fault {
    pub fn new(at: usize, what: impl Into<String>) -> Fault {
        Fault { at: at as u64, what: what.into() }
    }

    pub fn in_file(self, file: &std::path::Path) -> Error {
        Error::Malformed { file: file.to_path_buf(), at: self.at, what: self.what }
    }
}
