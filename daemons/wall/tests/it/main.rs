//! The daemon as it runs: a relay board on a pseudo-terminal, a rack over QUIC on loopback, the control socket.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![allow(unreachable_pub, reason = "modules of one test program")]

mod desk;
mod place;
mod story;
