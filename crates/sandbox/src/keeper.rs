//! A keeper, seen from the program that started it.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::end::{END_BYTES, End};
use crate::error::{Error, Result};
use crate::frame::{self, Kind};
use crate::layer::Layer;
use crate::limits::Limits;
use crate::setup::{KEEPER, Setup};
use crate::spawner::{Spawner, command};

/// So much of an answer is read at once.
const PIECE_BYTES: usize = 64 << 10;

/// What the last words of a cell tell by (Rust's own, when memory or stack runs out).
pub(crate) const NO_MEMORY: &[u8] = b"memory allocation of";
pub(crate) const NO_STACK: &[u8] = b"has overflowed its stack";

/// The longest word of a panic that is passed on.
const MESSAGE_CHARS: usize = 300;

/// How long a process may take to end whose pipes are closed.
const LINGER: Duration = Duration::from_secs(1);

/// What is not as agreed when a keeper has died.
pub(crate) const GONE: &str = "its keeper is gone";

/// A keeper and the pipes to it and to its cells.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: Child,
    requests: ChildStdin,
    ends: ChildStdout,
    answers: ChildStderr,
    /// Whether none of its cells has ended yet.
    is_new: bool,
}

/// What came of a request.
pub(crate) struct Asked {
    pub(crate) answer: Result<Vec<u8>>,
    /// The keeper, if it can be asked again.
    pub(crate) keeper: Option<Keeper>,
}

impl Keeper {
    pub(crate) fn start(spawner: &Spawner, setup: &Setup) -> io::Result<Keeper> {
        let mut child = spawner.spawn(command(setup, KEEPER))?;
        let gone = || io::Error::other("a pipe to a new process is missing");
        let requests = child.stdin.take().ok_or_else(gone)?;
        let ends = child.stdout.take().ok_or_else(gone)?;
        let answers = child.stderr.take().ok_or_else(gone)?;
        do_not_wait(&requests)?;
        do_not_wait(&ends)?;
        do_not_wait(&answers)?;
        Ok(Keeper { child, requests, ends, answers, is_new: true })
    }

    /// Asks a cell; whatever is not as agreed ends the keeper with it.
    pub(crate) fn ask(mut self, kind: Kind, body: &[u8], limits: &Limits) -> Asked {
        let mut talk = Talk::new(kind, body, limits);
        let held = talk.hold(&mut self);
        if let (Err(Error::Garbled { what: GONE }), true) = (&held, self.is_new)
            && let Some(how) = self.ended(&talk.answer)
        {
            return Asked { answer: Err(Error::NotBegun { how }), keeper: None };
        }
        self.is_new = false;
        match held.and_then(|end| talk.judge(end)) {
            Ok(answer) => Asked { answer: Ok(answer), keeper: Some(self) },
            Err(error) => Asked { answer: Err(error), keeper: None },
        }
    }
}

impl Keeper {
    /// How it ended by itself, with what it said; none if it was ended.
    fn ended(&mut self, said: &[u8]) -> Option<String> {
        let until = Instant::now() + LINGER;
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(2));
        }
        let code = self.child.try_wait().ok().flatten()?.code()?;
        let words = one_short_line(said);
        Some(match words.trim() {
            "" => format!("exit code {code}"),
            words => format!("exit code {code}: {words}"),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The group holds the cell as well; each also dies with its parent.
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn do_not_wait(pipe: &impl AsFd) -> io::Result<()> {
    let flags = fcntl_getfl(pipe)?;
    Ok(fcntl_setfl(pipe, flags | OFlags::NONBLOCK)?)
}

/// One request and what comes back.
struct Talk<'a> {
    header: [u8; frame::HEADER_BYTES],
    body: &'a [u8],
    sent: usize,
    answer: Vec<u8>,
    end: Vec<u8>,
    limits: &'a Limits,
    until: Instant,
}

impl Talk<'_> {
    fn new<'a>(kind: Kind, body: &'a [u8], limits: &'a Limits) -> Talk<'a> {
        let (answer, end) = (Vec::new(), Vec::new());
        let header = frame::header(kind, body.len());
        let until = Instant::now() + limits.wall;
        Talk { header, body, sent: 0, answer, end, limits, until }
    }

    /// Sends and receives until the keeper says how the cell ended; then everything that the cell
    /// wrote is in the pipe.
    fn hold(&mut self, keeper: &mut Keeper) -> Result<End> {
        loop {
            self.send(keeper);
            self.receive(keeper)?;
            if self.listen(keeper)? {
                self.receive(keeper)?;
                let end = self.end.first_chunk::<END_BYTES>().expect("listened to the end");
                return Ok(End::decode(*end));
            }
            self.wait(keeper)?;
        }
    }

    fn rest(&self) -> &[u8] {
        let header = self.header.get(self.sent..).unwrap_or_default();
        if header.is_empty() { &self.body[self.sent - self.header.len()..] } else { header }
    }

    fn send(&mut self, keeper: &mut Keeper) {
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return;
            }
            match keeper.requests.write(rest) {
                Ok(bytes) => self.sent += bytes,
                // Full for now, or the cell is gone: its end will say.
                Err(error) if error.kind() != ErrorKind::Interrupted => return,
                Err(_) => {}
            }
        }
    }

    fn receive(&mut self, keeper: &mut Keeper) -> Result<()> {
        let limit = self.limits.answer_bytes_max + frame::HEADER_BYTES;
        while read_some(&mut keeper.answers, &mut self.answer)? {
            if self.answer.len() > limit {
                return Err(Error::AnswerTooLong { limit: self.limits.answer_bytes_max });
            }
        }
        Ok(())
    }

    /// Whether the keeper has said how the cell ended.
    fn listen(&mut self, keeper: &mut Keeper) -> Result<bool> {
        while read_some(&mut keeper.ends, &mut self.end)? {}
        Ok(self.end.len() >= END_BYTES)
    }

    fn wait(&self, keeper: &Keeper) -> Result<()> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Err(Error::TimedOut { seconds: self.limits.wall.as_secs() });
        }
        let mut pipes = vec![
            PollFd::new(&keeper.ends, PollFlags::IN),
            PollFd::new(&keeper.answers, PollFlags::IN),
        ];
        if !self.rest().is_empty() {
            pipes.push(PollFd::new(&keeper.requests, PollFlags::OUT));
        }
        let left = Timespec::try_from(left).map_err(|_| Error::Garbled { what: "time limit" })?;
        match poll(&mut pipes, Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(Error::start(error)),
        }
    }

    /// The answer, or what its absence means.
    fn judge(&self, end: End) -> Result<Vec<u8>> {
        if let Some(signal) = end.signal() {
            return Err(self.fall(signal));
        }
        if end.code() != Some(0) {
            return Err(Error::Garbled { what: "it ended early" });
        }
        let answer = frame::only(&self.answer);
        let (kind, body) = answer.ok_or(Error::Garbled { what: "not one whole answer" })?;
        match kind {
            Kind::Layers => Err(Error::layers(&missing(body))),
            Kind::Panicked => Err(Error::Panicked { message: one_short_line(body) }),
            Kind::Done if end.left > 0 || !self.rest().is_empty() => {
                Err(Error::Garbled { what: "it did not read to the end" })
            }
            Kind::Done => Ok(body.to_vec()),
            Kind::Work | Kind::Acts => Err(Error::Garbled { what: "it asked" }),
        }
    }

    fn fall(&self, signal: i32) -> Error {
        match signal {
            libc::SIGXCPU => Error::CpuTime { seconds: self.limits.cpu_seconds },
            _ if says(&self.answer, NO_MEMORY) => {
                Error::Memory { mebibytes: self.limits.memory_bytes >> 20 }
            }
            _ if says(&self.answer, NO_STACK) => Error::Stack,
            _ => Error::Crashed { signal: name(signal) },
        }
    }
}

/// Whether these words stand in what a process wrote.
pub(crate) fn says(written: &[u8], words: &[u8]) -> bool {
    written.windows(words.len()).any(|piece| piece == words)
}

/// What a cell says is shown to people: however it came about, it is one short line.
pub(crate) fn one_short_line(said: &[u8]) -> String {
    let said = &said[..said.len().min(4 * MESSAGE_CHARS)];
    let shown = |letter: char| if letter.is_control() { ' ' } else { letter };
    String::from_utf8_lossy(said).chars().map(shown).take(MESSAGE_CHARS).collect()
}

fn missing(body: &[u8]) -> Vec<Layer> {
    serde_json::from_slice(body).unwrap_or_default()
}

/// Reads what there is; `false` if there is nothing for now.
fn read_some(pipe: &mut impl Read, into: &mut Vec<u8>) -> Result<bool> {
    let before = into.len();
    into.resize(before + PIECE_BYTES, 0);
    let read = pipe.read(&mut into[before..]);
    into.truncate(before + read.as_ref().copied().unwrap_or(0));
    match read {
        Ok(0) => Err(Error::Garbled { what: GONE }),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(Error::start(error)),
    }
}

pub(crate) fn name(signal: i32) -> String {
    match signal {
        libc::SIGSEGV => "SIGSEGV".to_owned(),
        libc::SIGABRT => "SIGABRT".to_owned(),
        libc::SIGKILL => "SIGKILL".to_owned(),
        libc::SIGSYS => "SIGSYS".to_owned(),
        libc::SIGILL => "SIGILL".to_owned(),
        libc::SIGBUS => "SIGBUS".to_owned(),
        libc::SIGFPE => "SIGFPE".to_owned(),
        other => format!("signal {other}"),
    }
}
