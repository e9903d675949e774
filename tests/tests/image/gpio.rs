//! A press on a line of the kernel's gpio-sim inside the box's machine: through the GPIO character device, and through
//! rppal's register window as far as it goes without a Pi (edges come from the kernel; levels and outputs do not).

use crate::centre::{DISK, FIRST, Rack, built, cable, site_toml, wait};
use crate::parts::disk;
use crate::vm::{BOOT, Machine, Plan};
use crate::{configure, enrol, presses};

/// Made by tests/setup/gpio_sim.sh for the kernel of the image.
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.cache/gpio-sim/gpio-sim.ko");
/// Shell functions that make chips and pull lines: the same as in user-mode Linux.
const FUNCTIONS: &str = include_str!("../../uml/lib.sh");
const NAMES: &str = "BTN1_NO BTN1_NC BTN2_NO BTN2_NC TAMPER MAINS_OK BATT_LOW WALL_ACK";
/// As on a Raspberry Pi 4: rppal finds its chip by the label, and the model by the revision.
const PI: &str = "name = 'pi'\ndescription = 'a Pi for rppal'\n[devices.pi]\npart = 'pi'\n[inputs]\n\
                  button-1-no = { device = 'pi', line = 17 }\n";
const ON_A_PI: &str =
    "[Service]\nBindReadOnlyPaths=/run/cpuinfo:/proc/cpuinfo\nDeviceAllow=char-gpiochip rw\n";

#[test]
fn a_press_on_a_gpio_line_reaches_the_siren_by_gpiocdev_and_by_rppal() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (one, other) = cable();
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    let disk = disk(dir.path(), "box.raw", Some(&image), DISK);
    let mut rack = Rack::boot(dir.path(), (one, other));
    let mut site = Plan::new("box").disk(&disk).cable(other, one).boot();
    let desk = rack.set_up();
    site.started();
    lines(&mut site);
    let contacts = "no = 'button-1-no'\nnc = 'button-1-nc'";
    configure(&mut site, &site_toml("/usr/share/onepress/boards/gpio-sim.toml", contacts));
    enrol(&mut rack, &desk, &mut site);
    assert!(!rack.siren(), "nobody has pressed yet");

    pull(&mut site, "BTN1_NC down; pull BTN1_NO up");
    wait("the siren sounds", || rack.siren().then_some(()));
    pull(&mut site, "BTN1_NO down; pull BTN1_NC up");
    let presses = || presses(&desk.state().expect("the state"));
    let before = presses();

    pull(&mut site, "BTN1_NC down");
    wait("the cut wire is told", || desk.state().ok()?.to_string().contains("wire-cut").then_some(()));
    pull(&mut site, "BTN1_NC up");
    wait("and is mended", || (!desk.state().ok()?.to_string().contains("wire-cut")).then_some(()));
    assert_eq!(presses(), before, "a cut is no press");

    site.write("/run/pi.toml", PI);
    site.write("/run/cpuinfo", "Revision\t: b03115\n");
    site.run("truncate -s 4096 /dev/gpiomem && chmod 666 /dev/gpiomem");
    site.run("mkdir -p /run/systemd/system/onepress-button.service.d");
    site.write("/run/systemd/system/onepress-button.service.d/95-pi.conf", ON_A_PI);
    site.run("systemctl daemon-reload");
    configure(&mut site, &site_toml("/run/pi.toml", "wiring = 'normally-open'\nline = 'button-1-no'"));
    site.eventually("onepress status --json | grep -q '\"up\": true'", BOOT);
    pull(&mut site, "GPIO17 up");
    wait("the press through rppal is told", || (presses() > before).then_some(()));
}

/// Two chips: one whose lines have the names of the simulated board, and one that looks like a Pi's.
fn lines(site: &mut Machine) {
    let module =
        std::fs::read(MODULE).unwrap_or_else(|error| panic!("{MODULE}: {error}: tests/setup/gpio_sim.sh"));
    site.write_bytes("/run/gpio-sim.ko", &module);
    site.write("/run/lib.sh", FUNCTIONS);
    site.run("modprobe configfs; insmod /run/gpio-sim.ko; mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config");
    let pi: Vec<_> = (0..28).map(|n| format!("GPIO{n}")).collect();
    site.run(&format!(
        ". /run/lib.sh; chip pinctrl-bcm2711 {}; chip sim {NAMES}; pull BTN1_NC up",
        pi.join(" ")
    ));
    site.run("udevadm settle; ls -l /dev/gpiochip*");
}

fn pull(site: &mut Machine, what: &str) {
    site.run(&format!(". /run/lib.sh; pull {what}"));
}
