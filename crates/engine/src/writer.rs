//! Writes one completion: token after token, text as it becomes certain.

use crate::engine::PREFILL_TOKENS;
use crate::error::{Error, Result};
use crate::request::{Finish, GenerateRequest, Generated};
use crate::sampler::Sampler;
use crate::stop::StopFilter;
use allod_lm::{Batch, Detokenizer, Infer, Model};
use std::ops::ControlFlow;

/// The only slot: one sequence at a time.
pub(crate) const SLOT: usize = 0;

/// The state of a completion that is being written.
pub(crate) struct Writer<'a> {
    model: &'a Model,
    infer: &'a mut Infer,
    context_tokens: usize,
    sampler: Sampler,
    detokenizer: Detokenizer<'a>,
    stop: StopFilter,
    /// Prompt and completion.
    tokens: Vec<u32>,
    prompt_tokens: usize,
    text: String,
    on_text: &'a mut dyn FnMut(&str) -> ControlFlow<()>,
}

impl<'a> Writer<'a> {
    pub fn new(
        model: &'a Model,
        infer: &'a mut Infer,
        context_tokens: usize,
        sampler: Sampler,
        prompt: Vec<u32>,
        request: &GenerateRequest,
        on_text: &'a mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Writer<'a> {
        Writer {
            detokenizer: model.tokenizer.detokenizer(&prompt),
            stop: StopFilter::new(&request.stop),
            prompt_tokens: prompt.len(),
            tokens: prompt,
            text: String::new(),
            model,
            infer,
            context_tokens,
            sampler,
            on_text,
        }
    }

    /// Writes up to `max_tokens` tokens.
    pub fn write(mut self, max_tokens: usize) -> Result<Generated> {
        let mut finish = Finish::Length;
        for _ in 0..max_tokens {
            if self.tokens.len() == self.context_tokens {
                break;
            }
            let Some(scores) = self.advance()? else {
                return Ok(self.end(Finish::Cancelled));
            };
            let chosen = self.sampler.choose(&scores, &self.tokens);
            let token = chosen.ok_or(Error::NotANumber { tokens: self.tokens.len() })?;
            if self.model.end_tokens.contains(&token) {
                finish = Finish::Stop;
                break;
            }
            self.tokens.push(token);
            let text = self.detokenizer.push(token);
            if let Some(early) = self.show(&text) {
                return Ok(self.end(early));
            }
        }
        let rest = self.detokenizer.finish();
        let early = self.show(&rest);
        if early.is_none() {
            let held = self.stop.finish();
            let _ = self.put(&held);
        }
        Ok(self.end(early.unwrap_or(finish)))
    }

    /// Runs the tokens that the model has not seen, in pieces, and returns the scores after the
    /// last one. `None` if the caller wants no more: it is asked between the pieces, with no text.
    fn advance(&mut self) -> Result<Option<Vec<f32>>> {
        loop {
            let start = self.infer.length(SLOT);
            let end = self.tokens.len().min(start + PREFILL_TOKENS);
            let mut batch = Batch::new();
            for (position, token) in (start..).zip(&self.tokens[start..end]) {
                batch.push(SLOT, position, *token);
            }
            if end == self.tokens.len() {
                batch.want_last();
                return Ok(Some(self.infer.run(&batch)?.into_values()));
            }
            self.infer.run(&batch)?;
            if (self.on_text)("").is_break() {
                return Ok(None);
            }
        }
    }

    /// Passes text on through the stop filter; says why if that ends the completion.
    fn show(&mut self, text: &str) -> Option<Finish> {
        let (text, stopped) = self.stop.push(text);
        match self.put(&text) {
            ControlFlow::Break(()) => Some(Finish::Cancelled),
            ControlFlow::Continue(()) => stopped.then_some(Finish::Stop),
        }
    }

    fn put(&mut self, text: &str) -> ControlFlow<()> {
        if text.is_empty() {
            return ControlFlow::Continue(());
        }
        self.text += text;
        (self.on_text)(text)
    }

    fn end(self, finish: Finish) -> Generated {
        let tokens = self.tokens[self.prompt_tokens..].to_vec();
        Generated {
            text: self.text,
            prompt_tokens: self.prompt_tokens,
            completion_tokens: tokens.len(),
            finish,
            tokens,
        }
    }
}
