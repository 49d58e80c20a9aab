//! The table `page_keys`: for each tenant the key of the pages that lie in files, wrapped, and the
//! name of their folder. To forget a tenant's pages is to delete its row; the next page gets
//! another key.

use super::SqliteStore;
use super::erasures::empty_log;
use super::subjects::{self, Fault};
use crate::key::random_id;
use crate::pages::{self, PageKey};
use crate::seal::Key;
use crate::{Error, Result};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use std::path::Path;

fn place(tenant: &str, id: &str) -> String {
    format!("pages\0{tenant}\0{id}")
}

/// A tenant's key; made, with its folder, if there is none.
pub(super) fn get(store: &SqliteStore, tenant: &str) -> Result<PageKey> {
    let root = root(store)?;
    let found = store.sealed(|connection| known(connection, &store.operator, tenant))?;
    let (id, key) = match found {
        Some(found) => found,
        // Asked for with every prompt: only a tenant's first waits for the disk.
        None => store.write_sealed(|transaction| {
            match known(transaction, &store.operator, tenant)? {
                Some(found) => Ok(found),
                None => make(transaction, &store.operator, (tenant, root)),
            }
        })?,
    };
    Ok(PageKey::new(tenant, root.join(id), &key))
}

fn root(store: &SqliteStore) -> Result<&Path> {
    store.pages.as_deref().ok_or_else(|| Error::Folder {
        path: store.path.clone(),
        source: std::io::Error::other("a store in memory has no files"),
    })
}

fn known(
    connection: &Connection,
    operator: &Key,
    tenant: &str,
) -> std::result::Result<Option<(String, Key)>, Fault> {
    let found: Option<(String, Vec<u8>)> = connection
        .prepare_cached("SELECT id, wrapped FROM page_keys WHERE tenant = ?1")?
        .query_row([tenant], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, wrapped)) = found else { return Ok(None) };
    let tenant_key = subjects::known_tenant_key(connection, operator, tenant)?;
    let sealed = || Error::Sealed { what: place(tenant, &id) };
    let key = tenant_key.ok_or_else(sealed)?.unwrap(&place(tenant, &id), &wrapped)?;
    Ok(Some((id, key)))
}

/// Needs a transaction that holds the write lock: nobody sweeps the folder away meanwhile.
fn make(
    connection: &Connection,
    operator: &Key,
    (tenant, root): (&str, &Path),
) -> std::result::Result<(String, Key), Fault> {
    let (id, key) = (random_id()?, Key::random()?);
    let wrapped =
        subjects::tenant_key(connection, operator, tenant)?.wrap(&place(tenant, &id), &key)?;
    let folder = root.join(&id);
    pages::make_folder(&folder).map_err(|source| Error::Folder { path: folder, source })?;
    connection.execute(
        "INSERT INTO page_keys (tenant, id, wrapped, created_at) VALUES (?1, ?2, ?3, ?4)",
        (tenant, &id, wrapped, super::now()),
    )?;
    Ok((id, key))
}

/// Destroys a tenant's key.
pub(super) fn delete(connection: &Connection, tenant: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM page_keys WHERE tenant = ?1", [tenant]).map(drop)
}

/// Destroys a tenant's key and its files, if the key was made at `until` (RFC 3339) or before.
pub(super) fn forget(store: &SqliteStore, tenant: &str, until: Option<&str>) -> Result<()> {
    let made_at: Option<String> = store.with(|connection| {
        connection
            .query_row("SELECT created_at FROM page_keys WHERE tenant = ?1", [tenant], |row| {
                row.get(0)
            })
            .optional()
    })?;
    let Some(made_at) = made_at else { return Ok(()) };
    // A time that cannot be read is as old as can be.
    let time = |text: &str| text.parse::<Timestamp>();
    if until.is_some_and(|until| matches!((time(&made_at), time(until)), (Ok(a), Ok(b)) if a > b)) {
        return Ok(());
    }
    store.write(|transaction| delete(transaction, tenant))?;
    sweep(store)?;
    empty_log(store)
}

/// Deletes files whose key is gone, and keys whose files are.
pub(super) fn sweep(store: &SqliteStore) -> Result<()> {
    let Some(root) = store.pages.as_deref() else { return Ok(()) };
    if !root.is_dir() && store.with(|connection| ids(connection))?.is_empty() {
        return Ok(());
    }
    store.write_sealed(|transaction| {
        let mut known = ids(transaction)?;
        known.retain(|id| {
            let is_there = root.join(id).is_dir();
            is_there || transaction.execute("DELETE FROM page_keys WHERE id = ?1", [id]).is_err()
        });
        let swept = pages::sweep(root, &known);
        Ok(swept.map_err(|source| Error::Folder { path: root.to_owned(), source })?)
    })
}

fn ids(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare("SELECT id FROM page_keys")?.query_map([], |row| row.get(0))?.collect()
}

/// Deletes pages that were made before a time (RFC 3339).
pub(super) fn expire(store: &SqliteStore, before: &str) -> Result<()> {
    let (Some(root), Ok(before)) = (store.pages.as_deref(), before.parse::<Timestamp>()) else {
        return Ok(());
    };
    let expired = pages::expire(root, before.as_second());
    expired.map(drop).map_err(|source| Error::Folder { path: root.to_owned(), source })
}
