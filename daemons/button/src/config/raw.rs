use alarm::Mode;
use alarm::point::Wiring;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// The file as written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Raw {
    /// The board file.
    pub board: PathBuf,
    /// Where spool, identity and keys lie; by default what systemd gives, else `/var/lib/onepress/button`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// Where a ticket may lie; by default `ticket` in the state directory, where the daemon may erase it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<PathBuf>,
    /// Where the control socket is bound when the service manager has none.
    #[serde(default = "control")]
    pub control: PathBuf,
    /// Below which folder the appliance lies that is updated; by default `/`. For tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appliance: Option<PathBuf>,
    /// Log level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Other paths for serial devices of the board.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub devices: BTreeMap<String, PathBuf>,
    /// The lamp that shows that an ordinary alarm was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lamp: Option<Lamp>,
    /// When the points are tested: a time of day with its distance from UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_test: Option<String>,
    /// The ways to the rack.
    #[serde(default, rename = "path")]
    pub paths: Vec<Path>,
    /// The points of the box.
    #[serde(default, rename = "point")]
    pub points: Vec<Point>,
}

/// The local lamp.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lamp {
    /// The board's output.
    pub output: String,
}

/// One way to the rack.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Path {
    /// Its name.
    pub id: String,
    /// What it runs over.
    pub kind: Network,
    /// The network interface that it is held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The source address that it is held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// Addresses of the rack on this path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub racks: Option<Vec<String>>,
}

/// What a path runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Bytes cost nothing.
    Wired,
    /// Bytes cost money.
    Metered,
}

/// One point.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Point {
    /// Its name, as the site register has it.
    pub id: String,
    /// What it watches.
    #[serde(default)]
    pub kind: WhatIs,
    /// How it is wired.
    #[serde(default = "antivalent")]
    pub wiring: Wiring,
    /// The line of the normally open contact of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no: Option<String>,
    /// The line of the normally closed contact of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nc: Option<String>,
    /// The line of a single contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// How the site is treated; of a button only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// It stays pressed until it is reset; of a button only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latching: Option<bool>,
    /// How long a level must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debounce_ms: Option<u64>,
    /// How long a pair may disagree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discrepancy_ms: Option<u64>,
    /// The output of a test relay across the whole button.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The output of a test relay that closes the normally open contact of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_no: Option<String>,
    /// The output of a test relay that opens the normally closed contact of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_nc: Option<String>,
    /// How long a test relay's contact may still be seen moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_drop_ms: Option<u64>,
    /// Presses within this time belong together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_s: Option<u64>,
}

/// What a point watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhatIs {
    /// A panic button.
    #[default]
    HoldUp,
    /// The enclosure.
    Tamper,
    /// The mains.
    Mains,
    /// The battery.
    Battery,
}

fn control() -> PathBuf {
    unit::runtime_dir("/run/onepress").join("button.sock")
}

fn antivalent() -> Wiring {
    Wiring::Antivalent
}
