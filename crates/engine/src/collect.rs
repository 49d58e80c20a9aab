//! The caller's side of a request: hands on pieces as they come, and puts them together.

use crate::error::{Error, Result};
use crate::job::{Event, Inlet};
use crate::request::{ChosenToken, Completion, Finish, GenerateRequest, Generated, Piece, Usage};
use std::ops::ControlFlow;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

/// How long a caller that waits goes without being asked whether it still wants the answer.
const ASKING: Duration = Duration::from_millis(50);

/// Waits for all completions of a request that was submitted; without an inlet there is nothing to
/// come. `on_piece` is as [`crate::Engine::complete`] has it.
///
/// # Errors
/// The one that ended the request, or [`Error::Stopped`] if nothing can come any more.
pub fn collect(
    inlet: Option<Inlet>,
    request: &GenerateRequest,
    prompt_tokens: usize,
    on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
) -> Result<Completion> {
    let mut collector = Collector::new(request, prompt_tokens);
    if let Some(inlet) = inlet {
        collector.listen(&inlet, on_piece)?;
    }
    Ok(collector.finish(request))
}

struct Collector {
    choices: Vec<Generated>,
    usage: Usage,
    /// What callers must not see before all is written.
    hidden: bool,
    /// Choices that are not over.
    open: usize,
    keeps_logprobs: bool,
    began: Instant,
    reading: bool,
}

/// A piece that says nothing: is it still wanted?
const ASK: Piece = Piece { choice: 0, text: "", token: None, finish: None };

impl Collector {
    fn new(request: &GenerateRequest, prompt_tokens: usize) -> Collector {
        let empty = Generated {
            text: String::new(),
            prompt_tokens,
            completion_tokens: 0,
            finish: Finish::Length,
            tokens: Vec::new(),
            scores: Vec::new(),
            logprobs: Vec::new(),
        };
        Collector {
            choices: vec![empty; request.written()],
            usage: Usage { prompt_tokens, ..Usage::default() },
            hidden: request.ranks(),
            open: request.written(),
            keeps_logprobs: request.top_logprobs.is_some() || request.ranks(),
            began: Instant::now(),
            reading: false,
        }
    }

    /// Until all choices are over or the caller wants no more.
    fn listen(
        &mut self,
        inlet: &Inlet,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut over = vec![false; self.choices.len()];
        while self.open > 0 {
            let wanted = match inlet.events.recv_timeout(ASKING) {
                Ok(Event::Reading { cached }) => {
                    self.begin(cached);
                    on_piece(ASK)
                }
                Ok(Event::Text { choice, text, token, finish }) => {
                    over[choice] = finish.is_some();
                    self.take(choice, text, token, finish, on_piece)
                }
                Ok(Event::Failed(error)) => return Err(error),
                Err(RecvTimeoutError::Timeout) => on_piece(ASK),
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Stopped),
            };
            if wanted.is_break() {
                let open = self.choices.iter_mut().zip(over).filter(|(_, over)| !over);
                open.for_each(|(choice, _)| choice.finish = Finish::Cancelled);
                return Ok(());
            }
        }
        Ok(())
    }

    fn begin(&mut self, cached: usize) {
        if !std::mem::replace(&mut self.reading, true) {
            self.usage.queued = self.began.elapsed();
            self.usage.cached_tokens = cached;
        }
    }

    fn take(
        &mut self,
        choice: usize,
        text: String,
        token: Option<ChosenToken>,
        finish: Option<Finish>,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let generated = &mut self.choices[choice];
        generated.text += &text;
        if let Some(token) = &token {
            generated.tokens.push(token.token);
            generated.scores.push(token.score);
            generated.completion_tokens += 1;
        }
        if let Some(finish) = finish {
            generated.finish = finish;
            self.open -= 1;
        }
        let wanted = match self.hidden {
            true => on_piece(ASK),
            false => on_piece(Piece { choice, text: &text, token: token.as_ref(), finish }),
        };
        if self.keeps_logprobs {
            generated.logprobs.extend(token);
        }
        wanted
    }

    fn finish(mut self, request: &GenerateRequest) -> Completion {
        self.usage.completion_tokens =
            self.choices.iter().map(|choice| choice.completion_tokens).sum();
        if request.ranks() {
            self.choices.sort_by(|a, b| mean_logprob(b).total_cmp(&mean_logprob(a)));
            self.choices.truncate(request.n);
        }
        if request.top_logprobs.is_none() {
            self.choices.iter_mut().for_each(|choice| choice.logprobs.clear());
        }
        Completion { choices: self.choices, usage: self.usage, adapter: None }
    }
}

/// Of the tokens written; nothing written comes last.
fn mean_logprob(generated: &Generated) -> f32 {
    let logprobs = generated.logprobs.iter().filter_map(|token| token.logprob);
    match generated.logprobs.len() {
        0 => f32::NEG_INFINITY,
        count => logprobs.fold(0.0, |sum: f32, logprob| sum + logprob) / count as f32,
    }
}
