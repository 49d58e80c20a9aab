//! What a person types after `allod eval`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `allod eval`
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Search a set in the layout of BEIR and say how well its passages are found
    Retrieval(EvalRetrievalArguments),
    /// How well false claims are told from true ones by the text that they cite
    Citations(EvalCitationsArguments),
}

/// `allod eval retrieval`
#[derive(Debug, Args)]
pub struct EvalRetrievalArguments {
    /// The folder with corpus.jsonl, queries.jsonl and qrels/test.tsv
    #[arg(long, value_name = "DIR")]
    pub beir: PathBuf,
    /// A model that turns texts into vectors: a name from `allod model list`, a .gguf file, or a
    /// folder [default: what is built in]
    #[arg(long, value_name = "MODEL", conflicts_with = "lexical")]
    pub encoder: Option<PathBuf>,
    /// Search by words alone
    #[arg(long)]
    pub lexical: bool,
}

/// `allod eval citations`
#[derive(Debug, Args)]
pub struct EvalCitationsArguments {
    /// Folders of acts and documents to make claims from [default: the samples]
    #[arg(value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// Measure on these cases instead: JSON lines with language, claim, cited and supported
    #[arg(long, value_name = "FILE", conflicts_with = "folders")]
    pub cases: Option<PathBuf>,
    /// At most so many cases of each kind and language
    #[arg(long, default_value_t = 60, value_name = "N")]
    pub most: usize,
    /// Another seed makes other cases
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub seed: u64,
    /// Print the cases that were judged wrongly
    #[arg(long)]
    pub mistakes: bool,
}
