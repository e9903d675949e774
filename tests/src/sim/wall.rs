//! A wall: the panel and its acknowledge button, with what its people have heard and seen.

use alarm::Mono;
use alarm::NoticeId;
use alarm::panel::{Acknowledged, Panel, Signals, covers};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

/// How long a press is repeated that the desk does not seem to have.
const ACKNOWLEDGED_FOR: Duration = Duration::from_secs(30);

/// Alarms that sound, by their ids: what the numbers in the signals mean.
pub(super) type Sounding = Rc<BTreeSet<NoticeId>>;

#[derive(Debug)]
pub(super) struct Wall {
    pub(super) panel: Panel,
    pub(super) sounding: Sounding,
    /// Everything that has sounded here.
    heard: BTreeSet<NoticeId>,
    /// What had when somebody pressed the button.
    pub(super) seen: BTreeSet<NoticeId>,
    acknowledged: Option<(u64, Mono)>,
}

impl Wall {
    pub(super) fn new(limit: Duration) -> Self {
        let panel = Panel::new(limit);
        Self {
            panel,
            sounding: Sounding::default(),
            heard: BTreeSet::new(),
            seen: BTreeSet::new(),
            acknowledged: None,
        }
    }

    /// The desk has spoken; the acknowledgement that it seems to have missed.
    pub(super) fn hear(&mut self, signals: Signals, sounding: Sounding, now: Mono) -> Option<u64> {
        self.panel.handle_signals(signals, now);
        self.heard.extend(sounding.iter());
        self.sounding = sounding;
        let (newest, at) = self.acknowledged?;
        let unheard = signals.unacknowledged > 0 && covers(newest, signals.newest);
        if unheard && now.since(at) < ACKNOWLEDGED_FOR {
            return Some(newest);
        }
        self.acknowledged = None;
        None
    }

    /// Somebody presses the button.
    pub(super) fn press(&mut self, now: Mono) -> Option<u64> {
        match self.panel.handle_acknowledge(now) {
            Acknowledged::Tell { newest } => {
                self.seen.clone_from(&self.heard);
                self.acknowledged = Some((newest, now));
                Some(newest)
            }
            Acknowledged::Nothing => None,
        }
    }
}
