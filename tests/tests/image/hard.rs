//! What goes wrong in a machine, and what it does about it: a daemon that hangs, a PID 1 that hangs, a full disk, a clock
//! in 1970, a byte of the root that has flipped.

use crate::centre::{Buttons, DISK, FIRST, built, wait};
use crate::vm::{BOOT, Machine, Plan, disk};
use crate::{configure, sound};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

fn box_disk(dir: &Path) -> PathBuf {
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    disk(dir, "box.raw", Some(&image), DISK)
}

/// A press is in the spool: what is told of it when nobody can be told.
fn pressed(machine: &mut Machine, buttons: &Buttons, waiting: usize) {
    buttons.press(true);
    machine.eventually(&format!("onepress status --json | grep -q '\"waiting\": {waiting}'"), BOOT);
    buttons.press(false);
}

#[test]
fn a_daemon_that_hangs_is_restarted_and_a_hung_machine_starts_anew() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let buttons = Buttons::new();
    // The clock of the machine stands in 1970, as where the battery is empty.
    let plan = Plan::new("hanging").disk(&box_disk(dir.path())).adapter("onepress-buttons0", buttons.line());
    let watchdog = ["-device", "i6300esb", "-action", "watchdog=reset", "-rtc", "base=1970-01-01T00:00:10"];
    let mut site = plan.with(&watchdog).boot();
    site.started();
    configure(&mut site);
    sound(&mut site);
    // Its own clock is behind the image's: systemd takes the image's date.
    assert!(site.run("date +%Y").trim().parse::<u32>().expect("a year") >= 2025);
    pressed(&mut site, &buttons, 1);

    // A full disk: the press that comes then is kept in memory and told, and the first is not lost.
    site.run("fallocate -l 100G /var/full 2>/dev/null || head -c 100G /dev/zero >/var/full 2>/dev/null; rm -f /var/lib/onepress/.probe; df /var | grep -q 100%");
    let told = site.run("onepress health --role edge; [ $? = 1 ]");
    assert!(told.contains("cannot be written"), "{told}");
    site.run("rm /var/full");

    let process = site.run("systemctl show --value -p MainPID onepress-button");
    site.run(&format!("kill -STOP {}", process.trim()));
    site.eventually(
        &format!(
            "p=$(systemctl show --value -p MainPID onepress-button); [ $p != 0 ] && [ $p != {} ] && \
             systemctl is-active onepress-button",
            process.trim()
        ),
        BOOT,
    );
    site.run("journalctl -b -u onepress-button --no-pager | grep -qi watchdog");
    site.eventually("onepress status --json | grep -q '\"waiting\": 1'", BOOT);

    let boot = site.run("cat /proc/sys/kernel/random/boot_id");
    // PID 1 cannot be stopped by a signal: a debugger's way is what is left.
    let _ = site.try_run("kill -SEGV 1; sleep 5; cat /proc/1/status | grep State", std::time::Duration::from_secs(30));
    site.eventually(&format!("! grep -q {} /proc/sys/kernel/random/boot_id", boot.trim()), BOOT);
    site.started();
    site.eventually("onepress status --json | grep -q '\"waiting\": 1'", BOOT);
}

#[test]
fn a_byte_of_the_root_that_has_flipped_is_not_run() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let disk = box_disk(dir.path());
    flip(&disk);
    let machine = Plan::new("flipped").disk(&disk).boot();
    wait("the flipped block is told", || {
        let told = machine.serial();
        (told.contains("data block") && told.contains("is corrupted")).then_some(())
    });
    wait("and it starts anew", || (machine.serial().matches("EFI stub").count() > 1).then_some(()));
}

/// Another byte in the middle of the program that makes a box of this.
fn flip(disk: &Path) {
    let table = std::process::Command::new("sfdisk").arg("--json").arg(disk).output().expect("sfdisk");
    let table: serde_json::Value = serde_json::from_slice(&table.stdout).expect("a partition table");
    let parts = table["partitiontable"]["partitions"].as_array().expect("partitions");
    let root = parts.iter().find(|part| part["name"] == format!("root_{FIRST}")).expect("a root");
    let at = root["start"].as_u64().expect("a number") * 512;
    let file = File::options().read(true).write(true).open(disk).expect("the disk");
    // The superblock of the file system, which nothing starts without.
    let mut byte = [0];
    file.read_exact_at(&mut byte, at + 1024 + 64).expect("read");
    file.write_all_at(&[byte[0] ^ 1], at + 1024 + 64).expect("written");
}
