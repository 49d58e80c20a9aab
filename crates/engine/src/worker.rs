//! The thread that runs the model: one ragged batch after another, of whoever has a place.
//!
//! Each step, every sequence that is being written gets one row, and what is left of the step goes
//! to the prompts that are being read: divided evenly between tenants, and within a tenant between
//! its sequences, so that a short prompt never waits for a long one; for the same reason, few long
//! prompts are read at one time, and so few rows of them that a step takes no longer than who comes
//! meanwhile can wait. Prompts and answers are batches of their own, as they are computed
//! in different ways. Neither the neighbours nor the pieces in which a prompt is read change a bit
//! of a sequence.

use crate::error::Error;
use crate::line::{Line, Tenant, Turn};
use crate::pace::{Pace, Reading, within};
use crate::prefixes::Prefixes;
use crate::request::Priority;
use crate::rows::StepRows;
use crate::scheduler::{Shared, State};
use crate::sequence::{Next, Sequence};
use crate::split::split_evenly;
use allod_lm::{Batch, Infer, Logits, Model, PAGE_TOKENS, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

/// What the worker keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Whether many rows of a prompt are computed much faster together than few.
    pub on_tiles: bool,
    /// Sequences that have a place at the same time.
    pub slots: usize,
    /// Rows of a step; a quarter of them, if sequences are being written that would wait for it.
    pub step_tokens: usize,
    /// Tokens that a sequence can have.
    pub context_tokens: usize,
    /// Bytes of keys and values. A sequence that is alone may have more.
    pub cache_bytes_max: usize,
    /// Bytes of pages that are kept to be used again.
    pub prefix_bytes_max: usize,
    /// Tokens that are guessed for a sequence in a step.
    pub draft_tokens: usize,
    /// Sequences that wait.
    pub waiting_max: usize,
    /// And of one tenant.
    pub waiting_per_tenant_max: usize,
}

/// Rows of a step up to which there are guesses.
const DRAFT_ROWS: usize = 16;

impl Limits {
    /// Tokens up to which a prompt is not long.
    fn short_tokens(&self) -> usize {
        LONG_STEPS * self.step_tokens
    }
}

/// Long prompts that are read at one time, if there are twice as many places: more would only keep
/// each other, and those with few tokens, from theirs.
const LONG_MAX: usize = 4;

/// What takes more steps than this to read, nobody else to be read beside it, is long.
const LONG_STEPS: usize = 4;

/// Seconds that the prompts of a step may take to be read: while one is alone, whoever comes next
/// waits for it; others wait for each of its steps.
const STEP_SECONDS_ALONE: f64 = 0.5;
const STEP_SECONDS: f64 = 0.25;

/// And seconds within which a prompt is read to its end nevertheless.
const SHORT_SECONDS: f64 = 1.0;

/// Rows of prompts in a step that are not too many, whatever they take; four times as many while
/// one is alone.
const ROWS_LEAST: usize = 8;

/// Sequences whose tokens are chosen in several threads.
const WORTH_SHARING: usize = 4;

/// A sequence that has a place.
struct Running<'m> {
    slot: usize,
    /// Tokens that are guessed to follow, in this step.
    draft: Vec<u32>,
    /// Tokens whose pages are kept.
    kept: usize,
    sequence: Sequence<'m>,
}

impl Running<'_> {
    /// Goes on by the scores after the last token and after each guessed one, as long as the
    /// guesses are what is chosen. Says how often a token was chosen.
    fn take(&mut self, scores: &[&[f32]]) -> (Next, usize) {
        for (count, scores) in scores.iter().enumerate() {
            let before = self.sequence.tokens().len();
            match self.sequence.go_on(scores) {
                Next::More => {}
                over => return (over, count + 1),
            }
            if self.draft.get(count) != self.sequence.tokens().get(before) {
                return (Next::More, count + 1);
            }
        }
        (Next::More, scores.len())
    }
}

/// Runs sequences until nobody wants any more.
pub(crate) struct Worker<'m> {
    shared: &'m Shared,
    model: &'m Model,
    infer: Infer,
    limits: Limits,
    /// In order of their admission.
    running: Vec<Running<'m>>,
    free: Vec<usize>,
    line: Line<Sequence<'m>>,
    pace: Pace,
    tally: Tally,
}

/// What is counted between two looks at the shared state.
#[derive(Default)]
struct Tally {
    prompt_tokens: u64,
    completion_tokens: u64,
    cached_tokens: u64,
    preemptions: u64,
    drafts: u64,
    draft_tokens: u64,
    accepted_tokens: u64,
    damaged: u64,
    steps: u64,
    rows: StepRows,
    rows_per_second: Option<f64>,
}

impl<'m> Worker<'m> {
    pub fn new(shared: &'m Shared, model: &'m Model, infer: Infer, limits: Limits) -> Worker<'m> {
        let (running, line, tally) = (Vec::new(), Line::new(), Tally::default());
        let (free, pace) = ((0..limits.slots).rev().collect(), Pace::default());
        Worker { shared, model, infer, limits, running, free, line, pace, tally }
    }

    /// Works until the engine is dropped.
    pub fn work(mut self) {
        while self.listen() {
            self.drop_unwanted();
            self.admit();
            self.publish();
            if self.running.is_empty() {
                continue;
            }
            // A fault in a kernel must not take the service down: those who were in the batch are
            // told, and every sequence begins by clearing its slot.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.step())) {
                self.fail_all(&message_of(panic.as_ref()));
            }
            self.publish();
        }
    }

    /// Takes in what has come; waits if there is nothing to do. False when it is over.
    fn listen(&mut self) -> bool {
        let shared = self.shared;
        let mut state = shared.lock();
        while state.inbox.is_empty() && !state.stopping && self.is_idle() {
            state = shared.wait(state);
        }
        for job in std::mem::take(&mut state.inbox) {
            let (tenant, priority) = (job.tenant.clone(), job.priority);
            for sequence in Sequence::all(self.model, job, self.limits.context_tokens) {
                *state.waiting.entry(tenant.clone()).or_insert(0) += 1;
                self.line.push(&tenant, priority, sequence);
            }
        }
        !state.stopping
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.line.iter().next().is_none()
    }

    /// Says how it fares.
    fn publish(&mut self) {
        let shared = self.shared;
        let prefix_bytes = shared.prefixes().bytes();
        let mut guard = shared.lock();
        let state: &mut State = &mut guard;
        state.waiting.clear();
        state.waiting_tokens = 0;
        state.free = self.free.len();
        for (tenant, sequence) in self.line.iter() {
            *state.waiting.entry(tenant.clone()).or_insert(0) += 1;
            state.waiting_tokens = state.waiting_tokens.saturating_add(sequence.work_left(0));
        }
        let (stats, tally) = (&mut state.stats, std::mem::take(&mut self.tally));
        stats.running = self.running.len();
        stats.cache_tokens = self.running.iter().map(|one| self.infer.length(one.slot)).sum();
        stats.cache_bytes = self.infer.held_bytes();
        stats.prefix_bytes = prefix_bytes;
        stats.cache_bytes_max = self.limits.cache_bytes_max;
        stats.prompt_tokens += tally.prompt_tokens;
        stats.completion_tokens += tally.completion_tokens;
        stats.cached_tokens += tally.cached_tokens;
        stats.drafts += tally.drafts;
        stats.draft_tokens += tally.draft_tokens;
        stats.accepted_tokens += tally.accepted_tokens;
        stats.preemptions += tally.preemptions;
        stats.steps += tally.steps;
        stats.damaged += tally.damaged;
        stats.rows.merge(&tally.rows);
        stats.running_adapters = names(self.running.iter().map(|one| &one.sequence));
        stats.waiting_adapters = names(self.line.iter().map(|(_, sequence)| sequence));
        if let Some(rate) = tally.rows_per_second {
            let before = if stats.steps <= 1 { rate } else { stats.tokens_per_second };
            stats.tokens_per_second = before * 0.9 + rate * 0.1;
        }
    }

    /// Frees the places of those whose callers are gone.
    fn drop_unwanted(&mut self) {
        self.line.retain(|sequence| !sequence.is_unwanted());
        while let Some(index) = self.running.iter().position(|one| one.sequence.is_unwanted()) {
            self.remove(index);
        }
    }

    /// Ends a running sequence.
    fn remove(&mut self, index: usize) -> Sequence<'m> {
        let Running { slot, sequence, .. } = self.running.remove(index);
        self.infer.end(slot);
        self.free.push(slot);
        self.line.leave(sequence.tenant());
        sequence
    }

    /// Takes a sequence's place; it goes on later.
    fn preempt(&mut self, index: usize) {
        let Running { slot, sequence, .. } = self.running.remove(index);
        self.infer.end(slot);
        self.free.push(slot);
        self.tally.preemptions += 1;
        let (tenant, priority) = (sequence.tenant().clone(), sequence.priority);
        self.line.push_back_to_front(&tenant, priority, sequence);
    }

    /// Gives places to those whose turn it is.
    fn admit(&mut self) {
        loop {
            // Whoever a place was made for gets it, even where the one that lost it is first now.
            let promised = if self.free.is_empty() { self.make_place() } else { None };
            if self.free.is_empty() {
                return;
            }
            let next = self.next_below_share(promised.as_ref());
            let next = next.or_else(|| self.next(promised.as_ref(), |_, _, _| true));
            let Some(sequence) = next else { return };
            self.place(sequence);
        }
    }

    /// The next in line that does not have to wait for anything, of those that `may` be taken.
    fn next(
        &mut self,
        promised: Option<&(Tenant, Priority)>,
        may: impl Fn(&Tenant, Priority, &Sequence) -> bool,
    ) -> Option<Sequence<'m>> {
        let (room, infer, prefixes) = (self.room(), &self.infer, self.shared.prefixes());
        let (alone, crowded) = (self.running.is_empty(), self.is_crowded());
        let most = self.limits.short_tokens();
        self.line.take(|tenant, priority, sequence| {
            let other = |(of, at): &(Tenant, Priority)| of != tenant || *at != priority;
            let passes = promised.is_some_and(other)
                || !may(tenant, priority, sequence)
                || crowded && is_long(sequence, most)
                || about_to_be_known(&self.running, infer, &prefixes, sequence);
            match passes {
                true => Turn::Pass,
                // Room for the prompt and the first token: what is written makes its own.
                false if alone || needed(infer, &prefixes, sequence) <= room => Turn::Take,
                false => Turn::Wait,
            }
        })
    }

    /// The next that is not long, of those of the highest priority whose tenants have fewer places
    /// than an even share. For a tenant with long prompts many tokens are computed, and it would
    /// have no place for its short ones until all others had as many.
    fn next_below_share(&mut self, promised: Option<&(Tenant, Priority)>) -> Option<Sequence<'m>> {
        let (places, highest) = (self.places(), self.line.highest()?);
        let share = self.limits.slots / self.line.tenants().max(1);
        let most = self.limits.short_tokens();
        self.next(promised, |tenant, priority, sequence| {
            let places = places.get(tenant).copied().unwrap_or(0);
            priority == highest && places < share && !is_long(sequence, most)
        })
    }

    /// Whether long prompts that are being read have all the places that they may have.
    fn is_crowded(&self) -> bool {
        let reads_long = |one: &&Running| {
            let left = one.sequence.tokens().len() - self.infer.length(one.slot);
            left > self.limits.short_tokens()
        };
        let most = LONG_MAX.min(self.limits.slots.div_ceil(2));
        self.running.iter().filter(reads_long).count() >= most
    }

    /// Bytes that may still be taken.
    fn room(&self) -> usize {
        self.limits.cache_bytes_max.saturating_sub(self.bytes_with(1))
    }

    /// Bytes of keys and values once every sequence has been computed to its end, and `more` tokens
    /// beyond it. Pages that are shared count once, and those of the prefixes not at all: they have
    /// a limit of their own.
    fn bytes_with(&self, more: usize) -> usize {
        let growth = |one: &Running| {
            let all = self.infer.bytes_of(one.sequence.tokens().len() + more);
            all.saturating_sub(self.infer.slot_bytes(one.slot))
        };
        self.infer.held_bytes() + self.running.iter().map(growth).sum::<usize>()
    }

    fn place(&mut self, sequence: Sequence<'m>) {
        let slot = self.free.pop().expect("a place was found free");
        if let Err(error) = self.infer.begin(slot, sequence.adapter.clone()) {
            self.free.push(slot);
            self.line.leave(sequence.tenant());
            return sequence.fail(Error::Model(error));
        }
        let known = match self.reuse(slot, &sequence) {
            Ok(known) => known,
            Err(error) => {
                self.infer.end(slot);
                self.free.push(slot);
                self.line.leave(sequence.tenant());
                return sequence.fail(Error::Model(error));
            }
        };
        if sequence.is_new() {
            sequence.report_reading(known);
        }
        self.running.push(Running { slot, draft: Vec::new(), kept: known, sequence });
    }

    /// Begins a sequence with the pages that are known of it, and says how many tokens those are.
    /// The last token is always computed, for its scores.
    fn reuse(&mut self, slot: usize, sequence: &Sequence) -> allod_lm::Result<usize> {
        let pages = self.shared.prefixes().find(&sequence.key, sequence.shared_tokens());
        pages.iter().try_for_each(|page| self.infer.paste(slot, page))?;
        let known = pages.len() * PAGE_TOKENS;
        self.tally.cached_tokens += known as u64;
        Ok(known)
    }

    /// Keeps the pages that have become whole.
    fn keep_pages(&mut self) {
        let mut prefixes = self.shared.prefixes();
        for one in &mut self.running {
            let prompt = one.sequence.prompt().len();
            let whole = self.infer.length(one.slot).min(prompt) / PAGE_TOKENS * PAGE_TOKENS;
            if whole > one.kept && prefixes.is_used() {
                let (infer, tokens) = (&self.infer, &one.sequence.tokens()[..whole]);
                prefixes.keep(&one.sequence.key, tokens, |range| infer.copy(one.slot, range));
                one.kept = whole;
            }
        }
    }

    /// Takes a place from another if the next in line has a right to it: a higher priority, or a
    /// tenant that has no place while another of no higher priority has several. Says whom it was
    /// made for.
    fn make_place(&mut self) -> Option<(Tenant, Priority)> {
        let (mut next, crowded) = (None, self.is_crowded());
        let most = self.limits.short_tokens();
        self.line.take(|tenant, priority, sequence| {
            if crowded && is_long(sequence, most) {
                return Turn::Pass;
            }
            next = Some((tenant.clone(), priority));
            Turn::Wait
        });
        let (tenant, priority) = next?;
        let places = self.places();
        let crowded = |one: &Running| {
            one.sequence.priority <= priority
                && places.get(one.sequence.tenant()).is_some_and(|places| *places > 1)
        };
        let lower = self.latest(|one| one.sequence.priority < priority);
        let fair = || match places.contains_key(&tenant) {
            true => None,
            false => self.latest(crowded),
        };
        self.preempt(lower.or_else(fair)?);
        Some((tenant, priority))
    }

    /// How many places each tenant has.
    fn places(&self) -> BTreeMap<Tenant, usize> {
        let mut places = BTreeMap::new();
        for one in &self.running {
            *places.entry(one.sequence.tenant().clone()).or_insert(0) += 1;
        }
        places
    }

    /// Of those, the one with the lowest priority that came last.
    fn latest(&self, of: impl Fn(&Running) -> bool) -> Option<usize> {
        let fitting = self.running.iter().enumerate().filter(|(_, one)| of(one));
        fitting
            .min_by_key(|(index, one)| (one.sequence.priority, usize::MAX - index))
            .map(|(index, _)| index)
    }

    /// Runs a batch of answers and one of prompts.
    fn step(&mut self) {
        self.keep_within_memory();
        let (started, rows) = (Instant::now(), self.plan());
        self.guess(&rows);
        let roles: Vec<Role> = self.running.iter().map(|one| self.role(one)).collect();
        let mut scores = Vec::new();
        for role in [Role::Answer, Role::Prompt] {
            let own = |index: &usize| rows[*index] > 0 && roles[*index] == role;
            let computed: Vec<usize> = (0..rows.len()).filter(own).collect();
            if computed.is_empty() {
                continue;
            }
            let reading: Reading =
                computed.iter().map(|index| self.reading(*index, rows[*index])).sum();
            let begun = Instant::now();
            match self.infer.run(&self.batch(&rows, &computed, role)) {
                Ok(logits) => scores.push((computed, logits)),
                Err(error) => return self.fail_all(&error.to_string()),
            }
            if role == Role::Prompt {
                self.pace.learn(reading, begun.elapsed().as_secs_f64());
            }
        }
        self.count(&rows, started);
        let mut over: Vec<usize> = Vec::new();
        for (computed, logits) in scores {
            over.extend(self.choose(&computed, &logits));
            self.infer.recycle(logits);
        }
        self.keep_pages();
        over.sort_unstable();
        over.into_iter().rev().for_each(|index| drop(self.remove(index)));
    }

    /// What the next rows of a sequence are.
    fn role(&self, one: &Running) -> Role {
        match self.infer.length(one.slot) < one.sequence.prompt().len() {
            true => Role::Prompt,
            false => Role::Answer,
        }
    }

    /// Guesses what those that are being written go on with: in few rows, which cost little beside
    /// the weights that have to be read anyway.
    fn guess(&mut self, rows: &[usize]) {
        let most = DRAFT_ROWS / rows.iter().sum::<usize>().max(1);
        for one in &mut self.running {
            let length = self.infer.length(one.slot);
            let writes =
                length >= one.sequence.prompt().len() && length + 1 == one.sequence.tokens().len();
            let most = if writes { most.min(self.limits.draft_tokens) } else { 0 };
            one.draft = one.sequence.draft(most).to_vec();
            self.tally.drafts += u64::from(!one.draft.is_empty());
            self.tally.draft_tokens += one.draft.len() as u64;
        }
    }

    /// Sequences lose their place until what the others will hold fits. One always stays.
    fn keep_within_memory(&mut self) {
        while self.running.len() > 1 && self.bytes_with(0) > self.limits.cache_bytes_max {
            let last = self.latest(|_| true).expect("several are running");
            self.preempt(last);
        }
    }

    /// How many rows each sequence gets in this step.
    fn plan(&self) -> Vec<usize> {
        // What was written before a sequence lost its place is read after its prompt.
        let left = |one: &Running| {
            let (length, prompt) = (self.infer.length(one.slot), one.sequence.prompt().len());
            let end = if length < prompt { prompt } else { one.sequence.tokens().len() };
            end - length
        };
        let left: Vec<usize> = self.running.iter().map(left).collect();
        let writing = left.iter().filter(|left| **left == 1).count();
        let step = self.limits.step_tokens;
        let most = if writing == 0 { step } else { (step / 4).max(1) };
        let mut rows: Vec<usize> = left.iter().map(|left| usize::from(*left == 1)).collect();
        let mut budget = most.saturating_sub(writing).max(1);
        for priority in [Priority::High, Priority::Normal, Priority::Low] {
            let reads = |index: &usize| {
                left[*index] > 1 && self.running[*index].sequence.priority == priority
            };
            let readers: Vec<usize> = (0..left.len()).filter(reads).collect();
            for (index, share) in self.share_out(budget, &readers, &left) {
                rows[index] = share;
                budget -= share;
            }
        }
        self.shorten(&mut rows, &left, most);
        rows
    }

    /// Reads less of prompts if the step would take too long: short ones are read to their end, the
    /// others have what is left of the time.
    fn shorten(&self, rows: &mut [usize], left: &[usize], most: usize) {
        let takes = |index: usize| self.pace.seconds(self.reading(index, rows[index]));
        let reads = |index: &usize| left[*index] > 1 && rows[*index] > 0;
        let mut readers: Vec<(usize, f64)> =
            (0..left.len()).filter(reads).map(|index| (index, takes(index))).collect();
        let is_alone = readers.len() == 1 && left.iter().all(|left| *left > 1);
        let (seconds, few) = match is_alone {
            true => (STEP_SECONDS_ALONE, 4 * ROWS_LEAST),
            false => (STEP_SECONDS, ROWS_LEAST),
        };
        // A large model reads its weights for each step: so many rows share that at least, if their
        // attention takes no longer than their products.
        let together = if self.limits.on_tiles { most } else { few };
        let allowed = seconds.max(2.0 * self.pace.seconds(Reading::of(0, together)));
        readers.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        let mut at_once = 0.0;
        readers.retain(|(index, seconds)| {
            let is_read = rows[*index] == left[*index] && at_once + seconds <= SHORT_SECONDS;
            at_once += if is_read { *seconds } else { 0.0 };
            !is_read
        });
        let wanted: Vec<(usize, f64)> =
            readers.iter().map(|(index, seconds)| (rows[*index], *seconds)).collect();
        let least = ROWS_LEAST.div_ceil(readers.len().max(1));
        for ((index, _), fewer) in readers.iter().zip(within(allowed - at_once, &wanted)) {
            rows[*index] = rows[*index].min(fewer.max(least));
        }
    }

    /// What it is to read so many rows of a running sequence.
    fn reading(&self, index: usize, rows: usize) -> Reading {
        Reading::of(self.infer.length(self.running[index].slot), rows)
    }

    /// Divides `budget` evenly between the tenants of `readers`, and theirs between their readers.
    fn share_out(&self, budget: usize, readers: &[usize], left: &[usize]) -> Vec<(usize, usize)> {
        let mut tenants: BTreeMap<&Tenant, Vec<usize>> = BTreeMap::new();
        for index in readers {
            tenants.entry(self.running[*index].sequence.tenant()).or_default().push(*index);
        }
        let wanted = |own: &Vec<usize>| own.iter().map(|index| left[*index]).sum();
        let shares = split_evenly(budget, &tenants.values().map(wanted).collect::<Vec<usize>>());
        let within = tenants.values().zip(shares).flat_map(|(own, share)| {
            let wanted: Vec<usize> = own.iter().map(|index| left[*index]).collect();
            own.iter().copied().zip(split_evenly(share, &wanted))
        });
        within.collect()
    }

    /// The rows of some sequences that have any, all with that role.
    fn batch(&self, rows: &[usize], of: &[usize], role: Role) -> Batch {
        let mut batch = Batch::of(role);
        for (one, rows) in of.iter().map(|index| (&self.running[*index], rows[*index])) {
            let (start, tokens) = (self.infer.length(one.slot), one.sequence.tokens());
            for (position, token) in (start..).zip(&tokens[start..start + rows]) {
                batch.push(one.slot, position, *token);
            }
            if start + rows == tokens.len() {
                batch.want_last();
            }
            for (position, token) in (tokens.len()..).zip(&one.draft) {
                batch.push(one.slot, position, *token);
                batch.want_last();
            }
        }
        batch
    }

    /// Charges tenants for what was computed.
    fn count(&mut self, rows: &[usize], started: Instant) {
        for (one, rows) in self.running.iter().zip(rows) {
            self.line.charge(one.sequence.tenant(), *rows + one.draft.len());
            if one.sequence.is_new() {
                self.tally.prompt_tokens += *rows as u64;
            }
        }
        self.tally.steps += 1;
        let drafted: usize = self.running.iter().map(|one| one.draft.len()).sum();
        self.tally.rows.add(rows.iter().sum::<usize>() + drafted);
        let seconds = started.elapsed().as_secs_f64().max(1e-9);
        self.tally.rows_per_second = Some(rows.iter().sum::<usize>() as f64 / seconds);
    }

    /// Chooses tokens for every one of `computed` that has been read to its end, and says which are
    /// over.
    fn choose(&mut self, computed: &[usize], logits: &Logits) -> Vec<usize> {
        let (mut scores, mut ready) = (logits.rows(), Vec::new());
        for index in computed.iter().copied() {
            let one = &self.running[index];
            match self.infer.length(one.slot) < one.sequence.tokens().len() {
                true => one.sequence.report_reading(0),
                false => ready.push((index, scores.by_ref().take(1 + one.draft.len()).collect())),
            }
        }
        let mut over = Vec::new();
        for (index, next, written) in take_all(&self.infer, &mut self.running, ready) {
            let one = &self.running[index];
            self.tally.completion_tokens += written as u64;
            self.tally.accepted_tokens += written.saturating_sub(1) as u64;
            // What was guessed wrong is forgotten: the last token is never computed yet.
            self.infer.truncate(one.slot, one.sequence.tokens().len() - 1);
            self.tally.damaged += u64::from(matches!(next, Next::Damaged));
            if !matches!(next, Next::More) {
                over.push(index);
            }
        }
        over
    }

    fn fail_all(&mut self, what: &str) {
        while !self.running.is_empty() {
            self.remove(0).fail(Error::Run { what: what.to_string() });
        }
    }
}

/// [`Running::take`] of each of `ready`, by its place, with its scores. Several are shared out over
/// the threads that compute: a choice goes through the scores of the whole vocabulary.
fn take_all(
    infer: &Infer,
    running: &mut [Running],
    ready: Vec<(usize, Vec<&[f32]>)>,
) -> Vec<(usize, Next, usize)> {
    let mut ready = ready.into_iter().peekable();
    let own = running.iter_mut().enumerate().filter_map(|(index, one)| {
        ready.next_if(|(of, _)| *of == index).map(|(_, scores)| (index, one, scores))
    });
    let own: Vec<_> = own.collect();
    let take = |(index, one, scores): (usize, &mut Running, Vec<&[f32]>)| {
        let (next, written) = one.take(&scores);
        (index, next, written)
    };
    if own.len() < WORTH_SHARING {
        return own.into_iter().map(take).collect();
    }
    let mut taken: Vec<Option<(usize, Next, usize)>> = own.iter().map(|_| None).collect();
    let tasks = own.into_iter().zip(&mut taken).collect();
    infer.each(tasks, |(one, taken)| *taken = Some(take(one)));
    taken.into_iter().flatten().collect()
}

/// Bytes that a sequence takes once its prompt is read and its first token written, without the
/// pages that are there already.
fn needed(infer: &Infer, prefixes: &Prefixes, sequence: &Sequence) -> usize {
    let known = prefixes.known(&sequence.key, sequence.shared_tokens());
    infer.bytes_of(sequence.tokens().len() + 1).saturating_sub(infer.shared_bytes_of(known))
}

/// Whether a prompt has more than so many tokens. What is known of it already counts too: to look
/// for that in all that waits would cost more than it is worth.
fn is_long(sequence: &Sequence, short_tokens: usize) -> bool {
    sequence.tokens().len() > short_tokens
}

/// Whether a beginning of `sequence` that is not known is just being read for another one: it is
/// worth waiting for. So completions of one prompt, and many requests that begin alike, read it
/// once.
fn about_to_be_known(
    running: &[Running],
    infer: &Infer,
    prefixes: &Prefixes,
    sequence: &Sequence,
) -> bool {
    let tokens = sequence.shared_tokens();
    let shared = |one: &Running| {
        let pairs = tokens.iter().zip(one.sequence.prompt());
        let same = pairs.take_while(|(a, b)| a == b).count();
        same / PAGE_TOKENS * PAGE_TOKENS
    };
    let mut coming = running.iter().filter(|one| one.sequence.key == sequence.key);
    prefixes.is_used()
        && coming.any(|one| {
            let shared = shared(one);
            infer.length(one.slot) < shared && prefixes.known(&sequence.key, tokens) < shared
        })
}

/// The adapters of these, by name.
fn names<'a, 'm: 'a>(sequences: impl Iterator<Item = &'a Sequence<'m>>) -> BTreeSet<Arc<str>> {
    sequences.filter_map(|sequence| sequence.adapter_name.clone()).collect()
}

/// What a panic said.
fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".into())
}
