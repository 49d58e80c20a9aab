//! Adapters: small changes of a model's matrices that are kept beside it (LoRA, arXiv 2106.09685).
//!
//! An [`Adapter`] holds two thin factors for each matrix that it changes: `W + scale * B * A`. It
//! is read from a PEFT folder or a GGUF file, run beside the base by [`Infer`](crate::Infer) for
//! the sequences that ask for it, put into the weights by [`Checkpoint::merged`], and saved as
//! either.
//!
//! Applied and merged differ by rounding: applied is `W x + scale * (B (A x))`, merged is
//! `(W + scale * (B A)) x`, and neither order of sums is the other's.

mod config;
mod factors;
mod gguf;
mod low_rank;
mod merge;
mod modules;
mod pattern;
mod peft;
mod trained;

use crate::arch::plain_name;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::spec::DecoderSpec;
use crate::weight::{Part, WeightId};
use allod_weights::digest_bytes;
pub use config::{ModuleScale, PeftConfig};
pub use low_rank::LowRank;
use modules::Module;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A matrix that an adapter changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// The weight. Where the output is the embedding, [`Part::Output`] changes the output alone
    /// and [`Part::TokenEmbedding`] the input alone.
    pub weight: WeightId,
    /// The expert, of weights that every expert has.
    pub expert: Option<usize>,
}

impl Target {
    /// By layer and part, then by expert.
    fn key(self) -> (usize, usize) {
        (self.weight.index(), self.expert.unwrap_or(0))
    }
}

/// A change of a model's matrices that is kept beside them.
#[derive(Debug, Clone)]
pub struct Adapter {
    name: String,
    digest: String,
    /// What it was checked against.
    spec: DecoderSpec,
    changes: BTreeMap<(usize, usize), (Target, LowRank)>,
}

impl Adapter {
    /// Opens a PEFT folder (`adapter_config.json` and `adapter_model.safetensors`) or a GGUF file
    /// (`general.type` `adapter`) that was made for `checkpoint`'s model, whichever kind of file
    /// that is in. Names and shapes are checked against the model before anything is read.
    ///
    /// # Errors
    /// Whatever is missing, unknown or contradictory, by name; whatever would change a result in a
    /// way that is not computed here.
    pub fn open(path: &Path, checkpoint: &Checkpoint) -> Result<Adapter> {
        let (digest, changes) = match path.is_dir() {
            true => peft::open(path, checkpoint)?,
            false => gguf::open(path, checkpoint)?,
        };
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let name = if path.is_dir() { absolute.file_name() } else { absolute.file_stem() };
        let name = name.unwrap_or_default().to_string_lossy().into_owned();
        let mut adapter = Adapter::empty(name, checkpoint);
        adapter.digest = digest;
        for (target, change) in changes {
            adapter.add(target, change)?;
        }
        Ok(adapter)
    }

    /// An adapter of these changes, such as training makes. Its digest is that of its values.
    ///
    /// # Errors
    /// If a target is no matrix of the model, has another shape, or comes twice.
    pub fn new(
        name: &str,
        checkpoint: &Checkpoint,
        changes: impl IntoIterator<Item = (Target, LowRank)>,
    ) -> Result<Adapter> {
        let mut adapter = Adapter::empty(name.to_string(), checkpoint);
        for (target, change) in changes {
            adapter.add(target, change)?;
        }
        let mut bytes = Vec::new();
        for ((weight, expert), (_, change)) in &adapter.changes {
            bytes.extend([*weight as u64, *expert as u64].map(u64::to_le_bytes).concat());
            change.write(&mut bytes);
        }
        adapter.digest = digest_bytes(&bytes);
        Ok(adapter)
    }

    fn empty(name: String, checkpoint: &Checkpoint) -> Adapter {
        let (digest, changes) = (digest_bytes(&[]), BTreeMap::new());
        Adapter { name, digest, spec: checkpoint.spec().clone(), changes }
    }

    fn add(&mut self, target: Target, change: LowRank) -> Result<()> {
        let name = format!("{:?} of layer {}", target.weight.part, target.weight.layer);
        let fault = |what: String| Err(Error::Adapter { file: PathBuf::from(&self.name), what });
        let Some([outputs, inputs]) = shape(&self.spec, target) else {
            return fault(format!("{name} is no matrix of the model"));
        };
        if (change.outputs(), change.inputs()) != (outputs, inputs) {
            let found = [change.outputs(), change.inputs()];
            return fault(format!("{name} has shape {:?}, not {found:?}", [outputs, inputs]));
        }
        match self.changes.insert(target.key(), (target, change)) {
            Some(_) => fault(format!("{name} is changed twice")),
            None => Ok(()),
        }
    }

    /// The name of its file or folder, or the one it was made with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 as `sha256:<hex>`: of a GGUF file; of a PEFT folder as
    /// `sha256sum adapter_config.json adapter_model.safetensors | sha256sum` prints it.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The matrices that it changes and how.
    pub fn changes(&self) -> impl ExactSizeIterator<Item = (Target, &LowRank)> {
        self.changes.values().map(|(target, change)| (*target, change))
    }

    /// How it changes a matrix, if it does.
    pub fn change(&self, target: Target) -> Option<&LowRank> {
        self.changes.get(&target.key()).map(|(_, change)| change)
    }

    /// Values in all factors together.
    pub fn parameters(&self) -> usize {
        self.changes().map(|(_, c)| c.rank() * (c.outputs() + c.inputs())).sum()
    }

    /// Whether it was made for such a model.
    ///
    /// # Errors
    /// If it was not.
    pub(crate) fn check(&self, spec: &DecoderSpec) -> Result<()> {
        let fits = self.spec.width == spec.width
            && self.spec.layers == spec.layers
            && self.spec.rope.pairing == spec.rope.pairing
            && self.changes().all(|(target, _)| shape(&self.spec, target) == shape(spec, target));
        match fits {
            true => Ok(()),
            false => {
                let what = "it was opened for another model than this one".to_string();
                Err(fault(Path::new(&self.name), what))
            }
        }
    }

    /// Saves it as PEFT does: `adapter_config.json` and `adapter_model.safetensors` in `folder`,
    /// which is made if it is not there. `base` is what the adapter is for, as a name or path. The
    /// scale of every module is exact; a rank-stabilised scale is written as a plain one.
    ///
    /// # Errors
    /// If the adapter is not for `checkpoint`'s model, or the files cannot be written.
    pub fn save_peft(&self, folder: &Path, checkpoint: &Checkpoint, base: &str) -> Result<()> {
        self.check(checkpoint.spec())?;
        peft::save(self, folder, checkpoint, base)
    }

    /// Saves it as a GGUF file that llama.cpp reads, in `F32`. Such a file has one alpha for all
    /// of its matrices: where an adapter's scales need several, the rest goes into B, rounded.
    /// Where the output is the embedding, llama.cpp itself takes no change of either.
    ///
    /// # Errors
    /// If the adapter is not for `checkpoint`'s model, that has no name in GGUF, or the file
    /// cannot be written.
    pub fn save_gguf(&self, path: &Path, checkpoint: &Checkpoint) -> Result<()> {
        self.check(checkpoint.spec())?;
        gguf::save(self, path, checkpoint)
    }
}

/// The shape of a target: `[outputs, inputs]`; none if the model has no such matrix.
fn shape(spec: &DecoderSpec, Target { weight, expert }: Target) -> Option<[usize; 2]> {
    let is_output = weight == WeightId { layer: 0, part: Part::Output };
    let layered = weight.layer < spec.layers && (spec.has(weight) || is_output);
    match (spec.shape(weight.part).as_slice(), expert) {
        (&[outputs, inputs], None) if layered => Some([outputs, inputs]),
        (&[experts, outputs, inputs], Some(expert)) if layered && expert < experts => {
            Some([outputs, inputs])
        }
        _ => None,
    }
}

fn fault(file: &Path, what: String) -> Error {
    Error::Adapter { file: file.to_path_buf(), what }
}

/// What a file's name for a module stands for, or an error that names it.
fn find<'a>(
    file: &Path,
    modules: &'a BTreeMap<String, Module>,
    name: &str,
    spec: &DecoderSpec,
) -> Result<&'a Module> {
    let plain = plain_name(name);
    modules.get(&plain).ok_or_else(|| {
        let kind = spec.architecture;
        fault(
            file,
            format!("`{name}` is no matrix of this {kind} model with {} layers", spec.layers),
        )
    })
}
