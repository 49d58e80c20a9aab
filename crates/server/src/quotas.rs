//! How much each tenant may use, as the policy says: requests in a minute, tokens in a day. What
//! one tenant has used makes no difference to another and is told to nobody else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use allod_answer::{Desk, Tokens};
use allod_policy::{Policy, Quota};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::problem::Problem;

/// Requests are counted over so many seconds.
const MINUTE: u64 = 60;

/// What tenants with a quota have used.
#[derive(Debug)]
pub(crate) struct Quotas {
    begun: Instant,
    tenants: Mutex<BTreeMap<String, Used>>,
}

#[derive(Debug, Default)]
struct Used {
    /// By second since the beginning: how many requests, of the last minute only.
    requests: VecDeque<(u64, u32)>,
    /// The day and its tokens, once they were read.
    tokens: Option<(Date, u64)>,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas { begun: Instant::now(), tenants: Mutex::default() }
    }
}

impl Quotas {
    /// The day whose use has to be read from the store before this tenant's request can be let in.
    pub(crate) fn unread(&self, policy: &Policy, tenant: &str) -> Option<Date> {
        policy.quota_of(tenant)?.tokens_per_day?;
        let today = day_of(Timestamp::now());
        let tenants = self.tenants();
        let known = tenants.get(tenant).and_then(|used| used.tokens);
        // A clock that was set back gives nothing back.
        known.is_none_or(|(day, _)| day < today).then_some(today)
    }

    /// Notes how many tokens the tenant has used on a day. It never becomes less.
    pub(crate) fn note(&self, tenant: &str, day: Date, tokens: u64) {
        let mut tenants = self.tenants();
        let used = tenants.entry(tenant.to_owned()).or_default();
        used.tokens = used.tokens.max(Some((day, tokens)));
    }

    /// Lets a tenant's request in, or says when there is room again.
    ///
    /// # Errors
    /// 429.
    pub(crate) fn admit(&self, policy: &Policy, tenant: &str) -> Result<(), Problem> {
        let Some(quota) = policy.quota_of(tenant) else { return Ok(()) };
        let mut tenants = self.tenants();
        let used = tenants.entry(tenant.to_owned()).or_default();
        let tokens = used.tokens.map_or(0, |(_, tokens)| tokens);
        if let Some(most) = quota.tokens_per_day.filter(|most| tokens >= *most) {
            return Err(Problem::budget_spent(most, seconds_of_day_left(Timestamp::now())));
        }
        used.request(quota, self.begun.elapsed())
    }

    /// A request of a tenant was dealt with. Writes to the store.
    pub(crate) fn spent(&self, desk: &Desk, tenant: &str, tokens: Tokens) {
        let quota = desk.policy().quota_of(tenant);
        let sum = tokens.prompt + tokens.completion;
        if sum == 0 || quota.is_none_or(|quota| quota.tokens_per_day.is_none()) {
            return;
        }
        let today = day_of(Timestamp::now());
        match desk.store().add_tokens_used(tenant, &today.to_string(), sum) {
            Ok(total) => self.note(tenant, today, total),
            Err(error) => {
                tracing::error!(%error, "what a tenant used could not be noted");
                let before = self.tenants().get(tenant).and_then(|used| used.tokens);
                self.note(tenant, today, before.map_or(0, |(_, tokens)| tokens) + sum);
            }
        }
    }

    fn tenants(&self) -> MutexGuard<'_, BTreeMap<String, Used>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    /// Counts a request at `now` since the beginning, if there is room for it.
    fn request(&mut self, quota: &Quota, now: Duration) -> Result<(), Problem> {
        let Some(most) = quota.requests_per_minute else { return Ok(()) };
        let now = now.as_secs();
        self.requests.retain(|(second, _)| second + MINUTE > now);
        let in_minute: u32 = self.requests.iter().map(|(_, count)| count).sum();
        if let Some((oldest, _)) = self.requests.front().filter(|_| in_minute >= most) {
            return Err(Problem::too_fast(most, oldest + MINUTE - now));
        }
        match self.requests.back_mut().filter(|(second, _)| *second == now) {
            Some((_, count)) => *count += 1,
            None => self.requests.push_back((now, 1)),
        }
        Ok(())
    }
}

fn day_of(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// Until the next day of UTC begins, at least one.
fn seconds_of_day_left(now: Timestamp) -> u64 {
    let day = 24 * 60 * 60;
    day - now.as_second().rem_euclid(day as i64).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_any_minute_there_are_no_more_requests_than_the_quota_says() {
        let quota =
            Quota { tenants: Vec::new(), requests_per_minute: Some(3), tokens_per_day: None };
        let mut used = Used::default();
        let mut at = |seconds: u64| used.request(&quota, Duration::from_secs(seconds)).is_ok();
        assert_eq!([at(0), at(30), at(30), at(59)], [true, true, true, false]);
        assert_eq!([at(60), at(61), at(89)], [true, false, false]);
        assert_eq!([at(90), at(91), at(92)], [true, true, false]);
    }

    #[test]
    fn what_was_used_never_becomes_less_on_a_day_and_ends_with_it() {
        let text = "quotas: [{tokens_per_day: 10}]";
        let (policy, quotas) = (Policy::parse(text).unwrap(), Quotas::default());
        let today = quotas.unread(&policy, "a").unwrap();
        quotas.note("a", today, 10);
        quotas.note("a", today, 9);
        assert_eq!(quotas.unread(&policy, "a"), None);
        assert!(quotas.admit(&policy, "a").is_err() && quotas.admit(&policy, "b").is_ok());
        quotas.note("a", today.tomorrow().unwrap(), 1);
        assert!(quotas.admit(&policy, "a").is_ok());
    }

    #[test]
    fn the_day_ends_at_midnight_of_utc() {
        let left = |text: &str| seconds_of_day_left(text.parse().unwrap());
        assert_eq!(left("2026-11-22T23:59:59Z"), 1);
        assert_eq!(left("2026-11-22T00:00:00Z"), 86_400);
        assert_eq!(left("2026-11-22T12:00:00+12:00"), 86_400);
    }
}
