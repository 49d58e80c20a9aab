//! `cargo xtask arm`: the same bits on ARM64, tests being run by an emulator.

use anyhow::{Context, Result, bail, ensure};
use std::process::{Command, Stdio};

pub(crate) const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
pub(crate) const EMULATOR: &str = "qemu-aarch64";
/// Where the emulator finds the libraries that programs need.
pub(crate) const LIBRARIES: &str = "/usr/aarch64-linux-gnu";
/// One with all that the emulator knows, and one without most of it.
pub(crate) const PROCESSORS: [&str; 2] = ["max", "cortex-a76"];
/// The test of `allod-lm` that computes random cases, and how the line begins that it ends with.
const CASES: &str = "random_cases_have_the_bits_of_the_plain_run";
const DIGEST: &str = "digest of ";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan<'a> {
    processors: Vec<&'a str>,
    /// Cases whose logits are compared with this machine's.
    cases: usize,
}

/// Whether the kernels' tests pass on every processor, and random cases have the same logits there
/// as here.
#[allow(clippy::print_stdout)]
pub fn run(arguments: &[String]) -> Result<bool> {
    let plan = parse(arguments)?;
    check_tools()?;
    for processor in &plan.processors {
        println!("kernels on {processor}");
        let mut tests = on(processor);
        tests.args(["--package", "allod-kernels", "--lib", "--test", "vectors"]);
        if !tests.status()?.success() {
            return Ok(false);
        }
    }
    if plan.cases == 0 {
        return Ok(true);
    }
    let here = digest(cargo(), plan.cases)?;
    println!("here: {here}");
    let mut same = true;
    for processor in &plan.processors {
        let there = digest(on(processor), plan.cases)?;
        println!("{processor}: {there}");
        same &= there == here;
    }
    Ok(same)
}

/// Whether what builds for ARM64 and runs it is here.
pub(crate) fn check_tools() -> Result<()> {
    for tool in [LINKER, EMULATOR] {
        let found = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
        found.with_context(|| {
            format!(
                "`{tool}` is needed: on Debian, `apt-get install gcc-aarch64-linux-gnu \
                 libc6-dev-arm64-cross qemu-user` and `rustup target add {TARGET}`"
            )
        })?;
    }
    Ok(())
}

/// Lets cargo link for ARM64.
pub(crate) fn with_linker(command: &mut Command) -> &mut Command {
    command.env(variable("LINKER"), LINKER)
}

/// Cargo's variable for ARM64 of this name.
fn variable(name: &str) -> String {
    format!("CARGO_TARGET_{}_{name}", TARGET.to_uppercase().replace('-', "_"))
}

fn parse(arguments: &[String]) -> Result<Plan<'_>> {
    let mut plan = Plan { processors: Vec::new(), cases: 50 };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let value = rest.next().with_context(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--cpu" => plan.processors.push(value),
            "--cases" => plan.cases = value.parse().context("--cases takes a number")?,
            _ => bail!("arm takes --cpu and --cases, not {argument}"),
        }
    }
    if plan.processors.is_empty() {
        plan.processors = PROCESSORS.to_vec();
    }
    Ok(plan)
}

/// `cargo test` for this machine.
fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.arg("test").arg("--quiet").current_dir(super::root());
    command
}

/// `cargo test` for ARM64, on a processor that is emulated.
fn on(processor: &str) -> Command {
    let mut command = cargo();
    let runner = format!("{EMULATOR} -L {LIBRARIES} -cpu {processor}");
    with_linker(command.args(["--target", TARGET])).env(variable("RUNNER"), runner);
    command
}

/// What the test says of its cases.
fn digest(mut tests: Command, cases: usize) -> Result<String> {
    tests.args(["--package", "allod-lm", "--test", "bits", CASES, "--", "--nocapture"]);
    let output = tests.env("ALLOD_CASES", cases.to_string()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    let line = said.lines().find_map(|line| line.find(DIGEST).map(|at| &line[at..]));
    Ok(line.with_context(|| format!("the test says no digest:\n{said}"))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Option<(Vec<String>, usize)> {
        let arguments: Vec<String> = text.split_whitespace().map(String::from).collect();
        let plan = parse(&arguments).ok()?;
        Some((plan.processors.into_iter().map(String::from).collect(), plan.cases))
    }

    #[test]
    fn arguments_are_read() {
        let both = PROCESSORS.map(String::from).to_vec();
        assert_eq!(plan(""), Some((both.clone(), 50)));
        assert_eq!(plan("--cases 7"), Some((both, 7)));
        assert_eq!(plan("--cpu max --cases 0"), Some((vec!["max".to_string()], 0)));
        assert_eq!([plan("--cpu"), plan("--cases many"), plan("cases 1")], [None, None, None]);
    }
}
