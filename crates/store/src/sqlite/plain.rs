//! Words that an earlier version stored as they are: sealed at the first start of this one.

use super::erasures::empty_log;
use super::subjects::Fault;
use super::{SqliteStore, payloads, subjects};
use crate::seal::Key;
use crate::{PayloadRow, Result};
use rusqlite::{Connection, OptionalExtension as _};

/// The subject of payloads whose receipt alone says who asked.
const UNKNOWN: &str = "unknown";

/// Seals what is not, and sees to it that no plain word is left in the database's files.
pub(super) fn seal(store: &SqliteStore) -> Result<()> {
    let is_plain = store.with(|connection| {
        connection
            .query_row(
                "SELECT 1 FROM payloads WHERE sealed IS NULL
                 UNION ALL SELECT 1 FROM reviews WHERE sealed IS NULL LIMIT 1",
                [],
                |_| Ok(()),
            )
            .optional()
    })?;
    if is_plain.is_none() {
        return Ok(());
    }
    store.write_sealed(|transaction| {
        seal_payloads(transaction, &store.operator)?;
        seal_reviews(transaction, &store.operator)
    })?;
    // What an earlier version deleted or moved lies in free pages too, as it was.
    store.with(|connection| connection.execute_batch("VACUUM"))?;
    empty_log(store)
}

fn seal_payloads(connection: &Connection, operator: &Key) -> std::result::Result<(), Fault> {
    let rows: Vec<PayloadRow> = connection
        .prepare(
            "SELECT commitment, salt_hex, kind, content, tenant, created_at FROM payloads
             WHERE sealed IS NULL",
        )?
        .query_map([], |row| {
            Ok(PayloadRow {
                commitment: row.get(0)?,
                salt_hex: row.get(1)?,
                kind: row.get(2)?,
                content: row.get(3)?,
                tenant: row.get(4)?,
                subject: UNKNOWN.into(),
                created_at: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    connection.execute("DELETE FROM payloads WHERE sealed IS NULL", [])?;
    payloads::put(connection, operator, &rows)
}

/// An entry of the queue as an earlier version stored it.
struct Plain {
    id: String,
    tenant: String,
    request: String,
    draft: Option<String>,
    resolution: Option<String>,
}

fn seal_reviews(connection: &Connection, operator: &Key) -> std::result::Result<(), Fault> {
    let rows: Vec<Plain> = connection
        .prepare(
            "SELECT id, tenant, request_json, draft_json, resolution FROM reviews
             WHERE sealed IS NULL",
        )?
        .query_map([], |row| {
            Ok(Plain {
                id: row.get(0)?,
                tenant: row.get(1)?,
                request: row.get(2)?,
                draft: row.get(3)?,
                resolution: row.get(4)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    for row in rows {
        let request: serde_json::Value = serde_json::from_str(&row.request).unwrap_or_default();
        let subject = request["subject"].as_str().unwrap_or(UNKNOWN);
        let subject = subjects::subject(connection, operator, (&row.tenant, subject))?;
        let words = serde_json::json!({"request": row.request, "draft": row.draft}).to_string();
        let sealed = subject.key.seal(&super::reviews::place(&row.id), words.as_bytes())?;
        let resolution = row.resolution.map(|text| {
            subject.key.seal(&super::reviews::resolution_place(&row.id), text.as_bytes())
        });
        connection.execute(
            "UPDATE reviews SET request_json = '', draft_json = NULL, resolution = NULL,
                 subject = ?2, sealed = ?3, sealed_resolution = ?4 WHERE id = ?1",
            (&row.id, subject.number, sealed, resolution.transpose()?),
        )?;
    }
    Ok(())
}
