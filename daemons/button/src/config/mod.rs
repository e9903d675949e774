//! The configuration file: the shape as written ([`Raw`]) and what it means ([`Config`]). No device is touched here
//! but the board file, which is part of the configuration.

mod check;
mod point;
mod raw;

pub use raw::{Lamp, Network, Path, Point, Raw, WhatIs};

use crate::core::Supervised;
use alarm::selftest::At;
use hw::Board;
use link::client;
use std::path::PathBuf;

/// A configuration that makes sense.
#[derive(Clone)]
pub struct Config {
    /// The board, with the paths of its devices as configured.
    pub board: Board,
    /// Where spool, identity and keys lie.
    pub state_dir: PathBuf,
    /// Where a ticket may lie.
    pub ticket: PathBuf,
    /// Where the control socket is bound when the service manager has none.
    pub control: PathBuf,
    /// Below which folder the appliance lies that is updated.
    pub appliance: PathBuf,
    /// The ways to the rack.
    pub paths: Vec<Way>,
    /// The points of the box.
    pub points: Vec<Supervised>,
    /// When the points are tested.
    pub self_test: At,
    /// The output of the local lamp.
    pub lamp: Option<String>,
}

/// One way to the rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What the link makes of it.
    pub path: client::Path,
    /// Addresses of the rack on this way, instead of those of the ticket.
    pub racks: Option<Vec<String>>,
}

#[cfg(test)]
mod tests;
