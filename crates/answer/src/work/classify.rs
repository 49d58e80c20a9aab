//! Saying which office a request belongs to, and handing it over where the policy grants that.

use allod_policy::{RoutedBy, ToolName, office_of};

use super::Work;
use super::origin::Told;
use super::toolbox::Toolbox;
use crate::case::Case;
use crate::draft::Draft;
use crate::error::Error;
use crate::reply::{Mode, Tokens};

pub(super) fn run(case: &mut Case, toolbox: &mut Toolbox, work: &Work) -> Result<(), Error> {
    let Some(office) = office_of(case.means.policy, &work.request) else {
        return Err(Error::Limit(
            "the policy names no offices; add `offices` to it (docs/policy.md)".into(),
        ));
    };
    let sure = match office.by {
        RoutedBy::Rule => "by a word of the policy".to_owned(),
        RoutedBy::Words => format!("by the examples, probability {:.2}", office.probability),
        RoutedBy::Nothing => "no office is sure enough".to_owned(),
    };
    let name = office.office.clone();
    case.note(|facts| facts.office = Some(office));
    if let Some(name) = &name {
        let given = [("office", name.clone()), ("note", sure.clone())];
        let given = given.map(|(key, text)| (key.to_owned(), Told::by_operator(text)));
        // Without the grant it is only said where the request belongs.
        toolbox.call(ToolName::HandOver, given.into())?;
    }
    let text = name.map_or_else(|| sure.clone(), |name| format!("{name} ({sure})"));
    case.draft = Some(Draft {
        text,
        citations: Vec::new(),
        checks: Vec::new(),
        mode: Mode::None,
        tokens: Tokens::default(),
        disputes: Vec::new(),
    });
    Ok(())
}
