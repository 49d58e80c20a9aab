//! Documents and the versions of their text.

use serde::{Deserialize, Serialize};

/// Where a document stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentState {
    /// Its file is there and its current version is searched.
    Current,
    /// Its file is gone; its versions stay, because receipts cite them.
    Retired,
    /// Its file is there but could not be read; `reason` says why.
    Unreadable,
}

/// A file that was ingested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRow {
    /// Path as ingested: the key.
    pub path: String,
    /// Digest of the file's bytes (and of its sidecar, if it has one).
    pub source_digest: String,
    /// Size of the file in bytes.
    pub source_bytes: u64,
    /// Time of the file's last change, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Where it stands in its life.
    pub state: DocumentState,
    /// Digest of its current version's text; must name a stored version of this path.
    pub digest: Option<String>,
    /// Why it is unreadable or retired; or what of the file is not in the text.
    pub reason: Option<String>,
}

/// One version of a document's text, kept for ever. Its key is (digest, path); writing the same
/// text at the same path again replaces what is said about it (title, label, dates), and keeps what
/// was said before as an artifact under its digest ([`VersionRow::about`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRow {
    /// `sha256:…` of the canonical text.
    pub digest: String,
    /// Path of the document.
    pub path: String,
    /// Title.
    pub title: String,
    /// Language code (`de`, `fr`, `it`, `rm`, `en`, `und`).
    pub language: String,
    /// Access label; `None` = public.
    pub label: Option<String>,
    /// First day in force (`2026-01-01`).
    pub valid_from: Option<String>,
    /// Last day in force.
    pub valid_until: Option<String>,
    /// All metadata, as JSON.
    pub metadata_json: String,
    /// Structure of the text, as JSON.
    pub blocks_json: String,
    /// Pages of the file and where the text stands on them, as JSON; `None` if it has no pages.
    #[serde(default)]
    pub pages_json: Option<String>,
    /// Canonical text.
    pub text: String,
    /// When it was ingested (RFC 3339).
    pub ingested_at: String,
}

impl VersionRow {
    /// What is said about the text, as far as searches and answers depend on it: metadata and
    /// structure, a line each.
    #[must_use]
    pub fn about(&self) -> String {
        about(&self.metadata_json, &self.blocks_json)
    }

    /// The same version with other things said about it, of which `about` is the text.
    #[must_use]
    pub fn with_about(self, about: &str) -> Option<VersionRow> {
        let (metadata, blocks) = about.split_once('\n')?;
        let (metadata_json, blocks_json) = (metadata.to_owned(), blocks.to_owned());
        Some(VersionRow { metadata_json, blocks_json, ..self })
    }
}

/// JSON as we write it has no line breaks, so one keeps the two apart.
pub(crate) fn about(metadata_json: &str, blocks_json: &str) -> String {
    format!("{metadata_json}\n{blocks_json}")
}
