//! The tables `tenant_keys` and `subjects`: keys of tenants and of data subjects, wrapped.

use super::settings;
use crate::operator::OperatorKey;
use crate::seal::Key;
use crate::{Error, SubjectRow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _};

/// The setting that shows whether a key is this database's.
const CHECK: &str = "operator_key_check";
const CHECKED: &[u8] = b"allod";

/// A subject's key, and the number that rows name it by.
pub(super) struct Subject {
    pub(super) number: i64,
    pub(super) key: Key,
}

/// What can go wrong in the database or with a seal.
#[derive(Debug)]
pub(super) enum Fault {
    Database(rusqlite::Error),
    Seal(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::Database(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Seal(error)
    }
}

/// Whether the database knows its operator's key.
pub(super) fn is_set_up(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(settings::get::<String>(connection, CHECK)?.is_some())
}

/// The operator's key of a database: the one that wrapped what it holds, or a new one for a new
/// database. Needs a transaction that holds the write lock.
pub(super) fn operator(connection: &Connection, from: &OperatorKey) -> Result<Key, Fault> {
    let check: Option<String> = settings::get(connection, CHECK)?;
    match (from.read()?, check) {
        (Some(key), Some(check)) => {
            let sealed = STANDARD_NO_PAD.decode(check).unwrap_or_default();
            if key.open(CHECK, &sealed).is_ok() {
                return Ok(key);
            }
            let reason = format!("{} is another one than this folder's", from.place());
            Err(Error::OperatorKey { reason }.into())
        }
        (None, Some(_)) => {
            let reason = format!("{} is missing", from.place());
            Err(Error::OperatorKey { reason }.into())
        }
        (found, None) => {
            let key = found.map_or_else(|| from.make(), Ok)?;
            let sealed = STANDARD_NO_PAD.encode(key.seal(CHECK, CHECKED)?);
            settings::set(connection, CHECK, sealed)?;
            Ok(key)
        }
    }
}

fn tenant_place(tenant: &str) -> String {
    format!("tenant\0{tenant}")
}

fn subject_place(tenant: &str, subject: &str) -> String {
    format!("subject\0{tenant}\0{subject}")
}

/// A tenant's key, if it has one.
pub(super) fn known_tenant_key(
    connection: &Connection,
    operator: &Key,
    tenant: &str,
) -> Result<Option<Key>, Fault> {
    let wrapped: Option<Vec<u8>> = connection
        .prepare_cached("SELECT wrapped FROM tenant_keys WHERE tenant = ?1")?
        .query_row([tenant], |row| row.get(0))
        .optional()?;
    let unwrap = |wrapped: Vec<u8>| operator.unwrap(&tenant_place(tenant), &wrapped);
    Ok(wrapped.map(unwrap).transpose()?)
}

/// A tenant's key; made if there is none. Needs a transaction that holds the write lock.
pub(super) fn tenant_key(
    connection: &Connection,
    operator: &Key,
    tenant: &str,
) -> Result<Key, Fault> {
    if let Some(key) = known_tenant_key(connection, operator, tenant)? {
        return Ok(key);
    }
    let key = Key::random()?;
    connection.execute(
        "INSERT INTO tenant_keys (tenant, wrapped) VALUES (?1, ?2)",
        (tenant, operator.wrap(&tenant_place(tenant), &key)?),
    )?;
    Ok(key)
}

/// A subject's key; made if there is none. Needs a transaction that holds the write lock.
pub(super) fn subject(
    connection: &Connection,
    operator: &Key,
    (tenant, subject): (&str, &str),
) -> Result<Subject, Fault> {
    let tenant_key = tenant_key(connection, operator, tenant)?;
    let found: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT number, wrapped FROM subjects WHERE tenant = ?1 AND subject = ?2")?
        .query_row((tenant, subject), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let place = subject_place(tenant, subject);
    if let Some((number, wrapped)) = found {
        return Ok(Subject { number, key: tenant_key.unwrap(&place, &wrapped)? });
    }
    let key = Key::random()?;
    connection.execute(
        "INSERT INTO subjects (tenant, subject, wrapped, created_at) VALUES (?1, ?2, ?3, ?4)",
        (tenant, subject, tenant_key.wrap(&place, &key)?, super::now()),
    )?;
    Ok(Subject { number: connection.last_insert_rowid(), key })
}

/// The key and the names of a subject that rows name by its number.
pub(super) fn by_number(
    connection: &Connection,
    operator: &Key,
    number: i64,
) -> Result<Option<(Key, String)>, Fault> {
    let found: Option<(String, String, Vec<u8>)> = connection
        .prepare_cached("SELECT tenant, subject, wrapped FROM subjects WHERE number = ?1")?
        .query_row([number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((tenant, subject, wrapped)) = found else { return Ok(None) };
    let tenant_key = tenant_key(connection, operator, &tenant)?;
    let key = tenant_key.unwrap(&subject_place(&tenant, &subject), &wrapped)?;
    Ok(Some((key, subject)))
}

/// Everyone whose words are kept.
pub(super) fn all(
    connection: &Connection,
    tenant: Option<&str>,
) -> rusqlite::Result<Vec<SubjectRow>> {
    connection
        .prepare_cached(
            "SELECT tenant, subject, created_at,
                 (SELECT count(*) FROM payloads p WHERE p.subject = s.number),
                 (SELECT count(*) FROM reviews r WHERE r.subject = s.number)
             FROM subjects s WHERE ?1 IS NULL OR tenant = ?1 ORDER BY number",
        )?
        .query_map([tenant], |row| {
            Ok(SubjectRow {
                tenant: row.get(0)?,
                subject: row.get(1)?,
                created_at: row.get(2)?,
                payloads: row.get::<_, i64>(3)?.unsigned_abs(),
                reviews: row.get::<_, i64>(4)?.unsigned_abs(),
            })
        })?
        .collect()
}
