//! A request on its way through the worker, and what comes back to the caller, who may be in
//! another process.

use crate::engine::AdapterIdentity;
use crate::error::Error;
use crate::grammar::Guide;
use crate::line::Tenant;
use crate::request::{ChosenToken, Finish, Priority};
use crate::sampler::Sampler;
use crate::thought::Thought;
use allod_lm::Adapter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// A request that was found to be in order.
pub(crate) struct Job {
    pub prompt: Vec<u32>,
    /// For each completion that is written.
    pub samplers: Vec<Sampler>,
    /// What completions keep to.
    pub guide: Option<Guide>,
    pub max_tokens: usize,
    pub stop: Vec<String>,
    /// Special tokens that stand in the text.
    pub spelled: Vec<u32>,
    pub thought: Option<Thought>,
    pub adapter: Option<Arc<Adapter>>,
    /// What the request calls it.
    pub adapter_name: Option<Arc<str>>,
    pub tenant: Tenant,
    pub priority: Priority,
    pub top_logprobs: Option<usize>,
    pub outlet: Outlet,
}

/// A request that has its place in the line.
#[derive(Debug)]
pub struct Submitted {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// The adapter that the model runs with.
    pub adapter: Option<AdapterIdentity>,
    /// Where its events come from; none if nothing is to be written.
    pub inlet: Option<Inlet>,
}

/// What a caller hears of its request.
#[derive(Debug)]
pub enum Event {
    /// The prompt begins to be read, or goes on being read.
    Reading {
        /// Tokens that did not have to be read.
        cached: usize,
    },
    /// Text became certain.
    Text {
        /// Of which completion.
        choice: usize,
        /// More of it.
        text: String,
        /// The token that was written, if one was.
        token: Option<ChosenToken>,
        /// Why it ended, at its end.
        finish: Option<Finish>,
    },
    /// All is over.
    Failed(Error),
}

/// Where the worker puts events. Clones belong to the same caller.
#[derive(Debug, Clone)]
pub struct Outlet {
    events: Sender<Event>,
    unwanted: Arc<AtomicBool>,
}

impl Outlet {
    /// Tells the caller, if it still listens.
    pub fn put(&self, event: Event) {
        if self.events.send(event).is_err() {
            self.unwanted.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the caller wants no more.
    pub fn is_unwanted(&self) -> bool {
        self.unwanted.load(Ordering::Relaxed)
    }
}

/// The caller's end. When it is dropped, the request is no longer wanted.
#[derive(Debug)]
pub struct Inlet {
    /// What there is to hear.
    pub events: Receiver<Event>,
    unwanted: Arc<AtomicBool>,
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}

/// A caller's end, and the worker's.
pub fn connection() -> (Inlet, Outlet) {
    let (sender, receiver) = channel();
    let unwanted = Arc::new(AtomicBool::new(false));
    (Inlet { events: receiver, unwanted: unwanted.clone() }, Outlet { events: sender, unwanted })
}
