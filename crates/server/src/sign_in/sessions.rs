//! Who has signed in. In memory only: after a restart everyone signs in again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::oidc::Person;

/// Who signed in is known for so long, whatever happens at the issuer.
const HELD: Duration = Duration::from_secs(8 * 60 * 60);
/// More browsers than this are not known at a time, nor more of one person; the oldest go first.
const HELD_MAX: usize = 10_000;
const HELD_OF_ONE_MAX: usize = 20;

const SECRET_BYTES: usize = 32;

/// The digest of a secret: how long it takes to be found tells nothing of the secret.
type Name = [u8; 32];

struct Session {
    person: Person,
    /// The token that they signed in with: the issuer wants to see it when they sign out.
    token: String,
    end: Instant,
}

/// All who have signed in.
#[derive(Default)]
pub(crate) struct Sessions {
    all: Mutex<HashMap<Name, Session>>,
}

impl Sessions {
    /// Someone signed in; the secret that the browser is to show from now on.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn hold(
        &self,
        (person, token): (Person, String),
    ) -> Result<String, getrandom::Error> {
        let secret = random()?;
        self.put(&secret, (person, token), Instant::now());
        Ok(secret)
    }

    fn put(&self, secret: &str, (person, token): (Person, String), now: Instant) {
        let mut all = self.all();
        all.retain(|_, session| session.end > now);
        drop_oldest(&mut all, HELD_MAX, |_| true);
        drop_oldest(&mut all, HELD_OF_ONE_MAX, |session| session.person.name == person.name);
        all.insert(name(secret), Session { person, token, end: now + HELD });
    }

    /// Who shows this secret.
    pub(super) fn person(&self, secret: &str) -> Option<Person> {
        self.person_at(secret, Instant::now())
    }

    fn person_at(&self, secret: &str, now: Instant) -> Option<Person> {
        let all = self.all();
        let session = all.get(&name(secret)).filter(|session| session.end > now);
        session.map(|session| session.person.clone())
    }

    /// Whoever shows this secret is signed out; the token that they signed in with.
    pub(super) fn end(&self, secret: &str) -> Option<String> {
        self.all().remove(&name(secret)).map(|session| session.token)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Name, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for one more where `most` of these are there.
fn drop_oldest(all: &mut HashMap<Name, Session>, most: usize, is_one: impl Fn(&Session) -> bool) {
    if all.values().filter(|session| is_one(session)).count() < most {
        return;
    }
    let those = all.iter().filter(|(_, session)| is_one(session));
    if let Some(first) = those.min_by_key(|(_, session)| session.end).map(|(name, _)| *name) {
        all.remove(&first);
    }
}

fn name(secret: &str) -> Name {
    let digest = digest(&SHA256, secret.as_bytes());
    digest.as_ref().try_into().expect("it has 32 bytes")
}

/// A secret that nobody guesses, as it can stand in a cookie.
pub(super) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;

    fn person(name: &str) -> (Person, String) {
        let (token, tenant) = (format!("token of {name}"), "local".to_owned());
        (Person { name: name.to_owned(), tenant, role: Role::User, labels: Vec::new() }, token)
    }

    #[test]
    fn who_signed_in_is_known_by_the_secret_until_the_end() {
        let sessions = Sessions::default();
        let secret = sessions.hold(person("anna")).unwrap();
        assert_eq!(secret.len(), 43);
        assert_eq!(sessions.person(&secret).unwrap().name, "anna");
        assert_eq!(sessions.person("guessed"), None);
        assert_eq!(sessions.person_at(&secret, Instant::now() + HELD), None, "it lasts so long");
        assert_eq!(sessions.end(&secret).as_deref(), Some("token of anna"));
        assert_eq!(sessions.end(&secret), None);
        assert_eq!(sessions.person(&secret), None);
    }

    #[test]
    fn as_many_as_there_is_room_for_are_known_and_one_person_takes_little_of_it() {
        let (sessions, begin) = (Sessions::default(), Instant::now());
        sessions.put("beat", person("beat"), begin);
        for number in 0..30 {
            let now = begin + Duration::from_secs(1 + number);
            sessions.put(&number.to_string(), person("anna"), now);
        }
        assert_eq!(sessions.all().len(), 1 + HELD_OF_ONE_MAX);
        assert!(sessions.person("9").is_none() && sessions.person("10").is_some());
        assert!(sessions.person("beat").is_some(), "hers are not his");
        let later = begin + Duration::from_secs(100);
        for number in 0..HELD_MAX {
            sessions.put(&format!("x{number}"), person(&format!("x{number}")), later);
        }
        assert_eq!(sessions.all().len(), HELD_MAX);
        assert!(sessions.person("beat").is_none(), "the oldest went");
    }
}
