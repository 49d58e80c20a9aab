//! What becomes of personal data, and how long things are kept.

use super::reader::{Reader, Section};
use super::{PRIVACY, RETENTION};
use crate::policy::{Personal, Privacy, Retention};

/// A hundred years.
const DAYS_MAX: u32 = 36_525;

pub(super) fn read(reader: &mut Reader, root: &Section<'_>) -> Privacy {
    let section = reader.section(root, "privacy", PRIVACY);
    let upstream = reader.choice(&section, "upstream");
    let logs = reader.choice(&section, "logs");
    let training = reader.choice(&section, "training");
    Privacy {
        upstream: upstream.unwrap_or(Personal::Keep),
        logs: logs.unwrap_or(Personal::Redact),
        training: training.unwrap_or(Personal::Keep),
        kinds: reader.choices(&section, "kinds").into_iter().collect(),
    }
}

pub(super) fn retention(reader: &mut Reader, root: &Section<'_>) -> Retention {
    let section = reader.section(root, "retention", RETENTION);
    Retention {
        payloads_days: reader.whole(&section, "payloads_days", 1..=DAYS_MAX),
        reviews_days: reader.whole(&section, "reviews_days", 1..=DAYS_MAX),
    }
}
