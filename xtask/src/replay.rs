//! `cargo xtask replay`: recorded answers made again on ARM64, the whole program being emulated.

use anyhow::{Context, Result, bail, ensure};
use std::path::PathBuf;
use std::process::Command;

use crate::arm::{self, EMULATOR, LIBRARIES, PROCESSORS, TARGET};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan<'a> {
    processors: Vec<&'a str>,
    /// Requests that are recorded and made again.
    count: usize,
}

/// Records answers on this machine, and has the program make them again with each of its
/// instruction sets and on each emulated processor; whether all were the same.
pub fn run(arguments: &[String]) -> Result<bool> {
    let plan = parse(arguments)?;
    arm::check_tools()?;
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--workspace", "--bin", "allod", "--target", TARGET]);
    let built = arm::with_linker(&mut build).current_dir(super::root()).status()?;
    ensure!(built.success(), "the program could not be built for {TARGET}");
    let program = target_folder().join(TARGET).join("debug").join("allod");
    let program = program.canonicalize().with_context(|| program.display().to_string())?;
    let place = |cpu: &&str| format!("{EMULATOR} -L {LIBRARIES} -cpu {cpu} {}", program.display());
    let places: Vec<String> = plan.processors.iter().map(place).collect();
    let mut test = Command::new(env!("CARGO"));
    test.args(["test", "--workspace", "--test", "replays", "--", "--nocapture"])
        .env("ALLOD_REPLAYS", plan.count.to_string())
        .env("ALLOD_ELSEWHERE", places.join("\n"));
    Ok(test.current_dir(super::root()).status()?.success())
}

fn target_folder() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    super::root().join(named.unwrap_or_else(|| "target".into()))
}

fn parse(arguments: &[String]) -> Result<Plan<'_>> {
    let mut plan = Plan { processors: Vec::new(), count: 200 };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let value = rest.next().with_context(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--cpu" => plan.processors.push(value),
            "--count" => plan.count = value.parse().context("--count takes a number")?,
            _ => bail!("replay takes --cpu and --count, not {argument}"),
        }
    }
    if plan.processors.is_empty() {
        plan.processors = PROCESSORS.to_vec();
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Option<(Vec<String>, usize)> {
        let arguments: Vec<String> = text.split_whitespace().map(String::from).collect();
        let plan = parse(&arguments).ok()?;
        Some((plan.processors.into_iter().map(String::from).collect(), plan.count))
    }

    #[test]
    fn arguments_are_read() {
        let both = PROCESSORS.map(String::from).to_vec();
        assert_eq!(plan(""), Some((both.clone(), 200)));
        assert_eq!(plan("--count 7"), Some((both, 7)));
        assert_eq!(plan("--cpu max --count 30"), Some((vec!["max".to_string()], 30)));
        assert_eq!([plan("--cpu"), plan("--count few"), plan("count 1")], [None, None, None]);
    }
}
