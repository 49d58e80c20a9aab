//! What a person types to have the parts around the model measured.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::CallerArguments;

/// `allod bench gate`
#[derive(Debug, Args)]
pub struct BenchGateArguments {
    /// Requests in a second, all threads together
    #[arg(long, default_value_t = 2000, value_name = "N")]
    pub rate: u32,
    /// Threads that take them
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub threads: usize,
    /// How long they come
    #[arg(long, default_value_t = 20, value_name = "S")]
    pub seconds: u64,
}

/// `allod bench receipts`
#[derive(Debug, Args)]
pub struct BenchReceiptsArguments {
    /// A name from `allod model list`, a .gguf file, or a folder in Hugging Face layout
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// Clients that ask at one time
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub clients: usize,
    /// Words of each prompt
    #[arg(long, default_value_t = 64, value_name = "N")]
    pub prompt_words: usize,
    /// Tokens that each answer has at most
    #[arg(long, default_value_t = 64, value_name = "N")]
    pub answer_tokens: usize,
    /// Pairs of turns, one of each way
    #[arg(long, default_value_t = 24, value_name = "R")]
    pub turns: usize,
    /// About how long a turn lasts; several answers of a client should fit
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seconds: u64,
    /// Where the state of the measurement is kept for its time, on the disk that is meant
    /// [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `allod bench search`
#[derive(Debug, Args)]
pub struct BenchSearchArguments {
    /// A file with a question on each line
    #[arg(long, value_name = "FILE")]
    pub questions: PathBuf,
    /// Passages that each search gives
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub limit: usize,
    #[command(flatten)]
    pub caller: CallerArguments,
}
