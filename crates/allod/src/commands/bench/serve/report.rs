//! What is printed in the end.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::memory::Memory;
use super::tally::{Tally, percentile};
use super::traffic::Traffic;
use crate::arguments::BenchServeArguments;

const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];

/// All that was seen.
pub struct Report<'a> {
    pub tally: Tally,
    pub memory: Memory,
    pub took: Duration,
    pub arguments: &'a BenchServeArguments,
    pub traffic: &'a Traffic,
}

impl Report<'_> {
    /// Whether anything went wrong.
    pub fn has_errors(&self) -> bool {
        !self.tally.errors.is_empty()
    }

    pub fn json(&self) -> Value {
        let (tally, memory) = (&self.tally, &self.memory);
        let mebibytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / f64::from(1 << 20));
        let kinds: Map<String, Value> = tally
            .kinds
            .iter()
            .map(|(kind, times)| {
                let told = json!({
                    "requests": times.whole.len() as u64 + times.cancelled,
                    "cancelled": times.cancelled,
                    "ttft_ms": milliseconds(&times.first),
                    "e2e_ms": milliseconds(&times.whole),
                });
                (kind.name().to_owned(), told)
            })
            .collect();
        let unknown: Map<String, Value> = self
            .traffic
            .unknown
            .iter()
            .map(|(kind, why)| (kind.name().to_owned(), json!(why)))
            .collect();
        let seconds = self.arguments.seconds as f64;
        let tokens: u64 = tally.tokens.values().sum();
        json!({
            "clients": self.arguments.clients,
            "seconds": self.arguments.seconds,
            "took_s": self.took.as_secs_f64(),
            "requests": self.requests(),
            "errors": tally.errors.values().sum::<u64>(),
            "errors_by_kind": tally.errors,
            "turned_away": tally.turned_away,
            "kinds": kinds,
            "not_asked": unknown,
            "long_prompt_tokens": self.traffic.long_tokens,
            "short_beside_long_ttft_ms": milliseconds(&tally.beside_long),
            "itl_ms": milliseconds(&tally.gaps),
            "tok_s": tokens as f64 / seconds,
            "tenant_tokens": tally.tokens,
            "tenant_spread": tally.spread(),
            "schema": {"valid": tally.valid, "calls": tally.calls, "cut": tally.cut},
            "rss_mb": {
                "start": mebibytes(memory.start),
                "early": mebibytes(memory.early()),
                "late": mebibytes(memory.late()),
                "end": mebibytes(memory.end),
                "peak": mebibytes(memory.peak()),
            },
            "rss_growth": memory.growth(),
        })
    }

    pub fn text(&self) -> String {
        let tally = &self.tally;
        let mut text = format!(
            "{} clients for {} s: {} requests, {} errors, {} told to come back\n",
            self.arguments.clients,
            self.arguments.seconds,
            self.requests(),
            tally.errors.values().sum::<u64>(),
            tally.turned_away,
        );
        for (what, count) in &tally.errors {
            row(&mut text, &format!("  {count} x"), what);
        }
        for (kind, why) in &self.traffic.unknown {
            row(&mut text, kind.name(), &format!("not asked, the server says {why}"));
        }
        for (kind, times) in &tally.kinds {
            row(&mut text, &format!("{} first token", kind.name()), &line(&times.first));
            row(&mut text, &format!("{} whole", kind.name()), &line(&times.whole));
        }
        row(&mut text, "short beside long", &line(&tally.beside_long));
        row(&mut text, "token to token", &line(&tally.gaps));
        let told = format!("{} valid, {} calls, {} cut", tally.valid, tally.calls, tally.cut);
        row(&mut text, "to a schema", &told);
        let tokens: u64 = tally.tokens.values().sum();
        let rate = tokens as f64 / self.arguments.seconds as f64;
        row(&mut text, "tokens", &format!("{rate:.0} tokens/s, read and written"));
        let each: Vec<String> = tally.tokens.values().map(u64::to_string).collect();
        let spread = 100.0 * tally.spread().unwrap_or_default();
        row(&mut text, "by tenant", &format!("{}; spread {spread:.1} %", each.join(", ")));
        row(&mut text, "memory", &self.memory_line());
        text
    }

    fn requests(&self) -> u64 {
        self.tally.kinds.values().map(|times| times.whole.len() as u64 + times.cancelled).sum()
    }

    fn memory_line(&self) -> String {
        let memory = &self.memory;
        let looks = (memory.start, memory.early(), memory.late(), memory.growth());
        let (Some(start), Some(early), Some(late), Some(growth)) = looks else {
            return "not known".into();
        };
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        format!(
            "{:.0} MiB at the start, {:.0} early, {:.0} late ({:+.1} %)",
            mebibytes(start),
            mebibytes(early),
            mebibytes(late),
            100.0 * growth,
        )
    }
}

fn row(text: &mut String, name: &str, value: &str) {
    writeln!(text, "{name:<24}{value}").expect("a string takes any text");
}

fn sorted(times: &[Duration]) -> Vec<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times
}

fn milliseconds(times: &[Duration]) -> Value {
    let times = sorted(times);
    let at = |share| percentile(&times, share).map(|time| time.as_secs_f64() * 1e3);
    PERCENTILES.iter().map(|(name, share)| ((*name).to_owned(), json!(at(*share)))).collect()
}

fn line(times: &[Duration]) -> String {
    let times = sorted(times);
    let at = |(name, share): &(&str, f64)| {
        let time = percentile(&times, *share)?;
        Some(format!("{name} {:.1}", time.as_secs_f64() * 1e3))
    };
    let parts: Option<Vec<String>> = PERCENTILES.iter().map(at).collect();
    parts.map_or("none".into(), |parts| format!("{} ms", parts.join(", ")))
}
