//! Where a value comes from. Every argument and every result of a tool carries it, and nothing can
//! take it away again: a value made from others has all their origins.
//!
//! What a document says is untrusted, whoever put the document there. So is everything that was
//! made from it.

use std::collections::BTreeSet;

use allod_retrieval::Evidence;
use serde::Serialize;
use serde_json::Value;

use super::Work;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// The one who asked.
    Asker,
    /// The operator: the policy, a template, the program itself.
    Operator,
    /// A document: bytes `start..end` of the version with this digest.
    Document {
        /// The version.
        digest: String,
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
    },
    /// The result of a call, by its number.
    Call {
        /// The number, from 1.
        step: u32,
    },
}

impl Origin {
    /// The origin of a passage.
    pub(crate) fn of(evidence: &Evidence) -> Origin {
        Origin::Document {
            digest: evidence.digest.clone(),
            start: evidence.range.start,
            end: evidence.range.end,
        }
    }

    fn is_untrusted(&self) -> bool {
        matches!(self, Origin::Document { .. })
    }
}

/// A value, with where it comes from. There is no way to change the one without the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    value: Value,
    origins: BTreeSet<Origin>,
}

impl Told {
    /// A text that the asker said; `None` if it stands nowhere in what the asker sent: nobody else
    /// can speak in the asker's name.
    #[must_use]
    pub fn by_asker(work: &Work, text: &str) -> Option<Told> {
        let fields = work.fields.iter().flat_map(|(name, value)| [name, value]);
        let named = work.document.iter().chain(&work.template).chain(fields);
        let said = std::iter::once(&work.request).chain(named).any(|said| said.contains(text));
        said.then(|| Told { value: text.into(), origins: BTreeSet::from([Origin::Asker]) })
    }

    /// The fields that the asker filled in, whole.
    pub(crate) fn fields(work: &Work) -> Told {
        let fields = work.fields.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        Told { value: Value::Object(fields.collect()), origins: BTreeSet::from([Origin::Asker]) }
    }

    /// What the operator or the program itself says.
    #[must_use]
    pub fn by_operator(value: impl Into<Value>) -> Told {
        Told { value: value.into(), origins: BTreeSet::from([Origin::Operator]) }
    }

    /// What a model wrote after it had seen all this: it may have come from any of it.
    #[must_use]
    pub fn written(value: Value, seen: &BTreeSet<Origin>) -> Told {
        Told { value, origins: seen.clone() }
    }

    /// What a call gave that had these arguments and looked at these places.
    pub(crate) fn result<'a>(
        step: u32,
        value: Value,
        arguments: impl Iterator<Item = &'a Told>,
        seen: impl IntoIterator<Item = Origin>,
    ) -> Told {
        let mut origins: BTreeSet<Origin> =
            arguments.flat_map(|told| told.origins.iter().cloned()).collect();
        origins.extend(seen);
        origins.insert(Origin::Call { step });
        Told { value, origins }
    }

    /// A part of the value; it comes from where the whole does.
    #[must_use]
    pub fn part(&self, pick: impl FnOnce(&Value) -> Value) -> Told {
        Told { value: pick(&self.value), origins: self.origins.clone() }
    }

    /// Two groups of fields as one; the second gives way where both have a field.
    pub(crate) fn merged(&self, other: &Told) -> Told {
        let mut fields = other.value.as_object().cloned().unwrap_or_default();
        let own = self.value.as_object().into_iter().flatten();
        fields.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        let origins = self.origins.union(&other.origins).cloned().collect();
        Told { value: Value::Object(fields), origins }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Where it comes from.
    #[must_use]
    pub fn origins(&self) -> &BTreeSet<Origin> {
        &self.origins
    }

    /// Whether any of it rests on the text of a document.
    #[must_use]
    pub fn is_untrusted(&self) -> bool {
        self.origins.iter().any(Origin::is_untrusted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::tests::work;

    fn document() -> Origin {
        Origin::Document { digest: "sha256:0".into(), start: 0, end: 9 }
    }

    #[test]
    fn only_what_the_asker_said_is_the_askers() {
        let work = work("Was kostet ein Sack?");
        assert!(Told::by_asker(&work, "ein Sack").is_some());
        assert!(Told::by_asker(&work, "ein Auto").is_none());
    }

    #[test]
    fn what_rests_on_a_document_stays_untrusted_through_every_call() {
        let work = work("Was kostet ein Sack?");
        let asked = Told::by_asker(&work, "ein Sack").unwrap();
        assert!(!asked.is_untrusted());
        let found = Told::result(1, "CHF 2".into(), [&asked].into_iter(), [document()]);
        assert!(found.is_untrusted());
        let part = found.part(|value| value.as_str().unwrap_or_default()[4..].into());
        assert!(part.is_untrusted() && part.value() == "2");
        let doubled = Told::result(2, "4".into(), [&part, &asked].into_iter(), []);
        assert!(doubled.is_untrusted());
        let computed = Told::result(3, "4".into(), [&asked].into_iter(), []);
        assert!(!computed.is_untrusted());
        assert!(computed.merged(&doubled).is_untrusted());
        let seen = BTreeSet::from([Origin::Asker, document()]);
        assert!(Told::written("anything".into(), &seen).is_untrusted());
    }
}
