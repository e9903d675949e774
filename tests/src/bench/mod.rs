//! `make bench`: how long a press takes and what a rack costs, each beside its floor and beside two message brokers,
//! all in one run. Plain loops with a clock; what is measured is the release build of the real daemons.
//!
//! Every round does each thing once, so that a busy machine is equally busy for all of them. A sum of floors is made
//! in each round too, and its percentiles are those of the sums.

mod board;
mod boxes;
mod centre;
mod floor;
mod generator;
mod idle;
mod numbers;
mod peers;
mod press;
mod report;
mod run;
mod storm;

pub use run::run;
