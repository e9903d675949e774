//! The appliance image in virtual machines. Not part of `make test`, for a machine starts in minutes here:
//! `make test-image` builds the images and runs these; one alone is run by
//! `cargo nextest run --profile image -E 'test(NAME)'`.

mod centre;
mod vm;

use centre::{BOX, Buttons, DISK, FIRST, Rack, built, cable, wait};
use vm::{BOOT, Machine, Plan, disk};

/// What holds for every image, whatever its role.
fn sound(machine: &mut Machine) {
    machine.eventually("! systemctl is-system-running | grep -q starting", BOOT);
    let failed = machine.run("systemctl --failed --no-legend --plain");
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
    desk.post("/api/sites", &serde_json::json!({ "id": "school", "name": "School" })).expect("a site");
    let wall = desk.new_box("wall", None).expect("a ticket for the wall");
    let ticket = desk.new_box("box", Some("school")).expect("a ticket for the box");
    rack.machine.write("/run/ticket", &wall);
    rack.machine.run("onepress enrol /run/ticket --state /var/lib/onepress/wall && systemctl restart onepress-wall");

    site.started();
    sound(&mut site);
    site.write("/etc/onepress/site.toml", BOX);
    site.run("onepress site && networkctl reload");
    site.write("/run/ticket", &ticket);
    site.eventually("onepress enrol /run/ticket", BOOT);
    site.run("systemctl restart onepress-button");
    site.eventually("onepress status --json | grep -q '\"up\": true'", BOOT);
    sound(&mut rack.machine);
    assert!(!rack.siren(), "nobody has pressed yet");

    buttons.press(true);
    wait("the siren sounds", || rack.siren().then_some(()));
    let state = desk.state().expect("the state");
    assert!(state.to_string().contains("school"), "{state}");
}
