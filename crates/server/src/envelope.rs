//! What every response carries, and what is noted of every request: an id, a deadline, the headers
//! that keep browsers careful, one line in the log. Never a question, an answer or a key.

use std::fmt::Write;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use crate::family::Family;
use crate::problem::Problem;
use crate::state::Shared;

/// A longer name of a request is passed over.
const REQUEST_ID_MAX: usize = 128;

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// A browser that has seen the server asks it through TLS only, for a year.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Wraps every request.
pub(crate) async fn wrap(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let id = given_id(request.headers()).unwrap_or_else(new_id);
    let span = tracing::info_span!("request", id = %id);
    let family = Family::of(request.uri().path());
    let method = request.method().clone();
    // The route, not the path: the path may name a document or a review.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let begun = Instant::now();
    let deadline = state.options.request_timeout;
    let served = tokio::time::timeout(deadline, next.run(request)).instrument(span.clone()).await;
    let response = served.unwrap_or_else(|_| Problem::timeout().into_response());
    let mut response = family.told(response, &id);
    let status = response.status();
    state.metrics.responded(status.as_u16());
    span.in_scope(|| {
        let route = route.as_ref().map_or("-", MatchedPath::as_str);
        let ms = begun.elapsed().as_millis();
        tracing::info!(%method, route, status = status.as_u16(), ms, "served");
    });
    add_headers(response.headers_mut(), &id, family);
    if state.options.tls.is_some() && !state.is_local() {
        // Other programs of this machine may speak without TLS under the same name.
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    response
}

fn add_headers(headers: &mut HeaderMap, id: &str, family: Family) {
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let id = HeaderValue::from_str(id).expect("an id is plain text");
    if family == Family::Anthropic {
        headers.insert("request-id", id.clone());
    }
    headers.insert("x-request-id", id);
}

/// The name that the client gave the request, if it can stand in a log: then both logs tell of the
/// same request.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let given = headers.get("x-request-id")?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=REQUEST_ID_MAX).contains(&given.len()) && given.bytes().all(plain);
    fits.then(|| given.to_owned())
}

/// A random name for one request.
pub(crate) fn new_id() -> String {
    let mut bytes = [0_u8; 12];
    // Without random bytes the id is of less use in the log; nothing rests on it.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().fold(String::new(), |mut id, byte| {
        write!(id, "{byte:02x}").expect("a string takes any text");
        id
    })
}

/// No route has this path.
pub(crate) async fn no_such_path() -> Problem {
    Problem::transport(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
}

/// The path has no such method.
pub(crate) async fn no_such_method() -> Problem {
    let message = "this address does not take this method; /openapi.json lists what there is";
    Problem::transport(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_client_gives_is_kept_if_it_can_stand_in_a_log() {
        let given = |text: &str| {
            given_id(&HeaderMap::from_iter([(
                "x-request-id".parse().unwrap(),
                text.parse().unwrap(),
            )]))
        };
        assert_eq!(given("a-1_B.7").as_deref(), Some("a-1_B.7"));
        for wrong in ["", "a b", "a\"b", "x".repeat(129).as_str()] {
            assert_eq!(given(wrong), None, "{wrong}");
        }
        assert_eq!(given_id(&HeaderMap::new()), None);
    }
}
