//! Signing in with a browser: people prove at the issuer who they are, and the console then asks in
//! their name, by a cookie that no script can read and no other page can send.

mod page;
mod sessions;
mod way;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::oidc::{CALLBACK, Issuer, Person};
use crate::problem::Problem;
use crate::state::Shared;
use sessions::Sessions;
use way::Way;

/// Longer texts are no code and no state of an issuer.
const FIELD_BYTES_MAX: usize = 4096;

/// Who is signing in, and who has.
pub(crate) struct SignIns {
    way: Way,
    sessions: Sessions,
}

impl SignIns {
    /// # Errors
    /// When the system gives no random bytes.
    pub(crate) fn open() -> Result<SignIns, getrandom::Error> {
        Ok(SignIns { way: Way::open()?, sessions: Sessions::default() })
    }
}

/// The addresses.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/sign-in", get(begin))
        .route("/sign-in/offer", get(offer))
        .route(CALLBACK, get(back))
        .route("/sign-out", post(end))
}

/// What the issuer sends a browser back with.
#[derive(Deserialize)]
struct Back {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    /// Which issuer it was (RFC 9207).
    iss: Option<String>,
}

fn issuer(state: &Shared) -> Result<&Arc<Issuer>, Problem> {
    let offering = state.issuer.as_ref().filter(|issuer| issuer.lets_sign_in());
    offering.ok_or_else(|| Problem::missing("nobody signs in here: use an API key".into()))
}

/// `GET /sign-in/offer`: whether people can sign in here.
async fn offer(State(state): State<Shared>) -> Json<Value> {
    Json(json!({"offered": issuer(&state).is_ok()}))
}

/// `GET /sign-in`: on to the issuer.
async fn begin(State(state): State<Shared>) -> Response {
    sent(&state).await.unwrap_or_else(|problem| page::problem(&problem))
}

async fn sent(state: &Shared) -> Result<Response, Problem> {
    let issuer = issuer(state)?;
    let begun = state.sign_ins.way.begin(Timestamp::now().as_second());
    let (name, secrets) = begun.map_err(|_| Problem::no_chance())?;
    let address = issuer.sign_in_address(&secrets).await?;
    let location = HeaderValue::from_str(&address).map_err(|_| Problem::issuer_away())?;
    let cookie = Cookie::of_way(issuer).holding(&name, Some(way::SECONDS_MAX));
    Ok((StatusCode::FOUND, [(header::LOCATION, location), (header::SET_COOKIE, cookie)])
        .into_response())
}

/// `GET /sign-in/callback`: back from the issuer, with a code. It is gone once, however it ends.
async fn back(
    State(state): State<Shared>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Response {
    let issuer = match issuer(&state) {
        Ok(issuer) => issuer,
        Err(problem) => return page::problem(&problem),
    };
    let over = Cookie::of_way(issuer).holding("", Some(0));
    match arrived(&state, issuer, &headers, back).await {
        Ok(secret) => {
            let known = Cookie::of_session(issuer).holding(&secret, None);
            let cookies = [(header::SET_COOKIE, over), (header::SET_COOKIE, known)];
            (AppendHeaders(cookies), Html(page::ARRIVED)).into_response()
        }
        Err(problem) => ([(header::SET_COOKIE, over)], page::problem(&problem)).into_response(),
    }
}

/// The secret of the session.
async fn arrived(
    state: &Shared,
    issuer: &Arc<Issuer>,
    headers: &HeaderMap,
    back: Back,
) -> Result<String, Problem> {
    let fits = |text: &String| (1..=FIELD_BYTES_MAX).contains(&text.len());
    let now = Timestamp::now().as_second();
    let begun = Cookie::of_way(issuer).held(headers).zip(back.state.filter(fits));
    let begun = begun.and_then(|(name, sent)| state.sign_ins.way.back(name, &sent, now));
    let secrets = begun.ok_or_else(|| {
        let message = "this browser did not begin to sign in here, or more than ten minutes ago";
        Problem::request("sign_in", message)
    })?;
    if back.iss.is_some_and(|named| named != issuer.name()) {
        return Err(Problem::request("sign_in", "the answer came from another place than asked"));
    }
    let code = back.code.filter(|code| back.error.is_none() && fits(code));
    let code = code.ok_or_else(|| {
        Problem::forbidden("sign_in", "your organisation's sign-in did not let you in")
    })?;
    let known = issuer.signed_in(&code, &secrets).await?;
    state.sign_ins.sessions.hold(known).map_err(|_| Problem::no_chance())
}

/// `POST /sign-out`: the session ends here in any case. Where the issuer lets people sign out, the
/// page is told where to go on to; the browser must go there itself, as its cookies are there.
async fn end(State(state): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let issuer = issuer(&state)?;
    check_page(issuer, &Method::POST, &headers)?;
    let cookie = Cookie::of_session(issuer);
    let token = cookie.held(&headers).and_then(|secret| state.sign_ins.sessions.end(secret));
    let gone = [(header::SET_COOKIE, cookie.holding("", Some(0)))];
    let address = match token {
        Some(token) => issuer.sign_out_address(&token).await,
        None => None,
    };
    Ok(match address {
        // The address holds the token; it stays in no cache.
        Some(address) => {
            let unkept = [(header::CACHE_CONTROL, "no-store")];
            (gone, unkept, Json(json!({"end_session_url": address}))).into_response()
        }
        None => (StatusCode::NO_CONTENT, gone).into_response(),
    })
}

/// Who signed in with the browser that sends this request, if it is a page of the console that
/// sends it.
///
/// # Errors
/// 401 if nobody is known any more, 403 if another page sent it.
pub(crate) fn person(
    state: &Shared,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Person>, Problem> {
    let Ok(issuer) = issuer(state) else { return Ok(None) };
    let Some(secret) = Cookie::of_session(issuer).held(headers) else { return Ok(None) };
    check_page(issuer, method, headers)?;
    state
        .sign_ins
        .sessions
        .person(secret)
        .map(Some)
        .ok_or_else(|| Problem::unauthenticated("signed_out", "you are signed out: sign in again"))
}

/// The cookie is not sent from other sites; that it was sent by a page of this one is seen beside.
fn check_page(issuer: &Issuer, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own_site = matches!(text("sec-fetch-site").unwrap_or("none"), "none" | "same-origin");
    let own_origin = match headers.contains_key(header::ORIGIN) {
        true => text("origin").is_some_and(|o| o.eq_ignore_ascii_case(&issuer.console_origin())),
        false => method.is_safe(),
    };
    match own_site && own_origin {
        true => Ok(()),
        false => {
            let message = "with a cookie, only requests of the console's own pages are served";
            Err(Problem::forbidden("cross_site", message))
        }
    }
}

/// A cookie of ours. Under TLS its name has a prefix with which browsers take it from this very
/// host only, over TLS (RFC 6265bis, 4.1.3): no neighbour under the same domain can set one.
struct Cookie {
    name: &'static str,
    path: &'static str,
    same_site: &'static str,
    secure: &'static str,
}

impl Cookie {
    /// Who signed in. No request that another site begins carries it.
    fn of_session(issuer: &Issuer) -> Cookie {
        let (name, secure) = match is_over_tls(issuer) {
            true => ("__Host-allod_session", "; Secure"),
            false => ("allod_session", ""),
        };
        Cookie { name, path: "/", same_site: "Strict", secure }
    }

    /// Who is on the way. It is the issuer's site that sends the browser back, and a strict cookie
    /// would stay behind.
    fn of_way(issuer: &Issuer) -> Cookie {
        let (name, secure) = match is_over_tls(issuer) {
            true => ("__Secure-allod_sign_in", "; Secure"),
            false => ("allod_sign_in", ""),
        };
        Cookie { name, path: CALLBACK, same_site: "Lax", secure }
    }

    /// As it is set; without an age it goes with the browser.
    fn holding(&self, value: &str, age_seconds: Option<i64>) -> HeaderValue {
        let Cookie { name, path, same_site, secure } = self;
        let age = age_seconds.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
        let text =
            format!("{name}={value}; Path={path}{age}; HttpOnly; SameSite={same_site}{secure}");
        HeaderValue::from_str(&text).expect("a cookie of ours is plain text")
    }

    /// What a browser holds of it.
    fn held<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let lines = headers.get_all(header::COOKIE).iter();
        let pairs = lines.filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
        let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, value)| *key == self.name && !value.is_empty()).map(|(_, value)| value)
    }
}

fn is_over_tls(issuer: &Issuer) -> bool {
    issuer.console_origin().starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let cookie = Cookie { name: "session", path: "/", same_site: "Strict", secure: "" };
        let held = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (header::COOKIE, line.parse().unwrap()));
            cookie.held(&lines.collect()).map(str::to_owned)
        };
        assert_eq!(held(&["a=1; session=x-_1; b=2"]).as_deref(), Some("x-_1"));
        assert_eq!(held(&["a=1", "session=y"]).as_deref(), Some("y"));
        for none in ["xsession=1", "session=", "session", "a=session", "Session=1"] {
            assert_eq!(held(&[none]), None, "{none}");
        }
    }
}
