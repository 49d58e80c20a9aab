//! Trains the classifier behind `complex_reasoning` and measures it (docs/policy.md).
//!
//!     cargo run --release -p allod-eval --example train_complexity ../shared/data [OUT]
//!
//! The same data gives the same file, byte for byte. Every fifth question of the public sets is
//! held out; the sentences of `complexity/` are scored by four classifiers, each of which has seen
//! none of the sentence's translations.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example that a person runs")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use allod_policy::{Complexity, ComplexityExample, train_complexity};
use serde_json::Value;

const LANGUAGES: [(&str, &str); 5] = [
    ("de", include_str!("complexity/de.txt")),
    ("en", include_str!("complexity/en.txt")),
    ("fr", include_str!("complexity/fr.txt")),
    ("it", include_str!("complexity/it.txt")),
    ("rm", include_str!("complexity/rm.txt")),
];
/// Every so many questions of a public set one is held out.
const HELD_OUT: usize = 5;
/// Parts that our own sentences are cut into.
const PARTS: usize = 4;
/// A question counts as complex from this score on where nothing else is said.
const MINIMUM: u16 = 900;

/// Questions of one kind and language.
struct Set {
    name: &'static str,
    language: &'static str,
    is_complex: bool,
    /// How much all of them count together; those of one language and kind of our own count 1.
    weight: f64,
    questions: Vec<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let data = Path::new(arguments.first().expect("give the folder of the data"));
    let sets = public(data);
    for set in &sets {
        println!("{:<10} {} {:>6} questions", set.name, set.language, set.questions.len());
    }
    let file = train_complexity(&examples(&sets, None));
    println!("file: {} bytes", file.len());
    let whole = Complexity::read(&file).unwrap();
    let mut scored: BTreeMap<&str, Vec<(u16, bool)>> = BTreeMap::new();
    for set in &sets {
        let held = set.questions.iter().skip(HELD_OUT - 1).step_by(HELD_OUT);
        let scores: Vec<(u16, bool)> =
            held.map(|text| (whole.score(text), set.is_complex)).collect();
        let flagged = scores.iter().filter(|(score, _)| *score >= MINIMUM).count();
        println!(
            "held out {:<10} {} {}: {flagged} of {} at {MINIMUM} or more, mean {}",
            set.name,
            set.language,
            if set.is_complex { "complex" } else { "simple" },
            scores.len(),
            scores.iter().map(|(score, _)| usize::from(*score)).sum::<usize>() / scores.len(),
        );
        scored.entry("public").or_default().extend(scores);
    }
    for part in 0..PARTS {
        let trained = Complexity::read(&train_complexity(&examples(&sets, Some(part)))).unwrap();
        for (language, text) in LANGUAGES {
            for (number, (is_complex, sentence)) in sentences(text).enumerate() {
                if number % PARTS == part {
                    let scores = scored.entry(language).or_default();
                    scores.push((trained.score(sentence), is_complex));
                }
            }
        }
    }
    for (name, scores) in &scored {
        report(name, scores);
    }
    if let Some(out) = arguments.get(1) {
        std::fs::write(out, file).unwrap();
    }
}

fn report(name: &str, scores: &[(u16, bool)]) {
    let of = |is_complex: bool| scores.iter().filter(move |one| one.1 == is_complex);
    let share = |is_complex: bool, least: u16| {
        let most = of(is_complex).count().max(1);
        of(is_complex).filter(|one| one.0 >= least).count() as f64 / most as f64
    };
    let right = scores.iter().filter(|(score, is)| (*score >= 500) == *is).count();
    println!(
        "{name:<7} AUC {:.3}, right at 0.5: {:.1} %; at 0.9: {:.1} % of the complex found, {:.1} % \
         of the simple taken for complex",
        auc(scores),
        100.0 * right as f64 / scores.len() as f64,
        100.0 * share(true, MINIMUM),
        100.0 * share(false, MINIMUM),
    );
}

/// How often a complex question scores above a simple one; even counts half.
fn auc(scores: &[(u16, bool)]) -> f64 {
    let of = |is_complex: bool| scores.iter().filter(move |one| one.1 == is_complex);
    let mut wins = 0.0;
    for (complex, _) in of(true) {
        for (simple, _) in of(false) {
            wins += match complex.cmp(simple) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    wins / (of(true).count() * of(false).count()) as f64
}

/// What is trained on: the public sets without what is held out, and our own sentences without
/// those of one part.
fn examples(sets: &[Set], without: Option<usize>) -> Vec<ComplexityExample> {
    let mut all = Vec::new();
    for set in sets {
        let kept = set.questions.iter().enumerate();
        let kept = kept.filter(|(number, _)| number % HELD_OUT != HELD_OUT - 1);
        let weight = set.weight / set.questions.len() as f64;
        let is_complex = set.is_complex;
        all.extend(kept.map(|(_, text)| ComplexityExample {
            text: text.clone(),
            is_complex,
            weight,
        }));
    }
    for (_, text) in LANGUAGES {
        let each = 2.0 / sentences(text).count() as f64;
        let kept = sentences(text).enumerate();
        let kept = kept.filter(|(number, _)| Some(number % PARTS) != without);
        all.extend(kept.map(|(_, (is_complex, sentence))| ComplexityExample {
            text: sentence.to_owned(),
            is_complex,
            weight: each,
        }));
    }
    all
}

/// Each with whether it takes several steps.
fn sentences(text: &str) -> impl Iterator<Item = (bool, &str)> {
    text.lines().filter_map(|line| {
        let complex = line.strip_prefix("+ ").map(|sentence| (true, sentence));
        complex.or_else(|| line.strip_prefix("- ").map(|sentence| (false, sentence)))
    })
}

fn public(data: &Path) -> Vec<Set> {
    let set = |name, language, is_complex, weight, questions| Set {
        name,
        language,
        is_complex,
        weight,
        questions,
    };
    vec![
        set("gsm8k", "en", true, 1.0, lines(&data.join("gsm8k/train-2000.jsonl"), "question")),
        set("bbh", "en", true, 1.0, bbh(&data.join("bbh"))),
        set("mmlu", "en", true, 1.0, mmlu(&data.join("mmlu/dev"))),
        set("humaneval", "en", true, 0.5, humaneval(&data.join("humaneval/HumanEval.jsonl.gz"))),
        set("banking77", "en", false, 1.0, csv_column(&data.join("banking77/train.csv"), 0)),
        set("clinc150", "en", false, 1.0, clinc(&data.join("clinc150/data_dev.json"))),
        set("cnil", "fr", false, 1.0, squad(&data.join("fr-public-faq/cnil/knowledge_base"))),
        set("xquad", "de", false, 1.0, squad(&data.join("xquad/xquad.de.json"))),
        set("xquad", "en", false, 0.5, squad(&data.join("xquad/xquad.en.json"))),
        set("squad-it", "it", false, 1.0, squad(&data.join("squad-it-test/split-dev.json"))),
        set("squad2", "en", false, 0.5, squad(&data.join("squad2-dev-half/split-dev.json"))),
        set(
            "seeds",
            "en",
            false,
            0.5,
            lines(&data.join("seed-tasks/seed_tasks.jsonl"), "instruction"),
        ),
    ]
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The values of one key of lines of JSON.
fn lines(path: &Path, key: &str) -> Vec<String> {
    values(&read(path), key)
}

fn values(text: &str, key: &str) -> Vec<String> {
    let value = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        value[key].as_str().unwrap().to_owned()
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(value).collect()
}

fn bbh(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for path in files(folder, "json") {
        let tasks: Value = serde_json::from_str(&read(&path)).unwrap();
        let inputs = tasks["examples"].as_array().unwrap().iter();
        all.extend(inputs.map(|one| one["input"].as_str().unwrap().to_owned()));
    }
    all
}

/// Files of a folder with this ending, in order of name.
fn files(folder: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let listed = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        listed.filter(|path| path.extension().is_some_and(|one| one == ending)).collect();
    found.sort();
    found
}

/// Questions with their choices.
fn mmlu(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for path in files(folder, "csv") {
        for row in rows(&read(&path)).into_iter().skip(1).filter(|row| row.len() >= 5) {
            all.push(row[..5].join("\n"));
        }
    }
    all
}

fn csv_column(path: &Path, column: usize) -> Vec<String> {
    rows(&read(path)).into_iter().skip(1).map(|row| row[column].clone()).collect()
}

/// The rows of a CSV file (RFC 4180).
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut all, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut chars) = (false, text.chars().peekable());
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                all.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            char => field.push(char),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        all.push(row);
    }
    all
}

fn humaneval(path: &Path) -> Vec<String> {
    let mut text = String::new();
    let output = std::process::Command::new("gzip").arg("-dc").arg(path).output().unwrap();
    output.stdout.as_slice().read_to_string(&mut text).unwrap();
    values(&text, "prompt")
}

fn clinc(path: &Path) -> Vec<String> {
    let sets: Value = serde_json::from_str(&read(path)).unwrap();
    let all = ["train", "val", "oos_train", "oos_val"].iter();
    let pairs = all.flat_map(|name| sets[*name].as_array().unwrap());
    pairs.map(|pair| pair[0].as_str().unwrap().to_owned()).collect()
}

/// The questions of a file in SQuAD's form, or of the one in a folder.
fn squad(path: &Path) -> Vec<String> {
    let path = if path.is_dir() { path.join("squad.json") } else { path.to_path_buf() };
    let set: Value = serde_json::from_str(&read(&path)).unwrap();
    let articles = set["data"].as_array().unwrap().iter();
    let paragraphs = articles.flat_map(|article| article["paragraphs"].as_array().unwrap());
    let questions = paragraphs.flat_map(|paragraph| paragraph["qas"].as_array().unwrap());
    questions.map(|one| one["question"].as_str().unwrap().to_owned()).collect()
}
