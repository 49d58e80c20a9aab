//! Under which name a checkpoint keeps the text model, where it holds more than text or less.

use super::Known;

/// Where the text model's tensors start in checkpoints that hold more than text, or nothing but the
/// layers.
const ROOTS: [&str; 3] = ["model.language_model.", "language_model.model.", ""];

/// A tensor's name in this checkpoint, from its name in a checkpoint of text alone.
pub(super) fn name_in(known: Known, name: String) -> String {
    let holds = |root: &&&str| known.has(&format!("{root}embed_tokens.weight"));
    match (ROOTS.iter().find(holds), name.strip_prefix("model.")) {
        (Some(root), Some(rest)) => format!("{root}{rest}"),
        _ => name,
    }
}

/// A tensor's or module's name in safetensors as it is in a checkpoint of text alone.
pub(crate) fn plain_name(name: &str) -> String {
    let bare = name.starts_with("layers.") || name.starts_with("embed_tokens");
    let inner = |root: &&&str| if root.is_empty() { bare } else { name.starts_with(**root) };
    let root = ROOTS.iter().find(inner);
    root.map_or_else(|| name.to_string(), |root| format!("model.{}", &name[root.len()..]))
}
