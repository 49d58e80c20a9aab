//! `allod replay`

use std::collections::BTreeMap;
use std::sync::Arc;

use allod_answer::{Bundle, Difference, ModelChoice, ReplayOptions, Replayed, Replayer};
use allod_ledger::{Ledger, Receipt};
use allod_store::Store;
use anyhow::Context;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::ledger::{existing, open};
use crate::Ending;
use crate::folder::{self, Place};
use crate::output::{self, Output};
use crate::replay_arguments::ReplayArguments;
use crate::scratch::Scratch;

/// So many differences are told one by one.
const TOLD_MAX: usize = 20;

/// Makes recorded answers again and says whether they are the same.
pub fn run(arguments: &ReplayArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    if let Some(file) = &arguments.bundle {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        let bundle = match Bundle::read(&text, arguments.vkey.as_deref()) {
            Ok(bundle) => bundle,
            Err(error) => return damaged(&error, output),
        };
        let work = Work::new(arguments, place, Arc::clone(bundle.store()))?;
        return one(work, bundle.index, &bundle.receipt, output);
    }
    let recorded = Recorded::open(place, arguments.since)?;
    let store = allod_answer::open_store(&place.data)?;
    let work = Work::new(arguments, place, store)?;
    match arguments.receipt {
        Some(index) => one(work, index, &recorded.ledger.read(index)?, output),
        None => many(work, &recorded, output),
    }
}

/// The receipts of a data folder, or those since some day.
pub(super) struct Recorded {
    ledger: Ledger,
    since: Option<Timestamp>,
}

impl Recorded {
    /// Opens the log, if it is the one that was left. The day begins where this machine stands.
    pub(super) fn open(place: &Place, since: Option<Date>) -> anyhow::Result<Recorded> {
        let log = existing(place)?;
        let ledger = open(&log, folder::remembered(&place.data)?.as_ref())?;
        let midnight = |day: Date| day.to_zoned(TimeZone::system());
        let since = since.map(midnight).transpose()?.map(|day| day.timestamp());
        Ok(Recorded { ledger, since })
    }

    /// Each with its index.
    pub(super) fn receipts(&self) -> impl Iterator<Item = anyhow::Result<(u64, Receipt)>> {
        let all = (0..self.ledger.checkpoint().size)
            .map(|index| anyhow::Ok((index, self.ledger.read(index)?)));
        let recent = |receipt: &Receipt| self.since.is_none_or(|since| receipt.time >= since);
        all.filter(move |one| {
            one.as_ref().is_ok_and(|(_, receipt)| recent(receipt)) || one.is_err()
        })
    }
}

/// What a replay works with; its folder goes with it.
struct Work {
    replayer: Replayer,
    _scratch: Scratch,
}

impl Work {
    fn new(
        arguments: &ReplayArguments,
        place: &Place,
        store: Arc<dyn Store>,
    ) -> anyhow::Result<Work> {
        let scratch = Scratch::new("replay")?;
        let living = arguments.bundle.is_none() && !arguments.rebuild;
        let adapters = arguments.adapters.clone();
        let options = ReplayOptions {
            data: living.then(|| place.data.clone()),
            scratch: scratch.path.clone(),
            model: ModelChoice {
                loader: Some(Arc::new(place.cells())),
                ..(&arguments.model).into()
            },
            models: place.data.join("models"),
            adapters: adapters.unwrap_or_else(|| place.data.join("adapters")),
        };
        Ok(Work { replayer: Replayer::new(store, options)?, _scratch: scratch })
    }
}

fn damaged(error: &allod_answer::Error, output: &Output) -> anyhow::Result<Ending> {
    let value = json!({"identical": false, "fault": error.to_string()});
    output.print(&value, |_| error.to_string())?;
    Ok(Ending::Failed)
}

fn one(mut work: Work, index: u64, receipt: &Receipt, output: &Output) -> anyhow::Result<Ending> {
    let replayed = work.replayer.replay(receipt)?;
    let mut value = value(index, receipt, &replayed);
    let unchecked = work.replayer.unchecked().map(str::to_owned);
    if let Some(unchecked) = &unchecked {
        value["unchecked"] = json!(unchecked);
    }
    output.print(&value, |_| match &unchecked {
        None => text(index, receipt, &replayed),
        Some(what) => format!("{}\nnot compared: {what}", text(index, receipt, &replayed)),
    })?;
    Ok(match replayed {
        Replayed::Identical => Ending::Done,
        Replayed::Differs(_) => Ending::Failed,
        Replayed::Impossible(_) => Ending::Impossible,
    })
}

fn value(index: u64, receipt: &Receipt, replayed: &Replayed) -> Value {
    let mut value = json!({
        "receipt": index,
        "identical": *replayed == Replayed::Identical,
        "software": {"recorded": receipt.software.version, "replayed": env!("CARGO_PKG_VERSION")},
    });
    match replayed {
        Replayed::Identical => {}
        Replayed::Differs(difference) => value["difference"] = json!(difference),
        Replayed::Impossible(reason) => value["impossible"] = json!(reason),
    }
    value
}

fn text(index: u64, receipt: &Receipt, replayed: &Replayed) -> String {
    let by = match receipt.software.version.as_str() {
        env!("CARGO_PKG_VERSION") => String::new(),
        version => format!(" (recorded by version {version})"),
    };
    match replayed {
        Replayed::Identical => format!("receipt {index}: identical{}", told(receipt)),
        Replayed::Differs(difference) => {
            format!("receipt {index}: differs in {difference}{by}")
        }
        Replayed::Impossible(reason) => {
            format!("receipt {index} cannot be replayed: {reason}{by}")
        }
    }
}

/// How much was compared.
fn told(receipt: &Receipt) -> String {
    let tokens = match receipt.tokens.completion {
        0 => String::new(),
        tokens => format!(", {tokens} tokens with the bits of their scores"),
    };
    format!(
        ": {} passages, {} citations{tokens}, the decision and the words",
        receipt.evidence.len(),
        receipt.citations.len(),
    )
}

/// What came of many.
#[derive(Default)]
struct Tally {
    replayed: usize,
    identical: usize,
    different: usize,
    /// The first of those that are.
    told: Vec<(u64, Difference)>,
    impossible: BTreeMap<String, usize>,
    /// What was not compared, as the receipts do not name it.
    unchecked: BTreeMap<String, usize>,
}

impl Tally {
    fn count(&mut self, index: u64, replayed: Replayed) {
        self.replayed += 1;
        match replayed {
            Replayed::Identical => self.identical += 1,
            Replayed::Differs(difference) => {
                self.different += 1;
                if self.told.len() < TOLD_MAX {
                    self.told.push((index, difference));
                }
            }
            Replayed::Impossible(reason) => {
                *self.impossible.entry(reason).or_default() += 1;
            }
        }
    }

    fn value(&self) -> Value {
        let told = |(index, difference): &(u64, Difference)| {
            let receipt = index;
            json!({"receipt": receipt, "difference": difference})
        };
        let differences: Value = self.told.iter().map(told).collect();
        json!({
            "replayed": self.replayed,
            "identical": self.identical,
            "different": self.different,
            "differences": differences,
            "impossible": self.impossible,
            "unchecked": self.unchecked,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} receipts: {} identical, {} different, {} cannot be replayed\n",
            self.replayed,
            self.identical,
            self.different,
            self.impossible.values().sum::<usize>(),
        );
        for (index, difference) in &self.told {
            text += &format!("  receipt {index} differs in {difference}\n");
        }
        for (reason, count) in &self.impossible {
            text += &format!("  {count} × {reason}\n");
        }
        for (what, count) in &self.unchecked {
            text += &format!("  {count} × not compared: {what}\n");
        }
        text
    }

    fn ending(&self) -> Ending {
        match (self.different, self.identical) {
            (0, 0) if self.replayed > 0 => Ending::Impossible,
            (0, _) => Ending::Done,
            _ => Ending::Failed,
        }
    }
}

fn many(mut work: Work, recorded: &Recorded, output: &Output) -> anyhow::Result<Ending> {
    let mut tally = Tally::default();
    for receipt in recorded.receipts() {
        let (index, receipt) = receipt?;
        let replayed = work.replayer.replay(&receipt)?;
        tally.count(index, replayed);
        if let Some(what) = work.replayer.unchecked() {
            *tally.unchecked.entry(what.to_owned()).or_default() += 1;
        }
        if tally.replayed.is_multiple_of(1000) {
            output::say(&format!("{} replayed", tally.replayed));
        }
    }
    output.print(&tally.value(), |_| tally.text())?;
    Ok(tally.ending())
}
