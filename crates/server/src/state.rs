//! What all requests share.

use std::sync::Arc;
use std::time::Duration;

use allod_answer::{Desk, Tokens};
use jiff::Timestamp;

use crate::error::Error;
use crate::limits::ServeOptions;
use crate::metrics::Metrics;
use crate::oidc::Issuer;
use crate::problem::Problem;
use crate::quotas::Quotas;
use crate::sign_in::SignIns;
use crate::traces::Traces;
use crate::workers::{Place, Room, Workers};

/// Reading is quick; so many at one time keep the disk busy and the memory bounded.
const READING_MAX: usize = 8;
const READING_WAITING_MAX: usize = 256;

/// What all requests share. Cheap to clone.
pub(crate) type Shared = Arc<State>;

/// The desk and what stands around it.
pub(crate) struct State {
    pub(crate) desk: Arc<Desk>,
    pub(crate) options: ServeOptions,
    /// Whose tokens are taken beside keys.
    pub(crate) issuer: Option<Arc<Issuer>>,
    /// Who signed in with a browser.
    pub(crate) sign_ins: SignIns,
    pub(crate) metrics: Metrics,
    /// What tenants have used.
    quotas: Quotas,
    pub(crate) traces: Traces,
    /// Room for answering.
    pub(crate) answering: Workers,
    /// Room for reading, so that a long answer never holds up a look at the records.
    pub(crate) reading: Workers,
    /// When the server started, in seconds since 1970.
    pub(crate) started: i64,
}

impl State {
    /// # Errors
    /// When what the policy says of the issuer of tokens cannot be used.
    pub(crate) fn new(desk: Arc<Desk>, options: ServeOptions) -> Result<State, Error> {
        let oidc = desk.policy().identity.oidc.clone();
        let open = |oidc| Issuer::open(oidc, desk.data(), options.issuer_rest);
        let issuer = oidc.map(open).transpose()?;
        Ok(State {
            issuer: issuer.map(Arc::new),
            sign_ins: SignIns::open().map_err(|_| Error::NoChance)?,
            metrics: Metrics::default(),
            quotas: Quotas::default(),
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
        })
    }

    /// Whether only this machine can reach the server.
    pub(crate) fn is_local(&self) -> bool {
        self.options.listen.ip().is_loopback()
    }

    /// Waits for a place to answer a tenant's request, which counts against its quota.
    pub(crate) async fn enter(self: &Arc<State>, tenant: &str) -> Result<Place, Problem> {
        self.admit(tenant).await?;
        self.answering.enter(tenant).await
    }

    /// Runs a tenant's request in the room for answering, if its quota lets it in.
    pub(crate) async fn answer<T: Send + 'static>(
        self: &Arc<State>,
        tenant: &str,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.admit(tenant).await?;
        self.answering.run(tenant, work).await
    }

    async fn admit(self: &Arc<State>, tenant: &str) -> Result<(), Problem> {
        if let Some(day) = self.quotas.unread(self.desk.policy(), tenant) {
            let name = tenant.to_owned();
            let tokens =
                self.read(move |desk| Ok(desk.store().tokens_used(&name, &day.to_string())?));
            self.quotas.note(tenant, day, tokens.await?);
        }
        self.quotas.admit(self.desk.policy(), tenant)
    }

    /// Counts a request that was dealt with.
    pub(crate) fn answered(
        &self,
        tenant: &str,
        (kind, outcome): (&'static str, &'static str),
        took: Duration,
        tokens: Tokens,
    ) {
        self.metrics.answered(kind, outcome, took, tokens);
        self.quotas.spent(&self.desk, tenant, tokens);
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
