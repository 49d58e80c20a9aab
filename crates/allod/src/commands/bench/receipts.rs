//! `allod bench receipts`: what it costs that every answer has a durable receipt.
//!
//! Two engines of the same model answer the same requests, so many in each short turn. One is asked
//! as it is; the other through the desk, so that policy, sealed words, receipt and `fsync` come on
//! top. All of that counts as the cost of receipts, which is a little too much. What else the
//! machine does changes from second to second, so turns are compared with their neighbours only;
//! and what a caller waits for the receipt is measured by itself, from the last token that it got.
//!
//! There is no server without receipts; this is the only place where a model is asked past the
//! desk, and nothing leaves it.

mod cost;
mod turn;

use std::io::{Seek as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use allod_answer::{Caller, Chat, Choices, Desk, DeskOptions, ModelChoice};
use allod_engine::Sampling;
use allod_engine::{GenerateRequest, InProcess, LoadEngine, Options, Prompt, Random};
use allod_retrieval::Clearance;
use anyhow::ensure;
use serde_json::json;

use cost::Pair;
use turn::{OnPiece, turn};

use crate::Ending;
use crate::bench_arguments::BenchReceiptsArguments;
use crate::folder::Place;
use crate::output::Output;
use crate::scratch::Scratch;

const POLICY: &str = "name: bench\nlogging: {citations: optional}\n\
                      limits: {question_chars_max: 1000000, answer_tokens_max: 4096}\n";

/// Measures and prints.
pub fn run(
    arguments: &BenchReceiptsArguments,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    let positive = [arguments.clients, arguments.turns, arguments.answer_tokens];
    ensure!(positive.iter().all(|number| *number > 0), "every number must be 1 or more");
    ensure!(arguments.seconds > 0, "every number must be 1 or more");
    let folder = match &arguments.folder {
        Some(within) => Scratch::within(within, "receipts")?,
        None => Scratch::new("receipts")?,
    };
    std::fs::write(folder.path.join("allod.yaml"), POLICY)?;
    let path = place.model(&arguments.model)?;
    let bare = InProcess.load(&path, options(arguments))?;
    let desk = open_desk(arguments, path, &folder)?;
    let without = |number: usize, on_piece: OnPiece<'_>| -> anyhow::Result<usize> {
        let completion = bare.complete(&request(arguments, number), on_piece)?;
        Ok(completion.usage.completion_tokens)
    };
    let with = |number: usize, on_piece: OnPiece<'_>| -> anyhow::Result<usize> {
        let reply = desk.chat(&chat(arguments, number), on_piece)?;
        ensure!(reply.outcome == allod_answer::Outcome::Answered, "the policy said otherwise");
        Ok(reply.tokens.completion as usize)
    };
    // Both are asked before the clock runs.
    without(0, &mut |_| ControlFlow::Continue(()))?;
    with(0, &mut |_| ControlFlow::Continue(()))?;
    let requests = turn::requests(arguments, &without)?;
    let sync = disk_sync(&folder.path.join("sync"))?;
    let mut pairs = Vec::new();
    for number in 0..arguments.turns {
        // Who begins changes, so that what gets slower or faster in time does so for both.
        pairs.push(if number % 2 == 0 {
            let without = turn(arguments, requests, &without)?;
            Pair { without, with: turn(arguments, requests, &with)? }
        } else {
            let with = turn(arguments, requests, &with)?;
            Pair { without: turn(arguments, requests, &without)?, with }
        });
    }
    let receipts = desk.ledger().checkpoint().size;
    let mut value = cost::report(&pairs);
    value["disk_sync_ms"] = json!(sync.as_secs_f64() * 1e3);
    value["receipts"] = json!(receipts);
    value["clients"] = json!(arguments.clients);
    value["requests_of_a_turn"] = json!(requests);
    value["turns"] = json!(arguments.turns);
    value["seconds"] = json!(arguments.seconds);
    output.print(&value, cost::text)?;
    Ok(Ending::Done)
}

/// How long the disk takes to have 4 kB written over and synced: the median of many times.
fn disk_sync(path: &Path) -> anyhow::Result<Duration> {
    let mut file = std::fs::File::create(path)?;
    let mut times = Vec::new();
    for _ in 0..=100 {
        let begun = Instant::now();
        file.rewind()?;
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn options(arguments: &BenchReceiptsArguments) -> Options {
    Options {
        threads: arguments.threads,
        slots: Some(arguments.clients),
        // No prompt comes twice in a turn; what is kept would only take memory.
        prefix_bytes: Some(0),
        ..Options::default()
    }
}

fn open_desk(
    arguments: &BenchReceiptsArguments,
    path: PathBuf,
    folder: &Scratch,
) -> anyhow::Result<Desk> {
    let model = ModelChoice {
        path: Some(path),
        threads: arguments.threads,
        engine: options(arguments),
        ..ModelChoice::default()
    };
    Ok(Desk::open(&folder.path, &DeskOptions { model, ..DeskOptions::default() })?)
}

/// A prompt of common words, another one for each number.
fn prompt(arguments: &BenchReceiptsArguments, number: usize) -> Prompt {
    const WORDS: [&str; 12] = [
        "water", "house", "letter", "green", "seven", "morning", "paper", "and", "the", "of",
        "street", "small",
    ];
    let mut random = Random::new(number as u64);
    let word = |_| WORDS[(random.next_u64() % WORDS.len() as u64) as usize];
    let words: Vec<&str> = (0..arguments.prompt_words.max(1)).map(word).collect();
    Prompt::Text(format!("{number} {}", words.join(" ")))
}

fn sampling(number: usize) -> Sampling {
    // A draw, so that a model of whatever weights does not fall into a circle at once.
    Sampling { temperature: 1.0, seed: number as u64, ..Sampling::default() }
}

fn request(arguments: &BenchReceiptsArguments, number: usize) -> GenerateRequest {
    GenerateRequest {
        prompt: prompt(arguments, number),
        sampling: sampling(number),
        max_tokens: arguments.answer_tokens,
        ..GenerateRequest::default()
    }
}

fn chat(arguments: &BenchReceiptsArguments, number: usize) -> Chat {
    Chat {
        prompt: prompt(arguments, number),
        caller: Caller::operator(Clearance::public()),
        sampling: sampling(number),
        max_tokens: arguments.answer_tokens,
        stop: Vec::new(),
        constraint: None,
        spelled: Vec::new(),
        thought: None,
        choices: Choices::default(),
        adapter: None,
    }
}
