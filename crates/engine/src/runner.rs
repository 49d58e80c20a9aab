//! What runs a model here: this process, or another one that it has started.

use crate::beginning::{Beginning, Prefix};
use crate::dialect::Dialect;
use crate::engine::{AdapterIdentity, Engine, ModelIdentity, Options};
use crate::error::Result;
use crate::request::{Completion, GenerateRequest, Piece, Prompt};
use crate::scheduler::Stats;
use crate::speech::{Speech, SpeechOptions};
use crate::vocabulary::{Framing, Vocabulary};
use std::fmt::Debug;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A model that is run: by an [`Engine`] in this process, or by one in another. Threads may ask it
/// at the same time, and it gives the same bits wherever it runs.
pub trait Runner: Send + Sync {
    /// See [`Engine::model_name`].
    fn model_name(&self) -> &str;
    /// See [`Engine::format`].
    fn format(&self) -> String;
    /// See [`Engine::identity`].
    fn identity(&self) -> &ModelIdentity;
    /// See [`Engine::context_length`].
    fn context_length(&self) -> usize;
    /// See [`Engine::vocabulary`].
    fn vocabulary(&self) -> &Vocabulary;
    /// See [`Engine::encode`].
    ///
    /// # Errors
    /// As there.
    fn encode(&self, text: &str, framing: Framing) -> Result<Vec<u32>>;
    /// See [`Engine::spelled`].
    ///
    /// # Errors
    /// If nothing runs at the moment.
    fn spelled(&self, tokens: &[u32]) -> Result<String>;
    /// See [`Engine::tokens`].
    ///
    /// # Errors
    /// As there.
    fn tokens(&self, prompt: &Prompt) -> Result<Vec<u32>>;
    /// See [`Engine::dialect`].
    fn dialect(&self) -> Dialect;
    /// See [`Engine::template_reads`].
    fn template_reads(&self, variable: &str) -> bool;
    /// See [`Engine::speech`].
    ///
    /// # Errors
    /// As there.
    fn speech(&self, prompt: &Prompt, options: &SpeechOptions) -> Result<Speech>;
    /// See [`Engine::complete`].
    ///
    /// # Errors
    /// As there.
    fn complete(
        &self,
        request: &GenerateRequest,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Completion>;
    /// See [`Engine::load_adapter`].
    ///
    /// # Errors
    /// As there.
    fn load_adapter(&self, name: &str, path: &Path) -> Result<()>;
    /// See [`Engine::unload_adapter`].
    ///
    /// # Errors
    /// As there.
    fn unload_adapter(&self, name: &str) -> Result<()>;
    /// See [`Engine::adapters`].
    fn adapters(&self) -> Vec<AdapterIdentity>;
    /// See [`Engine::adapters_max`].
    fn adapters_max(&self) -> usize;
    /// See [`Engine::prefix`].
    ///
    /// # Errors
    /// As there.
    fn prefix(&self, request: &GenerateRequest) -> Result<Prefix>;
    /// See [`Engine::page`].
    ///
    /// # Errors
    /// If nothing runs at the moment.
    fn page(&self, of: &Beginning, number: usize) -> Result<Option<Vec<u8>>>;
    /// See [`Engine::put_pages`].
    ///
    /// # Errors
    /// As there.
    fn put_pages(&self, of: &Beginning, first: usize, pages: Vec<Vec<u8>>) -> Result<usize>;
    /// See [`Engine::stats`]; all zero while nothing runs.
    fn stats(&self) -> Stats;
    /// How often what runs the model had to be started again.
    fn restarts(&self) -> u64;
    /// The first file of the weights that was written to since it was opened: what is computed
    /// since then may be anything, and is not what the identity says.
    fn overwritten(&self) -> Option<PathBuf>;
}

impl Runner for Engine {
    fn model_name(&self) -> &str {
        self.model_name()
    }

    fn format(&self) -> String {
        self.format()
    }

    fn identity(&self) -> &ModelIdentity {
        self.identity()
    }

    fn context_length(&self) -> usize {
        self.context_length()
    }

    fn vocabulary(&self) -> &Vocabulary {
        self.vocabulary()
    }

    fn encode(&self, text: &str, framing: Framing) -> Result<Vec<u32>> {
        self.encode(text, framing)
    }

    fn spelled(&self, tokens: &[u32]) -> Result<String> {
        Ok(self.spelled(tokens))
    }

    fn tokens(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        self.tokens(prompt)
    }

    fn dialect(&self) -> Dialect {
        self.dialect()
    }

    fn template_reads(&self, variable: &str) -> bool {
        self.template_reads(variable)
    }

    fn speech(&self, prompt: &Prompt, options: &SpeechOptions) -> Result<Speech> {
        self.speech(prompt, options)
    }

    fn complete(
        &self,
        request: &GenerateRequest,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Completion> {
        self.complete(request, on_piece)
    }

    fn load_adapter(&self, name: &str, path: &Path) -> Result<()> {
        self.load_adapter(name, path)
    }

    fn unload_adapter(&self, name: &str) -> Result<()> {
        self.unload_adapter(name)
    }

    fn adapters(&self) -> Vec<AdapterIdentity> {
        self.adapters()
    }

    fn adapters_max(&self) -> usize {
        self.adapters_max()
    }

    fn prefix(&self, request: &GenerateRequest) -> Result<Prefix> {
        self.prefix(request)
    }

    fn page(&self, of: &Beginning, number: usize) -> Result<Option<Vec<u8>>> {
        Ok(self.page(of, number))
    }

    fn put_pages(&self, of: &Beginning, first: usize, pages: Vec<Vec<u8>>) -> Result<usize> {
        self.put_pages(of, first, &pages)
    }

    fn stats(&self) -> Stats {
        self.stats()
    }

    fn restarts(&self) -> u64 {
        0
    }

    fn overwritten(&self) -> Option<PathBuf> {
        self.overwritten()
    }
}

/// Loads models, to be run somewhere.
pub trait LoadEngine: Debug + Send + Sync {
    /// Loads a model: see [`Engine::load`].
    ///
    /// # Errors
    /// As there.
    fn load(&self, path: &Path, options: Options) -> Result<Box<dyn Runner>>;
}

/// Runs models in this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl LoadEngine for InProcess {
    fn load(&self, path: &Path, options: Options) -> Result<Box<dyn Runner>> {
        Ok(Box::new(Engine::load(path, options)?))
    }
}
