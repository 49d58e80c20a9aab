//! Counts of what the server does, in the text format of Prometheus.
//!
//! Some names are those of vLLM, so that its dashboards work, but only where they mean the same.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use allod_answer::Tokens;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::state::{Shared, State as ServerState};

/// Upper bounds of the buckets for latencies, in seconds.
const BUCKETS_SECONDS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// What has been counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// By kind (`ask`, `chat`) and outcome; `failed` where there was none.
    requests: BTreeMap<(&'static str, &'static str), u64>,
    responses: BTreeMap<u16, u64>,
    /// Requests in the bucket of that number alone; the last one has no bound.
    latencies: [u64; BUCKETS_SECONDS.len() + 1],
    latency_sum: Duration,
    tokens: Tokens,
}

impl Metrics {
    /// One question was dealt with.
    pub(crate) fn answered(
        &self,
        kind: &'static str,
        outcome: &'static str,
        took: Duration,
        tokens: Tokens,
    ) {
        let mut counts = self.counts();
        *counts.requests.entry((kind, outcome)).or_default() += 1;
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS_SECONDS.iter().position(|bound| seconds <= *bound);
        counts.latencies[bucket.unwrap_or(BUCKETS_SECONDS.len())] += 1;
        counts.latency_sum += took;
        counts.tokens.prompt += tokens.prompt;
        counts.tokens.completion += tokens.completion;
    }

    /// One response was sent.
    pub(crate) fn responded(&self, status: u16) {
        *self.counts().responses.entry(status).or_default() += 1;
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of an outcome in metrics.
pub(crate) fn outcome_name(outcome: allod_answer::Outcome) -> &'static str {
    use allod_answer::Outcome;
    match outcome {
        Outcome::Answered => "answered",
        Outcome::Refused => "refused",
        Outcome::Escalated => "escalated",
        Outcome::HumanReview => "human_review",
    }
}

/// `GET /metrics`
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "Counts in the form of Prometheus", body = String)))]
pub(crate) async fn metrics(State(state): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text(&state))
}

fn text(state: &ServerState) -> String {
    let mut page = Page::default();
    let counts = state.metrics.counts();
    page.family("allod_requests_total", "counter", "Questions by kind and outcome.");
    for ((kind, outcome), count) in &counts.requests {
        let labels = format!("kind=\"{kind}\",outcome=\"{outcome}\"");
        page.sample("allod_requests_total", &labels, count);
    }
    page.family("allod_http_responses_total", "counter", "HTTP responses by status.");
    for (status, count) in &counts.responses {
        page.sample("allod_http_responses_total", &format!("status=\"{status}\""), count);
    }
    let model = format!("model_name=\"{}\"", escaped(&model_name(state)));
    for (name, labels) in [
        ("allod_request_duration_seconds", ""),
        ("vllm:e2e_request_latency_seconds", model.as_str()),
    ] {
        page.histogram(name, labels, &counts);
    }
    let running = state.answering.running();
    let waiting = state.answering.waiting();
    for (name, labels) in
        [("allod_tokens_total", "kind=\"prompt\""), ("vllm:prompt_tokens_total", &model)]
    {
        page.counted(name, labels, "Tokens read.", counts.tokens.prompt);
    }
    page.sample("allod_tokens_total", "kind=\"completion\"", counts.tokens.completion);
    let written = counts.tokens.completion;
    page.counted("vllm:generation_tokens_total", &model, "Tokens written.", written);
    page.measured("allod_requests_in_flight", "", "Questions being answered.", running);
    page.measured("vllm:num_requests_running", &model, "Questions being answered.", running);
    page.measured("allod_requests_waiting", "", "Questions in the line.", waiting);
    page.measured("vllm:num_requests_waiting", &model, "Questions in the line.", waiting);
    let receipts = state.desk.ledger().checkpoint().size;
    page.measured("allod_ledger_receipts", "", "Receipts in the log.", receipts);
    page.measured("allod_start_time_seconds", "", "When the server started.", state.started);
    page.0
}

fn model_name(state: &ServerState) -> String {
    state.desk.generator().map_or_else(|| crate::DOCUMENTS_MODEL.into(), |model| model.name())
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The text being written.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(&format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        match labels {
            "" => self.line(&format_args!("{name} {value}")),
            labels => self.line(&format_args!("{name}{{{labels}}} {value}")),
        }
    }

    fn counted(&mut self, name: &str, labels: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, labels, value);
    }

    fn measured(&mut self, name: &str, labels: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, labels, value);
    }

    fn histogram(&mut self, name: &str, labels: &str, counts: &Counts) {
        self.family(name, "histogram", "Time from a question to its receipt.");
        let comma = if labels.is_empty() { "" } else { "," };
        let mut sum = 0;
        let bounds = BUCKETS_SECONDS.iter().map(ToString::to_string).chain(["+Inf".into()]);
        for (bound, count) in bounds.zip(counts.latencies) {
            sum += count;
            self.sample(&format!("{name}_bucket"), &format!("{labels}{comma}le=\"{bound}\""), sum);
        }
        self.sample(&format!("{name}_sum"), labels, counts.latency_sum.as_secs_f64());
        self.sample(&format!("{name}_count"), labels, sum);
    }

    fn line(&mut self, line: &dyn Display) {
        writeln!(self.0, "{line}").expect("a string takes any text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        let metrics = Metrics::default();
        for ms in [1, 7, 7, 3_000, 900_000] {
            metrics.answered("ask", "answered", Duration::from_millis(ms), Tokens::default());
        }
        let mut page = Page::default();
        page.histogram("t", "a=\"b\"", &metrics.counts());
        for line in [
            "t_bucket{a=\"b\",le=\"0.005\"} 1",
            "t_bucket{a=\"b\",le=\"0.01\"} 3",
            "t_bucket{a=\"b\",le=\"2.5\"} 3",
            "t_bucket{a=\"b\",le=\"10\"} 4",
            "t_bucket{a=\"b\",le=\"+Inf\"} 5",
            "t_count{a=\"b\"} 5",
        ] {
            assert!(page.0.lines().any(|written| written == line), "{line} in\n{}", page.0);
        }
    }

    #[test]
    fn a_label_cannot_end_its_quotes() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
