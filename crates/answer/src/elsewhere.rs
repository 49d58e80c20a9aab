//! The servers that the policy names, the one that runs the model and those that escalated
//! questions may go to: what was spent on each today, which of them is left alone for now, and how
//! one is asked. All of them are asked in one way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use allod_engine::{GenerateRequest, Generated};
use allod_ledger::Ledger;
use allod_ledger::receipt::{Model, Receipt};
use allod_policy::{
    ApprovedUpstream, AttemptEnd, AttemptFacts, Facts, Policy, RouteFacts, withheld,
};
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
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// All servers that the policy names.
#[derive(Default)]
pub(crate) struct Elsewhere {
    approved: BTreeMap<String, Arc<Approved>>,
}

/// A server that the policy names.
pub struct Approved {
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
    counts: UpstreamCounts,
}

/// What became of requests to a server since this process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamCounts {
    /// Requests that were sent.
    pub requests: u64,
    /// Those of them that got no answer.
    pub errors: u64,
    /// How often one was tried again.
    pub retries: u64,
    /// Requests that were not sent, by why: `personal_data`, `budget`, `breaker`.
    pub held: BTreeMap<String, u64>,
    /// Tokens of prompts, as the server counted them.
    pub prompt_tokens: u64,
    /// Tokens of answers, as the server counted them.
    pub completion_tokens: u64,
    /// What was spent, in millionths of the currency.
    pub cost: u64,
}

/// How a server fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamState {
    /// Its name in the policy.
    pub name: String,
    /// What costs are in.
    pub currency: Option<String>,
    /// Since this process began.
    pub counts: UpstreamCounts,
    /// Tokens that were spent on it today, which begins at midnight UTC.
    pub tokens_today: u64,
    /// Cost that was spent on it today, in millionths of the currency.
    pub cost_today: u64,
    /// Whether it is left alone, having failed too often.
    pub breaker_open: bool,
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
    /// What was written, or why nothing was.
    pub(crate) written: Result<Generated, String>,
}

impl Elsewhere {
    /// The servers of a policy, with what the log says was spent on them today. `main` is the one
    /// that runs the model, if one does.
    ///
    /// # Errors
    /// [`Error::NoModel`] when the key of a server is not there; [`Error::Ledger`].
    pub(crate) fn open(
        policy: &Policy,
        ledger: &Ledger,
        main: Option<&Arc<Approved>>,
    ) -> Result<Elsewhere, Error> {
        let mut approved: BTreeMap<String, Arc<Approved>> =
            main.map(|main| (main.settings.name.clone(), Arc::clone(main))).into_iter().collect();
        for settings in &policy.upstreams {
            let one = Approved::open(policy, settings)?;
            approved.insert(settings.name.clone(), Arc::new(one));
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
            for route in routes_of(&receipt) {
                let Some(approved) = self.approved.get(&route.upstream) else { continue };
                let tokens = route.prompt_tokens.saturating_add(route.completion_tokens);
                approved.meter().spend(tokens, route.cost);
            }
        }
        Ok(())
    }

    /// How each fares, by name.
    pub(crate) fn states(&self) -> Vec<UpstreamState> {
        self.approved.values().map(|approved| approved.state()).collect()
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
    /// A server as the policy has it; nothing is sent.
    ///
    /// # Errors
    /// [`Error::NoModel`] when its key is not there; [`Error::Private`].
    pub(crate) fn open(policy: &Policy, settings: &ApprovedUpstream) -> Result<Approved, Error> {
        let api_key = crate::generator::api_key(settings.api_key_env.as_deref())?;
        let kinds = shield::kinds_hidden(policy, &settings.data_class_max.personal);
        let shield = shield::shield_of(policy.personal_at(settings), &kinds)?;
        let address = Address { url: &settings.url, model: &settings.model, api_key };
        Ok(Approved {
            settings: settings.clone(),
            upstream: Upstream::new(address, shield),
            meter: Mutex::new(Meter::new(today())),
        })
    }

    /// The model, as the server knows it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.settings.model
    }

    fn state(&self) -> UpstreamState {
        let meter = self.meter();
        UpstreamState {
            name: self.settings.name.clone(),
            currency: self.settings.budget.currency.clone(),
            counts: meter.counts.clone(),
            tokens_today: meter.tokens,
            cost_today: meter.cost,
            breaker_open: meter.is_left_alone(),
        }
    }

    /// Lets the server write, if its budget and its breaker do.
    ///
    /// # Errors
    /// [`Error::Limit`] for what it cannot do, [`Error::Private`] where the policy lets the prompt
    /// go nowhere, [`Error::Held`] where nothing is sent for now, [`Error::Upstream`] where no
    /// answer came.
    pub(crate) fn write(
        &self,
        request: &GenerateRequest,
    ) -> Result<(Generated, RouteFacts), Error> {
        let plan = self.ready(request, Ok(self.upstream.prepare(request)?));
        if let Some(held) = withheld(&self.settings, &plan.facts) {
            let retry_after_seconds = self.wait_seconds(plan.facts.breaker_open);
            return Err(Error::Held { reason: held.because, retry_after_seconds });
        }
        let Sent { facts, written } = plan.send();
        written.map(|written| (written, facts)).map_err(|why| self.upstream.error(why))
    }

    /// When something may be sent again: after the breaker's pause, or tomorrow.
    fn wait_seconds(&self, breaker_open: bool) -> u64 {
        let pause = self
            .meter()
            .alone_until
            .map(|until| until.saturating_duration_since(Instant::now()).as_secs() + 1);
        let elapsed = u64::try_from(Timestamp::now().as_second()).unwrap_or_default() % DAY_SECONDS;
        pause.filter(|_| breaker_open).unwrap_or(DAY_SECONDS - elapsed)
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        // A count is whole whenever the lock is free.
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.turn_to(today());
        meter
    }

    fn plan(&self, request: &GenerateRequest) -> Plan<'_> {
        self.ready(request, self.upstream.prepare(request))
    }

    fn ready<'a>(
        &'a self,
        request: &GenerateRequest,
        prepared: Result<Prepared<'a>, Error>,
    ) -> Plan<'a> {
        let mut facts =
            RouteFacts { upstream: self.settings.name.clone(), ..RouteFacts::default() };
        let prepared = match prepared {
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
        if let Some(held) = withheld(&self.settings, &facts) {
            let why = held.id.rsplit('.').next().unwrap_or(held.id);
            *meter.counts.held.entry(why.to_owned()).or_default() += 1;
        }
        drop(meter);
        Plan { approved: self, prepared, reserved, facts }
    }

    /// Asks until there is an answer, the server may have begun one, or the time is up.
    fn ask(&self, prepared: &Prepared<'_>) -> (Vec<AttemptFacts>, Result<Generated, String>) {
        let deadline = Instant::now() + Duration::from_millis(self.settings.timeout_ms);
        let (mut attempts, mut waited) = (Vec::new(), Duration::ZERO);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            let why = match self.upstream.send(prepared, left) {
                Ok(generated) => {
                    attempts.push(AttemptFacts { end: AttemptEnd::Answered, waited_ms });
                    return (attempts, Ok(generated));
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
                None => return (attempts, Err(why.reason)),
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
    fn new(day: Date) -> Meter {
        let counts = UpstreamCounts::default();
        Meter { day, tokens: 0, cost: 0, failures: 0, alone_until: None, counts }
    }

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

    /// Counts what became of a request.
    fn count(&mut self, facts: &RouteFacts) {
        let counts = &mut self.counts;
        counts.requests += 1;
        counts.errors += u64::from(!facts.is_answered());
        counts.retries += (facts.attempts.len() as u64).saturating_sub(1);
        counts.prompt_tokens = counts.prompt_tokens.saturating_add(facts.prompt_tokens);
        counts.completion_tokens = counts.completion_tokens.saturating_add(facts.completion_tokens);
        counts.cost = counts.cost.saturating_add(facts.cost);
        self.spend(facts.prompt_tokens.saturating_add(facts.completion_tokens), facts.cost);
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
        let Some(prepared) = self.prepared.take() else {
            return Sent { facts, written: Err("it cannot take such a request".into()) };
        };
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
        if let Ok(written) = &written {
            facts.prompt_tokens = written.prompt_tokens as u64;
            facts.completion_tokens = written.completion_tokens as u64;
            if facts.prompt_tokens.saturating_add(facts.completion_tokens) == 0 {
                // A server that does not count is counted for, at the most.
                facts.prompt_tokens = facts.asked_tokens;
            }
            facts.cost = settings.budget.cost(facts.prompt_tokens, facts.completion_tokens);
        }
        let mut meter = self.approved.meter();
        meter.note(settings, end);
        meter.count(&facts);
        Sent { facts, written }
    }

    /// What the receipt says of the model.
    pub(crate) fn model(&self) -> Model {
        Model {
            name: self.approved.settings.model.clone(),
            digest: None,
            tokenizer: None,
            template: None,
            files: None,
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

/// What a receipt says of the server that an escalated question went to.
pub(crate) fn route_of(receipt: &Receipt) -> Option<RouteFacts> {
    facts_of(receipt)?.route
}

/// What a receipt says of all servers that had to do with it.
fn routes_of(receipt: &Receipt) -> impl Iterator<Item = RouteFacts> {
    let facts = facts_of(receipt).unwrap_or_default();
    facts.server.into_iter().chain(facts.route)
}

fn facts_of(receipt: &Receipt) -> Option<Facts> {
    serde_json::from_value(receipt.facts.clone()).ok()
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
        let mut meter = Meter { failures: 2, ..Meter::new(day(1)) };
        meter.spend(5, 7);
        meter.turn_to(day(1));
        assert_eq!((meter.tokens, meter.cost), (5, 7));
        meter.turn_to(day(2));
        assert_eq!((meter.tokens, meter.cost, meter.failures), (0, 0, 2));
        meter.give_back(9, 9);
        assert_eq!((meter.tokens, meter.cost), (0, 0));
    }
}
