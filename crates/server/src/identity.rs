//! Who is asking: decided from the key or token alone, never from what the request says of itself.

use std::sync::Arc;

use allod_answer::{Caller, Desk};
use allod_retrieval::Clearance;
use allod_store::KeyRow;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::limits::Keyless;
use crate::local;
use crate::oidc::{Issuer, Person};
use crate::problem::Problem;
use crate::role::{Right, Role};
use crate::sign_in;
use crate::state::Shared;
use crate::trace_parent::TraceParent;

/// Who says whom a request's words belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Nobody: the words belong to the key itself.
    Key,
    /// The issuer, whose token proves the person.
    Issuer,
    /// The caller's program, which proves nothing.
    Program,
}

/// A caller and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) caller: Caller,
    pub(crate) role: Role,
    /// What the caller's subject is.
    pub(crate) subject: Subject,
    /// The trace of the caller's that the request is a part of.
    pub(crate) trace: Option<TraceParent>,
}

impl Identity {
    fn of_key(key: KeyRow) -> Identity {
        let role = Role::read(&key.role);
        let clearance = Clearance::of(key.labels);
        let caller = Caller { tenant: key.tenant, subject: key.id, clearance };
        Identity { caller, role, subject: Subject::Key, trace: None }
    }

    fn of_person(desk: &Desk, person: Person) -> Result<Identity, Problem> {
        let subject = desk.store().pseudonym(&person.tenant, &person.name)?;
        let clearance = Clearance::of(person.labels);
        let caller = Caller { tenant: person.tenant, subject, clearance };
        Ok(Identity { caller, role: person.role, subject: Subject::Issuer, trace: None })
    }

    fn local_operator() -> Identity {
        let caller = Caller::operator(Clearance::public());
        Identity { caller, role: Role::Operator, subject: Subject::Key, trace: None }
    }

    /// Whether the records of a tenant are this caller's to see.
    pub(crate) fn sees_tenant(&self, tenant: &str) -> bool {
        self.role.sees_tenant(&self.caller, tenant)
    }

    /// Whether drafts that a person has yet to release are this caller's to see.
    pub(crate) fn sees_drafts(&self) -> bool {
        self.role.may(Right::Decide)
    }

    /// Whether the words of a subject's request are this caller's to see. Whom a program names is
    /// no proof of who asks: the words of a named user are for reviewers.
    pub(crate) fn sees_words_of(&self, subject: &str) -> bool {
        let own = self.subject != Subject::Program && self.caller.subject == subject;
        self.role.may(Right::Decide) || self.role.may(Right::Ask) && own
    }

    /// On behalf of the person whom the caller's program names, under a pseudonym of the tenant's.
    fn on_behalf_of(mut self, desk: &Desk, name: Option<&str>) -> Result<Identity, Problem> {
        if let Some(name) = name {
            self.caller.subject = desk.store().pseudonym(&self.caller.tenant, name)?;
            self.subject = Subject::Program;
        }
        Ok(self)
    }
}

/// Lets a request through with its identity, or turns it away.
pub(crate) async fn identify(
    State(state): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    match identity_of(&state, method, uri, request.headers().clone()).await {
        Ok(identity) => {
            let trace = TraceParent::of(request.headers());
            request.extensions_mut().insert(Identity { trace, ..identity });
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn identity_of(
    state: &Shared,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Identity, Problem> {
    if let Some(secret) = presented(&headers)? {
        let name = named(&headers)?;
        if let Some(issuer) = state.issuer.as_ref().filter(|_| Issuer::takes(&secret)) {
            return of_token(state, issuer, &secret, name).await;
        }
        return state
            .read(move |desk| of_secret(desk, &secret)?.on_behalf_of(desk, name.as_deref()))
            .await;
    }
    if let Some(person) = sign_in::person(state, &method, &headers)? {
        return of_person(state, person, named(&headers)?).await;
    }
    if !state.is_local() || state.options.keyless == Keyless::Refused {
        let or = if state.issuer.is_some() { ", or a token of the issuer" } else { "" };
        let needed = "an API key is needed: send `Authorization: Bearer allod_…` or `x-api-key`";
        return Err(Problem::unauthenticated("no_api_key", format!("{needed}{or}")));
    }
    local::check(&method, &uri, &headers)?;
    let local = Identity::local_operator();
    match named(&headers)? {
        None => Ok(local),
        name => state.read(move |desk| local.on_behalf_of(desk, name.as_deref())).await,
    }
}

async fn of_token(
    state: &Shared,
    issuer: &Arc<Issuer>,
    token: &str,
    named: Option<String>,
) -> Result<Identity, Problem> {
    let person = issuer.person(token).await?;
    of_person(state, person, named).await
}

async fn of_person(
    state: &Shared,
    person: Person,
    named: Option<String>,
) -> Result<Identity, Problem> {
    if named.is_some() {
        let message = "a token says itself who is asking; send x-allod-subject with a key only";
        return Err(Problem::request("subject", message));
    }
    state.read(move |desk| Identity::of_person(desk, person)).await
}

fn of_secret(desk: &Desk, secret: &str) -> Result<Identity, Problem> {
    let key = desk.store().authenticate(secret)?;
    key.map(Identity::of_key).ok_or_else(|| {
        let message = "this API key is wrong or was revoked";
        Problem::unauthenticated("invalid_api_key", message)
    })
}

/// The key that the request presents, in `Authorization` or, as Anthropic's clients do, in
/// `x-api-key`. A header that holds something else is an error: whoever sends one means to be
/// somebody; and nobody is two.
fn presented(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let bearer = headers.get(header::AUTHORIZATION).map(bearer).transpose()?;
    let plain = headers.get("x-api-key").map(plain).transpose()?;
    match (bearer, plain) {
        (Some(one), Some(other)) if one != other => {
            let message = "the Authorization header and x-api-key hold different keys; send one";
            Err(Problem::unauthenticated("invalid_api_key", message))
        }
        (bearer, plain) => Ok(bearer.or(plain)),
    }
}

/// The header in which a program names the person on whose behalf it asks.
const SUBJECT: &str = "x-allod-subject";
const SUBJECT_BYTES_MAX: usize = 256;

fn named(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(SUBJECT) else { return Ok(None) };
    let name = value.to_str().ok().map(str::trim);
    let sound = name.filter(|name| (1..=SUBJECT_BYTES_MAX).contains(&name.len()));
    sound.map(|name| Some(name.to_owned())).ok_or_else(|| {
        Problem::request("subject", "x-allod-subject must be 1 to 256 letters of ASCII")
    })
}

fn bearer(value: &HeaderValue) -> Result<String, Problem> {
    let words = value.to_str().ok().and_then(|text| text.split_once(' '));
    match words {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(secret.trim().to_owned())
        }
        _ => {
            let message = "the Authorization header must be `Bearer allod_…`";
            Err(Problem::unauthenticated("invalid_api_key", message))
        }
    }
}

fn plain(value: &HeaderValue) -> Result<String, Problem> {
    let wrong = || Problem::unauthenticated("invalid_api_key", "x-api-key must be `allod_…`");
    value.to_str().map(|text| text.trim().to_owned()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn a_bearer_key_is_read_and_nothing_else() {
        assert_eq!(presented(&HeaderMap::new()).unwrap(), None);
        assert_eq!(presented(&with("Bearer allod_a_b")).unwrap().as_deref(), Some("allod_a_b"));
        assert_eq!(presented(&with("bearer  allod_a_b")).unwrap().as_deref(), Some("allod_a_b"));
        assert!(presented(&with("Basic YTpi")).is_err());
        assert!(presented(&with("allod_a_b")).is_err());
    }

    #[test]
    fn a_program_names_the_person_it_asks_for_in_one_short_line() {
        let with = |value: &str| {
            HeaderMap::from_iter([(SUBJECT.parse().unwrap(), value.parse().unwrap())])
        };
        assert_eq!(named(&HeaderMap::new()).unwrap(), None);
        assert_eq!(named(&with(" anna@example.ch ")).unwrap().as_deref(), Some("anna@example.ch"));
        assert!(named(&with(" ")).is_err() && named(&with(&"x".repeat(257))).is_err());
    }

    #[test]
    fn a_key_in_the_header_of_anthropic_is_the_same_key() {
        let mut headers =
            HeaderMap::from_iter([("x-api-key".parse().unwrap(), "k".parse().unwrap())]);
        assert_eq!(presented(&headers).unwrap().as_deref(), Some("k"));
        headers.insert(header::AUTHORIZATION, "Bearer k".parse().unwrap());
        assert_eq!(presented(&headers).unwrap().as_deref(), Some("k"));
        headers.insert(header::AUTHORIZATION, "Bearer other".parse().unwrap());
        assert!(presented(&headers).is_err());
    }

    #[test]
    fn words_are_for_who_asked_and_who_decides() {
        let with = |role| Identity { role, ..Identity::local_operator() };
        let own = with(Role::User).caller.subject;
        assert!(with(Role::User).sees_words_of(&own) && !with(Role::User).sees_words_of("other"));
        assert!(with(Role::Reviewer).sees_words_of("other"));
        for role in [Role::Auditor, Role::Monitor] {
            assert!(!with(role).sees_words_of(&own) && !with(role).sees_drafts(), "{role:?}");
        }
        let named = Identity { subject: Subject::Program, ..with(Role::User) };
        assert!(!named.sees_words_of(&own));
    }
}
