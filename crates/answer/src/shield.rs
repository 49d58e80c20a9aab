//! From what a policy says of personal data to what does it.

use std::collections::BTreeSet;

use allod_policy::{Personal, PersonalKind, Policy, Privacy};
use allod_privacy::{Action, Kind, Shield};

use crate::error::Error;

/// The kinds that are hidden in what goes to a server where these may go as they are.
pub(crate) fn kinds_hidden(policy: &Policy, free: &BTreeSet<PersonalKind>) -> Vec<Kind> {
    let named: Vec<Kind> = policy.privacy.kinds.iter().map(|kind| known(*kind)).collect();
    let all = Kind::ALL.iter().copied().filter(|kind| match named.is_empty() {
        true => kind.is_direct(),
        false => named.contains(kind),
    });
    let free: Vec<Kind> = free.iter().map(|kind| known(*kind)).collect();
    all.filter(|kind| !free.contains(kind)).collect()
}

/// What does this with findings of these kinds; `None` when they are kept, or none is meant.
pub(crate) fn shield_of(personal: Personal, kinds: &[Kind]) -> Result<Option<Shield>, Error> {
    let action = match personal {
        Personal::Keep => return Ok(None),
        Personal::Redact => Action::Redact,
        Personal::Pseudonymise => Action::Pseudonymise,
        Personal::Block => Action::Block,
    };
    match kinds {
        [] => Ok(None),
        kinds => Ok(Some(Shield::new(action, kinds)?)),
    }
}

fn known(kind: PersonalKind) -> Kind {
    Kind::from_word(kind.word()).expect("a test compares both lists of kinds")
}

/// What hides personal data as one key of the policy says; `None` when it is kept.
///
/// # Errors
/// [`Error::Private`] when the system gives no random bytes.
pub fn shield(personal: Personal, privacy: &Privacy) -> Result<Option<Shield>, Error> {
    let named: Vec<Kind> = privacy.kinds.iter().map(|kind| known(*kind)).collect();
    let direct = || Kind::ALL.iter().copied().filter(|kind| kind.is_direct()).collect();
    shield_of(personal, &if named.is_empty() { direct() } else { named })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy names kinds by the words of the crate that finds them.
    #[test]
    fn every_kind_can_be_named_in_a_policy() {
        for kind in Kind::ALL {
            let text = format!("privacy:\n  upstream: redact\n  kinds: [{}]\n", kind.word());
            let policy = Policy::parse(&text).unwrap();
            assert_eq!(policy.privacy.kinds.first().unwrap().word(), kind.word());
            assert!(shield(policy.privacy.upstream, &policy.privacy).unwrap().is_some());
        }
        assert!(Policy::parse("privacy: {kinds: [shoe_size]}").is_err());
        let kept = Policy::parse("privacy: {logs: keep}").unwrap();
        assert!(shield(kept.privacy.logs, &kept.privacy).unwrap().is_none());
    }
}
