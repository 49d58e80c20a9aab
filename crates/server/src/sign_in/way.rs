//! The way to the issuer and back. Nothing is kept here of who is on it, so nobody can crowd others
//! out: the browser holds a name, and all that the issuer must bring back follows from that name
//! and a key that this server alone has, until it ends.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::sessions::random;
use crate::oidc::Secrets;

/// Who has not come back after so long begins again.
pub(super) const SECONDS_MAX: i64 = 10 * 60;

const STATE: &str = "state";

/// What makes the secrets of all who are on the way.
pub(crate) struct Way {
    key: hmac::Key,
}

impl Way {
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn open() -> Result<Way, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Way { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }

    /// Begins at `now`, in seconds since 1970: the name for the browser, and its secrets.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn begin(&self, now: i64) -> Result<(String, Secrets), getrandom::Error> {
        let name = format!("{now}.{}", random()?);
        let secrets = self.secrets(&name);
        Ok((name, secrets))
    }

    /// The secrets that the browser with this name was sent with, if `state` is among them and it
    /// was sent at most ten minutes before `now`.
    pub(super) fn back(&self, name: &str, state: &str, now: i64) -> Option<Secrets> {
        let tag = URL_SAFE_NO_PAD.decode(state).ok()?;
        hmac::verify(&self.key, &message(name, STATE), &tag).ok()?;
        // What it says of the time is its own from here on: nobody else could make the state.
        let begun: i64 = name.split_once('.')?.0.parse().ok()?;
        (0..=SECONDS_MAX).contains(&now.checked_sub(begun)?).then(|| self.secrets(name))
    }

    fn secrets(&self, name: &str) -> Secrets {
        let secret =
            |purpose: &str| URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &message(name, purpose)));
        Secrets { state: secret(STATE), nonce: secret("nonce"), verifier: secret("verifier") }
    }
}

/// No name holds a line's end.
fn message(name: &str, purpose: &str) -> Vec<u8> {
    format!("{purpose}\n{name}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_in_time_with_what_was_begun_is_known() {
        let way = Way::open().unwrap();
        let (name, sent) = way.begin(1_000).unwrap();
        let back = way.back(&name, &sent.state, 1_600).unwrap();
        assert_eq!((&back.nonce, &back.verifier), (&sent.nonce, &sent.verifier));
        // RFC 7636 (4.1) wants 43 to 128 letters.
        assert_eq!(sent.verifier.len(), 43);
        let all = [&sent.state, &sent.nonce, &sent.verifier];
        assert!(all.iter().all(|one| all.iter().filter(|other| one == *other).count() == 1));
    }

    #[test]
    fn nobody_else_comes_back() {
        let way = Way::open().unwrap();
        let (name, sent) = way.begin(1_000).unwrap();
        let (other, others) = way.begin(1_000).unwrap();
        let late = format!("1001{}", &name[4..]);
        for (name, state, now) in [
            (&name, &sent.state, 1_601),
            (&name, &sent.state, 999),
            (&other, &sent.state, 1_000),
            (&name, &others.state, 1_000),
            (&name, &sent.nonce, 1_000),
            (&late, &sent.state, 1_001),
            (&String::new(), &sent.state, 1_000),
            (&name, &String::new(), 1_000),
        ] {
            assert!(way.back(name, state, now).is_none(), "{name} {state} {now}");
        }
        assert!(Way::open().unwrap().back(&name, &sent.state, 1_000).is_none(), "another server");
    }
}
