//! The table `payloads`. Salt and text are sealed under the subject's key.

use super::SqliteStore;
use super::subjects::{self, Fault};
use crate::seal::Key;
use crate::{Error, PayloadRow, Result};
use rusqlite::{Connection, OptionalExtension as _, Row};

const PAYLOAD: &str = "SELECT commitment, kind, tenant, created_at, subject, sealed FROM payloads";

fn place(commitment: &str, kind: &str) -> String {
    format!("payload\0{commitment}\0{kind}")
}

/// A commitment fixes salt and content, so a second write could only repeat the first.
pub(super) fn put(
    connection: &Connection,
    operator: &Key,
    payloads: &[PayloadRow],
) -> std::result::Result<(), Fault> {
    // The rows of a request are of one subject.
    let mut last = None;
    for row in payloads {
        let name = (row.tenant.as_str(), row.subject.as_str());
        let subject = match last.take() {
            Some((known, subject)) if known == name => subject,
            _ => subjects::subject(connection, operator, name)?,
        };
        let words = format!("{}\n{}", row.salt_hex, row.content);
        let sealed = subject.key.seal(&place(&row.commitment, &row.kind), words.as_bytes())?;
        connection
            .prepare_cached(
                "INSERT INTO payloads
                     (commitment, salt_hex, kind, content, tenant, created_at, subject, sealed)
                 VALUES (?1, '', ?2, '', ?3, ?4, ?5, ?6) ON CONFLICT (commitment) DO NOTHING",
            )?
            .execute((
                &row.commitment,
                &row.kind,
                &row.tenant,
                &row.created_at,
                subject.number,
                sealed,
            ))?;
        last = Some((name, subject));
    }
    Ok(())
}

/// A row as it stands there.
struct Stored {
    commitment: String,
    kind: String,
    tenant: String,
    created_at: String,
    subject: Option<i64>,
    sealed: Option<Vec<u8>>,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        commitment: row.get(0)?,
        kind: row.get(1)?,
        tenant: row.get(2)?,
        created_at: row.get(3)?,
        subject: row.get(4)?,
        sealed: row.get(5)?,
    })
}

pub(super) fn one(store: &SqliteStore, commitment: &str) -> Result<Option<PayloadRow>> {
    store.sealed(|connection| {
        let found = connection
            .prepare_cached(&format!("{PAYLOAD} WHERE commitment = ?1"))?
            .query_row([commitment], stored)
            .optional()?;
        found.map_or(Ok(None), |row| opened(connection, &store.operator, row))
    })
}

/// All that a subject asked and was answered, oldest first.
pub(super) fn of_subject(
    store: &SqliteStore,
    tenant: &str,
    subject: &str,
) -> Result<Vec<PayloadRow>> {
    store.sealed(|connection| {
        let rows: Vec<Stored> = connection
            .prepare_cached(&format!(
                "{PAYLOAD} WHERE subject = (SELECT number FROM subjects
                     WHERE tenant = ?1 AND subject = ?2) ORDER BY created_at, rowid"
            ))?
            .query_map([tenant, subject], stored)?
            .collect::<rusqlite::Result<_>>()?;
        let opened = rows.into_iter().map(|row| opened(connection, &store.operator, row));
        Ok(opened.collect::<std::result::Result<Vec<_>, Fault>>()?.into_iter().flatten().collect())
    })
}

/// The row with its words; `None` when its subject was erased meanwhile.
fn opened(
    connection: &Connection,
    operator: &Key,
    row: Stored,
) -> std::result::Result<Option<PayloadRow>, Fault> {
    let (Some(number), Some(sealed)) = (row.subject, row.sealed) else { return Ok(None) };
    let Some((key, subject)) = subjects::by_number(connection, operator, number)? else {
        return Ok(None);
    };
    let place = place(&row.commitment, &row.kind);
    let words = key.open(&place, &sealed)?;
    let words = String::from_utf8(words).ok();
    let parts = words.as_ref().and_then(|words| words.split_once('\n'));
    let (salt, content) = parts.ok_or(Error::Sealed { what: place })?;
    Ok(Some(PayloadRow {
        commitment: row.commitment,
        salt_hex: salt.into(),
        kind: row.kind,
        content: content.into(),
        tenant: row.tenant,
        subject,
        created_at: row.created_at,
    }))
}
