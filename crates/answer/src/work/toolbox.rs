//! The toolbox: the one way to a tool. Each call is put to the policy before it is made, with the
//! arguments that rest on untrusted text, and is noted whatever becomes of it.

use std::collections::BTreeMap;

use allod_ledger::receipt::CallOutcome;
use allod_policy::{CallFacts, ToolName, tool_permitted};
use allod_retrieval::{EvidenceSet, Query};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::arguments::{Arguments, Calculate, Cell, Dates, Form, HandOver, Read, Search};
use super::origin::{Origin, Told};
use super::template::Template;
use super::{Work, calculation, days, lookup};
use crate::ask::Caller;
use crate::desk::Desk;
use crate::error::Error;

/// Most passages that a search gives.
const PASSAGES_MAX: i64 = 20;

/// Arguments by name, each with where it comes from.
pub(crate) type Given = BTreeMap<String, Told>;

/// What a tool gave: its result and the places that it looked at; or why it gave none.
pub(crate) type Ran = Result<(Value, Vec<Origin>), String>;

/// A call that was made, or refused.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) tool: ToolName,
    pub(crate) outcome: CallOutcome,
    pub(crate) untrusted: Vec<String>,
    pub(crate) arguments: Value,
    /// The result, or the reason why there is none.
    pub(crate) result: Value,
}

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Called {
    Done(Told),
    Refused,
    Failed,
}

/// The tools as one piece of work may use them.
pub(crate) struct Toolbox<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) caller: &'a Caller,
    pub(crate) on: Date,
    work: &'a Work,
    /// All calls so far.
    pub(crate) made: Vec<Made>,
    /// What a template says beside its fields: texts, and the places that they come from.
    pub(crate) inserts: Vec<(&'static str, String, Vec<Origin>)>,
    /// Whether the work was handed over.
    pub(crate) handed_over: bool,
}

impl<'a> Toolbox<'a> {
    pub(crate) fn new(desk: &'a Desk, work: &'a Work, on: Date) -> Toolbox<'a> {
        Toolbox {
            desk,
            caller: &work.caller,
            on,
            work,
            made: Vec::new(),
            inserts: vec![("date", on.to_string(), Vec::new())],
            handed_over: false,
        }
    }

    /// Calls a tool, if the policy grants it.
    ///
    /// # Errors
    /// When a part of the house failed; what the tool cannot do is no error but noted.
    pub(crate) fn call(&mut self, tool: ToolName, given: Given) -> Result<Called, Error> {
        self.call_by(tool, given, |toolbox, arguments| toolbox.run(tool, arguments))
    }

    /// The same, where the work itself does what the tool does.
    pub(crate) fn call_by(
        &mut self,
        tool: ToolName,
        given: Given,
        run: impl FnOnce(&mut Toolbox<'a>, &Map<String, Value>) -> Result<Ran, Error>,
    ) -> Result<Called, Error> {
        let step = u32::try_from(self.made.len() + 1).unwrap_or(u32::MAX);
        let untrusted: Vec<String> =
            given.iter().filter(|(_, told)| told.is_untrusted()).map(|(n, _)| n.clone()).collect();
        let facts = CallFacts {
            tool,
            tenant: self.caller.tenant.clone(),
            work: self.work.name,
            step,
            untrusted: untrusted.clone(),
        };
        let arguments: Map<String, Value> =
            given.iter().map(|(name, told)| (name.clone(), told.value().clone())).collect();
        let (outcome, result, called) = match tool_permitted(&self.desk.policy, &facts) {
            Err(why) => (CallOutcome::Refused, why.to_string().into(), Called::Refused),
            Ok(()) => match run(self, &arguments)? {
                Err(why) => (CallOutcome::Failed, why.into(), Called::Failed),
                Ok((value, seen)) => {
                    let told = Told::result(step, value.clone(), given.values(), seen);
                    (CallOutcome::Done, value, Called::Done(told))
                }
            },
        };
        self.made.push(Made { tool, outcome, untrusted, arguments: arguments.into(), result });
        Ok(called)
    }

    fn run(&mut self, tool: ToolName, given: &Map<String, Value>) -> Result<Ran, Error> {
        Ok(match tool {
            ToolName::Search => return with(Search::read(given), |search| self.search(search)),
            ToolName::Read => return with(Read::read(given), |read| self.read(read)),
            ToolName::Cell => return with(Cell::read(given), |cell| self.cell(cell)),
            ToolName::Calculate => Calculate::read(given).and_then(|wanted| calculated(&wanted)),
            ToolName::Dates => {
                Dates::read(given).and_then(|dates| Ok((days::compute(&dates)?, Vec::new())))
            }
            ToolName::Form => Form::read(given).and_then(|form| self.form(&form)),
            ToolName::HandOver => HandOver::read(given).map(|over| self.hand_over(&over)),
        })
    }

    fn search(&self, search: &Search) -> Result<Ran, Error> {
        let limit = search.limit.unwrap_or(8).clamp(1, PASSAGES_MAX);
        let found = self.desk.library.search(&Query {
            text: search.query.trim(),
            language: self.work.language,
            clearance: &self.caller.clearance,
            on: self.on,
            limit: usize::try_from(limit).expect("the limit was clamped above 0"),
            filter: None,
        })?;
        Ok(Ok(passages(&found.cleared())))
    }

    fn read(&self, read: &Read) -> Result<Ran, Error> {
        let opened = lookup::open(self, read.document.trim())?;
        Ok(opened.and_then(|opened| {
            let (value, origin) = lookup::place(&opened, read.start, read.end)?;
            Ok((value, vec![origin]))
        }))
    }

    fn cell(&self, cell: &Cell) -> Result<Ran, Error> {
        let opened = lookup::open(self, cell.document.trim())?;
        Ok(opened.and_then(|opened| {
            let (value, origin) = lookup::cell(&opened, &cell.row, &cell.column)?;
            Ok((value, vec![origin]))
        }))
    }

    /// A template that holds quoted sentences rests on the documents that they are from.
    fn form(&self, form: &Form) -> Ran {
        let template = Template::open(&self.desk.data, &form.template)?;
        let holds = |name: &str| template.text.contains(&format!("{{{name}}}"));
        let used: Vec<_> = self.inserts.iter().filter(|(name, ..)| holds(name)).collect();
        let texts: Vec<(&str, &str)> =
            used.iter().map(|(name, text, _)| (*name, &**text)).collect();
        let filled = template.fill(&form.fields, &texts);
        let seen = used.iter().flat_map(|(_, _, seen)| seen.clone()).collect();
        let mut value = serde_json::to_value(&filled).map_err(|error| error.to_string())?;
        value["title"] = template.title.into();
        Ok((value, seen))
    }

    fn hand_over(&mut self, over: &HandOver) -> (Value, Vec<Origin>) {
        self.handed_over = true;
        (json!({"handed_over": true, "office": over.office, "note": over.note}), Vec::new())
    }
}

/// Runs with arguments that could be read; else says what is wrong with them.
fn with<T>(
    read: Result<T, String>,
    run: impl FnOnce(&T) -> Result<Ran, Error>,
) -> Result<Ran, Error> {
    match read {
        Ok(arguments) => run(&arguments),
        Err(why) => Ok(Err(why)),
    }
}

fn calculated(wanted: &Calculate) -> Ran {
    let decimals = wanted.decimals.map(|places| u32::try_from(places).unwrap_or(u32::MAX));
    let result = calculation::calculate(&wanted.expression, decimals)?;
    Ok((json!({"value": result.value, "exact": result.exact}), Vec::new()))
}

/// Passages as a call gives them.
pub(crate) fn passages(found: &EvidenceSet) -> (Value, Vec<Origin>) {
    let shown = found.evidence.iter().map(|item| {
        json!({"path": item.path, "title": item.title, "place": item.place,
               "digest": item.digest, "start": item.range.start, "end": item.range.end,
               "text": item.text})
    });
    (shown.collect(), found.evidence.iter().map(Origin::of).collect())
}
