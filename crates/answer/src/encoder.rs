//! What turns passages and questions into vectors for the search.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use allod_corpus::Language;
use allod_engine::{EmbedTexts, LoadEncoder};
use allod_lm::TableEmbedder;
use allod_retrieval::analysis::is_stop_word;
use allod_retrieval::{Encoder, Library, Purpose};
use allod_store::Store;

use crate::error::Error;
use crate::reader::options;

/// What turns texts into vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EncoderChoice {
    /// What is built in.
    #[default]
    BuiltIn,
    /// A model: a file or a folder.
    Model(PathBuf),
    /// Nothing: searches go by words alone.
    None,
}

impl EncoderChoice {
    /// Opens it; a model runs where `loader` puts it.
    ///
    /// # Errors
    /// When the model cannot be loaded.
    pub fn open(
        &self,
        (loader, threads): (&dyn LoadEncoder, Option<usize>),
    ) -> Result<Option<Arc<dyn Encoder>>, Error> {
        match self {
            EncoderChoice::None => Ok(None),
            EncoderChoice::BuiltIn => Ok(Some(Arc::new(TableEncoder::built_in()))),
            EncoderChoice::Model(path) => {
                let model = loader.load_embedder(path, options(threads))?;
                Ok(Some(Arc::new(ModelEncoder::of(model))))
            }
        }
    }
}

/// Opens the library of a data folder with an encoder, which runs where it is said.
///
/// # Errors
/// When the folder or the model cannot be used.
pub fn open_library(
    data: &Path,
    store: Arc<dyn Store>,
    (choice, place): (&EncoderChoice, (&dyn LoadEncoder, Option<usize>)),
) -> Result<Library, Error> {
    let library = Library::open(data, store)?;
    Ok(match choice.open(place)? {
        Some(encoder) => library.with_encoder(encoder),
        None => library,
    })
}

/// The table in the binary as an encoder: the same for passages and questions.
struct TableEncoder {
    table: &'static TableEmbedder,
    identity: String,
}

impl TableEncoder {
    fn built_in() -> TableEncoder {
        let table = TableEmbedder::built_in();
        TableEncoder { table, identity: built_in_identity() }
    }
}

/// What the vectors of [`EncoderChoice::BuiltIn`] are known by.
pub(crate) fn built_in_identity() -> String {
    format!("{} telling words", TableEmbedder::built_in().digest())
}

/// A text without the stop words of the languages that the table knows: they would pull all texts
/// of a language together. A text of nothing else stays as it is.
fn telling(text: &str) -> String {
    let words = allod_retrieval::analysis::words(text, Language::Other).into_iter();
    let said = words.filter(|word| {
        let one = word.folded.len() < 2 || word.folded.contains('_');
        !one && !is_stop_word(&word.folded, Language::Other)
    });
    let said: Vec<&str> = said.map(|word| &text[word.range]).collect();
    if said.is_empty() { text.to_owned() } else { said.join(" ") }
}

impl Encoder for TableEncoder {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn dimension(&self) -> usize {
        self.table.dimension()
    }

    fn encode(&self, _purpose: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let telling: Vec<String> = texts.iter().map(|text| telling(text)).collect();
        let telling: Vec<&str> = telling.iter().map(String::as_str).collect();
        Ok(self.table.encode(&telling))
    }

    fn words(&self, words: &[&str]) -> Option<Vec<Vec<f32>>> {
        Some(self.table.encode(words))
    }
}

/// A model as an encoder. Calls come one at a time, each with all threads.
struct ModelEncoder {
    identity: String,
    model: Box<dyn EmbedTexts>,
}

impl ModelEncoder {
    fn of(model: Box<dyn EmbedTexts>) -> ModelEncoder {
        let (digest, about) = (model.digest(), model.profile());
        let (tokenizer, pooling) = (&about.tokenizer, &about.pooling);
        // Settings beside the weights make other vectors of the same ones.
        let files = model.files().map_or(String::new(), |list| format!(" {}", list.digest()));
        let identity = format!("{digest} {tokenizer} {pooling} {}{files}", allod_lm::NUMERICS);
        ModelEncoder { identity, model }
    }
}

impl Encoder for ModelEncoder {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn dimension(&self) -> usize {
        self.model.profile().outputs
    }

    fn encode(&self, purpose: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let purpose = match purpose {
            Purpose::Query => allod_lm::Purpose::Query,
            Purpose::Passage => allod_lm::Purpose::Document,
        };
        // Models have no vector for nothing.
        let said = texts.iter().map(|text| if text.trim().is_empty() { "-" } else { text });
        let texts: Vec<&str> = said.collect();
        self.model.embed(purpose, &texts).map_err(|error| error.to_string())
    }
}
