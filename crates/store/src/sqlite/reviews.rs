//! The table `reviews`.

use super::column::{Count, Json, ResolutionColumn, integer};
use super::{SqliteStore, now};
use crate::key::random_id;
use crate::{Error, NewReview, Resolution, Result, ReviewRow, ReviewState};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

const REVIEW: &str = "SELECT id, created_at, kind, tenant, reasons, receipt_index, request_json, \
     draft_json, state, resolution FROM reviews";

pub(super) fn enqueue(store: &SqliteStore, new: &NewReview) -> Result<ReviewRow> {
    if let Some(index) = new.receipt_index {
        integer("a receipt's index", index)?;
    }
    let row = ReviewRow {
        id: random_id()?,
        created_at: now(),
        kind: new.kind,
        tenant: new.tenant.clone(),
        reasons: new.reasons.clone(),
        receipt_index: new.receipt_index,
        request_json: new.request_json.clone(),
        draft_json: new.draft_json.clone(),
        state: ReviewState::Open,
        resolution: None,
    };
    store.with(|connection| insert(connection, &row))?;
    Ok(row)
}

fn insert(connection: &Connection, row: &ReviewRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO reviews (id, created_at, kind, tenant, reasons, receipt_index,
                 request_json, draft_json, state)
             VALUES (:id, :created_at, :kind, :tenant, :reasons, :receipt_index,
                 :request_json, :draft_json, :state)",
        )?
        .execute(named_params! {
            ":id": row.id,
            ":created_at": row.created_at,
            ":kind": row.kind,
            ":tenant": row.tenant,
            ":reasons": Json(&row.reasons),
            // `enqueue` has shown that it fits.
            ":receipt_index": row.receipt_index.map(|index| index as i64),
            ":request_json": row.request_json,
            ":draft_json": row.draft_json,
            ":state": row.state,
        })?;
    Ok(())
}

pub(super) fn link(store: &SqliteStore, id: &str, receipt_index: u64) -> Result<()> {
    let index = integer("a receipt's index", receipt_index)?;
    let changed = store.with(|connection| {
        connection.execute("UPDATE reviews SET receipt_index = ?2 WHERE id = ?1", (id, index))
    })?;
    if changed == 0 {
        return Err(Error::NoSuchReview { id: id.to_owned() });
    }
    Ok(())
}

pub(super) fn all(
    connection: &Connection,
    state: Option<ReviewState>,
) -> rusqlite::Result<Vec<ReviewRow>> {
    connection
        .prepare_cached(&format!("{REVIEW} WHERE ?1 IS NULL OR state = ?1 ORDER BY number"))?
        .query_map([state], review)?
        .collect()
}

pub(super) fn one(connection: &Connection, id: &str) -> rusqlite::Result<Option<ReviewRow>> {
    connection
        .prepare_cached(&format!("{REVIEW} WHERE id = ?1"))?
        .query_row([id], review)
        .optional()
}

/// The update asks for an open entry, so of two reviewers at once only one succeeds.
pub(super) fn resolve(store: &SqliteStore, id: &str, resolution: &Resolution) -> Result<ReviewRow> {
    let (changed, row) = store.write(|transaction| {
        let changed = transaction.execute(
            "UPDATE reviews SET state = ?2, resolution = ?3 WHERE id = ?1 AND state = ?4",
            (id, ReviewState::Resolved, Json(resolution), ReviewState::Open),
        )?;
        Ok((changed, one(transaction, id)?))
    })?;
    let row = row.ok_or_else(|| Error::NoSuchReview { id: id.to_owned() })?;
    match &row.resolution {
        Some(earlier) if changed == 0 => Err(Error::AlreadyResolved {
            id: id.to_owned(),
            by: earlier.by.clone(),
            at: earlier.at.clone(),
        }),
        _ => Ok(row),
    }
}

fn review(row: &Row<'_>) -> rusqlite::Result<ReviewRow> {
    Ok(ReviewRow {
        id: row.get(0)?,
        created_at: row.get(1)?,
        kind: row.get(2)?,
        tenant: row.get(3)?,
        reasons: row.get::<_, Json<_>>(4)?.0,
        receipt_index: row.get::<_, Option<Count>>(5)?.map(|count| count.0),
        request_json: row.get(6)?,
        draft_json: row.get(7)?,
        state: row.get(8)?,
        resolution: row.get::<_, ResolutionColumn>(9)?.map(|json| json.0),
    })
}
