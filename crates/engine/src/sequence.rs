//! One completion that is being written: token after token, text as it becomes certain.

use crate::draft::draft;
use crate::error::{Error, Result};
use crate::grammar::{Allowed, Guide};
use crate::job::{Event, Job, Outlet};
use crate::line::Tenant;
use crate::prefixes::PrefixKey;
use crate::request::{ChosenToken, Finish, Priority};
use crate::sampler::{Past, Sampler};
use crate::stop::StopFilter;
use crate::thought::{Inside, Thought};
use allod_lm::{Adapter, Detokenizer, Model};
use std::sync::Arc;

/// The state of a completion. It knows nothing of slots and batches, so it can lose its place and
/// go on later: what it has written is then read again.
pub(crate) struct Sequence<'m> {
    model: &'m Model,
    choice: usize,
    /// Prompt and completion.
    tokens: Vec<u32>,
    prompt_tokens: usize,
    /// The length at which it ends.
    tokens_max: usize,
    sampler: Sampler,
    guide: Option<Guide>,
    detokenizer: Detokenizer<'m>,
    stop: StopFilter,
    /// Special tokens that stand in the text.
    spelled: Arc<[u32]>,
    /// How long it may think, where that is bounded.
    thought: Option<Thought>,
    top_logprobs: Option<usize>,
    outlet: Outlet,
    /// What it runs with.
    pub adapter: Option<Arc<Adapter>>,
    /// What its request calls that.
    pub adapter_name: Option<Arc<str>>,
    /// What is computed for it can be used again for what has the same.
    pub key: PrefixKey,
    /// Whose turn comes first.
    pub priority: Priority,
}

/// What becomes of a sequence after a token.
pub(crate) enum Next {
    /// It goes on.
    More,
    /// It is over, and the caller knows.
    Over,
    /// So it is, for the model computed no number.
    Damaged,
}

impl<'m> Sequence<'m> {
    /// The completions that a job asks for.
    pub fn all(model: &'m Model, job: Job, context_tokens: usize) -> Vec<Sequence<'m>> {
        let tokens_max = job.prompt.len().saturating_add(job.max_tokens).min(context_tokens);
        let adapter = job.adapter.as_ref().map(|adapter| adapter.digest().into());
        let spelled: Arc<[u32]> = job.spelled.into();
        let key = PrefixKey { tenant: job.tenant.clone(), adapter };
        let of = |(choice, sampler): (usize, &Sampler)| Sequence {
            model,
            choice,
            tokens: job.prompt.clone(),
            prompt_tokens: job.prompt.len(),
            tokens_max,
            sampler: sampler.clone(),
            guide: job.guide.clone(),
            // A grammar speaks of every byte, also of a first space that would not be shown.
            detokenizer: match job.guide {
                Some(_) => model.tokenizer.detokenizer_within(),
                None => model.tokenizer.detokenizer(&job.prompt),
            },
            stop: StopFilter::new(&job.stop),
            spelled: spelled.clone(),
            thought: job.thought.clone(),
            top_logprobs: job.top_logprobs,
            outlet: job.outlet.clone(),
            adapter: job.adapter.clone(),
            adapter_name: job.adapter_name.clone(),
            key: key.clone(),
            priority: job.priority,
        };
        job.samplers.iter().enumerate().map(of).collect()
    }

    /// Who asks.
    pub fn tenant(&self) -> &Tenant {
        &self.key.tenant
    }

    /// Prompt and completion so far.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The tokens of the prompt that others may have had computed: of one of which nothing has been
    /// written, all but the last, whose scores are needed. What is written is computed in another
    /// way than a prompt, so it is nobody's beginning.
    pub fn shared_tokens(&self) -> &[u32] {
        &self.tokens[..self.prompt_tokens.min(self.tokens.len() - 1)]
    }

    /// Tokens of the prompt.
    pub fn prompt(&self) -> &[u32] {
        &self.tokens[..self.prompt_tokens]
    }

    /// What may follow, at most `most` tokens: no more than can all be taken.
    pub fn draft(&self, most: usize) -> &[u32] {
        let room = self.tokens_max - self.tokens.len();
        draft(&self.tokens, most.min(room.saturating_sub(1)))
    }

    /// Whether nothing has been written yet.
    pub fn is_new(&self) -> bool {
        self.tokens.len() == self.prompt_tokens
    }

    /// Tokens that may still be computed for it.
    pub fn work_left(&self, computed: usize) -> usize {
        self.tokens_max - computed.min(self.tokens_max)
    }

    /// Whether the caller wants no more.
    pub fn is_unwanted(&self) -> bool {
        self.outlet.is_unwanted()
    }

    /// Tells the caller that its prompt is being read.
    pub fn report_reading(&self, cached: usize) {
        self.outlet.put(Event::Reading { cached });
    }

    /// Tells the caller why nothing more comes.
    pub fn fail(&self, error: Error) {
        self.outlet.put(Event::Failed(error));
    }

    /// Chooses the token that follows, given the scores of all tokens.
    pub fn go_on(&mut self, scores: &[f32]) -> Next {
        match self.advance(scores) {
            Ok(next) => next,
            Err(error) => {
                let damaged = matches!(error, Error::NotANumber { .. });
                self.fail(error);
                if damaged { Next::Damaged } else { Next::Over }
            }
        }
    }

    fn advance(&mut self, scores: &[f32]) -> Result<Next> {
        let token = self.choose(scores)?;
        if self.model.end_tokens.contains(&token) {
            return Ok(self.end(Finish::Stop));
        }
        let whole = self.guide.as_mut().map(|guide| guide.go_on(token)).transpose()?;
        let chosen = self.sampler.report(scores, token, self.top_logprobs);
        self.tokens.push(token);
        let text = self.text(token);
        if let Some(thought) = &mut self.thought {
            let whole = self.detokenizer.is_whole();
            let inside = if whole { Inside::Nothing } else { Inside::Character };
            thought.go_on(token, &text, inside);
        }
        let (text, stopped) = self.stop.push(&text);
        let finish = stopped.then_some(Finish::Stop);
        self.put(text, Some(chosen), finish);
        Ok(match finish {
            Some(_) => Next::Over,
            None if whole == Some(true) => self.end(Finish::Stop),
            None if self.tokens.len() == self.tokens_max => self.end(Finish::Length),
            None => Next::More,
        })
    }

    /// The text that a token completes.
    fn text(&mut self, token: u32) -> String {
        match self.spelled.contains(&token) {
            true => self.detokenizer.finish() + &self.model.tokenizer.token_text(token),
            false => self.detokenizer.push(token),
        }
    }

    /// The token that has to follow, if it may.
    fn forced(&mut self) -> Option<u32> {
        let forced = self.thought.as_ref()?.forced()?;
        let follows = self.guide.as_mut().is_none_or(|guide| guide.takes(forced));
        follows.then_some(forced)
    }

    /// The token that follows, of those that may.
    fn choose(&mut self, scores: &[f32]) -> Result<u32> {
        if let Some(forced) = self.forced() {
            return Ok(forced);
        }
        let allowed: Option<Allowed> = self.guide.as_mut().map(Guide::allowed).transpose()?;
        let past = Past { tokens: &self.tokens, prompt_tokens: self.prompt_tokens };
        let ends = |token| self.model.end_tokens.contains(&token);
        let limit = |scores: &mut [f32]| {
            if let Some(allowed) = &allowed {
                allowed.apply(scores, ends);
            }
        };
        let chosen = self.sampler.choose_after(scores, past, limit);
        chosen.ok_or(Error::NotANumber { tokens: self.tokens.len() })
    }

    /// Hands out what was held back.
    fn end(&mut self, finish: Finish) -> Next {
        let (mut text, stopped) = self.stop.push(&self.detokenizer.finish());
        if !stopped {
            text += &self.stop.finish();
        }
        self.put(text, None, Some(if stopped { Finish::Stop } else { finish }));
        Next::Over
    }

    fn put(&self, text: String, token: Option<ChosenToken>, finish: Option<Finish>) {
        self.outlet.put(Event::Text { choice: self.choice, text, token, finish });
    }
}
