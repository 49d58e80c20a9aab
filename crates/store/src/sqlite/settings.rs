//! The table `settings`.

use super::column::Json;
use crate::{HeadRow, LEDGER_HEAD};
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OptionalExtension as _};

pub(super) fn get<T: FromSql>(connection: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    connection
        .prepare_cached("SELECT value FROM settings WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

pub(super) fn set(connection: &Connection, key: &str, value: impl ToSql) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO settings (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )?
        .execute((key, value))?;
    Ok(())
}

pub(super) fn head(connection: &Connection) -> rusqlite::Result<Option<HeadRow>> {
    Ok(get::<Json<HeadRow>>(connection, LEDGER_HEAD)?.map(|json| json.0))
}

/// Needs a transaction that holds the write lock.
pub(super) fn raise_head(connection: &Connection, new: &HeadRow) -> rusqlite::Result<()> {
    match head(connection)? {
        Some(old) if old.size >= new.size => Ok(()),
        _ => set(connection, LEDGER_HEAD, Json(new)),
    }
}
