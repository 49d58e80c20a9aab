//! `allod serve`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use allod_answer::{Desk, DeskOptions, ModelChoice, WITNESSED_FOLDER, Witnessed};
use allod_engine::Options;
use allod_ledger::receipt::Confinement;
use allod_policy::{KeySource, Policy};
use allod_server::{Keyless, ServeOptions, TlsFiles};
use anyhow::bail;

use crate::Ending;
use crate::arguments::{ServeArguments, TlsArguments};
use crate::engine_arguments::EngineArguments;
use crate::folder::Place;
use crate::output::say;

/// How often witnesses are asked, if there is something new.
const WITNESS_EVERY: Duration = Duration::from_secs(60);

/// Serves until it is told to stop, then finishes what it has begun.
pub fn run(arguments: &ServeArguments, place: &Place) -> anyhow::Result<Ending> {
    // Before there is any other thread.
    let sealed = arguments.sealed.then(|| seal(place)).transpose()?.is_some();
    let engine = Options {
        adapters_max: arguments.adapters.adapters_max,
        ..engine_options(&arguments.engine)
    };
    let prefix_disk_bytes = arguments.prefix_disk_mib.filter(|most| *most > 0);
    let prefix_disk_bytes = prefix_disk_bytes.map(|most| most.saturating_mul(1 << 20));
    let options = DeskOptions {
        model: ModelChoice { engine, prefix_disk_bytes, ..(&arguments.model).into() },
        embedder: arguments.embedder.clone(),
        reranker: arguments.reranker.clone(),
        adapters: arguments.adapters.adapters.clone(),
        ..place.options()
    };
    let (options, weaker) = place.confined_models(options)?;
    let mut confinement = Confinement { sealed, ..place.confined()?.confinement };
    confinement.weaknesses.extend(weaker);
    let options = DeskOptions { confinement, ..options };
    let desk = Arc::new(place.open(&options)?);
    refuse_older_state(&desk)?;
    for name in &arguments.adapters.loaded {
        desk.load_adapter(name, name)?;
    }
    ask_witnesses(&desk, &place.data)?;
    keep_retention(&desk)?;
    let options = serve_options(arguments);
    let has_tls = options.tls.is_some();
    allod_server::serve(Arc::clone(&desk), options, |address| {
        let scheme = if has_tls { "https" } else { "http" };
        say(&format!("Allod listens on {scheme}://{address}/ (stop with Ctrl-C)"));
        if !has_tls && !address.ip().is_loopback() {
            say("Without TLS, keys and answers can be read on the way: put a proxy with TLS in \
                 front, or give --tls-cert and --tls-key");
        }
    })?;
    desk.rest()?;
    Ok(Ending::Done)
}

/// Does not go on from a log that witnesses have seen longer: that would be a second history, with
/// people in it who were erased.
fn refuse_older_state(desk: &Desk) -> anyhow::Result<()> {
    if !desk.data().join(WITNESSED_FOLDER).is_dir() {
        return Ok(());
    }
    match Witnessed::open(desk.data(), desk.ledger())?.ahead(desk.ledger())? {
        Some(ahead) => bail!("{}: {ahead}", desk.data().display()),
        None => Ok(()),
    }
}

/// How often it is looked for what has been kept long enough.
const EXPIRE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes what has been kept longer than the policy's `retention` says: now, and once a day.
fn keep_retention(desk: &Arc<Desk>) -> anyhow::Result<()> {
    let retention = &desk.policy().retention;
    if retention.payloads_days.is_none() && retention.reviews_days.is_none() {
        return Ok(());
    }
    desk.expire()?;
    let desk = Arc::clone(desk);
    let work = move || loop {
        std::thread::sleep(EXPIRE_EVERY);
        if let Err(error) = desk.expire() {
            tracing::error!(%error, "what has been kept long enough could not be deleted");
        }
    };
    std::thread::Builder::new().name("allod-retention".into()).spawn(work)?;
    Ok(())
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

/// Shuts every way out. What the policy sends out could not be sent then, so it must send nothing.
fn seal(place: &Place) -> anyhow::Result<()> {
    let policy = allod_answer::read_policy(&place.data, place.policy.as_deref())?;
    let named = [
        ("an upstream", policy.upstream.is_some() || !policy.upstreams.is_empty()),
        ("a place for traces", policy.telemetry.traces_url.is_some()),
        ("witnesses", !policy.witnesses.is_empty()),
        ("an issuer where people sign in (`sign_in`)", lets_sign_in(&policy)),
        ("an issuer of tokens without a file of its keys (`jwks_file`)", fetches_keys(&policy)),
    ];
    if let Some((what, _)) = named.into_iter().find(|(_, is_named)| *is_named) {
        bail!(
            "--sealed lets nothing out, but the policy `{}` names {what}: take it out of the \
             policy, or serve without --sealed",
            policy.name
        );
    }
    let denied = allod_sandbox::seal(&place.data)?;
    say(&format!("Sealed: {} ways out were tried, all denied", denied.len()));
    Ok(())
}

/// Whether the keys of the policy's issuer of tokens come over a connection.
fn fetches_keys(policy: &Policy) -> bool {
    let oidc = policy.identity.oidc.as_ref();
    oidc.is_some_and(|oidc| !matches!(oidc.keys, KeySource::File(_)))
}

/// Whether people sign in at the policy's issuer, which is then asked for their tokens.
fn lets_sign_in(policy: &Policy) -> bool {
    policy.identity.oidc.as_ref().is_some_and(|oidc| oidc.sign_in.is_some())
}

fn serve_options(arguments: &ServeArguments) -> ServeOptions {
    let (standard, slots) = (ServeOptions::default(), arguments.engine.slots.unwrap_or(0));
    ServeOptions {
        listen: arguments.listen,
        tls: tls_files(&arguments.tls),
        keyless: if arguments.require_key { Keyless::Refused } else { Keyless::LocalOperator },
        answering_max: arguments.answering_max.unwrap_or(standard.answering_max.max(2 * slots)),
        waiting_max: arguments.waiting_max.unwrap_or(standard.waiting_max),
        waiting_per_tenant_max: arguments
            .waiting_per_tenant_max
            .unwrap_or(standard.waiting_per_tenant_max),
        ..standard
    }
}

fn tls_files(arguments: &TlsArguments) -> Option<TlsFiles> {
    Some(TlsFiles {
        certificate: arguments.tls_cert.clone()?,
        key: arguments.tls_key.clone()?,
        client_ca: arguments.tls_client_ca.clone(),
    })
}

fn engine_options(arguments: &EngineArguments) -> Options {
    let bytes = |mebibytes: usize| mebibytes.saturating_mul(1 << 20);
    Options {
        slots: arguments.slots,
        step_tokens: arguments.step_tokens,
        context_tokens: arguments.context_tokens,
        cache: Some(arguments.kv_cache_dtype.form()),
        activations: arguments.activation_dtype.form(),
        cache_bytes: arguments.cache_mib.map(bytes),
        prefix_bytes: arguments.prefix_mib.map(bytes),
        draft_tokens: arguments.draft_tokens,
        ..Options::default()
    }
}
