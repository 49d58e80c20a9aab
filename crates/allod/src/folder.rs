//! Where the state lives.

use std::path::{Path, PathBuf};

use allod_answer::{Desk, DeskOptions, EncoderChoice, ModelChoice};
use allod_engine::InProcess;
use allod_ledger::Checkpoint;
use allod_ledger::receipt::Confinement;
use allod_policy::{Policy, Runtime};
use allod_registry::Registry;
use allod_retrieval::Library;
use allod_store::DATABASE_FILE;

use crate::arguments::Arguments;
use crate::cells::{self, Confined, Weaker};
use crate::engine_cells::{self, WhenNeeded};
use crate::log;
use crate::output::say;

/// The data folder and the policy that were named.
pub struct Place {
    /// The folder that holds all state.
    pub data: PathBuf,
    /// The policy file, if one was named.
    pub policy: Option<PathBuf>,
    /// What to do where the sandbox for documents is weaker than promised.
    pub weaker: Weaker,
}

impl Place {
    /// What the arguments name: flags over environment over the platform's own place.
    pub fn of(arguments: &Arguments) -> Place {
        let data = arguments.data.clone().unwrap_or_else(platform_folder);
        let allowed = arguments.allow_weaker_sandbox;
        let weaker = if allowed { Weaker::Allowed } else { Weaker::Refused };
        Place { data, policy: arguments.policy.clone(), weaker }
    }

    /// Who reads documents for this folder; refused where the sandbox does not hold.
    pub fn confined(&self) -> anyhow::Result<Confined> {
        cells::confine(&self.data, self.weaker)
    }

    /// The models of a desk with the place where they are to run, if there are any, and what
    /// receipts say of that place; refused where the sandbox does not hold.
    pub fn confined_models(
        &self,
        options: DeskOptions,
    ) -> anyhow::Result<(DeskOptions, Vec<String>)> {
        let reads = options.embedder.is_some() || options.reranker.is_some();
        if !reads && !self.writes(&options.model)? {
            return Ok((options, Vec::new()));
        }
        let engine_cells::Confined { loader, weaknesses } =
            engine_cells::confine(&self.data, self.weaker)?;
        let model = ModelChoice { loader: Some(loader.clone()), ..options.model };
        Ok((DeskOptions { model, encoders: Some(loader), ..options }, weaknesses))
    }

    /// Whether a model is to write here.
    fn writes(&self, choice: &ModelChoice) -> anyhow::Result<bool> {
        Ok(!choice.none && (choice.path.is_some() || runs_here(&self.read_policy()?)))
    }

    /// Loads models into cells, once one is needed.
    pub fn cells(&self) -> WhenNeeded {
        WhenNeeded::new(&self.data, self.weaker)
    }

    /// The models that were imported.
    pub fn models(&self) -> Registry {
        Registry::at(self.data.join("models"))
    }

    /// The path of a model that was given by path or by name.
    pub fn model(&self, given: &Path) -> anyhow::Result<PathBuf> {
        Ok(allod_answer::locate(&self.data.join("models"), given)?)
    }

    /// Opens the desk of this folder, with a model that runs in a cell.
    pub fn desk(&self, model: ModelChoice) -> anyhow::Result<Desk> {
        let options = DeskOptions { model, ..self.options() };
        let (options, weaknesses) = self.confined_models(options)?;
        let confinement = Confinement { weaknesses, ..Confinement::default() };
        self.open(&DeskOptions { confinement, ..options })
    }

    /// Opens the desk of this folder as said; from then on, lines of the log are as its policy
    /// says.
    pub fn open(&self, options: &DeskOptions) -> anyhow::Result<Desk> {
        log::follow(&self.read_policy()?.privacy);
        let desk = Desk::open(&self.data, options)?;
        if let count @ 1.. = desk.mended().len() {
            say(&format!(
                "WARNING: {count} subjects that the log says were erased were back in the store, \
                 as when an older allod.db is put back; they were erased again"
            ));
        }
        if let Some(file) = desk.store().plain_key_left() {
            say(&format!("WARNING: {}", left_in_plain(&file)));
        }
        Ok(desk)
    }

    /// The policy of this folder.
    pub fn read_policy(&self) -> anyhow::Result<Policy> {
        Ok(allod_answer::read_policy(&self.data, self.policy.as_deref())?)
    }

    /// Opens the library of this folder, without policy and ledger.
    pub fn library(&self) -> anyhow::Result<Library> {
        let store = allod_answer::open_store(&self.data)?;
        let choice = (&EncoderChoice::default(), (&InProcess as &_, None));
        Ok(allod_answer::open_library(&self.data, store, choice)?)
    }

    /// How this folder's desk is opened when nothing more is said.
    pub fn options(&self) -> DeskOptions {
        DeskOptions { policy: self.policy.clone(), ..DeskOptions::default() }
    }

    /// Opens the desk without any model, even if the policy names one.
    pub fn desk_without_model(&self) -> anyhow::Result<Desk> {
        let model = ModelChoice { none: true, ..ModelChoice::default() };
        self.desk(model)
    }
}

/// What to say of an operator's key that still lies in the data folder though it comes from
/// elsewhere.
pub fn left_in_plain(file: &Path) -> String {
    let file = file.display();
    format!(
        "the operator's key comes from elsewhere, but still lies in plain in {file}: whoever \
         copies the folder can read all words. It could be had from its new place just now, so \
         delete the file (`shred -u {file}`), and the backups that hold it"
    )
}

/// Whether a policy names a model that this program runs.
fn runs_here(policy: &Policy) -> bool {
    policy.runtime == Runtime::Allod && policy.model.is_some()
}

/// The ledger's head that the store of a data folder remembers; a log that is shorter was cut.
pub fn remembered(data: &Path) -> anyhow::Result<Option<Checkpoint>> {
    if !data.join(DATABASE_FILE).exists() {
        return Ok(None);
    }
    let store = allod_answer::open_store(data)?;
    Ok(allod_answer::remembered_head(store.as_ref())?)
}

fn platform_folder() -> PathBuf {
    let base = dirs::data_dir().unwrap_or_else(|| PathBuf::from("."));
    base.join("allod")
}
