//! Tables of contents: they name everything that a document speaks of and say nothing about it.

/// Points in a row that lead from a heading to its page or place.
const LEADER_POINTS: usize = 5;
/// Headings with such points in a passage that is taken for a table of contents.
const LED_HEADINGS: usize = 3;

/// Whether a passage is part of a table of contents: headings that rows of points lead away from,
/// with or without spaces between the points.
pub(crate) fn is_contents(text: &str) -> bool {
    let (mut led, mut points) = (0, 0);
    for character in text.chars() {
        match character {
            '.' => points += 1,
            '…' => points += 3,
            ' ' if points > 0 => continue,
            _ => points = 0,
        }
        if (LEADER_POINTS..LEADER_POINTS + 3).contains(&points) {
            led += 1;
            points = LEADER_POINTS + 3;
        }
    }
    led >= LED_HEADINGS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_with_leaders_are_contents_and_prose_is_not() {
        let contents = "Zweck ........ Art. 1 Gebühren . . . . . . Art. 2 Schluss………… 9";
        assert!(is_contents(contents));
        assert!(!is_contents("Zweck ........ Art. 1 Gebühren gelten nach Art. 2."));
        assert!(!is_contents("1 ... 2 ... Er wartete ... und ging. Dann ... nichts ... mehr."));
    }
}
