//! A turn: all clients ask in one way, a number of requests together.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use allod_engine::Piece;

use crate::bench_arguments::BenchReceiptsArguments;

/// Who gets the pieces of an answer.
pub type OnPiece<'a> = &'a mut dyn FnMut(Piece<'_>) -> ControlFlow<()>;

/// A way to ask for an answer: gives the tokens that were written.
pub type Answer<'a> = &'a (dyn Fn(usize, OnPiece<'_>) -> anyhow::Result<usize> + Sync);

/// One turn of one way to ask.
#[derive(Default)]
pub struct Turn {
    /// Answers in a second.
    pub rate: f64,
    /// Tokens written in a second.
    pub tokens: f64,
    /// Time that processors worked for an answer, in milliseconds; Linux only.
    pub processor_ms: Option<f64>,
    /// How long each answer took.
    pub times: Vec<Duration>,
    /// How long each caller had its last token and not yet its answer.
    pub after_last_token: Vec<Duration>,
}

/// How many requests the clients ask in about the time of a turn: a multiple of the clients, so
/// that in the end none waits long for the others.
pub fn requests(arguments: &BenchReceiptsArguments, answer: Answer<'_>) -> anyhow::Result<usize> {
    let first = turn(arguments, arguments.clients, answer)?;
    let rounds = arguments.seconds as f64 * first.rate / arguments.clients as f64;
    Ok(arguments.clients * (rounds as usize).max(1))
}

/// All clients ask, one request after the other, until that many are answered. Every turn has the
/// same requests, and so the same work.
pub fn turn(
    arguments: &BenchReceiptsArguments,
    requests: usize,
    answer: Answer<'_>,
) -> anyhow::Result<Turn> {
    let next = AtomicUsize::new(1);
    let worked = processor_seconds();
    let begun = Instant::now();
    let client = || -> anyhow::Result<(Vec<[Duration; 2]>, usize)> {
        let (mut times, mut tokens) = (Vec::new(), 0);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number > requests {
                return Ok((times, tokens));
            }
            let asked = Instant::now();
            let mut last = asked;
            tokens += answer(number, &mut |_| {
                last = Instant::now();
                ControlFlow::Continue(())
            })?;
            times.push([asked.elapsed(), last.elapsed()]);
        }
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..arguments.clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().expect("a client counts")).collect()
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let worked = worked.zip(processor_seconds()).map(|(before, after)| after - before);
    let (mut turn, mut tokens) = (Turn::default(), 0);
    for one in all {
        let (times, written) = one?;
        turn.times.extend(times.iter().map(|[whole, _]| whole));
        turn.after_last_token.extend(times.iter().map(|[_, after]| after));
        tokens += written;
    }
    let answers = turn.times.len();
    turn.processor_ms = worked.map(|seconds| seconds * 1e3 / answers.max(1) as f64);
    (turn.rate, turn.tokens) = (answers as f64 / elapsed, tokens as f64 / elapsed);
    Ok(turn)
}

/// For how long processors have worked for this process (proc(5): in hundredths of a second).
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<f64>().ok()?, fields.next()?.parse::<f64>().ok()?);
    Some((user + system) / 100.0)
}
