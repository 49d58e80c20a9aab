//! Which architecture a checkpoint is of, and the spec that it describes.

use super::config_values::Values;
use super::{Architecture, Described, ENCODERS, Settings};
use crate::error::{Error, Result};
use crate::spec::ModelSpec;
use allod_weights::TensorFile;

/// The key of config.json that names the architecture, and the one of GGUF.
const CONFIG_KEY: &str = "model_type";
const GGUF_KEY: &str = "general.architecture";

/// An architecture, and a spec that it gave.
type Found<S> = (&'static Architecture<S>, S);

/// Reads the spec that config.json describes.
pub(crate) fn from_config<S: Described>(settings: &Settings) -> Result<Found<S>> {
    let known = |architecture: &Architecture<S>| architecture.model_types;
    let architecture = find(settings, S::architectures(), CONFIG_KEY, known)?;
    check(settings, (architecture.config)(settings)?).map(|spec| (architecture, spec))
}

/// Reads the spec that a GGUF file's keys describe.
pub(crate) fn from_gguf<S: Described>(settings: &Settings, file: &TensorFile) -> Result<Found<S>> {
    let known = |architecture: &Architecture<S>| architecture.gguf_names;
    let architecture = find(settings, S::architectures(), GGUF_KEY, known)?;
    check(settings, (architecture.gguf)(settings, file)?).map(|spec| (architecture, spec))
}

/// The architecture of a spec that one of them gave.
pub(crate) fn named<S: Described>(name: &str) -> Option<&'static Architecture<S>> {
    S::architectures().iter().find(|architecture| is_called(architecture, name))
}

/// The architectures whose folders can hold what a spec describes, with their config.json: its own,
/// or those whose GGUF files bear its name.
pub(crate) fn configs<S: Described>(
    spec: &S,
) -> impl Iterator<Item = (&'static Architecture<S>, Values)> {
    let own = named::<S>(spec.architecture());
    let name = own.and_then(Architecture::gguf_name);
    let kin = move |other: &&'static Architecture<S>| {
        other.gguf_alias.is_some() && other.gguf_alias == name
    };
    let candidates = own.into_iter().chain(S::architectures().iter().filter(kin));
    candidates.filter_map(|candidate| Some((candidate, candidate.config_of(spec)?)))
}

/// Whether the architecture that the settings name is an encoder's.
pub(crate) fn names_encoder(settings: &Settings) -> Result<bool> {
    let name = match settings.text_if_any(CONFIG_KEY)? {
        Some(name) => name,
        None => settings.text(GGUF_KEY)?,
    };
    Ok(is_encoder(name))
}

/// Whether checkpoints call an encoder so.
pub(crate) fn is_encoder(name: &str) -> bool {
    ENCODERS.iter().any(|architecture| is_called(architecture, name))
}

fn is_called<S>(architecture: &Architecture<S>, name: &str) -> bool {
    architecture.model_types.contains(&name) || architecture.gguf_names.contains(&name)
}

fn find<S>(
    settings: &Settings,
    all: &'static [Architecture<S>],
    key: &str,
    known: fn(&Architecture<S>) -> &'static [&'static str],
) -> Result<&'static Architecture<S>> {
    let name = settings.text(key)?;
    let found = all.iter().find(|architecture| known(architecture).contains(&name));
    found.ok_or_else(|| {
        let all: Vec<&str> = all.iter().flat_map(known).copied().collect();
        let supported = format!("supported: {}", all.join(", "));
        let what = format!("the architecture `{name}` (`{key}`)");
        Error::Unsupported { file: settings.file().to_path_buf(), what, supported }
    })
}

fn check<S: ModelSpec>(settings: &Settings, spec: S) -> Result<S> {
    match spec.fault() {
        Some(what) => {
            Err(settings.bad("the settings as a whole", format!("are impossible: {what}")))
        }
        None => Ok(spec),
    }
}
