//! `allod ingest`

use allod_retrieval::{IngestOptions, IngestReport};

use crate::Ending;
use crate::arguments::IngestArguments;
use crate::folder::Place;
use crate::output::Output;
use crate::progress::Bar;

/// Takes documents in and reports what could not be read, and why.
pub fn run(arguments: &IngestArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let library = place.library()?;
    let reader = place.confined()?.reader;
    let bar = Bar::new();
    let options = IngestOptions { reader, ..IngestOptions::default() };
    let report = library.ingest(&arguments.paths, &options, &bar)?;
    bar.finish();
    output.print(&report, text)?;
    Ok(Ending::Done)
}

/// The report for people.
pub fn text(report: &IngestReport) -> String {
    let mut text = format!(
        "{} added, {} changed, {} unchanged, {} retired, {} not readable; {:.1} s\n",
        report.added,
        report.changed,
        report.unchanged,
        report.retired,
        report.unreadable.len(),
        report.seconds,
    );
    for file in &report.unreadable {
        text.push_str(&format!("  not read: {}: {}\n", file.path, file.reason));
    }
    for file in &report.incomplete {
        text.push_str(&format!("  read in part: {}: {}\n", file.path, file.reason));
    }
    text
}
