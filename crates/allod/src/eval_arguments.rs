//! What a person types after `allod eval`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::arguments::ModelArguments;

/// `allod eval`
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Search a set in the layout of BEIR and say how well its passages are found
    Retrieval(EvalRetrievalArguments),
    /// How well false claims are told from true ones by the text that they cite
    Citations(EvalCitationsArguments),
    /// Ask the questions of a set in SQuAD layout and say how well they are answered
    Qa(EvalQaArguments),
    /// Whether instructions that are planted in documents and mails have an effect
    Injection(EvalInjectionArguments),
    /// Find how sure an answer must be for a rate of wrong ones, from questions with known answers
    Calibrate(EvalCalibrateArguments),
    /// How well personal data is found: precision, recall and F1 for each kind
    Privacy(EvalPrivacyArguments),
}

/// `allod eval privacy`
#[derive(Debug, Args)]
pub struct EvalPrivacyArguments {
    /// A set of presidio-research (synth_dataset_v2.json)
    #[arg(long, value_name = "FILE", conflicts_with = "set")]
    pub presidio: Option<PathBuf>,
    /// A set of your own in the same form, as a list or one object a line [default: texts in five
    /// languages, made from templates that nothing was tuned on]
    #[arg(long, value_name = "FILE")]
    pub set: Option<PathBuf>,
    /// Only templates whose number leaves this rest, as 1/2 or 2/2; the built-in tagger has learnt
    /// from the first half of presidio-research's
    #[arg(long, value_name = "K/N", value_parser = part)]
    pub part: Option<Part>,
    /// How often each template of the default set is filled
    #[arg(long, default_value_t = 12, value_name = "N")]
    pub times: usize,
    /// Another seed makes another default set
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub seed: u64,
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
    /// Make the cases from the half of the documents that the weights were fitted on
    #[arg(long)]
    pub fitted: bool,
    /// Print the cases that were judged wrongly
    #[arg(long)]
    pub mistakes: bool,
}

/// `allod eval qa`
#[derive(Debug, Args)]
pub struct EvalQaArguments {
    /// Questions in SQuAD layout; their articles are the documents
    #[arg(long, value_name = "FILE")]
    pub squad: PathBuf,
    /// The calibration to answer by [default: the built-in one]
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Answer so that at most this share of the answers is wrong, whatever the policy says
    #[arg(long, value_name = "RATE", conflicts_with = "answer_all")]
    pub max_error: Option<f64>,
    /// Answer everything, however unsure
    #[arg(long)]
    pub answer_all: bool,
    #[command(flatten)]
    pub articles: ArticleArguments,
}

/// `allod eval injection`
#[derive(Debug, Args)]
pub struct EvalInjectionArguments {
    /// A folder of the BIPIA set: its attacks (text_attack_*.json, code_attack_*.json) and mails
    /// (email*.jsonl) [default: attacks written for this project]
    #[arg(long, value_name = "DIR")]
    pub bipia: Option<PathBuf>,
    /// More attacks: JSON, one JSON object a line, or one attack a line; can be given several times
    #[arg(long, value_name = "FILE")]
    pub prompts: Vec<PathBuf>,
    /// Documents to paste them into [default: the samples]
    #[arg(long, value_name = "DIR", requires = "questions")]
    pub documents: Option<PathBuf>,
    /// Questions about these documents: JSON lines with `question`
    #[arg(long, value_name = "FILE", requires = "documents")]
    pub questions: Option<PathBuf>,
    /// Texts without attacks, to count false alarms on: a file in SQuAD layout, a document, or a
    /// folder of documents; can be given several times
    #[arg(long, value_name = "PATH")]
    pub clean: Vec<PathBuf>,
    /// At most so many rounds; each pastes one attack into each document [default: until every
    /// attack has stood at the beginning, in the middle and at the end of a document]
    #[arg(long, value_name = "N")]
    pub rounds: Option<usize>,
    /// Plant them in titles, names, tables, lists, pictures and links instead of in paragraphs
    #[arg(long)]
    pub carriers: bool,
    /// Print every answer that was not the same, and every false alarm
    #[arg(long)]
    pub differences: bool,
    #[command(flatten)]
    pub model: ModelArguments,
}

/// `allod eval calibrate`
#[derive(Debug, Args)]
pub struct EvalCalibrateArguments {
    /// Questions in SQuAD layout; their articles are the documents
    #[arg(long, value_name = "FILE", required_unless_present = "questions")]
    pub squad: Option<PathBuf>,
    /// Questions about the documents of the data folder, one JSON object a line
    #[arg(long, value_name = "FILE", conflicts_with = "squad")]
    pub questions: Option<PathBuf>,
    /// At most this share of the answers may be wrong; can be given several times, to try several
    /// promises with --splits
    #[arg(long, default_value = "0.05", value_name = "RATE")]
    pub target: Vec<f64>,
    /// Where to write the calibration [default: calibration.json in the data folder]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Also try the promise: calibrate on half of the articles, measure on the other, N times
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub splits: usize,
    #[command(flatten)]
    pub articles: ArticleArguments,
    /// The day on which own questions are asked [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub on: Option<jiff::civil::Date>,
}

/// Which articles of a file in SQuAD layout.
#[derive(Clone, Debug, Args)]
pub struct ArticleArguments {
    /// Only every Nth article, beginning with the Kth
    #[arg(long, value_name = "K/N", value_parser = part)]
    pub part: Option<Part>,
    /// Leave every second paragraph out of the documents: nothing answers its questions
    #[arg(long)]
    pub withhold: bool,
}

/// Every so many articles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which, from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

fn part(text: &str) -> Result<Part, String> {
    let read = text
        .split_once('/')
        .and_then(|(number, of)| Some(Part { number: number.parse().ok()?, of: of.parse().ok()? }));
    let sound = |part: &Part| part.number >= 1 && part.number <= part.of;
    read.filter(sound).ok_or_else(|| "write it as 1/2 or 2/2".to_owned())
}
