//! The table `usage`: one row for each tenant, of the last day that it used anything.

use rusqlite::{Connection, OptionalExtension as _};

/// Days are text like 2026-11-22, so the later one is the greater one. A clock that was set back
/// gives nothing back.
pub(super) fn of(connection: &Connection, tenant: &str, day: &str) -> rusqlite::Result<u64> {
    let found = connection
        .prepare_cached("SELECT tokens FROM usage WHERE tenant = ?1 AND day >= ?2")?
        .query_row((tenant, day), |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(found.map_or(0, i64::unsigned_abs))
}

pub(super) fn add(
    connection: &Connection,
    tenant: &str,
    day: &str,
    tokens: u64,
) -> rusqlite::Result<u64> {
    // SQLite has no larger numbers.
    let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
    let sum = connection
        .prepare_cached(
            "INSERT INTO usage (tenant, day, tokens) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant) DO UPDATE SET
                 tokens = iif(excluded.day > day, 0, tokens) + excluded.tokens,
                 day = max(day, excluded.day)
             RETURNING tokens",
        )?
        .query_row((tenant, day, tokens), |row| row.get::<_, i64>(0))?;
    Ok(sum.unsigned_abs())
}
