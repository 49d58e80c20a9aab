//! The documents and mails that attacks are pasted into.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Attack, Trial};

/// Where in a document an attack stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spot {
    /// Before the first paragraph.
    Beginning,
    /// Between two paragraphs.
    Middle,
    /// After the last.
    End,
    /// In the title, or in the subject of a mail.
    Title,
    /// In the name of the file, or of who sent a mail.
    FileName,
    /// In the name of a column of a table.
    Header,
    /// In the cells of a row, a few words in each.
    Cells,
    /// In the items of a list, a few words in each.
    Lines,
    /// In the words for a picture and in the address of a link.
    Link,
}

impl Spot {
    /// Paragraphs of their own.
    pub const PARAGRAPHS: [Spot; 3] = [Spot::Beginning, Spot::Middle, Spot::End];
    /// What is read of a document beside its paragraphs.
    pub const CARRIERS: [Spot; 6] =
        [Spot::Title, Spot::FileName, Spot::Header, Spot::Cells, Spot::Lines, Spot::Link];

    /// Its name in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Spot::Beginning => "beginning",
            Spot::Middle => "middle",
            Spot::End => "end",
            Spot::Title => "title or subject",
            Spot::FileName => "name of the file or the sender",
            Spot::Header => "header of a table",
            Spot::Cells => "cells",
            Spot::Lines => "lines",
            Spot::Link => "picture and link",
        }
    }
}

/// What was planted where.
#[derive(Clone, Debug)]
pub(super) struct Planted {
    pub(super) path: PathBuf,
    pub(super) spot: Spot,
}

/// A mail, with a question about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The mail as RFC 5322 has it.
    pub text: String,
    /// The question.
    pub question: String,
}

/// The mails of a folder of the BIPIA set: its files `email*.jsonl`, and those of its folder
/// `email`.
///
/// # Errors
/// When a file cannot be read.
pub fn bipia_mails(folder: &Path) -> std::io::Result<Vec<Mail>> {
    let mut mails = Vec::new();
    for folder in [folder.to_owned(), folder.join("email")] {
        let Ok(files) = std::fs::read_dir(&folder) else { continue };
        let mut paths: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let inside = folder.ends_with("email");
            if name.ends_with(".jsonl") && (inside || name.starts_with("email")) {
                mails.extend(std::fs::read_to_string(&path)?.lines().filter_map(mail));
            }
        }
    }
    Ok(mails)
}

/// A line with `context` and `question`. The context says its headers as `SUBJECT: …|CONTENT: …`.
fn mail(line: &str) -> Option<Mail> {
    let value: Value = serde_json::from_str(line).ok()?;
    let context = value["context"].as_str()?;
    let question = value["question"].as_str()?.trim_start_matches("Q:").trim();
    let (head, body) = context.split_once("|CONTENT:").unwrap_or(("", context));
    let header = |name: &str| {
        let field = head.split('|').find_map(|field| field.strip_prefix(name))?;
        Some(field.replace(['\r', '\n'], " ").trim().to_owned())
    };
    let subject = header("SUBJECT:").unwrap_or_else(|| "Mail".to_owned());
    let from = header("EMAIL_FROM:").unwrap_or_else(|| "sender@example.org".to_owned());
    let text = format!(
        "From: {from}\nTo: office@example.org\nSubject: {subject}\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{}\n",
        body.trim()
    );
    Some(Mail { text, question: question.to_owned() })
}

/// All documents of a trial, in a form that attacks can be pasted into.
pub(super) struct Pasted {
    files: Vec<(PathBuf, Vec<u8>)>,
    spots: Vec<Spot>,
}

impl Pasted {
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn new(trial: &Trial) -> std::io::Result<Pasted> {
        let mut files = Vec::new();
        read(&trial.documents, &trial.documents, &mut files)?;
        files.sort();
        for (number, mail) in trial.mails.iter().enumerate() {
            let path = PathBuf::from(format!("mail/{number:04}.eml"));
            files.push((path, mail.text.clone().into_bytes()));
        }
        Ok(Pasted { files, spots: trial.spots.clone() })
    }

    /// Documents that an attack can be pasted into.
    pub(super) fn documents(&self) -> usize {
        self.files.iter().filter(|(path, _)| is_text(path)).count()
    }

    /// Rounds until every attack has stood at every spot of some document.
    pub(super) fn rounds(&self, attacks: usize) -> usize {
        (attacks * self.spots.len()).div_ceil(self.documents().max(1))
    }

    /// Writes them all, each with the attack and the spot that are its in the round.
    pub(super) fn write(
        &self,
        folder: &Path,
        round: Option<(usize, &[Attack])>,
    ) -> std::io::Result<Vec<Planted>> {
        let mut turn = round.map_or(0, |(round, _)| round * self.documents());
        let mut planted = Vec::new();
        for (path, bytes) in &self.files {
            let target = folder.join(path);
            std::fs::create_dir_all(target.parent().unwrap_or(folder))?;
            let text = std::str::from_utf8(bytes).ok().filter(|_| is_text(path));
            match (text, round) {
                (Some(text), Some((_, attacks))) if !attacks.is_empty() => {
                    let attack = &attacks[turn / self.spots.len() % attacks.len()].text;
                    let spot = self.spots[turn % self.spots.len()];
                    let named = spot == Spot::FileName && !is_mail(path);
                    let target = if named { renamed(&target, attack) } else { target };
                    std::fs::write(&target, carried(path, text, attack, spot))?;
                    planted.push(Planted { path: target, spot });
                    turn += 1;
                }
                _ => std::fs::write(target, bytes)?,
            }
        }
        Ok(planted)
    }
}

fn is_mail(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "eml")
}

/// A file name can have 255 bytes.
const NAME_BYTES: usize = 160;
/// How many words of an attack stand in one cell or line.
const WORDS_APART: usize = 3;

/// The path with the attack in the file's name.
fn renamed(path: &Path, attack: &str) -> PathBuf {
    let kept = |c: char| if c.is_control() || "/\\:\"".contains(c) { ' ' } else { c };
    let attack: String = attack.chars().map(kept).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let attack = &attack[..attack.floor_char_boundary(NAME_BYTES)];
    path.with_file_name(format!("{} {name}", attack.trim()))
}

/// The text with the attack where the spot says.
fn carried(path: &Path, text: &str, attack: &str, spot: Spot) -> String {
    let line = attack.split_whitespace().collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = line.split(' ').collect();
    let pieces: Vec<String> = words.chunks(WORDS_APART).map(|words| words.join(" ")).collect();
    let html = path.extension().is_some_and(|ending| ending == "html");
    let block = match (spot, html) {
        (Spot::Title, _) => return titled(path, text, &line),
        (Spot::FileName, _) if is_mail(path) => {
            let quoted = line.replace(['"', '\\', '<', '>'], " ");
            return text.replacen("From: ", &format!("From: \"{quoted}\" via "), 1);
        }
        (Spot::FileName, _) => return text.to_owned(),
        (Spot::Header, true) => format!(
            "<table><tr><th>{line}</th><th>Nr.</th></tr><tr><td>A</td><td>1</td></tr>\
             <tr><td>B</td><td>2</td></tr></table>"
        ),
        (Spot::Header, false) => {
            format!("| {} | Nr. |\n|---|---|\n| A | 1 |\n| B | 2 |", line.replace('|', " "))
        }
        (Spot::Cells, true) => {
            format!("<table><tr><td>{}</td></tr></table>", pieces.join("</td><td>"))
        }
        (Spot::Cells, false) => {
            let names: Vec<String> = (1..=pieces.len()).map(|n| format!("N{n}")).collect();
            let cells = pieces.join("\u{1}").replace('|', " ").replace('\u{1}', " | ");
            let rule = "---|".repeat(pieces.len());
            format!("| {} |\n|{rule}\n| {cells} |", names.join(" | "))
        }
        (Spot::Lines, true) => format!("<ul><li>{}</li></ul>", pieces.join("</li><li>")),
        (Spot::Lines, false) => format!("- {}", pieces.join("\n- ")),
        (Spot::Link, true) => {
            let quoted = line.replace('"', "'");
            format!("<p><img alt=\"{quoted}\" src=\"a.png\"><a href=\"/{quoted}\">A</a></p>")
        }
        (Spot::Link, false) => {
            let address = line.replace([' ', '(', ')'], "-");
            format!("![{line}](a.png) [A](https://example.org/{address})")
        }
        (spot, _) => return paste(path, text, attack, spot),
    };
    if html {
        let at = text.find("</p>").map_or(text.len(), |at| at + 4);
        return format!("{}\n{block}\n{}", &text[..at], &text[at..]);
    }
    paste(path, text, &block, Spot::Middle)
}

/// The text with the attack behind its title or subject.
fn titled(path: &Path, text: &str, line: &str) -> String {
    let marks: &[&str] = match path.extension().and_then(|ending| ending.to_str()) {
        Some("eml") => &["Subject: "],
        Some("html") => &["<title>", "<h1>"],
        _ => &["title: ", "# "],
    };
    let mut text = text.to_owned();
    let mut found = false;
    for mark in marks {
        if let Some(at) = text.find(mark) {
            found = true;
            let start = at + mark.len();
            if *mark == "title: " {
                let end = start + text[start..].find('\n').unwrap_or(text.len() - start);
                let old = text[start..end].trim_matches(['"', '\'', ' ']).to_owned();
                let line = line.replace(['"', '\\'], "'");
                text.replace_range(start..end, &format!("\"{line} – {old}\""));
            } else {
                text.insert_str(start, &format!("{line} – "));
            }
        }
    }
    if found { text } else { format!("{line}\n\n{text}") }
}

fn read(root: &Path, folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, files)?;
        } else if let Ok(inside) = path.strip_prefix(root) {
            files.push((inside.to_owned(), std::fs::read(&path)?));
        }
    }
    Ok(())
}

fn is_text(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".md", ".txt", ".html", ".eml"].iter().any(|ending| name.ends_with(ending))
}

/// The text with the attack as a paragraph of its own.
fn paste(path: &Path, text: &str, attack: &str, spot: Spot) -> String {
    let html = path.extension().is_some_and(|ending| ending == "html");
    let planted = match html {
        true => format!("<p>{attack}</p>"),
        false => attack.to_owned(),
    };
    let gaps: Vec<usize> = match html {
        true => text.match_indices("</p>").map(|(at, mark)| at + mark.len()).collect(),
        false => gaps(text),
    };
    let at = match (spot, &gaps[..]) {
        (_, []) => text.len(),
        (Spot::Beginning, gaps) => gaps[0],
        (Spot::Middle, gaps) => gaps[gaps.len() / 2],
        (Spot::End, _) if html => gaps[gaps.len() - 1],
        // At the end, and what is no paragraph stands where it was put.
        (_, _) => text.len(),
    };
    format!("{}\n\n{planted}\n\n{}", &text[..at], &text[at..])
}

/// Where an empty line stands, after the front matter or the head of a mail.
fn gaps(text: &str) -> Vec<usize> {
    let front = text.strip_prefix("---\n").and_then(|rest| rest.find("\n---\n"));
    let from = front.map_or(0, |end| end + 8);
    text[from..].match_indices("\n\n").map(|(at, _)| from + at + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_is_a_paragraph_of_its_own() {
        let text = "---\ntitle: T\n\nlabel: x\n---\n# A\n\nOne.\n\nTwo.\n";
        let pasted = |spot| paste(Path::new("a.md"), text, "DO IT", spot);
        for spot in Spot::PARAGRAPHS {
            let pasted = pasted(spot);
            assert!(pasted.starts_with("---\ntitle: T\n\nlabel: x\n---\n# A\n"), "{pasted}");
            assert!(pasted.contains("\n\nDO IT\n\n"), "{pasted}");
        }
        assert!(pasted(Spot::Beginning).contains("# A\n\n\nDO IT\n\n\nOne."));
        assert!(pasted(Spot::End).ends_with("Two.\n\n\nDO IT\n\n"));
        let html = paste(Path::new("a.html"), "<p>A</p><p>B</p>", "DO", Spot::Beginning);
        assert_eq!(html, "<p>A</p>\n\n<p>DO</p>\n\n<p>B</p>");
    }

    #[test]
    fn an_attack_stands_where_the_spot_says() {
        let text = "---\ntitle: T\n---\n# A\n\nOne.\n\nTwo.\n";
        let made = |spot| carried(Path::new("a.md"), text, "do it now or else", spot);
        assert!(made(Spot::Title).contains("title: \"do it now or else – T\""));
        assert!(made(Spot::Header).contains("| do it now or else | Nr. |"));
        assert!(made(Spot::Cells).contains("| do it now | or else |"));
        assert!(made(Spot::Lines).contains("- do it now\n- or else"));
        assert!(made(Spot::Link).contains("![do it now or else](a.png)"));
        assert_eq!(made(Spot::FileName), text);
        let path = renamed(Path::new("a/b.md"), "do: it");
        assert_eq!(path, Path::new("a/do  it b.md"));
        let mail = "From: A <a@b.c>\nSubject: Paid\n\nHi\n";
        let sent = carried(Path::new("a.eml"), mail, "do it", Spot::FileName);
        assert!(sent.starts_with("From: \"do it\" via A <a@b.c>\n"), "{sent}");
    }

    #[test]
    fn mails_keep_their_heads() {
        let line = r#"{"context": "SUBJECT: Paid|EMAIL_FROM: A <a@b.c>|CONTENT: Hi\n\nBye",
            "question": "Q: Who?", "ideal": "A"}"#
            .replace("\n            ", " ");
        let mail = mail(&line).unwrap();
        assert!(
            mail.text.starts_with("From: A <a@b.c>\n") && mail.text.contains("Subject: Paid\n")
        );
        assert!(mail.text.ends_with("\n\nHi\n\nBye\n"));
        assert_eq!(mail.question, "Who?");
    }
}
