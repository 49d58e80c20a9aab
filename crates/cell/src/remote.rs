//! A model that is run in a cell, as the rest of the program sees it.

use crate::files::{belonging, bytes, is_packed, parts};
use crate::frame::SAY_BYTES_MAX;
use crate::keeping::{Kept, Loaded, MODEL, Wanted, start_first, told};
use crate::link::Link;
use crate::message::{Ask, Asked, Profile, Say};
use crate::route::{Begun, Route, Stream};
use crate::watch::{Pace, Takes, reading, tokenising};
use crate::wire::Blob;
use allod_engine::{
    AdapterIdentity, Beginning, Completion, Dialect, Error, Framing, GenerateRequest, Isa,
    LoadEngine, ModelIdentity, Numerics, Options, Piece, Prefix, Prompt, Result, Runner, Speech,
    SpeechOptions, Stats, Vocabulary, collect, connection, template_reads,
};
use allod_lm::{FileList, PartDigest, Use, holds_weights};
use allod_sandbox::Setup;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long a cell is waited for beyond what a request takes on the slowest processor.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a caller goes without being asked whether it still wants the answer.
const ASKING: Duration = Duration::from_millis(50);
/// Is it still wanted?
const STILL: Piece = Piece { choice: 0, text: "", token: None, finish: None };
/// Tokens that an engine reads in one step if nothing else is said.
const STEP_TOKENS: usize = 512;

/// Loads models into cells.
#[derive(Debug, Clone)]
pub struct InCell {
    /// How the cells are made; how much memory they may have is worked out for each model.
    pub setup: Setup,
    /// A cell that is silent for so long, beyond what it was asked to do takes on the slowest
    /// processor, is ended.
    pub patience: Duration,
}

impl InCell {
    /// Cells that are made so, and ended after half a minute of silence.
    #[must_use]
    pub fn new(setup: Setup) -> InCell {
        InCell { setup, patience: PATIENCE }
    }
}

/// What keys and values may take.
fn kept_bytes(options: &Options) -> u64 {
    let cache = options.cache_bytes.unwrap_or(2 << 30);
    let prefixes = options.prefix_bytes.unwrap_or(512 << 20);
    (cache as u64).saturating_add(prefixes as u64)
}

impl LoadEngine for InCell {
    fn load(&self, path: &Path, options: Options) -> Result<Box<dyn Runner>> {
        let model = std::path::absolute(path).map_err(unfit)?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let isa = options.isa.unwrap_or_else(Isa::detect);
        let numerics = options.numerics();
        // A cell can look up none of them.
        let options = Options {
            threads: Some(options.threads.filter(|threads| *threads > 0).unwrap_or_else(cores)),
            isa: Some(isa),
            activations: Some(numerics.activations),
            cache: Some(numerics.cache),
            ..options
        };
        let load = Ask::Load { path: told(&model)?, options: Box::new(options) };
        let wanted = Wanted {
            setup: self.setup.clone(),
            model,
            wanted: Use::Write,
            load,
            more_bytes: kept_bytes(&options),
            patience: self.patience,
        };
        let rows = options.step_tokens.unwrap_or(STEP_TOKENS);
        let (kept, profile) = start_first(wanted, |said| match said {
            Say::Ready(profile) => {
                Some((Pace::new(profile.parameters, isa, rows), Profile::clone(profile)))
            }
            _ => None,
        })?;
        let about = Arc::new(About { profile, numerics });
        let remote =
            Remote { kept, about, identity: Arc::default(), packed_is_right: Arc::default() };
        remote.identify();
        Ok(Box::new(remote))
    }
}

pub(crate) fn unfit(error: std::io::Error) -> Error {
    Error::Unfit { what: error.to_string() }
}

/// What is known of a model.
struct About {
    profile: Profile,
    numerics: Numerics,
}

/// A model that is run in a cell.
struct Remote {
    kept: Arc<Kept>,
    about: Arc<About>,
    identity: Arc<OnceLock<ModelIdentity>>,
    /// Set once packed weights were compared with what they were made from.
    packed_is_right: Arc<OnceLock<()>>,
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
        let (kept, about) = (Arc::clone(&self.kept), Arc::clone(&self.about));
        let (cell, packed_is_right) =
            (Arc::clone(&self.identity), Arc::clone(&self.packed_is_right));
        let work = move || {
            // Where it cannot step back, it takes its share.
            let _ = rustix::process::setpriority_process(None, 10);
            cell.get_or_init(|| identity(&kept, &about));
            strange_packed(&kept, &packed_is_right);
        };
        // Without a thread, whoever needs it first works it out.
        drop(std::thread::Builder::new().name("allod-identify".into()).spawn(work));
    }

    /// One question about some text, one answer.
    fn ask(&self, ask: &Ask, text_bytes: usize) -> Result<Say> {
        self.kept.ask(ask, Takes::Own(tokenising(text_bytes)))
    }

    /// The tokens that were said, if they are the vocabulary's.
    fn tokens_of(&self, said: Say) -> Result<Vec<u32>> {
        let known = |id: &u32| (*id as usize) < self.about.profile.vocabulary.tokens();
        match said {
            Say::Tokens(tokens) if tokens.iter().all(known) => Ok(tokens),
            _ => Err(strange()),
        }
    }

    fn stream(&self, request: &GenerateRequest) -> Result<(Running, Receiver<Result<Begun>>)> {
        let link = self.kept.link()?;
        let profile = &self.about.profile;
        let ((asker, begun), (inlet, outlet)) = (channel(), connection());
        let bounds = (profile.context_tokens, profile.tokens);
        let stream = Stream::new(request, asker, outlet, bounds);
        let ask = Ask::Generate(Box::new(Asked::from(request)));
        let takes = Takes::Own(tokenising(text_bytes(&request.prompt)));
        let number = link.ask(&ask, Route::Stream(Box::new(stream)), takes)?;
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

/// About how much text a prompt is.
fn text_bytes(prompt: &Prompt) -> usize {
    match prompt {
        Prompt::Text(text) => text.len(),
        Prompt::Tokens(tokens) => tokens.len(),
        Prompt::Chat(messages) => messages.iter().map(|message| message.content.len()).sum(),
        Prompt::Conversation(input) => {
            let values = input.messages.iter().chain(input.tools.iter().flatten());
            values.map(|value| value.to_string().len()).sum()
        }
    }
}

pub(crate) fn strange() -> Error {
    Error::Run { what: "the model's process did not answer as agreed".into() }
}

/// The digest of the weights that were handed over, and all files of a folder.
pub(crate) fn weights(kept: &Kept) -> (String, Option<FileList>) {
    let mut files = kept.shelf().handed(MODEL);
    files.retain(|path, _| holds_weights(path));
    match parts(&files) {
        Ok(parts) => {
            let settings = kept.settings();
            let list = settings.map(|(folder, settings)| settings.with_weights(folder, &parts));
            (PartDigest::together(&parts), list)
        }
        Err(error) => (format!("unreadable: {error}"), None),
    }
}

/// The file of packed weights that was handed over, unless they are what packing the weights gives,
/// as the cell says that read both. Asked until it was said once.
fn strange_packed(kept: &Kept, is_right: &OnceLock<()>) -> Option<PathBuf> {
    if is_right.get().is_some() {
        return None;
    }
    let handed = kept.shelf().handed(MODEL);
    let (path, file) = handed.into_iter().find(|(path, _)| is_packed(path))?;
    let bytes = file.metadata().map_or(0, |about| about.len());
    match kept.ask(&Ask::StrangePacked, Takes::Own(reading(bytes))) {
        Ok(Say::Text(strange)) if strange.is_empty() => {
            is_right.get_or_init(|| ());
            None
        }
        _ => Some(path),
    }
}

/// What is recorded of the model: its weights by the bytes that were handed over.
fn identity(kept: &Kept, About { profile, numerics }: &About) -> ModelIdentity {
    let template = profile.template.as_ref();
    let (digest, files) = weights(kept);
    ModelIdentity {
        name: profile.name.clone(),
        digest,
        tokenizer_digest: profile.tokenizer.clone(),
        template_digest: template.map(|source| allod_lm::digest_bytes(source.as_bytes())),
        files,
        numerics: numerics.name(),
        parameters: profile.parameters,
        format: profile.format.clone(),
    }
}

impl Runner for Remote {
    fn model_name(&self) -> &str {
        &self.about.profile.name
    }

    fn format(&self) -> String {
        self.about.profile.format.clone()
    }

    fn identity(&self) -> &ModelIdentity {
        self.identity.get_or_init(|| identity(&self.kept, &self.about))
    }

    fn context_length(&self) -> usize {
        self.about.profile.context_tokens
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.about.profile.vocabulary
    }

    fn encode(&self, text: &str, framing: Framing) -> Result<Vec<u32>> {
        self.tokens_of(self.ask(&Ask::Encode { text: text.to_owned(), framing }, text.len())?)
    }

    fn spelled(&self, tokens: &[u32]) -> Result<String> {
        match self.ask(&Ask::Spelled(tokens.to_vec()), tokens.len())? {
            Say::Text(text) => Ok(text),
            _ => Err(strange()),
        }
    }

    fn tokens(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        match prompt {
            Prompt::Tokens(tokens) => Ok(tokens.clone()),
            _ => self.tokens_of(self.ask(&Ask::Tokens(prompt.clone()), text_bytes(prompt))?),
        }
    }

    fn dialect(&self) -> Dialect {
        Dialect::of(self.about.profile.template.as_deref())
    }

    fn template_reads(&self, variable: &str) -> bool {
        template_reads(self.about.profile.template.as_deref(), variable)
    }

    fn speech(&self, prompt: &Prompt, options: &SpeechOptions) -> Result<Speech> {
        let ask = Ask::Told { prompt: prompt.clone(), options: Box::new(options.clone()) };
        match self.ask(&ask, text_bytes(prompt))? {
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
        let begun = loop {
            match begun.recv_timeout(ASKING) {
                Ok(begun) => break begun?,
                Err(RecvTimeoutError::Timeout) => {
                    if on_piece(STILL).is_break() {
                        let cancelled = connection();
                        return collect(Some(cancelled.0), request, 0, &mut |_| {
                            ControlFlow::Break(())
                        });
                    }
                }
                // A cell that is silent is ended, and all who wait are told.
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Stopped),
            }
        };
        let inlet = running.inlet.take().filter(|_| begun.comes);
        let completion = collect(inlet, request, begun.prompt_tokens, on_piece)?;
        Ok(Completion { adapter: begun.adapter.map(|adapter| self.known(adapter)), ..completion })
    }

    fn load_adapter(&self, name: &str, path: &Path) -> Result<()> {
        let path = std::path::absolute(path).map_err(unfit)?;
        let mut adapters = self.kept.adapters();
        if adapters.contains_key(name) {
            return Err(Error::AdapterTwice { name: name.to_owned() });
        }
        let (shelf, label) = (self.kept.shelf(), format!("adapter {name}"));
        shelf.put(&label, belonging(&path));
        let text = path.to_string_lossy().into_owned();
        let ask = Ask::LoadAdapter { name: name.to_owned(), path: text };
        let loaded = self.kept.ask(&ask, Takes::Own(reading(bytes(&path))));
        let digested = match loaded {
            Ok(Say::Done) => {
                let parts = parts(&shelf.handed(&label)).map_err(unfit);
                parts.map(|parts| PartDigest::together(&parts))
            }
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
        self.kept.shelf().take_away(&format!("adapter {name}"));
        self.ask(&Ask::UnloadAdapter(name.to_owned()), 0).map(drop)
    }

    fn adapters(&self) -> Vec<AdapterIdentity> {
        self.kept.adapters().values().map(|loaded| loaded.identity.clone()).collect()
    }

    fn adapters_max(&self) -> usize {
        self.about.profile.adapters_max
    }

    fn prefix(&self, request: &GenerateRequest) -> Result<Prefix> {
        let GenerateRequest { prompt, tenant, adapter, .. } = request.clone();
        let bytes = text_bytes(&prompt);
        let Say::Prefix(prefix) = self.ask(&Ask::Prefix { prompt, tenant, adapter }, bytes)? else {
            return Err(strange());
        };
        // Tokens are the vocabulary's, and what is not one of the tenant's pages is none.
        let tokens = self.tokens_of(Say::Tokens(prefix.beginning.tokens))?;
        let adapter = prefix.beginning.adapter;
        let beginning = Beginning { tenant: request.tenant.clone(), adapter, tokens };
        Ok(Prefix { known: prefix.known.min(beginning.pages()), beginning })
    }

    fn page(&self, of: &Beginning, number: usize) -> Result<Option<Vec<u8>>> {
        let ask = Ask::Page { of: Box::new(of.clone()), number };
        match self.kept.ask(&ask, Takes::Own(reading(SAY_BYTES_MAX as u64)))? {
            Say::Page(page) => Ok(page.map(|Blob(bytes)| bytes)),
            _ => Err(strange()),
        }
    }

    fn put_pages(&self, of: &Beginning, first: usize, pages: Vec<Vec<u8>>) -> Result<usize> {
        let bytes: usize = pages.iter().map(Vec::len).sum();
        let pages = pages.into_iter().map(Blob).collect();
        let ask = Ask::PutPages { of: Box::new(of.clone()), first, pages };
        match self.kept.ask(&ask, Takes::Own(reading(bytes as u64)))? {
            Say::Counts(counts) if counts.len() == 1 => Ok(counts[0]),
            _ => Err(strange()),
        }
    }

    fn stats(&self) -> Stats {
        match self.ask(&Ask::Stats, 0) {
            Ok(Say::Stats(stats)) => *stats,
            _ => Stats::default(),
        }
    }

    fn restarts(&self) -> u64 {
        self.kept.restarts()
    }

    fn overwritten(&self) -> Option<PathBuf> {
        let is_same = || weights(&self.kept).0 == self.identity().digest;
        let written = self.kept.weights().written(is_same).map(Path::to_path_buf);
        written.or_else(|| strange_packed(&self.kept, &self.packed_is_right))
    }
}

impl Remote {
    /// An adapter by what is known of it here.
    fn known(&self, said: AdapterIdentity) -> AdapterIdentity {
        let adapters = self.kept.adapters();
        adapters.get(&said.name).map_or(said, |loaded| loaded.identity.clone())
    }
}
