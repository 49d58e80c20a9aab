//! What a person types.

use std::net::SocketAddr;
use std::path::PathBuf;

use allod_answer::WorkName;
use allod_lm::{Container, Format, Isa};
use allod_registry::Name;
use clap::{Args, Parser, Subcommand};

use crate::bench_arguments::{BenchGateArguments, BenchReceiptsArguments, BenchSearchArguments};
use crate::engine_arguments::{ActivationDtype, EngineArguments, KvCacheDtype};
use crate::eval_arguments::EvalCommand;
use crate::replay_arguments::{ExportCommand, PolicyCommand, ReplayArguments};

/// AI held outright: answers from your own documents that you can prove.
///
/// Exit codes: 0 done, 1 failed, 2 usage (`replay`: cannot be made again), 3 refused by policy.
#[derive(Debug, Parser)]
#[command(name = "allod", version, propagate_version = true)]
pub struct Arguments {
    /// The folder that holds all state [default: the platform's data directory]
    #[arg(long, global = true, env = "ALLOD_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// The policy file [default: allod.yaml in the data folder, else the built-in policy]
    #[arg(long, global = true, env = "ALLOD_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Read documents and run models even where the sandbox is weaker than promised; it is named
    /// what is missing, and receipts say so
    #[arg(long, global = true, env = "ALLOD_ALLOW_WEAKER_SANDBOX",
          value_parser = clap::builder::FalseyValueParser::new())]
    pub allow_weaker_sandbox: bool,

    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,

    /// Compute with these instructions only: scalar, neon, avx2, avx512 or amx; to compare speeds,
    /// as results are the same [default: the fastest of this processor]
    #[arg(long, global = true, env = "ALLOD_ISA", value_name = "NAME", value_parser = isa)]
    pub isa: Option<Isa>,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

fn isa(name: &str) -> Result<Isa, String> {
    let names = || Isa::ALL.map(Isa::name).join(", ");
    Isa::named(name).ok_or_else(|| format!("there are {}", names()))
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything on a sample municipality, in a scratch folder, with nothing to configure
    Demo(DemoArguments),
    /// Take documents in: pdf, md, html, rst, txt, docx, xlsx, pptx, odt, ods, odp, csv, eml, mbox,
    /// and zip of these; folders are walked
    Ingest(IngestArguments),
    /// Ask the documents
    Ask(AskArguments),
    /// Show the passages that bear on a query
    Search(SearchArguments),
    /// Do work with tools that the policy grants: answer, classify, summarise, letter, form
    #[command(subcommand)]
    Work(WorkCommand),
    /// Print the canonical text of a document version
    Show(ShowArguments),
    /// Serve the API and the console
    Serve(ServeArguments),
    /// Let a model write, without documents
    Generate(GenerateArguments),
    /// Measure how fast a model runs here
    Bench(BenchCommand),
    /// Bring models in, list them and look into them
    #[command(subcommand)]
    Model(ModelCommand),
    /// Show the tokens of a text, or the text of tokens
    Tokenize(TokenizeArguments),
    /// Turn lines of text into vectors
    Embed(EmbedArguments),
    /// Train an artifact from data, with the same bytes every time
    #[command(subcommand)]
    Tune(TuneCommand),
    /// Measure how good passages and answers are
    #[command(subcommand)]
    Eval(EvalCommand),
    /// Check and explain the policy
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Find personal data
    #[command(subcommand)]
    Privacy(PrivacyCommand),
    /// Show, verify and prove receipts
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Make a recorded answer again and compare it with its receipt, to the last bit
    ///
    /// Exit codes: 0 identical, 1 something differs, 2 it cannot be made again.
    Replay(ReplayArguments),
    /// Write what is recorded into one file
    #[command(subcommand)]
    Export(ExportCommand),
    /// The queue of requests that a person must decide
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Say what this machine can do, and try to break out of the sandbox
    Doctor,
    /// API keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Be a witness of another organisation's log: remember its head, and cosign what continues it
    Witness(WitnessArguments),
}

/// `allod export subject`
#[derive(Debug, Args)]
pub struct ExportSubjectArguments {
    /// The subject: its pseudonym as receipts show it, or the name that a program gave
    #[arg(value_name = "S")]
    pub subject: String,
    /// The tenant that it belongs to
    #[arg(long, default_value = "local", value_name = "TENANT")]
    pub tenant: String,
}

/// `allod privacy`
#[derive(Debug, Subcommand)]
pub enum PrivacyCommand {
    /// Show the personal data in a text: where, of what kind, how it was found
    Scan(PrivacyScanArguments),
}

/// `allod privacy scan`
#[derive(Debug, Args)]
pub struct PrivacyScanArguments {
    /// A text file; `-` for what is piped in
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print the text with marks in the place of what was found, instead of a list
    #[arg(long)]
    pub redact: bool,
}

/// `allod witness`
#[derive(Debug, Args)]
pub struct WitnessArguments {
    /// The witness's name, such as w.organisation.example
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// The key of a log: the text that the log's file `vkey` holds; once for each log
    #[arg(long = "log", required = true, value_name = "VKEY")]
    pub logs: Vec<String>,
    /// The address
    #[arg(long, default_value = "127.0.0.1:7998", value_name = "ADDRESS")]
    pub listen: SocketAddr,
}

/// `allod demo`
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Answer all sample questions, print the scores and end
    #[arg(long)]
    pub once: bool,
    /// The console's address
    #[arg(long, default_value = "127.0.0.1:7999", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Do not open a browser
    #[arg(long)]
    pub no_browser: bool,
}

/// `allod ingest`
#[derive(Debug, Args)]
pub struct IngestArguments {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// Which model writes.
#[derive(Debug, Clone, Args)]
pub struct ModelArguments {
    /// A model to write answers: a name from `allod model list`, a .gguf file, or a folder in
    /// Hugging Face layout
    #[arg(long, value_name = "MODEL")]
    pub model: Option<PathBuf>,
    /// Threads for the model [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// As whom one asks at the command line.
#[derive(Debug, Clone, Args)]
pub struct CallerArguments {
    /// An access label that you may read; can be given several times
    #[arg(long = "clearance", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// The date whose law counts [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub on: Option<jiff::civil::Date>,
    /// The question's language: de, fr, it, rm, en [default: detected]
    #[arg(long, value_name = "CODE")]
    pub language: Option<String>,
}

/// `allod ask`
#[derive(Debug, Args)]
pub struct AskArguments {
    /// The question
    pub question: String,
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub caller: CallerArguments,
}

/// `allod work`
#[derive(Debug, Subcommand)]
pub enum WorkCommand {
    /// Show what can be done, with which tools, and the templates of letters and forms
    List,
    /// Do a piece of work
    Run(WorkArguments),
}

/// `allod work run`
#[derive(Debug, Args)]
pub struct WorkArguments {
    /// Which: answer, classify, summarise, letter or form
    #[arg(value_name = "NAME", value_parser = work_name)]
    pub name: WorkName,
    /// What is asked, in the asker's words
    #[arg(default_value = "")]
    pub request: String,
    /// The document that it is about, by its path as ingested or by its digest
    #[arg(long, value_name = "DOCUMENT")]
    pub document: Option<String>,
    /// The template of a letter or form: a name from `allod work list`
    #[arg(long, value_name = "NAME")]
    pub template: Option<String>,
    /// A field of the template; can be given several times
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
    pub fields: Vec<(String, String)>,
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub caller: CallerArguments,
}

fn work_name(name: &str) -> Result<WorkName, String> {
    let known = WorkName::ALL.into_iter().find(|work| work.word() == name);
    known.ok_or_else(|| format!("there are {}", WorkName::ALL.map(WorkName::word).join(", ")))
}

fn field(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(name, value)| (name.trim().into(), value.into()));
    pair.ok_or_else(|| "write it as name=value".to_owned())
}

/// `allod search`
#[derive(Debug, Args)]
pub struct SearchArguments {
    /// The query
    pub query: String,
    /// How many passages
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub limit: usize,
    #[command(flatten)]
    pub caller: CallerArguments,
}

/// `allod show`
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The digest of the version, as citations name it (`sha256:…`)
    pub digest: String,
}

/// `allod serve`
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// The address; others than loopback need an API key (`allod key create`)
    #[arg(long, default_value = "127.0.0.1:7999", env = "ALLOD_LISTEN", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Ask for a key on loopback too; needed behind a proxy, whose callers all seem to be local
    #[arg(long)]
    pub require_key: bool,
    #[command(flatten)]
    pub tls: TlsArguments,
    #[command(flatten)]
    pub model: ModelArguments,
    /// A model for `/v1/embeddings`: a name from `allod model list`, a .gguf file, or a folder
    #[arg(long, value_name = "MODEL")]
    pub embedder: Option<PathBuf>,
    /// A model for `/v1/rerank`: a name from `allod model list`, or a folder
    #[arg(long, value_name = "MODEL")]
    pub reranker: Option<PathBuf>,
    #[command(flatten)]
    pub engine: EngineArguments,
    #[command(flatten)]
    pub adapters: AdapterArguments,
    /// Disk for keys and values of prompts that several requests begin with, sealed, for the next
    /// start [default: none]
    #[arg(long, value_name = "MIB")]
    pub prefix_disk_mib: Option<u64>,
    /// Requests that run a model at one time; more wait, those of each tenant in turn
    #[arg(long, value_name = "N")]
    pub answering_max: Option<usize>,
    /// Let the whole program open no outgoing connection at all, and prove it at start by trying
    #[arg(long)]
    pub sealed: bool,
    /// Requests that wait; more are turned away with 503
    #[arg(long, value_name = "N")]
    pub waiting_max: Option<usize>,
    /// And of one tenant; more are turned away with 429
    #[arg(long, value_name = "N")]
    pub waiting_per_tenant_max: Option<usize>,
}

/// What TLS is served with.
#[derive(Debug, Clone, Default, Args)]
pub struct TlsArguments {
    /// Serve TLS with this certificate (PEM, with those that lead to a root); read again when it
    /// changes
    #[arg(long, env = "ALLOD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM); nobody else may be able to read it
    #[arg(long, env = "ALLOD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve only clients with a certificate that one of these authorities issued (PEM); an API key
    /// is needed besides
    #[arg(long, env = "ALLOD_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
}

/// The adapters of the model.
#[derive(Debug, Clone, Default, Args)]
pub struct AdapterArguments {
    /// The folder that adapters can be loaded from [default: adapters in the data folder]
    #[arg(long, value_name = "DIR")]
    pub adapters: Option<PathBuf>,
    /// An adapter in that folder to load at once; can be given several times
    #[arg(long = "adapter", value_name = "NAME")]
    pub loaded: Vec<String>,
    /// Adapters that can be loaded at one time [default: 1024]
    #[arg(long, value_name = "N")]
    pub adapters_max: Option<usize>,
}

/// `allod generate`
#[derive(Debug, Args)]
pub struct GenerateArguments {
    /// A name from `allod model list`, a .gguf file, or a folder in Hugging Face layout
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// The text to go on from
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub prompt: String,
    /// Put the prompt through the model's chat template
    #[arg(long)]
    pub chat: bool,
    /// At most so many tokens
    #[arg(long, default_value_t = 256, value_name = "N")]
    pub max_tokens: usize,
    /// 0 takes the likeliest token each time
    #[arg(long, default_value_t = 0.8, value_name = "T")]
    pub temperature: f32,
    /// Only the K likeliest tokens; 0 for all
    #[arg(long, default_value_t = 0, value_name = "K")]
    pub top_k: usize,
    /// Only the likeliest tokens that together have probability P
    #[arg(long, default_value_t = 1.0, value_name = "P")]
    pub top_p: f32,
    /// Only tokens at least P times as likely as the likeliest
    #[arg(long, default_value_t = 0.0, value_name = "P")]
    pub min_p: f32,
    /// Above 1, tokens that stand in the text already become less likely
    #[arg(long, default_value_t = 1.0, value_name = "R")]
    pub repetition_penalty: f32,
    /// The same seed gives the same text
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// A text that ends the answer; can be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `allod bench`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BenchCommand {
    #[command(flatten)]
    pub model: Option<BenchArguments>,
    /// What to measure instead
    #[command(subcommand)]
    pub what: Option<BenchWhat>,
}

/// What else can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchWhat {
    /// Load a server with many clients: short chats, long prompts, cancellations, schemas, tools
    Serve(BenchServeArguments),
    /// Search the library of this data folder, one question after the other
    Search(BenchSearchArguments),
    /// What a request costs before a model sees it: key, policy, personal data
    Gate(BenchGateArguments),
    /// What receipts cost: throughput and time with them and without
    Receipts(BenchReceiptsArguments),
}

/// `allod bench serve`
#[derive(Debug, Args)]
pub struct BenchServeArguments {
    /// The model of a server that is started for this: a name, a .gguf file or a folder
    #[arg(long, value_name = "MODEL", conflicts_with = "url", required_unless_present = "url")]
    pub model: Option<PathBuf>,
    /// A server that runs already, as http://127.0.0.1:7999
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// A key for it, one of each tenant; can be given several times
    #[arg(long = "key", value_name = "KEY", requires = "url")]
    pub keys: Vec<String>,
    /// The model to ask there [default: the first that writes]
    #[arg(long, value_name = "NAME", requires = "url")]
    pub ask: Option<String>,
    /// Clients that ask at one time
    #[arg(long, default_value_t = 64, value_name = "N")]
    pub clients: usize,
    /// How long they ask
    #[arg(long, default_value_t = 60, value_name = "S")]
    pub seconds: u64,
    /// Tenants of a server that is started; the second has twice the first's clients, and so on
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub tenants: usize,
    /// Random adapters of a server that is started; half of the requests ask for one
    #[arg(long = "adapters", default_value_t = 8, value_name = "N")]
    pub adapters: usize,
    /// Tokens of a long prompt; as many as there is room for, if that is less
    #[arg(long, default_value_t = 16384, value_name = "N")]
    pub long_tokens: usize,
    /// Tokens that an answer has at most
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub answer_tokens: usize,
    /// Threads for the model of a server that is started [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub engine: EngineArguments,
}

/// `allod bench` of a model
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// A name from `allod model list`, a .gguf file, or a folder in Hugging Face layout
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// Tokens of the prompts whose reading is measured
    #[arg(long, default_value_t = 512, value_name = "N")]
    pub prompt: usize,
    /// Tokens that each sequence writes
    #[arg(long, default_value_t = 64, value_name = "N")]
    pub generate: usize,
    /// Tokens that stand before what is written
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub depth: usize,
    /// Tokens that all sequences have in common before that; they are read once
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub shared: usize,
    /// Sequences that are written at one time
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub batch: usize,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// How often each is measured; medians are printed
    #[arg(long, default_value_t = 3, value_name = "R")]
    pub repeat: usize,
    /// How keys and values are kept
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub kv_cache_dtype: KvCacheDtype,
    /// How activations are multiplied with quantised weights; `auto` is what a processor would take
    /// whose best instruction set is the one in use
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub activation_dtype: ActivationDtype,
    /// Run the model in a cell, as `serve` does; the memory that is printed is then not the model's
    #[arg(long)]
    pub in_cell: bool,
}

/// `allod model`
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Check a model and keep a copy of it in the data folder, under a name
    Import(ImportArguments),
    /// List the models that were imported
    List,
    /// Say what a model is, whether it can be used, and if not, why
    Inspect {
        /// A name from `allod model list`, a .gguf file, or a folder in Hugging Face layout
        #[arg(value_name = "MODEL")]
        model: PathBuf,
        /// Where the chat template is as it was published: a folder, .gguf file or template
        #[arg(long, value_name = "PATH")]
        published: Option<PathBuf>,
        /// Also read all files of an imported model and compare their digests
        #[arg(long)]
        verify: bool,
    },
    /// Write a model in another format
    Convert(ConvertArguments),
    /// Write a quantised model's weights in the order in which they are used into a file beside
    /// it, so that it starts faster
    Pack {
        /// A name from `allod model list`, a .gguf file, or a folder in Hugging Face layout
        #[arg(value_name = "MODEL")]
        model: PathBuf,
        /// Delete that file
        #[arg(long)]
        remove: bool,
    },
    /// Take a name away, and the files if no other name stands for them
    Remove {
        /// The name
        name: Name,
    },
}

/// `allod model import`
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// A .gguf file (any part of a split one), or a folder in Hugging Face layout
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// What to call it [default: the file's or folder's own name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,
    /// Link the files instead of copying them; they must not be changed afterwards
    #[arg(long)]
    pub link: bool,
}

/// `allod model convert`
#[derive(Debug, Args)]
pub struct ConvertArguments {
    /// A name from `allod model list`, a .gguf file, or a folder in Hugging Face layout
    #[arg(value_name = "SOURCE")]
    pub source: PathBuf,
    /// The file or folder to write; it must not be there
    #[arg(value_name = "TARGET")]
    pub target: PathBuf,
    /// How matrices are stored: f32, f16, bf16, q8_0, q4_0, q4_1, q5_0 or q5_1 [default: as in the
    /// source]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub format: Option<Format>,
    /// gguf or safetensors [default: gguf where the target ends in .gguf, else safetensors]
    #[arg(long, value_name = "KIND", value_parser = container)]
    pub container: Option<Container>,
}

/// `allod embed`
#[derive(Debug, Args)]
pub struct EmbedArguments {
    /// A name from `allod model list`, a .gguf file, or a folder in Hugging Face layout
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// The file with a text a line; `-` or nothing reads standard input
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// The texts are questions: what the model puts before questions is put before them
    #[arg(long)]
    pub query: bool,
    /// The texts are documents: what the model puts before documents is put before them
    #[arg(long, conflicts_with = "query")]
    pub document: bool,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `allod tune`
#[derive(Debug, Subcommand)]
pub enum TuneCommand {
    /// Train the table of words behind the built-in search vectors (docs/embedder.md)
    Embed(TuneEmbedArguments),
}

/// `allod tune embed`
#[derive(Debug, Args)]
pub struct TuneEmbedArguments {
    /// Folders with de|fr|it|en.train.jsonl and with GT.de and GT.rm
    #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// JSON lines whose `sr` names acts that are not trained on
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub held_out: Vec<PathBuf>,
    /// The table's file
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Steps [default: the recipe's]
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Threads [default: all cores]; the bytes do not depend on them
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `allod tokenize`
#[derive(Debug, Args)]
pub struct TokenizeArguments {
    /// A model, or just its vocabulary: a name from `allod model list`, a .gguf file, a folder, a
    /// tokenizer.json or a SentencePiece .model
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// The text; `-` or nothing reads standard input
    pub text: Option<String>,
    /// Recognise special tokens that the text spells; without it they are text
    #[arg(long)]
    pub special: bool,
    /// Add what the vocabulary puts before and after a whole text
    #[arg(long)]
    pub whole: bool,
    /// Give the text of these tokens instead: numbers parted by commas or spaces
    #[arg(long, value_name = "IDS", conflicts_with_all = ["text", "special", "whole"])]
    pub decode: Option<String>,
}

/// `allod ledger`
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Print a receipt, or the newest ones
    Show {
        /// The entry's index
        index: Option<u64>,
        /// Also print what was asked and answered, if it is kept
        #[arg(long)]
        payload: bool,
        /// How many of the newest, when no index is given
        #[arg(long, default_value_t = 10, value_name = "N",
              value_parser = clap::value_parser!(u64).range(1..))]
        last: u64,
    },
    /// Check every byte of the log
    Verify {
        /// Also check that the log continues this checkpoint, which someone kept
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// Also hold the files of this model against those that receipts name
        #[arg(long, value_name = "M")]
        model: Option<PathBuf>,
    },
    /// Destroy the key of a data subject and all that it sealed; the log goes on to verify
    Erase {
        /// The subject: its pseudonym as receipts show it, or the name that a program gave
        #[arg(long, value_name = "S", required_unless_present = "again")]
        subject: Option<String>,
        /// The tenant that it belongs to
        #[arg(long, default_value = "local", value_name = "TENANT")]
        tenant: String,
        /// Erase all again whom this file names, after a backup was put back; `allod ledger
        /// erasures` writes it
        #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "tenant"])]
        again: Option<PathBuf>,
    },
    /// Write all erasures with their proofs into a file, to be kept apart from backups
    Erasures {
        /// The file to write; it names people by their pseudonyms
        #[arg(long, value_name = "FILE")]
        export: PathBuf,
    },
    /// Delete what has been kept longer than the policy's `retention` says
    Expire,
    /// Write a C2SP tlog-proof of an entry that others can check
    Prove {
        /// The entry's index
        index: u64,
    },
    /// Let the policy's witnesses cosign the log's head now
    Witness,
}

/// `allod review`
#[derive(Debug, Subcommand)]
pub enum ReviewCommand {
    /// List the queue
    List {
        /// Resolved entries too
        #[arg(long)]
        all: bool,
    },
    /// Show one entry with its evidence and draft
    Show {
        /// The entry's id
        id: String,
    },
    /// Decide an entry
    Resolve {
        /// The entry's id
        id: String,
        /// approve, amend or reject
        #[arg(long, value_name = "VERDICT")]
        verdict: String,
        /// Who decides
        #[arg(long, value_name = "NAME", value_parser = name)]
        by: String,
        /// Why; needed with `reject`
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
        /// The answer to give, with `amend`
        #[arg(long, value_name = "TEXT")]
        answer: Option<String>,
    },
}

/// `allod key`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; it is shown once
    Create {
        /// Whose key it is
        #[arg(long, value_name = "NAME", value_parser = name)]
        name: String,
        /// The tenant; `*` for an auditor of all tenants
        #[arg(long, default_value = "local", value_name = "TENANT", value_parser = name)]
        tenant: String,
        /// An access label that the key may read; can be given several times
        #[arg(long = "clearance", value_name = "LABEL", value_parser = name)]
        labels: Vec<String>,
        /// What the key may do; docs/api.md has a table
        #[arg(long, default_value = "user", value_name = "ROLE",
              value_parser = allod_server::ROLES)]
        role: String,
    },
    /// List the keys
    List,
    /// End a key
    Revoke {
        /// The key's id
        id: String,
    },
}

fn format(text: &str) -> Result<Format, String> {
    let names = ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1"];
    let small = text.to_lowercase();
    let known = names.contains(&small.as_str());
    let found = known.then(|| Format::from_name(&small.to_uppercase())).flatten();
    found.ok_or_else(|| format!("use one of {}", names.join(", ")))
}

fn container(text: &str) -> Result<Container, String> {
    match text {
        "gguf" => Ok(Container::Gguf),
        "safetensors" => Ok(Container::Safetensors),
        _ => Err("use gguf or safetensors".into()),
    }
}

/// A name is recorded and shown in lists: one line, and not nothing.
fn name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a name cannot be empty".into()),
        name if name.contains(char::is_control) => Err("a name is one line of plain text".into()),
        name => Ok(name.into()),
    }
}
