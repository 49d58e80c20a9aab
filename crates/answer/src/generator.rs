//! The model that writes answers, if there is one: the built-in engine or an upstream, as the
//! policy and the command line say.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use allod_engine::{
    AdapterIdentity, FileList, Framing, LoadEngine, Speech, SpeechOptions, Vocabulary,
};
use allod_engine::{Completion, GenerateRequest, InProcess, Options, Piece, Prompt, Runner, Stats};
use allod_ledger::receipt::{Adapter, Model};
use allod_policy::{Policy, Prompts, RouteFacts, Runtime, quantization_met, upstream_permitted};
use allod_registry::Registry;
use allod_store::{PageCounts, PageFiles, Store};

use crate::chat::whole;
use crate::elsewhere::Approved;
use crate::error::Error;
use crate::prefix_disk::PrefixDisk;
use crate::prompt::TEMPLATE;
use crate::reply::Mode;

/// A model that can be asked.
pub enum Generator {
    /// The built-in engine, in this process or in a cell.
    Local(Local),
    /// A server that the policy names.
    Upstream(Arc<Approved>),
}

/// A model that runs here.
pub struct Local {
    runner: Arc<dyn Runner>,
    /// What of prompts survives a restart.
    disk: Option<PrefixDisk>,
}

impl From<Box<dyn Runner>> for Local {
    fn from(runner: Box<dyn Runner>) -> Local {
        Local { runner: runner.into(), disk: None }
    }
}

impl std::ops::Deref for Local {
    type Target = dyn Runner;

    fn deref(&self) -> &Self::Target {
        self.runner.as_ref()
    }
}

/// Which model to use, apart from what the policy says.
#[derive(Clone, Debug, Default)]
pub struct ModelChoice {
    /// A model file or folder given on the command line; it wins over the policy's `model`.
    pub path: Option<PathBuf>,
    /// Threads for the built-in engine; all cores when absent.
    pub threads: Option<usize>,
    /// How the built-in engine runs, apart from its threads.
    pub engine: Options,
    /// Where the built-in engine runs; in this process when absent.
    pub loader: Option<Arc<dyn LoadEngine>>,
    /// Bytes of files in which keys and values of prompts are kept for the next start; none are
    /// when absent.
    pub prefix_disk_bytes: Option<u64>,
    /// No model at all, whatever the policy names: answers are quotes.
    pub none: bool,
}

impl Generator {
    /// Opens the model that the command line or the policy names; `None` when neither names one,
    /// and answers are quotes.
    ///
    /// # Errors
    /// [`Error::NoModel`] when the named model or runtime is not there, saying how to get it.
    pub fn open(
        policy: &Policy,
        models: &Path,
        choice: &ModelChoice,
    ) -> Result<Option<Generator>, Error> {
        if choice.none {
            return Ok(None);
        }
        if let Some(given) = &choice.path {
            return local(policy, &locate(models, given)?, choice).map(Some);
        }
        match (policy.runtime, policy.model.as_deref()) {
            (Runtime::Allod, None) => Ok(None),
            (Runtime::Allod, Some(name)) => local(policy, &find(models, name)?, choice).map(Some),
            (runtime, name) => upstream(policy, runtime, name).map(Some),
        }
    }

    /// The name of the rule that its numbers follow; ours says nothing of a model elsewhere.
    pub(crate) fn numerics(&self) -> &'static str {
        match self {
            Generator::Local(engine) => engine.identity().numerics,
            Generator::Upstream(_) => allod_engine::NUMERICS,
        }
    }

    /// How answers of this model are marked.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self {
            Generator::Local(_) => Mode::Generate,
            Generator::Upstream(_) => Mode::Upstream,
        }
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Generator::Local(engine) => engine.model_name().into(),
            Generator::Upstream(upstream) => upstream.model().into(),
        }
    }

    /// What the model's tokens spell; `None` for a model that runs elsewhere.
    #[must_use]
    pub fn vocabulary(&self) -> Option<&Vocabulary> {
        match self {
            Generator::Local(engine) => Some(engine.vocabulary()),
            Generator::Upstream(_) => None,
        }
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// [`Error::Engine`] when there are none, [`Error::Limit`] for a model that runs elsewhere.
    pub fn encode(&self, text: &str, framing: Framing) -> Result<Vec<u32>, Error> {
        match self {
            Generator::Local(engine) => Ok(engine.encode(text, framing)?),
            Generator::Upstream(_) => Err(no_tokens()),
        }
    }

    /// The text of tokens, special ones as they are spelled.
    ///
    /// # Errors
    /// [`Error::Engine`], or [`Error::Limit`] for a model that runs elsewhere.
    pub fn spelled(&self, tokens: &[u32]) -> Result<String, Error> {
        match self {
            Generator::Local(engine) => Ok(engine.spelled(tokens)?),
            Generator::Upstream(_) => Err(no_tokens()),
        }
    }

    /// The text of tokens; special ones give none.
    ///
    /// # Errors
    /// As [`Generator::spelled`].
    pub(crate) fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        let vocabulary = self.vocabulary().ok_or_else(no_tokens)?;
        let plain = tokens.iter().copied().filter(|id| !vocabulary.is_special(*id));
        self.spelled(&plain.collect::<Vec<u32>>())
    }

    /// How often what runs the model had to be started again.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        match self {
            Generator::Local(engine) => engine.restarts(),
            Generator::Upstream(_) => 0,
        }
    }

    /// The tokens of a prompt, with what stands before and between its parts.
    ///
    /// # Errors
    /// [`Error::Engine`] when there are none, [`Error::Limit`] for a model that runs elsewhere.
    pub fn tokens(&self, prompt: &Prompt) -> Result<Vec<u32>, Error> {
        match self {
            Generator::Local(engine) => Ok(engine.tokens(prompt)?),
            Generator::Upstream(_) => Err(no_tokens()),
        }
    }

    /// Tokens that prompt and answer can have together; `None` for a model that runs elsewhere.
    #[must_use]
    pub fn context_length(&self) -> Option<usize> {
        match self {
            Generator::Local(engine) => Some(engine.context_length()),
            Generator::Upstream(_) => None,
        }
    }

    /// The adapters that requests can ask for, by name; none for a model that runs elsewhere.
    #[must_use]
    pub fn adapters(&self) -> Vec<AdapterIdentity> {
        match self {
            Generator::Local(engine) => engine.adapters(),
            Generator::Upstream(_) => Vec::new(),
        }
    }

    /// Adapters that can be loaded at one time; none for a model that runs elsewhere.
    #[must_use]
    pub fn adapters_max(&self) -> usize {
        match self {
            Generator::Local(engine) => engine.adapters_max(),
            Generator::Upstream(_) => 0,
        }
    }

    /// All files of the model's folder; none for a model of one file or that runs elsewhere.
    pub(crate) fn files(&self) -> Option<&FileList> {
        match self {
            Generator::Local(engine) => engine.identity().files.as_ref(),
            Generator::Upstream(_) => None,
        }
    }

    /// What the receipt says of the model, and of the adapter that it ran with.
    #[must_use]
    pub fn record(&self, adapter: Option<&AdapterIdentity>) -> Model {
        match self {
            Generator::Local(engine) => {
                let identity = engine.identity();
                Model {
                    name: identity.name.clone(),
                    digest: Some(identity.digest.clone()),
                    tokenizer: Some(identity.tokenizer_digest.clone()),
                    template: identity.template_digest.clone(),
                    files: identity.files.as_ref().map(|list| list.digest().to_owned()),
                    prompt: Some(TEMPLATE.into()),
                    adapter: adapter.map(recorded),
                }
            }
            Generator::Upstream(upstream) => Model {
                name: upstream.model().into(),
                digest: None,
                tokenizer: None,
                template: None,
                files: None,
                prompt: Some(TEMPLATE.into()),
                adapter: None,
            },
        }
    }

    /// How to ask for an answer that may call tools or keeps to a format, and how to read it;
    /// `None` for a model that runs elsewhere.
    ///
    /// # Errors
    /// [`Error::Engine`] when the options contradict each other.
    pub fn speech(
        &self,
        prompt: &Prompt,
        options: &SpeechOptions,
    ) -> Result<Option<Speech>, Error> {
        match self {
            Generator::Local(engine) => Ok(Some(engine.speech(prompt, options)?)),
            Generator::Upstream(_) => Ok(None),
        }
    }

    /// Whether the model writes reasoning before its answers.
    #[must_use]
    pub fn thinks(&self) -> bool {
        match self {
            Generator::Local(engine) => engine.dialect().thought.is_some(),
            Generator::Upstream(_) => false,
        }
    }

    /// Whether the model's chat template reads a variable of this name.
    #[must_use]
    pub fn template_reads(&self, variable: &str) -> bool {
        match self {
            Generator::Local(engine) => engine.template_reads(variable),
            Generator::Upstream(_) => false,
        }
    }

    /// How the built-in engine fares; `None` for a model that runs elsewhere.
    #[must_use]
    pub fn stats(&self) -> Option<Stats> {
        match self {
            Generator::Local(engine) => Some(engine.stats()),
            Generator::Upstream(_) => None,
        }
    }

    /// Keeps what is computed of prompts in files of the data folder, for the next start; nothing
    /// for a model that runs elsewhere.
    ///
    /// # Errors
    /// [`Error::PromptsNotKept`], or if there can be no more threads.
    pub(crate) fn keep_prefixes(
        &mut self,
        policy: &Policy,
        (data, store): (&Path, &Arc<dyn Store>),
        bytes_max: u64,
    ) -> Result<(), Error> {
        let Generator::Local(local) = self else { return Ok(()) };
        if policy.logging.prompts == Prompts::NotRetained {
            return Err(Error::PromptsNotKept);
        }
        let files = PageFiles::new(data, bytes_max);
        let disk = PrefixDisk::new(Arc::clone(&local.runner), Arc::clone(store), files);
        local.disk = Some(disk.map_err(allod_engine::Error::Thread)?);
        Ok(())
    }

    /// How prefixes on disk fare; `None` where none are kept.
    #[must_use]
    pub fn prefix_disk(&self) -> Option<PageCounts> {
        match self {
            Generator::Local(engine) => engine.disk.as_ref().map(PrefixDisk::counts),
            Generator::Upstream(_) => None,
        }
    }

    /// Writes what is still to be written of prefixes, for at most so long.
    pub(crate) fn settle(&self, longest: Duration) {
        if let Generator::Local(Local { disk: Some(disk), .. }) = self {
            disk.settle(longest);
        }
    }

    /// The server that runs the model, if one does.
    pub(crate) fn server(&self) -> Option<&Arc<Approved>> {
        match self {
            Generator::Local(_) => None,
            Generator::Upstream(upstream) => Some(upstream),
        }
    }

    /// Writes completions; `on_piece` sees each piece as it comes and may end them. Only the desk
    /// asks for one: what is written elsewhere would have no receipt.
    ///
    /// # Errors
    /// [`Error::Engine`], [`Error::Overwritten`], or as [`Approved::write`].
    pub(crate) fn generate(
        &self,
        request: &GenerateRequest,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Finished, Error> {
        match self {
            Generator::Local(engine) => {
                unchanged(&**engine)?;
                let completion = engine.complete_remembering(request, on_piece)?;
                unchanged(&**engine)?;
                Ok(Finished { completion, server: None })
            }
            Generator::Upstream(upstream) => {
                let (generated, facts) = upstream.write(request)?;
                let (text, finish) = (generated.text.as_str(), Some(generated.finish));
                // The whole text is here already: whether the caller wants more changes nothing.
                let _ = on_piece(Piece { choice: 0, text, token: None, finish });
                Ok(Finished { completion: whole(generated), server: Some(facts) })
            }
        }
    }
}

impl Local {
    /// As [`Runner::complete`], with what the disk knows of the prompt.
    fn complete_remembering(
        &self,
        request: &GenerateRequest,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Completion, Error> {
        let Some(disk) = &self.disk else { return Ok(self.runner.complete(request, on_piece)?) };
        let _answering = disk.answering();
        let visit = disk.prepare(request);
        let completion = self.runner.complete(request, on_piece)?;
        visit.into_iter().for_each(|visit| disk.note(visit));
        Ok(completion)
    }
}

/// # Errors
/// [`Error::Overwritten`]: the weights are mapped, and what it computes with may be anything.
fn unchanged(engine: &dyn Runner) -> Result<(), Error> {
    engine.overwritten().map_or(Ok(()), |path| Err(Error::Overwritten { path }))
}

/// What a model wrote, and what the server took for it, if it is one.
pub(crate) struct Finished {
    pub(crate) completion: Completion,
    pub(crate) server: Option<RouteFacts>,
}

fn no_tokens() -> Error {
    Error::Limit("the model runs on another server, so its tokens are not known here".into())
}

/// What the receipt says of an adapter.
fn recorded(adapter: &AdapterIdentity) -> Adapter {
    Adapter { name: adapter.name.clone(), digest: adapter.digest.clone() }
}

/// The model that is meant: a path, or the name of one in the registry.
///
/// # Errors
/// [`Error::NoModel`] when it is neither.
pub fn locate(models: &Path, given: &Path) -> Result<PathBuf, Error> {
    let found =
        Registry::at(models).locate(given).map_err(|why| Error::NoModel(why.to_string()))?;
    found.ok_or_else(|| {
        Error::NoModel(format!(
            "there is no model at {}, nor one of that name (`allod model list`): give a .gguf \
             file or a folder with config.json, tokenizer.json and *.safetensors",
            given.display()
        ))
    })
}

fn local(policy: &Policy, path: &Path, choice: &ModelChoice) -> Result<Generator, Error> {
    let options = Options { threads: choice.threads, ..choice.engine };
    let engine = match &choice.loader {
        Some(loader) => loader.load(path, options)?,
        None => InProcess.load(path, options)?,
    };
    quantization_met(policy, Some(&engine.format()))
        .map_err(|why| Error::NoModel(why.to_string()))?;
    Ok(Generator::Local(engine.into()))
}

/// A model of the policy was imported under its name, or lies in the data folder under it.
pub(crate) fn find(models: &Path, name: &str) -> Result<PathBuf, Error> {
    let lying = [models.join(format!("{name}.gguf")), models.join(name)]
        .into_iter()
        .find(|path| path.exists());
    let registry = Registry::at(models);
    let imported = || match name.parse() {
        Ok(name) => registry.find(&name).map_err(|why| Error::NoModel(why.to_string())),
        Err(_) => Ok(None),
    };
    let found = match lying {
        Some(path) => Some(path),
        None => imported()?.map(|artifact| artifact.path),
    };
    found.ok_or_else(|| {
        Error::NoModel(format!(
            "the policy names the model `{name}`, which is not there: bring it in with \
             `allod model import PATH --name {name}`, pass --model PATH, or take `model:` out of \
             the policy to answer with quotes only"
        ))
    })
}

fn upstream(policy: &Policy, runtime: Runtime, model: Option<&str>) -> Result<Generator, Error> {
    if model.is_none() {
        let runtime = runtime.word();
        let what = format!("the policy names runtime `{runtime}` but no `model:` for it");
        return Err(Error::NoModel(what));
    }
    upstream_permitted(policy).map_err(|why| Error::NoModel(why.to_string()))?;
    let settings = policy.upstream.as_ref().expect("a permitted upstream is there");
    Ok(Generator::Upstream(Arc::new(Approved::open(policy, settings)?)))
}

/// The key of a server, from the environment variable that the policy names.
pub(crate) fn api_key(variable: Option<&str>) -> Result<Option<String>, Error> {
    let read = |variable: &str| {
        std::env::var(variable).map_err(|_| {
            Error::NoModel(format!(
                "the policy takes an upstream's key from the environment variable {variable}, \
                 which is not set"
            ))
        })
    };
    variable.map(read).transpose()
}
