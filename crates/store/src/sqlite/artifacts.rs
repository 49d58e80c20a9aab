//! The table `artifacts`.

use crate::ArtifactRow;
use rusqlite::{Connection, OptionalExtension as _};

/// A digest fixes the content, so a second write could only repeat the first.
pub(super) fn put(connection: &Connection, artifacts: &[ArtifactRow]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO artifacts (digest, kind, content) VALUES (?1, ?2, ?3)
         ON CONFLICT (digest) DO NOTHING",
    )?;
    for row in artifacts {
        insert.execute((&row.digest, &row.kind, &row.content))?;
    }
    Ok(())
}

pub(super) fn one(connection: &Connection, digest: &str) -> rusqlite::Result<Option<ArtifactRow>> {
    connection
        .prepare_cached("SELECT digest, kind, content FROM artifacts WHERE digest = ?1")?
        .query_row([digest], |row| {
            Ok(ArtifactRow { digest: row.get(0)?, kind: row.get(1)?, content: row.get(2)? })
        })
        .optional()
}
