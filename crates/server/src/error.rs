//! Why the server cannot run. What goes wrong with one request is a `Problem`.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

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
         one with `allod key create --name NAME`, name an issuer of tokens in the policy \
         (`identity.oidc`), or listen on 127.0.0.1"
    )]
    NoKeys {
        /// The address.
        address: SocketAddr,
    },
    /// A file for TLS will not do.
    #[error("TLS cannot be served with {}: {problem}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// The file with the keys of the policy's issuer will not do.
    #[error("the policy's `identity.oidc.jwks_file` cannot be used: {problem}")]
    IssuerKeys {
        /// The file, what is wrong with it.
        problem: String,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes, without which no session is secret; try again")]
    NoChance,
    /// The file with the client's secret will not do.
    #[error("the policy's `identity.oidc.sign_in.client_secret_file` cannot be used: {problem}")]
    ClientSecret {
        /// The file, what is wrong with it.
        problem: String,
    },
    /// The keys cannot be read.
    #[error(transparent)]
    Store(#[from] allod_store::Error),
    /// The system gave no threads or no signals.
    #[error("the server cannot start: {0}; are there enough threads and open files (ulimit)?")]
    Runtime(#[source] io::Error),
}
