//! A search over receipts: by date, outcome, kind, model, policy and id.

use allod_ledger::Receipt;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::Problem;

/// From so many digits on, a term of digits alone may be the beginning of a request's id.
const ID_DIGITS_MIN: usize = 8;

/// Which receipts are meant. All that is said must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Terms {
    /// The last so many; at most 200, and 1000 in an export.
    pub(crate) last: Option<usize>,
    /// Those before this index.
    pub(crate) before: Option<u64>,
    /// From this day (UTC, `2026-11-22`) or moment (RFC 3339) on.
    from: Option<String>,
    /// Up to this day, the whole of it, or this moment.
    until: Option<String>,
    /// `answered`, `refused`, `escalated` or `human_review`.
    outcome: Option<String>,
    /// `ask`, `chat`, `generate`, `embed`, `rerank`, `work`, `erase`, `expire`, `review`,
    /// `feedback`.
    kind: Option<String>,
    /// Part of the model's name, or the beginning of its digest.
    model: Option<String>,
    /// The policy's name, or the beginning of its digest.
    policy: Option<String>,
    /// The receipt's index, or the beginning of the request's id; fewer than eight digits alone
    /// are an index.
    id: Option<String>,
}

/// Terms whose times were read.
pub(crate) struct Search<'a> {
    terms: &'a Terms,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl<'a> Search<'a> {
    /// # Errors
    /// When a time is none.
    pub(crate) fn new(terms: &'a Terms) -> Result<Search<'a>, Problem> {
        let from = given(&terms.from).map(|text| moment("from", text, 0)).transpose()?;
        let until = given(&terms.until).map(|text| moment("until", text, 1)).transpose()?;
        Ok(Search { terms, from, until })
    }

    /// Whether the receipt at `index` is meant.
    pub(crate) fn finds(&self, index: u64, receipt: &Receipt) -> bool {
        let terms = self.terms;
        self.from.is_none_or(|from| receipt.time >= from)
            && self.until.is_none_or(|until| receipt.time < until)
            && given(&terms.outcome).is_none_or(|word| is_word(&receipt.outcome, word))
            && given(&terms.kind).is_none_or(|word| is_word(&receipt.request.kind, word))
            && given(&terms.model).is_none_or(|model| has_model(receipt, model))
            && given(&terms.policy).is_none_or(|policy| has_policy(receipt, policy))
            && given(&terms.id).is_none_or(|id| is_named(receipt, index, id))
    }
}

/// Whether `id` is the receipt's index, or how the request's id begins. A few digits are an index
/// alone: any random id may begin with them.
fn is_named(receipt: &Receipt, index: u64, id: &str) -> bool {
    let few_digits = id.len() < ID_DIGITS_MIN && id.bytes().all(|byte| byte.is_ascii_digit());
    index.to_string() == id || (!few_digits && receipt.request.id.starts_with(id))
}

/// A form that is left blank says nothing.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// A moment, or the beginning of the day that is so many after the one given.
fn moment(field: &'static str, text: &str, days: i64) -> Result<Timestamp, Problem> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let day = text.parse::<Date>().ok();
    let day = day.and_then(|day| day.checked_add(jiff::Span::new().days(days)).ok());
    let begins = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    begins.map(|begins| begins.timestamp()).ok_or_else(|| {
        Problem::field(field, "it must be a day, 2026-11-22, or a moment, 2026-11-22T09:00:00Z")
    })
}

fn is_word(value: &impl serde::Serialize, word: &str) -> bool {
    serde_json::to_value(value).is_ok_and(|value| value == word)
}

fn has_model(receipt: &Receipt, wanted: &str) -> bool {
    let wanted = wanted.to_lowercase();
    receipt.model.as_ref().is_some_and(|model| {
        let digest = model.digest.as_deref().unwrap_or_default();
        model.name.to_lowercase().contains(&wanted) || begins(digest, &wanted)
    })
}

fn has_policy(receipt: &Receipt, wanted: &str) -> bool {
    receipt.policy.name == wanted || begins(&receipt.policy.digest, wanted)
}

/// Whether a digest begins so, with the name of its kind before it or without.
fn begins(digest: &str, wanted: &str) -> bool {
    let bare = digest.strip_prefix("sha256:").unwrap_or(digest);
    digest.starts_with(wanted) || bare.starts_with(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_meant_whole_and_what_is_no_time_is_refused() {
        let at = |field, text, days| moment(field, text, days).map(|at| at.to_string());
        assert_eq!(at("from", "2026-11-22", 0).unwrap(), "2026-11-22T00:00:00Z");
        assert_eq!(at("until", "2026-11-22", 1).unwrap(), "2026-11-23T00:00:00Z");
        assert_eq!(at("until", "2026-11-22T09:00:00Z", 1).unwrap(), "2026-11-22T09:00:00Z");
        assert!(at("from", "yesterday", 0).is_err() && at("until", "9999-12-31", 1).is_err());
    }

    #[test]
    fn a_digest_is_found_by_its_beginning() {
        assert!(begins("sha256:abcd", "abc") && begins("sha256:abcd", "sha256:ab"));
        assert!(!begins("sha256:abcd", "bcd"));
    }
}
