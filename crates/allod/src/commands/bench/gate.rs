//! `allod bench gate`: what a request costs before a model sees it. The check of its key, the
//! policy's decision and the hiding of personal data, at a given pace.

mod requests;

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use allod_answer::{Chat, Gate, Passed, open_store};
use allod_policy::Policy;
use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::serve::tally::percentile;
use crate::Ending;
use crate::bench_arguments::BenchGateArguments;
use crate::output::Output;
use crate::scratch::Scratch;
use requests::{bytes, requests};

/// A policy that lets a model answer, and hides what leads to a person.
const POLICY: &str = "name: bench\nlogging: {citations: optional}\nprivacy: {upstream: redact}\n";

/// Different requests; they come round again.
const REQUESTS: usize = 2000;

/// Keys of as many tenants.
const KEYS: usize = 8;

/// Papers are longer than this, all other requests are shorter.
const PAPER_BYTES: usize = 1000;

/// The time of one request: what it took, and what passed since it was due.
struct Took {
    work: Duration,
    due: Duration,
    is_paper: bool,
}

/// What was measured.
#[derive(Default)]
struct Measured {
    /// Sorted.
    work: Vec<Duration>,
    /// Sorted.
    due: Vec<Duration>,
    /// Sorted; the work of the long ones alone.
    papers: Vec<Duration>,
    hidden: u64,
    with_findings: u64,
    elapsed: Duration,
}

/// Measures and prints.
pub fn run(arguments: &BenchGateArguments, output: &Output) -> anyhow::Result<Ending> {
    let (rate, threads) = (arguments.rate, arguments.threads);
    ensure!(rate > 0 && threads > 0 && arguments.seconds > 0, "every number must be 1 or more");
    let folder = Scratch::new("gate")?;
    let store = open_store(&folder.path)?;
    let key = |number: usize| store.create_key("bench", &format!("tenant-{number}"), &[], "user");
    let keys: Vec<String> =
        (0..KEYS).map(|number| Ok(key(number)?.1)).collect::<anyhow::Result<_>>()?;
    let policy = Policy::parse(POLICY).context("the policy of the measurement")?;
    let gate = Gate::open(&folder.path, policy)?;
    let requests = requests(REQUESTS);
    for chat in &requests {
        // Tables are read at the first use; and whatever fails, fails here.
        gate.pass(&keys[0], chat)?.context("the key does not hold")?;
    }
    let measured = measure(arguments, &gate, &keys, &requests)?;
    let mut lengths: Vec<usize> = requests.iter().map(bytes).collect();
    lengths.sort_unstable();
    let value = measured.json(arguments, &lengths);
    output.print(&value, |_| measured.text(arguments, &lengths))?;
    Ok(Ending::Done)
}

/// Each thread has a request when it is due, however long the one before took.
fn measure(
    arguments: &BenchGateArguments,
    gate: &Gate,
    keys: &[String],
    requests: &[Chat],
) -> anyhow::Result<Measured> {
    let every = Duration::from_secs_f64(arguments.threads as f64 / f64::from(arguments.rate));
    let begun = Instant::now() + Duration::from_millis(20);
    let until = begun + Duration::from_secs(arguments.seconds);
    let thread = |thread: usize| -> anyhow::Result<(Vec<Took>, u64, u64)> {
        let (mut took, mut hidden, mut with_findings) = (Vec::new(), 0, 0);
        let mut due = begun + every.mul_f64(thread as f64 / arguments.threads as f64);
        let mut number = thread;
        while due < until {
            while Instant::now() < due {
                spin_loop();
            }
            let request = &requests[number % requests.len()];
            let at = Instant::now();
            let passed = gate.pass(&keys[number % KEYS], request)?;
            let end = Instant::now();
            let Passed { hidden: found, .. } = passed.context("the key does not hold")?;
            let is_paper = bytes(request) > PAPER_BYTES;
            took.push(Took { work: end - at, due: end - due, is_paper });
            hidden += found;
            with_findings += u64::from(found > 0);
            due += every;
            number += arguments.threads;
        }
        Ok((took, hidden, with_findings))
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..arguments.threads).map(|number| scope.spawn(move || thread(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread counts")).collect()
    });
    let mut measured = Measured { elapsed: begun.elapsed(), ..Measured::default() };
    for one in all {
        let (took, hidden, with_findings) = one?;
        measured.work.extend(took.iter().map(|took| took.work));
        measured.due.extend(took.iter().map(|took| took.due));
        let papers = took.iter().filter(|took| took.is_paper);
        measured.papers.extend(papers.map(|took| took.work));
        measured.hidden += hidden;
        measured.with_findings += with_findings;
    }
    measured.work.sort_unstable();
    measured.due.sort_unstable();
    measured.papers.sort_unstable();
    Ok(measured)
}

const SHARES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("max", 1.0)];

impl Measured {
    fn rate(&self) -> f64 {
        self.work.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn json(&self, arguments: &BenchGateArguments, lengths: &[usize]) -> Value {
        let of = |times: &[Duration]| -> Value {
            let at = |share| percentile(times, share).map(|time| time.as_secs_f64() * 1e3);
            SHARES.iter().map(|(name, share)| ((*name).to_owned(), json!(at(*share)))).collect()
        };
        json!({
            "requests": self.work.len(),
            "requests_per_second": self.rate(),
            "asked_per_second": arguments.rate,
            "threads": arguments.threads,
            "since_due_ms": of(&self.due),
            "work_ms": of(&self.work),
            "work_of_papers_ms": of(&self.papers),
            "with_findings": self.with_findings as f64 / self.work.len().max(1) as f64,
            "hidden": self.hidden,
            "request_bytes": {
                "mean": lengths.iter().sum::<usize>() / lengths.len().max(1),
                "p50": lengths[lengths.len() / 2],
                "p99": lengths[lengths.len() * 99 / 100],
                "max": lengths.last(),
            },
        })
    }

    fn text(&self, arguments: &BenchGateArguments, lengths: &[usize]) -> String {
        let line = |times: &[Duration]| -> String {
            let at = |(name, share): &(&str, f64)| {
                let time = percentile(times, *share).unwrap_or_default();
                format!("{name} {:.3}", time.as_secs_f64() * 1e3)
            };
            SHARES.iter().map(at).collect::<Vec<_>>().join(", ")
        };
        format!(
            "{} requests at {:.0} a second on {} threads; {} to {} bytes, half below {}\n\
             since it was due    {} ms\n\
             of that, work       {} ms\n\
             of papers, work     {} ms\n\
             personal data       in {:.0} % of the requests, {} findings hidden",
            self.work.len(),
            self.rate(),
            arguments.threads,
            lengths.first().copied().unwrap_or_default(),
            lengths.last().copied().unwrap_or_default(),
            lengths[lengths.len() / 2],
            line(&self.due),
            line(&self.work),
            line(&self.papers),
            100.0 * self.with_findings as f64 / self.work.len().max(1) as f64,
            self.hidden,
        )
    }
}
