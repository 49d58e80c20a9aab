//! The cells that a program asks.

use std::sync::{Mutex, MutexGuard};

use crate::error::{Error, Result};
use crate::frame::Kind;
use crate::keeper::{GONE, Keeper};
use crate::setup::Setup;
use crate::spawner::Spawner;

/// Cells, as many as are asked at a time. Each request has a cell of its own.
#[derive(Debug)]
pub struct Cells {
    setup: Setup,
    spawner: Spawner,
    /// Keepers with a cell that waits.
    idle: Mutex<Vec<Keeper>>,
}

impl Cells {
    /// Cells that are made so; the first is started when it is asked.
    ///
    /// # Errors
    /// [`Error::Start`] if there can be no further thread.
    pub fn new(setup: Setup) -> Result<Cells> {
        let spawner = Spawner::new().map_err(Error::start)?;
        Ok(Cells { setup, spawner, idle: Mutex::default() })
    }

    /// Has the work done on a request, in a cell that ends with it. Can be called from many threads
    /// at a time; each then has a keeper of its own.
    ///
    /// # Errors
    /// What became of the cell, if it gave no answer. The next request is not affected.
    pub fn ask(&self, request: &[u8]) -> Result<Vec<u8>> {
        self.ask_for(Kind::Work, request)
    }

    pub(crate) fn ask_for(&self, kind: Kind, request: &[u8]) -> Result<Vec<u8>> {
        let limit = self.setup.limits.request_bytes_max;
        if request.len() > limit {
            return Err(Error::RequestTooLong { bytes: request.len(), limit });
        }
        let idle = self.idle().pop();
        if let Some(keeper) = idle {
            match self.ask_keeper(keeper, kind, request) {
                // It died while it waited; that says nothing about the request.
                Err(Error::Garbled { what: GONE }) => {}
                answer => return answer,
            }
        }
        let keeper = Keeper::start(&self.spawner, &self.setup).map_err(Error::start)?;
        self.ask_keeper(keeper, kind, request)
    }

    fn ask_keeper(&self, keeper: Keeper, kind: Kind, request: &[u8]) -> Result<Vec<u8>> {
        let asked = keeper.ask(kind, request, &self.setup.limits);
        self.idle().extend(asked.keeper);
        asked.answer
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Keeper>> {
        self.idle.lock().expect("nothing panics while it is held")
    }
}
