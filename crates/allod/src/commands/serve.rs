//! `allod serve`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use allod_answer::{Desk, DeskOptions, ModelChoice, Witnessed};
use allod_engine::Options;
use allod_server::{Keyless, ServeOptions};

use crate::Ending;
use crate::arguments::{EngineArguments, ServeArguments};
use crate::folder::Place;
use crate::output::say;

/// How often witnesses are asked, if there is something new.
const WITNESS_EVERY: Duration = Duration::from_secs(60);

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
    ask_witnesses(&desk, &place.data)?;
    allod_server::serve(Arc::clone(&desk), serve_options(arguments), |address| {
        say(&format!("Allod listens on http://{address}/ (stop with Ctrl-C)"));
    })?;
    desk.rest()?;
    Ok(Ending::Done)
}

/// Starts to let the policy's witnesses cosign the log's head, whenever it has grown.
fn ask_witnesses(desk: &Arc<Desk>, data: &Path) -> anyhow::Result<()> {
    if desk.policy().witnesses.is_empty() {
        return Ok(());
    }
    let witnessed = Witnessed::open(data, desk.ledger())?;
    let desk = Arc::clone(desk);
    let work = move || {
        let mut sizes = vec![None; desk.policy().witnesses.len()];
        loop {
            let size = Some(desk.ledger().checkpoint().size);
            for (witness, last) in desk.policy().witnesses.iter().zip(&mut sizes) {
                if *last == size {
                    continue;
                }
                match witnessed.ask(desk.ledger(), witness) {
                    Ok(_) => *last = size,
                    Err(error) => tracing::warn!(%error, "the log's head was not cosigned"),
                }
            }
            std::thread::sleep(WITNESS_EVERY);
        }
    };
    std::thread::Builder::new().name("allod-witnesses".into()).spawn(work)?;
    Ok(())
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
