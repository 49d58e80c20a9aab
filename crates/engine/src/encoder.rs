//! What runs a model that reads and does not write: this process, or another one that it has
//! started.

use crate::error::Result;
use crate::runner::InProcess;
use allod_lm::{CrossEncoder, EmbedOptions, Embedder, FileList, PartDigest, Purpose};
use allod_lm::{Tokenizer, Use};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// What a model that reads is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderProfile {
    /// SHA-256 of the vocabulary.
    pub tokenizer: String,
    /// How the tokens of a text become one vector; empty where pairs of texts are scored.
    pub pooling: String,
    /// Elements of a vector, or scores of a pair.
    pub outputs: usize,
    /// Tokens that a text, or a pair, is cut to.
    pub max_tokens: usize,
    /// How many values the weights hold.
    pub parameters: u64,
}

/// What is known of any model that reads.
pub trait Encodes: Send + Sync {
    /// What it is.
    fn profile(&self) -> &EncoderProfile;
    /// SHA-256 of its weights. Waits until it is known, the first time.
    fn digest(&self) -> &str;
    /// All files of its folder; none for a GGUF file, which holds its settings itself. Waits as
    /// well.
    fn files(&self) -> Option<&FileList>;
    /// How often what runs it had to be started again.
    fn restarts(&self) -> u64;
}

/// A model that turns texts into vectors. Threads may ask it at the same time; it gives the same
/// bits wherever it runs.
pub trait EmbedTexts: Encodes {
    /// How many tokens each text has as a whole, with what the model puts before texts of this
    /// purpose.
    ///
    /// # Errors
    /// If a text cannot be turned into tokens, or nothing runs at the moment.
    fn text_tokens(&self, purpose: Purpose, texts: &[&str]) -> Result<Vec<usize>>;
    /// See [`Embedder::embed`].
    ///
    /// # Errors
    /// As there, or if nothing runs at the moment.
    fn embed(&self, purpose: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>>;
}

/// A model that scores documents beside a query. Threads may ask it at the same time; it gives the
/// same bits wherever it runs.
pub trait RankTexts: Encodes {
    /// How many tokens the query has with each document, as they are read.
    ///
    /// # Errors
    /// If a text cannot be turned into tokens, or nothing runs at the moment.
    fn pair_tokens(&self, query: &str, documents: &[&str]) -> Result<Vec<usize>>;
    /// See [`CrossEncoder::scores`].
    ///
    /// # Errors
    /// As there, or if nothing runs at the moment.
    fn scores(&self, query: &str, documents: &[&str]) -> Result<Vec<f32>>;
}

/// Loads models that read, to be run somewhere.
pub trait LoadEncoder: Debug + Send + Sync {
    /// Loads a model that turns texts into vectors: see [`Embedder::load`].
    ///
    /// # Errors
    /// As there.
    fn load_embedder(&self, path: &Path, options: EmbedOptions) -> Result<Box<dyn EmbedTexts>>;
    /// Loads a model that scores pairs of texts: see [`CrossEncoder::load`].
    ///
    /// # Errors
    /// As there.
    fn load_ranker(&self, path: &Path, options: EmbedOptions) -> Result<Box<dyn RankTexts>>;
}

impl LoadEncoder for InProcess {
    fn load_embedder(&self, path: &Path, options: EmbedOptions) -> Result<Box<dyn EmbedTexts>> {
        let (model, settings) =
            FileList::around(path, Use::Read, || Embedder::load(path, options))?;
        let pooling = format!("{:?}", model.pooling());
        let outputs = model.dimensions();
        Ok(Box::new(Here::new((model, listed(path, settings)), pooling, outputs)))
    }

    fn load_ranker(&self, path: &Path, options: EmbedOptions) -> Result<Box<dyn RankTexts>> {
        let (model, settings) =
            FileList::around(path, Use::Read, || CrossEncoder::load(path, options))?;
        let outputs = model.labels();
        Ok(Box::new(Here::new((model, listed(path, settings)), String::new(), outputs)))
    }
}

/// Settings with the folder that they lie in.
fn listed(path: &Path, settings: Option<FileList>) -> Option<(PathBuf, FileList)> {
    settings.map(|settings| (path.to_path_buf(), settings))
}

/// What both kinds have.
trait Files: Send {
    fn tokenizer(&self) -> &Tokenizer;
    fn max_tokens(&self) -> usize;
    fn parameters(&self) -> u64;
    fn parts(&self) -> Vec<PartDigest>;
}

impl Files for Embedder {
    fn tokenizer(&self) -> &Tokenizer {
        self.tokenizer()
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens()
    }

    fn parameters(&self) -> u64 {
        self.file().parameters()
    }

    fn parts(&self) -> Vec<PartDigest> {
        self.file().part_digests()
    }
}

impl Files for CrossEncoder {
    fn tokenizer(&self) -> &Tokenizer {
        self.tokenizer()
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens()
    }

    fn parameters(&self) -> u64 {
        self.file().parameters()
    }

    fn parts(&self) -> Vec<PartDigest> {
        self.file().part_digests()
    }
}

/// A model in this process. Requests are served one at a time, each with all threads.
struct Here<M> {
    profile: EncoderProfile,
    settings: Option<(PathBuf, FileList)>,
    /// The digest of the weights, and all files.
    identity: OnceLock<(String, Option<FileList>)>,
    model: Mutex<M>,
}

impl<M: Files> Here<M> {
    fn new(
        (model, settings): (M, Option<(PathBuf, FileList)>),
        pooling: String,
        outputs: usize,
    ) -> Here<M> {
        let profile = EncoderProfile {
            tokenizer: model.tokenizer().digest().to_owned(),
            pooling,
            outputs,
            max_tokens: model.max_tokens(),
            parameters: model.parameters(),
        };
        Here { profile, settings, identity: OnceLock::new(), model: Mutex::new(model) }
    }

    fn identity(&self) -> &(String, Option<FileList>) {
        self.identity.get_or_init(|| {
            let parts = self.model().parts();
            let listed = self.settings.as_ref();
            let files = listed.map(|(folder, settings)| settings.with_weights(folder, &parts));
            (PartDigest::together(&parts), files)
        })
    }

    fn model(&self) -> MutexGuard<'_, M> {
        // A model that panicked holds no state that the next request could see.
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Files> Encodes for Here<M> {
    fn profile(&self) -> &EncoderProfile {
        &self.profile
    }

    fn digest(&self) -> &str {
        &self.identity().0
    }

    fn files(&self) -> Option<&FileList> {
        self.identity().1.as_ref()
    }

    fn restarts(&self) -> u64 {
        0
    }
}

impl EmbedTexts for Here<Embedder> {
    fn text_tokens(&self, purpose: Purpose, texts: &[&str]) -> Result<Vec<usize>> {
        let model = self.model();
        let before = model.prompt(purpose);
        let count = |text: &&str| {
            let tokens = model.tokenizer().encode_whole(&format!("{before}{text}"))?;
            Ok(tokens.len())
        };
        texts.iter().map(count).collect()
    }

    fn embed(&self, purpose: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        Ok(self.model().embed(purpose, texts)?)
    }
}

impl RankTexts for Here<CrossEncoder> {
    fn pair_tokens(&self, query: &str, documents: &[&str]) -> Result<Vec<usize>> {
        let model = self.model();
        let count = |text: &&str| {
            let pair = model.tokenizer().encode_pair(query, text, model.max_tokens())?;
            Ok(pair.tokens.len())
        };
        documents.iter().map(count).collect()
    }

    fn scores(&self, query: &str, documents: &[&str]) -> Result<Vec<f32>> {
        Ok(self.model().scores(query, documents)?)
    }
}
