//! What a box tells the centre. A notice is made once, at the box, and never altered: the same bytes lie in the
//! spool, travel on every path and stand in the journal.

use crate::{NoticeId, PointId, Wall, selftest};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that happened at a box, with the id that it keeps everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notice {
    /// Made at the box; the desk takes each id once.
    pub id: NoticeId,
    /// The supervised input it came from; absent when the box itself speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<PointId>,
    /// The box's own clock when it happened, Unix milliseconds.
    pub at: Wall,
    /// False while the box has no trusted time: the desk then goes by its own.
    #[serde(default = "yes")]
    pub clock_sure: bool,
    /// What happened.
    pub what: What,
}

fn yes() -> bool {
    true
}

/// What happened at a box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum What {
    /// A hold-up alarm: somebody pressed.
    Alarm {
        /// How the site is to be treated while it lasts.
        mode: Mode,
        /// Real, test or drill; nobody can change it afterwards.
        #[serde(default)]
        nature: Nature,
        /// The button was found pressed when the box started.
        #[serde(default, skip_serializing_if = "is_false")]
        at_start: bool,
    },
    /// The same button again within its repeat window.
    Repeat {
        /// The alarm that it repeats.
        of: NoticeId,
        /// How many presses that makes, the first included.
        count: u32,
    },
    /// The button went back to rest.
    Restored {
        /// The alarm that it ends, when the box still knows it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<NoticeId>,
    },
    /// The enclosure or the wall mount was opened.
    Tampered,
    /// The enclosure is closed again.
    TamperRestored,
    /// Something does not work as it should.
    Fault {
        /// What.
        fault: Fault,
    },
    /// It works again.
    Cleared {
        /// What had been wrong.
        fault: Fault,
    },
    /// The points of the box have been tested.
    SelfTest(selftest::Report),
}

fn is_false(value: &bool) -> bool {
    !value
}

impl What {
    /// Alarms leave the box before everything else.
    pub fn urgency(&self) -> Urgency {
        match self {
            Self::Alarm { .. } => Urgency::Alarm,
            // With its end: an opening that overtook the end of the one before would be shown as shut.
            Self::Repeat { .. } | Self::Tampered | Self::TamperRestored => Urgency::Soon,
            Self::Restored { .. } | Self::Fault { .. } | Self::Cleared { .. } => Urgency::Later,
            Self::SelfTest(_) => Urgency::Last,
        }
    }
}

/// The order in which waiting notices leave a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Hold-up alarms.
    Alarm,
    /// Repeats and tamper.
    Soon,
    /// What is wrong, or no longer.
    Later,
    /// What can wait: a rack that does not know it never takes the place of a fault in the window.
    Last,
}

/// How the site is treated while an alarm lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Nothing audible or visible happens at the site. The default: whoever presses may be watched.
    #[default]
    Silent,
    /// Two-way sound and picture; the lamp may show that the press was taken.
    Ordinary,
}

/// Whether it is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nature {
    /// It is meant.
    #[default]
    Real,
    /// The button is being proved.
    Test,
    /// People are being trained.
    Drill,
}

/// What can be wrong with a point, a box, a path, the wall or the desk itself. The first ones are found at the
/// box, the later ones at the desk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The enclosure or the wall mount stands open.
    Tampered,
    /// Both contacts open for longer than the discrepancy time: a wire is cut.
    WireCut,
    /// Both contacts closed for longer than the discrepancy time: wires touch.
    WireShort,
    /// The input device cannot be read.
    InputUnreadable,
    /// The kernel dropped edges; the levels were read again.
    EdgesMissed,
    /// The mains is gone and the box runs on its battery.
    MainsLost,
    /// The battery will not last.
    BatteryLow,
    /// The spool holds its limit; the oldest fault notices gave way.
    SpoolFull,
    /// The spool ended in a torn record, as after a power cut, or could not be written.
    SpoolDamaged,
    /// The box has no trusted time.
    ClockUnsure,
    /// A path has been silent for longer than its limit.
    PathLost,
    /// The box's clock differs from the desk's by more than a minute.
    ClockWrong,
    /// The box came with a certificate that is out of date.
    CertificateExpired,
    /// The desk cannot write its journal; alarms are held in memory and not acknowledged.
    JournalUnwritable,
    /// The desk's disk is full and its reserve is being used.
    DiskFull,
    /// An output does not read back what was written.
    OutputFailed,
    /// A beacon or siren is not reachable.
    WallLost,
    /// A camera gives no picture.
    CameraLost,
    /// A camera's stream cannot be understood, or not all of it (its sound).
    CameraUnreadable,
    /// The picture from before a press could be swapped to a disk: memory cannot be locked.
    RingUnlocked,
    /// The disk for recordings fills; nothing is lost yet.
    RecordingsLow,
    /// A point was tested and is not proved.
    SelfTestFailed,
    /// A point, or a whole box, has not proved itself for [`selftest::UNPROVED_AFTER`].
    Unproved,
    /// Nothing is recorded: the disk cannot be written, or all that it holds must be kept.
    RecordingStopped,
    /// A word from a newer box that this desk does not know. Shown as it came; never dropped.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(word)) => f.write_str(&word),
            Ok(_) | Err(_) => f.write_str("unnamed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_is_stable() {
        let notice = Notice {
            id: NoticeId::new(1_000, [1; 10]),
            point: PointId::new("gate").ok(),
            at: Wall::from_millis(1_000),
            clock_sure: true,
            what: What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false },
        };
        let text = serde_json::to_string(&notice).unwrap();
        assert_eq!(
            text,
            r#"{"id":"00000000-03e8-7101-8101-010101010101","point":"gate","at":1000,"clock-sure":true,"what":{"is":"alarm","mode":"silent","nature":"real"}}"#
        );
        assert_eq!(serde_json::from_str::<Notice>(&text).unwrap(), notice);
    }

    #[test]
    fn a_bare_press_is_a_full_alarm() {
        let bare =
            r#"{"id":"00000000-03e8-7101-8101-010101010101","at":0,"what":{"is":"alarm","mode":"silent"}}"#;
        let notice: Notice = serde_json::from_str(bare).unwrap();
        assert_eq!(notice.point, None);
        assert_eq!(notice.what.urgency(), Urgency::Alarm);
    }

    /// What takes something back is never overtaken by what says it anew.
    #[test]
    fn a_beginning_and_its_end_are_of_one_urgency() {
        let fault = Fault::WireCut;
        assert_eq!(What::Tampered.urgency(), What::TamperRestored.urgency());
        assert_eq!(What::Fault { fault: fault.clone() }.urgency(), What::Cleared { fault }.urgency());
    }

    #[test]
    fn an_unknown_fault_is_kept_as_it_came() {
        let what: What = serde_json::from_str(r#"{"is":"fault","fault":"fan-stopped"}"#).unwrap();
        assert_eq!(what, What::Fault { fault: Fault::Other("fan-stopped".into()) });
        assert_eq!(Fault::Other("fan-stopped".into()).to_string(), "fan-stopped");
        assert_eq!(Fault::WireCut.to_string(), "wire-cut");
    }
}
