//! Who reads a file's bytes into documents.

use allod_corpus::{Document, Source};
use serde::{Deserialize, Serialize};

/// Reads a file's bytes into documents.
///
/// Files come from outside and their readers are large: a server reads them where a reader that was
/// taken over can reach nothing. Tests and tools read in their own process.
pub trait ReadFile: std::fmt::Debug + Send + Sync {
    /// Reads one file, and gives the documents in it; called from several threads at a time.
    fn read(&self, source: &Source) -> Vec<ReadPart>;
}

/// A document of a file, or why that part of it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadPart {
    /// Its path inside the file; empty for the document that is the file itself.
    pub path: String,
    /// What was read, or why it cannot be read and what to do, in words for whoever ingests it.
    pub document: Result<Document, String>,
}

impl ReadPart {
    /// A file of which nothing could be read.
    pub fn refused(reason: impl Into<String>) -> ReadPart {
        ReadPart { path: String::new(), document: Err(reason.into()) }
    }
}

/// Reads in this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl ReadFile for InProcess {
    fn read(&self, source: &Source) -> Vec<ReadPart> {
        let members = allod_corpus::read_all(source).into_iter().map(|member| ReadPart {
            path: member.path,
            document: member.document.map_err(|error| error.to_string()),
        });
        members.collect()
    }
}
