//! One cell, and what it is asked.

use crate::frame::{self, SAY_BYTES_MAX};
use crate::message::{Ask, Profile, Say};
use crate::route::{More, Route};
use allod_engine::{Error, Options};
use allod_sandbox::{Resident, Setup, Shelf};
use std::collections::HashMap;
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ChildStdout;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
}

#[derive(Debug, Default)]
struct Routes {
    last: u64,
    open: HashMap<u64, Route>,
    /// How the cell ended, once it has.
    fallen: Option<String>,
}

impl Link {
    /// Starts a cell and has it load a model; waits until it has.
    ///
    /// # Errors
    /// What the cell says of the model, or how it ended.
    pub(crate) fn start(
        setup: &Setup,
        shelf: &Arc<Shelf>,
        model: &Path,
        options: Options,
    ) -> Result<(Link, Replies, Profile), Error> {
        let unfit = |what: String| Error::Unfit { what };
        let started = Resident::start(setup, shelf).map_err(|error| unfit(error.to_string()))?;
        let (resident, words) = started;
        let timed = words.requests.set_write_timeout(Some(UNREAD));
        timed.map_err(|error| unfit(error.to_string()))?;
        let (requests, routes) = (Mutex::new(words.requests), Mutex::default());
        let link = Link { resident, requests, routes };
        let mut replies = BufReader::with_capacity(1 << 16, words.replies);
        let path = model
            .to_str()
            .ok_or_else(|| unfit(format!("{}: give the model a path in UTF-8", model.display())))?;
        let load = Ask::Load { path: path.to_owned(), options: Box::new(options) };
        match link.ask_first(&mut replies, &load)? {
            Say::Ready(profile) => Ok((link, replies, *profile)),
            _ => Err(unfit(format!("{path}: its process did not answer as agreed"))),
        }
    }

    /// Asks while nobody else does, and nobody listens yet.
    ///
    /// # Errors
    /// What the cell says, or how it ended.
    pub(crate) fn ask_first(&self, replies: &mut Replies, ask: &Ask) -> Result<Say, Error> {
        let asked = frame::write(&mut *self.requests(), 0, ask);
        match asked.and_then(|()| frame::read(replies, SAY_BYTES_MAX)) {
            Ok((_, Say::Failed(error))) => Err(error),
            Ok((_, said)) => Ok(said),
            Err(_) => {
                let what = format!("the model's process ended: {}", how(&self.resident.fallen()));
                Err(Error::Unfit { what })
            }
        }
    }

    /// Asks; what is said goes along the route. Gives the number that the request is known by.
    ///
    /// # Errors
    /// [`Error::Down`] if the cell has ended.
    pub(crate) fn ask(&self, ask: &Ask, route: Route) -> Result<u64, Error> {
        let number = {
            let mut routes = self.routes();
            if let Some(what) = &routes.fallen {
                return Err(down(what));
            }
            routes.last += 1;
            let number = routes.last;
            routes.open.insert(number, route);
            number
        };
        match frame::write(&mut *self.requests(), number, ask) {
            Ok(()) => Ok(number),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                self.routes().open.remove(&number);
                Err(Error::Constraint { what: error.to_string() })
            }
            Err(_) => {
                self.end();
                Err(down("it takes no more requests"))
            }
        }
    }

    /// What was asked under this number is no longer wanted.
    pub(crate) fn forget(&self, number: u64) {
        if self.routes().open.remove(&number).is_some()
            && frame::write(&mut *self.requests(), number, &Ask::Cancel).is_err()
        {
            self.end();
        }
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
                Err(_) => break how(&self.resident.fallen()),
            };
            let mut routes = self.routes();
            // Whoever asked may have gone.
            let Some(route) = routes.open.get_mut(&number) else { continue };
            match route.take(said) {
                Ok(More::Comes) => {}
                Ok(More::None) => drop(routes.open.remove(&number)),
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

    fn contain(&self, wrong: &str) -> String {
        self.resident.end();
        format!("it did not answer as agreed: {wrong}")
    }

    fn requests(&self) -> MutexGuard<'_, UnixStream> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
