//! What the control socket (`unit::control`) tells.
//!
//! ```text
//! {"do":"status"}
//! {"shown":{"red":"flashing",...,"siren":true},"desk-lost":false,"siren-cut":false,"faults":[...]}
//! ```

use alarm::Fault;
use alarm::panel::Outputs;
use serde::{Deserialize, Serialize};

/// What the wall shows and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// What beacon and siren show.
    pub shown: Outputs,
    /// No desk is heard.
    pub desk_lost: bool,
    /// The siren was cut by its limit.
    pub siren_cut: bool,
    /// What does not work.
    pub faults: Vec<Failure>,
}

/// Something that does not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// As the desk is told.
    pub fault: Fault,
    /// The device in the board file, or the input.
    pub device: String,
    /// For the technician.
    pub reason: String,
}

/// Somebody who waits for a status.
pub(crate) type Asking = unit::control::Asking<Status>;
