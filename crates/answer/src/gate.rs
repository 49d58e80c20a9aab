//! The gate: what every request of a conversation passes before a model sees it. The key, the
//! policy, and the hiding of personal data in what would go to a server elsewhere.
//!
//! It is the code that the server and the desk run, put together without a model, so that its time
//! can be measured (`allod bench gate`). Nothing is answered, sent or recorded.

use std::path::Path;
use std::sync::Arc;

use allod_policy::{Outcome, Policy};
use allod_retrieval::Clearance;
use allod_store::Store;

use crate::ask::{Caller, Chat};
use crate::chat;
use crate::desk::open_store;
use crate::error::Error;
use crate::shield::shield;
use crate::upstream::{Address, Upstream};

/// The store with its keys, a policy, and a server elsewhere that is never reached.
pub struct Gate {
    store: Arc<dyn Store>,
    policy: Policy,
    upstream: Upstream,
}

/// How a request passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// What the policy decided.
    pub outcome: Outcome,
    /// How many findings of personal data were hidden.
    pub hidden: u64,
    /// Bytes that would be sent.
    pub bytes: u64,
}

impl Gate {
    /// A gate over the keys of a data folder.
    ///
    /// # Errors
    /// When the store cannot be opened, or the system gives no random bytes.
    pub fn open(data: &Path, policy: Policy) -> Result<Gate, Error> {
        let address = Address { url: "http://127.0.0.1:9/v1", model: "none", api_key: None };
        let shield = shield(policy.privacy.upstream, &policy.privacy)?;
        let upstream = Upstream::new(address, shield);
        Ok(Gate { store: open_store(data)?, policy, upstream })
    }

    /// Lets a conversation pass in the name of a key. `None` when the key is wrong or revoked.
    ///
    /// # Errors
    /// [`Error::Private`] when the policy lets the prompt go nowhere, [`Error::Limit`] for what
    /// cannot be asked elsewhere, and when the store fails.
    pub fn pass(&self, secret: &str, chat: &Chat) -> Result<Option<Passed>, Error> {
        let Some(key) = self.store.authenticate(secret)? else { return Ok(None) };
        let clearance = Clearance::of(key.labels);
        let caller = Caller { tenant: key.tenant, subject: key.id, clearance };
        let chat = Chat { caller, ..chat.clone() };
        let question = chat.prompt.asked().unwrap_or_default();
        let (_, _, decision) = chat::decided(&self.policy, question.trim());
        let prepared = self.upstream.prepare(&chat::request(&self.policy, &chat))?;
        Ok(Some(Passed {
            outcome: decision.outcome,
            hidden: prepared.hidden().values().sum(),
            bytes: prepared.bytes(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_engine::{Message, Prompt, Sampling};

    #[test]
    fn a_request_passes_with_a_key_and_its_personal_data_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let text = "logging: {citations: optional}\nprivacy: {upstream: redact}\n";
        let gate = Gate::open(folder.path(), Policy::parse(text).unwrap()).unwrap();
        let (_, secret) = gate.store.create_key("k", "t", &[], "user").unwrap();
        let content = "Meine AHV-Nummer ist 756.9217.0769.85. Was nun?";
        let message = Message { role: "user".into(), content: content.into() };
        let chat = Chat {
            prompt: Prompt::Chat(vec![message]),
            caller: Caller::operator(Clearance::public()),
            sampling: Sampling::default(),
            max_tokens: 10,
            stop: Vec::new(),
            constraint: None,
            spelled: Vec::new(),
            thought: None,
            choices: crate::Choices::default(),
            adapter: None,
        };
        let passed = gate.pass(&secret, &chat).unwrap().unwrap();
        assert_eq!(passed.hidden, 1);
        assert!(passed.bytes > content.len() as u64);
        assert_eq!(gate.pass("allod_x_y", &chat).unwrap(), None);
        let block = "logging: {citations: optional}\nprivacy: {upstream: block}\n";
        let gate = Gate::open(folder.path(), Policy::parse(block).unwrap()).unwrap();
        assert!(matches!(gate.pass(&secret, &chat), Err(Error::Private(_))));
    }
}
