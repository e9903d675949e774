//! The box on arm64: a board with UEFI, and a Raspberry Pi as far as it goes without one. What the Pi's firmware does is
//! done here, on the same disk: it reads `autoboot.txt`, takes kernel, initrd and arguments from the partition that is
//! meant, and tells the kernel in the device tree which that was. QEMU then starts them on a board of no maker's.

use crate::centre::{Buttons, DISK, FIRST, built, serial_site};
use crate::files::EDGE_UPDATE_MAX;
use crate::parts::{copy, disk, media, parts, run};
use crate::update::running;
use crate::vm::{ARM, BOOT, Machine, Plan};
use crate::{configure, sound};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PROFILE: &str = "edge-arm64";
/// To unpack half a gigabyte into a slot with an emulated processor.
const APPLY: Duration = Duration::from_secs(1_200);
/// What the kernel says when it is restarted as `reboot "0 tryboot"` does it.
const ASKED: &str = "Restarting system with command '0 tryboot'";

#[test]
fn a_board_with_arm64_and_uefi_comes_into_service() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let image = built(PROFILE, FIRST, &format!("onepress-{PROFILE}_{FIRST}.raw"));
    let disk = disk(dir.path(), "box.raw", Some(&image), DISK);
    let buttons = Buttons::new();
    let plan = Plan::arm("arm64").disk(&disk).adapter("onepress-buttons0", buttons.line());
    let mut site = plan.boot();
    site.started();
    configure(&mut site, &serial_site());
    sound(&mut site);
    assert_eq!(site.run("uname -m").trim(), "aarch64");
    site.eventually("systemctl is-active onepress-health && onepress status", BOOT);
    let id = crate::press(&mut site);
    assert!(crate::waiting(&mut site).contains(&id));
}

#[test]
fn a_pi_tries_an_update_once_and_keeps_what_is_healthy() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let image = built(PROFILE, FIRST, &format!("onepress-{PROFILE}_{FIRST}.pi.raw"));
    let card = dir.path().join("card.raw");
    copy(&image, &card, DISK);
    let bundle = |version: &str| built(PROFILE, version, &format!("onepress-{PROFILE}_{version}.bundle"));
    let long = bundle("2").metadata().expect("the bundle").len();
    println!("edge-arm64: update {:.1} MB", long as f64 / 1e6);
    assert!(long <= EDGE_UPDATE_MAX, "{long}");
    let pi = Pi { card, media: media(dir.path(), &[&bundle("2"), &bundle("3")]), buttons: Buttons::new() };

    assert_eq!(pi.meant(false), 2);
    let mut site = pi.start(false);
    site.started();
    configure(&mut site, &serial_site());
    sound(&mut site);
    running(&mut site, FIRST);
    site.eventually("systemctl is-active onepress-update-settle", BOOT);
    let identity = site.run("cat /etc/machine-id");
    apply(site, "2");

    // The power goes before the new version was found healthy: the old one is started again, and that was its one try.
    assert_eq!((pi.meant(true), pi.meant(false)), (3, 2));
    let mut site = pi.start(true);
    site.eventually("true", BOOT);
    running(&mut site, "2");
    drop(site);
    assert_eq!(pi.meant(false), 2, "not found healthy");
    let mut site = pi.start(false);
    site.started();
    running(&mut site, FIRST);
    site.eventually("systemctl is-active onepress-update-settle", BOOT);
    site.run("onepress update status | grep -i failed | grep -qw 2");

    apply(site, "3");
    let mut site = pi.start(true);
    site.started();
    running(&mut site, "3");
    site.eventually("systemctl is-active onepress-update-settle", BOOT);
    sound(&mut site);
    assert_eq!(site.run("cat /etc/machine-id"), identity);
    site.run("(sleep 1; systemctl reboot) >/dev/null 2>&1 &");
    assert!(!site.off(BOOT).contains(ASKED));
    assert_eq!((pi.meant(false), pi.meant(true)), (3, 2), "what is healthy stays");
}

/// Puts a version on, and hears from the kernel that it is restarted for a try.
fn apply(mut site: Machine, version: &str) {
    site.run("mkdir -p /run/media && mount -o ro /dev/vda /run/media");
    let bundle = format!("/run/media/onepress-{PROFILE}_{version}.bundle");
    site.run(&format!("(onepress update apply --reboot {bundle} >/var/tmp/said 2>&1; sync) &"));
    let said = site.off(APPLY);
    assert!(said.contains(ASKED), "{said}");
}

/// A card, what hangs on the board, and the firmware.
struct Pi {
    card: PathBuf,
    media: PathBuf,
    buttons: Buttons,
}

impl Pi {
    /// The partition that `autoboot.txt` names.
    fn meant(&self, trial: bool) -> u32 {
        let first = &parts(&self.card).expect("a table")[0];
        let text = run(Command::new("mtype").args(["-i", &first.volume(&self.card), "::/autoboot.txt"]));
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        let part = text.split("[tryboot]").nth(usize::from(trial)).expect("both parts");
        let number = part.lines().find_map(|line| line.strip_prefix("boot_partition="));
        number.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("{text}"))
    }

    /// What the firmware does with power, or after a restart.
    fn start(&self, trial: bool) -> Machine {
        let number = self.meant(trial);
        let boot = self.card.with_file_name("boot");
        let _ = fs::remove_dir_all(&boot);
        fs::create_dir(&boot).expect("a folder");
        let volume = parts(&self.card).expect("a table")[number as usize - 1].volume(&self.card);
        let copied = run(Command::new("mcopy").args(["-n", "-i", &volume, "::/*"]).arg(&boot));
        assert!(copied.status.success(), "{copied:?}");
        tree(&boot.join("tree.dtb"), number, trial);
        let plan = Plan::pi("pi", &boot).card(&self.card).media(&self.media);
        plan.adapter("onepress-buttons0", self.buttons.line()).boot()
    }
}

/// The board's device tree, with what a Pi's firmware adds.
fn tree(path: &Path, partition: u32, trial: bool) {
    let mut board = ARM.map(ToOwned::to_owned);
    board[2] = format!("virt,dumpdtb={}", path.display());
    let dumped = run(Command::new(&board[0]).args(&board[1..]).args(["-smp", "2", "-m", "1024"]));
    assert!(dumped.status.success(), "{dumped:?}");
    let put = |arguments: &[&str]| {
        let done = run(Command::new("fdtput").args(arguments));
        assert!(done.status.success(), "{done:?}");
    };
    let file = path.display().to_string();
    put(&["-c", &file, "/chosen/bootloader"]);
    put(&["-t", "i", &file, "/chosen/bootloader", "partition", &partition.to_string()]);
    put(&["-t", "i", &file, "/chosen/bootloader", "tryboot", if trial { "1" } else { "0" }]);
}
