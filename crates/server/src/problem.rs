//! What went wrong with one request, in the form that OpenAI clients read.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// So long a client that was turned away is told to wait.
const RETRY_AFTER_SECONDS: u64 = 2;

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    message: String,
    param: Option<String>,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, code: &'static str, message: String) -> Problem {
        Problem { status, kind, code, message, param: None, retry_after_seconds: None }
    }

    /// The request itself is wrong.
    pub(crate) fn request(code: &'static str, message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_request_error", code, message.into())
    }

    /// A field of the request is wrong.
    pub(crate) fn field(param: impl Into<String>, message: impl Into<String>) -> Problem {
        let problem = Problem::request("invalid_value", message);
        Problem { param: Some(param.into()), ..problem }
    }

    /// No key, or one that proves nothing.
    pub(crate) fn unauthenticated(code: &'static str, message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "authentication_error", code, message.into())
    }

    /// The caller is known and may not.
    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "permission_error", code, message.into())
    }

    /// There is no such thing, or none that the caller may know of.
    pub(crate) fn absent(what: &str) -> Problem {
        let message = format!("there is no such {what}, or none that you may see");
        Problem::new(StatusCode::NOT_FOUND, "invalid_request_error", "not_found", message)
    }

    /// There is no such thing, and the caller may know that.
    pub(crate) fn missing(message: String) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "invalid_request_error", "not_found", message)
    }

    /// A model that is not served.
    pub(crate) fn unknown_model(asked: &str, known: &[String]) -> Problem {
        let shown: String = asked.chars().take(80).collect();
        let message = format!("there is no model `{shown}`; known: {}", known.join(", "));
        let status = StatusCode::NOT_FOUND;
        let problem = Problem::new(status, "invalid_request_error", "model_not_found", message);
        Problem { param: Some("model".into()), ..problem }
    }

    /// The thing is not in the state that the request needs.
    pub(crate) fn conflict(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, "invalid_request_error", "conflict", message.into())
    }

    /// Too much work waits already.
    pub(crate) fn overloaded() -> Problem {
        let message = "too many requests wait for an answer; try again in a few seconds";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem = Problem::new(status, "server_error", "overloaded", message.into());
        problem.retry_after(RETRY_AFTER_SECONDS)
    }

    /// Too much work of this tenant waits already.
    pub(crate) fn too_many_requests() -> Problem {
        let message = "too many of your requests wait for an answer; try again in a few seconds";
        let status = StatusCode::TOO_MANY_REQUESTS;
        let problem =
            Problem::new(status, "rate_limit_error", "rate_limit_exceeded", message.into());
        problem.retry_after(RETRY_AFTER_SECONDS)
    }

    /// The tenant has asked as often as it may in a minute.
    pub(crate) fn too_fast(most: u32, seconds: u64) -> Problem {
        let message = format!("the policy allows your tenant {most} requests in a minute");
        let status = StatusCode::TOO_MANY_REQUESTS;
        Problem::new(status, "rate_limit_error", "rate_limit_exceeded", message)
            .retry_after(seconds.max(1))
    }

    /// The tenant has used the tokens of the day.
    pub(crate) fn budget_spent(most: u64, seconds: u64) -> Problem {
        let message = format!(
            "the policy allows your tenant {most} tokens a day, and they are used; the next day \
             begins at midnight UTC"
        );
        let status = StatusCode::TOO_MANY_REQUESTS;
        Problem::new(status, "insufficient_quota", "insufficient_quota", message)
            .retry_after(seconds)
    }

    /// A token cannot be checked now.
    pub(crate) fn issuer_unreachable(retry_after_seconds: u64) -> Problem {
        let message = "your token cannot be checked: its issuer's keys could not be had; the log \
                       says why. API keys are not concerned";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem = Problem::new(status, "server_error", "issuer_unreachable", message.into());
        problem.retry_after(retry_after_seconds)
    }

    /// Where people sign in cannot be had now.
    pub(crate) fn issuer_away() -> Problem {
        let message = "the place where you sign in cannot be reached now: try again in a moment; \
                       the server's log says why";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Problem::new(status, "server_error", "issuer_unreachable", message.into())
            .retry_after(RETRY_AFTER_SECONDS)
    }

    /// The system gives no random bytes.
    pub(crate) fn no_chance() -> Problem {
        let (status, message) = (StatusCode::SERVICE_UNAVAILABLE, "there are no random bytes here");
        Problem::new(status, "server_error", "no_random_bytes", message.into())
    }

    /// The same problem; the client is told to come back in so many seconds.
    pub(crate) fn retry_after(self, seconds: u64) -> Problem {
        Problem { retry_after_seconds: Some(seconds), ..self }
    }

    /// The answer took too long.
    pub(crate) fn timeout() -> Problem {
        let message = "the request took longer than this server allows; it may still be recorded";
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "server_error", "timeout", message.into())
    }

    /// Whatever the request's transport has to say: too long, wrong type, wrong method.
    pub(crate) fn transport(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Problem {
        Problem::new(status, "invalid_request_error", code, message.into())
    }

    /// Our own failure. Its cause goes to the log, not to the caller: it may name files.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Problem {
        tracing::error!(%cause, "a request failed");
        let message = "the server failed; its log says why under this response's x-request-id";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "server_error", "internal", message.into())
    }

    /// What went wrong and what to do.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The field at fault, if one is.
    pub(crate) fn param(&self) -> Option<&str> {
        self.param.as_deref()
    }

    /// Which problem it is.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The status of the response.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The body of the response, as OpenAI has it.
    pub(crate) fn body(&self) -> Value {
        json!({"error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }})
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The interface that was called may write it otherwise.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<allod_answer::Error> for Problem {
    fn from(error: allod_answer::Error) -> Problem {
        use allod_answer::Error;
        match error {
            Error::Limit(message) => Problem::request("limit", message),
            Error::Private(_) => {
                let (status, kind) = (StatusCode::FORBIDDEN, "invalid_request_error");
                Problem::new(status, kind, "personal_data", error.to_string())
            }
            Error::NoModel(message) => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Problem::new(status, "server_error", "no_model", message)
            }
            Error::Overwritten { .. } => {
                tracing::error!(cause = %error, "the model's file was written to");
                let message = "the model's file was changed while the server ran, so nothing is \
                               answered until it starts again; the log names the file";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Problem::new(status, "server_error", "model_changed", message.into())
            }
            Error::Upstream { .. } => {
                tracing::error!(cause = %error, "the upstream failed");
                let message = "the model's server could not be used; the log says why";
                let status = StatusCode::BAD_GATEWAY;
                Problem::new(status, "server_error", "upstream_failed", message.into())
            }
            Error::Held { retry_after_seconds, .. } => {
                tracing::error!(cause = %error, "nothing is sent to the upstream");
                let message = "the model's server is left alone for now: it failed too often, or \
                               the day's budget for it is spent";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Problem::new(status, "server_error", "upstream_held", message.into())
                    .retry_after(retry_after_seconds)
            }
            Error::Engine(error) => Problem::from(error),
            Error::Model(error @ allod_lm::Error::Text(_)) => {
                Problem::request("invalid_value", error.to_string())
            }
            error @ Error::AdapterName { .. } => {
                Problem::request("invalid_value", error.to_string())
            }
            error @ Error::NoAdapter { .. } => Problem::missing(error.to_string()),
            error @ Error::NameTaken { .. } => Problem::conflict(error.to_string()),
            error @ Error::BadAdapter { .. } => {
                Problem::request("invalid_adapter", error.to_string())
            }
            other => Problem::internal(&other),
        }
    }
}

impl From<allod_engine::Error> for Problem {
    fn from(error: allod_engine::Error) -> Problem {
        use allod_engine::Error;
        match error {
            Error::PromptTooLong { .. } => {
                Problem::request("context_length_exceeded", error.to_string())
            }
            // The chat template takes conversations of some shapes only, and says which.
            Error::Model(error @ (allod_lm::Error::Text(_) | allod_lm::Error::Template(_))) => {
                Problem::request("invalid_value", error.to_string())
            }
            Error::Vocabulary { token, vocabulary } => {
                let message = format!("{token} is no token: the vocabulary has {vocabulary}");
                Problem::field("prompt", message)
            }
            Error::BiasToken { .. } => Problem::field("logit_bias", error.to_string()),
            Error::EmptyPrompt
            | Error::Sampling { .. }
            | Error::Count { .. }
            | Error::Constraint { .. } => Problem::request("invalid_value", error.to_string()),
            Error::AdapterTwice { .. } | Error::TooManyAdapters { .. } => {
                Problem::conflict(error.to_string())
            }
            // It was unloaded since the request came.
            Error::UnknownAdapter { name, .. } => Problem::unknown_model(&name, &[]),
            Error::Busy { retry_after_seconds } => {
                Problem::overloaded().retry_after(retry_after_seconds)
            }
            Error::TenantBusy { retry_after_seconds } => {
                Problem::too_many_requests().retry_after(retry_after_seconds)
            }
            Error::Down { what, retry_after_seconds } => {
                // What a cell says as it falls is for the log.
                tracing::error!(%what, "a request found no process that runs the model");
                let message = "the model is being started again; try again in a moment";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Problem::new(status, "server_error", "model_restarting", message.into())
                    .retry_after(retry_after_seconds)
            }
            other => Problem::internal(&allod_answer::Error::from(other)),
        }
    }
}

impl From<allod_store::Error> for Problem {
    fn from(error: allod_store::Error) -> Problem {
        Problem::internal(&error)
    }
}

impl From<allod_retrieval::Error> for Problem {
    fn from(error: allod_retrieval::Error) -> Problem {
        Problem::internal(&error)
    }
}

impl From<allod_ledger::Error> for Problem {
    fn from(error: allod_ledger::Error) -> Problem {
        match error {
            allod_ledger::Error::NoSuchEntry { .. } => Problem::absent("receipt"),
            other => Problem::internal(&other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_four_fields_that_clients_read() {
        let body = Problem::field("top_p", "must be above 0").body();
        let error = &body["error"];
        assert_eq!(error["message"], "must be above 0");
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["param"], "top_p");
        assert_eq!(error["code"], "invalid_value");
    }

    #[test]
    fn an_internal_failure_does_not_tell_its_cause() {
        let body = Problem::internal(&"/var/lib/allod/allod.db is damaged").body().to_string();
        assert!(!body.contains("/var/lib"), "{body}");
    }

    #[test]
    fn who_is_turned_away_is_told_when_to_come_back() {
        let response = Problem::overloaded().into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
    }
}
