//! TLS: who is let in, with which certificate, and what a client that only holds on costs.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use allod_server::{Keyless, ServeOptions, TlsFiles, serve_until};
use common::{House, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

/// An authority that issues certificates, and a folder to keep them in.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Authority { issuer, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn issue(&self, name: &str, until: i32) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.into()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), key)
    }

    /// Writes a server's certificate and its key.
    fn write(&self, name: &str, until: i32) -> TlsFiles {
        let (certificate, key) = self.issue(name, until);
        let files = TlsFiles {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            client_ca: None,
        };
        std::fs::write(&files.certificate, pem("CERTIFICATE", &certificate)).unwrap();
        write_private(&files.key, &key.serialize_pem());
        files
    }

    fn visitor(&self) -> Visitor<'_> {
        Visitor { authority: self, name: "localhost", version: &TLS13, shows: None }
    }
}

fn pem(what: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}

fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A client that trusts one authority.
struct Visitor<'a> {
    authority: &'a Authority,
    /// Whom it believes to speak with.
    name: &'static str,
    version: &'static SupportedProtocolVersion,
    /// The certificate that it shows.
    shows: Option<(CertificateDer<'static>, KeyPair)>,
}

impl Visitor<'_> {
    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_root_certificates(roots);
        match &self.shows {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![certificate.clone()], key).unwrap()
            }
        }
    }

    /// Asks for a path: the version spoken and the response, or why there is none.
    fn get(&self, server: &Server, path: &str) -> std::io::Result<(ProtocolVersion, String)> {
        let tcp = TcpStream::connect(server.address)?;
        tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
        let name = ServerName::try_from(self.name).unwrap();
        let connection = ClientConnection::new(Arc::new(self.config()), name).unwrap();
        let mut stream = StreamOwned::new(connection, tcp);
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        Ok((stream.conn.protocol_version().unwrap(), response))
    }
}

fn with_tls(tls: TlsFiles) -> ServeOptions {
    ServeOptions { tls: Some(tls), ..ServeOptions::default() }
}

#[test]
fn both_versions_are_spoken_and_plain_text_is_not() {
    let (house, authority) = (House::new(), Authority::new());
    let server = house.serve_with(with_tls(authority.write("localhost", 2999)));
    for (version, spoken) in
        [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)]
    {
        let visitor = Visitor { version, ..authority.visitor() };
        let (used, response) = visitor.get(&server, "/api/status").unwrap();
        assert_eq!(used, spoken);
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    }
    let stranger = Authority::new();
    assert!(stranger.visitor().get(&server, "/healthz").is_err(), "another authority's server");
    let mut plain = TcpStream::connect(server.address).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut response = Vec::new();
    // The connection may be reset; what matters is that nothing is served.
    let _ = plain.read_to_end(&mut response);
    assert!(!response.starts_with(b"HTTP/"), "{response:?}");
}

#[test]
fn a_renewed_certificate_is_served_without_a_restart() {
    let (house, authority) = (House::new(), Authority::new());
    let server = house.serve_with(with_tls(authority.write("localhost", 2999)));
    let renewed = Visitor { name: "renewed.example", ..authority.visitor() };
    assert!(renewed.get(&server, "/healthz").is_err());
    // A certificate that will not do changes nothing.
    authority.write("expired.example", 2021);
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(authority.visitor().get(&server, "/healthz").is_ok(), "the old one is kept");
    authority.write("renewed.example", 2999);
    let begun = Instant::now();
    while renewed.get(&server, "/healthz").is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is never read again");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(authority.visitor().get(&server, "/healthz").is_err());
}

#[test]
fn files_that_will_not_do_are_named_with_what_to_do() {
    let (house, authority) = (House::new(), Authority::new());
    let refused = |tls: TlsFiles| {
        let listen = "127.0.0.1:0".parse().unwrap();
        let options = ServeOptions { listen, ..with_tls(tls) };
        let served = serve_until(Arc::clone(&house.desk), options, |_| {}, async {});
        served.unwrap_err().to_string()
    };
    let good = authority.write("localhost", 2999);
    let write = |name: &str, text: &str| {
        write_private(&authority.path(name), text);
        authority.path(name)
    };
    let wrong_key = write("other.key", &KeyPair::generate().unwrap().serialize_pem());
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let (locked, empty) = (write("locked.key", locked), write("empty.pem", "no certificate\n"));
    let absent = authority.path("absent.pem");
    for (files, parts) in [
        (TlsFiles { key: wrong_key, ..good.clone() }, ["other.key", "not the key of"]),
        (TlsFiles { key: locked, ..good.clone() }, ["locked.key", "openssl pkey"]),
        (TlsFiles { key: empty.clone(), ..good.clone() }, ["empty.pem", "no private key"]),
        (TlsFiles { certificate: empty.clone(), ..good.clone() }, ["empty.pem", "no certificate"]),
        (TlsFiles { client_ca: Some(empty), ..good.clone() }, ["empty.pem", "no certificate"]),
        (TlsFiles { certificate: absent, ..good.clone() }, ["absent.pem", "cannot be read"]),
    ] {
        let error = refused(files);
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    set_mode(&good.key, 0o644);
    let error = refused(good.clone());
    assert!(error.contains("mode 644") && error.contains("chmod 600"), "{error}");
    let error = refused(authority.write("localhost", 2021));
    assert!(error.contains("expired on 2021-01-01 00:00:00"), "{error}");
}

#[test]
fn with_an_authority_for_clients_a_certificate_is_needed_and_a_key_besides() {
    let (house, authority) = (House::new(), Authority::new());
    let ca = authority.path("clients.pem");
    std::fs::write(&ca, pem("CERTIFICATE", authority.issuer.der())).unwrap();
    let files = TlsFiles { client_ca: Some(ca), ..authority.write("localhost", 2999) };
    let options = ServeOptions { keyless: Keyless::Refused, ..with_tls(files) };
    let server = house.serve_with(options);
    let known = |shows| Visitor { shows, ..authority.visitor() };
    assert!(known(None).get(&server, "/healthz").is_err(), "no certificate");
    let forged = Authority::new().issue("client", 2999);
    assert!(known(Some(forged)).get(&server, "/healthz").is_err(), "of another authority");
    let old = authority.issue("client", 2021);
    assert!(known(Some(old)).get(&server, "/healthz").is_err(), "expired");
    for version in [&TLS12, &TLS13] {
        let shows = Some(authority.issue("client", 2999));
        let visitor = Visitor { version, shows, ..authority.visitor() };
        let (_, response) = visitor.get(&server, "/api/status").unwrap();
        assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
        let (_, response) = visitor.get(&server, "/healthz").unwrap();
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    }
}

#[test]
fn clients_that_never_finish_their_handshake_hold_up_nobody() {
    let (house, authority) = (House::new(), Authority::new());
    let options = ServeOptions {
        connections_max: 2,
        handshakes_max: 4,
        handshake_timeout: Duration::from_secs(3),
        ..with_tls(authority.write("localhost", 2999))
    };
    let server = house.serve_with(options);
    let begun = Instant::now();
    let mut idle: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    // The first bytes of a handshake, and never the rest.
    for stream in &mut idle {
        let _ = stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00]);
    }
    let (_, response) = authority.visitor().get(&server, "/healthz").unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    for mut stream in idle {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The server closes it: nothing more comes, or it is reset.
        let closed = stream.read(&mut [0; 16]);
        let open = closed.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!open, "a handshake was waited for without end");
    }
}
