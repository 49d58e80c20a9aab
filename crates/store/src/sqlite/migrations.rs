//! The schema and its versions.
//!
//! `user_version` counts the migrations that were run. A migration that was released is never
//! changed; a new one is added at the end.

use super::fault;
use crate::Error;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// "ALOD": tells our database from any other SQLite file.
const APPLICATION_ID: i32 = 0x414c_4f44;

/// All migrations, oldest first.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE versions (
    digest        TEXT NOT NULL,
    path          TEXT NOT NULL,
    title         TEXT NOT NULL,
    language      TEXT NOT NULL,
    label         TEXT,
    valid_from    TEXT,
    valid_until   TEXT,
    metadata_json TEXT NOT NULL,
    blocks_json   TEXT NOT NULL,
    ingested_at   TEXT NOT NULL,
    text          TEXT NOT NULL, -- last, so that the short columns are read without it
    UNIQUE (digest, path)
) STRICT;
CREATE INDEX versions_path ON versions (path);
CREATE TABLE documents (
    path          TEXT NOT NULL PRIMARY KEY,
    source_digest TEXT NOT NULL,
    source_bytes  INTEGER NOT NULL,
    modified_ns   INTEGER NOT NULL,
    state         TEXT NOT NULL,
    digest        TEXT,
    reason        TEXT,
    FOREIGN KEY (digest, path) REFERENCES versions (digest, path)
) STRICT;
CREATE TABLE keys (
    number        INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    secret_digest BLOB NOT NULL,
    name          TEXT NOT NULL,
    tenant        TEXT NOT NULL,
    labels        TEXT NOT NULL,
    role          TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    revoked_at    TEXT
) STRICT;
CREATE TABLE reviews (
    number        INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    created_at    TEXT NOT NULL,
    kind          TEXT NOT NULL,
    tenant        TEXT NOT NULL,
    reasons       TEXT NOT NULL,
    receipt_index INTEGER,
    request_json  TEXT NOT NULL,
    draft_json    TEXT,
    state         TEXT NOT NULL,
    resolution    TEXT
) STRICT;
CREATE INDEX reviews_state ON reviews (state);
CREATE TABLE payloads (
    commitment    TEXT NOT NULL PRIMARY KEY,
    salt_hex      TEXT NOT NULL,
    kind          TEXT NOT NULL,
    content       TEXT NOT NULL,
    tenant        TEXT NOT NULL,
    created_at    TEXT NOT NULL
) STRICT;
CREATE TABLE settings (
    key           TEXT NOT NULL PRIMARY KEY,
    value         TEXT NOT NULL
) STRICT;
",
    "
ALTER TABLE versions ADD COLUMN pages_json TEXT;
",
    "
CREATE TABLE artifacts (
    digest        TEXT NOT NULL PRIMARY KEY,
    kind          TEXT NOT NULL,
    content       TEXT NOT NULL
) STRICT;
",
    // Words are sealed from here on; the columns that held them stay empty.
    "
CREATE TABLE tenant_keys (
    tenant        TEXT NOT NULL PRIMARY KEY,
    wrapped       BLOB NOT NULL
) STRICT;
CREATE TABLE subjects (
    number        INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again after an erasure
    tenant        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    wrapped       BLOB NOT NULL,
    created_at    TEXT NOT NULL,
    UNIQUE (tenant, subject)
) STRICT;
CREATE TABLE erasures (
    id            TEXT NOT NULL PRIMARY KEY,
    tenant        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    asked_at      TEXT NOT NULL,
    log_size      INTEGER NOT NULL,
    payloads      INTEGER NOT NULL,
    reviews       INTEGER NOT NULL
) STRICT;
ALTER TABLE payloads ADD COLUMN subject INTEGER;
ALTER TABLE payloads ADD COLUMN sealed BLOB;
CREATE INDEX payloads_subject ON payloads (subject);
CREATE INDEX payloads_created ON payloads (created_at);
CREATE INDEX payloads_plain ON payloads (commitment) WHERE sealed IS NULL;
ALTER TABLE reviews ADD COLUMN subject INTEGER;
ALTER TABLE reviews ADD COLUMN sealed BLOB;
ALTER TABLE reviews ADD COLUMN sealed_resolution BLOB;
CREATE INDEX reviews_subject ON reviews (subject);
CREATE INDEX reviews_plain ON reviews (number) WHERE sealed IS NULL;
",
    "
CREATE TABLE usage (
    tenant        TEXT NOT NULL PRIMARY KEY,
    day           TEXT NOT NULL,
    tokens        INTEGER NOT NULL
) STRICT;
",
    "
ALTER TABLE reviews ADD COLUMN signed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX reviews_unsigned ON reviews (number) WHERE state = 'resolved' AND signed = 0;
",
    "
CREATE TABLE page_keys (
    tenant        TEXT NOT NULL PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    wrapped       BLOB NOT NULL,
    created_at    TEXT NOT NULL
) STRICT;
",
];

/// Brings the database at `path` to the newest schema, in one transaction.
pub(super) fn run(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    // Reading first keeps the ordinary start free of a write lock.
    if known_version(connection, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|source| fault(path, source))?;
    // Another process may have migrated between the two looks.
    let done = known_version(&transaction, path)?;
    migrate(&transaction, done)
        .and_then(|()| transaction.commit())
        .map_err(|source| fault(path, source))
}

fn migrate(connection: &Connection, done: usize) -> rusqlite::Result<()> {
    for migration in &MIGRATIONS[done..] {
        connection.execute_batch(migration)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", MIGRATIONS.len() as i32)
}

/// How many migrations were run; refuses a foreign or newer database.
fn known_version(connection: &Connection, path: &Path) -> Result<usize, Error> {
    let number = |pragma: &str| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i32>(0))
            .map_err(|source| fault(path, source))
    };
    let application = number("application_id")?;
    let tables = number("schema_version")?;
    // A database without tables is new, whoever made it.
    if application != APPLICATION_ID && tables != 0 {
        return Err(Error::Foreign { path: path.to_owned(), found: application });
    }
    let found = number("user_version")?;
    match usize::try_from(found) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => {
            Err(Error::NewerSchema { path: path.to_owned(), found, known: MIGRATIONS.len() as i32 })
        }
    }
}
