//! The JSON body of a request. Only `application/json` counts: a page of another origin cannot
//! send that without asking first, and it is never told that it may.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::state::Shared;

/// A request body, read.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Shared) -> Result<Body<T>, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::transport(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "send the body as JSON, with `content-type: application/json`",
            ));
        }
        let longest = state.options.body_timeout;
        let arrived = tokio::time::timeout(longest, Bytes::from_request(request, state)).await;
        let bytes = arrived.map_err(|_| too_slow())?.map_err(|rejection| {
            let status = rejection.status();
            let code = if status == StatusCode::PAYLOAD_TOO_LARGE { "too_long" } else { "broken" };
            Problem::transport(status, code, rejection.body_text())
        })?;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            Problem::request("invalid_json", format!("the body is not what is expected: {error}"))
        })?;
        Ok(Body(value))
    }
}

/// Whoever sends a byte now and then would hold one of the connections that others wait for.
fn too_slow() -> Problem {
    let message = "the body did not arrive in time; send it at once";
    Problem::transport(StatusCode::REQUEST_TIMEOUT, "too_slow", message)
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_json() {
        for (given, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("text/plain;application/json", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, given.parse().unwrap());
            assert_eq!(is_json(&headers), expected, "{given}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
