//! From what a policy says of personal data to what does it.

use allod_policy::{Personal, Privacy};
use allod_privacy::{Action, Kind, Shield};

use crate::error::Error;

/// What hides personal data as one key of the policy says; `None` when it is kept.
///
/// # Errors
/// [`Error::Private`] when the system gives no random bytes.
pub fn shield(personal: Personal, privacy: &Privacy) -> Result<Option<Shield>, Error> {
    let action = match personal {
        Personal::Keep => return Ok(None),
        Personal::Redact => Action::Redact,
        Personal::Pseudonymise => Action::Pseudonymise,
        Personal::Block => Action::Block,
    };
    let known = |word: &str| Kind::from_word(word).expect("a test compares both lists of kinds");
    let kinds: Vec<Kind> = privacy.kinds.iter().map(|kind| known(kind.word())).collect();
    Ok(Some(Shield::new(action, &kinds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy names kinds by the words of the crate that finds them.
    #[test]
    fn every_kind_can_be_named_in_a_policy() {
        for kind in Kind::ALL {
            let text = format!("privacy:\n  upstream: redact\n  kinds: [{}]\n", kind.word());
            let policy = allod_policy::Policy::parse(&text).unwrap();
            assert_eq!(policy.privacy.kinds.first().unwrap().word(), kind.word());
            assert!(shield(policy.privacy.upstream, &policy.privacy).unwrap().is_some());
        }
        assert!(allod_policy::Policy::parse("privacy: {kinds: [shoe_size]}").is_err());
        let kept = allod_policy::Policy::parse("privacy: {logs: keep}").unwrap();
        assert!(shield(kept.privacy.logs, &kept.privacy).unwrap().is_none());
    }
}
