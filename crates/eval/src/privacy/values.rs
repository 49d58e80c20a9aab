//! Values that templates are filled with, each true to the rules of its kind.

use std::collections::BTreeMap;

use super::forms;
use super::random::Random;

/// The lists of one language.
pub(super) struct Values {
    pub(super) language: &'static str,
    lists: BTreeMap<&'static str, Vec<&'static str>>,
}

/// Which half of the lists is drawn from, so that no value of one half is met in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// To learn and tune on.
    First,
    /// To measure on.
    Second,
}

impl Values {
    pub(super) fn read(language: &'static str, text: &'static str) -> Values {
        let list = |line: &'static str| {
            let (name, words) = line.split_once(": ")?;
            Some((name, words.split(',').map(str::trim).collect()))
        };
        Values { language, lists: text.lines().filter_map(list).collect() }
    }

    /// A whole list.
    pub(super) fn list(&self, name: &str) -> &[&'static str] {
        &self.lists[name]
    }

    pub(super) fn draw(&self, list: &str, half: Half, random: &mut Random) -> &'static str {
        let words = &self.lists[list];
        if words.len() < 18 {
            // Days, titles and jobs are the same words everywhere.
            return words[random.below(words.len())];
        }
        let of_half = words.len() / 2;
        words[random.below(of_half) * 2 + usize::from(half == Half::Second)]
    }

    /// A value for a name in braces.
    pub(super) fn value(&self, name: &str, half: Half, random: &mut Random) -> String {
        let draw = |list: &str, random: &mut Random| self.draw(list, half, random).to_owned();
        if half == Half::First
            && random.below(2) == 0
            && let Some(value) = self.further(name, random)
        {
            return value;
        }
        match name {
            label if label.starts_with("l.") => random.pick(self.list(label)).to_owned(),
            "first" => draw("given", random),
            "last" => draw("family", random),
            "person" => self.person(half, random),
            "address" => self.address(half, random),
            "birth" => self.date(random, 1935),
            "date" => self.date(random, 2010),
            "year" => (1950 + random.below(75)).to_string(),
            "age" => (18 + random.below(75)).to_string(),
            "postcode" => self.postcode(random),
            "place" | "street" | "organization" | "job" | "nationality" | "country" | "title"
            | "ms" | "day" => draw(name, random),
            "phone" => self.phone(random),
            "plate" => self.plate(random),
            "email" => {
                let (first, last) = (draw("given", random), draw("family", random));
                email(&first, &last, random)
            }
            "url" => {
                let last = draw("family", random);
                format!("https://www.{}{}.example.org", plain(&last), random.below(2))
            }
            other => super::identifier::identifier(other, random),
        }
    }

    /// A value in a form that is there to learn on only.
    fn further(&self, name: &str, random: &mut Random) -> Option<String> {
        let draw = |list: &str, random: &mut Random| self.draw(list, Half::First, random);
        Some(match name {
            "first" => forms::given(self, random),
            "last" => forms::family(self, random),
            "person" => forms::person(self, random),
            "phone" => forms::phone(self.language, random),
            "organization" => forms::organization(self, random),
            "address" => {
                let code = self.postcode(random);
                forms::address(self, (draw("street", random), &code), random)
            }
            _ => return None,
        })
    }

    fn person(&self, half: Half, random: &mut Random) -> String {
        let draw = |list: &str, random: &mut Random| self.draw(list, half, random);
        let (first, last) = (draw("given", random), draw("family", random));
        match random.below(10) {
            0 => format!("{first} {} {last}", draw("given", random)),
            1 => format!("{first} {last}-{}", draw("family", random)),
            2 => format!("{first} {}. {last}", random.pick(&["A", "B", "M", "R", "T"])),
            _ => format!("{first} {last}"),
        }
    }

    fn postcode(&self, random: &mut Random) -> String {
        let swiss = 1000 + random.below(8700);
        let five = 10_000 + random.below(89_000);
        match self.language {
            "rm" => (7000 + random.below(750)).to_string(),
            "en" => five.to_string(),
            _ if random.below(3) == 0 => five.to_string(),
            _ => swiss.to_string(),
        }
    }

    fn address(&self, half: Half, random: &mut Random) -> String {
        let street = self.draw("street", half, random);
        let place = self.draw("place", half, random);
        let code = self.postcode(random);
        let mut number = (1 + random.below(180)).to_string();
        if random.below(6) == 0 {
            number.push(random.pick(&['a', 'b', 'c']));
        }
        let comma = random.pick(&[", ", ", ", "\n", " "]);
        match self.language {
            "fr" => format!("{number}, {street}{comma}{code} {place}").replacen(
                ", ",
                random.pick(&[" ", ", "]),
                1,
            ),
            "en" => format!("{number} {street}{comma}{place} {code}"),
            _ => format!("{street} {number}{comma}{code} {place}"),
        }
    }

    fn date(&self, random: &mut Random, from: usize) -> String {
        let (day, month) = (1 + random.below(28), random.below(12));
        let year = from + random.below(if from < 2000 { 75 } else { 17 });
        let name = self.lists["month"][month];
        let number = month + 1;
        match (random.below(4), self.language) {
            (0, _) => format!("{day:02}.{number:02}.{year}"),
            (1, "en") => format!("{number}/{day}/{year}"),
            (1, "fr" | "it") => format!("{day:02}/{number:02}/{year}"),
            (1, _) => format!("{day}.{number}.{year}"),
            (2, _) => format!("{year}-{number:02}-{day:02}"),
            (_, "de") => format!("{day}. {name} {year}"),
            (_, "en") => format!("{name} {day}, {year}"),
            (_, "rm") => format!("{day} da {name} {year}"),
            _ => format!("{day} {name} {year}"),
        }
    }

    fn phone(&self, random: &mut Random) -> String {
        let forms: &[&str] = match self.language {
            "de" => &[
                "+41 44 ### ## ##",
                "079 ### ## ##",
                "+49 30 #######",
                "0171 #######",
                "(089) ######",
                "044/### ## ##",
                "0041 79 ### ## ##",
                "+4179#######",
            ],
            "fr" => &[
                "+41 21 ### ## ##",
                "078 ### ## ##",
                "01 ## ## ## ##",
                "06.##.##.##.##",
                "+33 6 ## ## ## ##",
                "+33 (0)4 ## ## ## ##",
                "022 ### ## ##",
            ],
            "it" => &[
                "+41 91 ### ## ##",
                "076 ### ## ##",
                "333 ### ####",
                "+39 06 #### ####",
                "+39 34# #######",
                "091 ### ## ##",
                "02 ########",
            ],
            "rm" => &["+41 81 ### ## ##", "081 ### ## ##", "079 ### ## ##", "078/### ## ##"],
            _ => &[
                "(415) 555-####",
                "212-555-####",
                "+1 303 555 ####",
                "+44 20 7### ####",
                "020 7### ####",
                "415.555.####",
                "+41 44 ### ## ##",
            ],
        };
        fill(random.pick(forms), random)
    }

    fn plate(&self, random: &mut Random) -> String {
        let cantons: &[&str] = match self.language {
            "fr" => &["VD", "GE", "NE", "FR", "VS", "JU"],
            "it" => &["TI", "GR"],
            "rm" => &["GR"],
            _ => &["ZH", "BE", "AG", "SG", "LU", "TG"],
        };
        let swiss = format!("{} {}", random.pick(cantons), 10_000 + random.below(890_000));
        let letters = |random: &mut Random, count: usize| -> String {
            (0..count).map(|_| random.pick(&['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'])).collect()
        };
        let (one, two) = (letters(random, 2), letters(random, 2));
        let abroad = match self.language {
            "de" => format!(
                "{}-{one} {}",
                random.pick(&["B", "M", "HH", "KN", "S"]),
                10 + random.below(9000)
            ),
            "fr" => format!("{one}-{}-{two}", 100 + random.below(899)),
            "it" => format!("{one} {} {two}", 100 + random.below(899)),
            _ => swiss.clone(),
        };
        if random.below(2) == 0 { swiss } else { abroad }
    }
}

fn email(first: &str, last: &str, random: &mut Random) -> String {
    let mark = random.pick(&[".", "_", ""]);
    let domain = random.pick(&["example.ch", "mail.example.org", "example.com", "post.example.it"]);
    format!("{}{mark}{}@{domain}", plain(first), plain(last))
}

/// ASCII letters of a name, in lower case.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphabetic);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// A form whose `#` become digits.
pub(super) fn fill(form: &str, random: &mut Random) -> String {
    form.chars()
        .map(|char| match char {
            '#' => char::from(b'0' + random.below(10) as u8),
            other => other,
        })
        .collect()
}
