//! What turns passages and questions into vectors for the search.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use allod_lm::{EmbedOptions, Embedder, Isa, TableEmbedder};
use allod_retrieval::{Encoder, Library, Purpose};
use allod_store::Store;

use crate::error::Error;

/// What turns texts into vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EncoderChoice {
    /// What is built in.
    BuiltIn,
    /// A model: a file or a folder.
    Model(PathBuf),
    /// Nothing: searches go by words alone. How sure an answer is, is fitted to these.
    #[default]
    None,
}

impl EncoderChoice {
    /// Opens it.
    ///
    /// # Errors
    /// When the model cannot be loaded.
    pub fn open(&self, threads: Option<usize>) -> Result<Option<Arc<dyn Encoder>>, Error> {
        match self {
            EncoderChoice::None => Ok(None),
            EncoderChoice::BuiltIn => Ok(Some(Arc::new(TableEncoder(TableEmbedder::built_in())))),
            EncoderChoice::Model(path) => Ok(Some(Arc::new(ModelEncoder::load(path, threads)?))),
        }
    }
}

/// Opens the library of a data folder with an encoder.
///
/// # Errors
/// When the folder or the model cannot be used.
pub fn open_library(
    data: &Path,
    store: Arc<dyn Store>,
    choice: &EncoderChoice,
) -> Result<Library, Error> {
    let library = Library::open(data, store)?;
    Ok(match choice.open(None)? {
        Some(encoder) => library.with_encoder(encoder),
        None => library,
    })
}

/// The table in the binary as an encoder: the same for passages and questions.
struct TableEncoder(&'static TableEmbedder);

impl Encoder for TableEncoder {
    fn identity(&self) -> &str {
        self.0.digest()
    }

    fn dimension(&self) -> usize {
        self.0.dimension()
    }

    fn encode(&self, _purpose: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        Ok(self.0.encode(texts))
    }
}

/// A model as an encoder. Calls come one at a time, each with all threads.
struct ModelEncoder {
    identity: String,
    dimension: usize,
    model: Mutex<Embedder>,
}

impl ModelEncoder {
    fn load(path: &Path, threads: Option<usize>) -> Result<ModelEncoder, Error> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.filter(|threads| *threads > 0).unwrap_or_else(cores);
        let model = Embedder::load(path, EmbedOptions { threads, isa: Isa::detect() })?;
        let digest = model.file().digest();
        let tokenizer = model.tokenizer().digest();
        let identity = format!("{digest} {tokenizer} {:?} {}", model.pooling(), allod_lm::NUMERICS);
        Ok(ModelEncoder { identity, dimension: model.dimensions(), model: Mutex::new(model) })
    }
}

impl Encoder for ModelEncoder {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn encode(&self, purpose: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let purpose = match purpose {
            Purpose::Query => allod_lm::Purpose::Query,
            Purpose::Passage => allod_lm::Purpose::Document,
        };
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        // Models have no vector for nothing.
        let said = texts.iter().map(|text| if text.trim().is_empty() { "-" } else { text });
        let texts: Vec<&str> = said.collect();
        model.embed(purpose, &texts).map_err(|error| error.to_string())
    }
}
