//! The lines that the program writes about its running, without personal data.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::OnceLock;

use allod_policy::{Personal, Privacy};
use allod_privacy::{Action, Kind, Shield};

/// What hides personal data in lines; set when the policy is read, before that they are redacted.
static SHIELD: OnceLock<Option<Shield>> = OnceLock::new();

/// Kinds that lines about the running must name to be of any use: where it listens, whom it asks.
const TECHNICAL: [Kind; 3] = [Kind::Url, Kind::IpAddress, Kind::PostalCode];

/// From now on, lines are as the policy says.
pub fn follow(privacy: &Privacy) {
    let named = privacy.kinds.iter().filter_map(|kind| Kind::from_word(kind.word())).collect();
    // A second policy in one process changes nothing: the first line may have been written.
    let _ = SHIELD.set(shield(privacy.logs, named));
}

/// Without random bytes there are no pseudonyms, and marks need none: those are always there.
fn shield(personal: Personal, mut kinds: BTreeSet<Kind>) -> Option<Shield> {
    if kinds.is_empty() {
        kinds = Kind::ALL.iter().copied().filter(|kind| kind.is_direct()).collect();
        TECHNICAL.iter().for_each(|kind| {
            kinds.remove(kind);
        });
    }
    let kinds: Vec<Kind> = kinds.into_iter().collect();
    let action = match personal {
        Personal::Keep => return None,
        Personal::Redact => Action::Redact,
        Personal::Pseudonymise => Action::Pseudonymise,
        Personal::Block => Action::Block,
    };
    Some(Shield::new(action, &kinds).expect("the operating system gives random bytes"))
}

/// Where lines go: the standard error, each after a look for personal data.
pub struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let standard = || shield(Personal::Redact, BTreeSet::new());
        let Some(shield) = SHIELD.get_or_init(standard) else {
            return io::stderr().write(line);
        };
        let text = String::from_utf8_lossy(line);
        let (time, said) = text.split_at(time_len(&text));
        let hidden = shield.cover("log").hide(said);
        let shown = hidden.unwrap_or_else(|_| "a line with personal data was left out\n".into());
        io::stderr().write_all(format!("{time}{shown}").as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Bytes of the time that a line begins with, colours included: its digits are nobody's number.
fn time_len(line: &str) -> usize {
    let first = line.split_inclusive(' ').next().unwrap_or_default();
    let of_time = |byte: u8| byte.is_ascii_digit() || b"-:.TZ\x1b[m ".contains(&byte);
    let is_time = first.contains('T') && first.contains('Z') && first.bytes().all(of_time);
    if is_time { first.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_line_is_known_with_and_without_colours() {
        let time = "2026-11-22T09:46:33.123456Z ";
        assert_eq!(time_len(&format!("{time}ERROR allod: 756.9217.0769.85")), time.len());
        let time = "\u{1b}[2m2026-11-22T09:46:33.123456Z\u{1b}[0m ";
        assert_eq!(time_len(&format!("{time}WARN allod: x")), time.len());
        assert_eq!(time_len("756.9217.0769.85 was said"), 0);
    }
}
