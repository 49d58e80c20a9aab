//! How our types stand in columns: enums as words, lists and structures as JSON.

use crate::{DocumentState, Error, ReviewKind, ReviewState};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Gives an enum its word in the database; an unknown word is an error.
macro_rules! words {
    ($type:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(match self { $($type::$variant => $word),+ }))
            }
        }
        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$type> {
                match value.as_str()? {
                    $($word => Ok($type::$variant),)+
                    other => Err(unknown(stringify!($type), other)),
                }
            }
        }
    };
}

words!(DocumentState {
    Current => "current",
    Retired => "retired",
    Unreadable => "unreadable",
});
words!(ReviewKind {
    Escalated => "escalated",
    HumanReview => "human_review",
});
words!(ReviewState {
    Open => "open",
    Resolved => "resolved",
});

fn unknown(kind: &str, word: &str) -> FromSqlError {
    FromSqlError::Other(format!("{word:?} is no {kind}").into())
}

/// A value that stands in its column as JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(ToSqlOutput::from(text))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Json<T>> {
        serde_json::from_str(value.as_str()?)
            .map(Json)
            .map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

/// SQLite's integers are signed.
pub(super) fn integer(what: &'static str, value: u64) -> Result<i64, Error> {
    i64::try_from(value).map_err(|_| Error::TooLarge { what, value })
}

/// A number that is stored as SQLite's signed integer and never negative.
pub(super) struct Count(pub(super) u64);

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Count> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Count).map_err(|_| FromSqlError::OutOfRange(number))
    }
}
