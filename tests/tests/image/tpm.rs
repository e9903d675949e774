//! Secrets and the TPM: swtpm is the chip, on the board or on another one.

use crate::centre::{Buttons, DISK, FIRST, built, serial_site};
use crate::parts::disk;
use crate::vm::{BOOT, Machine, Plan};
use crate::{configure, press, restart, sound, waiting};
use link::ca::{Ca, Request};
use link::identity::{Identity, Key};
use std::path::Path;
use std::process::{Child, Command};
use tempfile::TempDir;

/// A chip: what it keeps, and the program that plays it while its board is on.
struct Tpm {
    kept: TempDir,
    played: Option<Child>,
}

impl Tpm {
    fn new() -> Self {
        Self { kept: tempfile::tempdir().expect("temporary directory"), played: None }
    }

    /// On the board of this machine. The program ends with it.
    fn on(&mut self, plan: Plan) -> Plan {
        let socket = self.kept.path().join("socket");
        let _ = std::fs::remove_file(&socket);
        let mut swtpm = Command::new("swtpm");
        swtpm.args(["socket", "--tpm2", "--terminate", "--tpmstate"]);
        swtpm.arg(format!("dir={}", self.kept.path().display()));
        swtpm.args(["--ctrl", &format!("type=unixio,path={}", socket.display())]);
        self.played = Some(swtpm.spawn().expect("swtpm: tests/setup/image.sh"));
        crate::centre::wait("swtpm listens", || socket.exists().then_some(()));
        let chardev = format!("socket,id=tpm,path={}", socket.display());
        plan.with(&["-chardev", &chardev, "-tpmdev", "emulator,id=tpm0,chardev=tpm"])
            .with(&["-device", "tpm-tis,tpmdev=tpm0"])
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        if let Some(played) = &mut self.played {
            let _ = played.kill();
            let _ = played.wait();
        }
    }
}

/// An identity as enrolment leaves it on a machine that has no key yet: the private key lies open in it.
fn identity() -> String {
    let dir = tempfile::tempdir().expect("temporary directory");
    let now = alarm::Wall::from_millis(1_795_000_000_000);
    let (ca, key) = (Ca::create("Laboratory", now).expect("a root"), Key::generate());
    let name = "urn:onepress:box:school/box".parse().expect("a name");
    let request = Request::from_der(&key.request()).expect("a request");
    let chain = ca.issue_box(&request, &name, now).expect("a certificate");
    let racks = vec!["10.77.0.1:4110".to_owned()];
    let identity = Identity::new(key, chain, ca.fingerprint(), &name, racks).expect("an identity");
    identity.store(dir.path()).expect("stored");
    let text = std::fs::read_to_string(dir.path().join("identity.json")).expect("read");
    assert!(text.contains("PRIVATE KEY"));
    text
}

fn enrolled(site: &mut Machine) {
    site.eventually("onepress status --json | grep -q '\"enrolled\": true'", BOOT);
}

fn on(board: &mut Tpm, name: &'static str, disk: &Path, buttons: &Buttons) -> Machine {
    let plan = Plan::new(name).disk(disk).adapter("onepress-buttons0", buttons.line());
    let mut site = board.on(plan).boot();
    site.started();
    site
}

#[test]
fn keys_are_sealed_to_the_tpm_and_another_board_opens_none_and_keeps_presses() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    let disk = disk(dir.path(), "box.raw", Some(&image), DISK);
    let buttons = Buttons::new();
    let (mut board, mut other) = (Tpm::new(), Tpm::new());

    let mut site = on(&mut board, "board", &disk, &buttons);
    configure(&mut site, &serial_site());
    sound(&mut site);
    site.run("journalctl -b -u onepress-seal --no-pager | grep 'bound to the TPM'");
    assert_eq!(site.run("ls /var/lib/onepress/seal").trim(), "key.host+tpm2");
    let opens =
        "systemd-creds decrypt --name=onepress.key /var/lib/onepress/seal/key.host+tpm2 - >/run/opened";
    site.run(&format!("{opens} && cmp /run/opened /run/credstore/onepress.key"));
    let paper = site.run("onepress seal --show");

    site.write("/var/lib/onepress/button/identity.json", &identity());
    enrolled(&mut site);
    let kept = site.run("cat /var/lib/onepress/button/identity.json /var/lib/onepress/button/link.key");
    assert!(!kept.contains("PRIVATE KEY"), "{kept}");
    assert_eq!(kept.matches("onepress-sealed-1:").count(), 2, "{kept}");
    let mut pressed = vec![press(&mut site)];

    restart(&mut site);
    enrolled(&mut site);
    pressed.push(press(&mut site));
    let _ = site.try_run("systemctl poweroff", BOOT);
    site.off(BOOT);

    let mut site = on(&mut other, "other-board", &disk, &buttons);
    site.run(&format!("! {opens}"));
    let told = site.run("journalctl -b -u onepress-seal -o cat --no-pager");
    assert!(told.contains("key.host+tpm2 cannot be unsealed"), "{told}");
    let status = site.eventually("onepress status --json | grep unusable", BOOT);
    assert!(status.contains("identity.json") && status.contains("new ticket"), "{status}");
    let health = site.run("onepress health --role edge; [ $? = 1 ]");
    assert!(health.contains("onepress-seal.service: it is failed"), "{health}");
    assert!(health.contains("identity: ") && health.contains("identity.json"), "{health}");
    assert!(health.contains("inputs: good"), "{health}");
    pressed.push(press(&mut site));
    let known = waiting(&mut site);
    assert!(pressed.iter().all(|id| known.contains(id)), "{pressed:?} are not all among {known:?}");

    site.write("/run/paper", &paper);
    site.run("onepress seal --restore /run/paper");
    restart(&mut site);
    enrolled(&mut site);
    sound(&mut site);
}
