//! `cargo xtask`: project chores.

mod architectures;
mod arm;
mod parity;
mod replay;
mod tidy;
mod train;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage:
  cargo xtask tidy                    check the house rules that a program can check
  cargo xtask arm [--cpu NAME] [--cases N]
                                      test ARM64 with an emulator; compare logits with this machine
  cargo xtask replay [--cpu NAME] [--count N]
                                      replay recorded answers on ARM64 with an emulator
  cargo xtask parity DIR... [--json]  compare models with what another implementation computed
  cargo xtask train DIR TEXT [--steps N] [--seeds N] [--bf16]
                                      train models of a folder's shape from scratch; print losses";

#[allow(clippy::print_stderr, clippy::print_stdout)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = arguments.split_first().map_or(("", [].as_slice()), |(a, b)| (a, b));
    let result = match name {
        "tidy" => tidy(),
        "arm" => arm::run(rest),
        "replay" => replay::run(rest),
        "parity" => parity::run(rest).map(|missed| missed == 0),
        "train" => train::run(rest).map(|()| true),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether there is nothing to complain of.
#[allow(clippy::print_stderr, clippy::print_stdout)]
fn tidy() -> anyhow::Result<bool> {
    let complaints = tidy::check(root());
    complaints.iter().for_each(|complaint| eprintln!("{complaint}"));
    println!("{} complaints", complaints.len());
    Ok(complaints.is_empty())
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        let complaints = super::tidy::check(super::root());
        assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    }
}
