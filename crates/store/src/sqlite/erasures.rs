//! The table `erasures`: what is being forgotten. And what has been kept long enough.

use super::column::{Count, integer};
use super::{SqliteStore, now, page_keys};
use crate::key::random_id;
use crate::{ErasureRow, Error, Expired, Expiry, Result};
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::thread::sleep;
use std::time::{Duration, Instant};

const ERASURE: &str =
    "SELECT id, tenant, subject, asked_at, log_size, payloads, reviews FROM erasures";

/// Notes that a subject is to be erased; `None` if nothing of it is kept. One that was begun before
/// and not finished is given again.
pub(super) fn begin(
    store: &SqliteStore,
    (tenant, subject): (&str, &str),
    log_size: u64,
) -> Result<Option<ErasureRow>> {
    integer("the size of the log", log_size)?;
    let id = random_id()?;
    store.write(|transaction| {
        let begun = transaction
            .prepare_cached(&format!("{ERASURE} WHERE tenant = ?1 AND subject = ?2"))?
            .query_row((tenant, subject), erasure)
            .optional()?;
        if begun.is_some() {
            return Ok(begun);
        }
        transaction.execute(
            "INSERT INTO erasures (id, tenant, subject, asked_at, log_size, payloads, reviews)
             SELECT ?1, tenant, subject, ?4, ?5,
                 (SELECT count(*) FROM payloads p WHERE p.subject = s.number),
                 (SELECT count(*) FROM reviews r WHERE r.subject = s.number)
             FROM subjects s WHERE tenant = ?2 AND subject = ?3",
            (&id, tenant, subject, now(), log_size as i64),
        )?;
        one(transaction, &id)
    })
}

fn one(connection: &Connection, id: &str) -> rusqlite::Result<Option<ErasureRow>> {
    connection
        .prepare_cached(&format!("{ERASURE} WHERE id = ?1"))?
        .query_row([id], erasure)
        .optional()
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<ErasureRow>> {
    connection
        .prepare_cached(&format!("{ERASURE} ORDER BY asked_at"))?
        .query_map([], erasure)?
        .collect()
}

fn erasure(row: &Row<'_>) -> rusqlite::Result<ErasureRow> {
    Ok(ErasureRow {
        id: row.get(0)?,
        tenant: row.get(1)?,
        subject: row.get(2)?,
        asked_at: row.get(3)?,
        log_size: row.get::<_, Count>(4)?.0,
        payloads: row.get::<_, Count>(5)?.0,
        reviews: row.get::<_, Count>(6)?.0,
    })
}

/// Destroys the key and deletes what it sealed, and so for the tenant's pages in files; then sees
/// to it that no earlier state of the database is left in its files; and only then forgets that
/// there was something to do.
pub(super) fn carry_out(store: &SqliteStore, id: &str) -> Result<()> {
    store.write(|transaction| {
        let Some(row) = one(transaction, id)? else { return Ok(()) };
        let number: Option<i64> = transaction
            .query_row(
                "SELECT number FROM subjects WHERE tenant = ?1 AND subject = ?2",
                (&row.tenant, &row.subject),
                |row| row.get(0),
            )
            .optional()?;
        if let Some(number) = number {
            transaction.execute("DELETE FROM subjects WHERE number = ?1", [number])?;
            transaction.execute("DELETE FROM payloads WHERE subject = ?1", [number])?;
            transaction.execute("DELETE FROM reviews WHERE subject = ?1", [number])?;
        }
        // Whose prompts the tenant's pages were computed for, nobody has written down.
        page_keys::delete(transaction, &row.tenant)
    })?;
    page_keys::sweep(store)?;
    empty_log(store)?;
    store.write(|transaction| {
        transaction.execute("DELETE FROM erasures WHERE id = ?1", [id]).map(|_| ())
    })
}

/// Deletes what has been kept long enough.
pub(super) fn expire(store: &SqliteStore, expiry: &Expiry) -> Result<Expired> {
    let expired = store.write(|transaction| {
        let mut expired = Expired::default();
        if let Some(before) = &expiry.payloads_before {
            let statement = "DELETE FROM payloads WHERE created_at < ?1";
            expired.payloads = transaction.execute(statement, [before])? as u64;
        }
        if let Some(before) = &expiry.reviews_before {
            let statement = "DELETE FROM reviews WHERE created_at < ?1 AND state = 'resolved'";
            expired.reviews = transaction.execute(statement, [before])? as u64;
        }
        Ok(expired)
    })?;
    if let Some(before) = &expiry.payloads_before {
        page_keys::expire(store, before)?;
    }
    if expired != Expired::default() {
        empty_log(store)?;
    }
    Ok(expired)
}

/// How long readers in other processes are waited for.
const WAIT: Duration = Duration::from_secs(10);

/// Writes the write-ahead log into the database and cuts it to nothing: it holds pages as they were
/// before. What was deleted in the database itself is overwritten with zeros (`secure_delete`).
pub(super) fn empty_log(store: &SqliteStore) -> Result<()> {
    let end = Instant::now() + WAIT;
    loop {
        let busy: i64 = store.with(|connection| {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        })?;
        if busy == 0 {
            return Ok(());
        }
        if Instant::now() > end {
            let waited_ms = WAIT.as_millis() as u64;
            return Err(Error::Busy { path: store.path.clone(), waited_ms });
        }
        sleep(Duration::from_millis(20));
    }
}
