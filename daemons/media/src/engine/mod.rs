//! What carries pictures from the origin to those who watch: moq-net itself ([`Stock`]), or a fan-out that costs less
//! for each picture and watcher ([`Fanout`]). Both speak moq-lite; a client cannot tell them apart.
//!
//! ```text
//!              accepted streams                    first number and message read
//!  session ──▶ Door ──────────────▶ SUBSCRIBE ──▶ Engine::takes ─▶ Engine::serve
//!                │                                      │ no
//!                └─ everything else ────────────────────┴────────▶ moq-net, from the first byte
//! ```
//!
//! So set-up, announcements, track information, fetches, probes and farewells stay moq-net's. What belongs here is
//! the way of a group's bytes: read once, encoded once, written to every watcher's stream. Which groups a watcher is
//! owed is decided by moq-net's own cursor, one for each subscription.
//!
//! | module | what |
//! |---|---|
//! | [`door`] | the transport as moq-net sees it, without the streams that an engine takes |
//! | [`wire`] | the messages of moq-lite-05 and 06 on those streams |
//! | [`subscription`] | one SUBSCRIBE: its cursor, its updates, its end |
//! | [`seat`] | one group on its way to one watcher |
//! | [`group`] | one group on its way to all |

mod door;
mod group;
mod seat;
mod subscription;
mod wire;

pub(crate) use door::{Door, Porter};
pub(crate) use wire::Version;

use group::Hub;
use std::sync::Arc;
use web_transport_quinn as wt;

/// Packets that a watcher may take before it acknowledges them, where it knows how to (draft-ietf-quic-ack-frequency):
/// more than a picture between key frames has at 2 Mbit/s, so that a picture costs one acknowledgement.
const ACKNOWLEDGE_EVERY: u32 = 10;

/// Bytes that may be on their way to one watcher and not acknowledged: a second of 16 films at 2 Mbit/s. What is more
/// waits in its group, where it is shared and can be thrown away.
const ON_THE_WAY: u64 = 4 << 20;

/// Sets what makes a connection to a watcher cheap, in processor time and in memory.
pub fn thrifty(config: &mut quinn::TransportConfig) {
    config.send_window(ON_THE_WAY);
    let mut acknowledge = quinn::AckFrequencyConfig::default();
    acknowledge.ack_eliciting_threshold(quinn::VarInt::from_u32(ACKNOWLEDGE_EVERY));
    config.ack_frequency_config(Some(acknowledge));
}

/// Serves subscriptions of sessions that only watch.
pub trait Engine: Send + Sync + 'static {
    /// Whether it serves this subscription. What it does not take is moq-net's.
    fn takes(&self, wish: &Wish) -> bool;

    /// Serves it, in a task of its own. Needs a tokio runtime.
    fn serve(&self, request: Request);
}

/// What a watcher subscribes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish(wire::Subscribe);

impl Wish {
    /// Whole groups without a last one, as players and recorders ask for them: not a part of a group, as after a
    /// change of route between relays.
    pub fn is_live(&self) -> bool {
        let range = &self.0.range;
        range.start_frame == 0 && range.end_group.is_none() && range.end_frame.is_none()
    }

    /// Name of the broadcast.
    pub fn broadcast(&self) -> &str {
        &self.0.broadcast
    }

    /// Name of the track.
    pub fn track(&self) -> &str {
        &self.0.track
    }
}

/// A subscription with its stream.
pub struct Request {
    session: wt::Session,
    reader: moq_net::origin::Consumer,
    version: Version,
    wish: Wish,
    send: wt::SendStream,
    recv: wt::RecvStream,
}

/// Leaves everything to moq-net.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stock;

impl Engine for Stock {
    fn takes(&self, _: &Wish) -> bool {
        false
    }

    fn serve(&self, _: Request) {}
}

/// Reads each group once for all that watch it. Sessions of one relay share one.
#[derive(Clone, Default)]
pub struct Fanout(Arc<Hub>);

impl Fanout {
    /// Without watchers.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Engine for Fanout {
    fn takes(&self, wish: &Wish) -> bool {
        wish.is_live()
    }

    fn serve(&self, request: Request) {
        tokio::spawn(subscription::serve(self.0.clone(), request));
    }
}
