//! Fakes of [`crate::Inputs`] and [`crate::Outputs`], steered through a handle from a test or the demo.
//! Always compiled; no daemon chooses them by itself.

mod inputs;
mod outputs;

pub use inputs::{InputHand, Inputs, inputs};
pub use outputs::{OutputHand, Outputs, outputs};

use std::time::Duration;

/// How a fake device fails until it is healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The cable is cut: nothing comes ([`crate::Error::Silent`], retryable).
    Silent,
    /// The adapter was pulled ([`crate::Error::Absent`], retryable).
    Absent,
    /// The device file has the wrong owner ([`crate::Error::Denied`], fatal).
    Denied,
}

impl Failure {
    fn error(self, device: &str) -> crate::Error {
        let device = device.to_owned();
        match self {
            Self::Silent => crate::Error::Silent { device, after: SILENCE },
            Self::Absent => crate::Error::Absent { device },
            Self::Denied => crate::Error::Denied { device },
        }
    }
}

/// What a silent fake claims to have waited: the limit of a real button box.
const SILENCE: Duration = crate::serialbox::SILENCE;
