//! What can go wrong on the way to an answer.

use std::path::PathBuf;

/// Why there is no reply. A refusal is a reply, not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the installation cannot be used.
    #[error("{path}: {reason}")]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong and what to do.
        reason: String,
    },
    /// The policy file has mistakes.
    #[error("the policy {path} has mistakes:\n{mistakes}")]
    Policy {
        /// The policy file.
        path: PathBuf,
        /// Every mistake with line and column.
        mistakes: allod_policy::Mistakes,
    },
    /// The model or runtime that the policy or the command line names is not there.
    #[error("{0}")]
    NoModel(String),
    /// Prompts are not to be kept, nor is what is computed of them.
    #[error(
        "prefixes cannot be kept on disk, as the policy keeps no prompts (`logging.prompts: \
         not_retained`) and prefixes are made of them: leave --prefix-disk-mib out, or change \
         the policy"
    )]
    PromptsNotKept,
    /// The model's file was written to while the program ran.
    #[error(
        "{path} was written to after the model was opened, so nobody can say what it computes \
         with now, and nothing is answered: put the file back and start the program again. To \
         change a model, write another file and give it the name"
    )]
    Overwritten {
        /// The file.
        path: PathBuf,
    },
    /// An adapter's name that is no plain name.
    #[error(
        "`{field}` is `{given}`, but must be up to 100 letters, digits and `-_.:`, the first a \
         letter or digit: adapters lie in one folder of the server, so a name is enough"
    )]
    AdapterName {
        /// The field that it stands in.
        field: String,
        /// What was given.
        given: String,
    },
    /// No adapter of that name is there or loaded.
    #[error("there is no adapter `{name}`")]
    NoAdapter {
        /// The name.
        name: String,
    },
    /// An adapter that cannot be used with the model.
    #[error("the adapter `{name}` cannot be used: {reason}")]
    BadAdapter {
        /// What was given.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A model is called so already.
    #[error("a model is called `{name}` already; give the adapter another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The request is outside its limits.
    #[error("{0}")]
    Limit(String),
    /// The upstream could not be used.
    #[error("the upstream {url}: {reason}")]
    Upstream {
        /// Its address.
        url: String,
        /// What went wrong and what to do.
        reason: String,
    },
    /// Nothing is sent to the upstream for now.
    #[error("{reason}; try again in {retry_after_seconds} s, or change the policy")]
    Held {
        /// Why.
        reason: String,
        /// When something may be sent again.
        retry_after_seconds: u64,
    },
    /// A witness did not cosign the log.
    #[error("the witness {url}: {reason}")]
    Witness {
        /// Its address.
        url: String,
        /// What went wrong and what to do.
        reason: String,
    },
    /// A file that should be a bundle is none, or was changed.
    #[error("the bundle {reason}")]
    Bundle {
        /// What is wrong with it.
        reason: String,
    },
    /// A file that should hold erasures of this log does not.
    #[error("the file of erasures {reason}")]
    Erasures {
        /// What is wrong with it.
        reason: String,
    },
    /// The policy lets the personal data in a text go nowhere.
    #[error(transparent)]
    Private(#[from] allod_privacy::Error),
    /// The built-in engine failed.
    #[error(transparent)]
    Engine(#[from] allod_engine::Error),
    /// A model that reads failed.
    #[error(transparent)]
    Model(#[from] allod_lm::Error),
    /// The library failed.
    #[error(transparent)]
    Library(#[from] allod_retrieval::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] allod_store::Error),
    /// The ledger failed; without a receipt nothing is answered.
    #[error("no receipt could be written, so nothing is answered: {0}")]
    Ledger(#[from] allod_ledger::Error),
}
