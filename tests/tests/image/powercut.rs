//! Power cuts: one box lives through its first start, presses, an update and more presses, and every write to its disk is
//! written down. Then the disk is made as it may have been at any moment of that ([`crate::writes`]), and looked at: no
//! press that was confirmed is lost, and there is always a whole version to start. Some of the disks are started.
//!
//! ONEPRESS_CUTS says how many cuts (20), ONEPRESS_BOOTS how many of those are started (2), ONEPRESS_SEED where chance
//! begins (1): a failure names its seed and its cut.

use crate::centre::{Buttons, DISK, FIRST, built, serial_site};
use crate::parts::{self, Part, disk, media, run, same};
use crate::vm::{BOOT, Machine, Plan};
use crate::writes::{Dice, Log};
use crate::{configure, noted, press, restart, waiting};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The version that is put on.
const NEXT: &str = "2";
const APPLY: Duration = Duration::from_secs(900);

#[test]
fn no_power_cut_loses_a_confirmed_press_or_leaves_nothing_to_start() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let life = Life::live(dir.path());
    let (cuts, boots) = (asked("ONEPRESS_CUTS", 20), asked("ONEPRESS_BOOTS", 2));
    let seed = asked("ONEPRESS_SEED", 1);
    let mut dice = Dice(seed);
    let table = life.log.of_the_table(DISK);
    let mut told = Told::default();
    for number in 0..cuts {
        // Every fourth one where the table of the partitions is written, for nothing starts without that.
        let count = match (number % 4, table.is_empty()) {
            (3, false) => table[usize::try_from(dice.below(table.len() as u64)).expect("small")] + 1,
            _ => usize::try_from(dice.below(life.log.len() as u64)).expect("small") + 1,
        };
        let cut = life.cut(dir.path(), count, &mut dice);
        let what = format!("seed {seed}, cut {number}, after {count} of {} writes", life.log.len());
        let must = life.confirmed_before(count);
        let found = look(&cut, &must, &life, &what);
        told.note(&found);
        let first_empty = found.empty_kernel.is_some() && told.with_empty_kernel == 1;
        if first_empty || number % (cuts / boots.max(1)).max(1) == (cuts / boots.max(1)).max(1) - 1 {
            start(&cut, &must, &life, &what);
        }
    }
    println!("told: {cuts} cuts, {boots} of them started; {told:?}");
}

#[test]
fn a_kernel_that_a_power_cut_left_empty_is_passed_over() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    let disk = disk(dir.path(), "disk.raw", Some(&image), DISK);
    let esp = parts::part(&disk, "esp").volume(&disk);
    let empty = dir.path().join("empty");
    File::create(&empty).expect("made");
    let name = format!("::/EFI/Linux/onepress-edge-x86_{NEXT}+3-0.efi");
    let put = run(Command::new("mcopy").args(["-i", &esp]).arg(&empty).arg(&name));
    assert!(put.status.success(), "{put:?}");
    let mut site = Plan::new("with an empty kernel").virtio(&disk).boot();
    site.started();
    site.run(&format!("grep -x 'IMAGE_VERSION=\"\\?{FIRST}\"\\?' /etc/os-release"));
}

/// How the disks were found.
#[derive(Debug, Default)]
struct Told {
    without_var: u64,
    var_repaired: u64,
    confirmed_presses_found: u64,
    with_next_version: u64,
    with_empty_kernel: u64,
    with_update_remembered: u64,
}

impl Told {
    fn note(&mut self, found: &Found) {
        self.without_var += u64::from(found.spool.is_none());
        self.var_repaired += u64::from(found.repaired);
        self.confirmed_presses_found += found.presses;
        self.with_next_version += u64::from(found.next);
        self.with_empty_kernel += u64::from(found.empty_kernel.is_some());
        self.with_update_remembered += u64::from(found.remembered);
    }
}

/// What happened to a disk, and when the box confirmed which press.
struct Life {
    base: PathBuf,
    log: Log,
    /// A press by its id, and how many writes were in the log when it was confirmed.
    confirmed: Vec<(String, usize)>,
    /// What hangs on its serial line: a disk that is started has the same.
    buttons: Buttons,
}

impl Life {
    fn live(dir: &Path) -> Self {
        let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
        let base = disk(dir, "base.raw", Some(&image), DISK);
        let live = dir.join("live.raw");
        crate::parts::copy(&base, &live, DISK);
        let log = dir.join("writes.log");
        File::create(&log).expect("a log");
        let bundle = built("edge-x86", NEXT, &format!("onepress-edge-x86_{NEXT}.bundle"));
        let buttons = Buttons::new();
        let plan = Plan::new("living").logged(&live, &log).media(&media(dir, &[&bundle]));
        let mut site = plan.adapter("onepress-buttons0", buttons.line()).boot();
        site.started();
        configure(&mut site, &serial_site());
        site.eventually("systemctl is-active onepress-health && onepress status", BOOT);
        let mut presses = Vec::new();
        for _ in 0..5 {
            presses.push(confirmed(&mut site, &log));
        }
        site.run("mkdir -p /run/media && mount -o ro /dev/vdb /run/media");
        let apply =
            format!("onepress update apply /run/media/{}", bundle.file_name().expect("a name").display());
        site.run(&format!("(mkdir -p /run/put; {apply} >/run/put/said 2>&1; echo $? >/run/put/code) &"));
        while site.try_run("test -e /run/put/code", APPLY).is_none_or(|(code, _)| code != 0) {
            presses.push(confirmed(&mut site, &log));
        }
        assert_eq!(site.run("cat /run/put/code").trim(), "0", "{}", site.run("cat /run/put/said"));
        restart(&mut site);
        site.eventually("systemctl is-active onepress-update-settle", BOOT);
        for _ in 0..5 {
            presses.push(confirmed(&mut site, &log));
        }
        drop(site);
        fs::remove_file(&live).expect("removed");
        let log = Log::read(&log);
        let confirmed = presses.into_iter().map(|(id, long)| (id, log.when(long))).collect();
        Self { base, log, confirmed, buttons }
    }

    /// The disk after the first `count` writes.
    fn cut(&self, dir: &Path, count: usize, dice: &mut Dice) -> PathBuf {
        let path = dir.join("cut.raw");
        let _ = fs::remove_file(&path);
        crate::parts::copy(&self.base, &path, DISK);
        self.log.cut(&File::options().write(true).open(&path).expect("a disk"), count, dice);
        path
    }

    fn confirmed_before(&self, count: usize) -> BTreeSet<String> {
        self.confirmed.iter().filter(|(_, when)| *when <= count).map(|(id, _)| id.clone()).collect()
    }
}

/// A press that is confirmed, and how long the log was then.
fn confirmed(site: &mut Machine, log: &Path) -> (String, u64) {
    (press(site), log.metadata().expect("the log").len())
}

/// What is on a disk.
struct Found {
    spool: Option<Vec<u8>>,
    repaired: bool,
    presses: u64,
    next: bool,
    empty_kernel: Option<String>,
    /// The box remembers an update that is put on whole and was not started.
    remembered: bool,
}

/// Looks at a disk without starting it.
fn look(cut: &Path, must: &BTreeSet<String>, life: &Life, what: &str) -> Found {
    let parts = parts::parts(cut).unwrap_or_else(|| panic!("{what}: no partition table"));
    let part = |name: &str| parts.iter().find(|part| part.name == name);
    // What runs is never written to.
    let base = parts::parts(&life.base).expect("a table");
    for name in [format!("root_{FIRST}"), format!("verity_{FIRST}")] {
        let (was, is) = (base.iter().find(|part| part.name == name), part(&name));
        let (was, is) = (was.expect("there"), is.unwrap_or_else(|| panic!("{what}: no {name}")));
        assert!(same(&life.base, was, cut, is), "{what}: {name} was written to");
    }
    let (next, empty_kernel) =
        kernels(cut, part("esp").unwrap_or_else(|| panic!("{what}: no ESP")), &parts, what);
    let mut found = Found { spool: None, repaired: false, presses: 0, next, empty_kernel, remembered: false };
    if let Some(data) = part("onepress-data") {
        (found.spool, found.repaired, found.remembered) = var(cut, data, what);
    }
    // One that has been counted or found good is systemd's to rename, and is no update that waits.
    let waits = found.empty_kernel.as_ref().is_some_and(|name| name.contains("+3"));
    assert!(!(waits && found.remembered), "{what}: {:?} is remembered as whole", found.empty_kernel);
    let known = found.spool.as_deref().map(noted).unwrap_or_default();
    let lost: Vec<_> = must.difference(&known).collect();
    assert!(lost.is_empty(), "{what}: confirmed and lost: {lost:?}");
    found.presses = must.len() as u64;
    found
}

/// A kernel that is there under its name is whole, or of no length, which is as good as none (FAT: see `update/kernels.rs`
/// of onepress); one of them starts, and its root is whole too. Whether that is the next, and which one is empty.
pub(crate) fn kernels(cut: &Path, esp: &Part, parts: &[Part], what: &str) -> (bool, Option<String>) {
    let volume = esp.volume(cut);
    let listed = run(Command::new("mdir").args(["-b", "-i", &volume, "::/EFI/Linux"]));
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let (mut whole, mut empty) = (BTreeSet::new(), None);
    for path in listed.lines().filter(|path| path.ends_with(".efi")) {
        let name = path.rsplit('/').next().expect("a name");
        let version = name.trim_start_matches("onepress-edge-x86_");
        let version = &version[..version.find(['+', '.']).expect("a version")];
        let file = run(Command::new("mcopy").args(["-n", "-i", &volume, path, "-"]));
        if file.status.success() && file.stdout.is_empty() {
            empty = Some(name.to_owned());
            continue;
        }
        let original = fs::read(built("edge-x86", version, &format!("onepress-edge-x86_{version}.efi")));
        assert!(file.stdout == original.expect("read"), "{what}: {name} is torn");
        if version != FIRST {
            for kind in ["root", "verity"] {
                let name = format!("{kind}_{version}");
                let part = parts.iter().find(|part| part.name == name);
                let part = part.unwrap_or_else(|| panic!("{what}: {name} is not there, and its kernel is"));
                let suffix = if kind == "root" { "root-x86-64.raw" } else { "root-x86-64-verity.raw" };
                let image = built("edge-x86", version, &format!("onepress-edge-x86_{version}.{suffix}"));
                assert!(
                    same(&image, &Part::alone(&image), cut, part),
                    "{what}: {name} is torn, and its kernel is there"
                );
            }
        }
        whole.insert(version.to_owned());
    }
    assert!(!whole.is_empty(), "{what}: no kernel: {listed}");
    (whole.contains(NEXT), empty)
}

/// The spool on the partition of the state, after the repair that the next start does; whether there was one, and whether
/// an update is remembered as whole.
fn var(cut: &Path, data: &Part, what: &str) -> (Option<Vec<u8>>, bool, bool) {
    let alone = cut.with_file_name("var.raw");
    let _ = fs::remove_file(&alone);
    let from = File::open(cut).expect("the disk");
    let to = File::create(&alone).and_then(|file| file.set_len(data.size).map(|()| file)).expect("a file");
    let mut piece = vec![0; 1 << 20];
    for at in (0..data.size).step_by(piece.len()) {
        let long = piece.len().min(usize::try_from(data.size - at).expect("small"));
        from.read_exact_at(&mut piece[..long], data.start + at).expect("read");
        if piece[..long].iter().any(|byte| *byte != 0) {
            to.write_all_at(&piece[..long], at).expect("written");
        }
    }
    // Not yet made: the first start makes it again.
    let made = run(Command::new("dumpe2fs").arg("-h").arg(&alone)).status.success();
    if !made {
        return (None, false, false);
    }
    let checked = run(Command::new("e2fsck").args(["-f", "-y"]).arg(&alone));
    let code = checked.status.code().unwrap_or(-1);
    assert!(matches!(code, 0 | 1), "{what}: /var cannot be repaired: {checked:?}");
    let read =
        |path: &str| run(Command::new("debugfs").args(["-R", &format!("cat {path}")]).arg(&alone)).stdout;
    let spool = read("/lib/onepress/button/spool");
    let record = read("/lib/onepress/update/state.json");
    let remembered = String::from_utf8_lossy(&record).contains("\"whole\": true");
    ((!spool.is_empty()).then_some(spool), code == 1, remembered)
}

/// Starts a disk: it gets as far as it does without cuts, and knows of the same presses.
fn start(cut: &Path, must: &BTreeSet<String>, life: &Life, what: &str) {
    let _ = writeln!(std::io::stderr(), "told: starting: {what}");
    let plan = Plan::new("after the cut").virtio(cut).adapter("onepress-buttons0", life.buttons.line());
    let mut site = plan.boot();
    site.started();
    configure(&mut site, &serial_site());
    site.eventually("systemctl is-active onepress-health onepress-update-settle", BOOT);
    let known = waiting(&mut site);
    assert!(must.is_subset(&known), "{what}: {known:?}");
}

/// A number that the environment asks for.
pub(crate) fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
