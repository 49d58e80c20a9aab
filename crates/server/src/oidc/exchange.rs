//! A code for a token: the authorization code flow of OpenID Connect with PKCE (RFC 7636), as the
//! issuer's discovery document says where.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use ureq::http::StatusCode;

use super::fetch::{BYTES_MAX, agent, discovery, origin};

/// Where the issuer lets people sign in and out, and gives tokens for codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doors {
    authorization: String,
    token: String,
    /// Not every issuer has one.
    end: Option<String>,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    end_session_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct Given {
    id_token: String,
}

/// What one way to sign in is begun with.
pub(crate) struct Secrets {
    /// Comes back with the code.
    pub(crate) state: String,
    /// Stands in the token.
    pub(crate) nonce: String,
    /// Whose digest the issuer is shown first, and itself with the code.
    pub(crate) verifier: String,
}

/// Who asks, and where the code is to be brought.
pub(super) struct Client<'a> {
    pub(super) id: &'a str,
    pub(super) secret: Option<&'a str>,
    pub(super) callback: String,
    /// What is asked for, beside `openid`.
    pub(super) scopes: &'a [String],
    /// Where a browser is sent back that signed out.
    pub(super) console: String,
}

impl Doors {
    /// Asks the issuer where they are. Blocks. The one that this program itself connects to is at
    /// the issuer's own address, or the one that the policy names.
    ///
    /// # Errors
    /// Why there are none, for the program's log.
    pub(super) fn find(issuer: &str, token_url: Option<&str>) -> Result<Doors, String> {
        let (url, bytes) = discovery(issuer)?;
        let found: Discovered = serde_json::from_slice(&bytes)
            .map_err(|_| format!("{url}: it names no place to sign in and to get tokens"))?;
        if found.issuer != issuer {
            return Err(format!("{url}: it is that of another issuer, `{}`", found.issuer));
        }
        let (token, named) = (found.token_endpoint, token_url);
        if named != Some(token.as_str()) && origin(&token) != origin(issuer) {
            return Err(format!(
                "{url}: tokens are given on another host, {token}; name that in the policy with \
                 `identity.oidc.token_url`"
            ));
        }
        if !is_safe(&found.authorization_endpoint) {
            return Err(format!("{url}: people would sign in without TLS"));
        }
        let end = found.end_session_endpoint.filter(|end| {
            let is_safe = is_safe(end);
            if !is_safe {
                tracing::warn!(
                    url,
                    "people would sign out without TLS, so they sign out here only"
                );
            }
            is_safe
        });
        Ok(Doors { authorization: found.authorization_endpoint, token, end })
    }

    /// Where a browser is sent to sign in.
    pub(super) fn address(&self, client: &Client<'_>, secrets: &Secrets) -> String {
        let challenge = ring::digest::digest(&ring::digest::SHA256, secrets.verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        let scopes = client.scopes.iter().map(String::as_str);
        let scope = std::iter::once("openid").chain(scopes).collect::<Vec<_>>().join(" ");
        let fields = [
            ("response_type", "code"),
            ("scope", scope.as_str()),
            ("client_id", client.id),
            ("redirect_uri", client.callback.as_str()),
            ("state", secrets.state.as_str()),
            ("nonce", secrets.nonce.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        with_fields(&self.authorization, &fields)
    }

    /// Where a browser is sent to sign out of whom the token tells, and to come back from
    /// (OpenID Connect RP-Initiated Logout 1.0); `None` if the issuer has no such place.
    pub(super) fn end_address(&self, client: &Client<'_>, token: &str) -> Option<String> {
        let fields = [
            ("id_token_hint", token),
            ("client_id", client.id),
            ("post_logout_redirect_uri", client.console.as_str()),
        ];
        self.end.as_deref().map(|end| with_fields(end, &fields))
    }

    /// The token of who signed in, for the code that came back. Blocks.
    ///
    /// # Errors
    /// Why there is none, for the program's log.
    pub(super) fn token(
        &self,
        client: &Client<'_>,
        code: &str,
        verifier: &str,
    ) -> Result<String, String> {
        let named = |error: ureq::Error| format!("{}: {error}", self.token);
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", client.callback.as_str()),
            ("code_verifier", verifier),
        ];
        let mut request = agent().post(&self.token).header("accept", "application/json");
        match client.secret {
            // The secret as RFC 6749 (2.3.1) has it: both parts written as in a form.
            Some(secret) => {
                let pair = format!("{}:{}", escaped(client.id), escaped(secret));
                request =
                    request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
            }
            None => fields.push(("client_id", client.id)),
        }
        let mut response = request.send_form(fields).map_err(named)?;
        if response.status() != StatusCode::OK {
            return Err(format!("{}: the status is {}", self.token, response.status()));
        }
        let body = response.body_mut().with_config().limit(BYTES_MAX).read_to_vec();
        let given: Given = serde_json::from_slice(&body.map_err(named)?)
            .map_err(|_| format!("{}: it gave no `id_token`", self.token))?;
        Ok(given.id_token)
    }
}

/// Whether nobody on the way can read along, or the way is within this machine.
fn is_safe(url: &str) -> bool {
    let host = |rest: &str| {
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| {
            rest.strip_prefix(name).is_some_and(|rest| rest.starts_with([':', '/', '?']))
        })
    };
    url.starts_with("https://") || url.strip_prefix("http://").is_some_and(host)
}

/// An address with these fields in its query.
fn with_fields(address: &str, fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}{}", fields.join("&"))
}

/// A text as it stands in a query or a form.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let letter = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_with_the_digest_and_not_with_the_verifier() {
        let doors = Doors {
            authorization: "https://i/a?x=1".into(),
            token: "https://i/t".into(),
            end: Some("https://i/e".into()),
        };
        let callback = "https://a.example/sign-in/callback".to_owned();
        let console = "https://a.example/".to_owned();
        let scopes = &["groups".into()];
        let client = Client { id: "al lod", secret: Some("s"), callback, scopes, console };
        // The example of RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let secrets = Secrets { state: "s1".into(), nonce: "n1".into(), verifier: verifier.into() };
        let address = doors.address(&client, &secrets);
        for part in [
            "https://i/a?x=1&response_type=code&scope=openid%20groups&",
            "client_id=al%20lod&",
            "redirect_uri=https%3A%2F%2Fa.example%2Fsign-in%2Fcallback&",
            "state=s1&nonce=n1&",
            "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
        ] {
            assert!(address.contains(part), "{part}: {address}");
        }
        assert!(!address.contains(verifier));
        let end = "https://i/e?id_token_hint=t.t.t&client_id=al%20lod&\
                   post_logout_redirect_uri=https%3A%2F%2Fa.example%2F";
        assert_eq!(doors.end_address(&client, "t.t.t").as_deref(), Some(end));
        assert_eq!(Doors { end: None, ..doors }.end_address(&client, "t.t.t"), None);
    }

    #[test]
    fn people_sign_in_over_tls_or_on_this_machine() {
        for safe in ["https://i/a", "http://127.0.0.1:1/a", "http://localhost/a", "http://[::1]/"] {
            assert!(is_safe(safe), "{safe}");
        }
        for other in ["http://i/a", "http://localhost.evil/a", "http://127.0.0.1@evil/", "x"] {
            assert!(!is_safe(other), "{other}");
        }
    }
}
