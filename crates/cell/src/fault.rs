//! Errors of the engine, on their way.

use crate::wire::{Wire, wire_enum};
use allod_engine::Error;

/// What went wrong in a cell, as far as others can do something about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Text that the vocabulary cannot read.
    Text(String),
    /// What the chat template says of a conversation.
    Template(String),
    /// A model or an adapter that cannot be used.
    Unfit(String),
    PromptTooLong {
        prompt_tokens: usize,
        context_tokens: usize,
    },
    EmptyPrompt,
    UnknownAdapter {
        name: String,
        known: String,
    },
    AdapterTwice(String),
    TooManyAdapters(usize),
    Busy(u64),
    TenantBusy(u64),
    BiasToken {
        token: u32,
        vocabulary: usize,
    },
    Constraint(String),
    Vocabulary {
        token: u32,
        vocabulary: usize,
    },
    NotANumber(usize),
    Stopped,
    /// All else.
    Run(String),
}

wire_enum!(Fault {
    0 => Text(what),
    1 => Template(what),
    2 => Unfit(what),
    3 => PromptTooLong { prompt_tokens, context_tokens },
    4 => EmptyPrompt,
    5 => UnknownAdapter { name, known },
    6 => AdapterTwice(name),
    7 => TooManyAdapters(most),
    8 => Busy(seconds),
    9 => TenantBusy(seconds),
    10 => BiasToken { token, vocabulary },
    11 => Constraint(what),
    12 => Vocabulary { token, vocabulary },
    13 => NotANumber(tokens),
    14 => Stopped,
    15 => Run(what),
});

/// As the fault that it is.
impl Wire for Error {
    fn put(&self, out: &mut Vec<u8>) {
        Fault::from(self).put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        Fault::take(input).map(Error::from)
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Fault {
        use allod_lm::Error as Model;
        match error {
            Error::Model(Model::Text(what)) => Fault::Text(what.clone()),
            Error::Model(Model::Template(what)) => Fault::Template(what.clone()),
            Error::Model(other) => Fault::Unfit(other.to_string()),
            Error::Unfit { what } => Fault::Unfit(what.clone()),
            &Error::PromptTooLong { prompt_tokens, context_tokens } => {
                Fault::PromptTooLong { prompt_tokens, context_tokens }
            }
            Error::EmptyPrompt => Fault::EmptyPrompt,
            Error::UnknownAdapter { name, known } => {
                Fault::UnknownAdapter { name: name.clone(), known: known.clone() }
            }
            Error::AdapterTwice { name } => Fault::AdapterTwice(name.clone()),
            Error::TooManyAdapters { most } => Fault::TooManyAdapters(*most),
            Error::Busy { retry_after_seconds } => Fault::Busy(*retry_after_seconds),
            Error::TenantBusy { retry_after_seconds } => Fault::TenantBusy(*retry_after_seconds),
            &Error::BiasToken { token, vocabulary } => Fault::BiasToken { token, vocabulary },
            Error::Constraint { what } => Fault::Constraint(what.clone()),
            &Error::Vocabulary { token, vocabulary } => Fault::Vocabulary { token, vocabulary },
            Error::NotANumber { tokens } => Fault::NotANumber(*tokens),
            Error::Stopped => Fault::Stopped,
            Error::Run { what } => Fault::Run(what.clone()),
            // Parameters are checked before they are sent.
            Error::Sampling { .. }
            | Error::Count { .. }
            | Error::Thread(_)
            | Error::Down { .. } => Fault::Run(error.to_string()),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        match fault {
            Fault::Text(what) => allod_lm::Error::Text(what).into(),
            Fault::Template(what) => allod_lm::Error::Template(what).into(),
            Fault::Unfit(what) => Error::Unfit { what },
            Fault::PromptTooLong { prompt_tokens, context_tokens } => {
                Error::PromptTooLong { prompt_tokens, context_tokens }
            }
            Fault::EmptyPrompt => Error::EmptyPrompt,
            Fault::UnknownAdapter { name, known } => Error::UnknownAdapter { name, known },
            Fault::AdapterTwice(name) => Error::AdapterTwice { name },
            Fault::TooManyAdapters(most) => Error::TooManyAdapters { most },
            Fault::Busy(retry_after_seconds) => Error::Busy { retry_after_seconds },
            Fault::TenantBusy(retry_after_seconds) => Error::TenantBusy { retry_after_seconds },
            Fault::BiasToken { token, vocabulary } => Error::BiasToken { token, vocabulary },
            Fault::Constraint(what) => Error::Constraint { what },
            Fault::Vocabulary { token, vocabulary } => Error::Vocabulary { token, vocabulary },
            Fault::NotANumber(tokens) => Error::NotANumber { tokens },
            Fault::Stopped => Error::Stopped,
            Fault::Run(what) => Error::Run { what },
        }
    }
}
