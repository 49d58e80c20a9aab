//! `allod ledger erase`, `allod ledger erasures`, `allod ledger expire`

use std::path::Path;

use allod_answer::{Erased, ErasedAgain, Erasure};
use allod_ledger::Ledger;
use anyhow::{Context, bail};
use serde_json::json;

use crate::Ending;
use crate::folder::Place;
use crate::output::Output;

/// Destroys the words of a subject.
pub fn erase(
    place: &Place,
    tenant: &str,
    subject: &str,
    output: &Output,
) -> anyhow::Result<Ending> {
    let desk = place.desk_without_model()?;
    let mut erased = Vec::new();
    for subject in desk.subjects_named(tenant, subject)? {
        erased.extend(desk.erase(tenant, &subject)?);
    }
    desk.rest()?;
    if erased.is_empty() {
        bail!(
            "nothing is kept of `{subject}` of the tenant `{tenant}`; `allod ledger show` lists \
             receipts with their subjects, and --tenant names another tenant"
        );
    }
    output.print(&erased, |erased| lines(erased))?;
    Ok(Ending::Done)
}

fn lines(erased: &[Erased]) -> String {
    let line = |one: &Erased| {
        format!(
            "{}: {} prompts and answers and {} reviews are gone; receipt {}\n",
            one.subject, one.payloads, one.reviews, one.receipt.index
        )
    };
    erased.iter().map(line).collect()
}

/// Writes all erasures of the log into a file, whole or not at all.
pub fn export(ledger: &Ledger, file: &Path, output: &Output) -> anyhow::Result<Ending> {
    let text = Erasure::write_all(ledger)?;
    let draft = file.with_extension("new");
    let written = std::fs::write(&draft, &text).and_then(|()| std::fs::rename(&draft, file));
    written.with_context(|| format!("{} cannot be written", file.display()))?;
    let value = json!({"erasures": text.lines().count() - 1, "file": file});
    output.print(&value, |value| {
        format!(
            "{} erasures are in {}; keep it apart from backups",
            value["erasures"],
            file.display()
        )
    })?;
    Ok(Ending::Done)
}

/// Erases again whom a file names.
pub fn erase_again(place: &Place, file: &Path, output: &Output) -> anyhow::Result<Ending> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    let desk = place.desk_without_model()?;
    let erasures = Erasure::read_all(&text, &desk.ledger().vkey())?;
    let mut again = desk.erase_again(&erasures)?;
    again.erased = [desk.mended(), &again.erased].concat();
    desk.rest()?;
    output.print(&again, |ErasedAgain { known, erased }| {
        let count = erased.len();
        format!("{}{known} erasures were read, {count} made again\n", lines(erased))
    })?;
    Ok(Ending::Done)
}

/// Deletes what has been kept long enough.
pub fn expire(place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let desk = place.desk_without_model()?;
    let expired = desk.expire()?;
    desk.rest()?;
    let retention = &desk.policy().retention;
    let says = retention.payloads_days.is_some() || retention.reviews_days.is_some();
    output.print(&expired, |expired| match says {
        true => format!(
            "{} prompts and answers and {} reviews were deleted",
            expired.payloads, expired.reviews
        ),
        false => "the policy names no `retention`, so everything is kept".into(),
    })?;
    Ok(Ending::Done)
}
