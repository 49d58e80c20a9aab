//! The JSON of chat completions, whole and in chunks.

use allod_answer::{ChatReply, Reply, Tokens};
use allod_engine::Finish;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::envelope::new_id;

/// What all chunks of one completion share.
#[derive(Clone, Debug)]
pub(crate) struct Heading {
    id: String,
    created: i64,
    model: String,
}

/// A finished answer in the terms of a completion.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) text: String,
    pub(crate) reason: &'static str,
    pub(crate) tokens: Tokens,
    /// The extension field `allod`.
    pub(crate) extension: Value,
}

impl Heading {
    pub(crate) fn new(model: &str) -> Heading {
        let created = Timestamp::now().as_second();
        Heading { id: format!("chatcmpl-{}", new_id()), created, model: model.to_owned() }
    }

    /// The whole completion.
    pub(crate) fn completion(&self, finished: &Finished) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": finished.text, "refusal": null},
                "logprobs": null,
                "finish_reason": finished.reason,
            }],
            "usage": usage(finished.tokens),
            "allod": finished.extension,
        })
    }

    /// The first chunk: who speaks.
    pub(crate) fn opening(&self) -> Value {
        self.chunk(json!({"role": "assistant", "content": ""}), None)
    }

    /// A piece of the text.
    pub(crate) fn piece(&self, text: &str) -> Value {
        self.chunk(json!({"content": text}), None)
    }

    /// The chunk that says why the text ends; it carries the extension field.
    pub(crate) fn closing(&self, finished: &Finished) -> Value {
        let mut chunk = self.chunk(json!({}), Some(finished.reason));
        chunk["allod"] = finished.extension.clone();
        chunk
    }

    /// The chunk that counts tokens.
    pub(crate) fn usage(&self, tokens: Tokens) -> Value {
        let mut chunk = self.chunk(json!({}), None);
        chunk["choices"] = json!([]);
        chunk["usage"] = usage(tokens);
        chunk
    }

    fn chunk(&self, delta: Value, finish_reason: Option<&str>) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "delta": delta,
                "logprobs": null,
                "finish_reason": finish_reason,
            }],
        })
    }
}

impl From<Reply> for Finished {
    fn from(reply: Reply) -> Finished {
        let extension = json!({
            "outcome": reply.outcome,
            "mode": reply.mode,
            "confidence": reply.confidence,
            "language": reply.language,
            "citations": reply.citations,
            "receipt": reply.receipt,
            "review": reply.review,
            "rules": reply.rules,
        });
        Finished { text: reply.answer, reason: "stop", tokens: reply.tokens, extension }
    }
}

impl From<ChatReply> for Finished {
    fn from(reply: ChatReply) -> Finished {
        let extension = json!({
            "outcome": reply.outcome,
            "receipt": reply.receipt,
            "review": reply.review,
        });
        let reason = match reply.finish {
            Some(Finish::Length) => "length",
            _ => "stop",
        };
        Finished { text: reply.answer, reason, tokens: reply.tokens, extension }
    }
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
    })
}
