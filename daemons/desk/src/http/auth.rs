//! Who asks: the cookie, the session behind it, the account's role, and the header that only our own page sends.

use super::App;
use super::problem::Refusal;
use alarm::event::Actor;
use alarm::role::{Action, Role};
use alarm::{SeatId, UserId};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use std::sync::Arc;

pub(crate) const COOKIE: &str = "onepress";

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) user: UserId,
    pub(crate) seat: SeatId,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) token: String,
}

impl Signed {
    pub(crate) fn may(&self, action: Action) -> Result<(), Refusal> {
        if self.role.may(action) { Ok(()) } else { Err(Refusal::forbidden()) }
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor::Seat { user: self.user.clone(), seat: self.seat.clone() }
    }
}

impl FromRequestParts<Arc<App>> for Signed {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        own_page(parts)?;
        let token = token(parts).ok_or_else(Refusal::unauthorised)?;
        let session = app.sessions.find(&token).ok_or_else(Refusal::unauthorised)?;
        let account = app.engine.read(|centre| centre.account(&session.user).cloned());
        let account = account.ok_or_else(Refusal::unauthorised)?;
        Ok(Self { user: session.user, seat: session.seat, name: account.name, role: account.role, token })
    }
}

/// A request of our own page. Other sites cannot set the header, and forms cannot either.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnPage;

impl FromRequestParts<Arc<App>> for OwnPage {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Refusal> {
        own_page(parts).map(|()| Self)
    }
}

fn own_page(parts: &Parts) -> Result<(), Refusal> {
    let harmless = matches!(parts.method, Method::GET | Method::HEAD);
    if harmless || parts.headers.contains_key("x-onepress") {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "requests that change something need the header X-Onepress: 1",
    ))
}

fn token(parts: &Parts) -> Option<String> {
    let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, token)| token.to_owned()).next()
}
