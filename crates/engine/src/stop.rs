//! Stop texts: they end a completion and are never seen, not even in part.

/// Lets text through up to the first stop text, holding back what may become one.
#[derive(Debug)]
pub(crate) struct StopFilter {
    stops: Vec<String>,
    held: String,
}

impl StopFilter {
    pub fn new(stops: &[String]) -> StopFilter {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        StopFilter { stops, held: String::new() }
    }

    /// Adds text. Returns what may be shown, and whether a stop text came.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held += text;
        let found = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(at) = found {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let safe = self.held.len() - self.doubtful();
        let rest = self.held.split_off(safe);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back, once nothing more comes.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Length of the longest ending that begins a stop text.
    fn doubtful(&self) -> usize {
        let of = |stop: &String| {
            let longest = self.held.len().min(stop.len() - 1);
            let ends = (1..=longest).rev().filter(|length| stop.is_char_boundary(*length));
            ends.into_iter().find(|length| self.held.ends_with(&stop[..*length])).unwrap_or(0)
        };
        self.stops.iter().map(of).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(stops: &[&str]) -> StopFilter {
        StopFilter::new(&stops.iter().map(|stop| stop.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn a_stop_text_in_pieces_is_not_shown() {
        let mut filter = filter(&["END", "\n\n"]);
        assert_eq!(filter.push("one E"), ("one ".to_string(), false));
        assert_eq!(filter.push("N"), (String::new(), false));
        assert_eq!(filter.push("d\n"), ("ENd".to_string(), false));
        assert_eq!(filter.push("\nmore"), (String::new(), true));
    }

    #[test]
    fn what_was_held_comes_out_at_the_end() {
        let mut filter = filter(&["éé", ""]);
        assert_eq!(filter.push("aé"), ("a".to_string(), false));
        assert_eq!(filter.finish(), "é");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[abé]{0,40}", cut in 1_usize..5, stop in "[abé]{1,4}") {
            let mut filter = filter(&[&stop]);
            let (mut shown, mut stopped) = (String::new(), false);
            let characters: Vec<char> = text.chars().collect();
            for piece in characters.chunks(cut) {
                let (part, found) = filter.push(&piece.iter().collect::<String>());
                shown += &part;
                stopped = found;
                if found {
                    break;
                }
            }
            shown += &filter.finish();
            let expected = text.find(&stop).map_or(text.as_str(), |at| &text[..at]);
            prop_assert_eq!(shown.as_str(), expected);
            prop_assert_eq!(stopped, text.contains(&stop));
        }
    }
}
