//! What went wrong with a cell.

#[cfg(target_os = "linux")]
use crate::layer::Layer;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong with a cell, and what to do.
///
/// The messages tell whoever handed a file in what became of its reader.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This system has no layer that a cell could be made of.
    #[error(
        "this system has no sandbox that Allod knows: use Linux, or allow a weaker sandbox \
         (--allow-weaker-sandbox)"
    )]
    NoSystem,
    /// The process could not be started or spoken with.
    #[error("the sandboxed process cannot be started: {source}")]
    Start {
        /// What the system says.
        source: std::io::Error,
    },
    /// The process that was to make cells ended before it made one.
    #[error(
        "the program cannot start itself as a process that reads in a sandbox: that ended at once \
         ({how}). So it is where an emulator, such as qemu, runs the program: take a build for \
         this machine's own processor, or go on without this sandbox (--allow-weaker-sandbox)"
    )]
    NotBegun {
        /// How it ended, and what it said.
        how: String,
    },
    /// A layer that must stand could not be raised, so nothing was read.
    #[error(
        "the sandbox lacks {layers}, so nothing was read: `allod doctor` says why; \
         --allow-weaker-sandbox goes on without"
    )]
    Layers {
        /// The layers, as words.
        layers: String,
    },
    /// A sealed program could still open a connection.
    #[error(
        "the program is not sealed: it could still {acts}; `allod doctor` says what is missing"
    )]
    NotSealed {
        /// The acts, by their names.
        acts: String,
    },
    /// More bytes than a cell takes.
    #[error("it has {bytes} bytes, and {limit} is the most that is handed to a reader")]
    RequestTooLong {
        /// The request's length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// More bytes than a cell may give back.
    #[error("reading it gave more than {limit} bytes, the limit: split the document")]
    AnswerTooLong {
        /// The limit.
        limit: usize,
    },
    /// It took longer than allowed.
    #[error(
        "reading it took longer than {seconds} s and was ended: split or simplify the document"
    )]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// It used more time on a processor than allowed.
    #[error(
        "reading it took more than {seconds} s of a processor and was ended: split or simplify \
         the document"
    )]
    CpuTime {
        /// The limit.
        seconds: u64,
    },
    /// It wanted more memory than allowed.
    #[error(
        "reading it took more than {mebibytes} MiB of memory and was ended: split the document"
    )]
    Memory {
        /// The limit.
        mebibytes: u64,
    },
    /// It was nested so deeply that the stack ran out.
    #[error("reading it ran out of stack and was ended: it is nested too deeply")]
    Stack,
    /// The reader panicked: a mistake in Allod.
    #[error("its reader failed: {message} (please report this)")]
    Panicked {
        /// What the panic said, cut to one short line.
        message: String,
    },
    /// The reader died of a signal.
    #[error("its reader crashed ({signal}) and was contained (please report this)")]
    Crashed {
        /// The signal's name.
        signal: String,
    },
    /// The reader ended or answered otherwise than agreed.
    #[error("its reader did not answer as agreed ({what}) and was contained (please report this)")]
    Garbled {
        /// What was not as agreed.
        what: &'static str,
    },
}

#[cfg(target_os = "linux")]
impl Error {
    pub(crate) fn start(error: impl Into<std::io::Error>) -> Error {
        Error::Start { source: error.into() }
    }

    pub(crate) fn layers(missing: &[Layer]) -> Error {
        let names: Vec<&str> = missing.iter().map(|layer| layer.name()).collect();
        Error::Layers { layers: names.join(", ") }
    }
}
