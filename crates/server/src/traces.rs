//! Traces of what the model did, as OTLP in JSON over HTTP, with the names of OpenTelemetry's
//! semantic conventions for generative AI (`gen_ai.*`). Off unless the policy names where they go.
//!
//! A span holds counts, times and parameters; never a prompt, an answer, a stop text, or who asked.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use allod_answer::{Chat, ChatReply};
use allod_engine::{Finish, Prompt};
use serde_json::{Value, json};

use crate::pace::Pace;
use crate::trace_parent::{Sampled, TraceParent};

/// Spans that wait to be sent; more are dropped.
const WAITING_MAX: usize = 4096;
/// Spans that are sent together.
const BATCH_MAX: usize = 256;
/// So long a span waits for others.
const BATCH_TIME: Duration = Duration::from_secs(1);
/// So long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where spans go. The last ones are sent when it is dropped.
#[derive(Default)]
pub(crate) struct Traces {
    sender: Option<SyncSender<Value>>,
    thread: Option<JoinHandle<()>>,
}

impl Traces {
    /// Spans go to `url`; without one nothing is made and nothing is sent.
    pub(crate) fn to(url: Option<&str>) -> Traces {
        let Some(url) = url.map(str::to_owned) else { return Traces::default() };
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("allod-traces".into());
        match thread.spawn(move || export(&url, &receiver)) {
            Ok(thread) => Traces { sender: Some(sender), thread: Some(thread) },
            Err(error) => {
                tracing::warn!(%error, "no traces: their thread could not be started");
                Traces::default()
            }
        }
    }

    /// A turn of the model is over. Where it is part of a caller's trace, that decides whether it
    /// is told.
    pub(crate) fn turn(
        &self,
        model: &str,
        parent: Option<&TraceParent>,
        turn: (&Chat, &Pace),
        reply: Option<&ChatReply>,
    ) {
        let Some(sender) = &self.sender else { return };
        if parent.is_some_and(|parent| parent.sampled == Sampled::No) {
            return;
        }
        let mut span = span(model, turn, reply);
        if let Some(parent) = parent {
            join(&mut span, parent);
        }
        if sender.try_send(span).is_err() {
            tracing::debug!("a span was dropped: too many wait to be sent");
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to send.
            let _ = thread.join();
        }
    }
}

/// Sends spans in batches until there can be no more.
fn export(url: &str, spans: &Receiver<Value>) {
    // Neither redirects nor proxies: both would lead to what the policy does not name.
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .proxy(None)
        .build()
        .new_agent();
    while let Ok(first) = spans.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX {
            match spans.recv_timeout(BATCH_TIME) {
                Ok(span) => batch.push(span),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let count = batch.len();
        if let Err(error) = agent.post(url).send_json(envelope(batch)) {
            tracing::warn!(%error, count, "spans were not taken and are lost");
        }
    }
}

/// The body of a request to a collector.
fn envelope(spans: Vec<Value>) -> Value {
    let resource = attributes([
        ("service.name", json!({"stringValue": "allod"})),
        ("service.version", json!({"stringValue": env!("CARGO_PKG_VERSION")})),
    ]);
    let scope = json!({"name": "allod-server", "version": env!("CARGO_PKG_VERSION")});
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]})
}

/// Makes a span a part of its caller's trace. The flags say that it is recorded, and that its
/// parent is in another process (`SpanFlags` of OTLP).
fn join(span: &mut Value, parent: &TraceParent) {
    span["traceId"] = parent.trace.as_str().into();
    span["parentSpanId"] = parent.span.as_str().into();
    span["flags"] = (0x301).into();
    if !parent.state.is_empty() {
        span["traceState"] = parent.state.as_str().into();
    }
}

/// What a turn was; without a reply it failed.
fn span(model: &str, (chat, pace): (&Chat, &Pace), reply: Option<&ChatReply>) -> Value {
    let operation = match chat.prompt {
        Prompt::Chat(_) | Prompt::Conversation(_) => "chat",
        Prompt::Text(_) | Prompt::Tokens(_) => "text_completion",
    };
    let end = SystemTime::now();
    let start = end.checked_sub(pace.elapsed()).unwrap_or(end);
    let nanoseconds = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
    };
    let mut told = asked(operation, model, chat);
    match reply {
        Some(reply) => told.extend(answered(pace, reply)),
        None => told.push(("error.type", text("_OTHER"))),
    }
    // 2 is an error; the convention for a span of a model in the same process is "internal", 1.
    let status = if reply.is_some() { json!({}) } else { json!({"code": 2}) };
    json!({
        "traceId": identifier(16),
        "spanId": identifier(8),
        "name": format!("{operation} {model}"),
        "kind": 1,
        "startTimeUnixNano": nanoseconds(start),
        "endTimeUnixNano": nanoseconds(end),
        "attributes": attributes(told),
        "status": status,
    })
}

type Attribute = (&'static str, Value);

/// What was asked for.
fn asked(operation: &str, model: &str, chat: &Chat) -> Vec<Attribute> {
    let sampling = &chat.sampling;
    vec![
        ("gen_ai.operation.name", text(operation)),
        ("gen_ai.provider.name", text("allod")),
        ("gen_ai.request.model", text(chat.adapter.as_deref().unwrap_or(model))),
        ("gen_ai.request.max_tokens", whole(chat.max_tokens as u64)),
        ("gen_ai.request.choice.count", whole(chat.choices.n as u64)),
        ("gen_ai.request.temperature", number(sampling.temperature.into())),
        ("gen_ai.request.top_p", number(sampling.top_p.into())),
        ("gen_ai.request.top_k", number(sampling.top_k as f64)),
        ("gen_ai.request.frequency_penalty", number(sampling.frequency_penalty.into())),
        ("gen_ai.request.presence_penalty", number(sampling.presence_penalty.into())),
        ("gen_ai.response.model", text(model)),
    ]
}

/// What came of it.
fn answered(pace: &Pace, reply: &ChatReply) -> Vec<Attribute> {
    let finishes = reply.choices.iter().filter_map(|choice| choice.finish);
    let finishes: Vec<Value> = finishes.map(|finish| text(Finish::name(finish))).collect();
    let seconds = pace.to_first().map(|first| first.as_secs_f64());
    let first = seconds.map(|seconds| ("allod.time_to_first_token", number(seconds)));
    let told = [
        ("gen_ai.usage.input_tokens", whole(reply.tokens.prompt)),
        ("gen_ai.usage.output_tokens", whole(reply.tokens.completion)),
        ("gen_ai.response.finish_reasons", json!({"arrayValue": {"values": finishes}})),
        ("allod.queue_time", number(pace.queued().as_secs_f64())),
        ("allod.receipt", whole(reply.receipt.index)),
    ];
    told.into_iter().chain(first).collect()
}

fn attributes(pairs: impl IntoIterator<Item = Attribute>) -> Value {
    pairs.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

fn text(value: &str) -> Value {
    json!({"stringValue": value})
}

/// OTLP writes integers of 64 bits as text.
fn whole(value: u64) -> Value {
    json!({"intValue": value.to_string()})
}

fn number(value: f64) -> Value {
    json!({"doubleValue": value})
}

/// Random bytes, in hexadecimal.
fn identifier(bytes: usize) -> String {
    let mut random = vec![0_u8; bytes];
    // Without random bytes the spans cannot be told apart; nothing else rests on them.
    let _ = getrandom::fill(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
