//! Trains the tagger of `allod-privacy`:
//!
//! ```text
//! cargo run --release -p allod-eval --example train_privacy -- OUT PRESIDIO.json PLAIN.txt...
//! ```
//!
//! It learns on every second template of presidio-research's synthetic set, on the first half of
//! our own five-language templates, and on lines of the plain texts; `allod eval privacy` measures
//! on the others.
//!
//! The built-in tagger was made with these plain texts, in this order: the Swiss constitution in
//! five languages, chapter 5 of NIST 800-63B, the training questions of banking77, laws of the
//! Grisons in two languages, and two laws of Germany.
//!
//! ```text
//! … crates/privacy/src/tagger.bin synth_dataset_v2.json de.txt fr.txt it.txt rm.txt en.txt \
//!     sp800-63b/sec5_authenticators.md banking77/train.csv GT.de GT.rm \
//!     bdsg_2018/index.md wogg/index.md
//! ```

use std::process::ExitCode;

use allod_eval::privacy::{Half, generate, plain_lines, read_privacy_set, recased, vary};
use allod_privacy::{Example, TrainOptions, train};

/// How often a template of ours is filled, and how often a sentence of the set gets other values.
const FILLED: usize = 8;
const VARIED: usize = 10;
const PLAIN_LINES: usize = 300;

/// One in so many of our texts is learnt in small letters too, and one in capitals.
const RECASED: usize = 12;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, presidio, plain @ ..] = arguments.as_slice() else { return ExitCode::from(2) };
    match examples(presidio, plain) {
        Ok(examples) => {
            let bytes = train(&examples, &TrainOptions::default());
            std::fs::write(out, bytes).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn examples(presidio: &str, plain: &[String]) -> Result<Vec<Example>, Box<dyn std::error::Error>> {
    let set = read_privacy_set(&std::fs::read_to_string(presidio)?)?;
    let first = set.into_iter().filter(|one| one.template.is_multiple_of(2));
    let first: Vec<Example> = first.map(|one| one.example).collect();
    let ours = generate(Half::First, FILLED, 1);
    let mut all = first.clone();
    all.extend(vary(&first, &first, VARIED, 7));
    all.extend(vary(&ours, &first, 1, 8));
    all.extend(recased(&ours, RECASED));
    all.extend(ours);
    for file in plain {
        all.extend(plain_lines(&std::fs::read_to_string(file)?, PLAIN_LINES));
    }
    Ok(all)
}
