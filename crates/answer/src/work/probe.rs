//! What would become of a call whose arguments somebody planted in a document: for measuring that
//! nothing does. Nothing is recorded, and the results are not given out, so it is no way to one.

use std::collections::BTreeSet;

use allod_ledger::receipt::CallOutcome;
use allod_policy::ToolName;
use jiff::Zoned;
use serde_json::{Map, Value};

use super::Work;
use super::origin::{Origin, Told};
use super::toolbox::{Given, Toolbox};
use crate::desk::Desk;
use crate::error::Error;

impl Desk {
    /// Makes a call as a model would that read `planted` in a document and obeys it: every value of
    /// `arguments` is the model's own words after it has seen the document and the request.
    ///
    /// # Errors
    /// When a part of the house failed.
    pub fn obey(
        &self,
        work: &Work,
        tool: ToolName,
        arguments: &Map<String, Value>,
        planted: &Origin,
    ) -> Result<CallOutcome, Error> {
        let mut toolbox = Toolbox::new(self, work, work.on.unwrap_or_else(|| Zoned::now().date()));
        let seen = BTreeSet::from([Origin::Asker, Origin::Operator, planted.clone()]);
        let told = |value: &Value| Told::written(value.clone(), &seen);
        let given: Given =
            arguments.iter().map(|(name, value)| (name.clone(), told(value))).collect();
        toolbox.call(tool, given)?;
        Ok(toolbox.made.last().expect("every call is noted").outcome)
    }
}
