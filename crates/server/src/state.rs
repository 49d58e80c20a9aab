//! What all requests share.

use std::sync::Arc;

use allod_answer::Desk;
use jiff::Timestamp;

use crate::limits::ServeOptions;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::traces::Traces;
use crate::workers::{Room, Workers};

/// Reading is quick; so many at one time keep the disk busy and the memory bounded.
const READING_MAX: usize = 8;
const READING_WAITING_MAX: usize = 256;

/// What all requests share. Cheap to clone.
pub(crate) type Shared = Arc<State>;

/// The desk and what stands around it.
pub(crate) struct State {
    pub(crate) desk: Arc<Desk>,
    pub(crate) options: ServeOptions,
    pub(crate) metrics: Metrics,
    pub(crate) traces: Traces,
    /// Room for answering.
    pub(crate) answering: Workers,
    /// Room for reading, so that a long answer never holds up a look at the records.
    pub(crate) reading: Workers,
    /// When the server started, in seconds since 1970.
    pub(crate) started: i64,
}

impl State {
    pub(crate) fn new(desk: Arc<Desk>, options: ServeOptions) -> State {
        State {
            metrics: Metrics::default(),
            traces: Traces::to(desk.policy().telemetry.traces_url.as_deref()),
            answering: Workers::new(Room {
                running_max: options.answering_max,
                waiting_max: options.waiting_max,
                waiting_per_tenant_max: options.waiting_per_tenant_max,
            }),
            // Reading is so quick that nobody has to be told apart.
            reading: Workers::new(Room {
                running_max: READING_MAX,
                waiting_max: READING_WAITING_MAX,
                waiting_per_tenant_max: READING_WAITING_MAX,
            }),
            started: Timestamp::now().as_second(),
            desk,
            options,
        }
    }

    /// Whether only this machine can reach the server.
    pub(crate) fn is_local(&self) -> bool {
        self.options.listen.ip().is_loopback()
    }

    /// Runs work that reads what all requests share in the room for reading.
    pub(crate) async fn read_with<T: Send + 'static>(
        self: &Arc<State>,
        work: impl FnOnce(&State) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let state = Arc::clone(self);
        self.reading.run("", move || work(&state)).await
    }

    /// Runs a reading piece of work in its room.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<State>,
        work: impl FnOnce(&Desk) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let desk = Arc::clone(&self.desk);
        self.reading.run("", move || work(&desk)).await
    }
}
