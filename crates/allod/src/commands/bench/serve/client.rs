//! One client: a request after the other, over connections of its own.

use std::io::{BufRead, BufReader};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use allod_engine::Random;
use anyhow::bail;
use serde_json::Value;

use super::Run;
use super::server::{agent, problem};
use super::tally::Tally;
use super::traffic::{self, Kind, Request};

/// Who is told to come back later waits no longer than this.
const REST_MAX: Duration = Duration::from_secs(5);

/// A client of one tenant.
pub struct Client<'a> {
    run: &'a Run<'a>,
    tenant: usize,
    random: Random,
    agent: ureq::Agent,
    tally: Tally,
}

/// A stream, read to its end or as far as the client wanted it.
#[derive(Default)]
struct Read {
    text: String,
    pieces: u64,
    finish: Option<String>,
    usage: Option<Value>,
    calls: u64,
    arguments: String,
    is_whole: bool,
    refused: Option<String>,
}

/// Whether a long prompt is being read, for as long as this lives.
struct Reading<'a>(&'a std::sync::atomic::AtomicUsize);

impl<'a> Reading<'a> {
    fn new(count: &'a std::sync::atomic::AtomicUsize) -> Reading<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Reading(count)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<'a> Client<'a> {
    /// The client of this number. Tenants have unequal numbers of clients: the second has twice as
    /// many as the first, the third three times, and so on.
    pub fn new(run: &'a Run<'a>, number: usize) -> Client<'a> {
        let tenant = tenant_of(number, run.target.tenants());
        let random = Random::new(number as u64 + 1);
        Client { run, tenant, random, agent: agent(), tally: Tally::default() }
    }

    /// Asks until the run ends.
    pub fn work(mut self) -> Tally {
        while !self.run.stopping.load(Ordering::Relaxed) {
            let request = self.run.traffic.draw(&mut self.random);
            if let Err(error) = self.send(&request) {
                self.tally.error(format!("{}: {error}", request.kind.name()));
                // A server that is gone must not be asked in a busy loop.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        self.tally
    }

    fn send(&mut self, request: &Request) -> anyhow::Result<()> {
        let beside_long = self.run.long_reading.load(Ordering::Relaxed) > 0;
        let long = (request.kind == Kind::Long).then(|| Reading::new(&self.run.long_reading));
        let mut post = self.agent.post(self.run.target.address("/v1/chat/completions"));
        if let Some(authorization) = self.run.target.authorization(self.tenant) {
            post = post.header("Authorization", authorization);
        }
        let sent = Instant::now();
        let mut response = post.send_json(&request.body)?;
        let status = response.status().as_u16();
        if matches!(status, 429 | 503) {
            let after = response.headers().get("retry-after");
            let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
            let Some(seconds) = after else { bail!("{status} without retry-after") };
            self.tally.turned_away += 1;
            std::thread::sleep(Duration::from_secs(seconds).min(REST_MAX));
            return Ok(());
        }
        if status != 200 {
            let body: Value = response.body_mut().read_json().unwrap_or_default();
            bail!("{status} {}", problem(&body));
        }
        let reader = BufReader::new(response.into_body().into_reader());
        let read = self.read(reader, request, sent, beside_long, long)?;
        self.count(request, &read, sent)
    }

    /// Reads events; a client that goes away leaves them where they are.
    fn read(
        &mut self,
        reader: impl BufRead,
        request: &Request,
        sent: Instant,
        beside_long: bool,
        mut long: Option<Reading>,
    ) -> anyhow::Result<Read> {
        let (mut read, mut last) = (Read::default(), None);
        if request.leaves_after == Some(0) {
            return Ok(read);
        }
        for line in reader.lines() {
            let line = line?;
            let Some(data) = line.strip_prefix("data: ") else { continue };
            if data == "[DONE]" {
                read.is_whole = true;
                break;
            }
            if !read.take(&serde_json::from_str(data)?)? {
                continue;
            }
            let now = Instant::now();
            if let Some(last) = last.replace(now) {
                self.tally.gaps.push(now - last);
            } else {
                long.take();
                self.tally.kinds.entry(request.kind).or_default().first.push(now - sent);
                if request.kind == Kind::Short && beside_long {
                    self.tally.beside_long.push(now - sent);
                }
            }
            if request.leaves_after.is_some_and(|after| read.pieces >= after) {
                break;
            }
        }
        Ok(read)
    }

    /// Counts what came, and holds it against what was asked for.
    fn count(&mut self, request: &Request, read: &Read, sent: Instant) -> anyhow::Result<()> {
        if let Some(outcome) = &read.refused {
            bail!("the policy said {outcome}");
        }
        let times = self.tally.kinds.entry(request.kind).or_default();
        match (read.is_whole, request.leaves_after) {
            (true, _) => times.whole.push(sent.elapsed()),
            (false, Some(_)) => times.cancelled += 1,
            (false, None) => bail!("the stream broke off"),
        }
        if Instant::now() < self.run.until {
            *self.tally.tokens.entry(self.tenant).or_default() += computed(request, read);
        }
        let is_cut = read.finish.as_deref() == Some("length");
        match request.kind {
            Kind::Short | Kind::Long | Kind::Cancelled => {}
            Kind::Schema | Kind::Tool if is_cut => self.tally.cut += 1,
            Kind::Schema if traffic::is_valid(&read.text) => self.tally.valid += 1,
            Kind::Tool if read.calls == 1 && traffic::is_valid(&read.arguments) => {
                self.tally.calls += 1;
            }
            Kind::Schema => bail!("the answer does not keep to its schema"),
            Kind::Tool => bail!("no call of the tool, or one that does not keep to its schema"),
        }
        Ok(())
    }
}

/// Tokens that the server computed: it says so at the end of a stream; of one that was left, it is
/// estimated.
fn computed(request: &Request, read: &Read) -> u64 {
    let Some(usage) = &read.usage else { return request.prompt_tokens + read.pieces };
    let number = |path: &str| usage.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let prompt = number("/prompt_tokens");
    prompt.saturating_sub(number("/prompt_tokens_details/cached_tokens"))
        + number("/completion_tokens")
}

impl Read {
    /// Takes a chunk; says whether there was a piece of an answer in it.
    fn take(&mut self, chunk: &Value) -> anyhow::Result<bool> {
        if !chunk["error"].is_null() {
            bail!("in the stream: {}", problem(chunk));
        }
        if let outcome @ Value::String(_) = &chunk["allod"]["outcome"]
            && outcome != "answered"
        {
            self.refused = Some(outcome.to_string());
        }
        if chunk["usage"].is_object() {
            self.usage = Some(chunk["usage"].clone());
        }
        let choice = &chunk["choices"][0];
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish = Some(reason.to_owned());
        }
        let delta = &choice["delta"];
        let text = delta["content"].as_str().unwrap_or_default();
        self.text += text;
        let mut is_piece = !text.is_empty();
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.calls += u64::from(call["function"]["name"].is_string());
            self.arguments += call["function"]["arguments"].as_str().unwrap_or_default();
            is_piece = true;
        }
        self.pieces += u64::from(is_piece);
        Ok(is_piece)
    }
}

/// Of `1 + 2 + … + tenants` clients, the first tenant has one, the second two, and so on.
fn tenant_of(client: usize, tenants: usize) -> usize {
    let mut place = client % (tenants * (tenants + 1) / 2);
    for tenant in 0..tenants {
        if place <= tenant {
            return tenant;
        }
        place -= tenant + 1;
    }
    unreachable!("the places of all tenants were counted")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tenants_have_unequal_numbers_of_clients() {
        let mut counts = [0; 3];
        (0..12).for_each(|client| counts[tenant_of(client, 3)] += 1);
        assert_eq!(counts, [2, 4, 6]);
        assert_eq!(tenant_of(5, 1), 0);
    }

    #[test]
    fn a_stream_is_put_together() {
        let mut read = Read::default();
        let text = |text: &str| json!({"choices": [{"delta": {"content": text}}]});
        assert!(!read.take(&text("")).unwrap());
        assert!(read.take(&text("a")).unwrap() && read.take(&text("b")).unwrap());
        let call = json!({"function": {"name": "note", "arguments": "{}"}});
        let call = json!({"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "stop"}]});
        assert!(read.take(&call).unwrap());
        let usage = json!({"prompt_tokens": 9, "completion_tokens": 3,
                           "prompt_tokens_details": {"cached_tokens": 4}});
        assert!(!read.take(&json!({"choices": [], "usage": usage})).unwrap());
        assert_eq!((read.text.as_str(), read.pieces, read.calls), ("ab", 3, 1));
        let request = |prompt_tokens| Request {
            kind: Kind::Short,
            body: Value::Null,
            prompt_tokens,
            leaves_after: None,
        };
        assert_eq!(computed(&request(100), &read), 8);
        assert_eq!(computed(&request(100), &Read { pieces: 2, ..Read::default() }), 102);
        assert!(read.take(&json!({"error": {"code": "internal"}})).is_err());
    }
}
