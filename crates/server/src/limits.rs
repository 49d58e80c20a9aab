//! What the server listens on and how much it takes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::tls::TlsFiles;

/// Whether a request without a key is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keyless {
    /// On a loopback address it is the local operator's, without any label.
    #[default]
    LocalOperator,
    /// Never; for a server behind a proxy, whose callers all seem to be local.
    Refused,
}

/// How to serve. Every limit has a default that suits a small machine.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What TLS is served with; without it everything is sent as it is.
    pub tls: Option<TlsFiles>,
    /// Whether a request without a key is served.
    pub keyless: Keyless,
    /// Questions that the console offers to try.
    pub examples: Vec<String>,
    /// Longest request body, in bytes.
    pub body_bytes_max: usize,
    /// Connections at one time; more wait to be accepted.
    pub connections_max: usize,
    /// TLS handshakes at one time; where one more comes, the oldest gives way.
    pub handshakes_max: usize,
    /// How long a client may take for its TLS handshake.
    pub handshake_timeout: Duration,
    /// After the keys of an issuer of tokens came, a token that names none of them has them asked
    /// for again so soon at most: whoever makes up names must not make us knock at its door.
    pub issuer_rest: Duration,
    /// Questions answered at one time.
    pub answering_max: usize,
    /// Questions that wait for their turn; more are turned away with 503.
    pub waiting_max: usize,
    /// And of one tenant; more are turned away with 429.
    pub waiting_per_tenant_max: usize,
    /// How long a client may take to send the head of a request, and be idle between two.
    pub head_timeout: Duration,
    /// How long a client may take to send the body of a request.
    pub body_timeout: Duration,
    /// How long a request may take until its response begins.
    pub request_timeout: Duration,
    /// How long one connection may last.
    pub connection_timeout: Duration,
    /// How long requests in flight may go on after the signal to stop.
    pub stop_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> ServeOptions {
        ServeOptions {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7999)),
            tls: None,
            keyless: Keyless::LocalOperator,
            examples: Vec::new(),
            body_bytes_max: 1 << 20,
            connections_max: 512,
            handshakes_max: 256,
            handshake_timeout: Duration::from_secs(5),
            issuer_rest: Duration::from_secs(30),
            answering_max: 128,
            waiting_max: 256,
            waiting_per_tenant_max: 128,
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(300),
            connection_timeout: Duration::from_secs(3600),
            stop_timeout: Duration::from_secs(10),
        }
    }
}
