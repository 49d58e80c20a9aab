//! A model that is run in a cell, as the rest of the program sees it.

use crate::files::{belonging, bytes, digest, holds_weights};
use crate::keeping::{Kept, Loaded, State, keep};
use crate::link::Link;
use crate::message::{Ask, Asked, Say};
use crate::route::{Begun, Route, Stream};
use allod_engine::{
    AdapterIdentity, CacheForm, Completion, Dialect, Error, Framing, GenerateRequest, Isa,
    LoadEngine, ModelIdentity, Options, Piece, Prompt, Result, Runner, Speech, SpeechOptions,
    Stats, Vocabulary, collect, connection, template_reads,
};
use allod_sandbox::{Limits, Setup, Shelf};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A cell that does not answer a plain question for so long is ended.
const ANSWER: Duration = Duration::from_secs(300);
/// How long a caller goes without being asked whether it still wants the answer.
const ASKING: Duration = Duration::from_millis(50);
/// Is it still wanted?
const STILL: Piece = Piece { choice: 0, text: "", token: None, finish: None };
/// The name of the model on the shelf; those of adapters begin otherwise.
const MODEL: &str = "model";

/// Loads models into cells.
#[derive(Debug, Clone)]
pub struct InCell {
    /// How the cells are made; how much memory they may have is worked out for each model.
    pub setup: Setup,
}

/// Memory that a model may take: four times its files, what keys and values may take, and 8 GiB.
fn memory(model: &Path, options: &Options) -> u64 {
    let cache = options.cache_bytes.unwrap_or(2 << 30);
    let prefixes = options.prefix_bytes.unwrap_or(512 << 20);
    let kept = (cache as u64).saturating_add(prefixes as u64);
    (8 << 30) + bytes(model).saturating_mul(4).saturating_add(kept)
}

impl LoadEngine for InCell {
    fn load(&self, path: &Path, options: Options) -> Result<Box<dyn Runner>> {
        let unfit = |error: std::io::Error| Error::Unfit { what: error.to_string() };
        let model = std::path::absolute(path).map_err(unfit)?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        // A cell can look up neither.
        let options = Options {
            threads: Some(options.threads.filter(|threads| *threads > 0).unwrap_or_else(cores)),
            isa: Some(options.isa.unwrap_or_else(Isa::detect)),
            ..options
        };
        let memory_bytes = memory(&model, &options);
        let limits = Limits { memory_bytes, ..self.setup.limits };
        let setup = Setup { limits, ..self.setup.clone() };
        let shelf = Arc::new(Shelf::default());
        shelf.put(MODEL, belonging(&model));
        let begun = Instant::now();
        let (link, replies, profile) = Link::start(&setup, &shelf, &model, options)?;
        let link = Arc::new(link);
        let kept = Arc::new(Kept {
            setup,
            shelf,
            model,
            options,
            profile,
            loading: begun.elapsed(),
            adapters: Mutex::default(),
            state: Mutex::new(State::Up(Arc::clone(&link))),
            restarts: AtomicU64::new(0),
        });
        keep(Arc::clone(&kept), link, replies).map_err(Error::Thread)?;
        let remote = Remote { kept, identity: Arc::default() };
        remote.identify();
        Ok(Box::new(remote))
    }
}

/// A model that is run in a cell.
struct Remote {
    kept: Arc<Kept>,
    identity: Arc<OnceLock<ModelIdentity>>,
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.kept.end();
    }
}

impl Remote {
    /// Starts to work out the digest of the weights, so that the first answer need not wait as
    /// long; others go first meanwhile.
    fn identify(&self) {
        let (kept, cell) = (Arc::clone(&self.kept), Arc::clone(&self.identity));
        let work = move || {
            // Where it cannot step back, it takes its share.
            let _ = rustix::process::setpriority_process(None, 10);
            cell.get_or_init(|| identity(&kept));
        };
        // Without a thread, whoever needs it first works it out.
        drop(std::thread::Builder::new().name("allod-identify".into()).spawn(work));
    }

    /// One question, one answer.
    fn ask(&self, ask: &Ask) -> Result<Say> {
        let link = self.kept.link()?;
        let (asker, answer) = channel();
        link.ask(ask, Route::Once(asker))?;
        match answer.recv_timeout(ANSWER) {
            Ok(said) => said,
            Err(_) => Err(gone(&link)),
        }
    }

    /// The tokens that were said, if they are the vocabulary's.
    fn tokens_of(&self, said: Say) -> Result<Vec<u32>> {
        let known = |id: &u32| (*id as usize) < self.kept.profile.vocabulary.tokens();
        match said {
            Say::Tokens(tokens) if tokens.iter().all(known) => Ok(tokens),
            _ => Err(strange()),
        }
    }

    fn stream(&self, request: &GenerateRequest) -> Result<(Running, Receiver<Result<Begun>>)> {
        let link = self.kept.link()?;
        let profile = &self.kept.profile;
        let ((asker, begun), (inlet, outlet)) = (channel(), connection());
        let bounds = (profile.context_tokens, profile.tokens);
        let stream = Stream::new(request, asker, outlet, bounds);
        let ask = Ask::Generate(Box::new(Asked::from(request)));
        let number = link.ask(&ask, Route::Stream(Box::new(stream)))?;
        Ok((Running { link, number, inlet: Some(inlet) }, begun))
    }
}

/// A request that a cell works on; when it is dropped, it is no longer wanted.
struct Running {
    link: Arc<Link>,
    number: u64,
    inlet: Option<allod_engine::Inlet>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.link.forget(self.number);
    }
}

/// The error of a cell that does not answer, which is ended.
fn gone(link: &Link) -> Error {
    link.end();
    Error::Down { what: "it did not answer".into(), retry_after_seconds: 1 }
}

fn strange() -> Error {
    Error::Run { what: "the model's process did not answer as agreed".into() }
}

/// What is recorded of the model: its weights by the bytes that were handed over.
fn identity(kept: &Kept) -> ModelIdentity {
    let mut files = kept.shelf.handed(MODEL);
    files.retain(|path, _| holds_weights(path));
    let profile = &kept.profile;
    let template = profile.template.as_ref();
    ModelIdentity {
        name: profile.name.clone(),
        digest: digest(&files).unwrap_or_else(|error| format!("unreadable: {error}")),
        tokenizer_digest: profile.tokenizer.clone(),
        template_digest: template.map(|source| allod_lm::digest_bytes(source.as_bytes())),
        numerics: kept.options.cache.unwrap_or(CacheForm::Bf16).numerics(),
        parameters: profile.parameters,
        format: profile.format.clone(),
    }
}

impl Runner for Remote {
    fn model_name(&self) -> &str {
        &self.kept.profile.name
    }

    fn format(&self) -> String {
        self.kept.profile.format.clone()
    }

    fn identity(&self) -> &ModelIdentity {
        self.identity.get_or_init(|| identity(&self.kept))
    }

    fn context_length(&self) -> usize {
        self.kept.profile.context_tokens
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.kept.profile.vocabulary
    }

    fn encode(&self, text: &str, framing: Framing) -> Result<Vec<u32>> {
        self.tokens_of(self.ask(&Ask::Encode { text: text.to_owned(), framing })?)
    }

    fn spelled(&self, tokens: &[u32]) -> Result<String> {
        match self.ask(&Ask::Spelled(tokens.to_vec()))? {
            Say::Text(text) => Ok(text),
            _ => Err(strange()),
        }
    }

    fn tokens(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        match prompt {
            Prompt::Tokens(tokens) => Ok(tokens.clone()),
            _ => self.tokens_of(self.ask(&Ask::Tokens(prompt.clone()))?),
        }
    }

    fn dialect(&self) -> Dialect {
        Dialect::of(self.kept.profile.template.as_deref())
    }

    fn template_reads(&self, variable: &str) -> bool {
        template_reads(self.kept.profile.template.as_deref(), variable)
    }

    fn speech(&self, prompt: &Prompt, options: &SpeechOptions) -> Result<Speech> {
        let ask = Ask::Told { prompt: prompt.clone(), options: Box::new(options.clone()) };
        match self.ask(&ask)? {
            Say::Told(told) => Speech::of(*told, self.dialect().after(prompt), options),
            _ => Err(strange()),
        }
    }

    fn complete(
        &self,
        request: &GenerateRequest,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Completion> {
        request.check()?;
        let (mut running, begun) = self.stream(request)?;
        let until = Instant::now() + ANSWER;
        let begun = loop {
            match begun.recv_timeout(ASKING) {
                Ok(begun) => break begun?,
                Err(RecvTimeoutError::Timeout) if Instant::now() < until => {
                    if on_piece(STILL).is_break() {
                        let cancelled = connection();
                        return collect(Some(cancelled.0), request, 0, &mut |_| {
                            ControlFlow::Break(())
                        });
                    }
                }
                Err(_) => return Err(gone(&running.link)),
            }
        };
        let inlet = running.inlet.take().filter(|_| begun.comes);
        let completion = collect(inlet, request, begun.prompt_tokens, on_piece)?;
        Ok(Completion { adapter: begun.adapter.map(|adapter| self.known(adapter)), ..completion })
    }

    fn load_adapter(&self, name: &str, path: &Path) -> Result<()> {
        let unfit = |error: std::io::Error| Error::Unfit { what: error.to_string() };
        let path = std::path::absolute(path).map_err(unfit)?;
        let mut adapters = self.kept.adapters();
        if adapters.contains_key(name) {
            return Err(Error::AdapterTwice { name: name.to_owned() });
        }
        let (shelf, label) = (&self.kept.shelf, format!("adapter {name}"));
        shelf.put(&label, belonging(&path));
        let text = path.to_string_lossy().into_owned();
        let loaded = self.ask(&Ask::LoadAdapter { name: name.to_owned(), path: text });
        let digested = match loaded {
            Ok(Say::Done) => digest(&shelf.handed(&label)).map_err(unfit),
            Ok(_) => Err(strange()),
            Err(error) => Err(error),
        };
        let digest = digested.inspect_err(|_| shelf.take_away(&label))?;
        let identity = AdapterIdentity { name: name.to_owned(), digest };
        adapters.insert(name.to_owned(), Loaded { path, identity });
        Ok(())
    }

    fn unload_adapter(&self, name: &str) -> Result<()> {
        let mut adapters = self.kept.adapters();
        if adapters.remove(name).is_none() {
            let known: Vec<&str> = adapters.keys().map(String::as_str).collect();
            return Err(Error::UnknownAdapter { name: name.to_owned(), known: known.join(", ") });
        }
        self.kept.shelf.take_away(&format!("adapter {name}"));
        self.ask(&Ask::UnloadAdapter(name.to_owned())).map(drop)
    }

    fn adapters(&self) -> Vec<AdapterIdentity> {
        self.kept.adapters().values().map(|loaded| loaded.identity.clone()).collect()
    }

    fn adapters_max(&self) -> usize {
        self.kept.profile.adapters_max
    }

    fn stats(&self) -> Stats {
        match self.ask(&Ask::Stats) {
            Ok(Say::Stats(stats)) => *stats,
            _ => Stats::default(),
        }
    }

    fn restarts(&self) -> u64 {
        self.kept.restarts.load(Ordering::Relaxed)
    }
}

impl Remote {
    /// An adapter by what is known of it here.
    fn known(&self, said: AdapterIdentity) -> AdapterIdentity {
        let adapters = self.kept.adapters();
        adapters.get(&said.name).map_or(said, |loaded| loaded.identity.clone())
    }
}
