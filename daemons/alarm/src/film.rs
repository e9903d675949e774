//! What was recorded of an incident, take by take, as relays tell it. The recordings themselves lie at the relay.

use crate::media::{Recorded, TakeId};
use crate::{IncidentId, Wall};
use serde::{Deserialize, Serialize};

/// Takes that one incident lists: every camera of a site with some reconnects. What comes after is in the journal.
pub const TAKES_MAX: usize = 128;
/// Gaps that one take lists.
pub const GAPS_MAX: usize = 64;

/// One take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Take {
    /// `<box>/<camera>/<began>`, or `room/<incident>/<guest>-<began>` of a guest of the room.
    pub name: String,
    /// When its time zero was: by the box's clock, or when the desk heard of it.
    pub began: Wall,
    /// First moment on the relay's disk, milliseconds of the take.
    pub from: u64,
    /// Last moment on the relay's disk.
    pub to: u64,
    /// What is missing between.
    pub gaps: Vec<Gap>,
    /// Nothing more will come.
    pub ended: bool,
    /// Its time was over: it is no longer at the relay.
    pub removed: bool,
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Gap {
    /// In which track.
    pub track: String,
    /// Where it begins, milliseconds of the take.
    pub from: u64,
    /// Where it goes on.
    pub to: u64,
}

/// The take that a relay speaks of.
pub fn take_of(what: &Recorded) -> &str {
    match what {
        Recorded::Began { take }
        | Recorded::Segment { take, .. }
        | Recorded::Gap { take, .. }
        | Recorded::Filled { take, .. }
        | Recorded::Ended { take, .. }
        | Recorded::Removed { take } => take,
    }
}

/// The incident whose room a guest's take belongs to. A box may be called room; what it films is its own.
pub fn room_of(take: &str) -> Option<IncidentId> {
    let (incident, _) = take.strip_prefix("room/")?.split_once('/')?;
    let filmed = take.parse::<TakeId>().is_ok();
    incident.parse().ok().map(IncidentId).filter(|_| !filmed)
}

impl Take {
    /// One that has begun; the desk heard of it at `at`.
    pub fn new(name: &str, at: Wall) -> Self {
        let digits = name.rsplit(['/', '-']).next().and_then(|digits| digits.parse().ok());
        let began = digits.map_or(at, Wall::from_millis);
        Self { name: name.to_owned(), began, from: 0, to: 0, gaps: vec![], ended: false, removed: false }
    }

    /// Takes in what the relay says of it.
    pub fn heed(&mut self, what: &Recorded) {
        match what {
            Recorded::Began { .. } => {}
            Recorded::Segment { from, to, .. } => {
                self.from = if self.to == 0 { *from } else { self.from.min(*from) };
                self.to = self.to.max(*to);
            }
            Recorded::Gap { track, from, to, .. } => {
                if self.gaps.len() < GAPS_MAX {
                    self.gaps.push(Gap { track: track.clone(), from: *from, to: *to });
                }
            }
            Recorded::Filled { track, from, to, .. } => self.fill(track, *from, *to),
            Recorded::Ended { .. } => self.ended = true,
            Recorded::Removed { .. } => self.removed = true,
        }
    }

    /// What came later may close a gap in parts.
    fn fill(&mut self, track: &str, from: u64, to: u64) {
        let rest = self.gaps.drain(..).flat_map(|gap| {
            let other = gap.track != track || to <= gap.from || gap.to <= from;
            let part = |from, to| (from < to).then(|| Gap { track: gap.track.clone(), from, to });
            if other {
                [part(gap.from, gap.to), None]
            } else {
                [part(gap.from, from.min(gap.to)), part(to.max(gap.from), gap.to)]
            }
        });
        self.gaps = rest.flatten().take(GAPS_MAX).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(from: u64, to: u64) -> Recorded {
        let (take, track) = (NAME.to_owned(), "video".to_owned());
        Recorded::Segment {
            take,
            track,
            number: 0,
            from,
            to,
            bytes: 1,
            sha256: "a".into(),
            chain: "b".into(),
        }
    }

    fn gap(from: u64, to: u64) -> Recorded {
        Recorded::Gap { take: NAME.into(), track: "video".into(), from, to }
    }

    fn filled(track: &str, from: u64, to: u64) -> Recorded {
        Recorded::Filled { take: NAME.into(), track: track.into(), from, to }
    }

    const NAME: &str = "school-1/gate/5000";

    fn after(story: &[Recorded]) -> Take {
        let mut take = Take::new(NAME, Wall::from_millis(9));
        story.iter().for_each(|what| take.heed(what));
        take
    }

    #[test]
    fn a_take_reaches_from_its_first_segment_to_its_last() {
        let take = after(&[segment(40, 80), segment(80, 120), segment(0, 40)]);
        assert_eq!((take.began, take.from, take.to), (Wall::from_millis(5000), 0, 120));
        assert!(after(&[Recorded::Ended { take: NAME.into(), length: 3 }]).ended);
        assert!(after(&[Recorded::Removed { take: NAME.into() }]).removed);
    }

    #[test]
    fn what_comes_late_closes_a_gap_wholly_in_parts_or_not_at_all() {
        let left = |fills: &[Recorded]| {
            let take = after(&[&[gap(10, 50)], fills].concat());
            take.gaps.into_iter().map(|gap| (gap.from, gap.to)).collect::<Vec<_>>()
        };
        assert_eq!(left(&[]), [(10, 50)]);
        assert_eq!(left(&[filled("video", 10, 50)]), []);
        assert_eq!(left(&[filled("video", 0, 20)]), [(20, 50)]);
        assert_eq!(left(&[filled("video", 20, 30)]), [(10, 20), (30, 50)]);
        assert_eq!(left(&[filled("video", 40, 90)]), [(10, 40)]);
        assert_eq!(left(&[filled("audio", 10, 50)]), [(10, 50)]);
        assert_eq!(left(&[filled("video", 50, 60)]), [(10, 50)]);
    }

    #[test]
    fn a_storm_of_gaps_is_bounded() {
        let story: Vec<_> = (0..1000).map(|n| gap(n * 10, n * 10 + 5)).collect();
        assert_eq!(after(&story).gaps.len(), GAPS_MAX);
    }

    #[test]
    fn a_guest_belongs_to_the_incident_of_its_room() {
        assert_eq!(room_of("room/7/seat-a-5000"), Some(IncidentId(7)));
        assert_eq!(Take::new("room/7/seat-a-5000", Wall::from_millis(9)).began, Wall::from_millis(5000));
        assert_eq!(Take::new("room/7/seat-a", Wall::from_millis(9)).began, Wall::from_millis(9));
        for no in ["room/7", "room/x/seat-a", "school-1/gate/5", "room/7/5000", ""] {
            assert_eq!(room_of(no), None, "{no}");
        }
    }
}
