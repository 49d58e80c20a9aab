//! Why the server cannot run. What goes wrong with one request is a `Problem`.

use std::io;
use std::net::SocketAddr;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Others can reach the address and nobody has a key.
    #[error(
        "{address} is not a loopback address, so callers need an API key, and there is none: make \
         one with `allod key create --name NAME`, or listen on 127.0.0.1"
    )]
    NoKeys {
        /// The address.
        address: SocketAddr,
    },
    /// The keys cannot be read.
    #[error(transparent)]
    Store(#[from] allod_store::Error),
    /// The system gave no threads or no signals.
    #[error("the server cannot start: {0}; are there enough threads and open files (ulimit)?")]
    Runtime(#[source] io::Error),
}
