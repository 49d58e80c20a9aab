//! Tokens a second of a model file: reading a prompt, and writing one token after the other.
//!
//! `cargo bench -p allod-lm --bench speed -- MODEL.gguf [prompt=512] [generate=32] [depth=0]
//! [repeat=3] [threads=2] [cache=bf16|f32]
//! [activations=bf16|int8]` prints one line for each repetition and the medians.
//! A model of any weights will do.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use allod_lm::{ActivationForm, Batch, CacheForm, Checkpoint, Infer, InferOptions, Isa};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Rows of a prompt that are computed together.
const CHUNK: usize = 512;

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some(model) = arguments.first() else { return println!("which model file?") };
    let option = |name: &str, otherwise: usize| {
        let value = arguments.iter().find_map(|argument| argument.strip_prefix(name));
        value.map_or(otherwise, |value| value.parse().unwrap())
    };
    let (prompt, generate) = (option("prompt=", 512), option("generate=", 32));
    let (depth, repeat) = (option("depth=", 0), option("repeat=", 3));
    let named = |form: &ActivationForm| {
        arguments.iter().any(|argument| *argument == format!("activations={}", form.name()))
    };
    let given = ActivationForm::ALL.into_iter().find(named);
    let exact = arguments.iter().any(|argument| argument == "cache=f32");
    let options = InferOptions {
        threads: option("threads=", 2),
        isa: Isa::detect(),
        slots: 1,
        context_tokens: prompt.max(depth) + generate + 1,
        activations: given.unwrap_or_else(|| ActivationForm::fastest_with(Isa::detect())),
        cache: if exact { CacheForm::F32 } else { CacheForm::Bf16 },
    };
    let checkpoint = Arc::new(Checkpoint::open(Path::new(model)).unwrap());
    let mut infer = Infer::new(checkpoint, options).unwrap();
    let mut found = [Vec::new(), Vec::new()];
    for _ in 0..repeat {
        infer.truncate(0, 0);
        let read = read(&mut infer, prompt);
        if depth != prompt {
            infer.truncate(0, 0);
            self::read(&mut infer, depth);
        }
        let wrote = speed(generate, || {
            (0..generate).for_each(|place| step(&mut infer, &[token(place)]));
        });
        let [[read, read_used], [wrote, wrote_used]] = [read, wrote];
        println!(
            "prompt {read:.1} tokens/s ({read_used:.2} ms of the processors each), \
             then {wrote:.2} tokens/s ({wrote_used:.1} ms)"
        );
        found[0].push(read);
        found[1].push(wrote);
    }
    found.iter_mut().for_each(|found| found.sort_by(f64::total_cmp));
    let [read, wrote] = found.map(|found| found[found.len() / 2]);
    println!("median: prompt of {prompt} {read:.1} tokens/s, at depth {depth} {wrote:.2} tokens/s");
}

/// Reads a prompt and gives its speed.
fn read(infer: &mut Infer, prompt: usize) -> [f64; 2] {
    let tokens: Vec<u32> = (0..prompt).map(token).collect();
    speed(prompt, || tokens.chunks(CHUNK).for_each(|chunk| step(infer, chunk)))
}

/// Tokens a second of some work, and the milliseconds that processors spend on each.
fn speed(tokens: usize, work: impl FnOnce()) -> [f64; 2] {
    let (start, used) = (Instant::now(), processor_seconds());
    work();
    let used = processor_seconds() - used;
    [tokens as f64 / start.elapsed().as_secs_f64(), used * 1e3 / tokens as f64]
}

/// What this process has used of the processors, where Linux says so.
fn processor_seconds() -> f64 {
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = line.rsplit(')').next().unwrap_or_default().split_whitespace();
    // User and system time, in hundredths of a second.
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn step(infer: &mut Infer, tokens: &[u32]) {
    let mut batch = Batch::default();
    let first = infer.length(0);
    for (place, token) in tokens.iter().enumerate() {
        batch.push(0, first + place, *token);
    }
    batch.want_last();
    infer.run(&batch).unwrap();
}

/// Any token: which one it is changes nothing in how long a step takes.
fn token(place: usize) -> u32 {
    (place * 37 % 251) as u32
}
