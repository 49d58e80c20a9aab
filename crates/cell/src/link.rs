//! One cell, and what it is asked.

use crate::frame::{self, SAY_BYTES_MAX};
use crate::message::{Ask, Say};
use crate::route::{More, Route};
use crate::watch::{TICK, Takes, Watch};
use allod_engine::Error;
use allod_sandbox::{Resident, Setup, Shelf};
use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::ChildStdout;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// So long a cell may leave what it is asked unread.
const UNREAD: Duration = Duration::from_secs(60);

/// What a cell says, as it comes.
pub(crate) type Replies = BufReader<ChildStdout>;

/// A cell that runs, and who waits for what from it.
#[derive(Debug)]
pub(crate) struct Link {
    resident: Resident,
    requests: Mutex<UnixStream>,
    routes: Mutex<Routes>,
    pub(crate) watch: Watch,
    /// Why it was ended here, if it was.
    ended: Mutex<Option<Ended>>,
}

/// Why a cell was ended from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It said something that was not agreed.
    Strange(&'static str),
    /// It said nothing for so long.
    Silent(Duration),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Strange(what) => write!(out, "it did not answer as agreed: {what}"),
            Ended::Silent(waited) => {
                write!(out, "it was stuck: nothing came of what it was asked for ")?;
                write!(out, "{:.1} s, and it was ended", waited.as_secs_f64())
            }
        }
    }
}

#[derive(Debug, Default)]
struct Routes {
    last: u64,
    open: HashMap<u64, Route>,
    /// How the cell ended, once it has.
    fallen: Option<String>,
}

impl Link {
    /// Starts a cell and asks it the first thing, which is to load a model; waits until it has, at
    /// most as long as that takes and `patience` beyond it.
    ///
    /// # Errors
    /// What the cell says of the model, or how it ended.
    pub(crate) fn start(
        setup: &Setup,
        shelf: &Arc<Shelf>,
        load: &Ask,
        (takes, patience): (Duration, Duration),
    ) -> Result<(Arc<Link>, Replies, Say), Error> {
        let unfit = |what: String| Error::Unfit { what };
        let started = Resident::start(setup, shelf).map_err(|error| unfit(error.to_string()))?;
        let (resident, words) = started;
        let timed = words.requests.set_write_timeout(Some(UNREAD));
        timed.map_err(|error| unfit(error.to_string()))?;
        let link = Arc::new(Link {
            resident,
            requests: Mutex::new(words.requests),
            routes: Mutex::default(),
            watch: Watch::new(patience),
            ended: Mutex::default(),
        });
        guard(&link).map_err(Error::Thread)?;
        let mut replies = BufReader::with_capacity(1 << 16, words.replies);
        let said = link.ask_first(&mut replies, load, takes)?;
        Ok((link, replies, said))
    }

    /// Asks while nobody else does, and nobody listens yet.
    ///
    /// # Errors
    /// What the cell says, or how it ended.
    pub(crate) fn ask_first(
        &self,
        replies: &mut Replies,
        ask: &Ask,
        takes: Duration,
    ) -> Result<Say, Error> {
        self.watch.expect(0, Takes::Own(takes));
        let asked = frame::write(&mut *self.requests(), 0, ask);
        let said = asked.and_then(|()| {
            loop {
                match frame::read(replies, SAY_BYTES_MAX) {
                    Ok((_, Say::Pulse)) => {}
                    other => break other,
                }
            }
        });
        self.watch.met(0);
        match said {
            Ok((_, Say::Failed(error))) => Err(error),
            Ok((_, said)) => Ok(said),
            Err(_) => {
                let what = format!("the model's process ended: {}", self.how());
                Err(Error::Unfit { what })
            }
        }
    }

    /// Asks; what is said goes along the route. Gives the number that the request is known by.
    /// `takes` says how long it takes once the cell has read it.
    ///
    /// # Errors
    /// [`Error::Down`] if the cell has ended.
    pub(crate) fn ask(&self, ask: &Ask, route: Route, takes: Takes) -> Result<u64, Error> {
        let number = {
            let mut routes = self.routes();
            if let Some(what) = &routes.fallen {
                return Err(down(what));
            }
            routes.last += 1;
            let number = routes.last;
            routes.open.insert(number, route);
            self.watch.expect(number, takes);
            number
        };
        let bytes = match frame::bytes(number, ask) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.close(&mut self.routes(), number);
                return Err(Error::Constraint { what: error.to_string() });
            }
        };
        let written = self.requests().write_all(&bytes);
        if let Err(error) = written {
            self.unwritten(&error);
        }
        // What could not be asked is answered with how the cell ended.
        Ok(number)
    }

    /// A cell whose end is shut is about to end, and whoever listens hears how. One that reads
    /// nothing is ended: the rest of a message would be taken for the next.
    fn unwritten(&self, error: &std::io::Error) {
        use std::io::ErrorKind;
        if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) {
            self.end_for(Ended::Silent(UNREAD));
        }
    }

    /// What was asked under this number is no longer wanted.
    pub(crate) fn forget(&self, number: u64) {
        if !self.close(&mut self.routes(), number) {
            return;
        }
        if let Err(error) = frame::write(&mut *self.requests(), number, &Ask::Cancel) {
            self.unwritten(&error);
        }
    }

    fn close(&self, routes: &mut Routes, number: u64) -> bool {
        self.watch.met(number);
        routes.open.remove(&number).is_some()
    }

    /// Ends the cell; whoever listens to it then sees to the rest.
    pub(crate) fn end(&self) {
        self.resident.end();
    }

    /// Hands on what the cell says until it ends or says something that was not agreed. Everybody
    /// who waits then hears how it ended, and so does the caller.
    pub(crate) fn listen(&self, replies: &mut Replies) -> String {
        let what = loop {
            let (number, said) = match frame::read::<Say>(replies, SAY_BYTES_MAX) {
                Ok(message) => message,
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                    break self.contain("no message");
                }
                Err(_) => break self.how(),
            };
            if matches!(said, Say::Pulse) {
                self.watch.pulsed();
                continue;
            }
            self.watch.heard(number);
            let mut routes = self.routes();
            // Whoever asked may have gone.
            let Some(route) = routes.open.get_mut(&number) else { continue };
            match route.take(said) {
                Ok(More::Comes) => {}
                Ok(More::Begins(rows)) => {
                    self.watch.expect(number, Takes::Turn(self.watch.rows(rows)));
                }
                Ok(More::None) => drop(self.close(&mut routes, number)),
                Err(wrong) => {
                    drop(routes);
                    break self.contain(wrong.0);
                }
            }
        };
        let mut routes = self.routes();
        routes.fallen = Some(what.clone());
        for (_, route) in routes.open.drain() {
            route.fail(down(&what));
        }
        what
    }

    fn contain(&self, wrong: &'static str) -> String {
        self.end_for(Ended::Strange(wrong));
        self.how()
    }

    /// Ends the cell, and says so to whoever hears that it ended.
    fn end_for(&self, why: Ended) {
        self.ended_mut().get_or_insert(why);
        self.resident.end();
    }

    /// Why the cell was ended from here, if it was.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended_mut().clone()
    }

    fn ended_mut(&self) -> MutexGuard<'_, Option<Ended>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the cell ended, in words.
    fn how(&self) -> String {
        let fallen = self.resident.fallen();
        self.ended().map_or_else(|| how(&fallen), |ended| ended.to_string())
    }

    fn requests(&self) -> MutexGuard<'_, UnixStream> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a cell that is silent for too long, from a thread of its own that goes with it.
fn guard(link: &Arc<Link>) -> std::io::Result<()> {
    let link: Weak<Link> = Arc::downgrade(link);
    let work = move || {
        let mut before = Instant::now();
        loop {
            std::thread::sleep(TICK);
            let Some(link) = link.upgrade() else { return };
            if link.routes().fallen.is_some() {
                return;
            }
            let elapsed = before.elapsed();
            before = Instant::now();
            if let Some(waited) = link.watch.pass(elapsed) {
                link.end_for(Ended::Silent(waited));
                return;
            }
        }
    };
    std::thread::Builder::new().name("allod-cell-watch".into()).spawn(work).map(drop)
}

/// The error of those whose cell has ended.
fn down(what: &str) -> Error {
    Error::Down { what: what.to_owned(), retry_after_seconds: 1 }
}

/// How a cell ended, in words.
fn how(end: &allod_sandbox::Error) -> String {
    use allod_sandbox::Error as End;
    match end {
        End::Memory { mebibytes } => format!("it wanted more than {mebibytes} MiB of memory"),
        End::Stack => "its stack ran out".to_owned(),
        End::Crashed { signal } => format!("it crashed, {signal}"),
        End::Panicked { message } => message.clone(),
        End::Garbled { what } => (*what).to_owned(),
        other => other.to_string(),
    }
}
