//! Refusals: a status, a word that the console translates, and a sentence with the remedy.

use crate::view::Problem;
use alarm::centre::Refused;
use alarm::{rollout, room};
use axum::Json;
use axum::body::to_bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Longest sentence of a refusal that is not ours.
const SENTENCE_MAX: usize = 4 * 1024;

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
            Refused::NotEnrolled(_) => (S::CONFLICT, "not-enrolled"),
            Refused::NotWatching(_) => (S::CONFLICT, "not-watching"),
            Refused::HoldFull => (S::CONFLICT, "hold-full"),
            Refused::Snapshots => (S::CONFLICT, "too-many-snapshots"),
            Refused::MayNotSpeak(_) => (S::FORBIDDEN, "may-not-speak"),
            Refused::Announcements => (S::CONFLICT, "too-many-announcements"),
            Refused::AnnouncementName => (S::BAD_REQUEST, "bad-request"),
            Refused::Bundles => (S::CONFLICT, "too-many-bundles"),
            Refused::BundleInUse(_) | Refused::RollingOut(_) => (S::CONFLICT, "rolling-out"),
            Refused::NoBundle(_) => (S::CONFLICT, "bundle-missing"),
            Refused::NoAppliance(_) => (S::CONFLICT, "no-appliance"),
            Refused::NoRollout => (S::CONFLICT, "no-rollout"),
            Refused::Rollout(rollout::Refused::Downgrade { .. }) => (S::CONFLICT, "downgrade"),
            Refused::Rollout(rollout::Refused::Nobody(_)) => (S::CONFLICT, "nobody-needs-it"),
            Refused::Cameras | Refused::Reason => (S::BAD_REQUEST, "bad-request"),
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

/// What the framework refuses by itself (a body that is no JSON, or too long, a number that is none) comes as plain
/// text; a console wants the same word and sentence for it as for everything else.
pub(crate) async fn in_words(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let plain = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(plain && response.status().is_client_error()) {
        return response;
    }
    let status = response.status();
    let sentence = to_bytes(response.into_body(), SENTENCE_MAX).await.unwrap_or_default();
    Refusal::new(status, "bad-request", String::from_utf8_lossy(&sentence)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(response: Response) -> (StatusCode, String) {
        let status = response.status();
        let body = to_bytes(response.into_body(), SENTENCE_MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn refusals_of_the_framework_are_told_like_all_others() {
        let theirs = (StatusCode::PAYLOAD_TOO_LARGE, "length limit exceeded").into_response();
        let told = r#"{"error":"bad-request","detail":"length limit exceeded"}"#;
        assert_eq!(read(in_words(theirs).await).await, (StatusCode::PAYLOAD_TOO_LARGE, told.into()));
        let ours = Refusal::forbidden().into_response();
        let told = r#"{"error":"forbidden","detail":"your role may not do this"}"#;
        assert_eq!(read(in_words(ours).await).await, (StatusCode::FORBIDDEN, told.into()));
        let good = (StatusCode::OK, "text").into_response();
        assert_eq!(read(in_words(good).await).await, (StatusCode::OK, "text".into()));
    }
}
