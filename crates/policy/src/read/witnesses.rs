//! Who cosigns the log's checkpoints.

use super::reader::{Field, Reader, Section};
use super::{WITNESS, url};
use crate::node::{Node, Value};
use crate::policy::Witness;

const WITNESSES_MAX: usize = 16;

pub(super) fn read(reader: &mut Reader, root: &Section<'_>) -> Vec<Witness> {
    let Some(field) = root.field("witnesses") else { return Vec::new() };
    let Value::List(list) = &field.node.value else {
        let hint = "write a list whose items have the keys url and vkey";
        reader.reject(&field, format!("must be a list, but is {}", field.node.value.kind()), hint);
        return Vec::new();
    };
    if list.len() > WITNESSES_MAX {
        let hint = format!("a policy has at most {WITNESSES_MAX}");
        reader.reject(&field, format!("has {} witnesses", list.len()), hint);
        return Vec::new();
    }
    let items = list.iter().enumerate();
    items.filter_map(|(index, node)| witness(reader, index, node)).collect()
}

fn witness(reader: &mut Reader, index: usize, node: &Node) -> Option<Witness> {
    let field = Field { path: format!("witnesses[{index}]"), place: node.place, node };
    let section = reader.group(&field, WITNESS)?;
    for key in WITNESS.iter().filter(|key| section.field(key).is_none()) {
        let hint = "every witness has the keys url and vkey; `allod witness` prints both";
        reader.reject(&field, format!("has no `{key}`"), hint);
    }
    let (url, vkey) = (url(reader, &section, "url"), reader.text(&section, "vkey")?);
    if vkey.split('+').count() < 3 {
        let hint = "write it as the witness prints it: name+id+key";
        reader.reject(&section.field("vkey")?, "is no verifier key".to_owned(), hint);
        return None;
    }
    Some(Witness { url: url?, vkey })
}
