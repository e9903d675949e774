//! What is asked of boxes in the field: self-tests, and to be taken into service.

use super::auth::Signed;
use super::problem::Refusal;
use super::register::box_changed;
use super::{App, Changed};
use crate::{show, view};
use alarm::BoxId;
use alarm::role::Action;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;

/// Asks a box to test its points now. The results come as changes of the box.
#[utoipa::path(post, path = "/api/boxes/{id}/self-test", params(("id" = String, Path)), responses((status = 200, body = view::Appliance)))]
pub(super) async fn self_test(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Changed<view::Appliance> {
    signed.may(Action::Test)?;
    let name = BoxId::new(id)?;
    let seq = app.engine.commit(|centre, _| centre.ask_selftest(&name, signed.actor()))?;
    if !app.engine.with(|_, live| live.ask_selftest(&name, seq)) {
        let detail =
            format!("no path to {name} is up: it is tested when its time of day comes, or ask again");
        return Err(Refusal::new(StatusCode::CONFLICT, "not-linked", detail));
    }
    box_changed(&app, &name, seq).await
}

/// Takes a box into service although something is missing. What that is goes into the journal.
#[utoipa::path(post, path = "/api/boxes/{id}/commission", params(("id" = String, Path)), responses((status = 200, body = view::Appliance)))]
pub(super) async fn commission(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Changed<view::Appliance> {
    signed.may(Action::Enrol)?;
    let name = BoxId::new(id)?;
    let missing = app.engine.with(|centre, live| show::missing(centre, live, &name));
    let seq = app.engine.commit(|centre, _| centre.commission(&name, missing, signed.actor()))?;
    box_changed(&app, &name, seq).await
}
