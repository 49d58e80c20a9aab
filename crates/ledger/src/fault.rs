//! What `verify` finds: what is wrong, in which file, at which place.

use std::fmt;

/// A disagreement inside a ledger folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{place}: {what}")]
pub struct Fault {
    /// What is wrong.
    pub what: Wrong,
    /// The file, relative to the ledger's folder, with `/` between its parts.
    pub file: String,
    /// The place in the file or the log.
    pub place: Place,
}

/// Where in a file or in the log a fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// The byte at this offset, from 0.
    Byte(u64),
    /// The entry or leaf with this index in the log, from 0.
    Entry(u64),
    /// One of the entries from the first index up to, not including, the second.
    Entries(u64, u64),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File => Ok(()),
            Place::Byte(offset) => write!(formatter, ", byte {offset}"),
            Place::Entry(index) => write!(formatter, ", entry {index}"),
            Place::Entries(first, end) => write!(formatter, ", entries {first}..{end}"),
        }
    }
}

/// The kinds of fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// A file that must be there is not.
    #[error("the file is missing")]
    Missing,
    /// A file that has no business there.
    #[error("the file does not belong to the ledger")]
    Unknown,
    /// What an interrupted write left behind; opening the ledger removes it.
    #[error("left behind by an interrupted write, or added: opening the ledger removes it")]
    LeftOver,
    /// A file that cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// A file that is shorter or longer than it must be.
    #[error("the file has {found} bytes, it must have {expected}")]
    Length {
        /// Bytes it has.
        found: u64,
        /// Bytes it must have.
        expected: u64,
    },
    /// A file that is not in its form.
    #[error("{0}")]
    Malformed(String),
    /// The signature does not fit.
    #[error("the signature is not valid: the text, the signature or the vkey was altered")]
    Signature,
    /// An entry that is not the one whose hash was signed.
    #[error("the entry is not the one that was recorded")]
    Entry,
    /// A hash that is not the one of the entries or tiles below it.
    #[error("the hash is not that of what it stands for")]
    Hash,
    /// Entries and hashes agree with each other, but not with the signed root.
    #[error("the entries do not lead to the signed root")]
    Root,
    /// An entry that is not canonical JSON or not a receipt.
    #[error("the entry is not a canonical receipt: {0}")]
    Receipt(String),
    /// The log is shorter than a head that was seen before.
    #[error("the log was cut: it holds {found} entries, {expected} were seen before")]
    Cut {
        /// Entries it has.
        found: u64,
        /// Entries it had.
        expected: u64,
    },
    /// The log is not a continuation of a head that was seen before.
    #[error("the log was rewritten: its first {size} entries are not those that were seen before")]
    Rewritten {
        /// The size of the head that was seen before.
        size: u64,
    },
    /// The private key is not the ledger's.
    #[error("the private key is not the one of this ledger")]
    Key,
}

impl Fault {
    pub(crate) fn new(what: Wrong, file: impl Into<String>, place: Place) -> Fault {
        Fault { what, file: file.into(), place }
    }

    pub(crate) fn file(what: Wrong, file: impl Into<String>) -> Fault {
        Fault::new(what, file, Place::File)
    }
}
