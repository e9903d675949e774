use crate::selftest::{Cause, Failure, How, PROOFS_MAX, Proof, Record, Report, UNPROVED_AFTER};
use crate::spool::{Kept, RECORD_MAX, Spool};
use crate::{Notice, NoticeId, PointId, Wall, What};

fn proof(point: &str, failed: Option<Failure>) -> Proof {
    Proof { point: PointId::new(point).unwrap(), how: How::Contact, ms: 41, failed }
}

fn at(s: i64) -> Wall {
    Wall::from_millis(s * 1000)
}

fn names(record: &Record) -> Vec<&str> {
    record.points.keys().map(PointId::as_str).collect()
}

fn report(run: i64, part: u32, parts: u32, proofs: &[Proof]) -> Report {
    Report { cause: Cause::Daily, run, part, parts, proofs: proofs.to_vec() }
}

#[test]
fn a_failure_keeps_when_the_point_was_last_proved() {
    let mut record = Record::new(at(0));
    record.take(&report(1, 1, 1, &[proof("gate", None)]), at(10));
    record.take(&report(2, 1, 1, &[proof("gate", Some(Failure::Deaf))]), at(20));
    let gate = record.points.values().next().unwrap();
    assert_eq!((gate.proved, gate.at, record.passed()), (Some(at(10)), at(20), 0));
    assert!(!gate.is_unproved(at(10) + (UNPROVED_AFTER - std::time::Duration::from_millis(1))));
    assert!(gate.is_unproved(at(10) + UNPROVED_AFTER));
}

#[test]
fn points_that_a_box_no_longer_has_are_forgotten_when_all_parts_are_in() {
    let mut record = Record::new(at(0));
    record.take(&report(1, 1, 1, &[proof("gate", None), proof("office", None)]), at(10));
    assert_eq!(record.take(&report(2, 2, 2, &[proof("yard", None)]), at(20)), []);
    assert_eq!(names(&record), ["gate", "office", "yard"]);
    assert!(!record.is_whole());
    let gone = record.take(&report(2, 1, 2, &[proof("gate", None)]), at(20));
    assert_eq!((gone, names(&record)), (vec![PointId::new("office").unwrap()], vec!["gate", "yard"]));
    assert!(record.is_whole());
}

#[test]
fn a_report_that_was_overtaken_changes_no_later_one() {
    let mut record = Record::new(at(0));
    record.take(&report(2, 1, 1, &[proof("gate", Some(Failure::Deaf))]), at(20));
    record.take(&report(1, 1, 1, &[proof("gate", None), proof("old", None)]), at(10));
    let gate = &record.points[&PointId::new("gate").unwrap()];
    assert_eq!((gate.failed.clone(), gate.proved), (Some(Failure::Deaf), Some(at(10))));
    assert_eq!(names(&record), ["gate"]);
}

/// A record that is longer than the spool reads would cut off everything behind it.
#[test]
fn the_longest_report_is_a_record_of_the_spool() {
    let long = |n: usize| proof(&format!("{n:0>63}"), Some(Failure::Inconsistent));
    let proofs: Vec<_> = (0..256).map(long).map(|proof| Proof { ms: u32::MAX, ..proof }).collect();
    let reports = Report::split(Cause::Started, i64::MAX, &proofs);
    assert_eq!((reports.len(), reports[7].part, reports[7].parts), (256 / PROOFS_MAX, 8, 8));
    let (mut spool, mut file) = (Spool::default(), Vec::new());
    for (n, report) in (0u8..).zip(reports) {
        let id = NoticeId::new(i64::from(n), [n; 10]);
        let what = What::SelfTest(report);
        let notice = Notice { id, point: None, at: at(0), clock_sure: true, what };
        let Kept::Append(bytes) = spool.keep(notice) else { panic!("no alarm, and joined") };
        assert!(bytes.len() < RECORD_MAX, "{}", bytes.len());
        file.extend(bytes);
    }
    let replay = Spool::replay(&file);
    assert_eq!((replay.spool.len(), replay.torn), (8, false));
}
