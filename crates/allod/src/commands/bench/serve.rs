//! `allod bench serve`: many clients at one server, with the mixture of requests that a house has:
//! short chats, long prompts, clients that go away, answers that keep to a schema, calls of tools,
//! adapters, several tenants.

mod client;
mod memory;
mod report;
mod server;
pub(super) mod tally;
mod traffic;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::Ending;
use crate::arguments::BenchServeArguments;
use crate::folder::Place;
use crate::output::Output;
use client::Client;
use memory::Memory;
use report::Report;
use server::Target;
use tally::Tally;
use traffic::Traffic;

/// What all clients see.
struct Run<'a> {
    target: &'a Target,
    traffic: &'a Traffic,
    /// Long prompts that are sent and have no first token yet.
    long_reading: AtomicUsize,
    stopping: AtomicBool,
    /// What ends after this counts to no tenant's share.
    until: Instant,
}

/// Loads a server and prints how it fared.
pub fn run(
    arguments: &BenchServeArguments,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    ensure!(arguments.clients > 0 && arguments.seconds > 0, "--clients and --seconds: 1 or more");
    ensure!(arguments.tenants > 0, "--tenants must be 1 or more");
    let target = match &arguments.url {
        Some(url) => Target::given(url, &arguments.keys)?,
        None => Target::start(arguments, place)?,
    };
    let traffic = Traffic::probe(&target, arguments)?;
    let mut memory = Memory::new(target.process());
    let begun = Instant::now();
    let seconds = Duration::from_secs(arguments.seconds);
    let run = Run {
        target: &target,
        traffic: &traffic,
        long_reading: AtomicUsize::new(0),
        stopping: AtomicBool::new(false),
        until: begun + seconds,
    };
    let tally = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..arguments.clients)
            .map(|number| {
                let client = Client::new(&run, number);
                scope.spawn(move || client.work())
            })
            .collect();
        while begun.elapsed() < seconds {
            std::thread::sleep(Duration::from_millis(200).min(seconds));
            memory.look(begun.elapsed(), seconds);
        }
        run.stopping.store(true, Ordering::Relaxed);
        let tallies = clients.into_iter().map(|client| client.join().expect("a client counts"));
        tallies.fold(Tally::default(), Tally::with)
    });
    let took = begun.elapsed();
    // What the server still does for clients that went away is no leak.
    std::thread::sleep(Duration::from_secs(1));
    memory.end();
    let report = Report { tally, memory, took, arguments, traffic: &traffic };
    output.print(&report.json(), |_| report.text())?;
    let failed = report.has_errors();
    Ok(if failed { Ending::Failed } else { Ending::Done })
}
