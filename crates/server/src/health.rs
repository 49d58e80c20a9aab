//! `GET /healthz`: alive, and able to read its state. Says nothing else, as anyone may ask.

use axum::extract::State;

use crate::problem::Problem;
use crate::state::Shared;

/// `GET /healthz`
#[utoipa::path(get, path = "/healthz", tag = "operation", security(()),
    responses((status = 200, description = "`ok`", body = String)))]
pub(crate) async fn health(State(state): State<Shared>) -> Result<&'static str, Problem> {
    state
        .read(|desk| {
            desk.store().setting("health")?;
            Ok("ok")
        })
        .await
}
