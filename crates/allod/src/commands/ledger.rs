//! `allod ledger`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use allod_answer::{LEDGER_ORIGIN, Witnessed};
use allod_ledger::{
    Checkpoint, Expected, Ledger, Receipt, Verified, VerifierKey, Wrong, verify_with,
};
use allod_store::{DATABASE_FILE, Store};
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::LedgerCommand;
use crate::folder::{self, Place};
use crate::output::Output;

/// Shows, verifies and proves receipts.
pub fn run(command: &LedgerCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let log = existing(place)?;
    match command {
        LedgerCommand::Show { index, payload, last } => {
            let log = Log::open(&place.data, &log, *payload)?;
            match index {
                Some(index) => log.show(*index, output)?,
                None => log.list(*last, output)?,
            }
            Ok(Ending::Done)
        }
        LedgerCommand::Verify { checkpoint, model } => {
            verify((place, &log), checkpoint.as_deref(), model.as_deref(), output)
        }
        LedgerCommand::Erase { subject, tenant, again } => match again {
            Some(file) => super::forget::erase_again(place, file, output),
            None => super::forget::erase(place, tenant, subject.as_deref().unwrap_or(""), output),
        },
        LedgerCommand::Erasures { export } => {
            let ledger = open(&log, folder::remembered(&place.data)?.as_ref())?;
            super::forget::export(&ledger, export, output)
        }
        LedgerCommand::Expire => super::forget::expire(place, output),
        LedgerCommand::Witness => witness(place, &log, output),
        LedgerCommand::Prove { index } => {
            let ledger = open(&log, folder::remembered(&place.data)?.as_ref())?;
            let proof = prove(place, &ledger, *index)?;
            let value = json!({"index": index, "vkey": ledger.vkey(), "proof": proof});
            if output.json {
                output.line(&value.to_string())?
            } else {
                output.raw(&proof)?
            }
            Ok(Ending::Done)
        }
    }
}

/// The folder of the log, if there is one.
pub(super) fn existing(place: &Place) -> anyhow::Result<PathBuf> {
    let log = place.data.join("ledger");
    if log.is_dir() {
        return Ok(log);
    }
    let seen = folder::remembered(&place.data)?.map_or(0, |head| head.size);
    anyhow::ensure!(
        seen == 0 && !key_file(&place.data).exists(),
        "{} is missing, though its key or the store says that there was a log (the store remembers \
         {seen} receipts of it): it was deleted or moved away; put it back, or its newest backup",
        log.display()
    );
    anyhow::bail!("{} has no ledger yet; it begins with the first question", place.data.display());
}

/// Checks the log against itself, its key, and the head that the store remembers. Only a copy of
/// the log alone, such as an auditor has, is without those two.
fn verify(
    (place, log): (&Place, &Path),
    checkpoint: Option<&Path>,
    model: Option<&Path>,
    output: &Output,
) -> anyhow::Result<Ending> {
    let data = &place.data;
    let key_file = key_file(data);
    let is_home = key_file.parent().is_some_and(Path::exists) || data.join(DATABASE_FILE).exists();
    let head = folder::remembered(data)?;
    let seen = head.as_ref().map(|head| head.size);
    let expected = Expected { head, key_file: is_home.then_some(key_file) };
    let missing = is_home && !data.join(DATABASE_FILE).exists();
    let result = match missing {
        true => Err(format!("{DATABASE_FILE} is missing, which says how long the log was")),
        false => verify_settled(log, &expected),
    };
    let result = match (result, checkpoint) {
        (Ok(_), Some(file)) => continues(log, file),
        (result, _) => result,
    };
    let held = match (&result, model) {
        (Ok(_), Some(given)) => {
            Some(super::model_held::hold(place, &open(log, expected.head.as_ref())?, given))
        }
        _ => None,
    };
    let (value, ending) = match result {
        Ok(verified) => {
            let mut value = verified_value(&verified, seen);
            match held {
                None => (value, Ending::Done),
                Some(Ok(model)) => {
                    value["model"] = model;
                    (value, Ending::Done)
                }
                Some(Err(fault)) => {
                    value["model"] = json!({ "fault": fault });
                    (value, Ending::Failed)
                }
            }
        }
        Err(fault) => (json!({"verified": false, "fault": fault}), Ending::Failed),
    };
    output.print(&value, verified_text)?;
    Ok(ending)
}

/// Verifies that the log continues a checkpoint that someone kept.
fn continues(log: &Path, file: &Path) -> Result<Verified, String> {
    let of = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| of(path, &error));
    let vkey_file = log.join("vkey");
    let vkey = read(&vkey_file)?;
    let key: VerifierKey = vkey.trim_end().parse().map_err(|error| of(&vkey_file, &error))?;
    let kept = Checkpoint::open(&read(file)?, &key).map_err(|error| {
        let why = "either it is another file, or the log is another one, with another key";
        format!(
            "{} bears no checkpoint that this log's key signed ({error}): {why}",
            file.display()
        )
    })?;
    verify_with(log, &Expected { head: Some(kept), key_file: None }).map_err(|f| f.to_string())
}

/// Lets the policy's witnesses cosign the log's head.
fn witness(place: &Place, log: &Path, output: &Output) -> anyhow::Result<Ending> {
    let policy = allod_answer::read_policy(&place.data, place.policy.as_deref())?;
    anyhow::ensure!(!policy.witnesses.is_empty(), "the policy names no `witnesses`");
    let ledger = open(log, folder::remembered(&place.data)?.as_ref())?;
    let witnessed = Witnessed::open(&place.data, &ledger)?;
    let (mut values, mut ending) = (Vec::new(), Ending::Done);
    for witness in &policy.witnesses {
        values.push(match witnessed.ask(&ledger, witness) {
            Ok(cosigned) => json!({
                "url": witness.url, "witness": cosigned.witness, "time": cosigned.time,
                "size": ledger.checkpoint().size,
            }),
            Err(error) => {
                ending = Ending::Failed;
                json!({"url": witness.url, "error": error.to_string()})
            }
        });
    }
    let value = json!({ "witnesses": values });
    output.print(&value, |value| {
        let line = |one: &Value| match one["error"].as_str() {
            Some(error) => error.to_owned(),
            None => format!("{} cosigned {} entries", one["witness"], one["size"]),
        };
        value["witnesses"].as_array().into_iter().flatten().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(ending)
}

/// A proof under the newest checkpoint that witnesses have cosigned, if that holds the entry.
pub(super) fn prove(place: &Place, ledger: &Ledger, index: u64) -> anyhow::Result<String> {
    let policy = allod_answer::read_policy(&place.data, place.policy.as_deref())?;
    if !policy.witnesses.is_empty() {
        let witnessed = Witnessed::open(&place.data, ledger)?;
        if let Some(note) = witnessed.newest(&policy.witnesses)?
            && let Ok(proof) = ledger.prove_under(index, &note)
        {
            return Ok(proof);
        }
    }
    Ok(ledger.prove(index)?)
}

/// Verifies. What a crash left half written was never acknowledged and is no part of the log. It is
/// the last thing that is looked for, so all else is in order, and opening the log takes it away.
fn verify_settled(folder: &Path, expected: &Expected) -> Result<Verified, String> {
    match verify_with(folder, expected) {
        Err(fault) if fault.what == Wrong::LeftOver && expected.key_file.is_some() => {
            open(folder, expected.head.as_ref()).map_err(|error| error.to_string())?;
            verify_with(folder, expected).map_err(|fault| fault.to_string())
        }
        result => result.map_err(|fault| fault.to_string()),
    }
}

/// Opens the log, if it continues the head that was seen before.
pub(super) fn open(
    folder: &Path,
    seen: Option<&Checkpoint>,
) -> Result<Ledger, allod_ledger::Error> {
    match seen {
        Some(seen) => Ledger::open_seen(folder, LEDGER_ORIGIN, seen),
        None => Ledger::open(folder, LEDGER_ORIGIN),
    }
}

fn verified_value(verified: &Verified, seen: Option<u64>) -> Value {
    json!({
        "verified": true,
        "size": verified.size,
        "root": verified.root.to_string(),
        "dated_back": verified.dated_back,
        "origin": verified.origin,
        "remembered": seen,
    })
}

/// Said where nothing outside the log speaks for its length.
const UNSEEN: &str = "; no earlier head is remembered here, so whether it was cut cannot be seen";

/// What came of `--model`.
fn model_text(model: &Value) -> String {
    match (model["receipts"].as_u64(), model["fault"].as_str()) {
        (Some(count), _) => format!("\nthe model's files are those that {count} receipts name"),
        (None, Some(fault)) => format!("\nthe model is another one: {fault}"),
        (None, None) => String::new(),
    }
}

/// What to say of a receipt whose time does not fit its place.
fn dated_back_text(index: &Value) -> String {
    index.as_u64().map_or_else(String::new, |index| {
        format!(
            "\nreceipt {index} bears a time more than a minute before that of an earlier one: the \
             clock was set back, or it was dated back; the order is that of the log"
        )
    })
}

fn verified_text(value: &Value) -> String {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    match value["verified"] == true {
        true => {
            format!(
                "{} entries verify; root {}, signed by {}{}",
                value["size"],
                text("root"),
                text("origin"),
                if value["remembered"].is_null() { UNSEEN } else { "" },
            ) + &dated_back_text(&value["dated_back"])
                + &model_text(&value["model"])
        }
        false => format!("the log does not verify: {}", text("fault")),
    }
}

fn key_file(data: &Path) -> PathBuf {
    data.join("keys").join("ledger.key")
}

struct Log {
    ledger: Ledger,
    store: Option<Arc<dyn Store>>,
}

impl Log {
    fn open(data: &Path, log: &Path, payloads: bool) -> anyhow::Result<Log> {
        let ledger = open(log, folder::remembered(data)?.as_ref())?;
        let store = if payloads { Some(allod_answer::open_store(data)?) } else { None };
        Ok(Log { ledger, store })
    }

    fn show(&self, index: u64, output: &Output) -> anyhow::Result<()> {
        let receipt = self.ledger.read(index)?;
        let mut value = json!({"index": index, "receipt": receipt});
        if let Some(store) = &self.store {
            value["payload"] = payload(store.as_ref(), &receipt)?;
        }
        output.print(&value, |value| {
            serde_json::to_string_pretty(value).expect("a JSON value can be written")
        })
    }

    fn list(&self, last: u64, output: &Output) -> anyhow::Result<()> {
        let size = self.ledger.checkpoint().size;
        let mut rows = Vec::new();
        for index in size.saturating_sub(last)..size {
            rows.push((index, self.ledger.read(index)?));
        }
        let values: Vec<Value> =
            rows.iter().map(|(index, r)| json!({"index": index, "receipt": r})).collect();
        output.print(&values, |_| match rows.is_empty() {
            true => "the log is empty".into(),
            false => rows.iter().map(|(index, receipt)| line(*index, receipt)).collect(),
        })
    }
}

/// What was asked and answered, as far as it is kept.
fn payload(store: &dyn Store, receipt: &Receipt) -> anyhow::Result<Value> {
    let read = |commitment: &str| -> anyhow::Result<Value> {
        let row = store.payload(commitment)?;
        Ok(row.map_or(Value::Null, |row| json!({"salt": row.salt_hex, "content": row.content})))
    };
    Ok(json!({
        "prompt": read(&receipt.prompt_commitment)?,
        "answer": receipt.answer_commitment.as_deref().map(read).transpose()?,
        "output": receipt.output_commitment.as_deref().map(read).transpose()?,
    }))
}

fn line(index: u64, receipt: &Receipt) -> String {
    let outcome = serde_json::to_value(receipt.outcome).unwrap_or_default();
    let mode = serde_json::to_value(receipt.mode).unwrap_or_default();
    format!(
        "{index:>6}  {}  {:<12}  {:<8}  {:.2}  {} citations  {}\n",
        receipt.time,
        outcome.as_str().unwrap_or_default(),
        mode.as_str().unwrap_or_default(),
        receipt.confidence,
        receipt.citations.len(),
        receipt.request.tenant,
    )
}
