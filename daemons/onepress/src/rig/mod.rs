//! A centre and schools on one computer: the real daemons as processes, with simulated devices on
//! pseudo-terminals. Each part can be killed and started again by itself, which is what tests do.

mod camera;
mod process;
mod rack;
mod relay;
mod school;
mod wall;

pub use camera::{Camera, Cameras};
pub use process::{Daemon, Programs, STOP_LIMIT};
pub use rack::{PASSWORD, Rack, SEAT, USER};
pub use relay::Relay;
pub use school::{Button, Plan, School, Way};
pub use wall::{Lamps, Wall};

use anyhow::Context;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a part of the rig may take to come up: a debug build on a busy machine.
pub const READY_LIMIT: Duration = Duration::from_secs(60);

/// Waits until `look` finds something.
///
/// # Errors
/// When it did not within `limit`; names what was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < end, "{what}: not within {limit:?}");
        pause(Duration::from_millis(10));
    }
}

/// Waits; the rig runs on plain threads.
#[expect(clippy::disallowed_methods, reason = "the rig has no runtime whose worker could be held up")]
pub fn pause(span: Duration) {
    std::thread::sleep(span);
}

/// A port that is free on loopback now: the wanted one if it can be had.
fn free_tcp(wanted: u16) -> anyhow::Result<u16> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    Ok(bound.context("looking for a free TCP port")?.local_addr()?.port())
}

fn free_udp() -> anyhow::Result<u16> {
    let bound = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("looking for a free UDP port")?;
    Ok(bound.local_addr()?.port())
}

/// A port that is free on loopback now for both TCP and UDP.
///
/// # Errors
/// When none is found.
pub fn free_both() -> anyhow::Result<u16> {
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        let port = free_udp()?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no port is free for both TCP and UDP")
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
