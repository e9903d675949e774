//! Whether the cameras of the box may be seen now. Pure: presses, wishes and time come in.
//!
//! ```text
//!            press, or a wish with an incident
//!   Closed ──────────────────────────────────────▶ Open: ring and live
//!     │ ▲                                            │
//!     │ └──── a wish without incidents, that is not older than the press (or nobody has said anything for
//!     │       OPEN_ALONE)  ◀─────────────────────────┘
//!     └─ a wish that names the camera ──▶ OnDemand: live only
//! ```

use alarm::media::{OPEN_ALONE, Wish};
use alarm::{CameraId, Mono};
use std::time::Duration;

/// A wish without incidents that comes this soon after a press may have been sent before the relay knew of it.
const CROSSING: Duration = Duration::from_secs(60);

/// A press that is told again has come through the wall clock, which is this exact.
const SAME: Duration = Duration::from_secs(1);

/// How far a camera is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Openness {
    /// Nobody sees it.
    #[default]
    Closed,
    /// A seat sees it live.
    OnDemand,
    /// It belongs to an incident: from before the press on.
    Open,
}

/// What is known of presses and wishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opening {
    wish: Wish,
    /// The last wish came then.
    wished: Option<Mono>,
    /// A press that no wish has spoken of yet.
    press: Option<Mono>,
    /// The last press that one has spoken of.
    spoken: Option<Mono>,
    /// The relay has been away since then.
    lost: Option<Mono>,
}

impl Opening {
    /// Somebody pressed at `at`. Presses of the last minutes are told again after a restart of either daemon.
    pub(crate) fn handle_press(&mut self, at: Mono) {
        let wished = self.wished.is_some_and(|wished| wished >= at + CROSSING);
        let spoken = self.spoken.is_some_and(|spoken| at <= spoken + SAME);
        if !wished && !spoken && self.press.is_none_or(|press| press < at) {
            self.press = Some(at);
        }
    }

    /// The relay says what it wants.
    pub(crate) fn handle_wish(&mut self, wish: Wish, now: Mono) {
        let knows = !wish.incidents.is_empty();
        if self.press.is_some_and(|press| knows || now >= press + CROSSING) {
            self.spoken = self.press.take();
        }
        (self.wish, self.wished, self.lost) = (wish, Some(now), None);
    }

    /// The relay has gone.
    pub(crate) fn handle_lost(&mut self, now: Mono) {
        self.lost.get_or_insert(now);
        // Nobody watches who cannot.
        self.wish.cameras.clear();
    }

    /// How far a camera is open.
    pub(crate) fn of(&self, camera: &CameraId, now: Mono) -> Openness {
        if self.is_open(now) {
            Openness::Open
        } else if self.wish.cameras.contains(camera) {
            Openness::OnDemand
        } else {
            Openness::Closed
        }
    }

    /// Whether there is an incident.
    pub(crate) fn is_open(&self, now: Mono) -> bool {
        let alone = |since: &Mono| now < *since + OPEN_ALONE;
        let wished = !self.wish.incidents.is_empty() && self.lost.as_ref().is_none_or(alone);
        wished || self.press.as_ref().is_some_and(alone)
    }

    /// When it changes by itself.
    pub(crate) fn deadline(&self, now: Mono) -> Option<Mono> {
        let ends = [self.press, self.lost.filter(|_| !self.wish.incidents.is_empty())];
        ends.into_iter().flatten().map(|since| since + OPEN_ALONE).filter(|end| *end > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::IncidentId;

    const MINUTE: u64 = 60;

    fn at(seconds: u64) -> Mono {
        Mono::from_micros(seconds * 1_000_000)
    }

    fn gate() -> CameraId {
        CameraId::new("gate").unwrap()
    }

    fn incident() -> Wish {
        Wish { incidents: vec![IncidentId(1)], cameras: vec![] }
    }

    fn pressed() -> Opening {
        let mut opening = Opening::default();
        opening.handle_wish(Wish::default(), at(0));
        opening.handle_press(at(10));
        opening
    }

    #[test]
    fn a_press_opens_and_the_end_of_its_incident_closes() {
        let mut opening = pressed();
        assert_eq!(opening.of(&gate(), at(10)), Openness::Open);
        opening.handle_wish(incident(), at(11));
        assert_eq!(opening.of(&gate(), at(60 * MINUTE)), Openness::Open);
        opening.handle_wish(Wish::default(), at(20));
        assert_eq!(opening.of(&gate(), at(20)), Openness::Closed);
    }

    #[test]
    fn a_wish_from_before_the_relay_knew_does_not_close() {
        let mut opening = pressed();
        opening.handle_wish(Wish::default(), at(11));
        assert_eq!(opening.of(&gate(), at(12)), Openness::Open);
        opening.handle_wish(Wish::default(), at(80));
        assert_eq!(opening.of(&gate(), at(80)), Openness::Closed);
    }

    #[test]
    fn a_box_that_hears_nothing_goes_on_for_half_an_hour() {
        let mut opening = pressed();
        assert_eq!(opening.of(&gate(), at(30 * MINUTE)), Openness::Open);
        assert_eq!(opening.deadline(at(30 * MINUTE)), Some(at(30 * MINUTE + 10)));
        assert_eq!(opening.of(&gate(), at(30 * MINUTE + 10)), Openness::Closed);
        opening.handle_wish(incident(), at(40 * MINUTE));
        opening.handle_lost(at(50 * MINUTE));
        opening.handle_lost(at(51 * MINUTE));
        assert_eq!(opening.of(&gate(), at(79 * MINUTE)), Openness::Open);
        assert_eq!(opening.of(&gate(), at(80 * MINUTE)), Openness::Closed);
    }

    #[test]
    fn a_press_that_is_told_again_opens_only_what_no_wish_has_closed() {
        let mut opening = Opening::default();
        opening.handle_press(at(100));
        assert_eq!(opening.of(&gate(), at(200)), Openness::Open, "the daemon was restarted");
        opening.handle_wish(Wish::default(), at(200));
        opening.handle_press(at(100));
        assert_eq!(opening.of(&gate(), at(201)), Openness::Closed);
    }

    #[test]
    fn a_press_that_is_told_again_after_its_incident_was_closed_opens_nothing() {
        let mut opening = pressed();
        opening.handle_wish(incident(), at(11));
        opening.handle_wish(Wish::default(), at(30));
        opening.handle_press(at(10));
        assert_eq!(opening.of(&gate(), at(40)), Openness::Closed);
        opening.handle_press(at(40));
        assert_eq!(opening.of(&gate(), at(40)), Openness::Open, "a new one does");
    }

    #[test]
    fn on_demand_is_for_the_named_camera_while_the_relay_is_there() {
        let mut opening = Opening::default();
        opening.handle_wish(Wish { incidents: vec![], cameras: vec![gate()] }, at(0));
        assert_eq!(opening.of(&gate(), at(1)), Openness::OnDemand);
        assert_eq!(opening.of(&CameraId::new("hall").unwrap(), at(1)), Openness::Closed);
        opening.handle_press(at(1));
        assert_eq!(opening.of(&gate(), at(1)), Openness::Open);
        opening.handle_wish(Wish { incidents: vec![], cameras: vec![gate()] }, at(90));
        assert_eq!(opening.of(&gate(), at(90)), Openness::OnDemand);
        opening.handle_lost(at(91));
        assert_eq!(opening.of(&gate(), at(91)), Openness::Closed);
    }
}
