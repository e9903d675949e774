//! The local lamp: it shows whoever pressed that the desk has written the alarm down. Only ever for an
//! [`OrdinaryPress`]: a [`SilentPress`] cannot be given to it.

use alarm::{Mode, Mono, Notice, NoticeId, What};
use std::time::Duration;

/// How long the lamp stays lit when the button is not reset before: long enough to be seen, short enough not to be
/// there when somebody else comes.
pub const LIT_FOR: Duration = Duration::from_secs(30);

/// A hold-up alarm, sorted by what the site may notice of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Press {
    /// Nothing may be noticed.
    Silent(SilentPress),
    /// The lamp may show it.
    Ordinary(OrdinaryPress),
}

/// A press in silent mode. It has nothing that the lamp takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilentPress(());

/// A press in ordinary mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrdinaryPress {
    alarm: NoticeId,
}

impl Press {
    /// The press that a notice tells of, if it does.
    pub fn of(notice: &Notice) -> Option<Self> {
        match notice.what {
            What::Alarm { mode: Mode::Silent, .. } => Some(Self::Silent(SilentPress(()))),
            What::Alarm { mode: Mode::Ordinary, .. } => {
                Some(Self::Ordinary(OrdinaryPress { alarm: notice.id }))
            }
            What::Repeat { .. }
            | What::Restored { .. }
            | What::Tampered
            | What::TamperRestored
            | What::Fault { .. }
            | What::Cleared { .. }
            | What::SelfTest(_) => None,
        }
    }
}

/// Whether the lamp is lit.
#[derive(Clone, Debug, Default)]
pub struct Lamp {
    lit: Option<(NoticeId, Mono)>,
}

impl Lamp {
    /// The desk has written this press down.
    pub fn handle_written(&mut self, press: &OrdinaryPress, now: Mono) {
        self.lit = Some((press.alarm, now + LIT_FOR));
    }

    /// The button of this alarm went back to rest.
    pub fn handle_restored(&mut self, alarm: Option<NoticeId>) {
        if self.lit.is_some_and(|(lit, _)| Some(lit) == alarm) {
            self.lit = None;
        }
    }

    /// Goes out when its time is over.
    pub fn handle_time(&mut self, now: Mono) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.lit = None;
        }
    }

    /// When that is.
    pub fn deadline(&self) -> Option<Mono> {
        self.lit.map(|(_, deadline)| deadline)
    }

    /// Whether it is to be on.
    pub fn is_lit(&self) -> bool {
        self.lit.is_some()
    }
}
