//! `cargo xtask`: project chores.

mod architectures;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

#[allow(clippy::print_stderr, clippy::print_stdout)]
fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => {
            let complaints = tidy::check(root());
            for complaint in &complaints {
                eprintln!("{complaint}");
            }
            println!("{} complaints", complaints.len());
            if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        _ => {
            eprintln!("usage: cargo xtask tidy    check the house rules that a program can check");
            ExitCode::from(2)
        }
    }
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
