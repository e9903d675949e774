//! The daemon between a camera, a button and a relay that are played: real RTSP, real QUIC with the real certificates,
//! real pictures. Needs `tests/setup/media.sh`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod bad;
mod cameras;
mod incidents;
mod picture;
mod played;
mod sound;
