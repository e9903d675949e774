//! The desk with its disk, its link and its HTTP interface, and a relay and a box that are played.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
#![allow(unreachable_pub, reason = "modules of one test program")]

mod announcements;
mod centre;
mod fleet;
mod looks;
mod relay;
mod snapshots;
mod updates;
mod voids;
