//! Measures ingest and search: `measure ROOT... [-- QUESTION...]`. Ingests the roots twice into a
//! scratch folder, then searches each question three times and prints what comes first.

#![allow(clippy::print_stdout)]

use allod_retrieval::{Clearance, IngestOptions, Library, Query, Silent};
use allod_store::SqliteStore;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let split = arguments.iter().position(|a| a == "--").unwrap_or(arguments.len());
    let roots: Vec<PathBuf> = arguments[..split].iter().map(PathBuf::from).collect();
    let folder = tempfile::tempdir()?;
    let library = Library::open(folder.path(), Arc::new(SqliteStore::open(folder.path())?))?;
    for run in ["first", "second"] {
        let report = library.ingest(&roots, &IngestOptions::default(), &Silent)?;
        println!(
            "{run} run: {} added, {} unchanged, {} unreadable, {:.2} s",
            report.added,
            report.unchanged,
            report.unreadable.len(),
            report.seconds
        );
    }
    println!("{} passages", library.counts()?.passages);
    for question in arguments.iter().skip(split + 1) {
        ask(&library, question)?;
    }
    Ok(())
}

fn ask(library: &Library, question: &str) -> Result<(), Box<dyn Error>> {
    let clearance = Clearance::public();
    let on = jiff::Zoned::now().date();
    let query =
        Query { text: question, language: None, clearance: &clearance, on, limit: 5, filter: None };
    for _ in 0..3 {
        let begin = Instant::now();
        let found = library.search(&query)?;
        let milliseconds = begin.elapsed().as_secs_f64() * 1000.0;
        let first = found.evidence.first();
        let place = first.map_or_else(String::new, |e| format!("{} {}", e.path, e.place));
        println!("{milliseconds:.1} ms, confidence {:.2}: {question} -> {place}", found.confidence);
    }
    Ok(())
}
