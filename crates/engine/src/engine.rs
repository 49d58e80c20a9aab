//! A loaded model that writes completions.

use crate::error::{Error, Result};
use crate::queue::Queue;
use crate::request::{GenerateRequest, Generated, Prompt};
use crate::sampler::Sampler;
use crate::writer::{SLOT, Writer};
use allod_lm::{Adapter, Infer, InferOptions, Isa, Model, NUMERICS, Tokenizer};
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Tokens of a prompt that go through the model together.
pub(crate) const PREFILL_TOKENS: usize = 64;

/// A sequence may have at least this many tokens even where a model says less: the small numbers
/// in some converted files are a converter's default, and rotary positions have no end.
pub const CONTEXT_TOKENS_LEAST: usize = 512;

/// How an engine runs. The default is chosen from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Threads that compute; all cores that the process may use if not given.
    pub threads: Option<usize>,
    /// The instruction set; the best of this machine if not given.
    pub isa: Option<Isa>,
    /// Tokens that prompt and completion can have together; what the model was trained for, but at
    /// least [`CONTEXT_TOKENS_LEAST`], if not given.
    pub context_tokens: Option<usize>,
    /// The date that chat templates see. Without one they see none, so that the same messages
    /// always make the same prompt.
    pub template_date: Option<Date>,
}

/// What a model is, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelIdentity {
    /// What the model calls itself, or the name of its file or folder.
    pub name: String,
    /// SHA-256 of the weights: of the file, or as `sha256sum FILES | sha256sum` for shards.
    pub digest: String,
    /// SHA-256 of the vocabulary.
    pub tokenizer_digest: String,
    /// SHA-256 of the chat template's source; none if the model has none.
    pub template_digest: Option<String>,
    /// The rule that fixes every bit of the model's numbers.
    pub numerics: &'static str,
    /// How many values the weights hold.
    pub parameters: u64,
    /// The element type of most of them, such as `Q8_0`.
    pub format: String,
}

/// What an adapter is, for the record: with one, a completion is the model's and the adapter's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterIdentity {
    /// The name that requests ask for it by.
    pub name: String,
    /// SHA-256 of its files: see [`Adapter::digest`].
    pub digest: String,
}

/// A loaded model. Requests are served one at a time, by their order of arrival.
pub struct Engine {
    model: Model,
    identity: ModelIdentity,
    adapters: BTreeMap<String, Arc<Adapter>>,
    infer: Queue<Infer>,
    isa: Isa,
    context_tokens: usize,
    template_date: Option<Date>,
}

impl Engine {
    /// Loads a `.gguf` file or a folder in Hugging Face's layout, and reads all of the weights
    /// once for their digest.
    ///
    /// # Errors
    /// What is missing, damaged or not supported, by name.
    pub fn load(path: &Path, options: Options) -> Result<Engine> {
        let model = Model::load(path)?;
        let spec = model.checkpoint.spec();
        let declared = spec.context_length.max(CONTEXT_TOKENS_LEAST);
        let context_tokens = options.context_tokens.unwrap_or(declared).max(1);
        let isa = options.isa.unwrap_or_else(Isa::detect);
        let threads = options.threads.filter(|threads| *threads > 0).unwrap_or_else(cores);
        let infer_options = InferOptions { threads, isa, slots: 1, context_tokens };
        let infer = Infer::new(model.checkpoint.clone(), infer_options)?;
        let identity = identity(&model)?;
        let (infer, template_date) = (Queue::new(infer), options.template_date);
        let adapters = BTreeMap::new();
        Ok(Engine { model, identity, adapters, infer, isa, context_tokens, template_date })
    }

    /// The same engine with an adapter that requests can ask for as `name`: a PEFT folder or a
    /// GGUF adapter. Requests that do not ask for it are not changed in a bit.
    ///
    /// # Errors
    /// If the adapter does not fit the model, or there is one of that name.
    pub fn with_adapter(mut self, name: &str, path: &Path) -> Result<Engine> {
        let adapter = Adapter::open(path, &self.model.checkpoint)?;
        match self.adapters.insert(name.to_string(), Arc::new(adapter)) {
            None => Ok(self),
            Some(_) => Err(Error::AdapterTwice { name: name.to_string() }),
        }
    }

    /// The adapters that requests can ask for, by name.
    pub fn adapters(&self) -> impl Iterator<Item = AdapterIdentity> {
        self.adapters.iter().map(|(name, adapter)| AdapterIdentity {
            name: name.clone(),
            digest: adapter.digest().to_string(),
        })
    }

    /// The adapter that a request asks for.
    fn adapter(&self, request: &GenerateRequest) -> Result<Option<Arc<Adapter>>> {
        let Some(name) = &request.adapter else { return Ok(None) };
        let known = || self.adapters.keys().cloned().collect::<Vec<String>>().join(", ");
        let adapter = self.adapters.get(name).cloned();
        adapter
            .map(Some)
            .ok_or_else(|| Error::UnknownAdapter { name: name.clone(), known: known() })
    }

    /// What the model is.
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    /// Tokens that prompt and completion can have together.
    pub fn context_length(&self) -> usize {
        self.context_tokens
    }

    /// How many tokens a prompt has.
    ///
    /// # Errors
    /// If it cannot be turned into tokens.
    pub fn count_tokens(&self, prompt: &Prompt) -> Result<usize> {
        Ok(self.tokens(prompt)?.len())
    }

    /// Text to tokens and back, as the model does it.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.model.tokenizer
    }

    /// Writes a completion. `on_text` gets each piece of its text as soon as it is certain that no
    /// stop text begins in it; the pieces together are [`Generated::text`]. It also gets an empty
    /// text now and then while a long prompt is read. Answering [`ControlFlow::Break`] ends the
    /// completion.
    ///
    /// # Errors
    /// If the prompt is too long, a sampling parameter is out of range, or the model is damaged.
    pub fn generate(
        &self,
        request: &GenerateRequest,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated> {
        let sampler = Sampler::new(&request.sampling, self.isa)?;
        let prompt = self.tokens(&request.prompt)?;
        self.check(&prompt)?;
        let adapter = self.adapter(request)?;
        let mut infer = self.infer.wait();
        infer.begin(SLOT, adapter)?;
        let context = self.context_tokens;
        let writer =
            Writer::new(&self.model, &mut infer, context, sampler, prompt, request, on_text);
        writer.write(request.max_tokens)
    }

    /// The tokens of a prompt, with what stands before and between its parts.
    ///
    /// # Errors
    /// If it cannot be turned into tokens.
    pub fn tokens(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        let tokenizer = &self.model.tokenizer;
        match prompt {
            Prompt::Tokens(tokens) => Ok(tokens.clone()),
            Prompt::Text(text) => Ok(tokenizer.encode_prompt(text)?),
            Prompt::Chat(messages) => {
                let template = &self.model.template;
                let specials = tokenizer.special_texts();
                let rendered = template.render(messages, self.template_date, specials)?;
                match template.source() {
                    Some(_) => Ok(tokenizer.encode_rendered(&rendered)?),
                    None => Ok(tokenizer.encode_prompt(&rendered.text())?),
                }
            }
        }
    }

    fn check(&self, prompt: &[u32]) -> Result<()> {
        let vocabulary = self.model.checkpoint.spec().vocabulary;
        if let Some(token) = prompt.iter().find(|token| **token as usize >= vocabulary) {
            return Err(Error::Vocabulary { token: *token, vocabulary });
        }
        let (prompt_tokens, context_tokens) = (prompt.len(), self.context_tokens);
        match prompt_tokens {
            0 => Err(Error::EmptyPrompt),
            _ if prompt_tokens < context_tokens => Ok(()),
            _ => Err(Error::PromptTooLong { prompt_tokens, context_tokens }),
        }
    }
}

/// Names the model.
impl std::fmt::Debug for Engine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Engine").field("identity", &self.identity).finish_non_exhaustive()
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn identity(model: &Model) -> Result<ModelIdentity> {
    let digests = model.digests()?;
    Ok(ModelIdentity {
        name: model.name.clone(),
        digest: digests.weights,
        tokenizer_digest: digests.tokenizer,
        template_digest: digests.template,
        numerics: NUMERICS,
        parameters: model.checkpoint.file().parameters(),
        format: model.checkpoint.file().main_type(),
    })
}
