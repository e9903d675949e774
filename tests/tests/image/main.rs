//! The appliance image in virtual machines. Not part of `make test`, for a machine starts in minutes here:
//! `make test-image` builds the images and runs these; one alone is run by
//! `cargo nextest run --profile image -E 'test(NAME)'`.

mod centre;
mod files;
mod gpio;
mod hard;
mod install;
mod measure;
mod parts;
mod pi;
mod powercut;
mod rollout;
mod secure;
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
use parts::disk;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use vm::{BOOT, Machine, Plan};

/// Gives the rack's wall and relay and the box their places in the centre, and waits until the box is linked.
fn enrol(rack: &mut Rack, desk: &Desk, site: &mut Machine) {
    desk.post("/api/sites", &serde_json::json!({ "id": "school", "name": "School" })).expect("a site");
    let wall = desk.new_box("wall", None).expect("a ticket for the wall");
    let relay = desk.new_box("relay", None).expect("a ticket for the relay");
    let ticket = desk.new_box("box", Some("school")).expect("a ticket for the box");
    rack.machine.write("/run/ticket", &wall);
    rack.machine
        .run("onepress enrol /run/ticket --state /var/lib/onepress/wall && systemctl restart onepress-wall");
    rack.machine.write("/var/lib/onepress/relay/ticket", &relay);
    rack.machine.run("systemctl restart onepress-relay");
    wait("the relay is linked", || {
        let state = desk.state().ok()?;
        let relay = state["boxes"].as_array()?.iter().find(|one| one["id"] == "relay")?;
        (relay["paths"][0]["up"] == true).then_some(())
    });
    site.write("/run/ticket", &ticket);
    site.eventually("onepress enrol /run/ticket", BOOT);
    site.run("systemctl restart onepress-button");
    site.eventually("onepress status --json | grep -q '\"up\": true'", BOOT);
}

/// Gives a box its site's file, as the installer does.
fn configure(site: &mut Machine, text: &str) {
    site.write("/etc/onepress/site.toml", text);
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

/// A rack and a box with serial buttons, set up, enrolled and linked.
fn together(dir: &Path) -> (Rack, Desk, Buttons, Machine) {
    let (one, other) = cable();
    let buttons = Buttons::new();
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    let disk = disk(dir, "box.raw", Some(&image), DISK);
    let mut rack = Rack::boot(dir, (one, other));
    let plan = Plan::new("box").disk(&disk).cable(other, one).adapter("onepress-buttons0", buttons.line());
    let mut site = plan.boot();
    let desk = rack.set_up();
    site.started();
    configure(&mut site, &serial_site());
    enrol(&mut rack, &desk, &mut site);
    (rack, desk, buttons, site)
}

#[test]
fn a_press_at_the_box_reaches_the_siren_at_the_rack() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (mut rack, desk, buttons, mut site) = together(dir.path());
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
    // A finger takes longer than the debounce.
    onepress::rig::pause(Duration::from_secs(2));
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
