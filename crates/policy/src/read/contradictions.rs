//! Settings that are each right and cannot hold together.

use super::reader::Reader;
use crate::node::{Node, Place, Value};
use crate::permit::{Why, in_region, permitted};
use crate::policy::{Citations, Runtime, Settings, Trigger};

/// What a contradiction says: where, and what to do.
struct Clash<'a> {
    /// The path that is shown.
    path: &'a str,
    /// The paths whose values it rests on.
    rests_on: &'a [&'a str],
    message: String,
    hint: String,
}

/// Notes every contradiction whose settings could be read.
pub(super) fn check(reader: &mut Reader, root: &Node, settings: &Settings) {
    let clashes = [
        model(settings),
        address(settings),
        idle_upstream(root, settings),
        idle_quantization(settings),
        citations(settings),
        threshold(root, settings),
        two_thresholds(root, settings),
        region(settings),
    ];
    let triggers = settings.routing.escalate_on.intersection(&settings.routing.refuse_on);
    let clashes = clashes.into_iter().flatten().chain(triggers.map(|trigger| both(*trigger)));
    for clash in elsewhere(settings) {
        if reader.sound(&["upstreams", "routing", "region", "logging.prompts"]) {
            reader.note(place(root, &clash.0), clash.1, clash.2);
        }
    }
    for clash in clashes.filter(|_| matches!(root.value, Value::Table(_))) {
        if reader.sound(clash.rests_on) {
            reader.note(place(root, clash.path), clash.message, clash.hint);
        }
    }
}

/// Where the value at `path` stands, or the nearest group around it.
fn place(root: &Node, path: &str) -> Place {
    let (mut node, mut place) = (root, root.place);
    for key in path.split('.') {
        let key = match key.split_once('[') {
            Some((list, index)) => {
                let listed = item(node, list, index.trim_end_matches(']'));
                let Some(listed) = listed else { break };
                (node, place) = (listed, listed.place);
                continue;
            }
            None => key,
        };
        let Value::Table(entries) = &node.value else {
            break;
        };
        let Some(entry) = entries.iter().find(|entry| entry.key == key) else {
            break;
        };
        (node, place) = (&entry.node, entry.place);
    }
    match &node.value {
        Value::Table(_) | Value::List(_) | Value::Nothing => place,
        _ => node.place,
    }
}

/// The item of a list.
fn item<'a>(node: &'a Node, key: &str, index: &str) -> Option<&'a Node> {
    let Value::Table(entries) = &node.value else { return None };
    let Value::List(list) = &entries.iter().find(|entry| entry.key == key)?.node.value else {
        return None;
    };
    list.get(index.parse::<usize>().ok()?)
}

fn is_set(root: &Node, path: &str) -> bool {
    let mut node = root;
    path.split('.').all(|key| {
        let Value::Table(entries) = &node.value else {
            return false;
        };
        let entry = entries.iter().find(|entry| entry.key == key);
        entry.is_some_and(|entry| {
            node = &entry.node;
            true
        })
    })
}

fn model(settings: &Settings) -> Option<Clash<'static>> {
    let missing = settings.runtime != Runtime::Allod && settings.model.is_none();
    missing.then(|| Clash {
        path: "runtime",
        rests_on: &["runtime", "model"],
        message: format!("`runtime: {}` needs a model", settings.runtime.word()),
        hint: "name it with `model:` as the server knows it".to_owned(),
    })
}

fn address(settings: &Settings) -> Option<Clash<'static>> {
    let missing = settings.upstream.as_ref().is_none_or(|upstream| upstream.url.is_empty());
    (settings.runtime == Runtime::OpenAiCompatible && missing).then(|| Clash {
        path: "runtime",
        rests_on: &["runtime", "upstream"],
        message: "`runtime: openai-compatible` needs the address of a server".to_owned(),
        hint: "set `upstream: {url: …}`; no connection is made that the policy does not name"
            .to_owned(),
    })
}

fn idle_upstream(root: &Node, settings: &Settings) -> Option<Clash<'static>> {
    (settings.runtime == Runtime::Allod && is_set(root, "upstream")).then(|| Clash {
        path: "upstream",
        rests_on: &["runtime"],
        message: "`upstream` is set, but `runtime: allod` never uses a server".to_owned(),
        hint: "remove `upstream`, or set `runtime` to vllm or openai-compatible".to_owned(),
    })
}

fn idle_quantization(settings: &Settings) -> Option<Clash<'static>> {
    let quantization = settings.quantization.filter(|_| settings.model.is_none())?;
    Some(Clash {
        path: "quantization",
        rests_on: &["quantization", "model"],
        message: format!("`quantization: {}` asks for a form of no model", quantization.word()),
        hint: "name the model with `model:`, or remove `quantization`".to_owned(),
    })
}

fn citations(settings: &Settings) -> Option<Clash<'static>> {
    let clash = settings.logging.citations == Citations::Required
        && !settings.retrieval.cite_source_documents;
    clash.then(|| Clash {
        path: "retrieval.cite_source_documents",
        rests_on: &["logging", "retrieval.cite_source_documents"],
        message: "`cite_source_documents: false` cannot stand with `logging.citations: required`"
            .to_owned(),
        hint: "set it to true, or set `logging: {citations: optional}`".to_owned(),
    })
}

fn threshold(root: &Node, settings: &Settings) -> Option<Clash<'static>> {
    let low = Trigger::LowRetrievalConfidence;
    let routed =
        settings.routing.escalate_on.contains(&low) || settings.routing.refuse_on.contains(&low);
    let zero = settings.retrieval.minimum_confidence == 0.0;
    (routed && zero && is_set(root, "retrieval.minimum_confidence")).then(|| Clash {
        path: "retrieval.minimum_confidence",
        rests_on: &["retrieval.minimum_confidence", "routing"],
        message: "`minimum_confidence: 0` is never undercut, so `low_retrieval_confidence` never \
                  happens"
            .to_owned(),
        hint: "raise it (0.5 is the default), or remove low_retrieval_confidence".to_owned(),
    })
}

/// The calibration says which score is enough; a second limit would make its promise another one.
fn two_thresholds(root: &Node, settings: &Settings) -> Option<Clash<'static>> {
    let both = settings.answers.max_error.is_some() && is_set(root, "retrieval.minimum_confidence");
    both.then(|| Clash {
        path: "retrieval.minimum_confidence",
        rests_on: &["retrieval.minimum_confidence", "answers.max_error"],
        message: "`minimum_confidence` is not asked where `answers.max_error` is set".to_owned(),
        hint: "keep one of them".to_owned(),
    })
}

/// A prompt may not go where the policy says that it stays out of.
fn region(settings: &Settings) -> Option<Clash<'static>> {
    let upstream = settings.upstream.as_ref()?;
    let why = permitted(settings).err()?;
    if upstream.url.is_empty()
        || !matches!(why, Why::OtherRegion { .. } | Why::UnknownRegion { .. })
    {
        return None;
    }
    let path = match upstream.region {
        Some(_) => "upstream.region",
        None => "upstream.url",
    };
    Some(Clash {
        path,
        rests_on: &["runtime", "upstream", "region", "logging.prompts"],
        message: why.to_string(),
        hint: "use a server in your region and say so with `upstream.region`, or change \
               `logging.prompts`"
            .to_owned(),
    })
}

/// What stands against the approved servers: the path, the message, the hint.
fn elsewhere(settings: &Settings) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (index, upstream) in settings.upstreams.iter().enumerate() {
        let why = in_region(settings, &upstream.url, upstream.region.as_deref()).err();
        if let Some(why @ (Why::OtherRegion { .. } | Why::UnknownRegion { .. })) = why {
            let hint = "use a server in your region and say so with `region`, or change \
                        `logging.prompts`";
            all.push((format!("upstreams[{index}]"), why.to_string(), hint.to_owned()));
        }
    }
    for (reason, name) in &settings.routing.escalate_to {
        let (word, path) = (reason.word(), format!("routing.escalate_to.{}", reason.word()));
        if settings.approved(name).is_none() {
            let known: Vec<&str> = settings.upstreams.iter().map(|one| one.name.as_str()).collect();
            let message = format!("`{path}` names `{name}`, which is no upstream");
            let hint = format!("name one of `upstreams` ({}), or `queue`", known.join(", "));
            all.push((path, message, hint));
        } else if reason.trigger().is_some_and(|one| !settings.routing.escalate_on.contains(&one)) {
            let message = format!("`{path}` is set, but `{word}` is not escalated");
            let hint = format!("add `{word}` to `routing.escalate_on`, or remove it here");
            all.push((path, message, hint));
        }
    }
    all
}

fn both(trigger: Trigger) -> Clash<'static> {
    Clash {
        path: "routing.refuse_on",
        rests_on: &["routing"],
        message: format!("`{}` stands in escalate_on and in refuse_on", trigger.word()),
        hint: "keep it in one of them".to_owned(),
    }
}
