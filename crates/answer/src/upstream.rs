//! A model served elsewhere behind the OpenAI chat API (vLLM, llama.cpp, …), at an address that the
//! policy names.

use std::collections::BTreeMap;
use std::time::Duration;

use allod_engine::{Finish, GenerateRequest, Generated, Prompt};
use allod_policy::AttemptEnd;
use allod_privacy::{Cover, Shield};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;

/// An upstream, ready to be asked.
pub(crate) struct Upstream {
    url: String,
    model: String,
    api_key: Option<String>,
    agent: ureq::Agent,
    /// Hides personal data in what is sent.
    shield: Option<Shield>,
}

/// Where an upstream is, and how it is asked.
pub(crate) struct Address<'a> {
    /// The part before `/chat/completions`, usually ending in `/v1`.
    pub url: &'a str,
    /// The model, as the upstream knows it.
    pub model: &'a str,
    /// Its key.
    pub api_key: Option<String>,
}

/// A request as it is sent: without what the policy hides.
pub(crate) struct Prepared<'a> {
    body: Value,
    cover: Option<Cover<'a>>,
}

impl Prepared<'_> {
    /// What was hidden: how often, by kind.
    pub(crate) fn hidden(&self) -> BTreeMap<String, u64> {
        let hidden = self.cover.iter().flat_map(|cover| cover.hidden());
        hidden.map(|(kind, count)| (kind.word().to_owned(), *count)).collect()
    }

    /// The bytes that are sent.
    pub(crate) fn bytes(&self) -> u64 {
        self.body.to_string().len() as u64
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct NotSent {
    /// How the attempt ended.
    pub(crate) end: AttemptEnd,
    /// When to come back, if the server said so.
    pub(crate) retry_after: Option<Duration>,
    /// What happened, in words.
    pub(crate) reason: String,
}

impl NotSent {
    fn failed(reason: String) -> NotSent {
        NotSent { end: AttemptEnd::Failed, retry_after: None, reason }
    }

    /// An error before anything of the request was sent is one of the connection.
    fn of(error: &ureq::Error) -> NotSent {
        use std::io::ErrorKind;
        use ureq::{Error, Timeout};
        let unconnected = match error {
            Error::HostNotFound | Error::ConnectionFailed | Error::Tls(_) => true,
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
            Error::Io(error) => matches!(
                error.kind(),
                ErrorKind::ConnectionRefused
                    | ErrorKind::HostUnreachable
                    | ErrorKind::NetworkUnreachable
            ),
            _ => false,
        };
        let end = if unconnected { AttemptEnd::NoConnection } else { AttemptEnd::Failed };
        NotSent { end, ..NotSent::failed(error.to_string()) }
    }
}

/// When a server says to come back: seconds only, as servers of models write them.
fn retry_after(response: &ureq::http::Response<ureq::Body>) -> Option<Duration> {
    let text = response.headers().get("retry-after")?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

const RESPONSE_BYTES_MAX: u64 = 16 << 20;

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Usage,
}

#[derive(Deserialize)]
struct Choice {
    message: Content,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    content: Option<String>,
}

#[derive(Default, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: usize,
    #[serde(default)]
    completion_tokens: usize,
}

impl Upstream {
    /// An upstream at an address.
    ///
    /// Redirects are not followed: they would lead to an address that the policy does not name.
    /// Proxies set in the environment are not used, for the same reason.
    pub(crate) fn new(address: Address<'_>, shield: Option<Shield>) -> Upstream {
        let agent = ureq::Agent::config_builder()
            .max_redirects(0)
            .proxy(None)
            .http_status_as_error(false)
            .build()
            .new_agent();
        Upstream {
            url: address.url.trim_end_matches('/').into(),
            model: address.model.into(),
            api_key: address.api_key,
            agent,
            shield,
        }
    }

    /// Makes a request ready to be sent, with nothing in it that the policy hides.
    ///
    /// # Errors
    /// [`Error::Limit`] for what the upstream cannot do; [`Error::Private`] when the policy lets
    /// the prompt go nowhere.
    pub(crate) fn prepare(&self, request: &GenerateRequest) -> Result<Prepared<'_>, Error> {
        let Some(messages) = request.prompt.messages() else {
            let what = "it takes conversations only, no plain text";
            return Err(self.error(what.into()));
        };
        let more = matches!(&request.prompt,
            Prompt::Conversation(input) if input.tools.is_some() || !input.variables.is_empty());
        if more || request.constraint.is_some() {
            let what = "the model runs on another server, which is asked for plain text only: no \
                        tools, no formats, no variables of the chat template";
            return Err(Error::Limit(what.into()));
        }
        if request.sampling.typical_p != 1.0 || request.sampling.dry.is_some() {
            let what = "the model runs on another server, which knows no typical_p and no DRY";
            return Err(Error::Limit(what.into()));
        }
        if request.n != 1 || request.best_of > 1 || request.top_logprobs.is_some() {
            let what = "the model runs on another server: one answer, and no log probabilities";
            return Err(Error::Limit(what.into()));
        }
        let mut cover = self.shield.as_ref().map(|shield| shield.cover(&request.tenant));
        let mut body = self.body(&messages, request);
        if let Some(cover) = &mut cover {
            hide_all(&mut body, cover)?;
        }
        Ok(Prepared { body, cover })
    }

    /// Sends a prepared request, and waits no longer than this.
    pub(crate) fn send(
        &self,
        prepared: &Prepared<'_>,
        timeout: Duration,
    ) -> Result<Generated, NotSent> {
        let mut generated = self.generated(&self.post(&prepared.body, timeout)?)?;
        if let Some(cover) = &prepared.cover {
            generated.text = cover.reveal(&generated.text);
        }
        Ok(generated)
    }

    /// Sends a request and gives the text of the response.
    fn post(&self, body: &Value, timeout: Duration) -> Result<String, NotSent> {
        let url = format!("{}/chat/completions", self.url);
        let mut post = self.agent.post(&url).config().timeout_global(Some(timeout)).build();
        if let Some(key) = &self.api_key {
            post = post.header("Authorization", format!("Bearer {key}"));
        }
        let mut response = post.send_json(body).map_err(|error| NotSent::of(&error))?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let text = response
            .body_mut()
            .with_config()
            .limit(RESPONSE_BYTES_MAX)
            .read_to_string()
            .map_err(|error| NotSent::failed(error.to_string()))?;
        if status.is_success() {
            return Ok(text);
        }
        let said: String = text.chars().take(300).collect();
        let end = match status.as_u16() {
            429 | 503 => AttemptEnd::TurnedAway,
            _ => AttemptEnd::Failed,
        };
        Err(NotSent { end, retry_after, reason: format!("it answered {status}: {said}") })
    }

    fn body(&self, messages: &[Value], request: &GenerateRequest) -> Value {
        let sampling = &request.sampling;
        let mut body = json!({
            "model": self.model,
            "messages": messages,
            "max_tokens": request.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
        });
        for (name, value, standard) in [
            ("frequency_penalty", sampling.frequency_penalty, 0.0),
            ("presence_penalty", sampling.presence_penalty, 0.0),
            ("repetition_penalty", sampling.repetition_penalty, 1.0),
            ("min_p", sampling.min_p, 0.0),
        ] {
            if value != standard {
                body[name] = json!(value);
            }
        }
        if sampling.top_k > 0 {
            body["top_k"] = json!(sampling.top_k);
        }
        if !sampling.logit_bias.is_empty() {
            body["logit_bias"] = json!(sampling.logit_bias);
        }
        if !request.stop.is_empty() {
            body["stop"] = json!(request.stop);
        }
        body
    }

    fn generated(&self, text: &str) -> Result<Generated, NotSent> {
        let unexpected =
            |what: &str| NotSent::failed(format!("its answer is no chat completion: {what}"));
        let completion: Completion =
            serde_json::from_str(text).map_err(|e| unexpected(&e.to_string()))?;
        let choice =
            completion.choices.into_iter().next().ok_or_else(|| unexpected("no choices"))?;
        Ok(Generated {
            text: choice.message.content.unwrap_or_default(),
            prompt_tokens: completion.usage.prompt_tokens,
            completion_tokens: completion.usage.completion_tokens,
            finish: match choice.finish_reason.as_deref() {
                Some("length") => Finish::Length,
                _ => Finish::Stop,
            },
            tokens: Vec::new(),
            scores: Vec::new(),
            logprobs: Vec::new(),
        })
    }

    /// The error of a request that got no answer, with what to do.
    pub(crate) fn error(&self, reason: String) -> Error {
        let advice = format!(
            "is it running? Start it (vLLM: `vllm serve {}`), set `upstream.url` in the policy to \
             where it runs, or set `runtime: allod` and pass --model PATH",
            self.model
        );
        Error::Upstream { url: self.url.clone(), reason: format!("{reason}; {advice}") }
    }
}

/// Hides personal data in all that a request's maker can choose.
fn hide_all(body: &mut Value, cover: &mut Cover<'_>) -> Result<(), Error> {
    hide_parted(&mut body["messages"], cover)?;
    for part in ["messages", "stop"] {
        hide(&mut body[part], cover)?;
    }
    // A seed is as good as a number: another one takes its place, always the same.
    let seed = body["seed"].to_string();
    if cover.hide(&seed)? != seed {
        let digest = allod_corpus::Digest::of(seed.as_bytes()).0;
        body["seed"] = json!(u16::from_le_bytes([digest[0], digest[1]]));
    }
    Ok(())
}

/// Hides numbers that are parted over messages: over those that follow each other, and over those
/// of one role, whatever others say between.
fn hide_parted(messages: &mut Value, cover: &mut Cover<'_>) -> Result<(), Error> {
    let Some(messages) = messages.as_array_mut() else { return Ok(()) };
    let roles: Vec<Value> = messages.iter().map(|message| message["role"].clone()).collect();
    for role in [None, Some("user"), Some("assistant"), Some("tool"), Some("system")] {
        let wanted = |number: &usize| role.is_none_or(|role| roles[*number] == role);
        let these = messages.iter_mut().enumerate().filter(|(number, _)| wanted(number));
        let contents = these.filter_map(|(_, message)| match message.get_mut("content") {
            Some(Value::String(text)) => Some(text),
            _ => None,
        });
        let mut contents: Vec<&mut String> = contents.collect();
        if contents.len() > 1 {
            cover.hide_parted(&mut contents)?;
        }
    }
    Ok(())
}

/// Names of fields in which nothing is found, whatever is looked for: those of most messages.
const PLAIN_NAMES: [&str; 5] = ["role", "content", "type", "text", "name"];

/// Hides personal data in every text of a value. What a role or a type is called is no text, and
/// the name of a field cannot be changed: one that holds personal data goes nowhere.
fn hide(value: &mut Value, cover: &mut Cover<'_>) -> Result<(), Error> {
    match value {
        Value::String(text) => *text = cover.hide(text)?,
        Value::Array(list) => list.iter_mut().try_for_each(|one| hide(one, cover))?,
        Value::Object(fields) => {
            for (name, field) in fields {
                let is_plain = PLAIN_NAMES.contains(&name.as_str());
                if !is_plain && cover.hide(name)? != *name {
                    return Err(allod_privacy::Error::Remains("the name of a field".into()).into());
                }
                if !matches!(name.as_str(), "role" | "type") {
                    hide(field, cover)?;
                }
            }
        }
        // A number is as good as its digits.
        Value::Number(number) => {
            let text = number.to_string();
            let hidden = cover.hide(&text)?;
            if hidden != text {
                *value = Value::String(hidden);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_privacy::{Action, Kind};

    #[test]
    fn nothing_is_found_in_the_usual_names_of_fields() {
        for action in [Action::Redact, Action::Pseudonymise, Action::Block] {
            let shield = Shield::new(action, Kind::ALL).unwrap();
            for name in PLAIN_NAMES {
                assert_eq!(shield.cover("t").hide(name).as_deref(), Ok(name));
            }
        }
    }
}
