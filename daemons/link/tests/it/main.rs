//! Box and rack over real QUIC on loopback, in one process.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![allow(unreachable_pub, reason = "modules of one test program")]
#![allow(clippy::wildcard_enum_match_arm, reason = "the small desk answers what the tests send")]

mod boxes;
mod centre;
mod crowd;
mod dates;
mod enrolment;
mod fetch;
mod garbage;
mod paths;
mod renewal;
mod restart;
mod rogue;
mod story;
mod strangers;
