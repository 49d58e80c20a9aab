//! What the tagger says of a token: that it begins, continues or is no part of a name.

use crate::kind::Kind;

/// The kinds that the tagger finds.
const KINDS: [Kind; 10] = [
    Kind::Person,
    Kind::Title,
    Kind::Organization,
    Kind::Place,
    Kind::Address,
    Kind::PostalCode,
    Kind::Date,
    Kind::Age,
    Kind::Nationality,
    Kind::Phone,
];

/// How many labels there are: none, and each kind's beginning and continuation.
pub(crate) const LABELS: usize = 1 + 2 * KINDS.len();

/// A label. 0 is none; odd ones begin a kind, even ones continue it.
pub(crate) type Label = usize;

/// None of the kinds.
pub(crate) const NONE: Label = 0;

/// The label of a kind's first token, or of a later one; none if the tagger does not know it.
pub(crate) fn label(kind: Kind, is_first: bool) -> Label {
    let index = KINDS.iter().position(|known| *known == kind);
    index.map_or(NONE, |index| 1 + 2 * index + usize::from(!is_first))
}

/// The kind of a label, and whether it begins there.
pub(crate) fn kind(label: Label) -> Option<(Kind, bool)> {
    let index = label.checked_sub(1)?;
    Some((KINDS[index / 2], index % 2 == 0))
}

/// Whether one label may stand after another: nothing continues what did not begin.
#[cfg(test)]
pub(crate) fn follows(before: Label, after: Label) -> bool {
    match kind(after) {
        Some((continued, false)) => kind(before).is_some_and(|(kind, _)| kind == continued),
        _ => true,
    }
}
