//! What the control socket (`unit::control`) tells.
//!
//! ```text
//! {"do":"status"}
//! {"software":"0.1.0","relay":true,"open":false,"cameras":[...]}
//! ```

use alarm::{CameraId, Fault};
use serde::{Deserialize, Serialize};

/// How the cameras are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Version of the daemon.
    pub software: String,
    /// The relay is there.
    pub relay: bool,
    /// There is an incident: all cameras publish.
    pub open: bool,
    /// Every camera and microphone.
    pub cameras: Vec<CameraStatus>,
}

/// One camera or microphone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CameraStatus {
    /// Which.
    pub camera: CameraId,
    /// It publishes now.
    pub live: bool,
    /// What is wrong with it, as the desk is told.
    pub fault: Option<Fault>,
    /// For the technician.
    pub reason: Option<String>,
    /// Seconds that the ring holds.
    pub ring_s: u64,
}

/// Somebody who waits for a status.
pub(crate) type Asking = unit::control::Asking<Status>;
