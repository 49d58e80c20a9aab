//! `allod privacy`

use std::io::Read;
use std::path::Path;

use allod_privacy::{Action, Finding, Shield, scan};
use anyhow::Context;
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::{PrivacyCommand, PrivacyScanArguments};
use crate::output::Output;

/// Longest text that is taken.
const TEXT_BYTES_MAX: u64 = 256 << 20;

/// Finds personal data.
pub fn run(command: &PrivacyCommand, output: &Output) -> anyhow::Result<Ending> {
    match command {
        PrivacyCommand::Scan(arguments) => show(arguments, output),
    }
}

fn show(arguments: &PrivacyScanArguments, output: &Output) -> anyhow::Result<Ending> {
    let text = read(&arguments.file)?;
    if arguments.redact {
        let hidden = Shield::new(Action::Redact, &[])?.cover("").hide(&text)?;
        let value = json!({ "text": hidden });
        output.print(&value, |_| hidden.clone())?;
        return Ok(Ending::Done);
    }
    let found = scan(&text);
    let lines = LineStarts::of(&text);
    let values: Vec<Value> = found.iter().map(|one| value(&text, &lines, one)).collect();
    output.print(&json!({ "findings": values }), |_| table(&text, &lines, &found))?;
    Ok(Ending::Done)
}

fn value(text: &str, lines: &LineStarts, one: &Finding) -> Value {
    let (line, column) = lines.place(text, one.range.start);
    json!({
        "start": one.range.start,
        "end": one.range.end,
        "line": line,
        "column": column,
        "kind": one.kind,
        "score": (f64::from(one.score) * 1000.0).round() / 1000.0,
        "how": one.how,
        "checked": one.kind.is_checked(),
        "text": text[one.range.clone()],
    })
}

fn table(text: &str, lines: &LineStarts, found: &[Finding]) -> String {
    if found.is_empty() {
        return "no personal data was found".into();
    }
    let row = |one: &Finding| {
        let (line, column) = lines.place(text, one.range.start);
        let how = serde_json::to_value(one.how).unwrap_or_default();
        let shown = text[one.range.clone()].split_whitespace().collect::<Vec<_>>().join(" ");
        let (kind, how) = (one.kind.word(), how.as_str().unwrap_or_default().to_owned());
        format!(
            "{:>9}  {kind:<16}  {how:<8}  {:.2}  {shown}\n",
            format!("{line}:{column}"),
            one.score
        )
    };
    found.iter().map(row).collect()
}

/// Where lines begin.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn of(text: &str) -> LineStarts {
        LineStarts(
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect(),
        )
    }

    /// Line and column of a byte, from 1; columns are letters.
    fn place(&self, text: &str, byte: usize) -> (usize, usize) {
        let line = self.0.partition_point(|start| *start <= byte);
        (line, text[self.0[line - 1]..byte].chars().count() + 1)
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    let is_pipe = file == Path::new("-");
    let source: Box<dyn Read> = match is_pipe {
        true => Box::new(std::io::stdin()),
        false => Box::new(
            std::fs::File::open(file)
                .with_context(|| format!("{} cannot be read", file.display()))?,
        ),
    };
    let mut bytes = Vec::new();
    let read = source.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("{} cannot be read", file.display()))?;
    anyhow::ensure!(bytes.len() as u64 <= TEXT_BYTES_MAX, "{} is over 256 MiB", file.display());
    String::from_utf8(bytes).with_context(|| {
        format!(
            "{} is no text in UTF-8; documents of other forms are read by \
             `allod ingest`",
            file.display()
        )
    })
}
