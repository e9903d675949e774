//! A technician at the serial line of the shipped image.

use crate::centre::{Buttons, DISK, FIRST, built, serial_site, wait};
use crate::parts::disk;
use crate::sound;
use crate::vm::{Machine, Plan};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes a key; its public line.
fn key(file: &Path) -> String {
    let mut make = Command::new("ssh-keygen");
    make.args(["-q", "-N", "", "-t", "ed25519", "-C", "li@centre", "-f"]).arg(file);
    assert!(make.status().expect("ssh-keygen").success());
    std::fs::read_to_string(file.with_extension("pub")).expect("read").trim().to_owned()
}

fn sign(key: &Path, challenge: &str) -> String {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", "onepress-technician", "-f"]).arg(key);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("ssh-keygen");
    child.stdin.take().expect("its input").write_all(challenge.as_bytes()).expect("written");
    String::from_utf8(child.wait_with_output().expect("signed").stdout).expect("text")
}

/// What has come over the serial line after this text came last, once it is there.
fn after(site: &Machine, text: &str) -> String {
    wait(text, || site.serial().rsplit_once(text).map(|(_, after)| after.to_owned()))
}

#[test]
fn a_technician_comes_in_by_a_signature_and_without_keys_nobody_does() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    let disk = disk(dir.path(), "box.raw", Some(&image), DISK);
    let buttons = Buttons::new();
    let plan = Plan::new("technician").disk(&disk).adapter("onepress-buttons0", buttons.line());
    let mut site = plan.typed().boot();
    site.started();
    sound(&mut site);
    let unit = "systemctl show -p ActiveState --value appliance-technician";
    assert_eq!(site.run(unit).trim(), "inactive", "no keys, no way in");
    assert!(!site.serial().contains("press Enter"));

    let file = dir.path().join("key");
    let public = key(&file);
    site.write("/etc/onepress/site.toml", &format!("{}[technician]\nkeys = [\"{public}\"]\n", serial_site()));
    site.run("onepress site && systemctl start appliance-technician");
    let mut line = site.line();
    after(&site, "press Enter for a technician's challenge");
    line.write_all(b"\r").expect("typed");
    after(&site, "-f ~/.ssh/id_ed25519");
    let shown = after(&site, "printf '%s' '");
    let challenge = shown.split('\'').next().expect("a challenge").to_owned();
    assert!(challenge.starts_with("onepress-technician/1/school-1/"), "{challenge}");
    let boot = site.run("cat /proc/sys/kernel/random/boot_id");
    assert!(challenge.contains(boot.trim()), "{challenge}");
    line.write_all(sign(&file, &challenge).replace('\n', "\r").as_bytes()).expect("typed");
    after(&site, "welcome, li@centre: root for 60 minutes");
    line.write_all(b"echo I am $(id -un) in $(tty)\r").expect("typed");
    after(&site, "I am root in /dev/ttyS0");
    line.write_all(b"exit\r").expect("typed");
    site.eventually(
        "journalctl -u appliance-technician -o cat --no-pager | grep 'has gone' | grep li@centre",
        crate::vm::BOOT,
    );
    site.run("journalctl -u appliance-technician -o cat --no-pager | grep 'has come in' | grep SHA256:");
    after(&site, "press Enter for a technician's challenge");
    sound(&mut site);
}
