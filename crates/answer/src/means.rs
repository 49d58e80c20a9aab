//! What an answer is made with.

use allod_policy::Policy;
use allod_retrieval::Library;

use crate::calibration::Calibrated;
use crate::generator::Generator;

/// Policy, documents, model and calibration: what an answer depends on beside what was asked. The
/// same means and the same question give the same answer.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) library: &'a Library,
    pub(crate) generator: Option<&'a Generator>,
    pub(crate) calibrated: &'a Calibrated,
}
