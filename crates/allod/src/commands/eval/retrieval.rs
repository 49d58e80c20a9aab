//! `allod eval retrieval`: how well passages are found.

use std::time::Instant;

use allod_answer::EncoderChoice;
use allod_eval::{BeirSet, RetrievalScores, index, measure};
use serde::Serialize;

use crate::Ending;
use crate::eval_arguments::EvalRetrievalArguments;
use crate::folder::Place;
use crate::output::Output;
use crate::scratch::Scratch;

/// What was measured, and with what.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    scores: RetrievalScores,
    /// What turned texts into vectors; nothing where only words counted.
    encoder: Option<String>,
    /// Memory that the process had after the last query, where the system tells it.
    resident_mb: Option<f64>,
    /// Time that everything took.
    seconds: f64,
}

/// Indexes a set in a scratch folder, searches it and prints the measures.
pub fn run(
    arguments: &EvalRetrievalArguments,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    let begun = Instant::now();
    let set = BeirSet::read(&arguments.beir)?;
    let scratch = Scratch::new("eval")?;
    let choice = match (&arguments.encoder, arguments.lexical) {
        (Some(model), _) => EncoderChoice::Model(place.model(model)?),
        (None, true) => EncoderChoice::None,
        (None, false) => EncoderChoice::BuiltIn,
    };
    let store = allod_answer::open_store(&scratch.path)?;
    let place = (&place.cells() as &_, None);
    let library = allod_answer::open_library(&scratch.path, store, (&choice, place))?;
    let index_seconds = index(&set, &library)?;
    let scores = RetrievalScores { index_seconds, ..measure(&set, &library)? };
    let report = Report {
        scores,
        encoder: library.encoder().map(|encoder| encoder.identity().to_owned()),
        resident_mb: resident_mb(),
        seconds: begun.elapsed().as_secs_f64(),
    };
    output.print(&report, text)?;
    Ok(Ending::Done)
}

fn text(report: &Report) -> String {
    let scores = &report.scores;
    format!(
        "{} passages, {} queries, indexed in {:.1} s\n\
         ndcg@10 {:.3} · recall@10 {:.3} · recall@100 {:.3} · mrr@10 {:.3}\n\
         {:.0} queries a second · p50 {:.1} ms · p99 {:.1} ms\n",
        scores.passages,
        scores.queries,
        scores.index_seconds,
        scores.ndcg_10,
        scores.recall_10,
        scores.recall_100,
        scores.mrr_10,
        scores.queries_per_second,
        scores.p50_ms,
        scores.p99_ms,
    )
}

/// Megabytes that lie in memory, by Linux's own count.
fn resident_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
