//! QUIC transport parameters (RFC 9000 section 18.2) for both ends. Alarms are rare and small: what matters is
//! that they leave at once, that a dead peer is noticed, and that many hundreds of idle connections cost little: measured, 36 kB
//! each on the rack.

use alarm::path::IDLE_TIMEOUT;
use alarm::wire::FRAME_MAX;
use quinn::{IdleTimeout, TransportConfig, VarInt};
use std::time::Duration;

/// Streams that a box may have open: one per purpose, and as many again while they are being replaced.
pub(crate) const STREAMS_MAX: u32 = 8;
/// Bytes in flight on one stream: one frame with its length. More would only wait in memory.
const STREAM_WINDOW: usize = FRAME_MAX + 4;
/// Bytes in flight on all streams of a connection: two whole frames at once. It bounds what a box that sends and
/// a rack that does not read can pile up: 500 boxes, 64 MiB at the worst.
const CONNECTION_WINDOW: usize = 2 * STREAM_WINDOW;
/// First guess of the round trip. quinn's 333 ms (RFC 9002 section 6.2.2) would repeat a lost first packet after
/// a second; wired and cellular links here are below this, and a slower one only sees one packet twice.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// The rack: it only listens; the boxes keep their connections alive.
pub(crate) fn rack() -> TransportConfig {
    let mut config = common();
    config.max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_MAX));
    config
}

/// A box, which sends a sign of life this often.
pub(crate) fn client(keep_alive: Duration) -> TransportConfig {
    let mut config = common();
    config.max_concurrent_bidi_streams(VarInt::from_u32(0));
    config.keep_alive_interval(Some(keep_alive));
    config
}

fn common() -> TransportConfig {
    let mut config = TransportConfig::default();
    let idle = IdleTimeout::try_from(IDLE_TIMEOUT).expect("the idle timeout is seconds, not ages");
    config
        .max_idle_timeout(Some(idle))
        .initial_rtt(INITIAL_RTT)
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(window(STREAM_WINDOW))
        .receive_window(window(CONNECTION_WINDOW))
        .send_window(u64::from(window(CONNECTION_WINDOW)))
        .datagram_receive_buffer_size(None)
        // Frames are small: probing for a larger packet size would be most of an idle link's traffic.
        .mtu_discovery_config(None);
    config
}

fn window(bytes: usize) -> VarInt {
    VarInt::from_u32(u32::try_from(bytes).unwrap_or(u32::MAX))
}
