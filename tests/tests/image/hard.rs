//! What goes wrong in a machine, and what it does about it: a daemon that hangs, a PID 1 that hangs, a full disk, a clock
//! in 1970, a byte of the root that has flipped.

use crate::centre::{Buttons, DISK, FIRST, built, serial_site, wait};
use crate::parts::{disk, part};
use crate::vm::{BOOT, Machine, Plan};
use crate::{configure, press, sound, waiting};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn box_disk(dir: &Path) -> PathBuf {
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    disk(dir, "box.raw", Some(&image), DISK)
}

#[test]
fn a_daemon_that_hangs_is_restarted_and_a_hung_machine_starts_anew() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let buttons = Buttons::new();
    let plan = Plan::new("hanging").disk(&box_disk(dir.path())).adapter("onepress-buttons0", buttons.line());
    // The clock of the machine stands in 1970, as where its battery is empty.
    let watchdog = ["-device", "i6300esb", "-action", "watchdog=reset", "-rtc", "base=1970-01-01T00:00:10"];
    let mut site = plan.with(&watchdog).boot();
    site.started();
    configure(&mut site, &serial_site());
    sound(&mut site);
    let year: u32 = site.run("date +%Y").trim().parse().expect("a year");
    assert!(year >= 2025, "the time of the image is later than that of the clock: {year}");
    let kept = press(&mut site);

    fill(&mut site);
    let told = site.run("onepress health --role edge; [ $? = 1 ]");
    assert!(told.contains("cannot be written"), "{told}");
    assert!(waiting(&mut site).contains(&kept));
    site.run("rm /var/full*");
    let later = press(&mut site);

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
    site.eventually("onepress status", BOOT);
    let last = press(&mut site);

    let boot = site.run("cat /proc/sys/kernel/random/boot_id");
    // It cannot be stopped by a signal; what a crash does is to freeze it.
    let _ = site.try_run("kill -SEGV 1", Duration::from_secs(10));
    site.eventually(&format!("! grep -q {} /proc/sys/kernel/random/boot_id", boot.trim()), BOOT);
    site.started();
    let known = waiting(&mut site);
    for id in [kept, later, last] {
        assert!(known.contains(&id), "{id} is not among {known:?}");
    }
}

/// Not a byte is left on /var, also none of those that are kept for root.
fn fill(site: &mut Machine) {
    site.run(
        "fallocate -l $(df --output=avail -B1 /var | tail -n 1) /var/full; n=0; \
         for size in 8M 64K 4K; do while fallocate -l $size /var/full$n 2>/dev/null; do n=$((n+1)); done; done; df /var",
    );
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

/// Another byte in the superblock of the root's file system, which nothing starts without.
fn flip(disk: &Path) {
    let at = part(disk, &format!("root_{FIRST}")).start;
    let file = File::options().read(true).write(true).open(disk).expect("the disk");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at + 1024 + 64).expect("read");
    file.write_all_at(&[byte[0] ^ 1], at + 1024 + 64).expect("written");
}
