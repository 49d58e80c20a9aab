//! How long an append takes on a disk: `cargo run --release --example append_latency -- FOLDER`.
//!
//! Each append is durable before the next of the same thread begins.
#![allow(clippy::print_stdout)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use allod_ledger::{Ledger, Result, verify};
use common::{ORIGIN, receipt, short_receipt};

const APPENDS: usize = 2000;

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let data = folder.join(format!("append-latency-{}", std::process::id()));
    let dir = data.join("ledger");
    let bytes = [receipt("0").to_entry()?.len(), short_receipt("0").to_entry()?.len()];
    println!("receipts of {} bytes (a short one: {})", bytes[0], bytes[1]);
    let ledger = Ledger::open(&dir, ORIGIN)?;
    for threads in [1, 2, 4, 8, 32] {
        measure(&ledger, threads)?;
    }
    reopen(ledger, &dir)?;
    std::fs::remove_dir_all(&data).expect("the folder is ours");
    Ok(())
}

fn measure(ledger: &Ledger, threads: usize) -> Result<()> {
    let (rounds, start) = (ledger.rounds(), Instant::now());
    let workers: Vec<Result<Vec<Duration>>> = std::thread::scope(|scope| {
        let worker = |_| scope.spawn(|| append(ledger, APPENDS / threads));
        let workers: Vec<_> = (0..threads).map(worker).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker does not panic")).collect()
    });
    let mut times = Vec::new();
    for worker in workers {
        times.extend(worker?);
    }
    let seconds = start.elapsed().as_secs_f64();
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!(
        "{threads:>2} threads: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms; {:.0}/s; {:.1} per round",
        at(50),
        at(90),
        at(99),
        times.len() as f64 / seconds,
        times.len() as f64 / (ledger.rounds() - rounds) as f64,
    );
    Ok(())
}

fn append(ledger: &Ledger, count: usize) -> Result<Vec<Duration>> {
    let appended = (0..count).map(|turn| {
        let start = Instant::now();
        ledger.append(&receipt(&turn.to_string()))?;
        Ok(start.elapsed())
    });
    appended.collect()
}

fn reopen(ledger: Ledger, dir: &Path) -> Result<()> {
    let start = Instant::now();
    ledger.prove(1234)?;
    println!("proof (with publication): {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    ledger.close()?;
    let start = Instant::now();
    let ledger = Ledger::open(dir, ORIGIN)?;
    println!("open: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    drop(ledger);
    let start = Instant::now();
    let size = verify(dir)?.size;
    println!("verify {size} receipts: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}
