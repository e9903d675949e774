//! The register: sites, test windows, boxes, tickets, accounts.

use super::auth::Signed;
use super::problem::Refusal;
use super::session::usable;
use super::{App, Changed, DONE, Done, changed};
use crate::{accounts, show, tickets, view};
use alarm::centre::Refused;
use alarm::register::{Account, Contact, Position, Site};
use alarm::role::{Action, Role};
use alarm::{BoxId, PointId, SiteId, UserId};
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;

fn site(view: view::Site) -> Result<Site, Refusal> {
    let position = match (view.latitude, view.longitude) {
        (Some(latitude), Some(longitude)) => Some(Position { latitude, longitude }),
        (None, None) => None,
        _ => return Err(Refusal::bad("a position needs latitude and longitude")),
    };
    let places = view.places.into_iter().map(|(point, place)| Ok((PointId::new(point)?, place)));
    Ok(Site {
        id: SiteId::new(view.id)?,
        name: view.name,
        address: view.address,
        position,
        contacts: view.contacts.into_iter().map(|c| Contact { name: c.name, phone: c.phone }).collect(),
        places: places.collect::<Result<_, alarm::BadId>>()?,
    })
}

async fn site_changed(app: &App, id: &SiteId, seq: u64) -> Changed<view::Site> {
    let view = app.engine.read(|centre| centre.site(id).map(|site| show::site(centre, site)));
    let view = view.ok_or_else(|| Refused::NotFound { what: "site", name: id.to_string() })?;
    changed(app, seq, || view).await
}

pub(super) async fn box_changed(app: &App, name: &BoxId, seq: u64) -> Changed<view::Appliance> {
    let view = app.engine.with(|centre, live| show::appliance(centre, live, name));
    let view = view.ok_or_else(|| Refused::NotFound { what: "box", name: name.to_string() })?;
    changed(app, seq, || view).await
}

/// Registers a site.
#[utoipa::path(post, path = "/api/sites", request_body = view::Site, responses((status = 200, body = view::Site)))]
pub(super) async fn add_site(
    State(app): State<Arc<App>>,
    signed: Signed,
    Json(entry): Json<view::Site>,
) -> Changed<view::Site> {
    signed.may(Action::Register)?;
    let entry = site(entry)?;
    let id = entry.id.clone();
    let seq = app.engine.commit(|centre, _| centre.register_site(entry, signed.actor()))?;
    site_changed(&app, &id, seq).await
}

/// Rewrites a site's entry.
#[utoipa::path(put, path = "/api/sites/{id}", params(("id" = String, Path)), request_body = view::Site, responses((status = 200, body = view::Site)))]
pub(super) async fn change_site(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Json(entry): Json<view::Site>,
) -> Changed<view::Site> {
    signed.may(Action::Register)?;
    let entry = site(view::Site { id, ..entry })?;
    let id = entry.id.clone();
    let seq = app.engine.commit(|centre, _| centre.change_site(entry, signed.actor()))?;
    site_changed(&app, &id, seq).await
}

/// Opens a test window: presses from this site are tests until it closes itself.
#[utoipa::path(post, path = "/api/sites/{id}/test", params(("id" = String, Path)), request_body = view::TestWindow, responses((status = 200, body = view::Site)))]
pub(super) async fn open_window(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Json(window): Json<view::TestWindow>,
) -> Changed<view::Site> {
    signed.may(Action::Test)?;
    let id = SiteId::new(id)?;
    let seq =
        app.engine.commit(|centre, now| centre.open_window(&id, window.minutes, signed.actor(), now))?;
    site_changed(&app, &id, seq).await
}

/// Closes the test window.
#[utoipa::path(delete, path = "/api/sites/{id}/test", params(("id" = String, Path)), responses((status = 200, body = view::Site)))]
pub(super) async fn close_window(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Changed<view::Site> {
    signed.may(Action::Test)?;
    let id = SiteId::new(id)?;
    let seq = app.engine.commit(|centre, _| centre.close_window(&id, signed.actor()))?;
    site_changed(&app, &id, seq).await
}

/// Registers a box at a site, or a wall.
#[utoipa::path(post, path = "/api/boxes", request_body = view::NewBox, responses((status = 200, body = view::Appliance)))]
pub(super) async fn add_box(
    State(app): State<Arc<App>>,
    signed: Signed,
    Json(new): Json<view::NewBox>,
) -> Changed<view::Appliance> {
    signed.may(Action::Enrol)?;
    let name = BoxId::new(new.id)?;
    let site = new.site.map(SiteId::new).transpose()?;
    let seq = app.engine.commit(|centre, _| centre.register_box(name.clone(), site, signed.actor()))?;
    box_changed(&app, &name, seq).await
}

/// Issues a ticket for a registered box. Its secret is shown here and never again.
#[utoipa::path(post, path = "/api/boxes/{id}/ticket", params(("id" = String, Path)), responses((status = 200, body = view::Ticket)))]
pub(super) async fn ticket(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<Json<view::Ticket>, Refusal> {
    signed.may(Action::Enrol)?;
    let name = BoxId::new(id)?;
    let ticket = tickets::issue(&app.engine, &app.ca, &app.addresses, &name, signed.actor()).await?;
    Ok(Json(ticket))
}

/// Puts a box out of service, now.
#[utoipa::path(delete, path = "/api/boxes/{id}", params(("id" = String, Path)), responses((status = 200, body = Done)))]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Changed<Done> {
    signed.may(Action::Enrol)?;
    let name = BoxId::new(id)?;
    let seq = app.engine.revoke(&name, signed.actor())?;
    app.engine.refresh_box(&name);
    changed(&app, seq, DONE).await
}

/// The accounts.
#[utoipa::path(get, path = "/api/accounts", responses((status = 200, body = Vec<view::Account>)))]
pub(super) async fn accounts(
    State(app): State<Arc<App>>,
    signed: Signed,
) -> Result<Json<Vec<view::Account>>, Refusal> {
    signed.may(Action::Accounts)?;
    Ok(Json(app.engine.read(|centre| centre.accounts().map(account).collect())))
}

fn account(account: &Account) -> view::Account {
    view::Account {
        user: account.user.to_string(),
        name: account.name.clone(),
        role: show::word(&account.role),
    }
}

/// Makes an account.
#[utoipa::path(post, path = "/api/accounts", request_body = view::NewAccount, responses((status = 200, body = view::Account)))]
pub(super) async fn add_account(
    State(app): State<Arc<App>>,
    signed: Signed,
    Json(new): Json<view::NewAccount>,
) -> Changed<view::Account> {
    signed.may(Action::Accounts)?;
    usable(&new.password)?;
    let role = Role::ALL.into_iter().find(|role| show::word(role) == new.role);
    let role = role.ok_or_else(|| Refusal::bad(format!("{:?} is not a role", new.role)))?;
    let entry = Account { user: UserId::new(new.user)?, name: new.name, role };
    app.engine.read(|centre| centre.make_account(entry.clone(), signed.actor()))?;
    accounts::keep(&app.engine, &entry.user, new.password).await?;
    let seq = app.engine.commit(|centre, _| centre.make_account(entry.clone(), signed.actor()))?;
    changed(&app, seq, || account(&entry)).await
}

/// A new password: one's own, or anybody's for who may keep accounts. Ends the sessions of that user, save this one.
#[utoipa::path(put, path = "/api/accounts/{user}/password", params(("user" = String, Path)), request_body = view::NewPassword, responses((status = 200, body = Done)))]
pub(super) async fn change_password(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(user): Path<String>,
    Json(new): Json<view::NewPassword>,
) -> Changed<Done> {
    let user = UserId::new(user)?;
    if user != signed.user {
        signed.may(Action::Accounts)?;
    }
    usable(&new.password)?;
    app.engine.read(|centre| centre.change_password(&user, signed.actor()))?;
    accounts::keep(&app.engine, &user, new.password).await?;
    let seq = app.engine.commit(|centre, _| centre.change_password(&user, signed.actor()))?;
    if user != signed.user {
        app.sessions.end_all(&app.engine, &user).await?;
    }
    changed(&app, seq, DONE).await
}

/// Removes an account. The last administrator stays.
#[utoipa::path(delete, path = "/api/accounts/{user}", params(("user" = String, Path)), responses((status = 200, body = Done)))]
pub(super) async fn remove_account(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(user): Path<String>,
) -> Changed<Done> {
    signed.may(Action::Accounts)?;
    let user = UserId::new(user)?;
    let seats = app.engine.read(|centre| {
        let own = centre.seats().filter(|(_, seated)| seated.user == user);
        own.map(|(seat, _)| seat.clone()).collect::<Vec<_>>()
    });
    let seq = app.engine.commit(|centre, _| centre.remove_account(&user, signed.actor()))?;
    app.engine.with(|_, live| seats.iter().for_each(|seat| live.forget_seat(seat)));
    accounts::forget(&app.engine, &user).await?;
    app.sessions.end_all(&app.engine, &user).await?;
    changed(&app, seq, DONE).await
}
