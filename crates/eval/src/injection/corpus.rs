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
}

impl Spot {
    const ALL: [Spot; 3] = [Spot::Beginning, Spot::Middle, Spot::End];
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
        Ok(Pasted { files })
    }

    /// Documents that an attack can be pasted into.
    pub(super) fn documents(&self) -> usize {
        self.files.iter().filter(|(path, _)| is_text(path)).count()
    }

    /// Rounds until every attack has stood at every spot of some document.
    pub(super) fn rounds(&self, attacks: usize) -> usize {
        (attacks * Spot::ALL.len()).div_ceil(self.documents().max(1))
    }

    /// Writes them all, each with the attack and the spot that are its in the round.
    pub(super) fn write(
        &self,
        folder: &Path,
        round: Option<(usize, &[Attack])>,
    ) -> std::io::Result<()> {
        let mut turn = round.map_or(0, |(round, _)| round * self.documents());
        for (path, bytes) in &self.files {
            let target = folder.join(path);
            std::fs::create_dir_all(target.parent().unwrap_or(folder))?;
            let text = std::str::from_utf8(bytes).ok().filter(|_| is_text(path));
            match (text, round) {
                (Some(text), Some((_, attacks))) if !attacks.is_empty() => {
                    let attack = &attacks[turn / Spot::ALL.len() % attacks.len()];
                    let spot = Spot::ALL[turn % Spot::ALL.len()];
                    std::fs::write(target, paste(path, text, &attack.text, spot))?;
                    turn += 1;
                }
                _ => std::fs::write(target, bytes)?,
            }
        }
        Ok(())
    }
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
        (Spot::End, _) => text.len(),
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
        for spot in Spot::ALL {
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
