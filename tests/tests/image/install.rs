//! From the stick into service: a box is installed, enrols with its ticket, tests itself and is commissioned; what the
//! stick refuses; and power cuts while it writes.

use crate::centre::{Buttons, DISK, FIRST, Rack, built, cable, serial_site, wait};
use crate::parts::{self, Part, copy, disk, part, run, same, without_keys};
use crate::powercut::{asked, kernels};
use crate::vm::{BOOT, Plan};
use crate::writes::{Dice, Log};
use crate::{presses, sound};
use onepress::flash::site::{PARTITION, Site, TICKET_FILE};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Before the installer begins it says what it will do for ten seconds; then it writes and reads back.
const INSTALL: Duration = Duration::from_secs(1_800);

#[test]
fn a_box_that_the_stick_installed_comes_into_service_by_itself() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (one, other) = cable();
    let mut rack = Rack::boot(dir.path(), (one, other));
    let desk = rack.set_up();
    desk.post("/api/sites", &serde_json::json!({ "id": "school", "name": "School" })).expect("a site");
    let ticket = desk.new_box("box", Some("school")).expect("a ticket for the box");

    let stick = stick(dir.path(), &serial_site(), Some(&ticket));
    assert!(provided(&stick).contains("ticket"), "{}", provided(&stick));
    let inside = disk(dir.path(), "inside.raw", None, DISK);
    let machine = Plan::new("installing").stick(&stick).disk(&inside).without_shell().boot();
    let told = machine.off(INSTALL);
    assert!(told.contains("to disk nvme0n1") && told.contains("INSTALLED and read back"), "{told}");
    assert!(told.contains("site file: yes, ticket: yes") && !told.contains(ticket.trim()), "{told}");
    assert!(!provided(&stick).contains("ticket"), "the ticket is gone: {}", provided(&stick));

    // Nobody touches it: it enrols, is linked, tests its button, and is in service. The laboratory only looks on.
    let buttons = Buttons::new();
    let plan = Plan::new("installed").disk(&inside).cable(other, one);
    let mut site = plan.adapter("onepress-buttons0", buttons.line()).boot();
    let commission = || {
        let state = desk.state().expect("the state");
        let all = state["boxes"].as_array().into_iter().flatten();
        let ours = all.into_iter().find(|one| one["id"] == "box");
        ours.map(|ours| ours["commission"].clone()).unwrap_or(Value::Null)
    };
    wait("the box is in service", || commission()["done"].is_i64().then_some(()));
    assert_eq!(commission()["by"], "desk", "{}", commission());
    let _ = writeln!(std::io::stderr(), "told: in service {:?} after power", site.age());
    site.started();
    sound(&mut site);
    assert_eq!(site.run("hostname").trim(), "school-1");
    let kept = site.run("cat /etc/machine-id");
    assert_eq!(kept, site.run("cat /var/lib/onepress-machine-id"));
    site.run("test ! -e /var/lib/onepress/button/ticket");
    let told = || presses(&desk.state().expect("the state"));
    assert_eq!(told(), 0, "nobody has pressed yet");
    buttons.press(true);
    wait("the press is shown", || (told() == 1).then_some(()));
}

#[test]
fn the_stick_leaves_a_disk_alone_from_which_an_appliance_has_started() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    let inside = disk(dir.path(), "inside.raw", Some(&image), DISK);
    let mut site = Plan::new("first").disk(&inside).boot();
    site.eventually("test -s /var/lib/onepress-machine-id && sync", BOOT);
    drop(site);
    let stick = stick(dir.path(), "hostname = 'school-1'\n", None);
    let mut machine = Plan::new("again").stick(&stick).disk(&inside).without_shell().boot();
    machine.says("NOT INSTALLED: nvme0n1", BOOT);
    machine.says("holds an installation that has run", BOOT);
    machine.says("erase = true", BOOT);
}

#[test]
fn a_disk_with_the_same_version_half_written_is_not_taken_for_the_stick() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    let inside = disk(dir.path(), "inside.raw", Some(&image), DISK);
    let root = part(&inside, &format!("root_{FIRST}"));
    let torn = vec![0; 8 << 20];
    let file = File::options().write(true).open(&inside).expect("the disk");
    file.write_all_at(&torn, root.start + (1 << 20)).expect("torn");
    let stick = stick(dir.path(), &serial_site(), None);
    let machine = Plan::new("beside").stick(&stick).virtio(&inside).without_shell().boot();
    let told = machine.off(INSTALL);
    assert!(told.contains("to disk vda") && told.contains("INSTALLED and read back"), "{told}");
    let image = image.with_file_name(format!("onepress-edge-x86_{FIRST}.root-x86-64.raw"));
    assert!(same(&image, &Part::alone(&image), &inside, &root), "the root is whole");
}

#[test]
fn the_stick_refuses_two_disks_and_says_why() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let stick = stick(dir.path(), "hostname = 'school-1'\n", None);
    let one = disk(dir.path(), "one.raw", None, DISK);
    let other = disk(dir.path(), "other.raw", None, DISK);
    let drive = format!("if=none,id=other,format=raw,file={}", other.display());
    let plan = Plan::new("refusing").stick(&stick).disk(&one).without_shell();
    let mut machine = plan.with(&["-drive", &drive, "-device", "virtio-blk-pci,drive=other"]).boot();
    machine.says("NOT INSTALLED: several disks are built in", BOOT);
    drop(machine);
    let read = fs::read(&one).expect("the disk");
    assert!(read.iter().all(|byte| *byte == 0), "nothing was written");
}

#[test]
fn the_lamp_says_that_a_stick_refuses() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let stick = stick(dir.path(), "hostname = 'school-1'\n", None);
    let keyboard = ["-device", "usb-kbd,bus=usb.0"];
    let mut machine = Plan::new("lamp").stick(&stick).with(&keyboard).boot();
    machine.says("NOT INSTALLED: no disk is built in", BOOT);
    let lamp = machine.run("cat /sys/class/leds/*::scrolllock/trigger");
    assert!(lamp.contains("[pattern]"), "the kernel shows it: {lamp}");
    let shown = machine.run("cat /sys/class/leds/*::scrolllock/pattern");
    assert!(shown.contains("1400"), "three short, a pause: {shown}");
    machine.run("grep -q ledtrig_timer /proc/modules");
}

/// ONEPRESS_CUTS says how many (20), ONEPRESS_SEED where chance begins (1).
#[test]
fn an_installation_that_was_cut_off_leaves_nothing_that_starts_half_and_is_done_again() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let stick = stick(dir.path(), &serial_site(), None);
    let inside = disk(dir.path(), "inside.raw", None, DISK);
    let log = dir.path().join("writes.log");
    File::create(&log).expect("a log");
    let told = Plan::new("writing").stick(&stick).logged(&inside, &log).without_shell().boot().off(INSTALL);
    assert!(told.contains("INSTALLED and read back"), "{told}");
    let log = Log::read(&log);
    let blank = dir.path().join("blank.raw");
    File::create(&blank).and_then(|file| file.set_len(DISK)).expect("a disk");

    let (cuts, seed) = (asked("ONEPRESS_CUTS", 20), asked("ONEPRESS_SEED", 1));
    let mut dice = Dice(seed);
    let table = log.of_the_table(DISK);
    let (mut startable, mut halfway) = (0, None);
    for number in 0..cuts {
        let small = |number: u64| usize::try_from(number).expect("small");
        // Half of them around the writes of the table, for what is before it is nothing and what is after it is nearly all.
        let count = match (number % 2, table.is_empty()) {
            (1, false) => table[small(dice.below(table.len() as u64))] + 1 + small(dice.below(20)),
            _ => small(dice.below(log.len() as u64)) + 1,
        };
        let count = count.min(log.len());
        let what = format!("seed {seed}, cut {number}, after {count} of {} writes", log.len());
        let cut = cut(&blank, &log, count, &mut dice);
        if starts(&cut, &what) {
            startable += 1;
        }
        // With its table, and not yet at its end: what a careless installer would take for somebody's.
        if count < log.len() && parts::parts(&cut).is_some_and(|all| !all.is_empty()) {
            fs::rename(&cut, dir.path().join("halfway.raw")).expect("renamed");
            halfway = Some(what);
        }
    }
    println!(
        "told: {cuts} cuts of an installation, {startable} leave a whole system; done again: {halfway:?}"
    );

    let what = halfway.expect("a cut with a table of partitions: more cuts, or another seed");
    let halfway = dir.path().join("halfway.raw");
    let machine = Plan::new("once more").stick(&stick).virtio(&halfway).without_shell().boot();
    let told = machine.off(INSTALL);
    assert!(told.contains("to disk vda") && told.contains("INSTALLED and read back"), "{what}: {told}");
    let mut site = Plan::new("at last").virtio(&halfway).boot();
    site.started();
    assert_eq!(site.run("hostname").trim(), "school-1", "{what}");
}

/// The disk after the first `count` writes.
fn cut(blank: &Path, log: &Log, count: usize, dice: &mut Dice) -> PathBuf {
    let path = blank.with_file_name("cut.raw");
    copy(blank, &path, DISK);
    log.cut(&File::options().write(true).open(&path).expect("a disk"), count, dice);
    path
}

/// Whether a disk has something that the firmware would start. Then all of it is there, and is what was to be written.
fn starts(cut: &Path, what: &str) -> bool {
    let Some(all) = parts::parts(cut) else { return false };
    let Some(esp) = all.iter().find(|part| part.name == "esp") else { return false };
    let volume = esp.volume(cut);
    let loader = run(Command::new("mcopy").args(["-n", "-i", &volume, "::/EFI/BOOT/BOOTX64.EFI", "-"]));
    if !loader.status.success() {
        return false;
    }
    kernels(cut, esp, &all, what);
    for (kind, suffix) in [("root", "root-x86-64.raw"), ("verity", "root-x86-64-verity.raw")] {
        let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.{suffix}"));
        let part = all.iter().find(|part| part.name == format!("{kind}_{FIRST}"));
        let part = part.unwrap_or_else(|| panic!("{what}: it starts, and has no {kind}"));
        assert!(same(&image, &Part::alone(&image), cut, part), "{what}: it starts, and its {kind} is torn");
    }
    true
}

/// A stick as `make stick` and `onepress flash` make it, with the site's files.
fn stick(dir: &Path, site: &str, ticket: Option<&str>) -> PathBuf {
    let image = built("edge-x86", FIRST, &format!("stick/onepress-edge-x86_{FIRST}.stick.raw.xz"));
    let stick = dir.join("stick.raw");
    let unpacked = File::create(&stick).expect("a stick");
    let status = Command::new("xz").args(["-dc"]).arg(&image).stdout(unpacked).status();
    assert!(status.expect("xz").success());
    without_keys(&stick);
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::write(&path, text).expect("written");
        path
    };
    let site = file("site.toml", site);
    let ticket = ticket.map(|text| file(TICKET_FILE, text));
    let mut device = File::options().read(true).write(true).open(&stick).expect("the stick");
    Site::read(Some(&site), ticket.as_deref()).expect("read").put(&mut device).expect("put");
    stick
}

/// What is on the stick for the site.
fn provided(stick: &Path) -> String {
    let listed = run(Command::new("mdir").args(["-b", "-i", &part(stick, PARTITION).volume(stick)]));
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8_lossy(&listed.stdout).to_lowercase()
}
