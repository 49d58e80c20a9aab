//! Whether a model's folder holds the files that wrote. The weights' digest says nothing of the
//! settings beside them.

use std::path::Path;

use allod_engine::FileList;
use allod_lm::{FileDifference, Weights};

use super::{Difference, Stop};
use crate::error::Error;
use crate::named::Named;
use crate::record::MODEL_FILES;

/// The list of this digest. None if it is kept nowhere: then only the digest can be compared, and a
/// file that differs cannot be named.
pub(super) fn recorded(named: &Named, digest: &str) -> Result<Option<FileList>, Stop> {
    match named.artifact(MODEL_FILES, digest) {
        Ok(text) => FileList::read(&text).map(Some).ok_or_else(|| {
            let why = "the list of the model's files is of another version";
            Stop::Impossible(why.into())
        }),
        Err(Stop::Impossible(_)) => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// Looks into a folder: every file is the one that is listed; weights by their length, if they are
/// to be read anyway.
pub(super) fn check(list: &FileList, folder: &Path, weights: Weights) -> Result<(), Stop> {
    if !folder.is_dir() {
        let what = "the model: a file, where a folder of files wrote".to_owned();
        return Err(Stop::differs(Difference::named(what)));
    }
    let now = list.now(folder, weights).map_err(|error| {
        Stop::Failed(Error::NoModel(format!("a file of the model cannot be read: {error}")))
    })?;
    list.difference(&now).map_or(Ok(()), |difference| Err(differs(&difference)))
}

/// Holds what was loaded against what was recorded.
pub(super) fn same(
    (digest, list): (&str, Option<&FileList>),
    found: Option<&FileList>,
) -> Result<(), Stop> {
    let now = found.map_or("none", FileList::digest);
    if now == digest {
        return Ok(());
    }
    let difference = list.zip(found).and_then(|(list, found)| list.difference(found));
    Err(difference.map_or_else(
        || {
            let what = "the list of the model's files, which is not kept any longer".to_owned();
            Stop::differs(Difference::of_digests(what, digest, now))
        },
        |difference| differs(&difference),
    ))
}

fn differs(difference: &FileDifference) -> Stop {
    let digest = |file: &Option<allod_lm::ModelFile>| {
        file.as_ref().map_or_else(|| "none".to_owned(), |file| file.digest.clone())
    };
    let (recorded, now) = (digest(&difference.recorded), digest(&difference.now));
    if recorded == now {
        // Of weights that are not as long only the length was read.
        return Stop::differs(Difference::named(difference.to_string()));
    }
    Stop::differs(Difference::of_digests(difference.to_string(), &recorded, &now))
}
