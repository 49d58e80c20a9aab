//! What a person types to have recorded answers made again.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::arguments::{CallerArguments, ExportSubjectArguments, ModelArguments};

/// `allod replay`
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// The receipt: its index in the log
    #[arg(required_unless_present_any = ["bundle", "since", "all"])]
    pub receipt: Option<u64>,
    /// Replay a bundle instead, which `allod export receipt` wrote; no data folder is needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["receipt", "since", "all"])]
    pub bundle: Option<PathBuf>,
    /// The key that the bundle's log must have, as it was published: the text of its file `vkey`
    #[arg(long, value_name = "VKEY", requires = "bundle")]
    pub vkey: Option<String>,
    /// Replay all receipts since a day
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "receipt")]
    pub since: Option<jiff::civil::Date>,
    /// Replay all receipts
    #[arg(long, conflicts_with_all = ["receipt", "since"])]
    pub all: bool,
    #[command(flatten)]
    pub model: ModelArguments,
    /// The folder of adapters [default: adapters in the data folder]
    #[arg(long, value_name = "DIR")]
    pub adapters: Option<PathBuf>,
    /// Build the index from the kept texts even where the one of the data folder is still the same
    #[arg(long)]
    pub rebuild: bool,
}

/// `allod export`
#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// All that is kept of a data subject: what was asked, answered, reviewed and recorded
    Subject(ExportSubjectArguments),
    /// What was said of answers: question, answer, verdict and correction, one object a line
    Feedback {
        /// Only of this tenant's answers
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
    },
    /// A receipt with its proof, the words and all documents that its search could have found, for
    /// `allod replay --bundle` on another machine; all but the weights of the model
    Receipt {
        /// The receipt: its index in the log
        receipt: u64,
        /// The file to write; it holds what was asked and answered
        #[arg(long, value_name = "FILE")]
        bundle: PathBuf,
    },
}

/// `allod policy`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Say whether a policy file is right, with the place of every mistake
    Check {
        /// The file [default: the policy in use]
        file: Option<PathBuf>,
    },
    /// Say what the policy would decide on a question, and why; nothing is recorded
    Explain {
        /// The question
        question: String,
        #[command(flatten)]
        caller: CallerArguments,
    },
    /// Make every recorded decision again from its recorded facts, under the policy it names
    ///
    /// Exit codes: 0 all are the same, 1 one is not or its policy is missing.
    Replay {
        /// Those since a day [default: all]
        #[arg(long, value_name = "YYYY-MM-DD")]
        since: Option<jiff::civil::Date>,
    },
    /// Decide a table of cases and show what is decided otherwise than expected
    Test {
        /// The table: YAML with `cases`, each with `name`, `question` or `facts`, and `expect`
        file: PathBuf,
    },
    /// Say which recorded decisions another policy would change
    Diff {
        /// The policy that is: a file, or a digest that receipts name
        old: String,
        /// The policy that might be
        new: String,
        /// Requests since a day [default: all]
        #[arg(long, value_name = "YYYY-MM-DD")]
        since: Option<jiff::civil::Date>,
        /// Show the questions too, where they are kept
        #[arg(long)]
        words: bool,
    },
}
