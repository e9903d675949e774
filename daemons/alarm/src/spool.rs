//! The spool of a box: every notice is in it, fsynced, before anything else happens to it, and stays until the
//! desk has written it down. Append-only records; this module is the format and the bookkeeping, the file is the
//! daemon's.
//!
//! ```text
//! record = length (u32, big endian) ‖ first 8 bytes of SHA-256(body) ‖ body (JSON)
//! ```
//!
//! A power cut may tear the last record: [`Spool::replay`] stops there, says so, and gives the length to truncate
//! to. A record whose hash does not fit ends the replay too; what stood before it is kept.

use crate::notice::Urgency;
use crate::{Fault, Notice, NoticeId, PointId, Wall, What};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Most notices other than alarms that wait: a week of a flapping wire at one a minute would be 10,080, and the
/// newest of them say all that matters.
pub const OTHERS_MAX: usize = 4096;
/// Most alarms that wait. One point makes at most one alarm in ten seconds: a week of pressing without any path.
/// Beyond it a press joins the waiting alarm of its point.
pub const ALARMS_MAX: usize = 65_536;
/// Longest record body, a guard against reading garbage as a length.
pub const RECORD_MAX: usize = 8 * 1024;
/// Records after which the spool is rewritten when at least half of them are done.
pub const COMPACT_AFTER: usize = 1024;

const HEADER: usize = 12;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Record {
    Notice(Notice),
    Done(NoticeId),
    /// After a rewrite: the records that follow tell of points and faults, not the waiting notices before, some of
    /// which have been overtaken by notices that are done.
    Known,
    /// After a rewrite: this point is active, and that was reported.
    Held {
        point: PointId,
        alarm: NoticeId,
        at: Wall,
    },
    /// After a rewrite: this fault was reported, and its end was not.
    Standing {
        point: Option<PointId>,
        fault: Fault,
    },
}

fn frame(record: &Record) -> Vec<u8> {
    let body = serde_json::to_vec(record).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(&Sha256::digest(&body)[..8]);
    bytes.extend_from_slice(&body);
    bytes
}

/// The next record and its length. One that is whole and says what this version does not know, as a newer version
/// wrote before it was taken back, is passed over: what stands behind it may be an alarm.
fn next_record(bytes: &[u8]) -> Option<(Option<Record>, usize)> {
    let header = bytes.get(..HEADER)?;
    let length =
        usize::try_from(u32::from_be_bytes(*header.first_chunk()?)).ok().filter(|n| *n <= RECORD_MAX)?;
    let body = bytes.get(HEADER..HEADER + length)?;
    if Sha256::digest(body)[..8] != header[4..HEADER] {
        return None;
    }
    Some((serde_json::from_slice(body).ok(), HEADER + length))
}

/// An active point whose press has been reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The alarm (or tamper notice) that reported it.
    pub alarm: NoticeId,
    /// When, by the box's clock.
    pub at: Wall,
}

/// What became of a notice that was to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Append these bytes and fsync before doing anything else.
    Append(Vec<u8>),
    /// An alarm of this point waits already and the spool is at its limit.
    Joined(NoticeId),
}

/// What a replay found.
#[derive(Debug)]
pub struct Replay {
    /// The spool as it was.
    pub spool: Spool,
    /// Bytes that are good: truncate the file to this.
    pub good: usize,
    /// Something stood behind them.
    pub torn: bool,
}

/// The notices that wait, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct Spool {
    waiting: BTreeMap<NoticeId, (u64, Notice)>,
    held: BTreeMap<PointId, Held>,
    standing: BTreeSet<(Option<PointId>, Fault)>,
    order: u64,
    alarms: usize,
    records: usize,
    dropped: u64,
}

impl Spool {
    /// Reads the bytes of a spool file.
    pub fn replay(bytes: &[u8]) -> Replay {
        let mut spool = Self::default();
        let mut good = 0;
        while let Some((record, length)) = next_record(&bytes[good..]) {
            if let Some(record) = record {
                spool.apply(record);
            }
            good += length;
        }
        Replay { spool, good, torn: good < bytes.len() }
    }

    fn apply(&mut self, record: Record) {
        self.records += 1;
        match record {
            Record::Notice(notice) => self.insert(notice),
            Record::Done(id) => self.remove(id),
            Record::Known => {
                self.held.clear();
                self.standing.clear();
            }
            Record::Held { point, alarm, at } => {
                self.held.insert(point, Held { alarm, at });
            }
            Record::Standing { point, fault } => {
                self.standing.insert((point, fault));
            }
        }
    }

    fn insert(&mut self, notice: Notice) {
        self.remember(&notice);
        // An append that failed and was made again may stand in the file twice.
        self.remove(notice.id);
        self.order += 1;
        self.alarms += usize::from(is_alarm(&notice));
        self.waiting.insert(notice.id, (self.order, notice));
    }

    fn remove(&mut self, id: NoticeId) {
        if let Some((_, notice)) = self.waiting.remove(&id) {
            self.alarms -= usize::from(is_alarm(&notice));
        }
    }

    fn remember(&mut self, notice: &Notice) {
        if let What::Fault { fault } = &notice.what {
            self.standing.insert((notice.point.clone(), fault.clone()));
        }
        if let What::Cleared { fault } = &notice.what {
            self.standing.remove(&(notice.point.clone(), fault.clone()));
        }
        let Some(point) = &notice.point else { return };
        match notice.what {
            What::Alarm { .. } | What::Tampered => {
                self.held.insert(point.clone(), Held { alarm: notice.id, at: notice.at });
            }
            What::Repeat { of, .. } => {
                self.held.insert(point.clone(), Held { alarm: of, at: notice.at });
            }
            What::Restored { .. } | What::TamperRestored => {
                self.held.remove(point);
            }
            What::Fault { .. } | What::Cleared { .. } | What::SelfTest(_) => {}
        }
    }

    /// Keeps a notice. At the limit the oldest of the others give way, never an alarm.
    pub fn keep(&mut self, notice: Notice) -> Kept {
        if is_alarm(&notice)
            && self.alarms >= ALARMS_MAX
            && let Some(known) = self.alarm_of(notice.point.as_ref())
        {
            return Kept::Joined(known);
        }
        let mut bytes = Vec::new();
        if !is_alarm(&notice) && self.waiting.len() - self.alarms >= OTHERS_MAX {
            bytes = self.give_way();
        }
        let record = Record::Notice(notice);
        bytes.extend(frame(&record));
        self.apply(record);
        Kept::Append(bytes)
    }

    fn alarm_of(&self, point: Option<&PointId>) -> Option<NoticeId> {
        let same = |notice: &&(u64, Notice)| is_alarm(&notice.1) && notice.1.point.as_ref() == point;
        self.waiting.values().find(same).map(|(_, notice)| notice.id)
    }

    fn give_way(&mut self) -> Vec<u8> {
        let oldest = self
            .waiting
            .values()
            .filter(|(_, notice)| !is_alarm(notice))
            .min_by_key(|(order, notice)| (std::cmp::Reverse(notice.what.urgency()), *order))
            .map(|(_, notice)| notice.id);
        self.dropped += 1;
        oldest.and_then(|id| self.done(id)).unwrap_or_default()
    }

    /// The desk has written it down. Bytes to append; they need no fsync of their own, since a repeat is harmless.
    pub fn done(&mut self, id: NoticeId) -> Option<Vec<u8>> {
        self.waiting.contains_key(&id).then(|| {
            let record = Record::Done(id);
            let bytes = frame(&record);
            self.apply(record);
            bytes
        })
    }

    /// The waiting notices: alarms first, then in the order in which they were made.
    pub fn waiting(&self) -> Vec<Notice> {
        let mut waiting: Vec<_> = self.waiting.values().collect();
        waiting.sort_by_key(|(order, notice)| (notice.what.urgency(), *order));
        waiting.into_iter().map(|(_, notice)| notice.clone()).collect()
    }

    /// How many notices wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What was last reported of a point: active, or nothing.
    pub fn held(&self, point: &PointId) -> Option<Held> {
        self.held.get(point).copied()
    }

    /// Faults that were reported and whose end was not: of a point, or of the box itself (`None`). A fault that
    /// passes while the box is off would stand at the desk for ever if the next start did not look here.
    pub fn standing(&self, point: Option<&PointId>) -> impl Iterator<Item = &Fault> {
        self.standing.iter().filter(move |(of, _)| of.as_ref() == point).map(|(_, fault)| fault)
    }

    /// Notices that gave way since the start; each of them is a reason to raise [`crate::Fault::SpoolFull`].
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether rewriting is worth it.
    pub fn wants_rewrite(&self) -> bool {
        self.records >= COMPACT_AFTER
            && self.records >= 2 * (self.waiting.len() + self.held.len() + self.standing.len())
    }

    /// The shortest bytes that replay to the same spool: write them beside the old file, fsync, rename.
    pub fn rewritten(&mut self) -> Vec<u8> {
        let mut waiting: Vec<_> = self.waiting.values().cloned().collect();
        waiting.sort_by_key(|(order, _)| *order);
        let held = self.held.iter().map(|(point, held)| Record::Held {
            point: point.clone(),
            alarm: held.alarm,
            at: held.at,
        });
        let standing = self.standing.iter().cloned().map(|(point, fault)| Record::Standing { point, fault });
        let notices = waiting.into_iter().map(|(_, notice)| Record::Notice(notice));
        let records: Vec<_> = notices.chain([Record::Known]).chain(held).chain(standing).collect();
        self.records = records.len();
        records.iter().flat_map(frame).collect()
    }
}

fn is_alarm(notice: &Notice) -> bool {
    notice.what.urgency() == Urgency::Alarm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, Mode, Nature};
    use proptest::prelude::*;

    fn alarm(n: u8, point: &str) -> Notice {
        notice(n, point, What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false })
    }

    fn notice(n: u8, point: &str, what: What) -> Notice {
        let at = Wall::from_millis(i64::from(n));
        Notice {
            id: NoticeId::new(i64::from(n), [n; 10]),
            point: PointId::new(point).ok(),
            at,
            clock_sure: true,
            what,
        }
    }

    fn bytes(kept: Kept) -> Vec<u8> {
        match kept {
            Kept::Append(bytes) => bytes,
            Kept::Joined(id) => panic!("joined {id}"),
        }
    }

    #[test]
    fn a_spool_cut_anywhere_keeps_every_whole_record() {
        let mut spool = Spool::default();
        let parts: Vec<_> = (1..=4).map(|n| bytes(spool.keep(alarm(n, "gate")))).collect();
        let whole = parts.concat();
        let mut ends = vec![0];
        parts.iter().for_each(|part| ends.push(ends.last().unwrap() + part.len()));
        for cut in 0..=whole.len() {
            let replay = Spool::replay(&whole[..cut]);
            let records = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(replay.spool.len(), records, "cut at {cut}");
            assert_eq!((replay.good, replay.torn), (ends[records], cut != ends[records]));
        }
    }

    #[test]
    fn a_record_of_a_newer_version_hides_no_alarm() {
        let body =
            br#"{"notice":{"id":"00000000-03e8-7fff-bfff-ffffffffffff","at":1,"what":{"is":"telepathy"}}}"#;
        let mut file = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        file.extend_from_slice(&Sha256::digest(body)[..8]);
        file.extend_from_slice(body);
        file.extend(bytes(Spool::default().keep(alarm(1, "gate"))));
        let replay = Spool::replay(&file);
        assert_eq!((replay.spool.len(), replay.torn, replay.good), (1, false, file.len()));
    }

    #[test]
    fn a_flipped_byte_ends_the_replay_before_it() {
        let mut spool = Spool::default();
        let first = bytes(spool.keep(alarm(1, "gate")));
        let second = bytes(spool.keep(alarm(2, "gate")));
        for place in 0..second.len() {
            let mut bad = [first.clone(), second.clone()].concat();
            bad[first.len() + place] ^= 0x10;
            let replay = Spool::replay(&bad);
            assert_eq!(
                (replay.spool.len(), replay.good, replay.torn),
                (1, first.len(), true),
                "byte {place}"
            );
        }
    }

    #[test]
    fn done_notices_are_forgotten_and_points_remembered() {
        let mut spool = Spool::default();
        let mut file = bytes(spool.keep(alarm(1, "gate")));
        file.extend(spool.done(alarm(1, "gate").id).unwrap());
        assert_eq!(spool.done(alarm(1, "gate").id), None);
        let gate = PointId::new("gate").unwrap();
        let replayed = Spool::replay(&file).spool;
        assert!(replayed.is_empty() && replayed.held(&gate).is_some());
        let again = Spool::replay(&spool.rewritten()).spool;
        assert_eq!(again.held(&gate), replayed.held(&gate));
        file.extend(bytes(spool.keep(notice(2, "gate", What::Restored { of: None }))));
        assert_eq!(Spool::replay(&file).spool.held(&gate), None);
    }

    #[test]
    fn a_fault_stands_until_its_end_is_kept_whatever_was_delivered() {
        let gate = PointId::new("gate").unwrap();
        let mut spool = Spool::default();
        let cut = notice(1, "gate", What::Fault { fault: Fault::WireCut });
        let mut file = bytes(spool.keep(cut.clone()));
        file.extend(spool.done(cut.id).unwrap());
        for mut replayed in [Spool::replay(&file).spool, Spool::replay(&spool.rewritten()).spool] {
            assert!(replayed.is_empty());
            assert_eq!(replayed.standing(Some(&gate)).collect::<Vec<_>>(), [&Fault::WireCut]);
            assert_eq!(replayed.standing(None).count(), 0);
            bytes(replayed.keep(notice(2, "gate", What::Cleared { fault: Fault::WireCut })));
            let again = Spool::replay(&replayed.rewritten()).spool;
            assert_eq!(again.standing(Some(&gate)).count(), 0);
        }
    }

    #[test]
    fn an_end_that_was_written_down_before_its_beginning_survives_a_rewrite() {
        let mut spool = Spool::default();
        let fault = Fault::WireCut;
        spool.keep(alarm(1, "gate"));
        spool.keep(notice(2, "office", What::Fault { fault: fault.clone() }));
        for end in [
            notice(3, "gate", What::Restored { of: None }),
            notice(4, "office", What::Cleared { fault: fault.clone() }),
        ] {
            spool.keep(end.clone());
            spool.done(end.id).unwrap();
        }
        let again = Spool::replay(&spool.rewritten()).spool;
        let [gate, office] = ["gate", "office"].map(|point| PointId::new(point).unwrap());
        assert_eq!((again.len(), again.held(&gate)), (2, None));
        assert_eq!(again.standing(Some(&office)).count(), 0);
    }

    #[test]
    fn a_notice_that_stands_twice_in_the_file_is_one() {
        let once = bytes(Spool::default().keep(alarm(1, "gate")));
        let mut spool = Spool::replay(&once.repeat(2)).spool;
        let fault = notice(2, "gate", What::Fault { fault: Fault::WireCut });
        let more = bytes(spool.keep(fault.clone()));
        assert_eq!(spool.waiting(), [alarm(1, "gate"), fault.clone()]);
        assert_eq!(
            Spool::replay(&[once.repeat(2), more].concat()).spool.waiting(),
            [alarm(1, "gate"), fault]
        );
    }

    #[test]
    fn at_the_limit_others_give_way_and_alarms_do_not() {
        let mut spool = Spool::default();
        let mut file = bytes(spool.keep(alarm(1, "gate")));
        for n in 0..=OTHERS_MAX {
            let id = NoticeId::new(i64::try_from(n).unwrap() + 10, [9; 10]);
            let fault = Notice { id, ..notice(3, "gate", What::Fault { fault: Fault::WireCut }) };
            file.extend(bytes(spool.keep(fault)));
        }
        assert_eq!((spool.len(), spool.dropped()), (OTHERS_MAX + 1, 1));
        assert_eq!(spool.waiting()[0], alarm(1, "gate"));
        assert_eq!(Spool::replay(&file).spool.waiting(), spool.waiting());
    }

    proptest! {
        /// What was kept and not done is there after any rewrite and replay, in order.
        #[test]
        fn replay_is_the_spool(steps in proptest::collection::vec((1u8..40, 0u8..3), 1..60)) {
            let mut spool = Spool::default();
            let mut file = Vec::new();
            for (n, step) in steps {
                match step {
                    0 => file.extend(bytes(spool.keep(alarm(n, "gate")))),
                    1 => file.extend(spool.done(alarm(n, "gate").id).unwrap_or_default()),
                    _ => file = spool.rewritten(),
                }
                let replay = Spool::replay(&file);
                prop_assert!(!replay.torn);
                prop_assert_eq!(replay.spool.waiting(), spool.waiting());
            }
        }

        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let replay = Spool::replay(&bytes);
            prop_assert!(replay.good <= bytes.len());
        }
    }
}
