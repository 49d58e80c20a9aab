//! Tokens of an OpenID Connect issuer, beside keys of our own. Closed when in doubt: a token that
//! cannot be checked is none.

mod exchange;
mod fetch;
#[doc(hidden)]
pub mod hostile;
mod keys;
mod person;
mod sign_in;
mod token;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use allod_policy::{KeySource, Oidc};
use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};

use crate::error::Error;
use crate::problem::Problem;
pub(crate) use exchange::Secrets;
use fetch::Source;
use keys::{Algorithm, Keys};
pub(crate) use person::Person;
use serde_json::{Map, Value};
use sign_in::KnownDoors;
use token::Token;

/// Where a browser comes back to from the issuer.
pub(crate) const CALLBACK: &str = "/sign-in/callback";

/// After keys did not come they are asked for again so soon at most.
const REST_FAILED: Duration = Duration::from_secs(5);

/// At most so many codes are brought to the issuer at a time.
const EXCHANGES_MAX: usize = 16;

/// Keys that could not be asked for again are believed for so long.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// The issuer whose tokens are taken.
pub(crate) struct Issuer {
    oidc: Oidc,
    source: Source,
    /// After keys came they are asked for again so soon at most.
    rest: Duration,
    cached: RwLock<Option<Cached>>,
    /// When the keys were last asked for, and whether they came. Only who holds it may ask.
    asked: Mutex<Option<Asked>>,
    /// Where people sign in.
    doors: Mutex<KnownDoors>,
    /// What proves this installation to the issuer.
    secret: Option<String>,
    /// Room for codes that are brought to the issuer: whoever is slow there is not waited for.
    exchanges: Semaphore,
}

#[derive(Clone)]
struct Cached {
    keys: Arc<Keys>,
    at: Instant,
    fresh: Duration,
}

#[derive(Clone, Copy)]
struct Asked {
    at: Instant,
    came: bool,
}

impl Issuer {
    /// The issuer that the policy names. Keys that are a file must be there and sound.
    ///
    /// # Errors
    /// [`Error::IssuerKeys`].
    pub(crate) fn open(oidc: Oidc, data: &Path, rest: Duration) -> Result<Issuer, Error> {
        let source = match &oidc.keys {
            KeySource::Discovery => Source::Discovery(oidc.issuer.clone()),
            KeySource::Url(url) => Source::Url(url.clone()),
            KeySource::File(path) => Source::File(data.join(path)),
        };
        let (cached, asked, doors) = (RwLock::default(), Mutex::default(), Mutex::default());
        let secret = client_secret(&oidc, data)?;
        let exchanges = Semaphore::new(EXCHANGES_MAX);
        let issuer = Issuer { oidc, source, rest, cached, asked, doors, secret, exchanges };
        if let Source::File(_) = &issuer.source {
            let fetched = issuer.source.fetch().map_err(|problem| Error::IssuerKeys { problem })?;
            issuer.keep(fetched);
        }
        Ok(issuer)
    }

    /// Whether a secret is a token and not a key of our own.
    pub(crate) fn takes(secret: &str) -> bool {
        Token::looks_like(secret)
    }

    /// Asks for the keys before anybody needs them.
    pub(crate) async fn warm(self: Arc<Issuer>) {
        if self.cached().is_none() {
            self.ask_again(|_| false).await;
        }
    }

    /// Who a token says is asking.
    ///
    /// # Errors
    /// 401 if it proves nothing, 403 if it does and gives nothing, 503 if it cannot be checked.
    pub(crate) async fn person(self: &Arc<Issuer>, text: &str) -> Result<Person, Problem> {
        let token = Token::parse(text).map_err(invalid)?;
        let keys = self.keys_for(token.algorithm, token.key.as_deref()).await?;
        let whom = (self.oidc.issuer.as_str(), self.oidc.audience.as_str());
        let claims = token.check(&keys, whom, Timestamp::now().as_second());
        self.person_of(&claims.map_err(invalid)?)
    }

    fn person_of(&self, claims: &Map<String, Value>) -> Result<Person, Problem> {
        Person::of(&self.oidc, claims).map_err(|lack| {
            Problem::forbidden("not_permitted", format!("the token proves who you are, but {lack}"))
        })
    }

    /// Keys that can check such a token.
    async fn keys_for(
        self: &Arc<Issuer>,
        algorithm: Algorithm,
        key: Option<&str>,
    ) -> Result<Arc<Keys>, Problem> {
        let knows = |cached: &Cached| cached.keys.knows(algorithm, key);
        if let Some(cached) = self.cached().filter(knows) {
            if cached.at.elapsed() > cached.fresh {
                // They are good for a while yet; nobody has to wait.
                tokio::spawn({
                    let (issuer, fresh) = (Arc::clone(self), cached.fresh);
                    async move { issuer.ask_again(|kept| kept.at.elapsed() <= fresh).await }
                });
            }
            return Ok(cached.keys);
        }
        let came = self.ask_again(knows).await;
        match self.cached() {
            Some(cached) if knows(&cached) => Ok(cached.keys),
            Some(_) if came => {
                Err(invalid("it is signed with a key that the issuer does not have"))
            }
            _ => Err(Problem::issuer_unreachable(REST_FAILED.as_secs())),
        }
    }

    /// The keys as they came last, unless that is too long ago.
    fn cached(&self) -> Option<Cached> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        cached.clone().filter(|cached| cached.at.elapsed() < BELIEVED)
    }

    fn keep(&self, fetched: fetch::Fetched) {
        let keys = Arc::new(fetched.keys);
        let cached = Cached { keys, at: Instant::now(), fresh: fetched.fresh };
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(cached);
    }

    /// Asks for the keys, unless somebody just did or what there is is `enough`: whether they came
    /// when they were last asked for.
    async fn ask_again(self: &Arc<Issuer>, enough: impl Fn(&Cached) -> bool) -> bool {
        let mut asked = self.asked.lock().await;
        if self.cached().is_some_and(|cached| enough(&cached)) {
            return true;
        }
        if let Some(last) = *asked {
            let rest = if last.came { self.rest } else { REST_FAILED.min(self.rest) };
            if last.at.elapsed() < rest {
                return last.came;
            }
        }
        let source = self.source.clone();
        let fetched = tokio::task::spawn_blocking(move || source.fetch()).await;
        let fetched = fetched.unwrap_or_else(|error| Err(error.to_string()));
        let came = fetched.is_ok();
        match fetched {
            Ok(fetched) => self.keep(fetched),
            Err(why) => tracing::warn!(why, "the issuer's keys could not be had"),
        }
        *asked = Some(Asked { at: Instant::now(), came });
        came
    }
}

/// What proves this installation to the issuer, if the policy names a file with it.
fn client_secret(oidc: &Oidc, data: &Path) -> Result<Option<String>, Error> {
    let file = oidc.sign_in.as_ref().and_then(|sign_in| sign_in.client_secret_file.as_ref());
    let Some(path) = file.map(|file| data.join(file)) else { return Ok(None) };
    let wrong =
        |problem: String| Error::ClientSecret { problem: format!("{}: {problem}", path.display()) };
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    match text.trim() {
        "" => Err(wrong("it is empty".into())),
        secret => Ok(Some(secret.to_owned())),
    }
}

fn invalid(fault: &str) -> Problem {
    Problem::unauthenticated("invalid_token", format!("this token is not accepted: {fault}"))
}
