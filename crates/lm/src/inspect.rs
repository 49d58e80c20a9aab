//! What a model's files hold, whether or not they can be used, and why not.

mod facts;

use crate::arch::{self, published};
use crate::checkpoint::{Checkpoint, read_object};
use crate::error::Result;
use crate::model::{self, file_name};
use crate::template::ChatTemplate;
use crate::tokenizer::Tokenizer;
use allod_weights::{TensorFile, digest_bytes};
pub use facts::{
    ExpertFacts, FileFacts, FormatFacts, RopeFacts, ShapeFacts, SpecialToken, TemplateFacts,
    TokenizerFacts,
};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Writes text.
    Decoder,
    /// Turns text into vectors or scores.
    Encoder,
}

/// What a model's files hold. What could not be read is missing, and why stands in `refusals`.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// What the model calls itself, or the name of its file or folder.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// The architecture, in the words of the files.
    pub architecture: Option<String>,
    /// `gguf` or `safetensors`.
    pub container: &'static str,
    /// The files of the weights.
    pub files: Vec<FileFacts>,
    /// Values of all tensors together.
    pub parameters: u64,
    /// How many tensors there are.
    pub tensors: usize,
    /// By element type, the one with the most bytes first.
    pub formats: Vec<FormatFacts>,
    /// The sizes, if they are understood and the tensors fit them.
    pub shape: Option<ShapeFacts>,
    /// The vocabulary.
    pub tokenizer: Option<TokenizerFacts>,
    /// The chat template; none if there is none.
    pub template: Option<TemplateFacts>,
    /// Why it is refused, if it is: what would be said on loading it.
    pub refusals: Vec<String>,
    /// What it is loaded with, but should be known.
    pub warnings: Vec<String>,
}

/// Reads everything about the model at `path` but its weights. `published` is where the template
/// is as it was published: a folder, a GGUF file or the template itself.
///
/// # Errors
/// If the tensor file itself cannot be read. All else is told in [`Inspection::refusals`].
pub fn inspect(path: &Path, published: Option<&Path>) -> Result<Inspection> {
    let file = TensorFile::open(path)?;
    let architecture = architecture(path, &file);
    let encodes = architecture.as_deref().is_some_and(arch::is_encoder);
    let mut inspection = Inspection {
        name: file.metadata().text("general.name").map_or_else(|| file_name(path), str::to_string),
        kind: if encodes { ModelKind::Encoder } else { ModelKind::Decoder },
        architecture,
        container: if path.is_dir() { "safetensors" } else { "gguf" },
        files: FileFacts::of(&file),
        parameters: file.parameters(),
        tensors: file.tensors().count(),
        formats: FormatFacts::of(&file),
        shape: None,
        tokenizer: None,
        template: None,
        refusals: Vec::new(),
        warnings: Vec::new(),
    };
    inspection.look_at_weights(path);
    inspection.look_at_vocabulary(path, &file);
    inspection.look_at_template(path, &file, published)?;
    Ok(inspection)
}

fn architecture(path: &Path, file: &TensorFile) -> Option<String> {
    if let Some(name) = file.metadata().text("general.architecture") {
        return Some(name.to_string());
    }
    let config = read_object(&path.join("config.json"), 16 << 20).ok()?;
    config.get("model_type")?.as_str().map(str::to_string)
}

impl Inspection {
    /// What is loaded is as good as what it was checked by: nothing is refused.
    pub fn is_usable(&self) -> bool {
        self.refusals.is_empty()
    }

    fn look_at_weights(&mut self, path: &Path) {
        let shape = match self.kind {
            ModelKind::Decoder => Checkpoint::open(path).map(|it| ShapeFacts::of(it.spec())),
            ModelKind::Encoder => {
                Checkpoint::open_encoder(path).map(|it| ShapeFacts::of_encoder(it.spec()))
            }
        };
        match shape {
            Ok(shape) => self.shape = Some(shape),
            Err(error) => self.refusals.push(error.to_string()),
        }
    }

    fn look_at_vocabulary(&mut self, path: &Path, file: &TensorFile) {
        let tokenizer = match path.is_dir() {
            true => Tokenizer::from_folder(path),
            false => Tokenizer::from_gguf(path, file.metadata()),
        };
        match tokenizer {
            Ok(tokenizer) => {
                self.check_vocabulary(&tokenizer);
                self.tokenizer = Some(TokenizerFacts::of(&tokenizer));
            }
            Err(error) => self.refusals.push(error.to_string()),
        }
    }

    /// Ids beyond the embedding cannot be read; a model that could be asked for them is no model.
    fn check_vocabulary(&mut self, tokenizer: &Tokenizer) {
        let Some(shape) = &self.shape else { return };
        let (tokens, rows) = (tokenizer.vocabulary(), shape.vocabulary);
        if tokens > rows {
            self.warnings.push(format!(
                "the vocabulary has {tokens} tokens, but there are embeddings for {rows}: text \
                 that needs the others is refused"
            ));
        }
    }

    fn look_at_template(
        &mut self,
        path: &Path,
        file: &TensorFile,
        published: Option<&Path>,
    ) -> Result<()> {
        let template = match path.is_dir() {
            true => model::folder_template(path),
            false => model::gguf_template(file.metadata()),
        };
        let source = match &template {
            Ok(template) => template.source(),
            Err(error) => {
                self.refusals.push(error.to_string());
                None
            }
        };
        self.compare_with_neighbours(path, source);
        self.compare_with_published(source, published)?;
        self.template = source.map(TemplateFacts::of);
        Ok(())
    }

    /// A folder may hold the template twice, and a GGUF file may lie in a folder that holds it too.
    fn compare_with_neighbours(&mut self, path: &Path, source: Option<&str>) {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let Ok([own, older]) = model::folder_templates(folder) else { return };
        let places = [("chat_template.jinja", own), ("tokenizer_config.json", older)];
        for (place, other) in places {
            let Some(other) = other.filter(|other| Some(other.as_str()) != source) else {
                continue;
            };
            let used = source.map_or("none".to_string(), |used| digest_bytes(used.as_bytes()));
            let other = digest_bytes(other.as_bytes());
            let place = folder.join(place).display().to_string();
            self.warnings.push(format!(
                "the chat template that is used ({used}) is another than the one in {place} \
                 ({other})"
            ));
        }
    }

    fn compare_with_published(&mut self, source: Option<&str>, path: Option<&Path>) -> Result<()> {
        let used = source.map(|source| digest_bytes(source.as_bytes()));
        let (family, digests) = match path {
            Some(path) => {
                let given = template_at(path)?;
                let digest = given.source().map(|source| digest_bytes(source.as_bytes()));
                (path.display().to_string(), digest.into_iter().collect())
            }
            None => match published(&self.name) {
                Some(known) => {
                    let digests = known.digests.iter().map(|digest| (*digest).to_string());
                    (known.family.to_string(), digests.collect::<Vec<_>>())
                }
                None => return Ok(()),
            },
        };
        if used.is_some() || !digests.is_empty() {
            let same = used.as_ref().is_some_and(|used| digests.contains(used));
            if !same {
                let none = || "none".to_string();
                let published = if digests.is_empty() { none() } else { digests.join(" or ") };
                self.warnings.push(format!(
                    "the chat template ({}) differs from the published one of {family} \
                     ({published}): the model may answer otherwise than its authors measured",
                    used.unwrap_or_else(none)
                ));
            }
        }
        Ok(())
    }
}

/// The template of a folder or GGUF file, or in a file of its own.
fn template_at(path: &Path) -> Result<ChatTemplate> {
    let is_gguf = path.extension().is_some_and(|extension| extension == "gguf");
    match path.is_dir() {
        true => model::folder_template(path),
        false if is_gguf => model::gguf_template(TensorFile::open(path)?.metadata()),
        false => ChatTemplate::new(crate::checkpoint::read_text(path, 1 << 20)?, [].into()),
    }
}

/// The files of the model at `path`, each below its folder: what must be copied to copy the model.
/// For a GGUF file all its parts; for a folder its settings, vocabulary, template, licence and
/// weights.
///
/// # Errors
/// If the tensor file cannot be read.
pub fn model_files(path: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    let file = TensorFile::open(path)?;
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let mut files: Vec<PathBuf> = file.paths().map(Path::to_path_buf).collect();
    if path.is_dir() {
        files.extend(facts::settings_files(folder)?);
    }
    Ok((folder.to_path_buf(), files))
}
