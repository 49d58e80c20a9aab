//! Counts of the servers that the policy names.

use allod_answer::UpstreamState;

use super::{Page, escaped};

/// A name, its kind and help, and its value for one server.
type Family = (&'static str, &'static str, &'static str, fn(&UpstreamState) -> f64);

const FAMILIES: [Family; 6] = [
    ("requests_total", "counter", "Requests that were sent.", |one| one.counts.requests as f64),
    ("errors_total", "counter", "Requests that got no answer.", |one| one.counts.errors as f64),
    ("retries_total", "counter", "How often a request was tried again.", |one| {
        one.counts.retries as f64
    }),
    ("breaker_open", "gauge", "Whether the server is left alone.", |one| {
        f64::from(u8::from(one.breaker_open))
    }),
    ("tokens_today", "gauge", "Tokens spent since midnight UTC.", |one| one.tokens_today as f64),
    ("cost_today", "gauge", "Cost since midnight UTC.", |one| units(one.cost_today)),
];

/// Millionths of a currency as its units.
fn units(millionths: u64) -> f64 {
    millionths as f64 / 1e6
}

impl Page {
    /// How the servers of the policy fare.
    pub(super) fn upstreams(&mut self, states: &[UpstreamState]) {
        if states.is_empty() {
            return;
        }
        for (name, kind, help, value) in FAMILIES {
            let name = format!("allod_upstream_{name}");
            self.family(&name, kind, help);
            for one in states {
                self.sample(&name, &labels(one), value(one));
            }
        }
        let name = "allod_upstream_held_total";
        self.family(name, "counter", "Requests that were not sent, by why.");
        for one in states {
            for (why, count) in &one.counts.held {
                self.sample(name, &format!("{},reason=\"{why}\"", labels(one)), count);
            }
        }
        let name = "allod_upstream_tokens_total";
        self.family(name, "counter", "Tokens, as the server counted them.");
        for one in states {
            for (kind, count) in
                [("prompt", one.counts.prompt_tokens), ("completion", one.counts.completion_tokens)]
            {
                self.sample(name, &format!("{},kind=\"{kind}\"", labels(one)), count);
            }
        }
        let name = "allod_upstream_cost_total";
        self.family(name, "counter", "What was spent, in the currency of the policy.");
        for one in states {
            let currency = escaped(one.currency.as_deref().unwrap_or_default());
            let labels = format!("{},currency=\"{currency}\"", labels(one));
            self.sample(name, &labels, units(one.counts.cost));
        }
    }
}

fn labels(state: &UpstreamState) -> String {
    format!("upstream=\"{}\"", escaped(&state.name))
}
