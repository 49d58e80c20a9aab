//! `allod serve`

use std::sync::Arc;

use allod_answer::{Desk, DeskOptions, ModelChoice};
use allod_engine::Options;
use allod_server::{Keyless, ServeOptions};

use crate::Ending;
use crate::arguments::{EngineArguments, ServeArguments};
use crate::folder::Place;
use crate::output::say;

/// Serves until it is told to stop, then finishes what it has begun.
pub fn run(arguments: &ServeArguments, place: &Place) -> anyhow::Result<Ending> {
    let engine = Options {
        adapters_max: arguments.adapters.adapters_max,
        ..engine_options(&arguments.engine)
    };
    let options = DeskOptions {
        model: ModelChoice { engine, ..(&arguments.model).into() },
        embedder: arguments.embedder.clone(),
        reranker: arguments.reranker.clone(),
        adapters: arguments.adapters.adapters.clone(),
        ..place.options()
    };
    let desk = Arc::new(Desk::open(&place.data, &options)?);
    for name in &arguments.adapters.loaded {
        desk.load_adapter(name, name)?;
    }
    allod_server::serve(Arc::clone(&desk), serve_options(arguments), |address| {
        say(&format!("Allod listens on http://{address}/ (stop with Ctrl-C)"));
    })?;
    desk.rest()?;
    Ok(Ending::Done)
}

fn serve_options(arguments: &ServeArguments) -> ServeOptions {
    let (standard, slots) = (ServeOptions::default(), arguments.engine.slots.unwrap_or(0));
    ServeOptions {
        listen: arguments.listen,
        keyless: if arguments.require_key { Keyless::Refused } else { Keyless::LocalOperator },
        answering_max: arguments.answering_max.unwrap_or(standard.answering_max.max(2 * slots)),
        waiting_max: arguments.waiting_max.unwrap_or(standard.waiting_max),
        waiting_per_tenant_max: arguments
            .waiting_per_tenant_max
            .unwrap_or(standard.waiting_per_tenant_max),
        ..standard
    }
}

fn engine_options(arguments: &EngineArguments) -> Options {
    let bytes = |mebibytes: usize| mebibytes.saturating_mul(1 << 20);
    Options {
        slots: arguments.slots,
        step_tokens: arguments.step_tokens,
        context_tokens: arguments.context_tokens,
        cache_bytes: arguments.cache_mib.map(bytes),
        prefix_bytes: arguments.prefix_mib.map(bytes),
        draft_tokens: arguments.draft_tokens,
        ..Options::default()
    }
}
