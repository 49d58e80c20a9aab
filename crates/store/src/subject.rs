//! Data subjects: whose words are kept, and how they are forgotten.

use serde::{Deserialize, Serialize};

/// Someone whose words are kept, under a pseudonym.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectRow {
    /// The tenant that they belong to.
    pub tenant: String,
    /// Their pseudonym, as receipts name it.
    pub subject: String,
    /// When their key was made (RFC 3339).
    pub created_at: String,
    /// Prompts and answers that are kept.
    pub payloads: u64,
    /// Entries of the review queue.
    pub reviews: u64,
}

/// An erasure that was begun and is not finished: a process that dies in it leaves this, and the
/// next one goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRow {
    /// Its own identifier; its receipt carries it.
    pub id: String,
    /// The tenant.
    pub tenant: String,
    /// The subject's pseudonym.
    pub subject: String,
    /// When it was asked for (RFC 3339).
    pub asked_at: String,
    /// Entries of the log at that time: its receipt is not among them.
    pub log_size: u64,
    /// Prompts and answers that it erases.
    pub payloads: u64,
    /// Entries of the review queue that it erases.
    pub reviews: u64,
}

/// What is older than these times (RFC 3339) has been kept long enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expiry {
    /// Prompts and answers.
    pub payloads_before: Option<String>,
    /// Resolved entries of the review queue.
    pub reviews_before: Option<String>,
}

/// How much was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// Prompts and answers.
    pub payloads: u64,
    /// Entries of the review queue.
    pub reviews: u64,
}
