//! Listening, serving, and stopping in good order.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use allod_answer::Desk;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::limits::ServeOptions;
use crate::router::router;
use crate::state::State;

/// The head of a request is at most this long.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// After an accept that failed, such as for want of open files, the listener rests so long.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Answers that the last clients no longer wait for may take so long to be recorded.
const RECORD_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until SIGINT or SIGTERM; then accepts nothing more, lets what is in flight finish, and
/// returns. `ready` gets the address once it is listened on.
///
/// # Errors
/// When the address cannot be used, or is not loopback and there is no key.
pub fn serve(
    desk: Arc<Desk>,
    options: ServeOptions,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), Error> {
    let runtime = Runtime::new().map_err(Error::Runtime)?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new().map_err(Error::Runtime)?
    };
    run(runtime, desk, options, ready, signals.any())
}

/// As [`serve`], until `stop` is ready, for programs that handle signals themselves.
///
/// # Errors
/// As [`serve`].
pub fn serve_until(
    desk: Arc<Desk>,
    options: ServeOptions,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    run(Runtime::new().map_err(Error::Runtime)?, desk, options, ready, stop)
}

fn run(
    runtime: Runtime,
    desk: Arc<Desk>,
    mut options: ServeOptions,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    check_keys(&desk, options.listen)?;
    let address = options.listen;
    let failed = |source| Error::Listen { address, source };
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(failed)?;
    options.listen = listener.local_addr().map_err(failed)?;
    let state = Arc::new(State::new(desk, options));
    ready(state.options.listen);
    runtime.block_on(accept(listener, &state, stop));
    runtime.shutdown_timeout(RECORD_TIMEOUT);
    Ok(())
}

/// Whoever can reach the server must be somebody.
fn check_keys(desk: &Desk, address: SocketAddr) -> Result<(), Error> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let keys = desk.store().list_keys()?;
    match keys.iter().any(|key| key.revoked_at.is_none()) {
        true => Ok(()),
        false => Err(Error::NoKeys { address }),
    }
}

async fn accept(listener: TcpListener, state: &Arc<State>, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let router = router(Arc::clone(state));
    let connections = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(state.options.connections_max.max(1)));
    loop {
        let next = next_connection(&listener, &slots);
        let (slot, stream) = tokio::select! {
            connection = next => connection,
            () = &mut stop => break,
        };
        handle(stream, slot, &router, state, &connections);
    }
    drop(listener);
    let finished = tokio::time::timeout(state.options.stop_timeout, connections.shutdown()).await;
    if finished.is_err() {
        tracing::warn!("requests were still in flight at the end and were cut off");
    }
}

async fn next_connection(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => return (slot, stream),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

fn handle(
    stream: TcpStream,
    slot: OwnedSemaphorePermit,
    router: &Router,
    state: &Arc<State>,
    connections: &GracefulShutdown,
) {
    // Pieces of a stream are to go out as they are written. Where this fails they still go out.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router.clone());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(state.options.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    let longest = state.options.connection_timeout;
    tokio::spawn(async move {
        let _slot = slot;
        // A connection that breaks is the client's business.
        let _ = tokio::time::timeout(longest, connection).await;
    });
}

/// The signals that end the server.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    async fn any(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {})
    }

    #[cfg(not(unix))]
    async fn any(self) {
        // Without the signal there is no way to stop but to end the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
