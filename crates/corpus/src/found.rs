//! What a reader finds in a file.

use crate::Language;
use crate::front::Front;
use crate::raw::Raw;

/// The blocks of a file and what it says about itself.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub raws: Vec<Raw>,
    /// The language that the file names.
    pub language: Option<Language>,
    /// The title in the file's properties; empty if there is none.
    pub title: String,
    /// What the file says about itself besides.
    pub said: Front,
    /// What was not read, in words for the user.
    pub left_out: Vec<String>,
}

impl Found {
    pub(crate) fn of(raws: Vec<Raw>) -> Found {
        Found { raws, ..Found::default() }
    }
}
