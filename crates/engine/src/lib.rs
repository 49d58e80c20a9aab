//! The engine: one *sequence* after another, from a prompt to its last token.
//!
//! An [`Engine`] holds a model and writes completions: the prompt goes through the model in pieces,
//! then one token at a time is chosen by a [`Sampler`] and its text handed out. The same request
//! gives the same tokens on every machine, whatever the number of threads or the instruction set:
//! the model's numbers are the same bits, and choosing is deterministic.
//!
//! ```no_run
//! use allod_engine::{Engine, GenerateRequest, Options, Prompt, Sampling};
//! use std::ops::ControlFlow;
//! # fn main() -> Result<(), allod_engine::Error> {
//! let engine = Engine::load("model.gguf".as_ref(), Options::default())?;
//! let request = GenerateRequest {
//!     prompt: Prompt::Text("Once upon a time".to_string()),
//!     sampling: Sampling::default(),
//!     max_tokens: 64,
//!     stop: Vec::new(),
//!     adapter: None,
//! };
//! let generated = engine.generate(&request, &mut |_text| ControlFlow::Continue(()))?;
//! assert!(generated.completion_tokens <= 64);
//! # Ok(())
//! # }
//! ```

mod engine;
mod error;
mod queue;
mod random;
mod request;
mod sampler;
mod stop;
mod writer;

pub use allod_lm::{Isa, Message, NUMERICS, Tokenizer};
pub use engine::{AdapterIdentity, CONTEXT_TOKENS_LEAST, Engine, ModelIdentity, Options};
pub use error::{Error, Result};
pub use random::Random;
pub use request::{Finish, GenerateRequest, Generated, Prompt, Sampling};
pub use sampler::Sampler;
