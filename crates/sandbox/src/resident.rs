//! A resident, seen from the program that started it.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::keeper::{NO_MEMORY, NO_STACK, name, one_short_line, says};
use crate::setup::{Purpose, RESIDENT, Setup};
use crate::shelf::{Shelf, hand_over, tend};
use crate::spawner::{Spawner, command};

/// So much of what a resident says outside of its answers is kept, from the end.
const WORDS_BYTES: usize = 4096;

/// So long a process may take to end once it has closed its way of answering.
const LINGER: Duration = Duration::from_secs(2);

/// A process that can reach nothing but the files of a shelf and the two ways to this program, and
/// lives until it is dropped.
///
/// It is this program, executed anew: `main` must call [`crate::enter_resident`].
#[derive(Debug)]
pub struct Resident {
    child: Mutex<Child>,
    /// Bounds what the messages say of its memory.
    memory_bytes: u64,
    words: Mutex<Option<JoinHandle<Vec<u8>>>>,
    /// The process dies with the thread that started it.
    _spawner: Spawner,
}

/// The two ways to a resident.
#[derive(Debug)]
pub struct Words {
    /// What it is asked goes in here.
    pub requests: UnixStream,
    /// What it answers comes from here; it ends when the process has ended.
    pub replies: ChildStdout,
}

impl Resident {
    /// Starts a process that is handed what lies on the shelf when it asks for it.
    ///
    /// # Errors
    /// [`Error::Start`] if there can be no further process.
    pub fn start(setup: &Setup, shelf: &Arc<Shelf>) -> Result<(Resident, Words)> {
        let setup = Setup { purpose: Purpose::Resident, ..setup.clone() };
        Resident::begin(&setup, shelf).map_err(Error::start)
    }

    fn begin(setup: &Setup, shelf: &Arc<Shelf>) -> io::Result<(Resident, Words)> {
        let (requests, asked) = UnixStream::pair()?;
        let (files, ask_files) = UnixStream::pair()?;
        let mut command = command(setup, RESIDENT);
        command.stdin(Stdio::from(OwnedFd::from(asked)));
        let spawner = Spawner::new()?;
        let mut child = spawner.spawn(command)?;
        let gone = || io::Error::other("a pipe to a new process is missing");
        let (replies, errors) = (child.stdout.take(), child.stderr.take());
        let memory_bytes = setup.limits.memory_bytes;
        let mut resident = Resident {
            child: Mutex::new(child),
            memory_bytes,
            words: Mutex::default(),
            _spawner: spawner,
        };
        resident.words = Mutex::new(Some(listen(errors.ok_or_else(gone)?)?));
        tend(Arc::clone(shelf), files)?;
        hand_over(&requests, &ask_files, 0)?;
        Ok((resident, Words { requests, replies: replies.ok_or_else(gone)? }))
    }

    /// Says how the process ended whose way of answering is closed. One that lives on all the same
    /// is ended.
    pub fn fallen(&self) -> Error {
        let until = Instant::now() + LINGER;
        while Instant::now() < until && matches!(self.child().try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
        self.end()
    }

    /// Ends the process if it lives still, and says how it ended.
    pub fn end(&self) -> Error {
        let mut child = self.child();
        let by_itself = matches!(child.try_wait(), Ok(Some(_)));
        if !by_itself {
            // What cannot be ended has ended meanwhile.
            let _ = child.kill();
        }
        let status = child.wait();
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner).take();
        let words = words.and_then(|words| words.join().ok()).unwrap_or_default();
        match status {
            Ok(status) if by_itself => self.judge(status, &words),
            _ => Error::Garbled { what: "it was ended" },
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, status: ExitStatus, words: &[u8]) -> Error {
        match status.signal() {
            _ if says(words, NO_MEMORY) => Error::Memory { mebibytes: self.memory_bytes >> 20 },
            _ if says(words, NO_STACK) => Error::Stack,
            Some(signal) => Error::Crashed { signal: name(signal) },
            None if words.is_empty() => Error::Garbled { what: "it ended early" },
            None => Error::Panicked { message: one_short_line(words) },
        }
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.end();
    }
}

/// Keeps the last words.
fn listen(mut errors: ChildStderr) -> io::Result<JoinHandle<Vec<u8>>> {
    let work = move || {
        let (mut kept, mut piece) = (Vec::new(), [0; 1024]);
        while let Ok(bytes @ 1..) = errors.read(&mut piece) {
            kept.extend_from_slice(&piece[..bytes]);
            let over = kept.len().saturating_sub(WORDS_BYTES);
            kept.drain(..over);
        }
        kept
    };
    thread::Builder::new().name("allod-words".to_owned()).spawn(work)
}
