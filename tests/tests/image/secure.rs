//! Secure Boot: firmware in set-up mode takes the keys that are on the disk, starts what they signed, and refuses a kernel
//! in which one byte has changed. Nobody looks inside: under Secure Boot the kernel hears nothing from the laboratory. That
//! a rack is in service is seen at its console.

use crate::centre::{DISK, FIRST, built, free, wait};
use crate::parts::{copy, part, run};
use crate::vm::Plan;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// What the kernel's own first part says.
const ENFORCED: &str = "UEFI Secure Boot is enabled";

#[test]
fn under_secure_boot_what_is_signed_starts_and_nothing_else() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (disk, variables) = (dir.path().join("rack.raw"), dir.path().join("variables"));
    copy(&built("rack", FIRST, &format!("onepress-rack_{FIRST}.raw")), &disk, DISK);
    fs::copy(VARIABLES, &variables).expect("firmware: tests/setup/image.sh");
    let port = free();
    let plan = Plan::new("signed").secure(&variables).disk(&disk).console(port).without_shell();
    let machine = plan.boot();
    wait("the firmware has taken the keys and enforces them", || {
        machine.serial().contains(ENFORCED).then_some(())
    });
    let address = format!("https://127.0.0.1:{port}/healthz");
    let answers = || run(Command::new("curl").args(["-skf", "-m", "10", &address]));
    let health = wait("the rack's console opens", || Some(answers()).filter(|told| told.status.success()));
    assert!(String::from_utf8_lossy(&health.stdout).contains("durable"), "{health:?}");
    drop(machine);

    change(&disk);
    let machine = Plan::new("changed").secure(&variables).disk(&disk).without_shell().boot();
    wait("the changed kernel is refused", || {
        let said = machine.serial().to_lowercase();
        (said.contains("access denied") || said.contains("security violation")).then_some(())
    });
    assert!(!machine.serial().contains(ENFORCED), "{}", machine.serial());
}

/// One byte of the kernel on the boot partition, somewhere in the middle of it.
fn change(disk: &Path) {
    let volume = part(disk, "esp").volume(disk);
    let listed = run(Command::new("mdir").args(["-b", "-i", &volume, "::/EFI/Linux"]));
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let path = listed.lines().find(|path| path.ends_with(".efi")).expect("a kernel");
    let file = disk.with_file_name("kernel.efi");
    assert!(run(Command::new("mcopy").args(["-n", "-i", &volume, path]).arg(&file)).status.success());
    let kernel = File::options().read(true).write(true).open(&file).expect("the kernel");
    let (middle, mut byte) = (kernel.metadata().expect("its length").len() / 2, [0]);
    kernel.read_exact_at(&mut byte, middle).expect("read");
    kernel.write_all_at(&[byte[0] ^ 1], middle).expect("written");
    assert!(run(Command::new("mcopy").args(["-o", "-i", &volume]).arg(&file).arg(path)).status.success());
}
