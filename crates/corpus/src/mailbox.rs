//! Mailboxes: mails one after another, each after a line that begins with "From ".

use crate::member::MAX_MEMBERS;

/// The mails of a mailbox, without the lines between them.
pub(crate) fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut mails: Vec<Vec<u8>> = Vec::new();
    let mut after_blank = true;
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let is_first = mails.is_empty() && line.starts_with(b"From ");
        if after_blank && (is_first || is_separator(line, lines.peek().copied())) {
            if mails.len() >= MAX_MEMBERS {
                break;
            }
            mails.push(Vec::new());
            after_blank = false;
            continue;
        }
        after_blank = matches!(line, b"\n" | b"\r\n");
        match mails.last_mut() {
            Some(mail) => mail.extend_from_slice(unquoted(line)),
            // A mailbox begins with such a line; anything else is no mailbox.
            None if !after_blank => break,
            None => {}
        }
    }
    mails
}

/// Whether a line begins a mail: "From " and a time with its year; or a sender's address or a dash,
/// with a header line below. A sentence of a mail may begin with "From ", too.
fn is_separator(line: &[u8], next: Option<&[u8]>) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_time = |word: &[u8]| word.contains(&b':') && word.iter().all(is_digit_or(b':'));
    let is_year = |word: &[u8]| word.len() == 4 && word.iter().all(u8::is_ascii_digit);
    if words.clone().any(is_time) && words.clone().any(is_year) {
        return true;
    }
    let sender = words.next().unwrap_or_default();
    (sender == b"-" || sender.contains(&b'@')) && next.is_some_and(is_header)
}

fn is_digit_or(sign: u8) -> impl Fn(&u8) -> bool {
    move |byte| byte.is_ascii_digit() || *byte == sign
}

/// "Subject: …".
fn is_header(line: &[u8]) -> bool {
    let name = line.iter().take_while(|byte| byte.is_ascii_graphic() && **byte != b':').count();
    name > 0 && line.get(name) == Some(&b':')
}

/// ">From …" stands for a line of text that begins with "From ".
fn unquoted(line: &[u8]) -> &[u8] {
    let marks = line.iter().take_while(|byte| **byte == b'>').count();
    let is_quoted = marks > 0 && line[marks..].starts_with(b"From ");
    if is_quoted { &line[1..] } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_come_apart() {
        let text = b"From a@b Mon Jan 5\nSubject: 1\n\nHi\n>From here\nFrom there\n\n\
            From c@d Tue Jan 6\r\nSubject: 2\r\n\r\nEnd\r\n";
        let mails = split(text);
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[0], b"Subject: 1\n\nHi\nFrom here\nFrom there\n\n");
        assert!(mails[1].starts_with(b"Subject: 2"));
        assert!(split(b"Subject: x\n\nFrom nowhere").is_empty());
    }

    #[test]
    fn a_sentence_that_begins_with_from_is_text() {
        let text = b"\xef\xbb\xbfFrom -\nSubject: 1\n\nSee below.\n\nFrom Monday on\nFees: 3\n\n\
            From a@b.ch we hear\nnothing.\n\nFrom - \nSubject: 2\n\n\
            From MAILER-DAEMON Fri Jan 9 12:08:34 2026\n\nEnd\n";
        let mails = split(text);
        assert_eq!(mails.len(), 3);
        let first = String::from_utf8(mails[0].clone()).unwrap();
        assert!(first.contains("From Monday on") && first.contains("From a@b.ch we hear"));
    }
}
