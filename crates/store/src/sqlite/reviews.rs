//! The table `reviews`. What was asked, drafted and decided is sealed under the subject's key.

use super::column::{Count, Json, integer};
use super::subjects::{self, Fault};
use super::{SqliteStore, now};
use crate::key::random_id;
use crate::seal::Key;
use crate::{Error, NewReview, Resolution, Result, ReviewRow, ReviewState};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const REVIEW: &str = "SELECT id, created_at, kind, tenant, reasons, receipt_index, subject, \
     sealed, state, sealed_resolution FROM reviews";

pub(super) fn place(id: &str) -> String {
    format!("review\0{id}")
}

pub(super) fn resolution_place(id: &str) -> String {
    format!("resolution\0{id}")
}

/// The words of an entry, which are sealed together.
#[derive(Serialize, Deserialize)]
struct Words {
    request: String,
    draft: Option<String>,
}

pub(super) fn enqueue(store: &SqliteStore, new: &NewReview) -> Result<ReviewRow> {
    if let Some(index) = new.receipt_index {
        integer("a receipt's index", index)?;
    }
    let row = ReviewRow {
        id: random_id()?,
        created_at: now(),
        kind: new.kind,
        tenant: new.tenant.clone(),
        subject: new.subject.clone(),
        reasons: new.reasons.clone(),
        receipt_index: new.receipt_index,
        request_json: new.request_json.clone(),
        draft_json: new.draft_json.clone(),
        state: ReviewState::Open,
        resolution: None,
    };
    store.write_sealed(|transaction| insert(transaction, &store.operator, &row))?;
    Ok(row)
}

fn insert(
    connection: &Connection,
    operator: &Key,
    row: &ReviewRow,
) -> std::result::Result<(), Fault> {
    let subject = subjects::subject(connection, operator, (&row.tenant, &row.subject))?;
    let words = Words { request: row.request_json.clone(), draft: row.draft_json.clone() };
    let words = serde_json::to_vec(&words).expect("two texts can be written");
    connection
        .prepare_cached(
            "INSERT INTO reviews (id, created_at, kind, tenant, reasons, receipt_index,
                 request_json, state, subject, sealed)
             VALUES (:id, :created_at, :kind, :tenant, :reasons, :receipt_index,
                 '', :state, :subject, :sealed)",
        )?
        .execute(named_params! {
            ":id": row.id,
            ":created_at": row.created_at,
            ":kind": row.kind,
            ":tenant": row.tenant,
            ":reasons": Json(&row.reasons),
            // `enqueue` has shown that it fits.
            ":receipt_index": row.receipt_index.map(|index| index as i64),
            ":state": row.state,
            ":subject": subject.number,
            ":sealed": subject.key.seal(&place(&row.id), &words)?,
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

pub(super) fn all(store: &SqliteStore, state: Option<ReviewState>) -> Result<Vec<ReviewRow>> {
    let query = format!("{REVIEW} WHERE ?1 IS NULL OR state = ?1 ORDER BY number");
    opened_all(store, &query, params![state])
}

pub(super) fn unsigned(store: &SqliteStore) -> Result<Vec<ReviewRow>> {
    // The word itself, so that the index serves.
    let query = format!("{REVIEW} WHERE state = 'resolved' AND signed = 0 ORDER BY number");
    opened_all(store, &query, params![])
}

fn opened_all(
    store: &SqliteStore,
    query: &str,
    parameters: &[&dyn ToSql],
) -> Result<Vec<ReviewRow>> {
    store.sealed(|connection| {
        let rows: Vec<Stored> = connection
            .prepare_cached(query)?
            .query_map(parameters, stored)?
            .collect::<rusqlite::Result<_>>()?;
        let opened = rows.into_iter().map(|row| opened(connection, &store.operator, row));
        Ok(opened.collect::<std::result::Result<Vec<_>, Fault>>()?.into_iter().flatten().collect())
    })
}

pub(super) fn one(store: &SqliteStore, id: &str) -> Result<Option<ReviewRow>> {
    store.sealed(|connection| read(connection, &store.operator, id))
}

fn read(
    connection: &Connection,
    operator: &Key,
    id: &str,
) -> std::result::Result<Option<ReviewRow>, Fault> {
    let found = connection
        .prepare_cached(&format!("{REVIEW} WHERE id = ?1"))?
        .query_row([id], stored)
        .optional()?;
    found.map_or(Ok(None), |row| opened(connection, operator, row))
}

/// The update asks for an open entry, so of two reviewers at once only one succeeds.
pub(super) fn resolve(
    store: &SqliteStore,
    id: &str,
    resolution: &Resolution,
    persons: u32,
) -> Result<ReviewRow> {
    let (changed, row) = store.write_sealed(|transaction| {
        let Some(row) = read(transaction, &store.operator, id)? else { return Ok((0, None)) };
        let (state, said) = resolution.clone().after(row.resolution.clone(), persons);
        let sealed = sealed(transaction, &store.operator, &row, &said)?;
        let changed = transaction.execute(
            "UPDATE reviews SET state = ?2, sealed_resolution = ?3 WHERE id = ?1 AND state = ?4",
            (id, state, sealed, ReviewState::Open),
        )?;
        Ok((changed, read(transaction, &store.operator, id)?))
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

/// Notes which receipt a decision has. An entry that is gone has none.
pub(super) fn link_decision(store: &SqliteStore, id: &str, receipt_index: u64) -> Result<()> {
    store.write_sealed(|transaction| {
        let Some(row) = read(transaction, &store.operator, id)? else { return Ok(()) };
        let Some(resolution) = row.resolution.clone() else { return Ok(()) };
        let resolution = Resolution { receipt_index: Some(receipt_index), ..resolution };
        let sealed = sealed(transaction, &store.operator, &row, &resolution)?;
        transaction
            .prepare_cached("UPDATE reviews SET sealed_resolution = ?2, signed = 1 WHERE id = ?1")?
            .execute((id, sealed))?;
        Ok(())
    })
}

/// A resolution under the key of the entry's subject.
fn sealed(
    connection: &Connection,
    operator: &Key,
    row: &ReviewRow,
    resolution: &Resolution,
) -> std::result::Result<Vec<u8>, Fault> {
    let subject = subjects::subject(connection, operator, (&row.tenant, &row.subject))?;
    let words = serde_json::to_vec(resolution).expect("plain data can be written");
    Ok(subject.key.seal(&resolution_place(&row.id), &words)?)
}

/// A row as it stands there.
struct Stored {
    row: ReviewRow,
    subject: Option<i64>,
    sealed: Option<Vec<u8>>,
    resolution: Option<Vec<u8>>,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        row: ReviewRow {
            id: row.get(0)?,
            created_at: row.get(1)?,
            kind: row.get(2)?,
            tenant: row.get(3)?,
            subject: String::new(),
            reasons: row.get::<_, Json<_>>(4)?.0,
            receipt_index: row.get::<_, Option<Count>>(5)?.map(|count| count.0),
            request_json: String::new(),
            draft_json: None,
            state: row.get(8)?,
            resolution: None,
        },
        subject: row.get(6)?,
        sealed: row.get(7)?,
        resolution: row.get(9)?,
    })
}

/// The entry with its words; `None` when its subject was erased meanwhile.
fn opened(
    connection: &Connection,
    operator: &Key,
    stored: Stored,
) -> std::result::Result<Option<ReviewRow>, Fault> {
    let (Some(number), Some(sealed)) = (stored.subject, stored.sealed) else { return Ok(None) };
    let Some((key, subject)) = subjects::by_number(connection, operator, number)? else {
        return Ok(None);
    };
    let mut row = ReviewRow { subject, ..stored.row };
    let words: Words = json(&place(&row.id), &key.open(&place(&row.id), &sealed)?)?;
    (row.request_json, row.draft_json) = (words.request, words.draft);
    if let Some(sealed) = stored.resolution {
        let place = resolution_place(&row.id);
        row.resolution = Some(json(&place, &key.open(&place, &sealed)?)?);
    }
    Ok(Some(row))
}

fn json<T: DeserializeOwned>(place: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|_| Error::Sealed { what: place.to_owned() })
}
