//! What a person types after `allod eval`.

use std::path::PathBuf;

use clap::Args;

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
