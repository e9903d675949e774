//! The appliance image in virtual machines. Not part of `make test`, for a machine starts in minutes here:
//! `make test-image` builds the images and runs these; one alone is run by
//! `cargo nextest run --profile image -E 'test(NAME)'`.

mod centre;
mod files;
mod gpio;
mod hard;
mod powercut;
mod technician;
mod tpm;
mod update;
mod vm;
mod writes;

use alarm::spool::Spool;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use centre::{Buttons, DISK, FIRST, Rack, built, cable, serial_site, wait};
use onepress::api::Desk;
use std::collections::BTreeSet;
use vm::{BOOT, Machine, Plan, disk, without_keys};

/// Gives the rack's wall and the box their places in the centre, and waits until the box is linked.
fn enrol(rack: &mut Rack, desk: &Desk, site: &mut Machine) {
    desk.post("/api/sites", &serde_json::json!({ "id": "school", "name": "School" })).expect("a site");
    let wall = desk.new_box("wall", None).expect("a ticket for the wall");
    let ticket = desk.new_box("box", Some("school")).expect("a ticket for the box");
    rack.machine.write("/run/ticket", &wall);
    rack.machine
        .run("onepress enrol /run/ticket --state /var/lib/onepress/wall && systemctl restart onepress-wall");
    site.write("/run/ticket", &ticket);
    site.eventually("onepress enrol /run/ticket", BOOT);
    site.run("systemctl restart onepress-button");
    site.eventually("onepress status --json | grep -q '\"up\": true'", BOOT);
}

/// Gives a box its site's file, as the installer does.
fn configure(site: &mut Machine) {
    site.write("/etc/onepress/site.toml", &serial_site());
    site.run("onepress site && networkctl reload && systemctl restart onepress-button");
}

/// What holds for every image, whatever its role.
fn sound(machine: &mut Machine) {
    machine.eventually("! systemctl is-system-running | grep -q starting", BOOT);
    let failed = machine.run(
        "for unit in $(systemctl --failed --no-legend --plain | cut -d' ' -f1); do \
           echo $unit; journalctl -b -u $unit --no-pager -n 15 -o cat; done",
    );
    assert_eq!(failed, "", "failed units");
    let cycles = machine.run("journalctl -b --grep 'ordering cycle' --no-pager -q || true");
    assert_eq!(cycles, "", "ordering cycles");
    let root = machine.run("findmnt -no SOURCE,FSTYPE,OPTIONS /");
    assert!(root.contains("/dev/mapper/root") && root.contains("erofs") && root.contains("ro"), "{root}");
    machine.run("test -d /var/log/journal/$(cat /etc/machine-id)");
    let logins = machine.run("grep -lxE 'a?getty|login|sshd|sulogin' /proc/[0-9]*/comm || true");
    assert_eq!(logins, "", "nobody can log in");
    let slots = machine.run("ls /dev/disk/by-partlabel");
    assert!(slots.contains("onepress-data") && slots.contains("root_"), "{slots}");
}

#[test]
fn a_press_at_the_box_reaches_the_siren_at_the_rack() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (one, other) = cable();
    let buttons = Buttons::new();
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    let disk = disk(dir.path(), "box.raw", Some(&image), DISK);
    let mut rack = Rack::boot(dir.path(), (one, other));
    let plan = Plan::new("box").disk(&disk).cable(other, one).adapter("onepress-buttons0", buttons.line());
    let mut site = plan.boot();

    let desk = rack.set_up();
    site.started();
    configure(&mut site);
    enrol(&mut rack, &desk, &mut site);
    sound(&mut site);
    sound(&mut rack.machine);
    assert!(!rack.siren(), "nobody has pressed yet");

    buttons.press(true);
    wait("the siren sounds", || rack.siren().then_some(()));
    let state = desk.state().expect("the state");
    assert!(state.to_string().contains("school"), "{state}");
    let presses = || presses(&desk.state().expect("the state"));
    assert_eq!(presses(), 1);

    // The button is stuck, and the box starts with it: that is the same press, not another, and not none.
    restart(&mut site);
    site.eventually("onepress status --json | grep -q '\"up\": true'", BOOT);
    site.run("onepress status --json | grep -q '\"waiting\": 0'");
    assert_eq!(presses(), 1);
    buttons.press(false);
    buttons.press(true);
    wait("the next press is told", || (presses() == 2).then_some(()));
}

/// Presses by software, without anybody to tell; returns the alarm's id when the box has it on its disk.
fn press(site: &mut Machine) -> String {
    let said = site.run("onepress press gate");
    let answer: serde_json::Value =
        serde_json::from_str(said.trim().trim_start_matches("pressed: ")).expect("an answer");
    assert_eq!(answer["spooled"], true, "{said}");
    answer["alarm"].as_str().expect("an id").to_owned()
}

/// What waits in the box's spool, by its ids.
fn waiting(site: &mut Machine) -> BTreeSet<String> {
    let spool = site.run("base64 -w0 /var/lib/onepress/button/spool");
    noted(&BASE64.decode(spool.trim()).expect("base64"))
}

/// What a spool holds.
fn noted(spool: &[u8]) -> BTreeSet<String> {
    Spool::replay(spool).spool.waiting().iter().map(|notice| notice.id.to_string()).collect()
}

/// How many presses the desk knows of.
fn presses(state: &serde_json::Value) -> usize {
    let incidents = state["incidents"].as_array().into_iter().flatten();
    incidents.map(|incident| incident["alarms"].as_array().map_or(0, Vec::len)).sum()
}

/// Starts the machine anew, and waits until it has.
fn restart(machine: &mut Machine) {
    let boot = machine.run("cat /proc/sys/kernel/random/boot_id");
    machine.run("systemctl reboot");
    machine.eventually(&format!("! grep -q {} /proc/sys/kernel/random/boot_id", boot.trim()), BOOT);
    machine.started();
}

#[test]
fn the_stick_installs_on_the_one_disk_and_the_disk_starts_without_it() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let stick = stick(dir.path(), &serial_site());
    let inside = disk(dir.path(), "inside.raw", None, DISK);
    let machine = Plan::new("installing").stick(&stick).disk(&inside).without_shell().boot();
    let told = machine.off(BOOT);
    assert!(told.contains("to disk nvme0n1") && told.contains("INSTALLED and read back"), "{told}");

    let buttons = Buttons::new();
    let plan = Plan::new("installed").disk(&inside).adapter("onepress-buttons0", buttons.line());
    let mut machine = plan.boot();
    machine.started();
    sound(&mut machine);
    assert_eq!(machine.run("hostname").trim(), "school-1");
    assert!(machine.run("cat /etc/onepress/button.toml").contains("button-1-no"));
    let kept = machine.run("cat /etc/machine-id");
    assert_eq!(kept, machine.run("cat /var/lib/onepress-machine-id"));
}

#[test]
fn the_stick_refuses_two_disks_and_one_with_an_installation_and_says_why() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let stick = stick(dir.path(), "hostname = 'school-1'\n");
    let one = disk(dir.path(), "one.raw", None, DISK);
    let other = disk(dir.path(), "other.raw", None, DISK);
    let drive = format!("if=none,id=other,format=raw,file={}", other.display());
    let plan = Plan::new("refusing").stick(&stick).disk(&one).without_shell();
    let mut machine = plan.with(&["-drive", &drive, "-device", "virtio-blk-pci,drive=other"]).boot();
    machine.says("NOT INSTALLED: several disks are built in", BOOT);
    drop(machine);
    let read = std::fs::read(&one).expect("the disk");
    assert!(read.iter().all(|byte| *byte == 0), "nothing was written");
}

#[test]
fn the_lamp_says_that_a_stick_refuses() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let stick = stick(dir.path(), "hostname = 'school-1'\n");
    let keyboard = ["-device", "usb-kbd,bus=usb.0"];
    let mut machine = Plan::new("lamp").stick(&stick).with(&keyboard).boot();
    machine.says("NOT INSTALLED: no disk is built in", BOOT);
    let lamp = machine.run("cat /sys/class/leds/*::scrolllock/trigger");
    assert!(lamp.contains("[pattern]"), "the kernel shows it: {lamp}");
    let shown = machine.run("cat /sys/class/leds/*::scrolllock/pattern");
    assert!(shown.contains("1400"), "three short, a pause: {shown}");
    machine.run("grep -q ledtrig_timer /proc/modules");
}

/// A stick as `make stick` and `onepress flash` make it, with the site's file.
fn stick(dir: &std::path::Path, site: &str) -> std::path::PathBuf {
    use onepress::flash::site::Site;
    let image = built("edge-x86", FIRST, &format!("stick/onepress-edge-x86_{FIRST}.stick.raw.xz"));
    let stick = dir.join("stick.raw");
    let unpacked = std::fs::File::create(&stick).expect("a stick");
    let status = std::process::Command::new("xz").args(["-dc"]).arg(&image).stdout(unpacked).status();
    assert!(status.expect("xz").success());
    without_keys(&stick);
    let file = dir.join("site.toml");
    std::fs::write(&file, site).expect("written");
    let mut device = std::fs::File::options().read(true).write(true).open(&stick).expect("the stick");
    Site::read(Some(&file), None).expect("read").put(&mut device).expect("put");
    stick
}
