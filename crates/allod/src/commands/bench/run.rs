//! Requests to an engine, and how long it took for them.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use allod_engine::{GenerateRequest, Generated, Prompt, Runner, Sampling};
use anyhow::{Context, ensure};

use crate::arguments::BenchArguments;

/// What is asked of the engine.
pub struct Load {
    prompt: usize,
    generate: usize,
    depth: usize,
    shared: usize,
    batch: usize,
    repeat: usize,
}

/// What was measured; the times and rates are medians over the repetitions.
pub struct Run {
    /// Tokens of a prompt that are read in a second.
    pub read_per_second: f64,
    /// Tokens that all sequences together write in a second, after the first of each.
    pub generated_per_second: f64,
    /// To the first token of the first request of all.
    pub first_cold: Duration,
    /// To the first token of a later request. No two prompts begin alike, so nothing of an earlier
    /// one can be used again.
    pub first_warm: Duration,
}

impl Load {
    /// As the command line has it.
    pub fn of(arguments: &BenchArguments) -> Load {
        let BenchArguments { prompt, generate, depth, shared, batch, repeat, .. } = *arguments;
        Load { prompt, generate, depth, shared, batch, repeat }
    }
}

impl Run {
    /// Lets the engine work.
    pub fn measure(engine: &dyn Runner, load: &Load) -> anyhow::Result<Run> {
        let mut prompts = Prompts { vocabulary: engine.vocabulary().tokens() as u32, made: 0 };
        let first_cold = first_token(engine, prompts.next(load.prompt))?;
        let (mut firsts, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..load.repeat {
            firsts.push(first_token(engine, prompts.next(load.prompt))?.as_secs_f64());
        }
        let shared = if load.shared > 0 { prompts.next(load.shared) } else { Vec::new() };
        if load.shared > 0 {
            first_token(engine, [&shared[..], &prompts.next(1)].concat())?;
        }
        for _ in 0..load.repeat {
            let mut next = || [&shared[..], &prompts.next(load.depth.max(1))].concat();
            let begun: Vec<Vec<u32>> = (0..load.batch).map(|_| next()).collect();
            rates.push(written_per_second(engine, begun, load.generate)?);
        }
        let first_warm = median(firsts);
        Ok(Run {
            read_per_second: load.prompt as f64 / first_warm,
            generated_per_second: median(rates),
            first_cold,
            first_warm: Duration::from_secs_f64(first_warm),
        })
    }
}

/// Prompts of numbers that look random; each begins with a token of its own.
struct Prompts {
    vocabulary: u32,
    made: u32,
}

impl Prompts {
    fn next(&mut self, tokens: usize) -> Vec<u32> {
        self.made += 1;
        let mut state = u64::from(self.made).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % u64::from(self.vocabulary)) as u32
        };
        let mut tokens: Vec<u32> = std::iter::repeat_with(next).take(tokens).collect();
        tokens[0] = self.made % self.vocabulary;
        tokens
    }
}

fn request(prompt: Vec<u32>, max_tokens: usize) -> GenerateRequest {
    // A draw, so that a model of whatever weights does not end or fall into a circle at once.
    let sampling = Sampling { temperature: 1.0, seed: 7, ..Sampling::default() };
    let prompt = Prompt::Tokens(prompt);
    GenerateRequest { prompt, sampling, max_tokens, ..GenerateRequest::default() }
}

fn first_token(engine: &dyn Runner, prompt: Vec<u32>) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    write(engine, &request(prompt, 1), &mut |_| ())?;
    Ok(begun.elapsed())
}

/// The one completion of a request; `on_text` gets its text as it comes.
fn write(
    engine: &dyn Runner,
    request: &GenerateRequest,
    on_text: &mut dyn FnMut(&str),
) -> anyhow::Result<Generated> {
    let completion = engine.complete(request, &mut |piece| {
        on_text(piece.text);
        ControlFlow::Continue(())
    })?;
    Ok(completion.first().clone())
}

/// When one sequence wrote its first text and its last, and how many tokens.
struct Written {
    first: Instant,
    last: Instant,
    tokens: usize,
}

/// All sequences at once; the clock runs from the first text of any to the last of all. A sequence
/// that the model ends early counts with what it wrote.
fn written_per_second(
    engine: &dyn Runner,
    prompts: Vec<Vec<u32>>,
    generate: usize,
) -> anyhow::Result<f64> {
    let write_one = |prompt: Vec<u32>| -> anyhow::Result<Option<Written>> {
        let mut first = None;
        let mut on_text = |text: &str| {
            if !text.is_empty() {
                first.get_or_insert_with(Instant::now);
            }
        };
        let generated = write(engine, &request(prompt, generate), &mut on_text)?;
        let last = Instant::now();
        let tokens = generated.completion_tokens;
        Ok(first.map(|first| Written { first, last, tokens }))
    };
    let written: Vec<anyhow::Result<Option<Written>>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            prompts.into_iter().map(|prompt| scope.spawn(move || write_one(prompt))).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|written| written.expect("a thread that writes does not panic")).collect()
    });
    let written: anyhow::Result<Vec<Option<Written>>> = written.into_iter().collect();
    let written: Vec<Written> = written?.into_iter().flatten().collect();
    let first = written.iter().map(|one| one.first).min().context("the model wrote no text")?;
    let last = written.iter().map(|one| one.last).max().context("the model wrote no text")?;
    let tokens: usize = written.iter().map(|one| one.tokens.saturating_sub(1)).sum();
    ensure!(tokens > 0, "the model ended every text after one token; nothing can be measured");
    Ok(tokens as f64 / (last - first).as_secs_f64())
}

/// The middle of numbers, or of the two in the middle.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() % 2 {
        1 => numbers[middle],
        _ => (numbers[middle - 1] + numbers[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_prompts_begin_alike() {
        let mut prompts = Prompts { vocabulary: 100, made: 0 };
        let made: Vec<Vec<u32>> = (0..20).map(|_| prompts.next(5)).collect();
        for (at, one) in made.iter().enumerate() {
            assert!(one.iter().all(|token| *token < 100));
            assert!(made[..at].iter().all(|other| other[0] != one[0]));
        }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 9.0]), 3.5);
    }
}
