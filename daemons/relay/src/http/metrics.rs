//! Figures in the text format of Prometheus.

use super::App;
use std::fmt::Write;

/// Everything there is.
pub(super) fn text(app: &App) -> String {
    let mut text = String::new();
    let counts = app.house.sessions.counts();
    for (transport, count) in ["QUIC", "WebTransport", "WebSocket"].into_iter().zip(counts) {
        line(&mut text, "onepress_relay_sessions", &format!("transport=\"{transport}\""), count);
    }
    for (place, seen) in app.house.sessions.seen().into_iter().enumerate() {
        let who = seen.who.replace(['"', '\\', '\n'], "_");
        let labels = format!("session=\"{place}\",who=\"{who}\",transport=\"{}\"", seen.transport);
        let figures = seen.figures;
        if let Some(round_trip) = figures.round_trip {
            line(&mut text, "onepress_relay_round_trip_seconds", &labels, round_trip.as_secs_f64());
        }
        if let Some((sent, lost)) = figures.packets {
            line(&mut text, "onepress_relay_packets_sent_total", &labels, sent);
            line(&mut text, "onepress_relay_packets_lost_total", &labels, lost);
        }
        if let Some((sent, received)) = figures.bytes {
            line(&mut text, "onepress_relay_bytes_sent_total", &labels, sent);
            line(&mut text, "onepress_relay_bytes_received_total", &labels, received);
        }
    }
    let told = app.house.told.borrow().clone();
    line(&mut text, "onepress_relay_rooms", "", told.rooms.len());
    line(&mut text, "onepress_relay_takes_recording", "", app.recorder.running().len());
    line(&mut text, "onepress_relay_recorded_bytes_total", "", app.recorder.trouble.bytes());
    let disk = app.disk.borrow().clone();
    line(&mut text, "onepress_relay_free_bytes", "", disk.free);
    for fault in &disk.faults {
        line(&mut text, "onepress_relay_fault", &format!("fault=\"{fault}\""), 1);
    }
    text
}

fn line(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{name}{braced} {value}");
}
