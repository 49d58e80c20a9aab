//! Which tools may be called, by whom, for what, and with words from where.
//!
//! A tool is called only if a grant names it. An argument that rests on untrusted text (a document,
//! or a result that rests on one) is refused unless the grant names that argument too. Both are
//! pure questions to the policy: what a document says has no part in the answer.

use std::collections::BTreeSet;

use crate::choice::choice;
use crate::policy::Policy;

choice! {
    /// A tool.
    ToolName {
        /// Finds passages that bear on a query.
        Search => "search",
        /// Reads a place of a document.
        Read => "read",
        /// Computes with decimal numbers.
        Calculate => "calculate",
        /// Computes with dates.
        Dates => "dates",
        /// Looks up a cell of a table.
        Cell => "cell",
        /// Fills a form or letter from a template.
        Form => "form",
        /// Hands over to a person, through the review queue.
        HandOver => "hand_over",
    }
}

choice! {
    /// A piece of work that is done with tools.
    WorkName {
        /// Answers a citizen.
        Answer => "answer",
        /// Says which office a request belongs to.
        Classify => "classify",
        /// Sums up a document in cited sentences.
        Summarise => "summarise",
        /// Drafts a letter.
        Letter => "letter",
        /// Prepares a form.
        Form => "form",
    }
}

impl WorkName {
    /// All of them.
    pub const ALL: [WorkName; 5] = [
        WorkName::Answer,
        WorkName::Classify,
        WorkName::Summarise,
        WorkName::Letter,
        WorkName::Form,
    ];

    /// Whether what comes of it always goes to a person: letters and forms speak for the office
    /// to a person, whatever they say.
    #[must_use]
    pub fn affects_person(self) -> bool {
        matches!(self, WorkName::Letter | WorkName::Form)
    }
}

impl ToolName {
    /// All of them.
    pub const ALL: [ToolName; 7] = [
        ToolName::Search,
        ToolName::Read,
        ToolName::Calculate,
        ToolName::Dates,
        ToolName::Cell,
        ToolName::Form,
        ToolName::HandOver,
    ];
}

/// What may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// Most calls of one piece of work.
    pub steps_max: u32,
    /// Who may call what.
    pub grants: Vec<Grant>,
}

impl Default for Tools {
    /// What answering does anyway: finding passages and reading them.
    fn default() -> Tools {
        let tools = BTreeSet::from([ToolName::Search, ToolName::Read]);
        Tools { steps_max: 8, grants: vec![Grant { tools, ..Grant::default() }] }
    }
}

/// Leave to call some tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// The tools.
    pub tools: BTreeSet<ToolName>,
    /// The tenants that it is given to; all if empty.
    pub tenants: Vec<String>,
    /// The work that it is given for; all if empty.
    pub work: BTreeSet<WorkName>,
    /// Arguments that may rest on untrusted text.
    pub untrusted: Vec<String>,
}

/// What is known of a call before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFacts {
    /// The tool.
    pub tool: ToolName,
    /// The tenant on whose behalf it is called.
    pub tenant: String,
    /// The work that calls it.
    pub work: WorkName,
    /// Its number within the work, from 1.
    pub step: u32,
    /// The arguments that rest on untrusted text.
    pub untrusted: Vec<String>,
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotGranted {
    /// Too many calls.
    #[error("the policy allows {allowed} calls for one piece of work (tools.steps_max)")]
    Steps {
        /// How many are allowed.
        allowed: u32,
    },
    /// No grant names the tool.
    #[error(
        "the policy does not grant the tool `{}` to tenant `{tenant}` for the work `{}`; add it to \
         `tools.grants`",
        tool.word(), work.word()
    )]
    Tool {
        /// The tool.
        tool: ToolName,
        /// The tenant.
        tenant: String,
        /// The work.
        work: WorkName,
    },
    /// An argument rests on untrusted text.
    #[error(
        "the argument `{argument}` of the tool `{}` rests on the text of a document, and the \
         policy does not grant that (`untrusted` in `tools.grants`)",
        tool.word()
    )]
    Argument {
        /// The tool.
        tool: ToolName,
        /// The argument.
        argument: String,
    },
}

/// Whether a call may be made: by one grant that names the tool, the tenant, the work, and every
/// argument that rests on untrusted text. Pure, like [`decide`](crate::decide()).
///
/// # Errors
/// Why not.
pub fn tool_permitted(policy: &Policy, call: &CallFacts) -> Result<(), NotGranted> {
    let tools = &policy.tools;
    if call.step > tools.steps_max {
        return Err(NotGranted::Steps { allowed: tools.steps_max });
    }
    let given: Vec<&Grant> = tools.grants.iter().filter(|grant| grant.covers(call)).collect();
    if given.is_empty() {
        let (tool, tenant, work) = (call.tool, call.tenant.clone(), call.work);
        return Err(NotGranted::Tool { tool, tenant, work });
    }
    let missing = |grant: &&Grant| {
        call.untrusted.iter().find(|argument| !grant.untrusted.contains(argument)).cloned()
    };
    // The grant that lacks nothing, if there is one.
    let lacks: Option<Vec<String>> = given.iter().map(missing).collect();
    match lacks {
        Some(lacking) => Err(NotGranted::Argument {
            tool: call.tool,
            argument: lacking.into_iter().next().expect("there is a grant"),
        }),
        None => Ok(()),
    }
}

impl Grant {
    fn covers(&self, call: &CallFacts) -> bool {
        self.tools.contains(&call.tool)
            && (self.tenants.is_empty() || self.tenants.contains(&call.tenant))
            && (self.work.is_empty() || self.work.contains(&call.work))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(tool: ToolName) -> CallFacts {
        let tenant = "town".to_owned();
        CallFacts { tool, tenant, work: WorkName::Answer, step: 1, untrusted: Vec::new() }
    }

    fn policy(text: &str) -> Policy {
        Policy::parse(text).unwrap()
    }

    #[test]
    fn without_a_word_in_the_policy_only_searching_and_reading_are_granted() {
        for tool in ToolName::ALL {
            let granted = matches!(tool, ToolName::Search | ToolName::Read);
            assert_eq!(tool_permitted(&Policy::built_in(), &call(tool)).is_ok(), granted);
        }
        let none = policy("tools: {grants: []}");
        assert!(ToolName::ALL.iter().all(|tool| tool_permitted(&none, &call(*tool)).is_err()));
    }

    #[test]
    fn a_grant_holds_for_its_tenants_its_work_and_its_arguments() {
        let policy = policy(
            "tools:\n  steps_max: 2\n  grants:\n    - {tools: [cell, dates], tenants: town, work: \
             answer, untrusted: key}\n    - {tools: cell, untrusted: column}\n",
        );
        let cell = call(ToolName::Cell);
        let permitted = |call: CallFacts| tool_permitted(&policy, &call);
        assert_eq!(permitted(cell.clone()), Ok(()));
        assert_eq!(permitted(CallFacts { untrusted: vec!["key".into()], ..cell.clone() }), Ok(()));
        // No single grant gives both arguments away.
        let both = vec!["key".to_owned(), "column".to_owned()];
        let refused = permitted(CallFacts { untrusted: both, ..cell.clone() }).unwrap_err();
        assert!(matches!(refused, NotGranted::Argument { .. }), "{refused}");
        let elsewhere = CallFacts { tenant: "other".into(), ..call(ToolName::Dates) };
        assert!(matches!(permitted(elsewhere), Err(NotGranted::Tool { .. })));
        let letter = CallFacts { work: WorkName::Letter, ..call(ToolName::Dates) };
        assert!(matches!(permitted(letter), Err(NotGranted::Tool { .. })));
        assert_eq!(permitted(CallFacts { step: 3, ..cell }), Err(NotGranted::Steps { allowed: 2 }));
    }
}
