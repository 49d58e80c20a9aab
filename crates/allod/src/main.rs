//! `allod`: the command line. Glue only: what is typed goes to the room that does it, what comes
//! back is printed.

mod arguments;
mod bench_arguments;
mod cells;
mod commands;
mod engine_arguments;
mod engine_cells;
mod eval_arguments;
mod folder;
mod log;
mod output;
mod progress;
mod replay_arguments;
mod samples;
mod scratch;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use allod_lm::Isa;
use arguments::{Arguments, Command};
use clap::Parser;
use output::Output;

/// How a command that did not fail ended.
pub enum Ending {
    /// Done.
    Done,
    /// What was asked turned out bad (a log that does not verify, a policy with mistakes); it has
    /// been said already.
    Failed,
    /// It cannot be done with what is here; it has been said already why.
    Impossible,
    /// The policy refused.
    Refused,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        match ending {
            Ending::Done => ExitCode::SUCCESS,
            Ending::Failed => ExitCode::from(1),
            Ending::Impossible => ExitCode::from(2),
            Ending::Refused => ExitCode::from(3),
        }
    }
}

fn main() -> ExitCode {
    // A keeper of cells is this program too, and must be it before anything else has begun.
    if let Some(code) = allod_sandbox::enter(cells::work) {
        return code;
    }
    // Before there are threads, here and in a model's cell.
    allod_sandbox::limit_arenas();
    // A model's cell is this program too.
    #[cfg(target_os = "linux")]
    if let Some(code) = allod_sandbox::enter_resident(allod_cell::serve) {
        return code;
    }
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("ALLOD_LOG")
                .unwrap_or_else(|_| "warn,tantivy=error".into()),
        )
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(|| log::Lines)
        .init();
    if let Some(Err(error)) = arguments.isa.map(Isa::bound) {
        output::complain(&format!("--isa: {error}"));
        return ExitCode::from(2);
    }
    match run(&arguments) {
        Ok(ending) => ending.into(),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&output::reasons(&error));
            ExitCode::from(1)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<Ending> {
    let output = Output { json: arguments.json };
    let place = folder::Place::of(arguments);
    match &arguments.command {
        Command::Demo(demo) => commands::demo::run(demo, &place, &output),
        Command::Ingest(ingest) => commands::ingest::run(ingest, &place, &output),
        Command::Ask(ask) => commands::ask::run(ask, &place, &output),
        Command::Search(search) => commands::search::run(search, &place, &output),
        Command::Work(work) => commands::work::run(work, &place, &output),
        Command::Show(show) => commands::show::run(show, &place, &output),
        Command::Serve(serve) => commands::serve::run(serve, &place),
        Command::Generate(generate) => commands::generate::run(generate, &place, &output),
        Command::Bench(bench) => commands::bench::run(bench, &place, &output),
        Command::Model(model) => commands::model::run(model, &place, &output),
        Command::Embed(embed) => commands::embed::run(embed, &place, &output),
        Command::Tune(tune) => commands::tune::run(tune, &place, &output),
        Command::Tokenize(tokenize) => commands::tokenize::run(tokenize, &place, &output),
        Command::Eval(eval) => commands::eval::run(eval, &place, &output),
        Command::Policy(policy) => commands::policy::run(policy, &place, &output),
        Command::Privacy(privacy) => commands::privacy::run(privacy, &output),
        Command::Ledger(ledger) => commands::ledger::run(ledger, &place, &output),
        Command::Replay(replay) => commands::replay::run(replay, &place, &output),
        Command::Export(export) => commands::export::run(export, &place, &output),
        Command::Review(review) => commands::review::run(review, &place, &output),
        Command::Doctor => commands::doctor::run(&place, &output),
        Command::Key(key) => commands::key::run(key, &place, &output),
        Command::Witness(witness) => commands::witness::run(witness, &place),
    }
}

/// `allod … | head` ends the pipe early; that is no failure.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}
