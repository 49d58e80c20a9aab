//! Keeps a cell running: when one ends, another is started with the same files.

use crate::link::{Link, Replies};
use crate::message::{Ask, Profile, Say};
use allod_engine::{AdapterIdentity, Error, Options};
use allod_sandbox::{Setup, Shelf};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long it takes until another cell is started, at first and at most.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(60)];
/// A cell that lived so long had no reason to end that holds for the next one as well.
const LONG: Duration = Duration::from_secs(60);

/// What cells of a model are started from.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) setup: Setup,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) model: PathBuf,
    pub(crate) options: Options,
    pub(crate) profile: Profile,
    /// How long the model took to load.
    pub(crate) loading: Duration,
    pub(crate) adapters: Mutex<BTreeMap<String, Loaded>>,
    pub(crate) state: Mutex<State>,
    pub(crate) restarts: AtomicU64,
}

/// An adapter that is loaded.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    pub(crate) identity: AdapterIdentity,
}

/// Whether there is a cell.
#[derive(Debug)]
pub(crate) enum State {
    Up(Arc<Link>),
    Down {
        /// How the last one ended.
        what: String,
        /// When another is started.
        until: Instant,
    },
    /// There will be no other.
    Over,
}

impl Kept {
    /// The cell that runs.
    ///
    /// # Errors
    /// [`Error::Down`] with when there will be one.
    pub(crate) fn link(&self) -> Result<Arc<Link>, Error> {
        match &*self.state() {
            State::Up(link) => Ok(Arc::clone(link)),
            State::Down { what, until } => {
                let wait = until.saturating_duration_since(Instant::now()) + self.loading;
                let retry_after_seconds = wait.as_secs() + 1;
                Err(Error::Down { what: what.clone(), retry_after_seconds })
            }
            State::Over => Err(Error::Stopped),
        }
    }

    /// Ends the cell for good.
    pub(crate) fn end(&self) {
        let before = std::mem::replace(&mut *self.state(), State::Over);
        if let State::Up(link) = before {
            link.end();
        }
    }

    pub(crate) fn adapters(&self) -> MutexGuard<'_, BTreeMap<String, Loaded>> {
        self.adapters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state; `false` if it is over.
    fn turn(&self, state: State) -> bool {
        let mut now = self.state();
        let goes_on = !matches!(*now, State::Over);
        if goes_on {
            *now = state;
        }
        goes_on
    }
}

/// Listens to a cell and starts another whenever it has ended, in a thread of its own.
pub(crate) fn keep(kept: Arc<Kept>, link: Arc<Link>, replies: Replies) -> std::io::Result<()> {
    let work = move || {
        let mut running = Some((link, replies));
        let mut wait = BACK_OFF[0];
        while let Some((link, mut replies)) = running {
            let begun = Instant::now();
            let what = link.listen(&mut replies);
            drop(link);
            if begun.elapsed() > LONG {
                wait = BACK_OFF[0];
            }
            running = again(&kept, what, &mut wait);
        }
    };
    thread::Builder::new().name("allod-cell".into()).spawn(work).map(drop)
}

/// Another cell; `None` if there is to be none.
fn again(kept: &Kept, mut what: String, wait: &mut Duration) -> Option<(Arc<Link>, Replies)> {
    loop {
        let until = Instant::now() + *wait;
        if !kept.turn(State::Down { what: what.clone(), until }) {
            return None;
        }
        tracing::error!(%what, "the process that runs the model ended; another is started");
        thread::sleep(*wait);
        *wait = BACK_OFF[1].min(*wait * 2);
        kept.restarts.fetch_add(1, Ordering::Relaxed);
        match start(kept) {
            Ok((link, replies)) => {
                let link = Arc::new(link);
                return kept.turn(State::Up(Arc::clone(&link))).then_some((link, replies));
            }
            Err(error) => what = error.to_string(),
        }
    }
}

fn start(kept: &Kept) -> Result<(Link, Replies), Error> {
    let (link, mut replies, profile) =
        Link::start(&kept.setup, &kept.shelf, &kept.model, kept.options)?;
    // The same files say the same.
    if profile != kept.profile {
        return Err(Error::Unfit { what: "the model says another thing of itself".into() });
    }
    let mut adapters = kept.adapters();
    let mut lost = Vec::new();
    for (name, loaded) in adapters.iter() {
        let path = loaded.path.to_string_lossy().into_owned();
        let ask = Ask::LoadAdapter { name: name.clone(), path };
        match link.ask_first(&mut replies, &ask) {
            Ok(Say::Done) => {}
            Ok(_) => lost.push((name.clone(), "its process did not answer as agreed".into())),
            Err(error) => lost.push((name.clone(), error.to_string())),
        }
    }
    for (name, why) in lost {
        tracing::error!(%name, %why, "an adapter could not be loaded again");
        adapters.remove(&name);
    }
    Ok((link, replies))
}
