//! Families of interfaces write what went wrong each in its own way.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::problem::Problem;

/// Whose clients read an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// OpenAI's, and all others.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Cohere's and Jina's.
    Rerank,
}

impl Family {
    /// Whose clients read this address.
    pub(crate) fn of(path: &str) -> Family {
        match path {
            "/v1/messages" | "/v1/messages/count_tokens" => Family::Anthropic,
            "/v1/rerank" => Family::Rerank,
            _ => Family::OpenAi,
        }
    }

    /// The response as it is, or, where it tells of a problem, in the words of this family.
    pub(crate) fn told(self, response: Response, id: &str) -> Response {
        let body = match (self, response.extensions().get::<Problem>()) {
            (Family::Anthropic, Some(problem)) => anthropic(problem, Some(id)),
            (Family::Rerank, Some(problem)) => {
                let mut body = problem.body();
                body["message"] = problem.message().into();
                body
            }
            _ => return response,
        };
        let (mut head, _) = response.into_parts();
        head.headers.remove("content-length");
        let (_, body) = Json(body).into_response().into_parts();
        Response::from_parts(head, body)
    }
}

/// A problem in the words of Anthropic's interface.
pub(crate) fn anthropic(problem: &Problem, id: Option<&str>) -> Value {
    let kind = match problem.status() {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::SERVICE_UNAVAILABLE if problem.code() == "overloaded" => "overloaded_error",
        StatusCode::GATEWAY_TIMEOUT => "timeout_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "api_error",
    };
    let message = match problem.param() {
        Some(param) if !problem.message().contains(param) => {
            format!("{param}: {}", problem.message())
        }
        _ => problem.message().to_owned(),
    };
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": id})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_the_words_of_its_family() {
        let body = anthropic(&Problem::field("top_p", "must be above 0"), Some("r1"));
        assert_eq!(body["type"], "error");
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert_eq!(body["error"]["message"], "top_p: must be above 0");
        assert_eq!(body["request_id"], "r1");
        let kind = |problem: &Problem| anthropic(problem, None)["error"]["type"].clone();
        assert_eq!(kind(&Problem::overloaded()), "overloaded_error");
        assert_eq!(kind(&Problem::unknown_model("x", &[])), "not_found_error");
        assert_eq!(kind(&Problem::unauthenticated("c", "m")), "authentication_error");
        assert_eq!(kind(&Problem::internal(&"x")), "api_error");
    }
}
