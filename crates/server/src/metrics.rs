//! Counts of what the server does, in the text format of Prometheus.
//!
//! Some names are those of vLLM, so that its dashboards work, but only where they mean the same.

mod engine;
mod upstreams;

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use allod_answer::{Generator, Tokens};
use allod_engine::Finish;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::histogram::{Histogram, LATENCY_SECONDS, TOKEN_SECONDS, TOKENS};
use crate::identity::Identity;
use crate::pace::Pace;
use crate::role::Role;
use crate::state::{Shared, State as ServerState};

/// What has been counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    /// By kind (`ask`, `chat`, `embed`, `rerank`) and outcome; `failed` where there was none.
    requests: BTreeMap<(&'static str, &'static str), u64>,
    responses: BTreeMap<u16, u64>,
    latency: Histogram,
    tokens: Tokens,
    /// Turns of the model by why they ended.
    finished: BTreeMap<&'static str, u64>,
    turns: Turns,
}

/// Turns of the model itself.
#[derive(Debug)]
struct Turns {
    queue: Histogram,
    first: Histogram,
    prefill: Histogram,
    decode: Histogram,
    inference: Histogram,
    gaps: Histogram,
    mean_gap: Histogram,
    prompt_tokens: Histogram,
    written_tokens: Histogram,
    max_tokens: Histogram,
    answers: Histogram,
}

impl Default for Counts {
    fn default() -> Counts {
        let seconds = || Histogram::new(LATENCY_SECONDS);
        let tokens = || Histogram::new(TOKENS);
        Counts {
            requests: BTreeMap::new(),
            responses: BTreeMap::new(),
            latency: seconds(),
            tokens: Tokens::default(),
            // A rate that is looked at before the first turn ends is 0, not nothing.
            finished: BTreeMap::from([("abort", 0), ("length", 0), ("stop", 0)]),
            turns: Turns {
                queue: seconds(),
                first: seconds(),
                prefill: seconds(),
                decode: seconds(),
                inference: seconds(),
                gaps: Histogram::new(TOKEN_SECONDS),
                mean_gap: Histogram::new(TOKEN_SECONDS),
                prompt_tokens: tokens(),
                written_tokens: tokens(),
                max_tokens: tokens(),
                answers: tokens(),
            },
        }
    }
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
        counts.latency.add(took.as_secs_f64());
        counts.tokens.prompt += tokens.prompt;
        counts.tokens.completion += tokens.completion;
    }

    /// The model ran for a turn.
    pub(crate) fn generated(&self, pace: &Pace, finishes: &[Finish], tokens: Tokens) {
        let mut counts = self.counts();
        for finish in finishes {
            let reason = match finish {
                Finish::Stop => "stop",
                Finish::Length => "length",
                Finish::Cancelled => "abort",
            };
            *counts.finished.entry(reason).or_default() += 1;
        }
        let turns = &mut counts.turns;
        turns.queue.add(pace.queued().as_secs_f64());
        turns.gaps.merge(&pace.gaps);
        turns.prompt_tokens.add(tokens.prompt as f64);
        turns.written_tokens.add(tokens.completion as f64);
        turns.max_tokens.add(pace.max_tokens as f64);
        turns.answers.add(pace.answers as f64);
        let times = (pace.to_first(), pace.prefill(), pace.decode());
        let (Some(first), Some(prefill), Some(decode)) = times else { return };
        turns.first.add(first.as_secs_f64());
        turns.prefill.add(prefill.as_secs_f64());
        turns.decode.add(decode.as_secs_f64());
        turns.inference.add((prefill + decode).as_secs_f64());
        let each = tokens.completion / pace.answers.max(1) as u64;
        if each > 1 {
            turns.mean_gap.add(decode.as_secs_f64() / (each - 1) as f64);
        }
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
    responses((status = 200, description = "Counts in the form of Prometheus; for an auditor those \
               of the log", body = String),
              (status = 403, description = "For monitors, auditors and operators only")))]
pub(crate) async fn metrics(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
) -> impl IntoResponse {
    let page = match identity.role {
        // How much is asked and answered is for who runs the server.
        Role::Auditor => log_only(&state),
        _ => text(&state),
    };
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page)
}

fn log_only(state: &ServerState) -> String {
    let mut page = Page::default();
    page.log(state);
    page.0
}

fn text(state: &ServerState) -> String {
    let mut page = Page::default();
    let labels = format!("model_name=\"{}\",engine=\"0\"", escaped(&model_name(state)));
    let counts = state.metrics.counts();
    page.requests(&counts);
    let latency = "Time from a question to its receipt.";
    page.histogram("allod_request_duration_seconds", "", latency, &counts.latency);
    page.histogram("vllm:e2e_request_latency_seconds", &labels, latency, &counts.latency);
    page.tokens(&labels, counts.tokens);
    page.turns(&labels, &counts);
    drop(counts);
    page.present(state, &labels);
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

    fn requests(&mut self, counts: &Counts) {
        self.family("allod_requests_total", "counter", "Questions by kind and outcome.");
        for ((kind, outcome), count) in &counts.requests {
            let labels = format!("kind=\"{kind}\",outcome=\"{outcome}\"");
            self.sample("allod_requests_total", &labels, count);
        }
        self.family("allod_http_responses_total", "counter", "HTTP responses by status.");
        for (status, count) in &counts.responses {
            self.sample("allod_http_responses_total", &format!("status=\"{status}\""), count);
        }
    }

    fn tokens(&mut self, labels: &str, tokens: Tokens) {
        self.counted("allod_tokens_total", "kind=\"prompt\"", "Tokens.", tokens.prompt);
        self.sample("allod_tokens_total", "kind=\"completion\"", tokens.completion);
        self.counted("vllm:prompt_tokens_total", labels, "Tokens read.", tokens.prompt);
        self.counted("vllm:generation_tokens_total", labels, "Tokens written.", tokens.completion);
    }

    /// What the model itself did, under vLLM's names.
    fn turns(&mut self, labels: &str, counts: &Counts) {
        let name = "vllm:request_success_total";
        self.family(name, "counter", "Turns of the model by why they ended.");
        for (reason, count) in &counts.finished {
            self.sample(name, &format!("{labels},finished_reason=\"{reason}\""), count);
        }
        let turns = &counts.turns;
        for (name, help, histogram) in [
            ("time_to_first_token_seconds", "From a request to its first text.", &turns.first),
            ("inter_token_latency_seconds", "From one text to the next.", &turns.gaps),
            ("time_per_output_token_seconds", "From one text to the next.", &turns.gaps),
            (
                "request_time_per_output_token_seconds",
                "Time to write a token, a mean for each turn.",
                &turns.mean_gap,
            ),
            ("request_queue_time_seconds", "In the line for a place.", &turns.queue),
            ("request_prefill_time_seconds", "From a place to the first text.", &turns.prefill),
            ("request_decode_time_seconds", "From the first text to the last.", &turns.decode),
            ("request_inference_time_seconds", "Prefill and decode.", &turns.inference),
            ("request_prompt_tokens", "Tokens of a prompt.", &turns.prompt_tokens),
            ("request_generation_tokens", "Tokens written in a turn.", &turns.written_tokens),
            ("request_params_max_tokens", "Tokens asked for at most.", &turns.max_tokens),
            ("request_params_n", "Answers asked for.", &turns.answers),
        ] {
            self.histogram(&format!("vllm:{name}"), labels, help, histogram);
        }
    }

    /// What is so at this moment.
    fn present(&mut self, state: &ServerState, labels: &str) {
        let (answering, line) = (state.answering.running(), state.answering.waiting());
        self.measured("allod_requests_in_flight", "", "Questions being answered.", answering);
        self.measured("allod_requests_waiting", "", "Questions in the line.", line);
        let stats = state.desk.generator().and_then(Generator::stats);
        let (running, waiting) = match &stats {
            Some(stats) => (stats.running, stats.waiting + line),
            None => (answering, line),
        };
        self.measured("vllm:num_requests_running", labels, "Sequences being computed.", running);
        self.measured("vllm:num_requests_waiting", labels, "Sequences in a line.", waiting);
        let generator = state.desk.generator();
        let help = "How often the process that runs the model had to be started again.";
        let restarts = generator.map_or(0, Generator::restarts);
        self.counted("allod_engine_restarts_total", "", help, restarts);
        self.encoders(state);
        self.upstreams(&state.desk.upstreams());
        let turned_away = stats.as_ref().map_or(0, |stats| stats.turned_away);
        let help = "Requests that were turned away since too many waited.";
        let refused = turned_away + state.answering.turned_away();
        self.counted("vllm:admission_rejections_total", labels, help, refused);
        if let Some(stats) = &stats {
            self.engine(stats, labels, generator.map_or(0, Generator::adapters_max));
        }
        if let Some(counts) = generator.and_then(Generator::prefix_disk) {
            self.prefix_disk(&counts);
        }
        self.log(state);
    }

    /// The models that read.
    fn encoders(&mut self, state: &ServerState) {
        let embedder = state.desk.embedder().map(|reader| (reader.name(), reader.restarts()));
        let ranker = state.desk.reranker().map(|reader| (reader.name(), reader.restarts()));
        let name = "allod_encoder_restarts_total";
        self.family(name, "counter", "How often a process of a model that reads ended.");
        for (model, restarts) in embedder.into_iter().chain(ranker) {
            self.sample(name, &format!("model=\"{}\"", escaped(model)), restarts);
        }
    }

    /// What is so of the log.
    fn log(&mut self, state: &ServerState) {
        let receipts = state.desk.ledger().checkpoint().size;
        self.measured("allod_ledger_receipts", "", "Receipts in the log.", receipts);
        self.measured("allod_start_time_seconds", "", "When the server started.", state.started);
    }

    fn histogram(&mut self, name: &str, labels: &str, help: &str, histogram: &Histogram) {
        self.buckets(name, labels, help, (histogram.bounds, &histogram.counts, histogram.sum));
    }

    /// A histogram of bounds, counts (one more than bounds) and a sum.
    fn buckets(
        &mut self,
        name: &str,
        labels: &str,
        help: &str,
        (bounds, counts, total): (&[impl Display], &[u64], impl Display),
    ) {
        self.family(name, "histogram", help);
        let comma = if labels.is_empty() { "" } else { "," };
        let mut sum = 0;
        let bounds = bounds.iter().map(ToString::to_string).chain(["+Inf".into()]);
        for (bound, count) in bounds.zip(counts) {
            sum += count;
            self.sample(&format!("{name}_bucket"), &format!("{labels}{comma}le=\"{bound}\""), sum);
        }
        self.sample(&format!("{name}_sum"), labels, total);
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
        page.histogram("t", "a=\"b\"", "", &metrics.counts().latency);
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
