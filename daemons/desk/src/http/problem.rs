//! Refusals: a status, a word that the console translates, and a sentence with the remedy.

use crate::view::Problem;
use alarm::centre::Refused;
use alarm::room;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Why a request was not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: &'static str,
    detail: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: &'static str, detail: impl Into<String>) -> Self {
        Self { status, error, detail: detail.into() }
    }

    pub(crate) fn unauthorised() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", "sign in first")
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "your role may not do this")
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(Problem { error: self.error.into(), detail: self.detail })).into_response()
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        use StatusCode as S;
        let (status, error) = match &refused {
            Refused::NotFound { .. } => (S::NOT_FOUND, "not-found"),
            Refused::Exists { .. } | Refused::Answered(_) | Refused::Step { .. } | Refused::Revoked(_) => {
                (S::CONFLICT, "conflict")
            }
            Refused::Closed(_) => (S::CONFLICT, "already-closed"),
            Refused::NotAnswered(_) => (S::CONFLICT, "not-answered"),
            Refused::Room(room::Refused::NotOwner(_)) => (S::FORBIDDEN, "not-yours"),
            Refused::Room(_) => (S::CONFLICT, "conflict"),
            Refused::Outcome(_) => (S::BAD_REQUEST, "outcome-not-allowed"),
            Refused::SeatTaken(_) => (S::CONFLICT, "seat-taken"),
            Refused::SeatBusy(_) => (S::CONFLICT, "seat-busy"),
            Refused::SeatEmpty(_) => (S::CONFLICT, "unknown-seat"),
            Refused::SeatsFull => (S::SERVICE_UNAVAILABLE, "seats-full"),
            Refused::LastAdministrator(_) => (S::CONFLICT, "last-administrator"),
            Refused::Note | Refused::Window | Refused::Entry(_) => (S::BAD_REQUEST, "bad-request"),
        };
        Self::new(status, error, refused.to_string())
    }
}

impl From<alarm::BadId> for Refusal {
    fn from(error: alarm::BadId) -> Self {
        Self::bad(error.to_string())
    }
}

/// A refusal inside is passed on; anything else is the journal's trouble.
impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Refused>() {
            Ok(refused) => refused.into(),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "a request failed");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "journal-unwritable", format!("{error:#}"))
            }
        }
    }
}
