//! The engine: many *sequences* at a time, each from a prompt to its last token.
//!
//! An [`Engine`] holds a model and writes completions for callers in any number of threads. One
//! thread of its own runs the model: in each step, every sequence that is being written gets a row,
//! and prompts are read in what room is left. Who comes next is decided by priority, and between
//! tenants so that all get as many tokens. A request gives the same tokens on every machine,
//! whatever the number of threads, the instruction set, the neighbours and the pieces in which its
//! prompt was read: the model's numbers are the same bits, and choosing is deterministic.
//!
//! ```no_run
//! use allod_engine::{Engine, GenerateRequest, Options, Prompt};
//! use std::ops::ControlFlow;
//! # fn main() -> Result<(), allod_engine::Error> {
//! let engine = Engine::load("model.gguf".as_ref(), Options::default())?;
//! let request = GenerateRequest {
//!     prompt: Prompt::Text("Once upon a time".to_string()),
//!     max_tokens: 64,
//!     ..GenerateRequest::default()
//! };
//! let generated = engine.generate(&request, &mut |_text| ControlFlow::Continue(()))?;
//! assert!(generated.completion_tokens <= 64);
//! # Ok(())
//! # }
//! ```

mod beginning;
mod candidates;
mod collect;
mod compiled;
mod conversation;
mod dialect;
mod draft;
mod encoder;
mod engine;
mod error;
mod field_script;
mod fields;
mod grammar;
mod habits;
mod job;
mod line;
mod pace;
mod penalties;
mod prefixes;
mod random;
mod reader;
mod request;
mod rows;
mod runner;
mod sampler;
mod sampling;
mod scheduler;
mod schema;
mod sequence;
mod speech;
mod split;
mod stop;
mod thought;
mod unkept;
mod vocabulary;
mod worker;

pub use allod_lm::{
    ActivationForm, CacheForm, FileList, Isa, Message, NUMERICS, Numerics, PAGE_FORMAT,
    PAGE_TOKENS, TemplateInput, Tokenizer,
};
pub use beginning::{Beginning, Prefix};
pub use collect::collect;
pub use conversation::template_reads;
pub use dialect::{Arguments, Around, Calls, Dialect, Fields};
pub use encoder::{EmbedTexts, EncoderProfile, Encodes, LoadEncoder, RankTexts};
pub use engine::{AdapterIdentity, CONTEXT_TOKENS_LEAST, Engine, ModelIdentity, Options};
pub use error::{Error, Result};
pub use grammar::Constraint;
pub use jiff::civil::Date;
pub use job::{Event, Inlet, Outlet, Submitted, connection};
pub use random::Random;
pub use reader::{Opening, Part, Reader};
pub use request::{
    CHOICES_MAX, ChosenToken, Completion, Finish, GenerateRequest, Generated, Piece, Priority,
    Prompt, TOP_LOGPROBS_MAX, Usage,
};
pub use rows::{STEP_ROWS, StepRows};
pub use runner::{InProcess, LoadEngine, Runner};
pub use sampler::{Past, Sampler};
pub use sampling::{Dry, Sampling};
pub use scheduler::Stats;
pub use speech::{Parallel, Speech, SpeechOptions, TOOLS_MAX, Told, Tool, ToolChoice};
pub use thought::{Thought, ThoughtBound};
pub use vocabulary::{Framing, Vocabulary};
