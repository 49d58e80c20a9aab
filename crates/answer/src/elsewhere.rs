//! The servers that the policy lets escalated questions go to: what was spent on each today, which
//! of them is left alone for now, and how one is asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use allod_engine::{GenerateRequest, Generated};
use allod_ledger::Ledger;
use allod_ledger::receipt::{Model, Receipt};
use allod_policy::{ApprovedUpstream, AttemptEnd, AttemptFacts, Facts, Policy, RouteFacts};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::error::Error;
use crate::prompt::TEMPLATE;
use crate::shield;
use crate::upstream::{Address, NotSent, Prepared, Upstream};

/// Bytes of a prompt that are counted as a token before the server has counted; a token of the
/// languages of the documents has about four.
const BYTES_PER_TOKEN: u64 = 3;

/// The first wait before a request is tried again, and the longest.
const WAIT_FIRST: Duration = Duration::from_millis(250);
const WAIT_MOST: Duration = Duration::from_secs(10);

/// All approved servers.
#[derive(Default)]
pub(crate) struct Elsewhere {
    approved: BTreeMap<String, Approved>,
}

/// One of them.
struct Approved {
    settings: ApprovedUpstream,
    upstream: Upstream,
    meter: Mutex<Meter>,
}

/// What was spent on a server today, and how it fares.
#[derive(Debug)]
struct Meter {
    day: Date,
    tokens: u64,
    cost: u64,
    failures: u32,
    /// Until when it is left alone; it is then tried with one request.
    alone_until: Option<Instant>,
}

/// A request that is ready to be sent to an approved server, and what is known of it.
pub(crate) struct Plan<'a> {
    approved: &'a Approved,
    prepared: Option<Prepared<'a>>,
    reserved: (u64, u64),
    pub(crate) facts: RouteFacts,
}

/// What came of a plan.
pub(crate) struct Sent {
    pub(crate) facts: RouteFacts,
    pub(crate) written: Option<Generated>,
}

impl Elsewhere {
    /// The servers of a policy, with what the log says was spent on them today.
    ///
    /// # Errors
    /// [`Error::NoModel`] when the key of a server is not there; [`Error::Ledger`].
    pub(crate) fn open(policy: &Policy, ledger: &Ledger) -> Result<Elsewhere, Error> {
        let mut approved = BTreeMap::new();
        for settings in &policy.upstreams {
            let one = Approved::open(policy, settings)?;
            approved.insert(settings.name.clone(), one);
        }
        let elsewhere = Elsewhere { approved };
        if !elsewhere.approved.is_empty() {
            elsewhere.count_spent(ledger)?;
        }
        Ok(elsewhere)
    }

    /// Counts what was spent today, from the log's end to the first receipt of an earlier day.
    fn count_spent(&self, ledger: &Ledger) -> Result<(), Error> {
        let today = today();
        for index in (0..ledger.checkpoint().size).rev() {
            let receipt = ledger.read(index)?;
            if day_of(receipt.time) < today {
                break;
            }
            let Some(route) = route_of(&receipt) else { continue };
            if let Some(approved) = self.approved.get(&route.upstream) {
                approved.meter().spend(route.prompt_tokens + route.completion_tokens, route.cost);
            }
        }
        Ok(())
    }

    /// Makes a request to an approved server ready: hides what may not go there, looks at what was
    /// spent and how the server fares. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::NoModel`] if there is no such server.
    pub(crate) fn plan<'a>(
        &'a self,
        name: &str,
        request: &GenerateRequest,
    ) -> Result<Plan<'a>, Error> {
        let approved = self.approved.get(name).ok_or_else(|| {
            Error::NoModel(format!("the upstream `{name}` of the policy was not opened"))
        })?;
        Ok(approved.plan(request))
    }
}

impl Approved {
    fn open(policy: &Policy, settings: &ApprovedUpstream) -> Result<Approved, Error> {
        let api_key = crate::generator::api_key(settings.api_key_env.as_deref())?;
        let kinds = shield::kinds_hidden(policy, &settings.data_class_max.personal);
        let shield = shield::shield_of(policy.personal_at(settings), &kinds)?;
        let address = Address {
            url: &settings.url,
            model: &settings.model,
            api_key,
            timeout: Duration::from_millis(settings.timeout_ms),
        };
        let meter = Meter { day: today(), tokens: 0, cost: 0, failures: 0, alone_until: None };
        Ok(Approved {
            settings: settings.clone(),
            upstream: Upstream::new(address, shield),
            meter: Mutex::new(meter),
        })
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        // A count is whole whenever the lock is free.
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.turn_to(today());
        meter
    }

    fn plan(&self, request: &GenerateRequest) -> Plan<'_> {
        let mut facts =
            RouteFacts { upstream: self.settings.name.clone(), ..RouteFacts::default() };
        let prepared = match self.upstream.prepare(request) {
            Ok(prepared) => Some(prepared),
            Err(error) => {
                note(&mut facts, &error);
                None
            }
        };
        let (mut reserved, mut meter) = ((0, 0), self.meter());
        (facts.spent_tokens, facts.spent_cost) = (meter.tokens, meter.cost);
        facts.breaker_open = meter.is_left_alone();
        if let Some(prepared) = &prepared {
            facts.hidden = prepared.hidden();
            let prompt = prepared.bytes().div_ceil(BYTES_PER_TOKEN);
            let answer = request.max_tokens as u64;
            facts.asked_tokens = prompt + answer;
            facts.asked_cost = self.settings.budget.cost(prompt, answer);
            // Those that come meanwhile see it as spent; what was too much is given back.
            reserved = (facts.asked_tokens, facts.asked_cost);
            meter.spend(reserved.0, reserved.1);
        }
        drop(meter);
        Plan { approved: self, prepared, reserved, facts }
    }

    /// Asks until there is an answer, the server may have begun one, or the time is up.
    fn ask(&self, prepared: &Prepared<'_>) -> (Vec<AttemptFacts>, Option<Generated>) {
        let deadline = Instant::now() + Duration::from_millis(self.settings.timeout_ms);
        let (mut attempts, mut waited) = (Vec::new(), Duration::ZERO);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            let why = match self.upstream.send(prepared, left) {
                Ok(generated) => {
                    attempts.push(AttemptFacts { end: AttemptEnd::Answered, waited_ms });
                    return (attempts, Some(generated));
                }
                Err(why) => why,
            };
            attempts.push(AttemptFacts { end: why.end, waited_ms });
            let tried = attempts.len() as u32 - 1;
            let again = wait_before_retry(&why, tried).filter(|_| tried < self.settings.retries);
            let left = deadline.saturating_duration_since(Instant::now());
            match again.filter(|wait| *wait < left) {
                Some(wait) => {
                    std::thread::sleep(wait);
                    waited = wait;
                }
                None => return (attempts, None),
            }
        }
    }
}

/// How long to wait before the same is asked again; `None` where that would not be safe. The wait
/// doubles each time; half of it is drawn, so that those who were turned away together do not come
/// back together.
fn wait_before_retry(why: &NotSent, tried: u32) -> Option<Duration> {
    let least = match why.end {
        AttemptEnd::NoConnection => Duration::ZERO,
        // A server that does not say when to come back is not asked again.
        AttemptEnd::TurnedAway => why.retry_after?,
        AttemptEnd::Answered | AttemptEnd::Failed | AttemptEnd::Unfit => return None,
    };
    let doubled = WAIT_FIRST.saturating_mul(1 << tried.min(16)).min(WAIT_MOST);
    let mut byte = [0_u8; 1];
    // Without random bytes all come back together; nothing else rests on it.
    let drawn = getrandom::fill(&mut byte).map_or(0, |()| u32::from(byte[0]));
    Some((doubled / 2 + doubled / 2 * drawn / 255).max(least))
}

impl Meter {
    fn turn_to(&mut self, today: Date) {
        if self.day != today {
            (self.day, self.tokens, self.cost) = (today, 0, 0);
        }
    }

    fn spend(&mut self, tokens: u64, cost: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
        self.cost = self.cost.saturating_add(cost);
    }

    fn give_back(&mut self, tokens: u64, cost: u64) {
        self.tokens = self.tokens.saturating_sub(tokens);
        self.cost = self.cost.saturating_sub(cost);
    }

    fn is_left_alone(&self) -> bool {
        self.alone_until.is_some_and(|until| Instant::now() < until)
    }

    /// Notes how a request ended.
    fn note(&mut self, settings: &ApprovedUpstream, end: AttemptEnd) {
        match end {
            AttemptEnd::Answered => (self.failures, self.alone_until) = (0, None),
            AttemptEnd::Unfit => {}
            AttemptEnd::NoConnection | AttemptEnd::TurnedAway | AttemptEnd::Failed => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= settings.breaker.failures {
                    let pause = Duration::from_millis(settings.breaker.pause_ms);
                    self.alone_until = Some(Instant::now() + pause);
                }
            }
        }
    }
}

impl Plan<'_> {
    /// Sends it.
    pub(crate) fn send(mut self) -> Sent {
        let (mut facts, settings) = (self.facts.clone(), &self.approved.settings);
        let Some(prepared) = self.prepared.take() else { return Sent { facts, written: None } };
        {
            let mut meter = self.approved.meter();
            if meter.alone_until.is_some() {
                // One request finds out how it fares; the others wait for what becomes of it.
                let pause = Duration::from_millis(settings.breaker.pause_ms);
                meter.alone_until = Some(Instant::now() + pause);
            }
        }
        let (attempts, written) = self.approved.ask(&prepared);
        let end = attempts.last().map_or(AttemptEnd::Failed, |last| last.end);
        facts.attempts = attempts;
        if let Some(written) = &written {
            facts.prompt_tokens = written.prompt_tokens as u64;
            facts.completion_tokens = written.completion_tokens as u64;
            if facts.prompt_tokens + facts.completion_tokens == 0 {
                // A server that does not count is counted for, at the most.
                facts.prompt_tokens = facts.asked_tokens;
            }
            facts.cost = settings.budget.cost(facts.prompt_tokens, facts.completion_tokens);
        }
        let mut meter = self.approved.meter();
        meter.note(settings, end);
        meter.spend(facts.prompt_tokens + facts.completion_tokens, facts.cost);
        Sent { facts, written }
    }

    /// What the receipt says of the model.
    pub(crate) fn model(&self) -> Model {
        Model {
            name: self.approved.settings.model.clone(),
            digest: None,
            tokenizer: None,
            template: None,
            prompt: Some(TEMPLATE.into()),
            adapter: None,
        }
    }
}

/// What was set aside for it goes back; what it took was counted.
impl Drop for Plan<'_> {
    fn drop(&mut self) {
        self.approved.meter().give_back(self.reserved.0, self.reserved.1);
    }
}

/// Why a request cannot be made ready.
fn note(facts: &mut RouteFacts, error: &Error) {
    match error {
        Error::Private(
            allod_privacy::Error::Blocked(kinds) | allod_privacy::Error::Remains(kinds),
        ) => {
            facts.blocked = kinds.split(", ").map(str::to_owned).collect();
        }
        _ => facts.attempts.push(AttemptFacts { end: AttemptEnd::Unfit, waited_ms: 0 }),
    }
}

/// What a receipt says of an approved server.
pub(crate) fn route_of(receipt: &Receipt) -> Option<RouteFacts> {
    let facts: Facts = serde_json::from_value(receipt.facts.clone()).ok()?;
    facts.route
}

fn today() -> Date {
    day_of(Timestamp::now())
}

fn day_of(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(end: AttemptEnd, retry_after: Option<Duration>) -> NotSent {
        NotSent { end, retry_after, reason: String::new() }
    }

    #[test]
    fn only_what_is_safe_is_tried_again_and_waits_longer_each_time() {
        for unsafe_one in [AttemptEnd::Failed, AttemptEnd::Unfit, AttemptEnd::Answered] {
            assert_eq!(wait_before_retry(&why(unsafe_one, Some(WAIT_MOST)), 0), None);
        }
        assert_eq!(wait_before_retry(&why(AttemptEnd::TurnedAway, None), 0), None);
        let long = Duration::from_secs(30);
        assert_eq!(wait_before_retry(&why(AttemptEnd::TurnedAway, Some(long)), 0), Some(long));
        for tried in 0..4 {
            let wait = wait_before_retry(&why(AttemptEnd::NoConnection, None), tried).unwrap();
            let doubled = WAIT_FIRST * 2_u32.pow(tried);
            assert!(doubled / 2 <= wait && wait <= doubled, "{tried}: {wait:?}");
        }
        assert!(wait_before_retry(&why(AttemptEnd::NoConnection, None), 60).unwrap() <= WAIT_MOST);
    }

    #[test]
    fn a_new_day_begins_with_nothing_spent() {
        let day = |day| Date::constant(2026, 3, day);
        let mut meter = Meter { day: day(1), tokens: 0, cost: 0, failures: 2, alone_until: None };
        meter.spend(5, 7);
        meter.turn_to(day(1));
        assert_eq!((meter.tokens, meter.cost), (5, 7));
        meter.turn_to(day(2));
        assert_eq!((meter.tokens, meter.cost, meter.failures), (0, 0, 2));
        meter.give_back(9, 9);
        assert_eq!((meter.tokens, meter.cost), (0, 0));
    }
}
