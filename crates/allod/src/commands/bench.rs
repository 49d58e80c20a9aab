//! `allod bench`: how fast a model runs here, through the same engine that serves; how a server
//! fares under load; how long searches take.

mod gate;
mod peak;
mod receipts;
mod run;
mod search;
mod serve;

use std::path::Path;
use std::time::{Duration, Instant};

use allod_engine::{InProcess, LoadEngine, Options, Runner};
use allod_lm::{ActivationForm, Checkpoint, Isa, Work};
use anyhow::{Context, ensure};
use serde_json::json;

use crate::Ending;
use crate::arguments::{BenchArguments, BenchCommand, BenchWhat};
use crate::engine_cells;
use crate::folder::Place;
use crate::output::Output;
use peak::Peak;
use run::{Load, Run};

/// Measures and prints.
pub fn run(command: &BenchCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    match (&command.what, &command.model) {
        (Some(BenchWhat::Serve(arguments)), _) => serve::run(arguments, place, output),
        (Some(BenchWhat::Search(arguments)), _) => search::run(arguments, place, output),
        (Some(BenchWhat::Gate(arguments)), _) => gate::run(arguments, output),
        (Some(BenchWhat::Receipts(arguments)), _) => receipts::run(arguments, place, output),
        (None, model) => run_model(model.as_ref().context("give --model MODEL")?, place, output),
    }
}

fn run_model(arguments: &BenchArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    ensure!(arguments.prompt > 0, "--prompt must be 1 or more");
    ensure!(arguments.generate > 1, "--generate must be 2 or more");
    ensure!(arguments.batch > 0 && arguments.repeat > 0, "--batch and --repeat must be 1 or more");
    let path = place.model(&arguments.model)?;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.filter(|threads| *threads > 0).unwrap_or_else(cores);
    let begun = Instant::now();
    let engine = load(&path, threads, arguments, place)?;
    let load = begun.elapsed();
    let run = Run::measure(engine.as_ref(), &Load::of(arguments))?;
    let resident = resident_bytes();
    drop(engine);
    let work = Checkpoint::open(&path)?.work();
    let peak = Peak::measure(Isa::detect(), activations(arguments), threads);
    let report = Report { load, run, resident, work, peak, arguments };
    output.print(&report.json(), |_| report.text())?;
    Ok(Ending::Done)
}

fn load(
    path: &Path,
    threads: usize,
    arguments: &BenchArguments,
    place: &Place,
) -> anyhow::Result<Box<dyn Runner>> {
    let before = arguments.shared + arguments.depth + 1;
    let tokens = arguments.prompt.max(before) + arguments.generate + 1;
    let context_tokens = Some(tokens.max(allod_engine::CONTEXT_TOKENS_LEAST));
    let options = Options {
        threads: Some(threads),
        context_tokens,
        slots: Some(arguments.batch),
        cache: Some(arguments.kv_cache_dtype.form()),
        activations: Some(activations(arguments)),
        // No prompt comes twice, so what is kept would only take memory, but for what is shared.
        prefix_bytes: Some(0).filter(|_| arguments.shared == 0),
        ..Options::default()
    };
    if arguments.in_cell {
        return Ok(engine_cells::confine(&place.data, place.weaker)?.loader.load(path, options)?);
    }
    Ok(InProcess.load(path, options)?)
}

/// What is measured is a processor with the instruction set in use, so that one that is kept to
/// less stands for one that has no more.
fn activations(arguments: &BenchArguments) -> ActivationForm {
    let given = arguments.activation_dtype.form();
    given.unwrap_or_else(|| ActivationForm::fastest_with(Isa::detect()))
}

/// All that was measured.
struct Report<'a> {
    load: Duration,
    run: Run,
    resident: Option<u64>,
    work: Work,
    peak: Peak,
    arguments: &'a BenchArguments,
}

impl Report<'_> {
    /// Of the bytes that memory can give in a second, those that decoding takes. Sequences that
    /// are written together share one reading of the weights.
    fn of_bandwidth(&self) -> f64 {
        let steps = self.run.generated_per_second / self.arguments.batch as f64;
        steps * self.work.bytes as f64 / self.peak.bytes_per_second
    }

    /// Of the multiplications that the processor can do in a second, those that reading a prompt
    /// takes.
    fn of_peak(&self) -> f64 {
        let wanted = self.run.read_per_second * self.work.multiplications as f64;
        wanted / self.peak.multiplications_per_second
    }

    /// What the keys and values of the longest sequences take.
    fn cache_bytes(&self) -> u64 {
        let arguments = self.arguments;
        let depth = arguments.depth.max(1) + arguments.generate;
        let tokens = arguments.prompt.max(arguments.shared + depth * arguments.batch);
        arguments.kv_cache_dtype.form().bytes_of(self.work.cached * tokens as u64)
    }

    fn json(&self) -> serde_json::Value {
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        json!({
            "pp_tok_s": self.run.read_per_second,
            "tg_tok_s": self.run.generated_per_second,
            "ttft_ms_cold": milliseconds(self.run.first_cold),
            "ttft_ms_warm": milliseconds(self.run.first_warm),
            "load_ms": milliseconds(self.load),
            "rss_mb": self.resident.map(mebibytes),
            "kv_mb": mebibytes(self.cache_bytes()),
            "fraction_of_bandwidth": self.of_bandwidth(),
            "fraction_of_peak": self.of_peak(),
            "bandwidth_gb_s": self.peak.bytes_per_second / 1e9,
            "peak_tflop_s": 2.0 * self.peak.multiplications_per_second / 1e12,
            "peak_of": self.peak.unit,
            "threads": self.peak.threads,
            "activations": activations(self.arguments).name(),
            "prompt": self.arguments.prompt,
            "generate": self.arguments.generate,
            "depth": self.arguments.depth,
            "batch": self.arguments.batch,
            "repeat": self.arguments.repeat,
        })
    }

    fn text(&self) -> String {
        let (arguments, run) = (self.arguments, &self.run);
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        format!(
            "reading {} tokens     {:.1} tokens/s, {:.1} % of {:.2} TFLOP/s ({})\n\
             writing {} x {} after {}  {:.1} tokens/s, {:.1} % of {:.1} GB/s\n\
             first token         {:.0} ms cold, {:.0} ms warm\n\
             loading             {:.0} ms\n\
             activations         {}\n\
             memory              {:.0} MiB at most, of it {:.0} MiB for keys and values",
            arguments.prompt,
            run.read_per_second,
            100.0 * self.of_peak(),
            2.0 * self.peak.multiplications_per_second / 1e12,
            self.peak.unit,
            arguments.batch,
            arguments.generate,
            arguments.depth,
            run.generated_per_second,
            100.0 * self.of_bandwidth(),
            self.peak.bytes_per_second / 1e9,
            milliseconds(run.first_cold),
            milliseconds(run.first_warm),
            milliseconds(self.load),
            activations(arguments).name(),
            self.resident.unwrap_or_default() as f64 / f64::from(1 << 20),
            self.cache_bytes() as f64 / f64::from(1 << 20),
        )
    }
}

/// The most memory that this process has held, weights that are mapped included; Linux only.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
