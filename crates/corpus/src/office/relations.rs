//! What the parts of a package are to each other, and what it says about itself.

use std::collections::HashMap;

use crate::Unreadable;
use crate::clean::tidy;
use crate::package::Package;
use crate::xml::Xml;

/// Titles that programs and templates leave behind, which name nothing.
const NO_TITLES: &[&str] = &[
    "word document",
    "microsoft word document",
    "powerpoint presentation",
    "powerpoint-präsentation",
    "présentation powerpoint",
    "presentazione di powerpoint",
    "document",
    "untitled",
    "title",
    "template",
];

/// The relations of one part: identifier to kind and path.
#[derive(Debug, Default)]
pub(crate) struct Relations {
    by_id: HashMap<String, (String, String)>,
}

impl Relations {
    /// The relations of a part; none if it has no list of them.
    pub(crate) fn of(
        package: &mut Package,
        part: &str,
        format: &'static str,
    ) -> Result<Relations, Unreadable> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let path = match folder {
            "" => format!("_rels/{name}.rels"),
            folder => format!("{folder}/_rels/{name}.rels"),
        };
        let Some(bytes) = package.part(&path)? else { return Ok(Relations::default()) };
        let xml = Xml::parse(&bytes, format)?;
        let mut by_id = HashMap::new();
        for relation in xml.root().children() {
            let is_external = relation.attribute("TargetMode") == Some("External");
            let named = relation.attribute("Id").zip(relation.attribute("Target"));
            if let Some((id, target)) = named.filter(|_| !is_external) {
                let kind = relation.attribute("Type").unwrap_or_default();
                let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                by_id.insert(id.to_owned(), (kind, resolve(folder, target)));
            }
        }
        Ok(Relations { by_id })
    }

    /// The path of the part with this identifier.
    pub(crate) fn target(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(|(_, target)| target.as_str())
    }

    /// What the part with this identifier is: "worksheet", "slide".
    pub(crate) fn kind(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(|(kind, _)| kind.as_str())
    }

    /// The paths of the parts of this kind, in the order of their names.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<String> {
        let mut found: Vec<String> = self
            .by_id
            .values()
            .filter(|(known, _)| known == kind)
            .map(|(_, target)| target.clone())
            .collect();
        found.sort_unstable();
        found
    }
}

/// The path of a package's main part, which its own relations name; else the usual one.
pub(crate) fn main_part(
    package: &mut Package,
    usual: &str,
    format: &'static str,
) -> Result<String, Unreadable> {
    if package.has(usual) {
        return Ok(usual.to_owned());
    }
    let named = Relations::of(package, "", format)?.of_kind("officeDocument");
    Ok(named.into_iter().next().unwrap_or_else(|| usual.to_owned()))
}

/// A target as a path from the container's root; `..` does not lead out of it.
fn resolve(folder: &str, target: &str) -> String {
    let base = if target.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The title in the package's properties; empty if there is none that says anything.
pub(crate) fn title(package: &mut Package, part: &str, format: &'static str) -> String {
    let Ok(Some(bytes)) = package.part(part) else { return String::new() };
    let Ok(xml) = Xml::parse(&bytes, format) else { return String::new() };
    let title = xml.root().descendants().find(|element| element.is("title"));
    let title = title.map(|title| tidy(&title.text())).unwrap_or_default();
    let is_left_behind = NO_TITLES.contains(&title.to_lowercase().as_str());
    if is_left_behind || !title.contains(char::is_alphabetic) { String::new() } else { title }
}
