//! What receipts name by digest, taken from the store and held against the digest.

use std::collections::HashMap;
use std::sync::Arc;

use allod_corpus::Digest;
use allod_ledger::Receipt;
use allod_policy::Policy;
use allod_store::{ArtifactRow, Store};

use crate::calibration::Calibrated;
use crate::error::Error;
use crate::replay::{Difference, Stop};

/// Policies and calibrations by their digests; each is read once.
pub(crate) struct Named {
    store: Arc<dyn Store>,
    policies: HashMap<String, Arc<Policy>>,
    calibrations: HashMap<String, Arc<Calibrated>>,
}

impl Named {
    pub(crate) fn new(store: Arc<dyn Store>) -> Named {
        Named { store, policies: HashMap::new(), calibrations: HashMap::new() }
    }

    /// The policy of this digest.
    pub(crate) fn policy(&mut self, digest: &str) -> Result<Arc<Policy>, Stop> {
        if let Some(policy) = self.policies.get(digest) {
            return Ok(Arc::clone(policy));
        }
        let built_in = Policy::built_in();
        let policy = if built_in.digest() == digest {
            built_in
        } else {
            let text = self.artifact("policy", digest)?;
            Policy::parse(&text).map_err(|mistakes| {
                Stop::Impossible(format!(
                    "the policy {digest} cannot be read by this version: {mistakes}"
                ))
            })?
        };
        let policy = Arc::new(policy);
        self.policies.insert(digest.to_owned(), Arc::clone(&policy));
        Ok(policy)
    }

    /// The calibration that a receipt names; where it names none, none is asked.
    pub(crate) fn calibrated(&mut self, receipt: &Receipt) -> Result<Arc<Calibrated>, Stop> {
        let named = receipt.facts["evidence"]["calibrated"]["calibration"].as_str();
        let digest = named.unwrap_or_default();
        if let Some(calibrated) = self.calibrations.get(digest) {
            return Ok(Arc::clone(calibrated));
        }
        let built_in = Calibrated::built_in();
        let calibrated = match named {
            Some(digest) if digest != built_in.digest() => {
                let text = self.artifact("calibration", digest)?;
                Calibrated::parse(&text)
                    .map_err(|why| Stop::Impossible(format!("the calibration {digest} {why}")))?
            }
            _ => built_in,
        };
        let calibrated = Arc::new(calibrated);
        self.calibrations.insert(digest.to_owned(), Arc::clone(&calibrated));
        Ok(calibrated)
    }

    /// What is kept under a digest, whole.
    pub(crate) fn artifact(&self, kind: &str, digest: &str) -> Result<String, Stop> {
        let found: Option<ArtifactRow> = self.store.artifact(digest).map_err(Error::from)?;
        match found {
            None => Err(Stop::Impossible(format!("the {kind} {digest} is not in the store"))),
            Some(row) if row.is_whole() => Ok(row.content),
            Some(row) => {
                let what = format!("the {kind}, which was changed");
                let now = Digest::of(row.content.as_bytes()).to_string();
                Err(Stop::differs(Difference::of_digests(what, digest, &now)))
            }
        }
    }
}
