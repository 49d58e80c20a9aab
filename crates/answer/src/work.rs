//! Work done with tools: small, bounded, granted by the policy, and recorded call by call.
//!
//! What is done, and with which tools, follows from what the asker says and from the policy. The
//! documents have no say in it: a piece of work is a fixed row of steps, or one that a model plans
//! before it has seen any document, and what rests on a document is refused as an argument unless
//! the policy grants that very argument ([`Told`]).

mod answer;
mod arguments;
mod calculation;
mod classify;
mod days;
mod form;
mod letter;
mod lookup;
mod origin;
mod plan;
mod probe;
pub(crate) mod record;
mod summary;
mod template;
mod toolbox;

use std::collections::BTreeMap;

use allod_corpus::Language;
use allod_ledger::receipt::CallOutcome;
use allod_policy::{
    CallFacts, OfficeFacts, Outcome, ToolName, WorkFacts, WorkName, decide, tool_permitted,
};
use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

pub use arguments::described;
pub use origin::{Origin, Told};
pub use template::{Field, FieldKind, Filled, Template};

use crate::ask::{Ask, Caller};
use crate::case::Case;
use crate::desk::Desk;
use crate::error::Error;
use crate::reply::Reply;
use toolbox::{Made, Toolbox};

/// A piece of work that is asked for.
#[derive(Clone, Debug)]
pub struct Work {
    /// Which.
    pub name: WorkName,
    /// What is asked, in the asker's words.
    pub request: String,
    /// The document that it is about, by path or digest.
    pub document: Option<String>,
    /// The template of a letter or form.
    pub template: Option<String>,
    /// Fields of the template that the asker fills in.
    pub fields: BTreeMap<String, String>,
    /// Who asks.
    pub caller: Caller,
    /// The date whose law counts; today when absent.
    pub on: Option<Date>,
    /// The language; detected when absent.
    pub language: Option<Language>,
}

/// A call of a tool, as it is told to the one who asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Call {
    /// The tool.
    pub tool: ToolName,
    /// What became of it.
    pub outcome: CallOutcome,
    /// The arguments that rested on untrusted text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untrusted: Vec<String>,
    /// The arguments.
    pub arguments: Value,
    /// The result, or why there is none; not told where a person must see the outcome first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// What comes back of a piece of work.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkReply {
    /// Which work it was.
    pub work: WorkName,
    /// The reply, as to a question.
    #[serde(flatten)]
    pub reply: Reply,
    /// The office that the request goes to, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<OfficeFacts>,
    /// Fields of the template that are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Fields that were given and will not do, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wrong: Vec<String>,
    /// The calls of tools, in order.
    pub calls: Vec<Call>,
}

/// What was done so far.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) made: Vec<Made>,
    pub(crate) filled: Filled,
}

/// What can be done for a caller.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkOffered {
    /// The work.
    pub name: WorkName,
    /// The tools that it may call.
    pub tools: Vec<ToolName>,
    /// Whether it always ends with a person.
    pub ends_with_a_person: bool,
}

impl Desk {
    /// Does a piece of work; whatever comes of it, the receipt is durable when this returns.
    ///
    /// # Errors
    /// When something that is needed was not said, no receipt could be written, or a part failed.
    pub fn work(&self, work: &Work) -> Result<WorkReply, Error> {
        check(work)?;
        let ask = Ask {
            question: question(work),
            caller: work.caller.clone(),
            on: work.on,
            language: work.language,
        };
        let mut case = Case::open(self.means(), &ask)?;
        case.begin(work.name);
        let mut toolbox = Toolbox::new(self, work, case.on);
        let mut done = Done::default();
        if case.decision.outcome != Outcome::Refused {
            match work.name {
                WorkName::Answer => answer::run(&mut case, &mut toolbox, work)?,
                WorkName::Classify => classify::run(&mut case, &mut toolbox, work)?,
                WorkName::Summarise => summary::run(&mut case, &mut toolbox, work)?,
                WorkName::Letter => done.filled = letter::run(&mut case, &mut toolbox, work)?,
                WorkName::Form => done.filled = form::run(&mut case, &mut toolbox, work)?,
            }
        }
        case.finish(&toolbox);
        done.made = toolbox.made;
        close(self, case, done, work)
    }

    /// What can be done for a tenant, and with which tools.
    #[must_use]
    pub fn work_offered(&self, tenant: &str) -> Vec<WorkOffered> {
        let offered = |name: WorkName| {
            let granted = |tool: &ToolName| {
                let (tenant, untrusted) = (tenant.to_owned(), Vec::new());
                let call = CallFacts { tool: *tool, tenant, work: name, step: 1, untrusted };
                tool_permitted(&self.policy, &call).is_ok()
            };
            let tools = ToolName::ALL.into_iter().filter(granted).collect();
            WorkOffered { name, tools, ends_with_a_person: name.affects_person() }
        };
        WorkName::ALL.into_iter().map(offered).collect()
    }

    /// The names of the templates of letters and forms.
    #[must_use]
    pub fn templates(&self) -> Vec<String> {
        template::names(&self.data)
    }
}

/// Whether all that the work needs was said.
fn check(work: &Work) -> Result<(), Error> {
    let missing = match work.name {
        WorkName::Answer | WorkName::Classify if work.request.trim().is_empty() => "a request",
        WorkName::Letter if work.request.trim().is_empty() => "a request",
        WorkName::Letter | WorkName::Form if work.template.is_none() => "a template",
        WorkName::Summarise if work.document.is_none() => "a document",
        _ => return Ok(()),
    };
    Err(Error::Limit(format!("the work `{}` needs {missing}", work.name.word())))
}

/// What stands for a question where only a document or template is named.
fn question(work: &Work) -> String {
    let named = [&work.document, &work.template].into_iter().flatten().next();
    match (work.request.trim(), named) {
        ("", Some(named)) => named.clone(),
        (request, _) => request.to_owned(),
    }
}

fn close(desk: &Desk, mut case: Case, done: Done, work: &Work) -> Result<WorkReply, Error> {
    let office = case.facts.request.work.as_ref().and_then(|facts| facts.office.clone());
    let why = done.made.iter().rev().find(|made| made.outcome != CallOutcome::Done);
    let why = why.and_then(|made| made.result.as_str()).map(Into::into);
    let shown = |outcome: Outcome| -> Vec<Call> {
        done.made.iter().map(|made| told(made, outcome)).collect()
    };
    let calls = shown(case.outcome());
    let Filled { missing, wrong, .. } = done.filled.clone();
    case.work = Some(done);
    let mut reply = case.close(desk)?;
    // A person who is told no for want of a grant or a document should know which.
    if let Some(why) = why.filter(|_: &String| reply.outcome == Outcome::Refused) {
        reply.answer = why;
    }
    Ok(WorkReply { work: work.name, reply, office, missing, wrong, calls })
}

fn told(made: &Made, outcome: Outcome) -> Call {
    let open = outcome == Outcome::Answered || made.outcome != CallOutcome::Done;
    Call {
        tool: made.tool,
        outcome: made.outcome,
        untrusted: made.untrusted.clone(),
        arguments: made.arguments.clone(),
        result: open.then(|| made.result.clone()),
    }
}

impl Case<'_> {
    /// Says which work it is.
    fn begin(&mut self, name: WorkName) {
        self.facts.request.work = Some(WorkFacts::of(name));
        self.decision = decide(self.means.policy, &self.facts);
    }

    /// Notes what more is known of the work, and decides anew.
    pub(crate) fn note(&mut self, note: impl FnOnce(&mut WorkFacts)) {
        note(self.facts.request.work.as_mut().expect("work has begun"));
        self.decision = decide(self.means.policy, &self.facts);
    }

    fn finish(&mut self, toolbox: &Toolbox) {
        if toolbox.handed_over {
            self.note(|work| work.handed_over = true);
        }
    }

    /// Notes a call that the work cannot do without, if nothing came of it.
    pub(crate) fn needs(&mut self, tool: ToolName, called: toolbox::Called) -> Option<Told> {
        match called {
            toolbox::Called::Done(told) => return Some(told),
            toolbox::Called::Refused => self.note(|work| work.refused.push(tool)),
            toolbox::Called::Failed => self.note(|work| work.failed.push(tool)),
        }
        None
    }

    /// Searches as a tool does: granted, and noted.
    pub(crate) fn look_up(&mut self, toolbox: &mut Toolbox, work: &Work) -> Result<bool, Error> {
        let query = Told::by_asker(work, work.request.trim()).expect("it is the asker's request");
        let given = BTreeMap::from([("query".to_owned(), query)]);
        let called = toolbox.call_by(ToolName::Search, given, |_, _| {
            self.search()?;
            Ok(Ok(self.found.as_ref().map_or_else(Default::default, toolbox::passages)))
        })?;
        Ok(self.needs(ToolName::Search, called).is_some())
    }
}

#[cfg(test)]
mod tests;
