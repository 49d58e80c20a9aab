//! The way to the worker: a bounded line before it, and what is known of how it fares.

use crate::beginning::Beginning;
use crate::error::{Error, Result};
use crate::job::{Inlet, Job};
use crate::line::Tenant;
use crate::prefixes::Prefixes;
use crate::rows::StepRows;
use crate::worker::{Limits, Worker};
use allod_lm::{Infer, Model, PAGE_TOKENS, PageShape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Nobody is told to come back later than this.
const RETRY_SECONDS_MAX: u64 = 120;

/// How an engine fares, at the moment and since it was loaded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stats {
    /// Sequences that are being computed.
    pub running: usize,
    /// Sequences that wait for a place.
    pub waiting: usize,
    /// Positions that running sequences hold.
    pub cache_tokens: usize,
    /// Bytes of their keys and values.
    pub cache_bytes: usize,
    /// Bytes of pages that are kept to be used again.
    pub prefix_bytes: usize,
    /// Bytes above which sequences lose their place.
    pub cache_bytes_max: usize,
    /// Tokens of prompts that were read.
    pub prompt_tokens: u64,
    /// Tokens that were written.
    pub completion_tokens: u64,
    /// Tokens that did not have to be read, since they had been computed before.
    pub cached_tokens: u64,
    /// How often tokens were guessed.
    pub drafts: u64,
    /// Tokens that were guessed.
    pub draft_tokens: u64,
    /// And those of them that were right.
    pub accepted_tokens: u64,
    /// How often a sequence lost its place to another.
    pub preemptions: u64,
    /// Forward passes.
    pub steps: u64,
    /// How many rows they had.
    pub rows: StepRows,
    /// Sequences that ended since the model computed no number.
    pub damaged: u64,
    /// Requests that were turned away since too many waited.
    pub turned_away: u64,
    /// The adapters of the sequences that are being computed.
    pub running_adapters: BTreeSet<Arc<str>>,
    /// And of those that wait.
    pub waiting_adapters: BTreeSet<Arc<str>>,
    /// Tokens of a page of keys and values.
    pub page_tokens: usize,
    /// Bytes of such a page.
    pub page_bytes: usize,
    /// Rows per second of late, of prompts and completions together.
    pub tokens_per_second: f64,
}

/// What callers and worker share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Never locked by one who waits for the state.
    prefixes: Mutex<Prefixes>,
    called: Condvar,
}

/// Behind the lock.
#[derive(Default)]
pub(crate) struct State {
    /// What the worker has not yet seen.
    pub inbox: Vec<Job>,
    /// Sequences that wait with the worker.
    pub waiting: BTreeMap<Tenant, usize>,
    /// Tokens that may have to be computed for them.
    pub waiting_tokens: usize,
    /// Places that nobody has.
    pub free: usize,
    pub stats: Stats,
    pub stopping: bool,
}

impl State {
    fn take_in(&mut self, job: Job, limits: &Limits) -> Result<()> {
        if self.stopping {
            return Err(Error::Stopped);
        }
        // Who is about to get a place does not wait.
        let retry_after_seconds = self.retry_after_seconds();
        let refusal = if self.waiting() >= limits.waiting_max + self.free {
            Error::Busy { retry_after_seconds }
        } else if self.waiting_of(&job.tenant) >= limits.waiting_per_tenant_max + self.free {
            Error::TenantBusy { retry_after_seconds }
        } else {
            self.inbox.push(job);
            return Ok(());
        };
        self.stats.turned_away += 1;
        Err(refusal)
    }

    fn waiting_of(&self, tenant: &Tenant) -> usize {
        let inbox = self.inbox.iter().filter(|job| job.tenant == *tenant);
        self.waiting.get(tenant).copied().unwrap_or(0)
            + inbox.map(|job| job.samplers.len()).sum::<usize>()
    }

    fn waiting(&self) -> usize {
        let inbox = self.inbox.iter().map(|job| job.samplers.len());
        self.waiting.values().sum::<usize>() + inbox.sum::<usize>()
    }

    /// When the line is likely to be shorter by half.
    fn retry_after_seconds(&self) -> u64 {
        let inbox: usize = self.inbox.iter().map(|job| job.prompt.len() + job.max_tokens).sum();
        let tokens = (self.waiting_tokens.saturating_add(inbox)) as f64 / 2.0;
        let seconds = tokens / self.stats.tokens_per_second.max(1.0);
        (seconds.ceil() as u64).clamp(1, RETRY_SECONDS_MAX)
    }
}

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // No caller leaves the state half changed, so that one panicked says nothing against it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was computed for beginnings.
    pub fn prefixes(&self) -> MutexGuard<'_, Prefixes> {
        self.prefixes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody calls.
    pub fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.called.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker's thread, as callers see it.
pub(crate) struct Scheduler {
    shared: Arc<Shared>,
    limits: Limits,
    page_shape: PageShape,
    thread: Option<JoinHandle<()>>,
}

impl Scheduler {
    /// Starts the worker.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub fn start(model: Arc<Model>, infer: Infer, limits: Limits) -> Result<Scheduler> {
        let stats = Stats {
            cache_bytes_max: limits.cache_bytes_max,
            page_tokens: PAGE_TOKENS,
            page_bytes: infer.bytes_of(PAGE_TOKENS),
            ..Stats::default()
        };
        let state = Mutex::new(State { free: limits.slots, stats, ..State::default() });
        let prefixes = Mutex::new(Prefixes::new(limits.prefix_bytes_max));
        let shared = Arc::new(Shared { state, prefixes, called: Condvar::new() });
        let page_shape = infer.page_shape();
        let worker = shared.clone();
        let thread = std::thread::Builder::new()
            .name("allod-engine".into())
            .spawn(move || Worker::new(&worker, &model, infer, limits).work())
            .map_err(Error::Thread)?;
        Ok(Scheduler { shared, limits, page_shape, thread: Some(thread) })
    }

    /// How many pages of a beginning are in memory.
    pub fn known_pages(&self, beginning: &Beginning) -> usize {
        beginning.known(&self.shared.prefixes())
    }

    /// A page of a beginning as bytes, if it is in memory.
    pub fn page(&self, beginning: &Beginning, number: usize) -> Option<Vec<u8>> {
        let page = beginning.page(&self.shared.prefixes(), number)?;
        let mut bytes = Vec::with_capacity(self.page_shape.stored_bytes());
        page.put(&mut bytes);
        Some(bytes)
    }

    /// Keeps pages of a beginning from number `first` on.
    ///
    /// # Errors
    /// If they are no pages of this model.
    pub fn put_pages(&self, of: &Beginning, first: usize, pages: &[Vec<u8>]) -> Result<()> {
        of.put(&self.shared.prefixes, &self.page_shape, (first, pages))
    }

    /// Puts a job into the line.
    ///
    /// # Errors
    /// If the line is full.
    pub fn submit(&self, job: Job, inlet: Inlet) -> Result<Inlet> {
        self.shared.lock().take_in(job, &self.limits)?;
        self.shared.called.notify_one();
        Ok(inlet)
    }

    pub fn stats(&self) -> Stats {
        let state = self.shared.lock();
        Stats { waiting: state.waiting(), ..state.stats.clone() }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.called.notify_one();
        if let Some(thread) = self.thread.take() {
            // A worker that panicked has nothing more to tell.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::connection;
    use crate::request::Priority;
    use crate::sampler::Sampler;
    use crate::sampling::Sampling;
    use allod_lm::Isa;

    fn job(tenant: &str) -> Job {
        Job {
            prompt: vec![1; 90],
            samplers: vec![Sampler::new(&Sampling::default(), Isa::Scalar).unwrap()],
            guide: None,
            max_tokens: 10,
            stop: Vec::new(),
            spelled: Vec::new(),
            thought: None,
            adapter: None,
            adapter_name: None,
            tenant: tenant.into(),
            priority: Priority::Normal,
            top_logprobs: None,
            outlet: connection().1,
        }
    }

    #[test]
    fn a_full_line_says_when_to_come_back() {
        let limits = Limits {
            on_tiles: false,
            slots: 2,
            step_tokens: 1,
            context_tokens: 100,
            cache_bytes_max: 0,
            prefix_bytes_max: 0,
            draft_tokens: 0,
            waiting_max: 4,
            waiting_per_tenant_max: 3,
        };
        let mut state = State { free: 2, ..State::default() };
        let ask = |state: &mut State, tenant| state.take_in(job(tenant), &limits);
        (0..5).for_each(|_| ask(&mut state, "a").unwrap());
        assert!(matches!(ask(&mut state, "a"), Err(Error::TenantBusy { .. })));
        ask(&mut state, "b").unwrap();
        state.stats.tokens_per_second = 50.0;
        let busy = ask(&mut state, "b");
        // Six times 100 tokens wait; half of them take 6 s.
        assert!(matches!(busy, Err(Error::Busy { retry_after_seconds: 6 })), "{busy:?}");
        assert_eq!(state.stats.turned_away, 2);
        state.stopping = true;
        assert!(matches!(ask(&mut state, "c"), Err(Error::Stopped)));
    }
}
