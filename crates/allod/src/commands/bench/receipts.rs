//! `allod bench receipts`: what it costs that every answer has a durable receipt.
//!
//! Two engines of the same model answer the same requests in turns. One is asked as it is; the
//! other through the desk, so that policy, sealed words, receipt and `fsync` come on top. All of
//! that counts as the cost of receipts, which is a little too much. There is no server without
//! receipts; this is the only place where a model is asked past the desk, and nothing leaves it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use allod_answer::{Caller, Chat, Choices, Desk, DeskOptions, ModelChoice};
use allod_engine::Sampling;
use allod_engine::{GenerateRequest, InProcess, LoadEngine, Options, Prompt, Random};
use allod_retrieval::Clearance;
use anyhow::ensure;
use serde_json::{Value, json};

use super::run::median;
use super::serve::tally::percentile;
use crate::Ending;
use crate::bench_arguments::BenchReceiptsArguments;
use crate::folder::Place;
use crate::output::Output;
use crate::scratch::Scratch;

const POLICY: &str = "name: bench\nlogging: {citations: optional}\n\
                      limits: {question_chars_max: 1000000, answer_tokens_max: 4096}\n";

/// One turn of one way to ask.
struct Turn {
    /// Answers in a second.
    rate: f64,
    /// Tokens written in a second.
    tokens: f64,
    /// Time that processors worked for an answer, in milliseconds; Linux only.
    processor_ms: Option<f64>,
    /// Sorted.
    times: Vec<Duration>,
}

/// A way to ask for an answer: gives the tokens that were written.
type Answer<'a> = &'a (dyn Fn(usize) -> anyhow::Result<usize> + Sync);

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
    let without = |number: usize| -> anyhow::Result<usize> {
        let request = request(arguments, number);
        let completion = bare.complete(&request, &mut |_| ControlFlow::Continue(()))?;
        Ok(completion.usage.completion_tokens)
    };
    let with = |number: usize| -> anyhow::Result<usize> {
        let reply = desk.chat(&chat(arguments, number), &mut |_| ControlFlow::Continue(()))?;
        ensure!(reply.outcome == allod_answer::Outcome::Answered, "the policy said otherwise");
        Ok(reply.tokens.completion as usize)
    };
    // Both are asked once before the clock runs.
    without(0)?;
    with(0)?;
    let (mut bare_turns, mut desk_turns) = (Vec::new(), Vec::new());
    for number in 0..arguments.turns {
        // Who begins changes, so that what gets slower or faster in time does so for both.
        let mut ways: [(Answer<'_>, &mut Vec<Turn>); 2] =
            [(&without, &mut bare_turns), (&with, &mut desk_turns)];
        if number % 2 == 1 {
            ways.reverse();
        }
        for (answer, turns) in ways {
            turns.push(turn(arguments, answer)?);
        }
    }
    let receipts = desk.ledger().checkpoint().size;
    let value = report(arguments, &bare_turns, &desk_turns, receipts);
    output.print(&value, text)?;
    Ok(Ending::Done)
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

/// All clients ask, one request after the other, until the time is up. The requests of every turn
/// are the same ones.
fn turn(arguments: &BenchReceiptsArguments, answer: Answer<'_>) -> anyhow::Result<Turn> {
    let next = AtomicUsize::new(1);
    let worked = processor_seconds();
    let begun = Instant::now();
    let until = begun + Duration::from_secs(arguments.seconds);
    let client = || -> anyhow::Result<(Vec<Duration>, usize)> {
        let (mut times, mut tokens) = (Vec::new(), 0);
        while Instant::now() < until {
            let asked = Instant::now();
            tokens += answer(next.fetch_add(1, Ordering::Relaxed))?;
            times.push(asked.elapsed());
        }
        Ok((times, tokens))
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..arguments.clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().expect("a client counts")).collect()
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let worked = worked.zip(processor_seconds()).map(|(before, after)| after - before);
    let (mut times, mut tokens) = (Vec::new(), 0);
    for one in all {
        let (mut more, written) = one?;
        times.append(&mut more);
        tokens += written;
    }
    times.sort_unstable();
    let processor_ms = worked.map(|seconds| seconds * 1e3 / times.len().max(1) as f64);
    let (rate, tokens) = (times.len() as f64 / elapsed, tokens as f64 / elapsed);
    Ok(Turn { rate, tokens, processor_ms, times })
}

/// For how long processors have worked for this process (proc(5): in hundredths of a second).
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<f64>().ok()?, fields.next()?.parse::<f64>().ok()?);
    Some((user + system) / 100.0)
}

fn report(
    arguments: &BenchReceiptsArguments,
    bare: &[Turn],
    desk: &[Turn],
    receipts: u64,
) -> Value {
    let of = |turns: &[Turn]| -> Value {
        let all = |number: fn(&Turn) -> f64| median(turns.iter().map(number).collect());
        let at = |turn: &Turn, share: f64| {
            percentile(&turn.times, share).unwrap_or_default().as_secs_f64() * 1e3
        };
        let worked: Vec<f64> = turns.iter().filter_map(|turn| turn.processor_ms).collect();
        json!({
            "answers_per_second": all(|turn| turn.rate),
            "tokens_per_second": all(|turn| turn.tokens),
            "processor_ms": (!worked.is_empty()).then(|| median(worked)),
            "p50_ms": median(turns.iter().map(|turn| at(turn, 0.5)).collect()),
            "p99_ms": median(turns.iter().map(|turn| at(turn, 0.99)).collect()),
        })
    };
    let (bare, desk) = (of(bare), of(desk));
    let number = |value: &Value, name: &str| value[name].as_f64().unwrap_or_default();
    let share = 1.0 - number(&desk, "tokens_per_second") / number(&bare, "tokens_per_second");
    json!({
        "without": bare,
        "with": desk,
        "throughput_lost": share,
        "p50_more_ms": number(&desk, "p50_ms") - number(&bare, "p50_ms"),
        "p99_more_ms": number(&desk, "p99_ms") - number(&bare, "p99_ms"),
        "receipts": receipts,
        "clients": arguments.clients,
        "turns": arguments.turns,
        "seconds": arguments.seconds,
    })
}

fn text(value: &Value) -> String {
    let line = |name: &str| {
        let number = |field: &str| value[name][field].as_f64().unwrap_or_default();
        format!(
            "{:.1} answers/s, {:.0} tokens/s, p50 {:.2} ms, p99 {:.2} ms, {:.2} ms processor",
            number("answers_per_second"),
            number("tokens_per_second"),
            number("p50_ms"),
            number("p99_ms"),
            number("processor_ms"),
        )
    };
    let number = |field: &str| value[field].as_f64().unwrap_or_default();
    format!(
        "without receipts    {}\nwith receipts       {}\n\
         the cost            {:.2} % of the tokens, {:.2} ms at p50, {:.2} ms at p99; {} receipts",
        line("without"),
        line("with"),
        100.0 * number("throughput_lost"),
        number("p50_more_ms"),
        number("p99_more_ms"),
        value["receipts"],
    )
}
