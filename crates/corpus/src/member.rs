//! Files that hold several documents: archives, mails with attachments, mailboxes.

use std::collections::HashSet;

use crate::document::Source;
use crate::format::Format;
use crate::front::{self, Front};
use crate::package::Package;
use crate::{Document, Unreadable, mail, mailbox};

/// How deep archives and mails may stand inside one another.
const MAX_DEPTH: usize = 4;
/// How many documents one file may hold in all.
pub(crate) const MAX_MEMBERS: usize = 20_000;
/// What the members of one file may come to in all, unpacked.
const MAX_MEMBER_BYTES: usize = 512 << 20;

/// After so many files that are too large unpacked, an archive is not read further: each cost
/// the time of unpacking up to the limit.
const MAX_BOMBS: usize = 8;

/// The ending of a file that describes the file beside it.
const SIDECAR: &str = ".meta.yaml";

/// A document of a file, or why that part of it could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its path inside the file, with `/`: "offer.docx", "old.zip/a.md"; empty for the document
    /// that is the file itself.
    pub path: String,
    /// What was read.
    pub document: Result<Document, Unreadable>,
}

/// Reads all documents of a file: one, or for archives, mails and mailboxes as many as they hold.
///
/// What the sidecar says about a label, dates, language and source holds for every document in the
/// file, before what the document says itself; its title and amendments are the file's own.
pub fn read_all(source: &Source) -> Vec<Member> {
    let mut walk = Walk { path: source.path, found: Vec::new(), left_bytes: MAX_MEMBER_BYTES };
    match source.sidecar.map(front::sidecar).transpose() {
        Err(error) => walk.push(String::new(), Err(error)),
        Ok(said) => {
            let said = said.unwrap_or_default();
            walk.take(File { inside: String::new(), bytes: source.bytes, said, depth: 0 });
        }
    }
    walk.found
}

/// A file on the way: the one that was given, or one in it.
struct File<'a> {
    inside: String,
    bytes: &'a [u8],
    /// What is said about it from outside.
    said: Front,
    depth: usize,
}

struct Walk<'a> {
    /// The path of the file that was given.
    path: &'a str,
    found: Vec<Member>,
    left_bytes: usize,
}

impl Walk<'_> {
    fn push(&mut self, path: String, document: Result<Document, Unreadable>) {
        self.found.push(Member { path, document });
    }

    fn take(&mut self, file: File) {
        let path = if file.inside.is_empty() { self.path } else { file.inside.as_str() };
        let format = match Format::of(path, file.bytes) {
            Ok(format) => format,
            Err(error) => return self.push(file.inside, Err(error)),
        };
        let is_container = matches!(format, Format::Zip | Format::Mail | Format::Mailbox);
        if is_container && file.depth >= MAX_DEPTH {
            let error = Unreadable::NestedFiles { limit: MAX_DEPTH };
            return self.push(file.inside, Err(error));
        }
        match format {
            Format::Zip => self.archive(file),
            Format::Mail => self.mail(file),
            Format::Mailbox => self.mailbox(file),
            format => {
                let document = crate::read_one(format, path, file.bytes, file.said);
                self.push(file.inside, document);
            }
        }
    }

    /// Takes a file that stands in another.
    fn member(&mut self, container: &File, name: &str, bytes: &[u8], said: Front) {
        let inside = join(&container.inside, name);
        if self.found.len() >= MAX_MEMBERS {
            return;
        }
        if bytes.len() > self.left_bytes {
            let limit = MAX_MEMBER_BYTES as u64;
            return self.push(inside, Err(Unreadable::Expands { limit }));
        }
        self.left_bytes -= bytes.len();
        let said = container.said.clone().for_members().or(said);
        self.take(File { inside, bytes, said, depth: container.depth + 1 });
    }

    fn archive(&mut self, file: File) {
        if let Err(error) = self.unpack(&file) {
            self.push(file.inside, Err(error));
        }
    }

    fn unpack(&mut self, file: &File) -> Result<(), Unreadable> {
        let mut package = Package::open(file.bytes, "ZIP")?;
        let entries = package.entries();
        let before = self.found.len();
        let mut seen = HashSet::new();
        let mut bombs = 0;
        for entry in entries.iter().filter(|entry| !is_passed_over(&entry.name)) {
            let name = match safe_path(&entry.name) {
                Ok(name) => name,
                Err(error) => {
                    self.push(join(&file.inside, &plain_name(&entry.name)), Err(error));
                    continue;
                }
            };
            if !seen.insert(name.clone()) {
                continue;
            }
            let sidecar = format!("{}{SIDECAR}", entry.name);
            let beside = entries.iter().find(|other| other.name == sidecar);
            let said = beside.map(|entry| sidecar_of(&mut package, entry.index)).transpose();
            match said.and_then(|said| Ok((said, package.unpack(entry.index)?))) {
                Ok((said, bytes)) => self.member(file, &name, &bytes, said.unwrap_or_default()),
                Err(error) => {
                    bombs += usize::from(matches!(error, Unreadable::Expands { .. }));
                    self.push(join(&file.inside, &name), Err(error));
                    if bombs > MAX_BOMBS {
                        break;
                    }
                }
            }
        }
        if self.found.len() == before {
            return Err(Unreadable::Empty);
        }
        Ok(())
    }

    fn mail(&mut self, file: File) {
        let message = match mail::read(file.bytes) {
            Ok(message) => message,
            Err(error) => return self.push(file.inside, Err(error)),
        };
        let path = if file.inside.is_empty() { self.path } else { file.inside.as_str() };
        let document = crate::document_of(path, message.found, file.said.clone());
        self.push(file.inside.clone(), document);
        let mut names = HashSet::new();
        for attachment in message.attachments {
            let name = unused(&mut names, &attachment.name);
            self.member(&file, &name, &attachment.bytes, Front::default());
        }
    }

    fn mailbox(&mut self, file: File) {
        let messages = mailbox::split(file.bytes);
        if messages.is_empty() {
            let detail = "it has no line that begins with \"From \"".to_owned();
            let error = Unreadable::Broken { format: "mailbox", detail };
            return self.push(file.inside, Err(error));
        }
        for (index, message) in messages.iter().enumerate() {
            self.member(&file, &format!("{:05}.eml", index + 1), message, Front::default());
        }
    }
}

fn sidecar_of(package: &mut Package, index: usize) -> Result<Front, Unreadable> {
    let bytes = package.unpack(index)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| Unreadable::NotUtf8 { offset: error.valid_up_to() })?;
    front::sidecar(text)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Files that say nothing: what systems leave behind, hidden files, sidecars.
fn is_passed_over(name: &str) -> bool {
    let mut parts = name.split(['/', '\\']);
    let is_system = |part: &str| part.len() > 1 && part.starts_with('.') && part != "..";
    parts.any(|part| is_system(part) || matches!(part, "__MACOSX" | "Thumbs.db" | "desktop.ini"))
        || name.ends_with(SIDECAR)
}

/// A name in an archive as a path below it.
fn safe_path(name: &str) -> Result<String, Unreadable> {
    let refuse = || Unreadable::UnsafeName { name: plain_name(name) };
    let is_drive = |part: &str| part.len() == 2 && part.ends_with(':');
    let parts: Vec<&str> = name.split(['/', '\\']).collect();
    let is_unsafe = |part: &&str| *part == ".." || part.contains(char::is_control);
    if parts.first().is_none_or(|first| first.is_empty() || is_drive(first))
        || parts.iter().any(is_unsafe)
    {
        return Err(refuse());
    }
    let kept: Vec<&str> = parts.into_iter().filter(|part| !matches!(*part, "" | ".")).collect();
    if kept.is_empty() { Err(refuse()) } else { Ok(kept.join("/")) }
}

/// A name that can be shown and that leads nowhere.
fn plain_name(name: &str) -> String {
    let parts = name.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | ".."));
    let joined = parts.collect::<Vec<_>>().join("_");
    let shown: String = joined.chars().filter(|c| !c.is_control()).take(120).collect();
    if shown.is_empty() { "unnamed".to_owned() } else { shown }
}

/// The name, with a number if it is taken.
fn unused(names: &mut HashSet<String>, name: &str) -> String {
    let name = plain_name(name);
    let numbered = |count: usize| match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem} ({count}).{ending}"),
        None => format!("{name} ({count})"),
    };
    let mut candidate = name.clone();
    let mut count = 1;
    while !names.insert(candidate.clone()) {
        count += 1;
        candidate = numbered(count);
    }
    candidate
}
