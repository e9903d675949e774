//! The renewal stream: a new certificate for a new key.

use super::Hall;
use crate::clock;
use alarm::wire::{Refusal, ToBox, ToRack};
use link::ca::{BOX_LIFE, Request, to_wire};
use link::rack::{Peer, Stream};

pub(super) async fn serve(hall: Hall, peer: Peer, mut stream: Stream) {
    let Ok(Some(ToRack::Renew { csr })) = stream.recv().await else { return };
    match issue(&hall, &peer, &csr).await {
        Ok(chain) => {
            tracing::info!(name = %peer.name, "certificate renewed");
            // Not heard: the box asks again with its old key, which stays good until the new one is used.
            let _ = stream.send(&ToBox::Certificate { chain }).await;
        }
        Err(error) => {
            tracing::warn!(name = %peer.name, %error, "certificate not renewed");
            stream.refuse(Refusal::BadRequest).await;
        }
    }
}

async fn issue(hall: &Hall, peer: &Peer, csr: &str) -> anyhow::Result<Vec<String>> {
    let request = Request::from_base64(csr)?;
    let now = clock::wall();
    let chain = hall.ca.issue_box(&request, &peer.certified_name(), now)?;
    let key = request.key().to_string();
    let seq = hall.engine.write(|centre, _| centre.renew(&peer.name, &key, now + BOX_LIFE));
    hall.engine.durable(seq).await;
    Ok(to_wire(&chain))
}
