//! Why an update did not come about, and the exit code that tells it to a program.

use super::contents::NoUpdate;
use super::decide::Refusal;
use super::tar;
use super::version::NoRelease;
use alarm::rollout::Cause;

/// Why an update did not come about, whole in one sentence: causes are said in it, and not again beneath it. Nothing of it is left behind, whichever it is.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody whom this appliance trusts has signed it.
    #[error("the bundle is not taken: {0}")]
    Signature(String),
    /// It is not what was signed.
    #[error("the bundle is damaged: {0}: fetch it again")]
    Damaged(String),
    /// It is no tar archive, or a cut one.
    #[error("the bundle cannot be read: {0}")]
    Archive(tar::Bad),
    /// What was signed is no update.
    #[error("the bundle is no update: {0}")]
    NoUpdate(NoUpdate),
    /// Good, but not for here or not for now.
    #[error("the bundle is not put on: {0}")]
    Refused(Refusal),
    /// There are no slots here.
    #[error(transparent)]
    NoRelease(#[from] NoRelease),
    /// Unpacking would take space that presses may need.
    #[error("no space for the update: {0}")]
    NoSpace(String),
    /// One at a time.
    #[error("another update is being put on: wait for it, see `onepress update status`")]
    Busy,
    /// The other slot is the way back.
    #[error(
        "what runs here is on trial, and the other slot is the way back: wait until it has been found healthy"
    )]
    OnTrial,
    /// The slot could not be written.
    #[error("writing the other slot failed: {0}: what runs is untouched, try again")]
    Slot(String),
    /// It is in the other slot, and the restart waits.
    #[error("the update is in the other slot, and nothing was restarted: {0}")]
    NotNow(String),
}

impl Failure {
    /// The exit code: 3 not signed or damaged, 4 not for this appliance, 5 not newer, 6 no space, 7 busy or on trial, 8 not written,
    /// 9 written but not restarted.
    pub fn code(&self) -> u8 {
        match self {
            Self::Signature(_) | Self::Damaged(_) | Self::Archive(_) | Self::NoUpdate(_) => 3,
            Self::NoRelease(_) | Self::Refused(Refusal::Profile { .. } | Refusal::Leg(_)) => 4,
            Self::Refused(
                Refusal::Running(_) | Refusal::Staged(_) | Refusal::Older { .. } | Refusal::Failed(_),
            ) => 5,
            Self::NoSpace(_) => 6,
            Self::Busy | Self::OnTrial => 7,
            Self::Slot(_) => 8,
            Self::NotNow(_) => 9,
        }
    }

    /// What the centre hears it comes down to.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Signature(_) | Self::Damaged(_) | Self::Archive(_) | Self::NoUpdate(_) => Cause::Signature,
            Self::NoRelease(_) => Cause::NoAppliance,
            Self::Refused(Refusal::Profile { .. } | Refusal::Leg(_)) => Cause::Image,
            Self::Refused(Refusal::Running(_) | Refusal::Staged(_) | Refusal::Older { .. }) => {
                Cause::NotNewer
            }
            Self::Refused(Refusal::Failed(_)) => Cause::Tried,
            Self::NoSpace(_) => Cause::NoSpace,
            Self::Busy | Self::OnTrial | Self::NotNow(_) => Cause::Busy,
            Self::Slot(_) => Cause::NotWritten,
        }
    }
}
