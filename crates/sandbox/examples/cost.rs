//! What a cell costs: `cost [FILES] [BYTES]` has so many requests of so many bytes answered, in
//! this process and in cells, one after the other and on two threads.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use allod_sandbox::{Cells, Result, Setup};

fn main() -> ExitCode {
    if let Some(code) = allod_sandbox::enter(work) {
        return code;
    }
    let number = |index: usize, standard: usize| {
        std::env::args().nth(index).and_then(|word| word.parse().ok()).unwrap_or(standard)
    };
    match measure(number(1, 2000), number(2, 3000)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// About as much work as reading a small file.
fn work(request: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(request);
    text.split_whitespace().map(str::to_uppercase).collect::<Vec<_>>().join(" ").into_bytes()
}

fn measure(files: usize, bytes: usize) -> Result<()> {
    let file = "Die Gemeinde erhebt eine Gebühr. ".repeat(bytes / 33 + 1).into_bytes();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / files as f64;
    let begin = Instant::now();
    let cells = Cells::new(Setup::default())?;
    cells.ask(&file)?;
    println!("first cell, with its keeper: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    for round in 1..=3 {
        let begin = Instant::now();
        let lengths: usize = (0..files).map(|_| work(&file).len()).sum();
        let here = begin.elapsed();
        let begin = Instant::now();
        for _ in 0..files {
            cells.ask(&file)?;
        }
        let one = begin.elapsed();
        let begin = Instant::now();
        std::thread::scope(|scope| {
            let half = || (0..files / 2).try_for_each(|_| cells.ask(&file).map(drop));
            let other = scope.spawn(half);
            half().and_then(|()| other.join().unwrap_or(Ok(())))
        })?;
        let two = begin.elapsed();
        println!(
            "round {round}, {files} files, {lengths} bytes: {:.0} us a file here, {:.0} in a cell, \
             {:.0} in cells on two threads",
            each(here),
            each(one),
            each(two)
        );
    }
    Ok(())
}
