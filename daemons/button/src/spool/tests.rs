//! The spool on real files.

use super::*;
use crate::core::{Found, Write};
use alarm::spool::{Kept, Spool};
use alarm::{Mode, Nature, Notice, NoticeId, PointId, Wall, What};
use std::fs;
use std::path::Path;
use std::process::Command;

fn notice(n: u8) -> Notice {
    Notice {
        id: NoticeId::new(i64::from(n), [n; 10]),
        point: PointId::new("gate").ok(),
        at: Wall::from_millis(i64::from(n)),
        clock_sure: true,
        what: What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false },
    }
}

fn record(n: u8) -> Vec<u8> {
    match Spool::default().keep(notice(n)) {
        Kept::Append(bytes) => bytes,
        Kept::Joined(id) => panic!("joined {id}"),
    }
}

fn append(n: u8) -> Write {
    Write::Append { bytes: record(n), sync: true }
}

/// What a next life finds.
fn found(dir: &Path) -> (usize, Found) {
    let opened = File::open(dir).unwrap();
    (opened.spool.len(), opened.found)
}

#[test]
fn a_last_record_torn_at_any_byte_is_cut_off_and_the_next_one_is_read_again() {
    let whole = [record(1), record(2)].concat();
    let first = record(1).len();
    for cut in first + 1..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("spool"), &whole[..cut]).unwrap();
        let mut opened = File::open(dir.path()).unwrap();
        assert_eq!((opened.spool.len(), opened.found), (1, Found::Torn), "cut at {cut}");
        opened.file.write(&append(3)).unwrap();
        drop(opened);
        assert_eq!(found(dir.path()), (2, Found::Whole), "cut at {cut}");
    }
}

#[test]
fn what_was_written_is_read_and_a_replaced_file_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = File::open(dir.path()).unwrap().file;
    for n in 1..=3 {
        file.write(&append(n)).unwrap();
    }
    file.write(&Write::Replace(record(9))).unwrap();
    file.write(&append(10)).unwrap();
    drop(file);
    assert_eq!(found(dir.path()), (2, Found::Whole));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(dir.path().join("spool")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_power_cut_during_a_replacement_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    File::open(dir.path()).unwrap().file.write(&append(1)).unwrap();
    fs::write(dir.path().join("spool.new"), &record(2)[..9]).unwrap();
    assert_eq!(found(dir.path()), (1, Found::Whole));
}

#[test]
fn two_daemons_never_share_a_spool() {
    let dir = tempfile::tempdir().unwrap();
    let first = File::open(dir.path()).unwrap();
    let error = File::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("in use") && error.contains("state-dir"), "{error}");
    drop(first);
    assert!(File::open(dir.path()).is_ok());
}

#[test]
fn a_spool_that_cannot_be_opened_is_set_aside_and_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("spool")).unwrap();
    let mut opened = File::open(dir.path()).unwrap();
    assert_eq!(opened.found, Found::Unusable);
    assert!(opened.file.write(&append(1)).is_err());
    opened.file.write(&Write::Replace(record(1))).unwrap();
    opened.file.write(&append(2)).unwrap();
    drop(opened);
    assert_eq!(found(dir.path()), (2, Found::Whole));
    assert!(dir.path().join("spool.unreadable").is_dir());
}

/// Runs in a mount namespace of its own; see the test below.
#[test]
#[ignore = "needs a small disk of its own: run by `a_full_disk_loses_nothing_that_was_kept`"]
fn on_a_small_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=16k", "none"]).arg(dir.path()).status();
    assert!(mounted.unwrap().success());
    let mut file = File::open(dir.path()).unwrap().file;
    let mut kept = 0;
    let error = loop {
        match file.write(&append(kept + 1)) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert!(
        file.write(&append(kept + 1)).is_err() && file.write(&Write::Replace(record(1).repeat(90))).is_err()
    );
    drop(file);
    assert_eq!(found(dir.path()), (usize::from(kept), Found::Whole), "no half record, none lost");
    let mut file = File::open(dir.path()).unwrap().file;
    // The desk has written nearly all down.
    fs::write(dir.path().join("spool"), []).unwrap();
    file.write(&Write::Replace(record(1))).unwrap();
    file.write(&append(2)).unwrap();
    drop(file);
    assert_eq!(found(dir.path()), (2, Found::Whole));
    Command::new("umount").arg(dir.path()).status().unwrap();
}

#[test]
fn a_full_disk_loses_nothing_that_was_kept() {
    let me = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount"]).arg(me);
    command.args(["--exact", "spool::tests::on_a_small_disk", "--ignored", "--nocapture"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
