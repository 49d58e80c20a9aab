//! The table `payloads`.

use crate::PayloadRow;
use rusqlite::{Connection, OptionalExtension as _, Row};

/// A commitment fixes salt and content, so a second write could only repeat the first.
pub(super) fn put(connection: &Connection, payloads: &[PayloadRow]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO payloads (commitment, salt_hex, kind, content, tenant, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (commitment) DO NOTHING",
    )?;
    for row in payloads {
        insert.execute((
            &row.commitment,
            &row.salt_hex,
            &row.kind,
            &row.content,
            &row.tenant,
            &row.created_at,
        ))?;
    }
    Ok(())
}

pub(super) fn one(
    connection: &Connection,
    commitment: &str,
) -> rusqlite::Result<Option<PayloadRow>> {
    connection
        .prepare_cached(
            "SELECT commitment, salt_hex, kind, content, tenant, created_at
             FROM payloads WHERE commitment = ?1",
        )?
        .query_row([commitment], payload)
        .optional()
}

fn payload(row: &Row<'_>) -> rusqlite::Result<PayloadRow> {
    Ok(PayloadRow {
        commitment: row.get(0)?,
        salt_hex: row.get(1)?,
        kind: row.get(2)?,
        content: row.get(3)?,
        tenant: row.get(4)?,
        created_at: row.get(5)?,
    })
}
