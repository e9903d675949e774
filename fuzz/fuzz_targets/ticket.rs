//! Tickets, as they come from a stick, a QR code or a keyboard: one that is taken is written alike.
//!
//! Text: a ticket, or the JSON of one, to which prefix and base64url are added.

#![no_main]

use alarm::ticket::{BadTicket, Ticket, decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(decode(&encode(bytes)).as_deref(), Some(bytes));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    take(text);
    if text.starts_with('{') {
        take(&format!("OP1.{}", encode(bytes)));
    }
});

fn take(text: &str) {
    match Ticket::from_text(text) {
        Ok(ticket) => assert_eq!(Ticket::from_text(&ticket.to_text()), Ok(ticket)),
        Err(BadTicket::NotATicket) => assert!(!text.trim().starts_with("OP1.")),
        Err(BadTicket::Damaged(why)) => assert!(!why.is_empty()),
    }
}
