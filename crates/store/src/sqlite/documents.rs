//! The tables `documents` and `versions`.

use super::artifacts;
use super::column::{Count, integer};
use crate::document::about;
use crate::{ArtifactRow, DocumentRow, Result, VersionRow};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

const DOCUMENT: &str =
    "SELECT path, source_digest, source_bytes, modified_ns, state, digest, reason FROM documents";
const VERSION: &str = "SELECT v.digest, v.path, v.title, v.language, v.label, v.valid_from, \
     v.valid_until, v.metadata_json, v.blocks_json, v.pages_json, v.ingested_at, v.text \
     FROM versions v";

/// Refuses what the columns cannot hold.
pub(super) fn check(row: &DocumentRow) -> Result<()> {
    integer("the size of a document", row.source_bytes).map(|_| ())
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<DocumentRow>> {
    connection
        .prepare_cached(&format!("{DOCUMENT} ORDER BY path"))?
        .query_map([], document)?
        .collect()
}

pub(super) fn one(connection: &Connection, path: &str) -> rusqlite::Result<Option<DocumentRow>> {
    connection
        .prepare_cached(&format!("{DOCUMENT} WHERE path = ?1"))?
        .query_row([path], document)
        .optional()
}

/// Writes the version before the document, which refers to it.
pub(super) fn put(
    connection: &Connection,
    row: &DocumentRow,
    new: Option<&VersionRow>,
) -> rusqlite::Result<()> {
    if let Some(version) = new {
        put_version(connection, version)?;
    }
    connection
        .prepare_cached(
            "INSERT INTO documents
                 (path, source_digest, source_bytes, modified_ns, state, digest, reason)
             VALUES (:path, :source_digest, :source_bytes, :modified_ns, :state, :digest, :reason)
             ON CONFLICT (path) DO UPDATE SET
                 source_digest = excluded.source_digest, source_bytes = excluded.source_bytes,
                 modified_ns = excluded.modified_ns, state = excluded.state,
                 digest = excluded.digest, reason = excluded.reason",
        )?
        .execute(named_params! {
            ":path": row.path,
            ":source_digest": row.source_digest,
            // `check` has shown that it fits.
            ":source_bytes": row.source_bytes as i64,
            ":modified_ns": row.modified_ns,
            ":state": row.state,
            ":digest": row.digest,
            ":reason": row.reason,
        })?;
    Ok(())
}

/// Keeps what is said about a version's text before something else is.
fn keep_about(connection: &Connection, row: &VersionRow) -> rusqlite::Result<()> {
    let before = connection
        .prepare_cached(
            "SELECT metadata_json, blocks_json FROM versions WHERE digest = ?1 AND path = ?2",
        )?
        .query_row((&row.digest, &row.path), |said| {
            Ok(about(&said.get::<_, String>(0)?, &said.get::<_, String>(1)?))
        })
        .optional()?;
    match before {
        Some(before) if before != row.about() => {
            artifacts::put(connection, &[ArtifactRow::new("about", before)])
        }
        _ => Ok(()),
    }
}

/// Writes a version. The text is not written again: the digest says that it is the same.
fn put_version(connection: &Connection, row: &VersionRow) -> rusqlite::Result<()> {
    keep_about(connection, row)?;
    connection
        .prepare_cached(
            "INSERT INTO versions (digest, path, title, language, label, valid_from, valid_until,
                 metadata_json, blocks_json, pages_json, ingested_at, text)
             VALUES (:digest, :path, :title, :language, :label, :valid_from, :valid_until,
                 :metadata_json, :blocks_json, :pages_json, :ingested_at, :text)
             ON CONFLICT (digest, path) DO UPDATE SET
                 title = excluded.title, language = excluded.language, label = excluded.label,
                 valid_from = excluded.valid_from, valid_until = excluded.valid_until,
                 metadata_json = excluded.metadata_json, blocks_json = excluded.blocks_json,
                 pages_json = excluded.pages_json, ingested_at = excluded.ingested_at",
        )?
        .execute(named_params! {
            ":digest": row.digest,
            ":path": row.path,
            ":title": row.title,
            ":language": row.language,
            ":label": row.label,
            ":valid_from": row.valid_from,
            ":valid_until": row.valid_until,
            ":metadata_json": row.metadata_json,
            ":blocks_json": row.blocks_json,
            ":pages_json": row.pages_json,
            ":ingested_at": row.ingested_at,
            ":text": row.text,
        })?;
    Ok(())
}

pub(super) fn version(
    connection: &Connection,
    digest: &str,
    path: Option<&str>,
) -> rusqlite::Result<Option<VersionRow>> {
    connection
        .prepare_cached(&format!(
            "{VERSION} LEFT JOIN documents d ON d.path = v.path AND d.digest = v.digest
                 AND d.state = 'current'
             WHERE v.digest = ?1 AND (?2 IS NULL OR v.path = ?2)
             ORDER BY d.path IS NULL, v.label IS NOT NULL, v.path LIMIT 1"
        ))?
        .query_row((digest, path), version_row)
        .optional()
}

pub(super) fn versions_of(
    connection: &Connection,
    path: &str,
) -> rusqlite::Result<Vec<VersionRow>> {
    connection
        .prepare_cached(&format!("{VERSION} WHERE v.path = ?1 ORDER BY v.ingested_at, v.rowid"))?
        .query_map([path], version_row)?
        .collect()
}

fn document(row: &Row<'_>) -> rusqlite::Result<DocumentRow> {
    Ok(DocumentRow {
        path: row.get(0)?,
        source_digest: row.get(1)?,
        source_bytes: row.get::<_, Count>(2)?.0,
        modified_ns: row.get(3)?,
        state: row.get(4)?,
        digest: row.get(5)?,
        reason: row.get(6)?,
    })
}

fn version_row(row: &Row<'_>) -> rusqlite::Result<VersionRow> {
    Ok(VersionRow {
        digest: row.get(0)?,
        path: row.get(1)?,
        title: row.get(2)?,
        language: row.get(3)?,
        label: row.get(4)?,
        valid_from: row.get(5)?,
        valid_until: row.get(6)?,
        metadata_json: row.get(7)?,
        blocks_json: row.get(8)?,
        pages_json: row.get(9)?,
        ingested_at: row.get(10)?,
        text: row.get(11)?,
    })
}
