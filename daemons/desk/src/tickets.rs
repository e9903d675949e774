//! Tickets: the line of text and the QR code with which a new box comes into service.

use crate::{Engine, clock, random, view};
use alarm::BoxId;
use alarm::event::Actor;
use alarm::ticket::{LIFETIME, Ticket, encode};
use anyhow::Context;
use journal::Secret;
use link::ca::Ca;
use link::proof::SecretHash;
use qrcode::QrCode;
use qrcode::render::svg;

/// Smallest side of the QR code, in SVG units.
const QR_SIDE: u32 = 320;

/// Issues a ticket for a registered appliance. Its secret is kept only as a hash.
///
/// # Errors
/// `Refused` inside when the register says no; else the journal's trouble.
pub(crate) async fn issue(
    engine: &Engine,
    ca: &Ca,
    addresses: &[String],
    name: &BoxId,
    by: Actor,
) -> anyhow::Result<view::Ticket> {
    let expires = clock::wall() + LIFETIME;
    let (number, secret) = (random::text::<6>(), random::text::<32>());
    // Asked before the secret is kept, so that a refusal leaves nothing behind.
    engine.read(|centre| centre.issue_ticket(name, number.clone(), expires, by.clone()))?;
    let hash = SecretHash::of(&secret).context("hashing the ticket's secret")?;
    engine.keep_secret(Secret::Ticket, &number, &serde_json::to_vec(&hash)?).await?;
    let seq = engine.commit(|centre, _| centre.issue_ticket(name, number.clone(), expires, by))?;
    engine.durable_soon(seq).await;
    let ticket = Ticket {
        number,
        secret,
        root: encode(ca.fingerprint().as_bytes()),
        addresses: addresses.to_vec(),
        name: name.clone(),
        site: engine.read(|centre| centre.appliance(name).and_then(|entry| entry.site.clone())),
        expires,
    };
    let text = ticket.to_text();
    let qr = QrCode::new(text.as_bytes()).context("drawing the ticket")?;
    let qr = qr.render::<svg::Color<'_>>().min_dimensions(QR_SIDE, QR_SIDE).build();
    Ok(view::Ticket { qr, text, expires: expires.millis(), file: format!("{name}.ticket") })
}
