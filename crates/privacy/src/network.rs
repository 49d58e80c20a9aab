//! Addresses in networks: e-mail, web, internet.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::finding::{Finding, How};
use crate::fold::{ALNUM, Folded, OPENS, SPACE};
use crate::kind::Kind;

/// Longest local part and domain of an e-mail address (RFC 5321, 4.5.3.1).
const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 255;
const URL_MAX: usize = 2048;
const IP_MAX: usize = 45;

/// Finds addresses, in time linear in the text: each looks a bounded way to the left, and what was
/// found to the right is not looked at again.
pub(crate) fn find(text: &Folded) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut place = 0;
    // What is no mark begins with no word or number before it.
    let may_begin = |now: u8, before: u8| now & OPENS != 0 || now & ALNUM > before & ALNUM;
    while let Some(next) = text.find(place, may_begin) {
        place = next;
        let one = match text.at(place) {
            '@' => email(text, place, 1),
            '(' | '[' | '{' => bracketed_at(text, place),
            _ if text.is_after(place, ALNUM) => None,
            'h' | 'H' | 'w' | 'W' | 'f' | 'F' => url(text, place),
            '0'..='9' | 'a'..='e' | 'A'..='E' | ':' => internet(text, place),
            _ => None,
        };
        match one {
            Some((start, end, kind)) => {
                let range = text.bytes(start..end);
                found.push(Finding { range, kind, score: 0.97, how: How::Pattern });
                place = end.max(place + 1);
            }
            None => place += 1,
        }
    }
    found
}

type Place = (usize, usize, Kind);

fn is_local(char: char) -> bool {
    char.is_alphanumeric() || "._%+-'=#&!$*/?^`{|}~".contains(char)
}

/// An address around an `@` of so many letters at a place.
fn email(text: &Folded, at: usize, letters: usize) -> Option<Place> {
    let before = skip_back(text, at);
    let least = before.saturating_sub(LOCAL_MAX);
    let mut start = before;
    while start > least && is_local(text.before(start)) {
        start -= 1;
    }
    while start < before && !text.at(start).is_alphanumeric() {
        start += 1;
    }
    let end = domain(text, skip(text, at + letters))?;
    (start < before).then_some((start, end, Kind::Email))
}

/// `name (at) example.org`, as people write it to be read by people only.
fn bracketed_at(text: &Folded, place: usize) -> Option<Place> {
    let close = (place + 1..place + 6).find(|at| matches!(text.at(*at), ')' | ']' | '}'))?;
    let start = (place + 1..close).find(|at| !text.is(*at, SPACE))?;
    let letter = |at: usize, letter: char| text.at(at).eq_ignore_ascii_case(&letter);
    let is_at = letter(start, 'a') && letter(start + 1, 't') && start + 2 <= close;
    if !is_at || (start + 2..close).any(|at| !text.is(at, SPACE)) {
        return None;
    }
    email(text, place, close + 1 - place)
}

fn skip(text: &Folded, place: usize) -> usize {
    place + usize::from(text.at(place) == ' ' && text.at(place + 1).is_alphanumeric())
}

fn skip_back(text: &Folded, place: usize) -> usize {
    let spaced = text.before(place) == ' ' && place > 1 && text.at(place) != '@';
    place - usize::from(spaced)
}

/// The end of a domain name with at least one dot.
fn domain(text: &Folded, start: usize) -> Option<usize> {
    let most = (start + DOMAIN_MAX).min(text.len());
    let mut end = start;
    while end < most && (text.at(end).is_alphanumeric() || "-._".contains(text.at(end))) {
        end += 1;
    }
    while end > start && !text.before(end).is_alphanumeric() {
        end -= 1;
    }
    let name = text.text(start..end);
    let last = name.rsplit('.').next()?;
    let sound = name.contains('.') && last.chars().count() >= 2 && !name.contains("..");
    (sound && !last.chars().all(char::is_numeric)).then_some(end)
}

fn url(text: &Folded, place: usize) -> Option<Place> {
    let begins = |scheme: &str| {
        let mut letters = scheme.chars().zip(place..);
        letters.all(|(letter, at)| text.at(at).eq_ignore_ascii_case(&letter))
    };
    let schemes = ["https://", "http://", "ftp://", "www."];
    let scheme = schemes.iter().find(|scheme| begins(scheme))?;
    let most = (place + URL_MAX).min(text.len());
    let mut end = place + scheme.len();
    while end < most && !text.at(end).is_whitespace() && !"<>\"`{}|\\^".contains(text.at(end)) {
        end += 1;
    }
    while end > place && ".,;:!?'()[]".contains(text.before(end)) {
        end -= 1;
    }
    (end > place + scheme.len()).then_some((place, end, Kind::Url))
}

fn internet(text: &Folded, place: usize) -> Option<Place> {
    if matches!(text.before(place), '.' | ':') {
        return None;
    }
    let most = (place + IP_MAX).min(text.len());
    let part = |char: char| char.is_ascii_hexdigit() || matches!(char, '.' | ':');
    let mut end = place;
    while end < most && part(text.at(end)) {
        end += 1;
    }
    while end > place && text.before(end) == '.' {
        end -= 1;
    }
    if end == most && most < text.len() && part(text.at(end)) {
        return None;
    }
    let has_marks = (place..end).any(|at| matches!(text.at(at), '.' | ':'));
    if !has_marks || text.is(end, ALNUM) {
        return None;
    }
    let name = text.text(place..end);
    let is_four = name.parse::<Ipv4Addr>().is_ok();
    let is_six = || name.len() > 4 && name.parse::<Ipv6Addr>().is_ok();
    (is_four || is_six()).then_some((place, end, Kind::IpAddress))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Kind, &str)> {
        let folded = Folded::new(text);
        find(&folded).into_iter().map(|one| (one.kind, &text[one.range])).collect()
    }

    #[test]
    fn addresses_are_found_without_what_stands_around_them() {
        let text = "Write to <anna.muster+x@mail.example.ch>, or ueli (at) example.org.";
        let both = [
            (Kind::Email, "anna.muster+x@mail.example.ch"),
            (Kind::Email, "ueli (at) example.org"),
        ];
        assert_eq!(found(text), both);
        assert_eq!(
            found("see https://example.org/a?b=c."),
            [(Kind::Url, "https://example.org/a?b=c")]
        );
        let ips = "from 10.0.0.1, 2001:db8::1 at 12:30:15 of 1.2.3";
        assert_eq!(found(ips), [(Kind::IpAddress, "10.0.0.1"), (Kind::IpAddress, "2001:db8::1")]);
        assert_eq!(found("a@b @c me@localhost 1.2.3.4.5"), []);
    }
}
