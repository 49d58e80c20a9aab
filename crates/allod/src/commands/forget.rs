//! `allod ledger erase`, `allod ledger expire`

use anyhow::bail;

use crate::Ending;
use crate::folder::Place;
use crate::output::Output;

/// Destroys the words of a subject.
pub fn erase(
    place: &Place,
    tenant: &str,
    subject: &str,
    output: &Output,
) -> anyhow::Result<Ending> {
    let desk = place.desk_without_model()?;
    let mut erased = Vec::new();
    for subject in desk.subjects_named(tenant, subject)? {
        erased.extend(desk.erase(tenant, &subject)?);
    }
    desk.rest()?;
    if erased.is_empty() {
        bail!(
            "nothing is kept of `{subject}` of the tenant `{tenant}`; `allod ledger show` lists \
             receipts with their subjects, and --tenant names another tenant"
        );
    }
    output.print(&erased, |erased| {
        let line = |one: &allod_answer::Erased| {
            format!(
                "{}: {} prompts and answers and {} reviews are gone; receipt {}\n",
                one.subject, one.payloads, one.reviews, one.receipt.index
            )
        };
        erased.iter().map(line).collect()
    })?;
    Ok(Ending::Done)
}

/// Deletes what has been kept long enough.
pub fn expire(place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let desk = place.desk_without_model()?;
    let expired = desk.expire()?;
    desk.rest()?;
    let retention = &desk.policy().retention;
    let says = retention.payloads_days.is_some() || retention.reviews_days.is_some();
    output.print(&expired, |expired| match says {
        true => format!(
            "{} prompts and answers and {} reviews were deleted",
            expired.payloads, expired.reviews
        ),
        false => "the policy names no `retention`, so everything is kept".into(),
    })?;
    Ok(Ending::Done)
}
