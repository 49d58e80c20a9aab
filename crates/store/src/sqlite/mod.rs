//! The embedded store: one SQLite file in the data folder.
//!
//! One connection behind a mutex serves all threads of a process: the statements are short, and
//! SQLite has one writer at a time anyway. Processes are kept apart by SQLite's own locks.

mod artifacts;
mod column;
mod documents;
mod erasures;
mod keys;
mod migrations;
mod open;
mod page_keys;
mod payloads;
mod plain;
mod reviews;
mod settings;
mod subjects;
mod usage;

use crate::operator::{OperatorKey, usual_file};
use crate::pages::{PageKey, root_of};
use crate::seal::Key;
use crate::{
    ArtifactRow, DocumentRow, ErasureRow, Error, Expired, Expiry, HeadRow, KeyRow, NewReview,
    PayloadRow, Resolution, Result, ReviewRow, ReviewState, Store, SubjectRow, VersionRow,
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use subjects::Fault;

/// Name of the database in the data folder.
pub const DATABASE_FILE: &str = "allod.db";

/// How long a call waits for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Durable state in one SQLite file (write-ahead log, synchronous).
pub struct SqliteStore {
    connection: Mutex<Connection>,
    path: PathBuf,
    operator: Key,
    /// Where pages of prompts lie, if there are files at all.
    pages: Option<PathBuf>,
    /// Where the operator's key would usually lie, if it comes from elsewhere.
    unused: Option<PathBuf>,
}

impl SqliteStore {
    /// Opens the store in `folder`, or makes it, with the operator's key in `keys/operator.key` of
    /// the folder. A folder that is made is for its owner only (mode 0700), and so are the database
    /// and the key (0600), whoever made the folder.
    ///
    /// # Errors
    /// [`Error::Folder`], [`Error::Corrupt`], [`Error::Foreign`], [`Error::NewerSchema`],
    /// [`Error::ReadOnly`], [`Error::DiskFull`], [`Error::Busy`], [`Error::OperatorKey`].
    pub fn open(folder: &Path) -> Result<SqliteStore> {
        SqliteStore::open_with(folder, &OperatorKey::File(usual_file(folder)))
    }

    /// As [`SqliteStore::open`], with the operator's key from elsewhere.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with(folder: &Path, operator: &OperatorKey) -> Result<SqliteStore> {
        let path = open::prepare(folder)?;
        let connection = Connection::open_with_flags(&path, open::flags())
            .map_err(|source| Error::from_database(&path, source, 0))?;
        let store = SqliteStore::from_connection(connection, path, operator)?;
        let usual = usual_file(folder);
        let unused = (!operator.is_at(&usual)).then_some(usual);
        Ok(SqliteStore { unused, pages: Some(root_of(folder)), ..store })
    }

    /// A store that is gone when it is dropped, with a key of its own; for tests.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn in_memory() -> Result<SqliteStore> {
        let path = PathBuf::from(":memory:");
        let connection = Connection::open_in_memory()
            .map_err(|source| Error::from_database(&path, source, 0))?;
        let operator = OperatorKey::Given(Key::random()?.to_hex());
        SqliteStore::from_connection(connection, path, &operator)
    }

    /// The database file (`:memory:` for [`SqliteStore::in_memory`]).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the whole database and checks its structure. Takes long on a large one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with what was found.
    pub fn check(&self) -> Result<()> {
        let found = self.with(|connection| {
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        })?;
        if found == "ok" {
            return Ok(());
        }
        Err(Error::Corrupt { path: self.path.clone(), detail: found })
    }

    fn from_connection(
        mut connection: Connection,
        path: PathBuf,
        operator: &OperatorKey,
    ) -> Result<SqliteStore> {
        open::configure(&connection).map_err(|source| fault(&path, source))?;
        migrations::run(&mut connection, &path)?;
        let operator = operator_key(&mut connection, operator).map_err(|why| told(&path, why))?;
        let connection = Mutex::new(connection);
        let store = SqliteStore { connection, path, operator, pages: None, unused: None };
        plain::seal(&store)?;
        Ok(store)
    }

    /// Runs `work`, which opens seals, on the connection.
    fn sealed<T>(
        &self,
        work: impl FnOnce(&Connection) -> std::result::Result<T, Fault>,
    ) -> Result<T> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&connection).map_err(|why| told(&self.path, why))
    }

    /// Runs `work`, which seals, in one transaction that holds the write lock from its start.
    fn write_sealed<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Fault>,
    ) -> Result<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let run = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|why| told(&self.path, why))
    }

    /// Runs `work` on the connection and explains what fails.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        // A thread that panicked has rolled its transaction back on the way; the connection is fit.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|source| fault(&self.path, source))
    }

    /// Runs `work` in one transaction that holds the write lock from its start, so that what it
    /// reads is still true when it writes.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        self.with(|connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }
}

/// Explains a failure of the database at `path`.
fn fault(path: &Path, source: rusqlite::Error) -> Error {
    Error::from_database(path, source, BUSY_TIMEOUT.as_millis() as u64)
}

/// The operator's key. Reading it first keeps the ordinary start free of a write lock.
fn operator_key(
    connection: &mut Connection,
    from: &OperatorKey,
) -> std::result::Result<Key, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    if subjects::is_set_up(&transaction)? {
        return subjects::operator(&transaction, from);
    }
    drop(transaction);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let key = subjects::operator(&transaction, from)?;
    transaction.commit()?;
    Ok(key)
}

/// Explains what went wrong with the database or a seal.
fn told(path: &Path, why: Fault) -> Error {
    match why {
        Fault::Database(source) => fault(path, source),
        Fault::Seal(error) => error,
    }
}

/// Now, as it is stored.
fn now() -> String {
    jiff::Timestamp::now().to_string()
}

impl Store for SqliteStore {
    fn documents(&self) -> Result<Vec<DocumentRow>> {
        self.with(|connection| documents::all(connection))
    }

    fn document(&self, path: &str) -> Result<Option<DocumentRow>> {
        self.with(|connection| documents::one(connection, path))
    }

    fn put_document(&self, row: &DocumentRow, version: Option<&VersionRow>) -> Result<()> {
        documents::check(row)?;
        self.write(|transaction| documents::put(transaction, row, version))
    }

    fn put_documents(&self, rows: &[(DocumentRow, Option<VersionRow>)]) -> Result<()> {
        rows.iter().try_for_each(|(row, _)| documents::check(row))?;
        self.write(|transaction| {
            rows.iter()
                .try_for_each(|(row, version)| documents::put(transaction, row, version.as_ref()))
        })
    }

    fn version(&self, digest: &str, path: Option<&str>) -> Result<Option<VersionRow>> {
        self.with(|connection| documents::version(connection, digest, path))
    }

    fn versions_of(&self, path: &str) -> Result<Vec<VersionRow>> {
        self.with(|connection| documents::versions_of(connection, path))
    }

    fn create_key(
        &self,
        name: &str,
        tenant: &str,
        labels: &[String],
        role: &str,
    ) -> Result<(KeyRow, String)> {
        keys::create(self, name, tenant, labels, role)
    }

    fn list_keys(&self) -> Result<Vec<KeyRow>> {
        self.with(|connection| keys::all(connection))
    }

    fn revoke_key(&self, id: &str) -> Result<bool> {
        self.with(|connection| keys::revoke(connection, id))
    }

    fn authenticate(&self, secret: &str) -> Result<Option<KeyRow>> {
        keys::authenticate(self, secret)
    }

    fn enqueue_review(&self, review: &NewReview) -> Result<ReviewRow> {
        reviews::enqueue(self, review)
    }

    fn link_review(&self, id: &str, receipt_index: u64) -> Result<()> {
        reviews::link(self, id, receipt_index)
    }

    fn reviews(&self, state: Option<ReviewState>) -> Result<Vec<ReviewRow>> {
        reviews::all(self, state)
    }

    fn review(&self, id: &str) -> Result<Option<ReviewRow>> {
        reviews::one(self, id)
    }

    fn resolve_review(&self, id: &str, resolution: &Resolution, persons: u32) -> Result<ReviewRow> {
        reviews::resolve(self, id, resolution, persons)
    }

    fn unsigned_decisions(&self) -> Result<Vec<ReviewRow>> {
        reviews::unsigned(self)
    }

    fn link_decision(&self, id: &str, receipt_index: u64) -> Result<()> {
        reviews::link_decision(self, id, receipt_index)
    }

    fn put_payloads(&self, payloads: &[PayloadRow]) -> Result<()> {
        self.write_sealed(|transaction| payloads::put(transaction, &self.operator, payloads))
    }

    fn put_payloads_and_head(&self, payloads: &[PayloadRow], head: &HeadRow) -> Result<()> {
        self.write_sealed(|transaction| {
            payloads::put(transaction, &self.operator, payloads)?;
            Ok(settings::raise_head(transaction, head)?)
        })
    }

    fn payload(&self, commitment: &str) -> Result<Option<PayloadRow>> {
        payloads::one(self, commitment)
    }

    fn subjects(&self, tenant: Option<&str>) -> Result<Vec<SubjectRow>> {
        self.with(|connection| subjects::all(connection, tenant))
    }

    fn payloads_of(&self, tenant: &str, subject: &str) -> Result<Vec<PayloadRow>> {
        payloads::of_subject(self, tenant, subject)
    }

    fn pseudonym(&self, tenant: &str, name: &str) -> Result<String> {
        // Asked with every request of a named person: only a tenant's first waits for the disk.
        let known = self
            .sealed(|connection| subjects::known_tenant_key(connection, &self.operator, tenant))?;
        if let Some(key) = known {
            return Ok(key.pseudonym(name));
        }
        self.write_sealed(|transaction| {
            Ok(subjects::tenant_key(transaction, &self.operator, tenant)?.pseudonym(name))
        })
    }

    fn begin_erasure(
        &self,
        tenant: &str,
        subject: &str,
        log_size: u64,
    ) -> Result<Option<ErasureRow>> {
        erasures::begin(self, (tenant, subject), log_size)
    }

    fn erasures(&self) -> Result<Vec<ErasureRow>> {
        self.with(|connection| erasures::all(connection))
    }

    fn carry_out_erasure(&self, id: &str) -> Result<()> {
        erasures::carry_out(self, id)
    }

    fn expire(&self, expiry: &Expiry) -> Result<Expired> {
        erasures::expire(self, expiry)
    }

    fn page_key(&self, tenant: &str) -> Result<PageKey> {
        page_keys::get(self, tenant)
    }

    fn forget_pages(&self, tenant: &str, until: Option<&str>) -> Result<()> {
        page_keys::forget(self, tenant, until)
    }

    fn sweep_pages(&self) -> Result<()> {
        page_keys::sweep(self)
    }

    fn put_artifacts(&self, artifacts: &[ArtifactRow]) -> Result<()> {
        self.write(|transaction| artifacts::put(transaction, artifacts))
    }

    fn artifact(&self, digest: &str) -> Result<Option<ArtifactRow>> {
        self.with(|connection| artifacts::one(connection, digest))
    }

    fn plain_key_left(&self) -> Option<PathBuf> {
        let file = self.unused.as_ref()?;
        let text = std::fs::read_to_string(file).ok()?;
        let key = Key::from_hex(&text)?;
        (key == self.operator).then(|| file.clone())
    }

    fn tokens_used(&self, tenant: &str, day: &str) -> Result<u64> {
        self.with(|connection| usage::of(connection, tenant, day))
    }

    fn add_tokens_used(&self, tenant: &str, day: &str, tokens: u64) -> Result<u64> {
        self.with(|connection| usage::add(connection, tenant, day, tokens))
    }

    fn setting(&self, key: &str) -> Result<Option<String>> {
        self.with(|connection| settings::get(connection, key))
    }

    fn set_setting(&self, key: &str, value: &str) -> Result<()> {
        self.with(|connection| settings::set(connection, key, value))
    }

    fn raise_ledger_head(&self, head: &HeadRow) -> Result<()> {
        self.write(|transaction| settings::raise_head(transaction, head))
    }

    fn ledger_head(&self) -> Result<Option<HeadRow>> {
        self.with(|connection| settings::head(connection))
    }
}

#[cfg(test)]
mod forgetting_tests;
#[cfg(test)]
mod tests;
