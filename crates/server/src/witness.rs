//! A witness of other people's logs, over HTTP (C2SP tlog-witness).

use std::net::SocketAddr;
use std::sync::Arc;

use allod_ledger::{Refusal, WITNESS_REQUEST_BYTES_MAX, Witness};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::error::Error;

/// Serves a witness until the process is told to stop. `ready` gets the address once it is listened
/// on.
///
/// There are no keys here: what is asked must be signed by a log that the witness was told of, and
/// what is answered anyone may know.
///
/// # Errors
/// When the address cannot be used.
pub fn serve_witness(
    witness: Witness,
    address: SocketAddr,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), Error> {
    let failed = |source| Error::Listen { address, source };
    let runtime = Runtime::new().map_err(Error::Runtime)?;
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(failed)?;
    ready(listener.local_addr().map_err(failed)?);
    let stop = async {
        // Without signals the process is simply ended; nothing is lost then.
        drop(tokio::signal::ctrl_c().await);
    };
    let serve = axum::serve(listener, router(witness)).with_graceful_shutdown(stop);
    runtime.block_on(async { serve.await }).map_err(failed)
}

fn router(witness: Witness) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/vkey", get(vkey))
        .layer(DefaultBodyLimit::max(WITNESS_REQUEST_BYTES_MAX))
        .with_state(Arc::new(witness))
}

async fn vkey(State(witness): State<Arc<Witness>>) -> String {
    format!("{}\n", witness.vkey())
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, request: String) -> Response {
    let answer = tokio::task::spawn_blocking(move || witness.add_checkpoint(&request)).await;
    match answer {
        Ok(Ok(line)) => line.into_response(),
        Ok(Err(refusal)) => refuse(&refusal),
        Err(error) => {
            tracing::error!(%error, "the witness failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::UnknownLog(_) => StatusCode::NOT_FOUND,
        Refusal::NotSigned => StatusCode::FORBIDDEN,
        Refusal::Conflict { size } => {
            let kind = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            return (StatusCode::CONFLICT, kind, format!("{size}\n")).into_response();
        }
        Refusal::Inconsistent { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Failed(error) => {
            tracing::error!(%error, "the witness failed");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    (status, format!("{refusal}\n")).into_response()
}
