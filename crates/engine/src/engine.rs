//! A loaded model that writes completions.

use crate::beginning::{Beginning, Prefix};
use crate::collect::collect;
use crate::conversation::{Shape, template_reads};
use crate::dialect::{Around, Dialect};
use crate::error::{Error, Result};
use crate::grammar::{Grammars, Guide};
use crate::habits::Habits;
use crate::job::{Job, Submitted, connection};
use crate::random::Random;
use crate::reader::Opening;
use crate::request::{Completion, GenerateRequest, Generated, Piece, Prompt};
use crate::sampler::Sampler;
use crate::sampling::Sampling;
use crate::scheduler::{Scheduler, Stats};
use crate::speech::{Speech, SpeechOptions, Told, told};
use crate::vocabulary::{Framing, Vocabulary, spelled};
use crate::worker::Limits;
use allod_lm::{
    ActivationForm, Adapter, CacheForm, Checkpoint, FileList, Infer, InferOptions, Isa, Model,
    Numerics, Rendered, TemplateInput, Tokenizer,
};
use jiff::civil::Date;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// A sequence may have at least this many tokens even where a model says less: the small numbers
/// in some converted files are a converter's default, and rotary positions have no end.
pub const CONTEXT_TOKENS_LEAST: usize = 512;

/// How long what nobody waits for yet lets prompts go first: the first receipt will need it.
const GIVEN_WAY: Duration = Duration::from_secs(2);

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
    /// Sequences that are computed together; 32 if not given.
    pub slots: Option<usize>,
    /// Most tokens of prompts that go through the model together; 512 if not given. While sequences
    /// are being written that would have to wait for it, a quarter of them.
    pub step_tokens: Option<usize>,
    /// Bytes of keys and values that sequences hold together; 2 GiB if not given. Those that came
    /// last then lose their place for a while. A sequence that is alone may have more.
    pub cache_bytes: Option<usize>,
    /// Bytes of keys and values that are kept of what was computed, so that the same beginnings
    /// need not be computed again; 512 MiB if not given, and 0 keeps none.
    pub prefix_bytes: Option<usize>,
    /// Most tokens that are guessed for a sequence in a step, from what it holds already. They are
    /// taken only where they are what is chosen anyway: no bit of a completion depends on it. None
    /// if not given.
    pub draft_tokens: Option<usize>,
    /// Sequences that may wait for a place; 1024 if not given.
    pub waiting_max: Option<usize>,
    /// And of one tenant; 256 if not given.
    pub waiting_per_tenant_max: Option<usize>,
    /// Adapters that can be loaded at the same time; 1024 if not given.
    pub adapters_max: Option<usize>,
    /// How keys and values are kept; [`CacheForm::Bf16`] if not given.
    pub cache: Option<CacheForm>,
    /// How activations are multiplied with quantised weights; what this processor is fastest with
    /// if not given.
    pub activations: Option<ActivationForm>,
}

impl Options {
    /// The rule that fixes every bit of the model's numbers.
    pub fn numerics(&self) -> Numerics {
        Numerics {
            activations: self.activations.unwrap_or_else(ActivationForm::fastest),
            cache: self.cache.unwrap_or(CacheForm::Bf16),
        }
    }

    fn limits(&self, context_tokens: usize) -> Limits {
        let isa = self.isa.unwrap_or_else(Isa::detect);
        Limits {
            on_tiles: isa == Isa::Amx && self.numerics().activations == ActivationForm::Bf16,
            slots: self.slots.unwrap_or(32).max(1),
            step_tokens: self.step_tokens.unwrap_or(512).max(1),
            context_tokens,
            cache_bytes_max: self.cache_bytes.unwrap_or(2 << 30),
            prefix_bytes_max: self.prefix_bytes.unwrap_or(512 << 20),
            draft_tokens: self.draft_tokens.unwrap_or(0),
            waiting_max: self.waiting_max.unwrap_or(1024),
            waiting_per_tenant_max: self.waiting_per_tenant_max.unwrap_or(256),
        }
    }
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
    /// All files of a model folder; none for a GGUF file, which holds its settings itself.
    pub files: Option<FileList>,
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

/// A loaded model. Threads may ask it at the same time.
pub struct Engine {
    model: Arc<Model>,
    identity: Arc<OnceLock<ModelIdentity>>,
    /// Made when somebody asks what tokens spell.
    vocabulary: OnceLock<Vocabulary>,
    numerics: Numerics,
    adapters: RwLock<BTreeMap<String, Arc<Adapter>>>,
    adapters_max: usize,
    /// Made when the first constraint comes.
    grammars: Mutex<Option<Arc<Grammars>>>,
    scheduler: Scheduler,
    isa: Isa,
    context_tokens: usize,
    template_date: Option<Date>,
    dialect: Dialect,
    habits: Habits,
}

impl Engine {
    /// Loads a `.gguf` file or a folder in Hugging Face's layout. All of the weights are read twice
    /// in a thread of its own while serving begins: for the form that answers are computed with,
    /// and for their digest.
    ///
    /// # Errors
    /// What is missing, damaged or not supported, by name.
    pub fn load(path: &Path, options: Options) -> Result<Engine> {
        let engine = Engine::start(path, options)?;
        identify(&engine.model, engine.isa, engine.numerics, &engine.identity);
        Ok(engine)
    }

    /// The same without working out the digest before anybody asks for it.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn start(path: &Path, options: Options) -> Result<Engine> {
        let isa = options.isa.unwrap_or_else(Isa::detect);
        let model = Model::load_while(path, |checkpoint| code(checkpoint, isa))?;
        let spec = model.checkpoint.spec();
        let declared = spec.context_length.max(CONTEXT_TOKENS_LEAST);
        let context_tokens = options.context_tokens.unwrap_or(declared).max(1);
        let threads = options.threads.filter(|threads| *threads > 0).unwrap_or_else(cores);
        let limits = options.limits(context_tokens);
        let numerics = options.numerics();
        let Numerics { activations, cache } = numerics;
        let slots = limits.slots;
        let infer_options =
            InferOptions { threads, isa, slots, context_tokens, activations, cache };
        let infer = Infer::new(model.checkpoint.clone(), infer_options)?;
        let dialect = Dialect::of(model.template.source());
        let habits = Habits::of(&model.template);
        let model = Arc::new(model);
        let identity = Arc::new(OnceLock::new());
        let scheduler = Scheduler::start(model.clone(), infer, limits)?;
        Ok(Engine {
            model,
            identity,
            vocabulary: OnceLock::new(),
            numerics,
            adapters: RwLock::default(),
            adapters_max: options.adapters_max.unwrap_or(1024),
            grammars: Mutex::default(),
            scheduler,
            isa,
            context_tokens,
            template_date: options.template_date,
            dialect,
            habits,
        })
    }

    /// The same engine with an adapter: see [`Engine::load_adapter`].
    ///
    /// # Errors
    /// As there.
    pub fn with_adapter(self, name: &str, path: &Path) -> Result<Engine> {
        self.load_adapter(name, path)?;
        Ok(self)
    }

    /// Loads an adapter that requests can ask for as `name`: a PEFT folder or a GGUF adapter.
    /// Requests that do not ask for it are not changed in a bit.
    ///
    /// # Errors
    /// If the adapter does not fit the model, there is one of that name, or there are too many.
    pub fn load_adapter(&self, name: &str, path: &Path) -> Result<()> {
        let adapter = Arc::new(Adapter::open(path, &self.model.checkpoint)?);
        let mut adapters = self.adapters.write().unwrap_or_else(PoisonError::into_inner);
        let (loaded, most) = (adapters.len(), self.adapters_max);
        match adapters.entry(name.to_string()) {
            Entry::Vacant(_) if loaded >= most => Err(Error::TooManyAdapters { most }),
            Entry::Occupied(_) => Err(Error::AdapterTwice { name: name.to_string() }),
            Entry::Vacant(place) => {
                place.insert(adapter);
                Ok(())
            }
        }
    }

    /// Adapters that can be loaded at the same time.
    pub fn adapters_max(&self) -> usize {
        self.adapters_max
    }

    /// Lets go of an adapter. Requests that run with it go on.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn unload_adapter(&self, name: &str) -> Result<()> {
        let mut adapters = self.adapters.write().unwrap_or_else(PoisonError::into_inner);
        match adapters.remove(name) {
            Some(_) => Ok(()),
            None => Err(unknown(name, &adapters)),
        }
    }

    /// The adapters that requests can ask for, by name.
    pub fn adapters(&self) -> Vec<AdapterIdentity> {
        let adapters = self.adapters.read().unwrap_or_else(PoisonError::into_inner);
        let identity = |(name, adapter): (&String, &Arc<Adapter>)| AdapterIdentity {
            name: name.clone(),
            digest: adapter.digest().to_string(),
        };
        adapters.iter().map(identity).collect()
    }

    /// The adapter that a request asks for.
    fn adapter(&self, request: &GenerateRequest) -> Result<Option<Arc<Adapter>>> {
        let Some(name) = &request.adapter else { return Ok(None) };
        let adapters = self.adapters.read().unwrap_or_else(PoisonError::into_inner);
        adapters.get(name).cloned().map(Some).ok_or_else(|| unknown(name, &adapters))
    }

    /// What the model calls itself, or the name of its file or folder.
    pub fn model_name(&self) -> &str {
        &self.model.name
    }

    /// The element type of most weights, such as `Q8_0`.
    pub fn format(&self) -> String {
        self.model.checkpoint.file().main_type()
    }

    /// What the model is. Waits until its digest is known, the first time.
    pub fn identity(&self) -> &ModelIdentity {
        self.identity.get_or_init(|| identity(&self.model, self.numerics, &|| ()))
    }

    /// The first file of the weights that was written to since it was opened. They are mapped, so
    /// what is computed since then may be anything.
    pub fn overwritten(&self) -> Option<PathBuf> {
        let file = self.model.checkpoint.file();
        let written = file.written(|| self.identity().digest.clone());
        written.or_else(|| self.strange_packed()).map(Path::to_path_buf)
    }

    /// The file of packed weights, if it does not hold what packing the weights gives. Waits until
    /// that was compared, once.
    pub fn strange_packed(&self) -> Option<&Path> {
        self.model.checkpoint.strange_packed(self.isa, &|| ())
    }

    /// The chat template's source; none if the model has none.
    pub fn template(&self) -> Option<&str> {
        self.model.template.source()
    }

    /// SHA-256 of the vocabulary.
    pub fn tokenizer_digest(&self) -> &str {
        self.model.tokenizer.digest()
    }

    /// How many values the weights hold.
    pub fn parameters(&self) -> u64 {
        self.model.checkpoint.file().parameters()
    }

    /// How many tokens the model gives scores for.
    pub fn vocabulary_tokens(&self) -> usize {
        self.model.checkpoint.spec().vocabulary
    }

    /// What tokens spell.
    pub fn vocabulary(&self) -> &Vocabulary {
        self.vocabulary.get_or_init(|| Vocabulary::of(&self.model.tokenizer))
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// If the vocabulary cannot read it.
    pub fn encode(&self, text: &str, framing: Framing) -> Result<Vec<u32>> {
        let tokenizer = &self.model.tokenizer;
        Ok(match framing {
            Framing::Bare => tokenizer.encode_text(text)?,
            Framing::Whole => tokenizer.encode_whole(text)?,
        })
    }

    /// The text of tokens, special ones as they are spelled.
    pub fn spelled(&self, tokens: &[u32]) -> String {
        spelled(&self.model.tokenizer, tokens)
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

    /// The prompt of a request, and how much of it is in memory.
    ///
    /// # Errors
    /// As [`Engine::complete`], where that is for the prompt.
    pub fn prefix(&self, request: &GenerateRequest) -> Result<Prefix> {
        let tokens = self.tokens(&request.prompt)?;
        self.check(&tokens)?;
        let adapter = self.adapter(request)?.map(|adapter| adapter.digest().to_owned());
        let beginning = Beginning { tenant: request.tenant.clone(), adapter, tokens };
        Ok(Prefix { known: self.scheduler.known_pages(&beginning), beginning })
    }

    /// A page of a prompt as bytes, if it is in memory: those are the same on every machine.
    pub fn page(&self, of: &Beginning, number: usize) -> Option<Vec<u8>> {
        self.scheduler.page(of, number)
    }

    /// Takes pages of a prompt into memory, from number `first` on, and says how many of the prompt
    /// are there then. They must be what [`Engine::page`] gave of the same model, adapter and
    /// tokens: every bit of what follows depends on them.
    ///
    /// # Errors
    /// If they are no pages of this model.
    pub fn put_pages(&self, of: &Beginning, first: usize, pages: &[Vec<u8>]) -> Result<usize> {
        self.scheduler.put_pages(of, first, pages)?;
        Ok(self.scheduler.known_pages(of))
    }

    /// How the engine fares.
    pub fn stats(&self) -> Stats {
        self.scheduler.stats()
    }

    /// Writes a completion: the first that [`Engine::complete`] gives. `on_text` gets each piece of
    /// its text as soon as it is certain that no stop text begins in it; the pieces together are
    /// [`Generated::text`]. It also gets an empty text now and then, also while the request waits.
    /// Answering [`ControlFlow::Break`] ends the completion.
    ///
    /// # Errors
    /// As [`Engine::complete`].
    pub fn generate(
        &self,
        request: &GenerateRequest,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated> {
        let completion = self.complete(request, &mut |piece| match piece.choice {
            0 => on_text(piece.text),
            _ => ControlFlow::Continue(()),
        })?;
        Ok(completion.choices.into_iter().next().expect("at least one completion is asked for"))
    }

    /// Writes the completions that a request asks for, and waits for them. `on_piece` gets every
    /// part of them as it comes, in this thread; what it answers decides whether they go on. Where
    /// more are written than given back, it gets empty pieces only, for nobody knows yet which.
    ///
    /// The first completion draws from the request's seed, the others from seeds that are made of
    /// it and their number.
    ///
    /// # Errors
    /// If the prompt is too long, a parameter is out of range, too many requests wait
    /// ([`Error::Busy`]), or the model is damaged.
    pub fn complete(
        &self,
        request: &GenerateRequest,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Completion> {
        let submitted = self.submit(request)?;
        let completion = collect(submitted.inlet, request, submitted.prompt_tokens, on_piece)?;
        Ok(Completion { adapter: submitted.adapter, ..completion })
    }

    /// Puts a request in the line, for a caller that hears of it elsewhere.
    ///
    /// # Errors
    /// As [`Engine::complete`].
    pub fn submit(&self, request: &GenerateRequest) -> Result<Submitted> {
        request.check()?;
        let samplers = self.samplers(request)?;
        let prompt = self.tokens(&request.prompt)?;
        self.check(&prompt)?;
        let prompt_tokens = prompt.len();
        let (inlet, outlet) = connection();
        let top_logprobs = request.top_logprobs.or(request.ranks().then_some(0));
        let adapter = self.adapter(request)?;
        let used = request.adapter.clone().zip(adapter.as_ref());
        let used =
            used.map(|(name, adapter)| AdapterIdentity { name, digest: adapter.digest().into() });
        let job = Job {
            prompt,
            samplers,
            guide: self.guide(request)?,
            max_tokens: request.max_tokens,
            stop: request.stop.clone(),
            spelled: request.spelled.clone(),
            thought: request.thought.clone(),
            adapter,
            adapter_name: request.adapter.as_deref().map(Into::into),
            tenant: request.tenant.as_str().into(),
            priority: request.priority,
            top_logprobs,
            outlet,
        };
        // Nothing to write is written without a place.
        let inlet =
            if job.max_tokens == 0 { None } else { Some(self.scheduler.submit(job, inlet)?) };
        Ok(Submitted { prompt_tokens, adapter: used, inlet })
    }

    /// One for each completion.
    fn samplers(&self, request: &GenerateRequest) -> Result<Vec<Sampler>> {
        let vocabulary = self.model.checkpoint.spec().vocabulary;
        let strange = |token: &&u32| **token as usize >= vocabulary;
        if let Some(token) = request.sampling.logit_bias.keys().find(strange) {
            return Err(Error::BiasToken { token: *token, vocabulary });
        }
        let breakers = Arc::new(self.breakers(&request.sampling));
        let of = |choice: usize| {
            let seed = match choice {
                0 => request.sampling.seed,
                _ => Random::new(request.sampling.seed ^ (choice as u64) << 32).next_u64(),
            };
            let sampler = Sampler::new(&Sampling { seed, ..request.sampling.clone() }, self.isa)?;
            Ok(sampler.with_breakers(breakers.clone()))
        };
        (0..request.written()).map(of).collect()
    }

    /// What a completion keeps to, at its beginning.
    fn guide(&self, request: &GenerateRequest) -> Result<Option<Guide>> {
        let Some(constraint) = &request.constraint else { return Ok(None) };
        let grammars = {
            let mut grammars = self.grammars.lock().unwrap_or_else(PoisonError::into_inner);
            match &*grammars {
                Some(grammars) => grammars.clone(),
                None => grammars.insert(Arc::new(Grammars::new(&self.model)?)).clone(),
            }
        };
        grammars.guide(constraint).map(Some)
    }

    /// The tokens that no repetition goes across.
    fn breakers(&self, sampling: &Sampling) -> HashSet<u32> {
        let Some(dry) = &sampling.dry else { return HashSet::new() };
        let tokens = 0..self.model.tokenizer.vocabulary() as u32;
        let breaks = |token: &u32| {
            let text = self.model.tokenizer.token_text(*token);
            dry.breakers.iter().any(|breaker| text.contains(breaker.as_str()))
        };
        tokens.filter(breaks).collect()
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
            Prompt::Chat(messages) => self.rendered_tokens(TemplateInput::new(messages)),
            Prompt::Conversation(input) => self.rendered_tokens(input.clone()),
        }
    }

    fn rendered_tokens(&self, input: TemplateInput) -> Result<Vec<u32>> {
        let tokenizer = &self.model.tokenizer;
        let rendered = self.rendered(input)?;
        match self.model.template.source() {
            Some(_) => Ok(tokenizer.encode_rendered(&rendered)?),
            None => Ok(tokenizer.encode_prompt(&rendered.text())?),
        }
    }

    fn rendered(&self, input: TemplateInput) -> Result<Rendered> {
        let template = &self.model.template;
        let shape = Shape { habits: self.habits, calls: self.dialect.calls };
        let input = TemplateInput { date: self.template_date, ..shape.adapted(input) };
        Ok(template.render_input(input, self.model.tokenizer.special_texts())?)
    }

    /// The form in which the model writes reasoning and calls, as its chat template shows it.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether the chat template reads a variable of this name.
    pub fn template_reads(&self, variable: &str) -> bool {
        template_reads(self.model.template.source(), variable)
    }

    /// How to ask for a completion that may call tools or keeps to a format, and how to read it.
    ///
    /// # Errors
    /// If the options contradict each other or the prompt cannot be rendered.
    pub fn speech(&self, prompt: &Prompt, options: &SpeechOptions) -> Result<Speech> {
        Speech::of(self.told(prompt, options)?, self.dialect.after(prompt), options)
    }

    /// What of it only the tokenizer and the chat template can tell.
    ///
    /// # Errors
    /// As [`Engine::speech`].
    pub fn told(&self, prompt: &Prompt, options: &SpeechOptions) -> Result<Told> {
        let dialect = self.dialect.after(prompt);
        let input = match prompt {
            Prompt::Chat(messages) => TemplateInput::new(messages),
            Prompt::Conversation(input) => input.clone(),
            Prompt::Text(_) | Prompt::Tokens(_) => {
                return told(&self.model.tokenizer, dialect, Opening::Closed, options);
            }
        };
        let opening = match self.dialect.thought {
            None => Opening::Closed,
            Some(thought) => self.opening(thought, input)?,
        };
        told(&self.model.tokenizer, dialect, opening, options)
    }

    /// How a prompt leaves reasoning. What closes it may end what stands before, too: only what
    /// asks for the answer counts.
    fn opening(&self, thought: Around, input: TemplateInput) -> Result<Opening> {
        let text = self.rendered(input.clone())?.text();
        let text = text.trim_end();
        if text.ends_with(thought.open) {
            return Ok(Opening::Opened);
        }
        if !text.ends_with(thought.close) {
            return Ok(Opening::Free);
        }
        let before = TemplateInput { add_generation_prompt: false, ..input };
        let before = self.rendered(before).map(|before| before.text()).unwrap_or_default();
        let asking = text.strip_prefix(before.trim_end()).filter(|asking| !asking.is_empty());
        Ok(match asking.unwrap_or(text).ends_with(thought.close) {
            true => Opening::Closed,
            false => Opening::Free,
        })
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
        out.debug_struct("Engine").field("model", &self.model_name()).finish_non_exhaustive()
    }
}

fn unknown(name: &str, adapters: &BTreeMap<String, Arc<Adapter>>) -> Error {
    let known: Vec<&str> = adapters.keys().map(String::as_str).collect();
    Error::UnknownAdapter { name: name.to_string(), known: known.join(", ") }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Starts to put the weights in order, if they do not lie so beside the model; without a thread, or
/// when it fails, whoever runs the model first will do it, and say what is wrong.
fn code(checkpoint: &Arc<Checkpoint>, isa: Isa) {
    // Packed weights of another model, or none, only mean that they are made as if there were none.
    drop(checkpoint.map_packed());
    if checkpoint.is_settled() {
        return;
    }
    let checkpoint = checkpoint.clone();
    in_background("allod-code", move || drop(checkpoint.settle(isa)));
}

/// Starts to work out the model's identity once its weights are in order; without a thread, whoever
/// needs it will do it. Others go first meanwhile: the first answer is waited for.
fn identify(model: &Arc<Model>, isa: Isa, numerics: Numerics, cell: &Arc<OnceLock<ModelIdentity>>) {
    let (model, cell) = (model.clone(), cell.clone());
    in_background("allod-identify", move || {
        drop(model.checkpoint.code(isa));
        step_back();
        let until = Instant::now() + GIVEN_WAY;
        let between = || model.checkpoint.give_way(until);
        drop(cell.get_or_init(|| identity(&model, numerics, &between)).clone());
        model.checkpoint.strange_packed(isa, &between);
    });
}

fn in_background(name: &str, work: impl FnOnce() + Send + 'static) {
    drop(std::thread::Builder::new().name(name.into()).spawn(work));
}

/// Lets other threads go before this one, where the system has such an order.
fn step_back() {
    #[cfg(target_os = "linux")]
    rustix::process::setpriority_process(None, 10).ok();
}

fn identity(model: &Model, numerics: Numerics, between: &dyn Fn()) -> ModelIdentity {
    let digests = model.digests(between);
    ModelIdentity {
        name: model.name.clone(),
        digest: digests.weights,
        tokenizer_digest: digests.tokenizer,
        template_digest: digests.template,
        files: digests.files,
        numerics: numerics.name(),
        parameters: model.checkpoint.file().parameters(),
        format: model.checkpoint.file().main_type(),
    }
}
