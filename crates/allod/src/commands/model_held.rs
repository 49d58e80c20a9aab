//! `allod ledger verify --model`: the files of a model held against those that receipts name.

use std::collections::BTreeMap;
use std::path::Path;

use allod_answer::locate;
use allod_ledger::Ledger;
use allod_ledger::receipt::Model;
use allod_lm::FileList;
use allod_store::DATABASE_FILE;
use serde_json::{Value, json};

use crate::folder::Place;

/// Receipts of one model: how many, and the last.
type Named = BTreeMap<[Option<String>; 2], (Model, u64, u64)>;

/// What the receipts say of the model that was given: how many it wrote.
///
/// # Errors
/// That it wrote none, with the file that is another one than that of the model that did.
pub(super) fn hold(place: &Place, ledger: &Ledger, given: &Path) -> Result<Value, String> {
    let of = |error: &dyn std::fmt::Display| format!("{}: {error}", given.display());
    let path = locate(&place.data.join("models"), given).map_err(|error| of(&error))?;
    let (digest, list) = FileList::of_model(&path).map_err(|error| of(&error))?;
    let files = list.as_ref().map(|list| list.digest().to_owned());
    let mut named = named(ledger).map_err(|error| error.to_string())?;
    let key = [Some(digest.clone()), files.clone()];
    let older = [Some(digest.clone()), None];
    if let Some((_, count, _)) = named.remove(&key) {
        return Ok(json!({"digest": digest, "files": files, "receipts": count}));
    }
    if let Some((_, count, _)) = named.remove(&older) {
        let unchecked = "the receipts are of an older version, which named no settings";
        return Ok(json!({"digest": digest, "receipts": count, "unchecked": unchecked}));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let like = |(model, _, last): &&(Model, u64, u64)| {
        (model.digest.as_ref() == Some(&digest), model.name == name, *last)
    };
    let Some((model, count, last)) = named.values().max_by_key(like) else {
        return Err(of(&"no receipt names a model that ran here"));
    };
    let what = difference(place, model, list.as_ref())
        .unwrap_or_else(|| "another model's weights or files".to_owned());
    Err(of(&format!("{what}; {count} receipts name {} otherwise, the last is {last}", model.name)))
}

/// The models that ran here, by their weights and files.
fn named(ledger: &Ledger) -> Result<Named, allod_ledger::Error> {
    let mut named = Named::new();
    for index in 0..ledger.checkpoint().size {
        let Some(model) = ledger.read(index)?.model else { continue };
        if model.digest.is_some() {
            let key = [model.digest.clone(), model.files.clone()];
            let entry = named.entry(key).or_insert((model, 0, index));
            (entry.1, entry.2) = (entry.1 + 1, index);
        }
    }
    Ok(named)
}

/// The first file that differs, if the list that a receipt names is kept.
fn difference(place: &Place, model: &Model, now: Option<&FileList>) -> Option<String> {
    let digest = model.files.as_deref()?;
    if !place.data.join(DATABASE_FILE).exists() {
        return None;
    }
    let store = allod_answer::open_store(&place.data).ok()?;
    let row = store.artifact(digest).ok()??;
    let list = row.is_whole().then(|| FileList::read(&row.content)).flatten()?;
    list.difference(now?).map(|difference| difference.to_string())
}
