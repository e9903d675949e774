//! A new box shows its ticket.

use super::Hall;
use crate::clock;
use alarm::BoxId;
use alarm::wire::{EnrolAnswer, EnrolRefusal, EnrolRequest, VERSION};
use journal::Secret;
use link::Name;
use link::ca::{BOX_LIFE, Request, to_wire};
use link::proof::SecretHash;
use link::rack::EnrolSession;

pub(super) async fn serve(hall: Hall, mut session: EnrolSession) {
    let remote = session.remote();
    let request = match session.request().await {
        Ok(request) => request,
        Err(error) => {
            tracing::info!(%remote, %error, "an enrolment ended before its request");
            return;
        }
    };
    let ticket = request.ticket.clone();
    let answer = match judge(&hall, &session, &request).await {
        Ok((name, chain)) => {
            tracing::info!(%name, %ticket, %remote, "box enrolled");
            EnrolAnswer::Enrolled { chain }
        }
        Err(reason) => {
            tracing::warn!(%ticket, %remote, %reason, "a ticket was refused");
            EnrolAnswer::Refused { reason }
        }
    };
    session.answer(answer).await;
}

async fn judge(
    hall: &Hall,
    session: &EnrolSession,
    request: &EnrolRequest,
) -> Result<(BoxId, Vec<String>), EnrolRefusal> {
    if request.version != VERSION {
        return Err(EnrolRefusal::UnknownVersion);
    }
    if !session.proves(&secret(hall, &request.ticket).await?, request) {
        return Err(EnrolRefusal::UnknownTicket);
    }
    let csr = Request::from_base64(&request.csr).map_err(|_| EnrolRefusal::BadRequest)?;
    let key = csr.key().to_string();
    let now = clock::wall();
    let (name, site) = hall.engine.read(|centre| {
        let name = centre.may_enrol(&request.ticket, &key, now)?;
        let site = centre.appliance(name).and_then(|entry| entry.site.clone());
        Ok((name.clone(), site))
    })?;
    let certified = Name::of(name.clone(), site);
    let chain = hall.ca.issue_box(&csr, &certified, now).map_err(|_| EnrolRefusal::BadRequest)?;
    let seq = hall.engine.commit(|centre, _| {
        // Asked again under the lock: of two keys with one ticket, one is served.
        centre.may_enrol(&request.ticket, &key, now)?;
        Ok(centre.enrol(&name, &request.ticket, &key, now + BOX_LIFE))
    })?;
    hall.engine.durable(seq).await;
    Ok((name, to_wire(&chain)))
}

async fn secret(hall: &Hall, ticket: &str) -> Result<SecretHash, EnrolRefusal> {
    let kept = hall.engine.secret(Secret::Ticket, ticket).await.map_err(|_| EnrolRefusal::TryAgain)?;
    let kept = kept.ok_or(EnrolRefusal::UnknownTicket)?;
    serde_json::from_slice(&kept).map_err(|_| EnrolRefusal::UnknownTicket)
}
