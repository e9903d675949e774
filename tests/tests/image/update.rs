//! Updates in a machine: a good one stays, a broken one gives its place back, and what should not be put on is not.

use crate::centre::{Buttons, DISK, FIRST, built, serial_site};
use crate::parts::{disk, media};
use crate::vm::{BOOT, Machine, Plan};
use crate::{configure, restart, sound};
use std::path::Path;
use std::time::Duration;

/// A healthy one, and one whose button daemon does not start: see `make test-image`.
pub(crate) const GOOD: &str = "2";
const BROKEN: &str = "3";
/// To unpack half a gigabyte into a slot with an emulated processor.
const APPLY: Duration = Duration::from_secs(900);
/// A broken version has four minutes to become healthy, three times.
const ROLLBACK: Duration = Duration::from_secs(2_700);
/// The exit codes of `onepress update`.
const NOT_SIGNED: i32 = 3;
const NOT_NEWER: i32 = 5;

#[test]
fn a_good_update_stays_and_a_broken_one_gives_its_place_back() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let buttons = Buttons::new();
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    let disk = disk(dir.path(), "box.raw", Some(&image), DISK);
    let bundle = |version| built("edge-x86", version, &format!("onepress-edge-x86_{version}.bundle"));
    let forged = dir.path().join("forged.bundle");
    forge(&bundle(GOOD), &forged);
    let stick = media(dir.path(), &[&bundle(FIRST), &bundle(GOOD), &bundle(BROKEN), &forged]);
    let plan = Plan::new("updating").disk(&disk).media(&stick).adapter("onepress-buttons0", buttons.line());
    let mut site = plan.boot();
    site.started();
    configure(&mut site, &serial_site());
    sound(&mut site);
    running(&mut site, FIRST);
    mount(&mut site);

    refused(&mut site, "forged.bundle", NOT_SIGNED, "signature");
    apply(&mut site, GOOD);
    into_it(&mut site);
    sound(&mut site);
    running(&mut site, GOOD);
    let entries = site.run("ls /boot/EFI/Linux");
    assert!(entries.contains(&format!("onepress-edge-x86_{GOOD}.efi")), "it is found good: {entries}");
    refused(&mut site, &format!("onepress-edge-x86_{GOOD}.bundle"), NOT_NEWER, "what runs here already");
    refused(&mut site, &format!("onepress-edge-x86_{FIRST}.bundle"), NOT_NEWER, "older");

    let identity = site.run("cat /etc/machine-id");
    apply(&mut site, BROKEN);
    into_it(&mut site);
    running(&mut site, BROKEN);
    site.eventually(&is_running(GOOD), ROLLBACK);
    site.started();
    sound(&mut site);
    mount(&mut site);
    assert_eq!(site.run("cat /etc/machine-id"), identity);
    let status = site.eventually("onepress update status | grep -i failed", BOOT);
    assert!(status.contains(BROKEN), "{status}");
    refused(&mut site, &format!("onepress-edge-x86_{BROKEN}.bundle"), NOT_NEWER, "did not become healthy");
}

/// The bundle with one digit of its list changed.
fn forge(bundle: &Path, forged: &Path) {
    let mut bytes = std::fs::read(bundle).expect("the bundle");
    // The first member is the list; its text begins after a header of 512 bytes.
    let digit = &mut bytes[512];
    *digit = if *digit == b'0' { b'1' } else { b'0' };
    std::fs::write(forged, bytes).expect("written");
}

fn is_running(version: &str) -> String {
    format!("grep -q '^IMAGE_VERSION=\"\\?{version}\"\\?$' /usr/lib/os-release")
}

pub(crate) fn running(machine: &mut Machine, version: &str) {
    machine.run(&is_running(version));
}

fn apply(machine: &mut Machine, version: &str) {
    let said = machine
        .run_for(&format!("onepress update apply /run/media/onepress-edge-x86_{version}.bundle"), APPLY);
    assert!(said.contains(version), "{said}");
}

fn refused(machine: &mut Machine, name: &str, code: i32, why: &str) {
    let said = machine.run_for(&format!("onepress update apply /run/media/{name}; [ $? = {code} ]"), APPLY);
    assert!(said.contains(why), "{said}");
}

/// Into what was put on.
fn into_it(machine: &mut Machine) {
    restart(machine);
    mount(machine);
}

fn mount(machine: &mut Machine) {
    machine.run("mkdir -p /run/media && mount -o ro /dev/vda /run/media");
}
