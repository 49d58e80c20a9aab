//! Where an issuer's keys come from: its discovery document (OpenID Connect Discovery 1.0), an
//! address, or a file. Nothing else is connected to: no proxy, no other host, no redirect.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use ureq::http::{HeaderMap, StatusCode, header};

use super::keys::Keys;

/// How long the issuer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Key sets are a few kilobytes.
pub(super) const BYTES_MAX: u64 = 1 << 20;

/// Keys are asked for again after so long, unless the issuer says otherwise within these bounds.
const FRESH: Duration = Duration::from_secs(60 * 60);
const FRESH_MIN: Duration = Duration::from_secs(5 * 60);
const FRESH_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const FRESH_FILE: Duration = Duration::from_secs(60);

/// Where keys come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The issuer with this name says where, at its own address.
    Discovery(String),
    Url(String),
    File(PathBuf),
}

/// The keys, and for how long they need not be asked for again.
pub(super) struct Fetched {
    pub(super) keys: Keys,
    pub(super) fresh: Duration,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    /// Gets the keys. Blocks.
    ///
    /// # Errors
    /// Why there are none, for the program's log.
    pub(super) fn fetch(&self) -> Result<Fetched, String> {
        match self {
            Source::Discovery(issuer) => fetch_keys(&discover(issuer)?),
            Source::Url(url) => fetch_keys(url),
            Source::File(path) => {
                let named = |why: String| format!("{}: {why}", path.display());
                let bytes = std::fs::read(path).map_err(|error| named(error.to_string()))?;
                let keys = Keys::read(&bytes).map_err(named)?;
                Ok(Fetched { keys, fresh: FRESH_FILE })
            }
        }
    }
}

/// The discovery document of an issuer, and where it was.
pub(super) fn discovery(issuer: &str) -> Result<(String, Vec<u8>), String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let (bytes, _) = get(&url)?;
    Ok((url, bytes))
}

fn discover(issuer: &str) -> Result<String, String> {
    let (url, bytes) = discovery(issuer)?;
    let found: Discovered = serde_json::from_slice(&bytes)
        .map_err(|_| format!("{url}: it is no discovery document of an issuer"))?;
    if found.issuer != issuer {
        return Err(format!("{url}: it is that of another issuer, `{}`", found.issuer));
    }
    if origin(&found.jwks_uri) != origin(issuer) {
        let keys = found.jwks_uri;
        return Err(format!(
            "{url}: the keys are on another host, {keys}; name that in the policy with \
             `identity.oidc.jwks_url`"
        ));
    }
    Ok(found.jwks_uri)
}

/// Scheme, host and port of an address, as they are written.
pub(super) fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    Some(format!("{scheme}://{host}").to_ascii_lowercase())
}

fn fetch_keys(url: &str) -> Result<Fetched, String> {
    let (bytes, headers) = get(url)?;
    let keys = Keys::read(&bytes).map_err(|why| format!("{url}: {why}"))?;
    Ok(Fetched { keys, fresh: fresh(&headers) })
}

/// Connects to where it is told and nowhere else.
pub(super) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .proxy(None)
        .build()
        .new_agent()
}

fn get(url: &str) -> Result<(Vec<u8>, HeaderMap), String> {
    let named = |error: ureq::Error| format!("{url}: {error}");
    let mut response = agent().get(url).call().map_err(named)?;
    if response.status() != StatusCode::OK {
        return Err(format!("{url}: the status is {}", response.status()));
    }
    let bytes = response.body_mut().with_config().limit(BYTES_MAX).read_to_vec().map_err(named)?;
    Ok((bytes, response.headers().clone()))
}

/// How long a response is fresh (RFC 9111, `max-age`).
fn fresh(headers: &HeaderMap) -> Duration {
    let control = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let parts = control.unwrap_or_default().split(',').map(str::trim);
    let ages = parts.filter_map(|part| part.strip_prefix("max-age=")?.parse().ok());
    let age = ages.map(Duration::from_secs).next().unwrap_or(FRESH);
    age.clamp(FRESH_MIN, FRESH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_fresh_as_long_as_the_issuer_says_within_bounds() {
        let with = |value: &str| {
            fresh(&HeaderMap::from_iter([(header::CACHE_CONTROL, value.parse().unwrap())]))
        };
        assert_eq!(fresh(&HeaderMap::new()), FRESH);
        assert_eq!(with("public, max-age=7200"), Duration::from_secs(7200));
        assert_eq!((with("max-age=0"), with("max-age=99999999")), (FRESH_MIN, FRESH_MAX));
        assert_eq!(with("max-age=x"), FRESH);
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = origin("https://I.example:8/a?b");
        assert_eq!(same, origin("https://i.example:8/c"));
        for other in ["http://i.example:8/", "https://i.example/", "https://i.example:8.evil/"] {
            assert_ne!(same, origin(other), "{other}");
        }
        assert_ne!(same, origin("https://i.example:8@evil/"));
    }
}
