//! What can go wrong, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fault::Fault;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledger's files disagree with each other or with the signed head.
    #[error("the ledger was altered or damaged: {0}; restore it from a backup, it is not repaired")]
    Fault(#[from] Fault),
    /// A file operation failed.
    #[error("cannot {action} {}: {source}; check the disk and the permissions", path.display())]
    File {
        /// What was being done, such as `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The round of writing that this entry was part of failed. No entry of the round was recorded.
    #[error("the receipt was not recorded: {0}")]
    NotRecorded(Arc<Error>),
    /// The last step of a commit failed: the entries are written, but may be lost in a power cut.
    #[error(
        "it is not known whether the receipt at index {index} outlasts a power cut: {source}; \
             open the ledger again and look whether it is there before recording it once more"
    )]
    InDoubt {
        /// The first index of the round.
        index: u64,
        /// What failed.
        source: Arc<Error>,
    },
    /// The log has no such entry.
    #[error("there is no receipt {index}: the log holds {size} (numbered from 0)")]
    NoSuchEntry {
        /// The index that was asked for.
        index: u64,
        /// How many entries there are.
        size: u64,
    },
    /// The receipt is too long for an entry.
    #[error("the receipt has {bytes} bytes, the limit is {limit}: record fewer passages or facts")]
    ReceiptTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The entry is not JSON, or not a receipt.
    #[error("not a receipt: {0}")]
    ReceiptNotJson(#[source] serde_json::Error),
    /// The receipt is of another version.
    #[error("the receipt has version {found:?}, this program reads \"allod-receipt-1\"")]
    ReceiptVersion {
        /// The version it names.
        found: String,
    },
    /// A number that canonical JSON cannot hold exactly.
    #[error(
        "the number {number} cannot stand in canonical JSON: integers go to ±(2^53 − 1); \
             write it as a string"
    )]
    Number {
        /// The number.
        number: String,
    },
    /// A signed note, key or checkpoint is not in its form.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// Which thing.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No signature of the expected key.
    #[error("the note bears no signature by {key}; is this the right verifier key?")]
    NotSigned {
        /// The key's name.
        key: String,
    },
    /// A signature of the expected key that does not fit the text.
    #[error("the signature by {key} is not valid: the text or the signature was altered")]
    BadSignature {
        /// The key's name.
        key: String,
    },
    /// A Merkle proof that does not lead to the root.
    #[error("the {kind} proof does not hold: {reason}")]
    ProofFails {
        /// `inclusion` or `consistency`.
        kind: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The ledger belongs to another origin.
    #[error("the ledger in {} has the origin {found:?}, not {expected:?}", dir.display())]
    OriginDiffers {
        /// The ledger's folder.
        dir: PathBuf,
        /// The origin in the ledger.
        found: String,
        /// The origin that was asked for.
        expected: String,
    },
    /// There is a ledger but no key to go on with it.
    #[error("the ledger's private key {} is missing: put it back from a backup", path.display())]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The private key does not belong to the ledger's verifier key.
    #[error("the private key {} is not the one of this ledger", path.display())]
    KeyDiffers {
        /// The key file.
        path: PathBuf,
    },
    /// The private key can be read by others.
    #[error("other users can read the private key {}: run chmod 600 on it", path.display())]
    KeyExposed {
        /// The key file.
        path: PathBuf,
    },
    /// There is a key but no ledger.
    #[error("{} holds no ledger, but its key {} exists: restore the folder from a backup, or move \
             the key away to begin a new ledger", dir.display(), key.display())]
    LedgerMissing {
        /// Where the ledger should be.
        dir: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system: {reason}")]
    Random {
        /// What it said.
        reason: String,
    },
}

impl Error {
    pub(crate) fn file(action: &'static str, path: &Path, source: io::Error) -> Error {
        Error::File { action, path: path.to_owned(), source }
    }

    /// What a round that failed means for one of those who shared it, whose entry was the one at
    /// `place` of the round.
    pub(crate) fn of_one(error: &Arc<Error>, place: u64) -> Error {
        match &**error {
            Error::InDoubt { index, source } => {
                Error::InDoubt { index: index + place, source: Arc::clone(source) }
            }
            Error::NotRecorded(why) => Error::NotRecorded(Arc::clone(why)),
            _ => Error::NotRecorded(Arc::clone(error)),
        }
    }

    pub(crate) fn malformed(what: &'static str, reason: impl Into<String>) -> Error {
        Error::Malformed { what, reason: reason.into() }
    }
}
