//! Models are run in cells: what they may, and what becomes of a sandbox that does not hold.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use allod_engine::{
    EmbedTexts, Error, InProcess, LoadEncoder, LoadEngine, Options, RankTexts, Runner,
};
use allod_lm::EmbedOptions;
use allod_sandbox::Report;
use anyhow::bail;

use crate::cells::{Weaker, weaknesses};
use crate::output::say;

/// Loads models of any kind.
pub trait LoadModel: LoadEngine + LoadEncoder {}

impl<T: LoadEngine + LoadEncoder> LoadModel for T {}

/// Where models run, and what keeps them in.
#[derive(Clone)]
pub struct Confined {
    /// Loads models.
    pub loader: Arc<dyn LoadModel>,
    /// What receipts say about it: nothing where it is as promised.
    pub weaknesses: Vec<String>,
}

/// Makes a place for models, after trying to break out of a cell like theirs.
pub fn confine(data: &Path, weaker: Weaker) -> anyhow::Result<Confined> {
    let tested = test(data, weaker);
    let report = tested.as_ref().ok();
    if let Some(loader) = report.filter(|report| report.holds()).and_then(|_| in_cell(weaker)) {
        return Ok(Confined { loader, weaknesses: Vec::new() });
    }
    let wrong = match &tested {
        Ok(report) => report.summary(),
        Err(error) => error.to_string(),
    };
    if weaker == Weaker::Refused {
        bail!(
            "the sandbox for the model does not hold ({wrong}): `allod doctor` says more, \
             --allow-weaker-sandbox goes on with what there is"
        );
    }
    say(&format!("WARNING: the model runs in a weaker sandbox than promised: {wrong}"));
    let named = report.map_or_else(|| vec!["all".to_owned()], weaknesses);
    let weaknesses = named.into_iter().map(|name| format!("model: {name}")).collect();
    let cell = report.filter(|report| can_hand_over(report)).and_then(|_| in_cell(weaker));
    Ok(Confined { loader: cell.unwrap_or_else(|| Arc::new(InProcess)), weaknesses })
}

/// Tries to break out of a cell like those of models.
#[cfg(target_os = "linux")]
pub fn test(data: &Path, weaker: Weaker) -> allod_sandbox::Result<Report> {
    allod_sandbox::self_test(&setup(weaker), data)
}

/// A cell for models takes what only Linux has.
#[cfg(not(target_os = "linux"))]
pub fn test(data: &Path, weaker: Weaker) -> allod_sandbox::Result<Report> {
    allod_sandbox::self_test(&crate::cells::setup(weaker), data)
}

/// Without the filter nothing hands files over, and without it a cell is little of one.
#[cfg(target_os = "linux")]
fn can_hand_over(report: &Report) -> bool {
    !report.missing.contains(&allod_sandbox::Layer::Seccomp)
}

#[cfg(not(target_os = "linux"))]
fn can_hand_over(_report: &Report) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn setup(weaker: Weaker) -> allod_sandbox::Setup {
    let purpose = allod_sandbox::Purpose::Resident;
    allod_sandbox::Setup { purpose, ..crate::cells::setup(weaker) }
}

#[cfg(target_os = "linux")]
fn in_cell(weaker: Weaker) -> Option<Arc<dyn LoadModel>> {
    Some(Arc::new(allod_cell::InCell::new(setup(weaker))))
}

#[cfg(not(target_os = "linux"))]
fn in_cell(_weaker: Weaker) -> Option<Arc<dyn LoadModel>> {
    None
}

/// Loads models into cells, and tries to break out of one before the first: for what may need none.
pub struct WhenNeeded {
    data: PathBuf,
    weaker: Weaker,
    confined: Mutex<Option<Confined>>,
}

impl WhenNeeded {
    /// Cells beside this data folder.
    pub fn new(data: &Path, weaker: Weaker) -> WhenNeeded {
        WhenNeeded { data: data.into(), weaker, confined: Mutex::default() }
    }

    fn loader(&self) -> Result<Arc<dyn LoadModel>, Error> {
        let mut confined = self.confined.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(confined) = &*confined {
            return Ok(Arc::clone(&confined.loader));
        }
        let made = confine(&self.data, self.weaker);
        let made = made.map_err(|error| Error::Unfit { what: error.to_string() })?;
        Ok(Arc::clone(&confined.insert(made).loader))
    }
}

impl std::fmt::Debug for WhenNeeded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("WhenNeeded").field("data", &self.data).finish_non_exhaustive()
    }
}

impl LoadEngine for WhenNeeded {
    fn load(&self, path: &Path, options: Options) -> Result<Box<dyn Runner>, Error> {
        self.loader()?.load(path, options)
    }
}

impl LoadEncoder for WhenNeeded {
    fn load_embedder(
        &self,
        path: &Path,
        options: EmbedOptions,
    ) -> Result<Box<dyn EmbedTexts>, Error> {
        self.loader()?.load_embedder(path, options)
    }

    fn load_ranker(&self, path: &Path, options: EmbedOptions) -> Result<Box<dyn RankTexts>, Error> {
        self.loader()?.load_ranker(path, options)
    }
}
