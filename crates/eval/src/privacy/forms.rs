//! Further forms of values, to learn on: as people write them in letters, forms and lists.

use super::random::Random;
use super::values::{Half, Values, fill};

/// A family name: one of the list, one made of parts, as rare names look, or one with a particle.
pub(super) fn family(values: &Values, random: &mut Random) -> String {
    let listed = |random: &mut Random| values.draw("family", Half::First, random).to_owned();
    match random.below(20) {
        0..=2 => {
            format!("{}{}", random.pick(values.list("head")), random.pick(values.list("tail")))
        }
        3 | 4 => {
            let particle = random.pick(values.list("particle"));
            let space = if particle.ends_with('\'') || particle == "Mc" { "" } else { " " };
            format!("{particle}{space}{}", listed(random))
        }
        5 => format!("{}-{}", listed(random), listed(random)),
        _ => listed(random),
    }
}

/// A given name, now and then a double one.
pub(super) fn given(values: &Values, random: &mut Random) -> String {
    let one = |random: &mut Random| values.draw("given", Half::First, random).to_owned();
    match random.below(12) {
        0 => format!("{}-{}", one(random), one(random)),
        _ => one(random),
    }
}

/// A whole name.
pub(super) fn person(values: &Values, random: &mut Random) -> String {
    let (first, last) = (given(values, random), family(values, random));
    let initial = random.pick(&["A", "B", "C", "D", "F", "G", "H", "K", "L", "M", "P", "S", "T"]);
    match random.below(16) {
        0 => format!("{first} {} {last}", given(values, random)),
        1 => format!("{first} {initial}. {last}"),
        2 => format!("{initial}. {last}"),
        3 => format!("{last} {first}"),
        4 => format!("{last}, {first}"),
        5 => format!("{first} {}", last.to_uppercase()),
        6 => format!("{} {first}", last.to_uppercase()),
        _ => format!("{first} {last}"),
    }
}

/// The name of a firm or body: a coined word, the names of owners, or a kind with a name.
pub(super) fn organization(values: &Values, random: &mut Random) -> String {
    let owner = |random: &mut Random| values.draw("family", Half::First, random);
    let coined = |random: &mut Random| {
        let head = random.pick(&[
            "Nova", "Pixel", "Data", "Green", "Volt", "Zen", "Clear", "Open", "Blue", "Trans",
            "Medi", "Quant", "Loop", "Peer", "Map", "Civic", "Bright", "Inter", "Farm", "Code",
        ]);
        let tail = random.pick(&[
            "ly", "hub", "tech", "ware", "ify", "cast", "gate", "line", "works", "metrics",
            "scape", "ia", "wise", "spark", "base", "union", "store", "grid", "x", "port",
        ]);
        format!("{head}{tail}")
    };
    let form = |random: &mut Random| match values.language {
        "de" => random.pick(&["AG", "GmbH", "KG", "GmbH & Co. KG", "e.V."]),
        "fr" => random.pick(&["SA", "Sàrl", "SAS", "& Cie"]),
        "it" => random.pick(&["SA", "S.r.l.", "S.p.A.", "Sagl"]),
        "rm" => random.pick(&["SA", "Scrl", "AG"]),
        _ => random.pick(&["Ltd", "Inc.", "LLP", "Group", "plc"]),
    };
    match random.below(6) {
        0 | 1 => coined(random),
        2 => format!("{} {}", coined(random), form(random)),
        3 => format!("{} {}", owner(random), form(random)),
        4 => format!("{} & {}", owner(random), owner(random)),
        _ => format!("{} {}", random.pick(values.list("body")), coined(random)),
    }
}

/// The number of a house.
fn house(language: &str, random: &mut Random) -> String {
    let number = 1 + random.below(190);
    match (random.below(8), language) {
        (0, "fr") => format!("{number} {}", random.pick(&["bis", "ter"])),
        (0, "it") => format!("{number}/{}", random.pick(&["A", "B", "3"])),
        (0, "de" | "rm") => format!("{number}{}{}", random.pick(&["-", "–"]), number + 2),
        (0 | 1, _) => format!("{number}{}", random.pick(&["a", "b", "c", "A", " B"])),
        _ => number.to_string(),
    }
}

/// A street and a house, in the order of the country.
fn street(language: &str, street: &str, random: &mut Random) -> String {
    let number = house(language, random);
    match language {
        "fr" => match random.below(4) {
            0 => format!("{street} {number}"),
            1 => format!("{number} {street}"),
            _ => format!("{number}, {street}"),
        },
        "it" => format!("{street}{}{number}", random.pick(&[" ", ", ", " n. ", " "])),
        "en" => {
            let flat = random.pick(&["", "", "", "Flat 2, ", "Apt. 12, ", "Unit 7B, "]);
            format!("{flat}{number} {street}")
        }
        _ => format!("{street} {number}"),
    }
}

/// A postal code and a town; abroad the country goes before it.
fn town(language: &str, code: &str, place: &str, random: &mut Random) -> String {
    let abroad = match (language, code.len()) {
        (_, 4) => "CH-",
        ("fr", _) => "F-",
        ("it", _) => "I-",
        _ => "D-",
    };
    match (language, random.below(6)) {
        ("en", 0) => format!("{place} {}", british_code(random)),
        ("en", 1) => format!("{place}, {} {code}", random.pick(&["IL", "OR", "TX", "MA"])),
        ("en", _) => format!("{place} {code}"),
        ("it", 1) => format!("{code} {place} ({})", random.pick(&["TI", "MI", "CO", "RM", "BO"])),
        (_, 0) => format!("{abroad}{code} {place}"),
        _ => format!("{code} {place}"),
    }
}

/// The lines of an address from a street and a house on, some with the country.
pub(super) fn address(values: &Values, (named, code): (&str, &str), random: &mut Random) -> String {
    let place = values.draw("place", Half::First, random);
    let country = values.draw("country", Half::First, random);
    let first = street(values.language, named, random);
    let last = town(values.language, code, place, random);
    match random.below(12) {
        0 => format!("{first}, {last}, {country}"),
        1 => format!("{first}\n{last}\n{country}"),
        2 => format!("{first}\n Apt. {}\n {place}\n {country} {code}", 1 + random.below(990)),
        3 => format!("{first} {last} {country}"),
        4..=6 => format!("{first}\n{last}"),
        7 => format!("{first} - {last}"),
        _ => format!("{first}, {last}"),
    }
}

fn british_code(random: &mut Random) -> String {
    let head = random.pick(&["OX1", "M4", "EC2A", "SW7", "EH8", "CF10", "LS2", "BN3"]);
    format!("{head} {}{}", 1 + random.below(9), random.pick(&["AB", "DY", "HQ", "TN", "XL"]))
}

/// A number to call, with the marks that people put between digits.
pub(super) fn phone(language: &str, random: &mut Random) -> String {
    let forms: &[&str] = match language {
        "de" => &[
            "+41 (0)44 ### ## ##",
            "044 ### ####",
            "031.###.##.##",
            "0049 30 ######",
            "+49 (0)89 ####-##",
            "0221 / ## ## ##",
            "+43 1 #######",
            "0664/#######",
            "+41-79-###-##-##",
            "079#######",
        ],
        "fr" => &[
            "0# ## ## ## ##",
            "02-##-##-##-##",
            "0033 1 ## ## ## ##",
            "+336########",
            "06########",
            "+41 (0)22 ### ## ##",
            "021/### ## ##",
        ],
        "it" => &[
            "02 #### ####",
            "06/#######",
            "+39 33# ### ####",
            "34########",
            "33#.###.###",
            "0039 011 #######",
            "+41 (0)91 ### ## ##",
        ],
        "rm" => &["+41 (0)81 ### ## ##", "081/### ## ##", "079.###.##.##", "081#######"],
        _ => &[
            "07### ######",
            "0161 ### ####",
            "+44 (0)7### ######",
            "(01865) ######",
            "1-415-555-####",
            "617 555 ####",
            "07#########",
        ],
    };
    fill(random.pick(forms), random)
}
