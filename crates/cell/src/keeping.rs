//! Keeps a cell running: when one ends, another is started with the same files.

use crate::files::{belonging, bytes, settings, stamps, watch};
use crate::link::{Ended, Link, Replies};
use crate::message::{Ask, Say};
use crate::remote::unfit;
use crate::route::Route;
use crate::watch::{Pace, Takes, reading};
use crate::wire::Wire;
use allod_engine::{AdapterIdentity, Error};
use allod_lm::{FileList, Use, Watch, digest_bytes};
use allod_sandbox::{Limits, Setup, Shelf};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long it takes until another cell is started, at first and at most.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(60)];
/// A cell that lived so long had no reason to end that holds for the next one as well.
const LONG: Duration = Duration::from_secs(60);

/// A cell that lived so long is not slower than it was thought to be.
const CALM: Duration = Duration::from_secs(600);
/// How often the patience is doubled at most.
const DOUBLINGS_MAX: u32 = 4;
/// The name of the model on the shelf; those of adapters begin otherwise.
pub(crate) const MODEL: &str = "model";
/// Memory that any model may take.
const MEMORY_BYTES: u64 = 8 << 30;

/// A model that is to run in cells.
pub(crate) struct Wanted {
    pub(crate) setup: Setup,
    /// The model's path, which is absolute.
    pub(crate) model: PathBuf,
    /// What it is loaded for.
    pub(crate) wanted: Use,
    /// What a cell is asked first.
    pub(crate) load: Ask,
    /// Memory beyond what any model may take.
    pub(crate) more_bytes: u64,
    pub(crate) patience: Duration,
}

/// What cells of a model are started from.
#[derive(Debug)]
pub(crate) struct Kept {
    setup: Setup,
    shelf: Arc<Shelf>,
    load: Ask,
    /// The digest of what the first said of the model.
    ready: String,
    /// The model's path and what it is loaded for, and the files beside the weights.
    model: (PathBuf, Use),
    settings: Option<FileList>,
    weights: Watch,
    pace: Pace,
    /// How long the model may take to load, beyond the patience.
    takes: Duration,
    /// How long it took.
    loading: Duration,
    patience: Duration,
    /// How many cells were ended since they were silent.
    silences: AtomicU32,
    adapters: Mutex<BTreeMap<String, Loaded>>,
    state: Mutex<State>,
    restarts: AtomicU64,
}

/// A path as a cell is told it.
///
/// # Errors
/// If it is not in UTF-8.
pub(crate) fn told(model: &Path) -> Result<String, Error> {
    let text = model.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::Unfit {
        what: format!("{}: give the model a path in UTF-8", model.display()),
    })
}

fn digest_of(said: &Say) -> String {
    let mut bytes = Vec::new();
    said.put(&mut bytes);
    digest_bytes(&bytes)
}

/// Starts the first cell of a model, and keeps it running. `known` says how fast the model
/// computes, from what the cell says of it, and gives what the caller wants of that.
///
/// # Errors
/// What the cell says of the model, or how it ended.
pub(crate) fn start_first<T>(
    wanted: Wanted,
    known: impl FnOnce(&Say) -> Option<(Pace, T)>,
) -> Result<(Arc<Kept>, T), Error> {
    let Wanted { setup, model, wanted, load, more_bytes, patience } = wanted;
    let file_bytes = bytes(&model);
    let memory_bytes = MEMORY_BYTES + file_bytes.saturating_mul(4).saturating_add(more_bytes);
    let limits = Limits { memory_bytes, ..setup.limits };
    let setup = Setup { limits, ..setup };
    let shelf = Arc::new(Shelf::default());
    shelf.put(MODEL, belonging(&model));
    let (begun, takes) = (Instant::now(), reading(file_bytes));
    let stamps = stamps(&model);
    let (link, replies, said) = Link::start(&setup, &shelf, &load, (takes, patience))?;
    let (pace, rest) = known(&said).ok_or_else(|| Error::Unfit {
        what: format!("{}: its process did not answer as agreed", model.display()),
    })?;
    link.watch.paced(pace);
    let model = (model, wanted);
    let read = settings_of(&shelf, &model)?;
    let weights = watch(shelf.handed(MODEL), &stamps).map_err(unfit)?;
    let kept = Arc::new(Kept {
        setup,
        shelf,
        load,
        ready: digest_of(&said),
        model,
        settings: read,
        weights,
        pace,
        takes,
        loading: begun.elapsed(),
        patience,
        silences: AtomicU32::new(0),
        adapters: Mutex::default(),
        state: Mutex::new(State::Up(Arc::clone(&link))),
        restarts: AtomicU64::new(0),
    });
    keep(Arc::clone(&kept), link, replies).map_err(Error::Thread)?;
    Ok((kept, rest))
}

fn settings_of(shelf: &Shelf, model: &(PathBuf, Use)) -> Result<Option<FileList>, Error> {
    settings(&shelf.handed(MODEL), (&model.0, model.1)).map_err(unfit)
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
    /// What lies before the cells.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The model's path, and the files beside its weights as they were when it was loaded.
    pub(crate) fn settings(&self) -> Option<(&Path, &FileList)> {
        self.settings.as_ref().map(|list| (self.model.0.as_path(), list))
    }

    /// The weights that were handed over, and whether they are still what they were.
    pub(crate) fn weights(&self) -> &Watch {
        &self.weights
    }

    /// How often another cell had to be started.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// One question, one answer.
    ///
    /// # Errors
    /// What the cell says, or [`Error::Down`].
    pub(crate) fn ask(&self, ask: &Ask, takes: Takes) -> Result<Say, Error> {
        let link = self.link()?;
        let (asker, answer) = channel();
        link.ask(ask, Route::Once(asker), takes)?;
        // A cell that is silent is ended, and all who wait are told.
        answer.recv().unwrap_or(Err(Error::Stopped))
    }

    /// The time that so many rows take.
    pub(crate) fn rows(&self, rows: usize) -> Duration {
        self.pace.rows(rows)
    }

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

    /// A cell that was silent may only have been slow: the next one gets twice as long.
    fn learn(&self, ended: Option<Ended>, lived: Duration) {
        if lived > CALM {
            self.silences.store(0, Ordering::Relaxed);
        }
        if matches!(ended, Some(Ended::Silent(_))) {
            self.silences.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn patience(&self) -> Duration {
        let doublings = self.silences.load(Ordering::Relaxed).min(DOUBLINGS_MAX);
        self.patience * 2_u32.pow(doublings)
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
fn keep(kept: Arc<Kept>, link: Arc<Link>, replies: Replies) -> std::io::Result<()> {
    let work = move || {
        let mut running = Some((link, replies));
        let mut wait = BACK_OFF[0];
        while let Some((link, mut replies)) = running {
            let begun = Instant::now();
            let what = link.listen(&mut replies);
            let lived = begun.elapsed();
            if lived > LONG {
                wait = BACK_OFF[0];
            }
            kept.learn(link.ended(), lived);
            drop(link);
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
                return kept.turn(State::Up(Arc::clone(&link))).then_some((link, replies));
            }
            Err(error) => what = error.to_string(),
        }
    }
}

fn start(kept: &Kept) -> Result<(Arc<Link>, Replies), Error> {
    let times = (kept.takes, kept.patience());
    let (link, mut replies, said) = Link::start(&kept.setup, &kept.shelf, &kept.load, times)?;
    // The same files say the same.
    if digest_of(&said) != kept.ready {
        return Err(Error::Unfit { what: "the model says another thing of itself".into() });
    }
    let read = settings_of(&kept.shelf, &kept.model)?;
    if let (Some(before), Some(now)) = (&kept.settings, &read)
        && let Some(difference) = before.difference(now)
    {
        let what = "was changed since the model was loaded; put it back, or start the program anew";
        return Err(Error::Unfit { what: format!("its file {} {what}", difference.name) });
    }
    link.watch.paced(kept.pace);
    let mut adapters = kept.adapters();
    let mut lost = Vec::new();
    for (name, loaded) in adapters.iter() {
        let path = loaded.path.to_string_lossy().into_owned();
        let ask = Ask::LoadAdapter { name: name.clone(), path };
        match link.ask_first(&mut replies, &ask, reading(bytes(&loaded.path))) {
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
