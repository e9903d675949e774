//! `make bench`: how long a press takes and what a rack costs, each beside its floor and beside two message brokers,
//! all in one run. Plain loops with a clock; what is measured is the release build of the real daemons.
//!
//! Every round does each thing once, so that a busy machine is equally busy for all of them. A sum of floors is made
//! in each round too, and its percentiles are those of the sums.

mod board;
pub(crate) mod boxes;
mod centre;
mod crowd;
mod fanout;
mod floor;
mod generator;
mod glass;
mod idle;
mod interop;
mod numbers;
mod peers;
mod press;
mod report;
mod run;
mod storm;

pub use run::run;

/// Registers and enrols so many boxes, one to a site; each identity lies in a folder of its own under `dir`.
///
/// # Errors
/// What the desk refused.
pub fn enrol(
    runtime: &tokio::runtime::Runtime,
    desk: &onepress::api::Desk,
    boxes: usize,
    dir: &std::path::Path,
) -> anyhow::Result<()> {
    boxes::enrol(runtime, desk, &boxes::Plan { boxes, per_site: 1, dir })
}
