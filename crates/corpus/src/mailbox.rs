//! Mailboxes: mails one after another, each after a line that begins with "From ".

use crate::member::MAX_MEMBERS;

/// The mails of a mailbox, without the lines between them.
pub(crate) fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut mails: Vec<Vec<u8>> = Vec::new();
    let mut after_blank = true;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if after_blank && line.starts_with(b"From ") {
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
}
