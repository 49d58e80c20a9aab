//! `allod bench search`: how long searches of a library take, and how much memory they hold.

use std::time::Instant;

use allod_retrieval::Library;
use anyhow::{Context, ensure};
use serde::Serialize;

use crate::Ending;
use crate::bench_arguments::BenchSearchArguments;
use crate::commands::{query, question};
use crate::folder::Place;
use crate::output::Output;

/// What was measured.
#[derive(Serialize)]
struct Report {
    documents: usize,
    passages: usize,
    questions: usize,
    /// From the start to the answer of the first search, which reads the index; it is asked again
    /// with the others.
    open_ms: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    per_second: f64,
    /// Memory after the last search, files that are mapped included, where the system tells it.
    resident_mb: Option<f64>,
    /// Of it, what belongs to the process alone.
    anonymous_mb: Option<f64>,
    /// The most that it was.
    peak_mb: Option<f64>,
}

/// Searches for each question and prints how long it took.
pub fn run(
    arguments: &BenchSearchArguments,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    let path = &arguments.questions;
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let questions: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = questions.first();
    let first = first.with_context(|| format!("{} holds no question", path.display()))?;
    let begun = Instant::now();
    let library = place.library()?;
    search(&library, first, arguments)?;
    let open_ms = milliseconds(begun);
    let counts = library.counts()?;
    ensure!(counts.passages > 0, "nothing was ingested into {}", place.data.display());
    let mut times_ms = Vec::with_capacity(questions.len());
    for question in &questions {
        let begun = Instant::now();
        search(&library, question, arguments)?;
        times_ms.push(milliseconds(begun));
    }
    let total_ms: f64 = times_ms.iter().sum();
    times_ms.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| times_ms[(times_ms.len() - 1) * share / 100];
    let report = Report {
        documents: counts.documents,
        passages: counts.passages,
        questions: questions.len(),
        open_ms,
        p50_ms: at(50),
        p90_ms: at(90),
        p99_ms: at(99),
        max_ms: at(100),
        per_second: questions.len() as f64 / (total_ms / 1e3).max(f64::MIN_POSITIVE),
        resident_mb: megabytes("VmRSS:"),
        anonymous_mb: megabytes("RssAnon:"),
        peak_mb: megabytes("VmHWM:"),
    };
    output.print(&report, text_of)?;
    Ok(Ending::Done)
}

fn search(library: &Library, text: &str, arguments: &BenchSearchArguments) -> anyhow::Result<()> {
    let ask = question(text, &arguments.caller)?;
    library.search(&query(&ask, arguments.limit))?;
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// A count of Linux's own, in megabytes.
fn megabytes(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

fn text_of(report: &Report) -> String {
    let mut text = format!(
        "{} passages of {} documents, opened in {:.0} ms\n\
         {} questions: p50 {:.1} ms · p90 {:.1} ms · p99 {:.1} ms · longest {:.1} ms\n",
        report.passages,
        report.documents,
        report.open_ms,
        report.questions,
        report.p50_ms,
        report.p90_ms,
        report.p99_ms,
        report.max_ms,
    );
    if let (Some(resident), Some(own)) = (report.resident_mb, report.anonymous_mb) {
        text.push_str(&format!("memory {resident:.0} MB, of it {own:.0} MB not of files\n"));
    }
    text
}
