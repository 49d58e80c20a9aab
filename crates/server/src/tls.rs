//! TLS: a certificate, its key, and whose clients may come, from files that can be renewed while
//! the server runs.

mod validity;

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use jiff::civil::DateTime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, sign};

use crate::error::Error;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A certificate that ends sooner is spoken of.
const DAYS_TO_WARN: i64 = 14;

/// Chains of certificates are a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The files that TLS is served with, in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and after it those that lead to a root.
    pub certificate: PathBuf,
    /// Its private key; not for others to read.
    pub key: PathBuf,
    /// Certificates of authorities: a client must show a certificate that one of them issued.
    pub client_ca: Option<PathBuf>,
}

/// What is served now.
pub(crate) struct Tls {
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
    /// The files as they were when they were last read.
    seen: Mutex<Vec<Stamp>>,
}

/// Another one means that a file may have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::Tls`], which names the file and what is wrong with it.
    pub(crate) fn open(files: TlsFiles) -> Result<Tls, Error> {
        let seen = files.stamps();
        let config = RwLock::new(Arc::new(config(&files)?));
        Ok(Tls { files, config, seen: Mutex::new(seen) })
    }

    /// What does the next handshake.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }

    /// Looks at the files from time to time, without end.
    pub(crate) async fn watch(self: Arc<Tls>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let tls = Arc::clone(&self);
            // Files may lie on a slow disk.
            drop(tokio::task::spawn_blocking(move || tls.look()).await);
        }
    }

    /// Serves what the files hold now, if they have changed and are sound.
    fn look(&self) {
        let stamps = self.files.stamps();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == stamps {
            return;
        }
        *seen = stamps;
        match config(&self.files) {
            Ok(config) => {
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!("the files for TLS changed and were read again");
            }
            // Two files are seldom replaced in one moment; the next look may find both.
            Err(error) => tracing::warn!(%error, "the certificate that was read before is kept"),
        }
    }
}

impl TlsFiles {
    fn stamps(&self) -> Vec<Stamp> {
        let paths = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        let stamp = |path: &PathBuf| {
            std::fs::metadata(path).map_or_else(|_| Stamp::default(), |file| Stamp::of(&file))
        };
        paths.into_iter().flatten().map(stamp).collect()
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Stamp { modified: metadata.modified().ok(), bytes: metadata.len(), inode }
    }
}

/// A fault of one file.
fn fault(path: &Path, problem: impl Into<String>) -> Error {
    Error::Tls { path: path.to_owned(), problem: problem.into() }
}

fn config(files: &TlsFiles) -> Result<ServerConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let certificates = certificates(&files.certificate)?;
    check_time(&files.certificate, &certificates[0])?;
    let certified = certified(files, certificates, &provider)?;
    let failed = |error: tokio_rustls::rustls::Error| fault(&files.certificate, error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = match &files.client_ca {
        Some(path) => builder.with_client_cert_verifier(verifier(path, &provider)?),
        None => builder.with_no_client_auth(),
    };
    let resolver = Arc::new(sign::SingleCertAndKey::from(certified));
    let mut config = builder.with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificate with its key, which must belong together.
fn certified(
    files: &TlsFiles,
    certificates: Vec<CertificateDer<'static>>,
    provider: &CryptoProvider,
) -> Result<sign::CertifiedKey, Error> {
    let key = private_key(&files.key)?;
    let key = provider.key_provider.load_private_key(key).map_err(|error| {
        fault(&files.key, format!("the key is of no kind that is known here: {error}"))
    })?;
    let certified = sign::CertifiedKey::new(certificates, key);
    certified.keys_match().map_err(|_| {
        let certificate = files.certificate.display();
        let problem = format!(
            "it is not the key of the first certificate in {certificate}; the server's own \
             certificate must stand first there"
        );
        fault(&files.key, problem)
    })?;
    Ok(certified)
}

fn verifier(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        check_time(path, &certificate)?;
        roots.add(certificate).map_err(|error| {
            fault(path, format!("a certificate of an authority cannot be used: {error}"))
        })?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    builder.build().map_err(|error| fault(path, error.to_string()))
}

/// The certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| fault(path, format!("it is not sound PEM: {error}")))?;
    if found.is_empty() {
        let problem = "it holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)";
        return Err(fault(path, problem));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    check_private(path)?;
    let bytes = read(path)?;
    let is_locked = String::from_utf8_lossy(&bytes).contains("ENCRYPTED");
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| match is_locked {
        true => {
            let problem = "the key is locked with a passphrase; unlock it into a file of its own \
                           with `openssl pkey -in LOCKED -out FILE`";
            fault(path, problem)
        }
        false => fault(path, "it holds no private key in PEM form (`-----BEGIN PRIVATE KEY-----`)"),
    })
}

/// Whoever reads the key can pass for this server.
#[cfg(unix)]
fn check_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o026 == 0 {
        return Ok(());
    }
    let shown = path.display();
    let problem = format!(
        "others on this machine may read or replace the key (mode {mode:o}); take that from them \
         with `chmod 600 {shown}`"
    );
    Err(fault(path, problem))
}

#[cfg(not(unix))]
fn check_private(_path: &Path) -> Result<(), Error> {
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(fault(path, format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    fault(path, format!("it cannot be read: {error}"))
}

/// Clients would turn away from a certificate out of its time.
fn check_time(path: &Path, certificate: &CertificateDer<'_>) -> Result<(), Error> {
    let Some((from, until)) = validity::of(certificate) else {
        return Err(fault(path, "a certificate in it cannot be read"));
    };
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    if until < now {
        return Err(fault(path, format!("the certificate expired on {} (UTC)", shown(until))));
    }
    if from > now {
        let from = shown(from);
        return Err(fault(path, format!("the certificate is not valid before {from} (UTC)")));
    }
    let file = path.display();
    // The last days before year 10000 cannot be reached by counting on.
    let soon = now.checked_add(jiff::Span::new().days(DAYS_TO_WARN)).is_ok_and(|soon| until < soon);
    if soon {
        tracing::warn!(%file, until = shown(until), "a certificate expires soon");
    }
    Ok(())
}

fn shown(time: DateTime) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
