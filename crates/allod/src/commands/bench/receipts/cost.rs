//! What the turns say together.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::run::median;
use super::super::serve::tally::percentile;
use super::turn::Turn;

/// Two turns that lie next to each other in time.
pub struct Pair {
    pub without: Turn,
    pub with: Turn,
}

/// Both ways, and the difference.
pub fn report(pairs: &[Pair]) -> Value {
    let without = way(pairs.iter().map(|pair| &pair.without));
    let with = way(pairs.iter().map(|pair| &pair.with));
    let lost = quartiles(pairs.iter().map(|pair| 1.0 - pair.with.tokens / pair.without.tokens));
    let more = |field: &str| number(&with, field) - number(&without, field);
    json!({
        "throughput_lost": lost[1],
        "throughput_lost_quartiles": [lost[0], lost[2]],
        "after_last_token_p50_more_ms": more("after_last_token_p50_ms"),
        "after_last_token_p99_more_ms": more("after_last_token_p99_ms"),
        "p50_more_ms": more("p50_ms"),
        "p99_more_ms": more("p99_ms"),
        "without": without,
        "with": with,
    })
}

/// All turns of one way to ask.
fn way<'a>(turns: impl Iterator<Item = &'a Turn> + Clone) -> Value {
    let rates = turns.clone().map(|turn| turn.rate).collect();
    let tokens = turns.clone().map(|turn| turn.tokens).collect();
    let worked: Vec<f64> = turns.clone().filter_map(|turn| turn.processor_ms).collect();
    let times = sorted(turns.clone().flat_map(|turn| &turn.times));
    let after = sorted(turns.flat_map(|turn| &turn.after_last_token));
    let at = |times: &[Duration], share: f64| {
        percentile(times, share).unwrap_or_default().as_secs_f64() * 1e3
    };
    json!({
        "answers_per_second": median(rates),
        "tokens_per_second": median(tokens),
        "processor_ms": (!worked.is_empty()).then(|| median(worked)),
        "p50_ms": at(&times, 0.5),
        "p99_ms": at(&times, 0.99),
        "after_last_token_p50_ms": at(&after, 0.5),
        "after_last_token_p99_ms": at(&after, 0.99),
    })
}

fn sorted<'a>(times: impl Iterator<Item = &'a Duration>) -> Vec<Duration> {
    let mut times: Vec<Duration> = times.copied().collect();
    times.sort_unstable();
    times
}

/// The numbers below which a quarter, half and three quarters of them lie.
fn quartiles(numbers: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len().div_ceil(2);
    let [low, high] = [&numbers[..half], &numbers[numbers.len() - half..]];
    [median(low.to_vec()), median(numbers.clone()), median(high.to_vec())]
}

fn number(value: &Value, field: &str) -> f64 {
    value[field].as_f64().unwrap_or_default()
}

/// For people.
pub fn text(value: &Value) -> String {
    let line = |name: &str| {
        let number = |field: &str| number(&value[name], field);
        format!(
            "{:.1} answers/s, {:.0} tokens/s, {:.2} ms processor\n    \
             an answer         p50 {:.2} ms, p99 {:.2} ms\n    \
             after last token  p50 {:.2} ms, p99 {:.2} ms",
            number("answers_per_second"),
            number("tokens_per_second"),
            number("processor_ms"),
            number("p50_ms"),
            number("p99_ms"),
            number("after_last_token_p50_ms"),
            number("after_last_token_p99_ms"),
        )
    };
    let number = |field: &str| number(value, field);
    let quartile =
        |at: usize| 100.0 * value["throughput_lost_quartiles"][at].as_f64().unwrap_or_default();
    format!(
        "without receipts      {}\nwith receipts         {}\nthe cost              \
         {:.1} % of the tokens (quartiles {:.1} and {:.1} %)\n    \
         an answer         {:.2} ms at p50, {:.2} ms at p99\n    \
         after last token  {:.2} ms at p50, {:.2} ms at p99\n\
         {} receipts; the disk takes {:.2} ms to sync 4 kB",
        line("without"),
        line("with"),
        100.0 * number("throughput_lost"),
        quartile(0),
        quartile(1),
        number("p50_more_ms"),
        number("p99_more_ms"),
        number("after_last_token_p50_more_ms"),
        number("after_last_token_p99_more_ms"),
        value["receipts"],
        number("disk_sync_ms"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_where_they_should() {
        let of = |numbers: &[f64]| quartiles(numbers.iter().copied());
        assert_eq!(of(&[5.0, 1.0, 3.0, 2.0, 4.0]), [2.0, 3.0, 4.0]);
        assert_eq!(of(&[4.0, 1.0, 3.0, 2.0]), [1.5, 2.5, 3.5]);
        assert_eq!(of(&[7.0]), [7.0; 3]);
    }

    #[test]
    fn each_turn_is_held_against_its_neighbour() {
        let turn = |tokens: f64, after: u64| Turn {
            tokens,
            times: vec![Duration::from_millis(10 + after)],
            after_last_token: vec![Duration::from_millis(after)],
            ..Turn::default()
        };
        // The machine was slow in the second pair; the loss is the same.
        let pairs = [(100.0, 90.0), (10.0, 9.0), (200.0, 180.0)]
            .map(|(without, with)| Pair { without: turn(without, 0), with: turn(with, 2) });
        let value = report(&pairs);
        assert!((number(&value, "throughput_lost") - 0.1).abs() < 1e-9);
        assert_eq!(number(&value, "after_last_token_p50_more_ms"), 2.0);
        assert_eq!(number(&value, "p99_more_ms"), 2.0);
        assert!(text(&value).contains("10.0 % of the tokens (quartiles 10.0 and 10.0 %)"));
    }
}
