//! Durable state behind one trait.
//!
//! What Allod must remember between two runs stands here: documents and their versions, API
//! keys, the review queue, the payloads that receipts commit to, and a few settings. The trait
//! [`Store`] is the seam; [`SqliteStore`] keeps everything in one file of the data folder.
//!
//! What people asked and were answered is sealed under a key for each of them (`docs/privacy.md`).
//!
//! Every writing call is durable when it returns. Several processes may use one folder.

mod artifact;
mod document;
mod error;
mod key;
mod operator;
mod pages;
mod payload;
mod review;
mod seal;
mod setting;
mod sqlite;
mod subject;
mod token;

pub use artifact::ArtifactRow;
pub use document::{DocumentRow, DocumentState, VersionRow};
pub use error::Error;
pub use key::KeyRow;
pub use operator::OperatorKey;
pub use pages::{PAGE_BYTES_MAX, PageCounts, PageFiles, PageKey, PageName};
pub use payload::PayloadRow;
pub use review::{NewReview, Resolution, ReviewKind, ReviewRow, ReviewState, Verdict};
pub use setting::{HeadRow, LEDGER_HEAD};
pub use sqlite::{DATABASE_FILE, SqliteStore};
pub use subject::{ErasureRow, Expired, Expiry, SubjectRow};
pub use token::Token;

use std::path::PathBuf;

/// The result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Durable state. Object safe: the rest of the house holds an `Arc<dyn Store>`.
pub trait Store: Send + Sync {
    /// All documents ever seen, retired and unreadable ones too, ordered by path.
    fn documents(&self) -> Result<Vec<DocumentRow>>;

    /// The document at `path`.
    fn document(&self, path: &str) -> Result<Option<DocumentRow>>;

    /// Writes a document and, if it has a new version, that version: both or neither.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`] if `row.digest` names a version that is neither given nor stored.
    fn put_document(&self, row: &DocumentRow, version: Option<&VersionRow>) -> Result<()>;

    /// Writes a batch in one transaction: all rows or none.
    ///
    /// # Errors
    /// As [`Store::put_document`].
    fn put_documents(&self, rows: &[(DocumentRow, Option<VersionRow>)]) -> Result<()>;

    /// The version with this text digest. The same text may stand under several paths; without a
    /// path, current versions come before old ones, public before labelled, then by path.
    fn version(&self, digest: &str, path: Option<&str>) -> Result<Option<VersionRow>>;

    /// All versions that ever stood at `path`, oldest first.
    fn versions_of(&self, path: &str) -> Result<Vec<VersionRow>>;

    /// Makes an API key. The second value is the whole key; it is shown once and never stored.
    fn create_key(
        &self,
        name: &str,
        tenant: &str,
        labels: &[String],
        role: &str,
    ) -> Result<(KeyRow, String)>;

    /// All keys, revoked ones too, oldest first.
    fn list_keys(&self) -> Result<Vec<KeyRow>>;

    /// Revokes a key; false if there is no such key or it was revoked before.
    fn revoke_key(&self, id: &str) -> Result<bool>;

    /// The key that `secret` proves, or `None` if it is malformed, unknown, wrong or revoked.
    /// Takes the same time for a wrong secret wherever it differs.
    fn authenticate(&self, secret: &str) -> Result<Option<KeyRow>>;

    /// Puts a request into the review queue and gives it an id and a time.
    fn enqueue_review(&self, review: &NewReview) -> Result<ReviewRow>;

    /// Notes which receipt records the request; for a receipt that is written after queueing.
    ///
    /// # Errors
    /// [`Error::NoSuchReview`].
    fn link_review(&self, id: &str, receipt_index: u64) -> Result<()>;

    /// The queue, oldest first; only entries in `state` if one is given.
    fn reviews(&self, state: Option<ReviewState>) -> Result<Vec<ReviewRow>>;

    /// One entry of the queue.
    fn review(&self, id: &str) -> Result<Option<ReviewRow>>;

    /// Resolves an open entry, once. Where two persons have to decide, it stays open after the
    /// first, and for as long as they do not say the same.
    ///
    /// # Errors
    /// [`Error::NoSuchReview`], [`Error::AlreadyResolved`].
    fn resolve_review(&self, id: &str, resolution: &Resolution, persons: u32) -> Result<ReviewRow>;

    /// Resolved entries whose decision has no receipt yet, oldest first.
    fn unsigned_decisions(&self) -> Result<Vec<ReviewRow>>;

    /// Notes the receipt that a resolved entry's decision has.
    fn link_decision(&self, id: &str, receipt_index: u64) -> Result<()>;

    /// Stores payloads in one transaction. One that is already there stays as it is.
    fn put_payloads(&self, payloads: &[PayloadRow]) -> Result<()>;

    /// As [`Store::put_payloads`] and, in the same transaction, [`Store::raise_ledger_head`].
    fn put_payloads_and_head(&self, payloads: &[PayloadRow], head: &HeadRow) -> Result<()>;

    /// What the commitment opens to.
    fn payload(&self, commitment: &str) -> Result<Option<PayloadRow>>;

    /// Keeps artifacts in one transaction. One that is already there stays as it is.
    fn put_artifacts(&self, artifacts: &[ArtifactRow]) -> Result<()>;

    /// The artifact of this digest, as it is stored: whether it is whole is for the caller to ask.
    fn artifact(&self, digest: &str) -> Result<Option<ArtifactRow>>;

    /// Everyone whose words are kept, of one tenant or of all; those seen first come first.
    fn subjects(&self, tenant: Option<&str>) -> Result<Vec<SubjectRow>>;

    /// All that a subject asked and was answered, oldest first.
    fn payloads_of(&self, tenant: &str, subject: &str) -> Result<Vec<PayloadRow>>;

    /// The pseudonym of a person whom a tenant's program names: always the same for the tenant,
    /// and nobody finds the name out from it without the tenant's key.
    fn pseudonym(&self, tenant: &str, name: &str) -> Result<String>;

    /// Begins to erase a subject, when the log has so many entries; `None` if nothing of it is
    /// kept. One that was begun before is given again.
    fn begin_erasure(
        &self,
        tenant: &str,
        subject: &str,
        log_size: u64,
    ) -> Result<Option<ErasureRow>>;

    /// Erasures that were begun and are not finished.
    fn erasures(&self) -> Result<Vec<ErasureRow>>;

    /// Destroys the key of an erasure's subject and all that it sealed, so that no file of the
    /// store holds them any more, and finishes the erasure. Nothing happens if it was finished.
    ///
    /// # Errors
    /// [`Error::Busy`] when another process reads an earlier state for too long; the erasure stays
    /// begun then, and can be carried out again.
    fn carry_out_erasure(&self, id: &str) -> Result<()>;

    /// The key of a tenant's pages that lie in files, as it is now; made if there is none.
    ///
    /// # Errors
    /// [`Error::Folder`] where the store has no files, or the folder cannot be made.
    fn page_key(&self, tenant: &str) -> Result<PageKey>;

    /// Destroys the key of a tenant's pages and all their files, if it was made at `until`
    /// (RFC 3339) or before; in any case without a time.
    ///
    /// # Errors
    /// As [`Store::carry_out_erasure`].
    fn forget_pages(&self, tenant: &str, until: Option<&str>) -> Result<()>;

    /// Deletes files of pages whose key is gone, as after a process that died.
    fn sweep_pages(&self) -> Result<()>;

    /// Deletes what is older than it may be; pages in files too, if they are older than payloads
    /// may be.
    fn expire(&self, expiry: &Expiry) -> Result<Expired>;

    /// Tokens that a tenant has used on a day (`2026-11-22`) or, if there is a later one, on that.
    fn tokens_used(&self, tenant: &str, day: &str) -> Result<u64>;

    /// Notes that a tenant has used tokens, and gives the day's sum. A day before the last one that
    /// was noted counts as that one, so that a clock that is set back gives nothing back.
    fn add_tokens_used(&self, tenant: &str, day: &str, tokens: u64) -> Result<u64>;

    /// The file of the data folder in which the operator's key still lies in plain, though it comes
    /// from elsewhere.
    fn plain_key_left(&self) -> Option<PathBuf>;

    /// A setting's value.
    fn setting(&self, key: &str) -> Result<Option<String>>;

    /// Writes a setting.
    fn set_setting(&self, key: &str, value: &str) -> Result<()>;

    /// Remembers the ledger's head under [`LEDGER_HEAD`] unless a larger one is remembered, so
    /// that a log that was cut off is noticed. Atomic across processes.
    fn raise_ledger_head(&self, head: &HeadRow) -> Result<()>;

    /// The largest ledger head that was remembered.
    fn ledger_head(&self) -> Result<Option<HeadRow>>;
}
