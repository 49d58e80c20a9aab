//! The table `keys`.

use super::column::Json;
use super::{SqliteStore, now};
use crate::key::PresentedKey;
use crate::{KeyRow, Result};
use rusqlite::{Connection, OptionalExtension as _, Row};

const KEY: &str = "SELECT id, name, tenant, labels, role, created_at, revoked_at, secret_digest \
     FROM keys";

pub(super) fn create(
    store: &SqliteStore,
    name: &str,
    tenant: &str,
    labels: &[String],
    role: &str,
) -> Result<(KeyRow, String)> {
    let key = PresentedKey::generate()?;
    let row = KeyRow {
        id: key.id.clone(),
        name: name.to_owned(),
        tenant: tenant.to_owned(),
        labels: labels.to_vec(),
        role: role.to_owned(),
        created_at: now(),
        revoked_at: None,
    };
    store.with(|connection| insert(connection, &row, &key.secret_digest()))?;
    Ok((row, key.reveal()))
}

fn insert(connection: &Connection, row: &KeyRow, digest: &[u8]) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO keys (id, name, tenant, labels, role, created_at, secret_digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (&row.id, &row.name, &row.tenant, Json(&row.labels), &row.role, &row.created_at, digest),
    )?;
    Ok(())
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<KeyRow>> {
    connection.prepare_cached(&format!("{KEY} ORDER BY number"))?.query_map([], key)?.collect()
}

pub(super) fn revoke(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "UPDATE keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
        (id, now()),
    )?;
    Ok(changed == 1)
}

/// Finds the row by the public id, then compares the secret's digest in constant time.
pub(super) fn authenticate(store: &SqliteStore, secret: &str) -> Result<Option<KeyRow>> {
    let Some(presented) = PresentedKey::parse(secret) else {
        return Ok(None);
    };
    let found = store.with(|connection| {
        connection
            .prepare_cached(&format!("{KEY} WHERE id = ?1"))?
            .query_row([&presented.id], |row| Ok((key(row)?, row.get::<_, Vec<u8>>(7)?)))
            .optional()
    })?;
    Ok(found
        .filter(|(row, digest)| presented.matches(digest) && row.revoked_at.is_none())
        .map(|(row, _)| row))
}

fn key(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    Ok(KeyRow {
        id: row.get(0)?,
        name: row.get(1)?,
        tenant: row.get(2)?,
        labels: row.get::<_, Json<_>>(3)?.0,
        role: row.get(4)?,
        created_at: row.get(5)?,
        revoked_at: row.get(6)?,
    })
}
