//! The floor of the fan-out benchmark: makes the pictures itself and writes the same bytes to every connection, in
//! groups as MoQ does, with nothing between it and QUIC.
//!
//! `floor PORT [mtu] [acks=N]`

mod fanout;

use fanout::{GROUP, RATE, now, picture, put, say, server};
use quinn::VarInt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use web_transport_quinn::quinn;

struct Seat {
    connection: quinn::Connection,
    group: Option<quinn::SendStream>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = arguments.first().and_then(|port| port.parse().ok()).unwrap_or(4700);
    let endpoint = server(port, settings(&arguments))?;
    say("ready");
    let seats: Arc<Mutex<Vec<Seat>>> = Arc::default();
    tokio::spawn(film(seats.clone()));
    while let Some(incoming) = endpoint.accept().await {
        let seats = seats.clone();
        tokio::spawn(async move {
            let connection = incoming.await?;
            let (_send, mut subscribe) = connection.accept_bi().await?;
            let mut request = [0; 64];
            subscribe.read(&mut request).await?;
            seats.lock().expect("nobody panics").push(Seat { connection: connection.clone(), group: None });
            connection.closed().await;
            anyhow::Ok(())
        });
    }
    Ok(())
}

fn settings(arguments: &[String]) -> quinn::TransportConfig {
    let mut config = media::session::transport_config(Duration::from_secs(4), Duration::from_secs(20));
    for argument in arguments {
        match argument.split_once('=') {
            Some(("acks", packets)) => {
                let mut acks = quinn::AckFrequencyConfig::default();
                acks.ack_eliciting_threshold(VarInt::from_u32(packets.parse().unwrap_or(10)));
                config.ack_frequency_config(Some(acks));
            }
            None if argument == "mtu" => {
                config.initial_mtu(1452);
            }
            Some(_) | None => {}
        }
    }
    config
}

async fn film(seats: Arc<Mutex<Vec<Seat>>>) {
    let mut clock = tokio::time::interval(Duration::from_secs(1) / RATE);
    for n in 0.. {
        clock.tick().await;
        let data = picture(n, now());
        let mut frame = Vec::with_capacity(data.len() + 16);
        put(&mut frame, 80_000);
        put(&mut frame, data.len() as u64);
        frame.extend(data);
        let frame = bytes::Bytes::from(frame);
        let mut seats = seats.lock().expect("nobody panics");
        seats.retain(|seat| seat.connection.close_reason().is_none());
        for seat in &mut *seats {
            write(seat, n, frame.clone());
        }
    }
}

/// Begins a group or goes on with it.
fn write(seat: &mut Seat, n: u64, frame: bytes::Bytes) {
    let mut pieces = vec![frame];
    if n.is_multiple_of(GROUP) {
        let Some(Ok(stream)) = at_once(seat.connection.open_uni()) else { return };
        if let Some(mut before) = seat.group.replace(stream) {
            let _ = before.finish();
        }
        let (mut message, mut header) = (Vec::new(), vec![0]);
        put(&mut message, 0);
        put(&mut message, n / GROUP);
        put(&mut message, 0);
        put(&mut header, message.len() as u64);
        header.extend(message);
        pieces.insert(0, header.into());
    }
    if let Some(stream) = &mut seat.group {
        let _ = at_once(stream.write_chunks(&mut pieces));
    }
}

fn at_once<T>(work: impl Future<Output = T>) -> Option<T> {
    match std::pin::pin!(work).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(done) => Some(done),
        std::task::Poll::Pending => None,
    }
}
