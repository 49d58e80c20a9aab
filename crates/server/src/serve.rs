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
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::Error;
use crate::handshakes::{Handshakes, Place};
use crate::limits::ServeOptions;
use crate::router::router;
use crate::state::State;
use crate::tls::Tls;

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
/// When the address cannot be used, or is not loopback and there is no key, or a file for TLS will
/// not do.
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
    let tls = options.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
    let address = options.listen;
    let failed = |source| Error::Listen { address, source };
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(failed)?;
    options.listen = listener.local_addr().map_err(failed)?;
    let state = Arc::new(State::new(desk, options)?);
    if let Some(issuer) = &state.issuer {
        runtime.spawn(Arc::clone(issuer).warm());
    }
    ready(state.options.listen);
    if let Some(tls) = &tls {
        runtime.spawn(Arc::clone(tls).watch());
    }
    runtime.block_on(accept(listener, &state, tls, stop));
    runtime.shutdown_timeout(RECORD_TIMEOUT);
    Ok(())
}

/// Whoever can reach the server must be somebody.
fn check_keys(desk: &Desk, address: SocketAddr) -> Result<(), Error> {
    if address.ip().is_loopback() || desk.policy().identity.oidc.is_some() {
        return Ok(());
    }
    let keys = desk.store().list_keys()?;
    match keys.iter().any(|key| key.revoked_at.is_none()) {
        true => Ok(()),
        false => Err(Error::NoKeys { address }),
    }
}

async fn accept(
    listener: TcpListener,
    state: &Arc<State>,
    tls: Option<Arc<Tls>>,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let connections = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(state.options.connections_max.max(1)));
    let mut handshakes = Handshakes::new(state.options.handshakes_max);
    let house = House { router: router(Arc::clone(state)), state: Arc::clone(state), slots };
    loop {
        let (slot, stream) = tokio::select! {
            connection = house.next_connection(&listener) => connection,
            () = &mut stop => break,
        };
        match &tls {
            None => house.serve(stream, slot, connections.watcher()),
            // Until the handshake is done the client holds no place of a connection.
            Some(tls) => {
                drop(slot);
                let (tls, place) = (tls.acceptor(), handshakes.enter());
                tokio::spawn(house.clone().serve_tls(stream, tls, place, connections.watcher()));
            }
        }
    }
    drop((listener, handshakes));
    let finished = tokio::time::timeout(state.options.stop_timeout, connections.shutdown()).await;
    if finished.is_err() {
        tracing::warn!("requests were still in flight at the end and were cut off");
    }
}

/// What connections are served with.
#[derive(Clone)]
struct House {
    router: Router,
    state: Arc<State>,
    slots: Arc<Semaphore>,
}

impl House {
    async fn slot(&self) -> OwnedSemaphorePermit {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        slot.expect("the semaphore is never closed")
    }

    async fn next_connection(&self, listener: &TcpListener) -> (OwnedSemaphorePermit, TcpStream) {
        let slot = self.slot().await;
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

    /// Does the handshake, if the client does its part in time and nobody needs the place.
    async fn serve_tls(self, stream: TcpStream, tls: TlsAcceptor, place: Place, watcher: Watcher) {
        let handshake = async {
            let stream = tls.accept(stream).await?;
            Ok::<_, std::io::Error>((stream, self.slot().await))
        };
        let done = tokio::select! {
            done = tokio::time::timeout(self.state.options.handshake_timeout, handshake) => done,
            _ = place => return,
        };
        match done {
            Ok(Ok((stream, slot))) => self.serve(stream, slot, watcher),
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    fn serve(&self, stream: impl Stream, slot: OwnedSemaphorePermit, watcher: Watcher) {
        // Pieces of a stream are to go out as they are written. Where this fails they still do.
        let _ = stream.tcp().set_nodelay(true);
        let service = TowerToHyperService::new(self.router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.state.options.head_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let connection = watcher.watch(connection);
        let longest = self.state.options.connection_timeout;
        tokio::spawn(async move {
            let _slot = slot;
            // A connection that breaks is the client's business.
            let _ = tokio::time::timeout(longest, connection).await;
        });
    }
}

/// What requests come through.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
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
