//! The update stream: a bundle goes to a box whose turn it is, behind everything else and not faster than [`PACE`].

use super::Hall;
use crate::bundles::piece;
use alarm::BoxId;
use alarm::wire::{Refusal, ToBox, ToRack};
use anyhow::Context;
use link::rack::{Body, Stream};
use std::fs::File;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

/// Bytes a second to one box: 4 Mbit/s leave room on a school's line for its voices and pictures, and a bundle of 160 MB
/// takes five minutes. An ACK that comes behind a whole window of it (64 KiB) waits 0.1 s at this pace.
const PACE: u64 = 512 << 10;
/// How often a piece is sent.
const EVERY: Duration = Duration::from_millis(50);
/// What is sent then.
const PIECE: usize = (PACE as usize * EVERY.as_millis() as usize) / 1_000;

pub(super) async fn serve(hall: Hall, name: BoxId, mut stream: Stream) {
    let Ok(Some(ToRack::Fetch { sha256, from })) = stream.recv().await else { return };
    let offer = hall.engine.read(|centre| centre.update_for(&name));
    let Some(offer) = offer.filter(|offer| offer.sha256 == sha256 && from <= offer.bytes) else {
        stream.refuse(Refusal::NotOffered).await;
        return;
    };
    let (bundles, wanted) = (hall.bundles.clone(), sha256.clone());
    let file = match spawn_blocking(move || bundles.open_at(&wanted, from)).await {
        Ok(Ok(file)) => file,
        Ok(Err(_)) | Err(_) => {
            tracing::warn!(%name, %sha256, "a bundle that is offered is not on the disk: remove it in the console and add it again");
            stream.refuse(Refusal::NotOffered).await;
            return;
        }
    };
    tracing::info!(%name, version = %offer.version, from, "a box fetches an update");
    if stream.send(&ToBox::Bundle { bytes: offer.bytes }).await.is_err() {
        return;
    }
    let body = stream.into_body();
    let still = || hall.engine.read(|centre| centre.update_for(&name)).as_ref() == Some(&offer);
    if let Err(error) = send(file, body, still).await {
        tracing::info!(%name, error = format!("{error:#}"), "the update was cut; the box asks for the rest");
    }
}

async fn send(mut file: File, mut body: Body, still: impl Fn() -> bool) -> anyhow::Result<()> {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        anyhow::ensure!(still(), "it is not offered to this box any more");
        let (rest, bytes) = spawn_blocking(move || piece(file, PIECE)).await?.context("reading a bundle")?;
        if bytes.is_empty() {
            body.finish();
            return Ok(());
        }
        body.send(&bytes).await?;
        file = rest;
    }
}
