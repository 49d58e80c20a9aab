//! What a recorded answer was made with, brought together again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use allod_corpus::{Digest, Document};
use allod_engine::{InProcess, Numerics, Options, Runner};
use allod_ledger::Receipt;
use allod_ledger::receipt::Model;
use allod_lm::{FileList, Weights};
use allod_policy::Policy;
use allod_registry::{Artifact, ArtifactFile, Registry};
use allod_retrieval::{Clearance, Library, Manifest, document_of};
use allod_store::Store;

use super::indexes::{Indexes, memory, with_encoder};
use super::{Difference, Stop, files};
use crate::adapters::AdapterFolder;
use crate::calibration::Calibrated;
use crate::encoder::{EncoderChoice, built_in_identity};
use crate::error::Error;
use crate::generator::{Generator, ModelChoice, find, locate};
use crate::means::Means;
use crate::named::Named;
use crate::record::CONTEXT_TOKENS;

/// Where a replay finds what it needs.
#[derive(Clone, Debug, Default)]
pub struct ReplayOptions {
    /// A data folder whose index is searched where it is still the one that was; without it, the
    /// index is always built from the kept texts.
    pub data: Option<PathBuf>,
    /// An empty folder for indexes that are built; what is in it afterwards can go.
    pub scratch: PathBuf,
    /// The model that is to write, and how it runs.
    pub model: ModelChoice,
    /// The folder of models that were imported.
    pub models: PathBuf,
    /// The folder of adapters.
    pub adapters: PathBuf,
}

/// Makes recorded answers again.
pub struct Replayer {
    store: Arc<dyn Store>,
    options: ReplayOptions,
    pub(super) named: Named,
    indexes: Indexes,
    generator: Option<Loaded>,
    pub(super) unchecked: Option<&'static str>,
}

/// A model in memory.
struct Loaded {
    /// Beside the digest: that is one of the weights, which may stand under other settings too.
    name: String,
    digest: String,
    files: Option<String>,
    context: Option<u64>,
    numerics: String,
    adapter: Option<String>,
    generator: Generator,
    /// Whether the receipt at hand needs it.
    wanted: bool,
}

impl Replayer {
    /// Answers whose words and documents are in this store.
    ///
    /// # Errors
    /// When the scratch folder cannot be used.
    pub fn new(store: Arc<dyn Store>, options: ReplayOptions) -> Result<Replayer, Error> {
        let indexes = Indexes::new(&options.scratch)?;
        Ok(Replayer {
            named: Named::new(Arc::clone(&store)),
            store,
            options,
            indexes,
            generator: None,
            unchecked: None,
        })
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub(super) fn generator(&self) -> Option<&Generator> {
        let loaded = self.generator.as_ref().filter(|loaded| loaded.wanted);
        loaded.map(|loaded| &loaded.generator)
    }

    pub(super) fn means<'a>(&'a self, policy: &'a Policy, calibrated: &'a Calibrated) -> Means<'a> {
        Means { policy, library: self.indexes.current(), generator: self.generator(), calibrated }
    }

    /// Makes the library the one that was searched, if any was.
    pub(super) fn take_library(
        &mut self,
        receipt: &Receipt,
        clearance: &Clearance,
    ) -> Result<(), Stop> {
        let Some(digest) = &receipt.index else {
            return match receipt.facts["evidence"].is_null() {
                true => {
                    self.indexes.take_none();
                    Ok(())
                }
                false => Err(Stop::Impossible(
                    "which documents were searched is not recorded: they were being taken in just \
                     then, or the receipt is of an older version"
                        .into(),
                )),
            };
        };
        if self.indexes.take(digest) {
            return Ok(());
        }
        let manifest = Manifest::read(digest, self.store.as_ref())?;
        let encoder = encoder(manifest.encoder()?.as_deref())?;
        if let Some(data) = &self.options.data {
            let living = self.indexes.living(data, &self.store, &encoder)?;
            let listed = living.listed(clearance)?;
            if listed.is_some_and(|listed| listed.digest() == digest) {
                self.indexes.put(digest, living, None);
                return Ok(());
            }
        }
        let folder = self.indexes.folder();
        let library = self.build(&manifest, clearance, &encoder, &folder)?;
        self.indexes.put(digest, Arc::new(library), Some(folder));
        Ok(())
    }

    /// An index of the listed documents. That it lists the same ones itself is checked.
    fn build(
        &self,
        manifest: &Manifest,
        clearance: &Clearance,
        encoder: &EncoderChoice,
        folder: &Path,
    ) -> Result<Library, Stop> {
        let library = with_encoder(Library::open(folder, memory()?)?, encoder)?;
        let mut documents: Vec<(String, Document)> = Vec::new();
        for listed in manifest.documents()? {
            let version = listed.version(self.store.as_ref())?;
            documents.push((listed.path, document_of(&version)?));
        }
        library.add(&mut documents.into_iter())?;
        let listed = library.listed(clearance)?;
        let now = listed.as_ref().map_or("", Manifest::digest);
        match now == manifest.digest() {
            true => Ok(library),
            false => {
                let what = "the list of documents, built again".to_owned();
                Err(Stop::differs(Difference::of_digests(what, manifest.digest(), now)))
            }
        }
    }

    /// Every text that the receipt cites or that was put before the model is what its digest says.
    pub(super) fn check_evidence(&self, receipt: &Receipt) -> Result<(), Stop> {
        for evidence in receipt.evidence.iter().chain(&receipt.citations) {
            let version = self.store.version(&evidence.digest, Some(&evidence.path));
            let Some(version) = version.map_err(Error::from)? else {
                let what = format!("the text {} of {} is gone", evidence.digest, evidence.path);
                return Err(Stop::Impossible(what));
            };
            let now = Digest::of(version.text.as_bytes()).to_string();
            if now != evidence.digest {
                let what = format!("the text of {}, which was changed", evidence.path);
                return Err(Stop::differs(Difference::of_digests(what, &evidence.digest, &now)));
            }
        }
        Ok(())
    }

    /// Loads the model that wrote, if one did.
    pub(super) fn take_generator(
        &mut self,
        receipt: &Receipt,
        policy: &Policy,
    ) -> Result<(), Stop> {
        if let Some(loaded) = &mut self.generator {
            loaded.wanted = false;
        }
        let Some(model) = &receipt.model else { return Ok(()) };
        let context = receipt.limits.get(CONTEXT_TOKENS).copied();
        let adapter = model.adapter.as_ref().map(|adapter| adapter.name.clone());
        if let Some(loaded) = &mut self.generator
            && (&loaded.name, Some(&loaded.digest)) == (&model.name, model.digest.as_ref())
            && loaded.files == model.files
            && (loaded.context, &loaded.numerics) == (context, &receipt.numerics)
            && (adapter.is_none() || loaded.adapter == adapter)
        {
            loaded.wanted = true;
            return Ok(());
        }
        // Two models seldom fit into memory.
        self.generator = None;
        let generator = self.load(model, receipt, policy)?;
        self.generator = Some(Loaded {
            name: model.name.clone(),
            digest: model.digest.clone().unwrap_or_default(),
            files: model.files.clone(),
            context,
            numerics: receipt.numerics.clone(),
            adapter,
            generator,
            wanted: true,
        });
        Ok(())
    }

    fn load(&self, model: &Model, receipt: &Receipt, policy: &Policy) -> Result<Generator, Stop> {
        let digest = model.files.as_deref();
        let list = digest.map(|digest| files::recorded(&self.named, digest)).transpose()?.flatten();
        let path = self.path_of(model, (policy, list.as_ref()))?;
        if let Some(list) = &list {
            files::check(list, &path, Weights::ByLength)?;
        }
        let context = receipt.limits.get(CONTEXT_TOKENS).map(|tokens| *tokens as usize);
        let choice = &self.options.model;
        let numerics = rule_of(&receipt.numerics)?;
        let options = Options {
            threads: choice.threads.or(choice.engine.threads),
            context_tokens: context.or(choice.engine.context_tokens),
            cache: Some(numerics.cache),
            activations: Some(numerics.activations),
            ..choice.engine
        };
        let loader = choice.loader.as_deref().unwrap_or(&InProcess);
        let engine = loader.load(&path, options).map_err(|error| {
            // What cannot be loaded any more may be another file; then that is what is wrong.
            let other = list.as_ref().map(|list| files::check(list, &path, Weights::ByDigest));
            other.and_then(Result::err).unwrap_or_else(|| error.into())
        })?;
        if let Some(adapter) = &model.adapter {
            let folder = AdapterFolder(self.options.adapters.clone());
            let found = folder.find(&adapter.name)?;
            engine.load_adapter(&adapter.name, &found)?;
        }
        if let Some(digest) = digest {
            files::same((digest, list.as_ref()), engine.identity().files.as_ref())?;
        }
        same_model(model, engine.as_ref())?;
        Ok(Generator::Local(engine.into()))
    }

    /// The file that was given, else what has these weights or the name of the policy or receipt.
    fn path_of(
        &self,
        model: &Model,
        (policy, list): (&Policy, Option<&FileList>),
    ) -> Result<PathBuf, Stop> {
        let digest = model.digest.as_deref().unwrap_or("unknown");
        let models = &self.options.models;
        let name = policy.model.as_deref().unwrap_or(&model.name);
        let found = match (&self.options.model.path, imported(models, name, (digest, list))) {
            (Some(given), _) => locate(models, given),
            (None, Some(path)) => Ok(path),
            (None, None) if policy.model.is_some() => find(models, name),
            (None, None) => locate(models, Path::new(name)),
        };
        found.map_err(|_| {
            Stop::Impossible(format!(
                "the model {} ({digest}) is not here: give it with --model FILE",
                model.name
            ))
        })
    }
}

/// The imported model of these files, or with these weights; under this name if there are several:
/// a file may call its model otherwise than it was called when it was imported.
fn imported(
    models: &Path,
    name: &str,
    (digest, list): (&str, Option<&FileList>),
) -> Option<PathBuf> {
    let weights = digest.strip_prefix("sha256:")?.parse::<allod_registry::Digest>().ok();
    let mut all = Registry::at(models).list().ok()?;
    let holds = |model: &Artifact, list: &FileList| {
        list.files().iter().all(|listed| {
            let is = |file: &&ArtifactFile| file.name == listed.name;
            let found = model.files.iter().find(is);
            found.is_some_and(|file| format!("sha256:{}", file.digest) == listed.digest)
        })
    };
    let listed = |model: &Artifact| list.is_some_and(|list| holds(model, list));
    match all.iter().any(listed) {
        true => all.retain(listed),
        false => all.retain(|model| model.files.iter().any(|file| Some(file.digest) == weights)),
    }
    let named = all.iter().position(|model| model.name.to_string() == name);
    (!all.is_empty()).then(|| all.swap_remove(named.unwrap_or(0)).path)
}

/// The encoder of this identity.
fn encoder(identity: Option<&str>) -> Result<EncoderChoice, Stop> {
    match identity {
        None => Ok(EncoderChoice::None),
        Some(identity) if identity == built_in_identity() => Ok(EncoderChoice::BuiltIn),
        Some(identity) => {
            Err(Stop::Impossible(format!("vectors were made by {identity}, which is not here")))
        }
    }
}

/// The numerics rule of a receipt.
fn rule_of(numerics: &str) -> Result<Numerics, Stop> {
    Numerics::of_name(numerics).ok_or_else(|| {
        Stop::Impossible(format!(
            "it was computed under the rule {numerics}, and this program knows {}",
            Numerics::all().map(Numerics::name).collect::<Vec<_>>().join(", ")
        ))
    })
}

/// A file that is not the one that wrote is named, and by which of its parts.
fn same_model(recorded: &Model, engine: &dyn Runner) -> Result<(), Stop> {
    let found = engine.identity();
    let parts = [
        ("the model's weights", recorded.digest.as_deref(), Some(found.digest.as_str())),
        ("the model's tokenizer", recorded.tokenizer.as_deref(), Some(&found.tokenizer_digest)),
        (
            "the model's chat template",
            recorded.template.as_deref(),
            found.template_digest.as_deref(),
        ),
    ];
    for (what, recorded, found) in parts {
        if recorded != found {
            let what = format!("{what}: another file than the one that wrote");
            let (recorded, found) = (recorded.unwrap_or("none"), found.unwrap_or("none"));
            return Err(Stop::differs(Difference::of_digests(what, recorded, found)));
        }
    }
    Ok(())
}
