//! `allod policy replay`

use std::collections::BTreeMap;

use allod_answer::{Brief, Deriver, Rederived};
use serde_json::{Value, json};

use super::super::replay::Recorded;
use crate::Ending;
use crate::folder::Place;
use crate::output::Output;

/// So many decisions that differ are told one by one; all are counted.
const TOLD_MAX: usize = 50;

/// What came of all decisions.
#[derive(Default)]
struct Tally {
    decisions: usize,
    same: usize,
    without: usize,
    different: usize,
    told: Vec<(u64, Brief, Brief)>,
    impossible: BTreeMap<String, Vec<u64>>,
}

/// Makes every recorded decision again.
pub fn run(
    since: Option<jiff::civil::Date>,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    let recorded = Recorded::open(place, since)?;
    let mut deriver = Deriver::new(allod_answer::open_store(&place.data)?);
    let mut tally = Tally::default();
    for receipt in recorded.receipts() {
        let (index, receipt) = receipt?;
        tally.count(index, deriver.rederive(&receipt)?);
    }
    output.print(&tally.value(), |_| tally.text())?;
    let whole = tally.different == 0 && tally.impossible.is_empty();
    Ok(if whole { Ending::Done } else { Ending::Failed })
}

impl Tally {
    fn count(&mut self, index: u64, rederived: Rederived) {
        self.decisions += usize::from(rederived != Rederived::Nothing);
        match rederived {
            Rederived::Same => self.same += 1,
            Rederived::Nothing => self.without += 1,
            Rederived::Differs { recorded, derived } => {
                self.different += 1;
                if self.told.len() < TOLD_MAX {
                    self.told.push((index, recorded, derived));
                }
            }
            Rederived::Impossible(reason) => {
                self.impossible.entry(reason).or_default().push(index);
            }
        }
    }

    fn value(&self) -> Value {
        let told = |(index, recorded, derived): &(u64, Brief, Brief)| {
            let receipt = index;
            json!({"receipt": receipt, "recorded": recorded, "derived": derived})
        };
        json!({
            "decisions": self.decisions,
            "same": self.same,
            "different": self.different,
            "differences": self.told.iter().map(told).collect::<Value>(),
            "impossible": self.impossible,
            "without_decision": self.without,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} of {} decisions are made again from their facts\n",
            self.same, self.decisions
        );
        for (index, recorded, derived) in &self.told {
            text += &format!("  receipt {index}: {} → {}\n", shown(recorded), shown(derived));
        }
        for (reason, receipts) in &self.impossible {
            text +=
                &format!("  {} receipts, the first {}: {reason}\n", receipts.len(), receipts[0]);
        }
        text
    }
}

fn shown(brief: &Brief) -> String {
    match brief.rules.is_empty() {
        true => brief.outcome.to_owned(),
        false => format!("{} ({})", brief.outcome, brief.rules.join(", ")),
    }
}
